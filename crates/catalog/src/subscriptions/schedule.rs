//! When issues are due.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::{Error, Result};

/// On which days an issue comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Frequency {
    /// Every day.
    #[default]
    EveryDay,
    /// Monday to Friday.
    Weekdays,
    /// Once a week, on that day.
    Weekly(Weekday),
}

/// The days from Monday, with their names and how they are said.
const WEEKDAYS: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "monday", "on Mondays"),
    (Weekday::Tuesday, "tuesday", "on Tuesdays"),
    (Weekday::Wednesday, "wednesday", "on Wednesdays"),
    (Weekday::Thursday, "thursday", "on Thursdays"),
    (Weekday::Friday, "friday", "on Fridays"),
    (Weekday::Saturday, "saturday", "on Saturdays"),
    (Weekday::Sunday, "sunday", "on Sundays"),
];

impl Frequency {
    /// All of them: every day, weekdays, then the days of the week from Monday.
    pub fn all() -> impl Iterator<Item = Self> {
        let weekly = WEEKDAYS.into_iter().map(|(day, ..)| Self::Weekly(day));
        [Self::EveryDay, Self::Weekdays].into_iter().chain(weekly)
    }

    /// The name in forms and in the database: `every-day`, `weekdays`, or a day of the week.
    pub fn name(self) -> &'static str {
        self.named().0
    }

    /// As people say it: `every day`, `on weekdays`, `on Mondays`.
    pub fn words(self) -> &'static str {
        self.named().1
    }

    fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::EveryDay => ("every-day", "every day"),
            Self::Weekdays => ("weekdays", "on weekdays"),
            Self::Weekly(on) => {
                let at = usize::from(on.to_monday_zero_offset().unsigned_abs());
                let (_, name, words) = WEEKDAYS[at];
                (name, words)
            }
        }
    }

    /// Whether an issue comes on that day.
    pub fn includes(self, day: Date) -> bool {
        match self {
            Self::EveryDay => true,
            Self::Weekdays => !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday),
            Self::Weekly(on) => day.weekday() == on,
        }
    }

    /// From how many days of lists an issue takes its papers, the day of the issue included: papers
    /// that find their votes late still come.
    pub fn window(self) -> i64 {
        match self {
            Self::EveryDay | Self::Weekdays => 7,
            Self::Weekly(_) => 14,
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Frequency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::all().find(|frequency| frequency.name() == text).ok_or_else(|| Error::Invalid {
            what: "frequency",
            value: text.chars().take(100).collect(),
            expected: "`every-day`, `weekdays`, or a day of the week such as `monday`",
        })
    }
}

/// When issues come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// On which days.
    pub frequency: Frequency,
    /// The hour of the day, 0 to 23.
    pub hour: i8,
    /// The time zone that day and hour are of, by its IANA name.
    pub zone: String,
}

/// A day and moment at which an issue is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// When.
    pub at: Timestamp,
    /// The day in the schedule's zone. There is one slot a day, whatever the clock does.
    pub day: Date,
}

impl Schedule {
    /// Fails unless hour and zone exist.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn check(&self) -> Result<()> {
        if !(0..24).contains(&self.hour) {
            let expected = "a whole number from 0 to 23";
            return Err(Error::Invalid { what: "hour", value: self.hour.to_string(), expected });
        }
        if !is_zone(&self.zone) {
            let value = self.zone.chars().take(100).collect();
            let expected = "a name of the IANA database, such as `Europe/Vienna` or `UTC`";
            return Err(Error::Invalid { what: "time zone", value, expected });
        }
        Ok(())
    }

    /// The first slot after a moment, on or after a day if one is given.
    ///
    /// An hour that the clock skips is the moment after the gap; of an hour that it shows twice the
    /// first counts. `None` at the end of the calendar.
    pub fn next(&self, after: Timestamp, from: Option<Date>) -> Option<Slot> {
        let zone = self.time_zone();
        let today = zone.to_datetime(after).date();
        let mut day = from.map_or(today, |from| from.max(today));
        // A week has every kind of day; a slot of today may be over.
        for _ in 0..15 {
            if let Some(slot) = self.slot(day, &zone)
                && slot.at > after
            {
                return Some(slot);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The last slot at or before a moment: what is due when several were missed.
    pub fn last(&self, until: Timestamp) -> Option<Slot> {
        let zone = self.time_zone();
        let mut day = zone.to_datetime(until).date();
        for _ in 0..15 {
            if let Some(slot) = self.slot(day, &zone)
                && slot.at <= until
            {
                return Some(slot);
            }
            day = day.yesterday().ok()?;
        }
        None
    }

    fn slot(&self, day: Date, zone: &TimeZone) -> Option<Slot> {
        if !self.frequency.includes(day) {
            return None;
        }
        let at = zone.to_ambiguous_zoned_datetime(day.at(self.hour, 0, 0, 0)).compatible().ok()?;
        // Where the date line was moved, a day can be missing.
        (at.date() == day).then(|| Slot { at: at.timestamp(), day })
    }

    /// A zone that the database of zones has lost since is taken for UTC: an issue at another hour is
    /// better than none.
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// The first day of the lists from which the issue of a day takes papers.
    pub fn first_day(&self, day: Date) -> Date {
        day.saturating_sub((self.frequency.window() - 1).days())
    }
}

/// Whether there is a time zone of that name.
fn is_zone(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    name.len() <= 64 && name.chars().all(plain) && TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(frequency: &str, hour: i8, zone: &str) -> Schedule {
        let schedule = Schedule { frequency: frequency.parse().unwrap(), hour, zone: zone.into() };
        schedule.check().unwrap();
        schedule
    }

    /// The next slots after a moment.
    fn slots(schedule: &Schedule, after: &str, count: usize) -> Vec<(String, String)> {
        let mut after: Timestamp = after.parse().unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            let slot = schedule.next(after, None).unwrap();
            assert_eq!(schedule.last(slot.at), Some(slot));
            after = slot.at;
            found.push((slot.at.to_string(), slot.day.to_string()));
        }
        found
    }

    fn pairs(slots: &[(String, String)]) -> Vec<(&str, &str)> {
        slots.iter().map(|(at, day)| (at.as_str(), day.as_str())).collect()
    }

    #[test]
    fn an_hour_stays_an_hour_over_the_change_of_clocks() {
        let vienna = schedule("every-day", 7, "Europe/Vienna");
        let found = slots(&vienna, "2026-03-28T00:00:00Z", 3);
        let expected = [
            ("2026-03-28T06:00:00Z", "2026-03-28"),
            ("2026-03-29T05:00:00Z", "2026-03-29"),
            ("2026-03-30T05:00:00Z", "2026-03-30"),
        ];
        assert_eq!(pairs(&found), expected);
    }

    #[test]
    fn a_skipped_hour_is_the_next_one_and_a_repeated_hour_the_first() {
        // On 29 March 2026 there is no half past two in Vienna, on 25 October there are two.
        let vienna = schedule("every-day", 2, "Europe/Vienna");
        let found = slots(&vienna, "2026-03-28T12:00:00Z", 2);
        assert_eq!(found[0], ("2026-03-29T01:00:00Z".into(), "2026-03-29".into()));
        assert_eq!(found[1], ("2026-03-30T00:00:00Z".into(), "2026-03-30".into()));
        let found = slots(&vienna, "2026-10-24T12:00:00Z", 2);
        assert_eq!(found[0], ("2026-10-25T00:00:00Z".into(), "2026-10-25".into()));
        assert_eq!(found[1], ("2026-10-26T01:00:00Z".into(), "2026-10-26".into()));
    }

    #[test]
    fn days_are_those_of_the_zone() {
        // A Friday morning in Auckland is a Thursday in UTC.
        let auckland = schedule("friday", 7, "Pacific/Auckland");
        let found = slots(&auckland, "2026-11-23T00:00:00Z", 2);
        assert_eq!(found[0], ("2026-11-26T18:00:00Z".into(), "2026-11-27".into()));
        assert_eq!(found[1], ("2026-12-03T18:00:00Z".into(), "2026-12-04".into()));
        // Samoa had no 30 December 2011.
        let apia = schedule("every-day", 7, "Pacific/Apia");
        let found = slots(&apia, "2011-12-29T00:00:00Z", 2);
        assert_eq!(found[0], ("2011-12-29T17:00:00Z".into(), "2011-12-29".into()));
        assert_eq!(found[1], ("2011-12-30T17:00:00Z".into(), "2011-12-31".into()));
    }

    #[test]
    fn weekdays_leave_out_the_weekend_and_a_pause_what_lies_before() {
        let utc = schedule("weekdays", 9, "UTC");
        let days: Vec<String> =
            slots(&utc, "2026-11-26T10:00:00Z", 4).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2026-11-27", "2026-11-30", "2026-12-01", "2026-12-02"]);
        let after = "2026-11-26T10:00:00Z".parse().unwrap();
        let next = |from: &str| utc.next(after, Some(from.parse().unwrap())).unwrap().day;
        assert_eq!(next("2026-12-05").to_string(), "2026-12-07");
        assert_eq!(next("2020-01-01").to_string(), "2026-11-27");
        let last = utc.last("2026-11-29T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(last.day.to_string(), "2026-11-27");
        assert_eq!(utc.first_day(last.day).to_string(), "2026-11-21");
    }

    #[test]
    fn names_and_what_is_none() {
        for frequency in Frequency::all() {
            assert_eq!(frequency.name().parse::<Frequency>().unwrap(), frequency);
        }
        let words: Vec<&str> = Frequency::all().map(Frequency::words).collect();
        assert_eq!(words[..4], ["every day", "on weekdays", "on Mondays", "on Tuesdays"]);
        assert_eq!(words[8], "on Sundays");
        assert!("daily".parse::<Frequency>().is_err());
        let of =
            |hour, zone: &str| Schedule { frequency: Frequency::EveryDay, hour, zone: zone.into() };
        assert!(of(24, "UTC").check().is_err() && of(-1, "UTC").check().is_err());
        for zone in ["Mars/Olympus", "", "../../etc/passwd", "UTC\r\nBcc: x"] {
            assert!(of(7, zone).check().is_err(), "{zone:?}");
        }
    }
}
