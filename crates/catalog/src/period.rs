//! Days, weeks, months and years as they stand in URLs.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, ISOWeekDate, Weekday};

use crate::{Error, Result};

/// The stretch of time whose papers a list shows.
///
/// Its text is the one in URLs: `2025-09-09`, `2025-W37`, `2025-09`, `2025`, `all`.
///
/// ```
/// use pressrun_catalog::Period;
///
/// let week: Period = "2025-W37".parse()?;
/// let (first, last) = week.range().unwrap();
/// assert_eq!((first.to_string(), last.to_string()), ("2025-09-08".into(), "2025-09-14".into()));
/// assert_eq!(week.next().unwrap().to_string(), "2025-W38");
/// # Ok::<(), pressrun_catalog::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Period {
    /// One day.
    Day(Date),
    /// A week of the ISO calendar, Monday to Sunday.
    Week {
        /// The ISO year, which differs from the calendar's in the days around New Year.
        year: i16,
        /// From 1 to 52 or 53.
        week: i8,
    },
    /// A month of the calendar.
    Month {
        /// The year.
        year: i16,
        /// From 1 to 12.
        month: i8,
    },
    /// A year of the calendar.
    Year(i16),
    /// Everything, listed on a day or not.
    #[default]
    All,
}

impl Period {
    /// The week in which `day` lies.
    pub fn week_of(day: Date) -> Self {
        let iso = day.iso_week_date();
        Self::Week { year: iso.year(), week: iso.week() }
    }

    /// The month in which `day` lies.
    pub fn month_of(day: Date) -> Self {
        Self::Month { year: day.year(), month: day.month() }
    }

    /// The period of the same kind in which `day` lies.
    pub fn of_same_kind(self, day: Date) -> Self {
        match self {
            Self::Day(_) => Self::Day(day),
            Self::Week { .. } => Self::week_of(day),
            Self::Month { .. } => Self::month_of(day),
            Self::Year(_) => Self::Year(day.year()),
            Self::All => Self::All,
        }
    }

    /// First and last day, both included; `None` for [`Period::All`], and for a week or month that
    /// the calendar does not have.
    pub fn range(self) -> Option<(Date, Date)> {
        match self {
            Self::Day(day) => Some((day, day)),
            Self::Week { year, week } => {
                let monday = ISOWeekDate::new(year, week, Weekday::Monday).ok()?.date();
                Some((monday, monday.checked_add(6.days()).ok()?))
            }
            Self::Month { year, month } => {
                let first = Date::new(year, month, 1).ok()?;
                Some((first, first.last_of_month()))
            }
            Self::Year(year) => Some((Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?)),
            Self::All => None,
        }
    }

    /// The period of the same kind just before; `None` where the calendar ends.
    pub fn prev(self) -> Option<Self> {
        let (first, _) = self.range()?;
        Some(self.of_same_kind(first.yesterday().ok()?))
    }

    /// The period of the same kind just after; `None` where the calendar ends.
    pub fn next(self) -> Option<Self> {
        let (_, last) = self.range()?;
        Some(self.of_same_kind(last.tomorrow().ok()?))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Week { year, week } => write!(f, "{year:04}-W{week:02}"),
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Self::Year(year) => write!(f, "{year:04}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| Error::Invalid {
            what: "period",
            value: text.to_owned(),
            expected: "a day `2025-09-09`, a week `2025-W37`, a month `2025-09`, a year `2025` or \
                       `all`",
        })
    }
}

/// Only the exact form is read, so that every period has one URL.
fn parse(text: &str) -> Option<Period> {
    if text == "all" {
        return Some(Period::All);
    }
    let number = |digits: &str, width: usize| {
        let plain = digits.len() == width && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<i16>().ok()).flatten()
    };
    let Some((year, rest)) = text.split_once('-') else {
        return number(text, 4).map(Period::Year).filter(|year| year.range().is_some());
    };
    let year = number(year, 4)?;
    let period = if let Some(week) = rest.strip_prefix('W') {
        let week = i8::try_from(number(week, 2)?).ok()?;
        Period::Week { year, week }
    } else if let Some((month, day)) = rest.split_once('-') {
        let month = i8::try_from(number(month, 2)?).ok()?;
        let day = i8::try_from(number(day, 2)?).ok()?;
        Period::Day(Date::new(year, month, day).ok()?)
    } else {
        let month = i8::try_from(number(rest, 2)?).ok()?;
        Period::Month { year, month }
    };
    (period == Period::All || period.range().is_some()).then_some(period)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weeks_around_new_year() {
        // 2020-12-31 was a Thursday in week 53 of 2020; 2021-01-04 the Monday of week 1 of 2021.
        let week: Period = "2020-W53".parse().unwrap();
        assert_eq!(week.range().unwrap(), (date(2020, 12, 28), date(2021, 1, 3)));
        assert_eq!(week.next().unwrap().to_string(), "2021-W01");
        assert_eq!(Period::week_of(date(2021, 1, 3)).to_string(), "2020-W53");
        let december: Period = "2020-12".parse().unwrap();
        assert_eq!(december.next().unwrap().to_string(), "2021-01");
        assert_eq!(december.prev().unwrap().to_string(), "2020-11");
    }

    #[test]
    fn only_the_one_form_is_read() {
        for text in [
            "2025-9-9",
            "2025-W54",
            "2021-W53",
            "2025-13",
            "2025-02-29",
            "",
            "ALL",
            "+025-01",
            "25",
            "20255",
        ] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("period `{text}` is not valid; expected")),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_and_neighbours_agree(days in -500_000_i64..500_000, kind in 0..4) {
            let day = date(2000, 1, 1).checked_add(days.days()).unwrap();
            prop_assume!(day.year() > 0);
            let period = match kind {
                0 => Period::Day(day),
                1 => Period::week_of(day),
                2 => Period::month_of(day),
                _ => Period::Year(day.year()),
            };
            let (first, last) = period.range().unwrap();
            prop_assert!(first <= day && day <= last);
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
            prop_assert_eq!(period.next().unwrap().prev().unwrap(), period);
            prop_assert_eq!(period.next().unwrap().range().unwrap().0, last.tomorrow().unwrap());
        }
    }
}
