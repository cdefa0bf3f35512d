//! The day of a listing, which has no year.

use jiff::civil::Date;

/// `Sep 9`, `September 9`, `9 Sep`, each with or without a year after a comma or space.
pub(super) fn parse(text: &str) -> Option<(i8, i8, Option<i16>)> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == ',' || c == '.')
        .filter(|word| !word.is_empty())
        .collect();
    let (first, second, year) = match words[..] {
        [first, second] => (first, second, None),
        [first, second, year] => (first, second, Some(year.parse().ok()?)),
        _ => return None,
    };
    let both = |name, number: &str| Some((month(name)?, number.parse().ok()?));
    let (month, day) = both(first, second).or_else(|| both(second, first))?;
    (1..=31).contains(&day).then_some((month, day, year))
}

/// The number of a month's English name, whole or cut after three or four letters.
pub(super) fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let name = name.to_ascii_lowercase();
    let found = NAMES.iter().position(|full| {
        name == *full || (name.len() >= 3 && name.len() <= 4 && full.starts_with(&name))
    })?;
    i8::try_from(found + 1).ok()
}

/// The date of a day: in `year`, else the most recent one that is not after `today`.
pub(super) fn resolve(month: i8, day: i8, year: Option<i16>, today: Date) -> Option<Date> {
    if let Some(year) = year {
        return Date::new(year, month, day).ok();
    }
    // Eight years suffice for 29 February, around 1900 and 2100 too.
    (0..=8).find_map(|back| {
        let date = Date::new(today.year().checked_sub(back)?, month, day).ok()?;
        (date <= today).then_some(date)
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_day_is_the_last_such_day() {
        let of = |text: &str, wanted: Option<i16>, today| {
            let (month, day, year) = parse(text)?;
            resolve(month, day, year.or(wanted), today)
        };
        let today = date(2025, 9, 9);
        assert_eq!(of("Sep 9", None, today), Some(today));
        assert_eq!(of("September 10", None, today), Some(date(2024, 9, 10)));
        assert_eq!(of("Sept. 1", None, today), Some(date(2025, 9, 1)));
        assert_eq!(of("9 Sep", Some(2019), today), Some(date(2019, 9, 9)));
        assert_eq!(of("Sep 9, 2020", Some(2019), today), Some(date(2020, 9, 9)));
        assert_eq!(of("Feb 29", None, today), Some(date(2024, 2, 29)));
        assert_eq!(of("Feb 29", None, date(1903, 1, 1)), Some(date(1896, 2, 29)));
        assert_eq!(of("Feb 29", Some(2023), today), None);
        for none in ["Mayor 9", "Se 9", "Sep 32", "Sep 0", "Sep", "9", "Sep 9 of 2025", ""] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
