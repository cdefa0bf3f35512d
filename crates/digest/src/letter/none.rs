//! What a letter says where there are no papers.

use pressrun_catalog::NoPapers;

use super::Edition;
use super::words::{QUERY, quoted, span, votes};

/// Why there are no papers, what brings some, and why the letter comes all the same.
pub(super) fn none(edition: &Edition) -> Vec<String> {
    let preferences = &edition.preferences;
    let schedule = &preferences.schedule;
    let (first, last) = (schedule.first_day(edition.slot.day), edition.slot.day);
    let lists = format!("on the lists from {}", span(first, last));
    let search = quoted(&preferences.query, QUERY);
    let minimum = votes(preferences.min_votes);
    // Those that the search finds, where there is one.
    let found = match preferences.query.as_str() {
        "" => String::new(),
        _ => format!(" that your search {search} finds"),
    };
    let (why, what) = match edition.reason {
        None | Some(NoPapers::NothingListed) => (
            format!("No paper was put {lists}."),
            "As soon as the lists have papers again, they come to you.".to_owned(),
        ),
        Some(NoPapers::OffTopic) => (
            format!("Your search {search} finds none of the papers {lists}."),
            "Fewer words, or more common ones, find more.".to_owned(),
        ),
        Some(NoPapers::FewVotes) => (
            format!("None of the papers {lists}{found} has at least {minimum}, your minimum."),
            format!(
                "A lower minimum brings more. A paper that gets its votes within {} days still comes.",
                schedule.frequency.window(),
            ),
        ),
        Some(NoPapers::AllHad) => {
            let with = match preferences.min_votes {
                0 => String::new(),
                _ if found.is_empty() => format!(" with at least {minimum}"),
                _ => format!(" and that has at least {minimum}"),
            };
            let more = match (found.is_empty(), preferences.min_votes) {
                (true, 0) => "The next ones come as soon as they are listed.",
                (true, _) => "A lower minimum brings more.",
                (false, 0) => "A wider search brings more.",
                (false, _) => "A wider search or a lower minimum brings more.",
            };
            let why = format!("You have had every paper {lists}{found}{with}; none comes twice.");
            (why, more.to_owned())
        }
    };
    let mut out = vec![why, what];
    if preferences.send_empty {
        out.push("You asked to be told when there are no papers.".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// The letter's words for a reason, with the search and the minimum.
    fn words(reason: NoPapers, query: &str, min_votes: u32) -> Vec<String> {
        let mut edition = sample::edition(Vec::new());
        edition.reason = Some(reason);
        edition.preferences.query = query.to_owned();
        edition.preferences.min_votes = min_votes;
        none(&edition)
    }

    #[test]
    fn each_reason_names_the_subscribers_own_numbers() {
        let lists = "on the lists from 20 to 26 November 2026";
        let lower =
            "A lower minimum brings more. A paper that gets its votes within 7 days still comes.";
        let search = "experts routing";
        for (reason, query, min_votes, why, what) in [
            (
                NoPapers::NothingListed,
                "",
                0,
                format!("No paper was put {lists}."),
                "As soon as the lists have papers again, they come to you.",
            ),
            (
                NoPapers::OffTopic,
                search,
                5,
                format!("Your search “{search}” finds none of the papers {lists}."),
                "Fewer words, or more common ones, find more.",
            ),
            (
                NoPapers::FewVotes,
                "",
                1,
                format!("None of the papers {lists} has at least 1 vote, your minimum."),
                lower,
            ),
            (
                NoPapers::FewVotes,
                search,
                5,
                format!(
                    "None of the papers {lists} that your search “{search}” finds has at least 5 \
                     votes, your minimum."
                ),
                lower,
            ),
            (
                NoPapers::AllHad,
                "",
                0,
                format!("You have had every paper {lists}; none comes twice."),
                "The next ones come as soon as they are listed.",
            ),
            (
                NoPapers::AllHad,
                "",
                5,
                format!(
                    "You have had every paper {lists} with at least 5 votes; none comes twice."
                ),
                "A lower minimum brings more.",
            ),
            (
                NoPapers::AllHad,
                search,
                0,
                format!(
                    "You have had every paper {lists} that your search “{search}” finds; none comes \
                     twice."
                ),
                "A wider search brings more.",
            ),
            (
                NoPapers::AllHad,
                search,
                5,
                format!(
                    "You have had every paper {lists} that your search “{search}” finds and that has \
                     at least 5 votes; none comes twice."
                ),
                "A wider search or a lower minimum brings more.",
            ),
        ] {
            assert_eq!(words(reason, query, min_votes), [why, what.to_owned()]);
        }
    }

    #[test]
    fn who_asked_for_letters_without_papers_is_told() {
        let mut edition = sample::edition(Vec::new());
        assert_eq!(none(&edition).len(), 2);
        edition.preferences.send_empty = true;
        assert_eq!(none(&edition)[2], "You asked to be told when there are no papers.");
    }
}
