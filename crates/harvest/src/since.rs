//! From when on.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::Offset};

use crate::Error;

/// The beginning of what is asked for: so long ago, or a day.
///
/// # Example
/// ```
/// use pressrun_harvest::Since;
///
/// assert_eq!("2d".parse::<Since>()?, Since::Ago { hours: 48 });
/// assert_eq!("2025-09-01".parse::<Since>()?.to_string(), "2025-09-01");
/// assert!("two days".parse::<Since>().is_err());
/// # Ok::<(), pressrun_harvest::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many hours ago.
    Ago {
        /// How many.
        hours: i64,
    },
    /// The beginning of that day, in UTC.
    Day(Date),
}

impl Since {
    /// The moment that is meant at that time.
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago { hours } => now.checked_sub(hours.hours()).unwrap_or(Timestamp::MIN),
            Self::Day(day) => {
                Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago { hours } if hours % 24 == 0 => write!(f, "{}d", hours / 24),
            Self::Ago { hours } => write!(f, "{hours}h"),
            Self::Day(day) => write!(f, "{day}"),
        }
    }
}

impl FromStr for Since {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Invalid {
            what: "time",
            value: text.into(),
            expected: "a form like `2d`, `36h`, `1w` or `2025-09-01`",
        };
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        let unit = match text.chars().last() {
            Some('h') => 1,
            Some('d') => 24,
            Some('w') => 168,
            _ => return Err(invalid()),
        };
        let count: u32 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
        // A hundred years, so that no sum of them overflows.
        let hours = i64::from(count) * unit;
        if (1..=876_600).contains(&hours) { Ok(Self::Ago { hours }) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let now: Timestamp = "2025-09-09T12:00:00Z".parse().unwrap();
        for (text, moment) in [
            ("36h", "2025-09-08T00:00:00Z"),
            ("2d", "2025-09-07T12:00:00Z"),
            ("1w", "2025-09-02T12:00:00Z"),
            ("2025-09-01", "2025-09-01T00:00:00Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.moment(now).to_string(), moment);
            assert_eq!(since.to_string().parse::<Since>().unwrap(), since);
        }
        for bad in ["", "d", "0d", "-1d", "2", "2m", "9999999999w", "2025-13-01", "2\u{e9}"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}
