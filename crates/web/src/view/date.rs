//! Dates in words.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use pressrun_catalog::Period;

/// `Sep 9, 2025`.
pub(crate) fn day(date: Date) -> String {
    date.strftime("%b %-d, %Y").to_string()
}

/// A period as a heading names it.
pub(crate) fn period(period: &Period) -> String {
    match period {
        Period::Day(date) => day(*date),
        Period::Week { year, week } => format!("Week {week}, {year}"),
        Period::Month { .. } => match period.range() {
            Some((first, _)) => first.strftime("%B %Y").to_string(),
            None => period.to_string(),
        },
        Period::Year(year) => year.to_string(),
        Period::All => "all days".into(),
    }
}

/// The first and last day of a week, `Sep 8 – 14`; nothing for other periods.
pub(crate) fn span(period: &Period) -> Option<String> {
    let (Period::Week { .. }, Some((first, last))) = (period, period.range()) else {
        return None;
    };
    let end = if first.month() == last.month() { "%-d" } else { "%b %-d" };
    Some(format!("{} – {}", first.strftime("%b %-d"), last.strftime(end)))
}

/// A moment, to the minute, in UTC.
pub(crate) fn moment(at: Timestamp) -> Markup {
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M UTC")) }
    }
}

/// A moment as a record writes it; what does not parse is printed as it stands.
pub(crate) fn started(text: &str) -> Markup {
    match text.parse::<Timestamp>() {
        Ok(at) => moment(at),
        Err(_) => html! { (text) },
    }
}

/// A date of publication: `2023`, `January 2023` or `Jan 25, 2023`, as precise as it is known.
pub(crate) fn published(text: &str) -> String {
    let month = || format!("{text}-01").parse::<Date>().ok();
    match text.len() {
        10 => text.parse::<Date>().map_or_else(|_| text.to_owned(), day),
        7 => month().map_or_else(|| text.to_owned(), |d| d.strftime("%B %Y").to_string()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_words() {
        assert_eq!(day(jiff::civil::date(2025, 9, 9)), "Sep 9, 2025");
        assert_eq!(published("2023-01-25"), "Jan 25, 2023");
        assert_eq!(published("2023-01"), "January 2023");
        assert_eq!(published("2023"), "2023");
        assert_eq!(published("long ago"), "long ago");
        assert!(started("2025-09-09T10:00:00.123456Z").0.contains("2025-09-09 10:00 UTC"));
        assert_eq!(started("?").0, "?");
    }

    #[test]
    fn periods_in_words() {
        let week = Period::Week { year: 2025, week: 37 };
        assert_eq!(period(&week), "Week 37, 2025");
        assert_eq!(span(&week).as_deref(), Some("Sep 8 – 14"));
        assert_eq!(period(&Period::Month { year: 2025, month: 9 }), "September 2025");
    }
}
