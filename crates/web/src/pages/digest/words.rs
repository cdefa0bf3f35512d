//! A subscription in words.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use pressrun_catalog::{NoPapers, Preferences, Schedule};

use crate::number;
use crate::view::{date, link};

/// `on weekdays at 07:00 (Europe/Vienna)`.
pub(crate) fn schedule(schedule: &Schedule) -> String {
    format!("{} at {:02}:00 ({})", schedule.frequency.words(), schedule.hour, schedule.zone)
}

/// Which papers come.
pub(crate) fn topic(preferences: &Preferences) -> Markup {
    let votes = i64::from(preferences.min_votes);
    html! {
        @if preferences.query.is_empty() { "all papers" }
        @else {
            "papers that the search "
            a href=(link::search(&preferences.query)) { code { (preferences.query) } }
            " is about"
        }
        @if votes > 0 { " with " (number::counted(votes, "vote", "votes")) " or more" }
        ", at most " (preferences.most) " at a time"
    }
}

/// A moment as the subscriber's clock shows it, with the name of the zone.
pub(super) fn moment(at: Timestamp, schedule: &Schedule) -> Markup {
    let local = schedule.time_zone().to_datetime(at);
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) {
            (local.strftime("%A, %b %-d, %Y, %H:%M"))
        }
        " (" (schedule.zone) ")"
    }
}

/// Why an issue of a day has no papers.
pub(super) fn no_papers(reason: NoPapers, preferences: &Preferences, day: Date) -> Markup {
    let (first, votes) = (preferences.schedule.first_day(day), i64::from(preferences.min_votes));
    let topic = !preferences.query.is_empty();
    html! {
        @match reason {
            NoPapers::NothingListed => {
                "No paper was put on a list from " (date::day(first)) " to " (date::day(day)) "."
            }
            NoPapers::OffTopic => {
                "Of the papers on the lists from " (date::day(first)) " to " (date::day(day))
                " none is what your search " code { (preferences.query) } " asks for."
            }
            NoPapers::FewVotes => {
                "Of the papers " @if topic { "that fit your search " }
                "on the lists from " (date::day(first)) " to " (date::day(day)) " none has "
                (number::counted(votes, "vote", "votes")) " or more."
            }
            NoPapers::AllHad => {
                "All papers on the lists from " (date::day(first)) " to " (date::day(day))
                " that fit came in earlier issues, and none comes twice."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_in_words() {
        assert_eq!(schedule(&Preferences::default().schedule), "on weekdays at 07:00 (UTC)");
    }
}
