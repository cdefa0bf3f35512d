//! What a letter says, in the order in which its two parts say it.

use pressrun_catalog::{NoPapers, Preferences};

use super::entry::{Entry, entry};
use super::none::none;
use super::words::{QUERY, counted, line, quoted, votes, zone};
use super::{Edition, Links};

/// Characters of the first title in the subject.
const SUBJECT: usize = 60;
/// Characters of a search in the head: all that one can have.
const WHOLE_QUERY: usize = 500;
/// Characters of what stands beside the subject in a list of mails.
const PREVIEW: usize = 140;

/// A letter before it has a form. None of its strings has a control character.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub subject: String,
    /// Stands beside the subject in a list of mails; says nothing that the letter does not.
    pub preview: String,
    pub heading: String,
    /// That it is a test, that it is late.
    pub notices: Vec<String>,
    /// What the digest is.
    pub about: String,
    /// Why there are no papers, and what brings some.
    pub none: Vec<String>,
    pub entries: Vec<Entry>,
    /// Addresses at the end, with their words.
    pub foot: Vec<(&'static str, String)>,
    /// Why the subscriber gets this.
    pub closing: String,
    pub links: &'a Links,
}

/// The words of a letter.
pub(super) fn say(edition: &Edition) -> Said<'_> {
    let preferences = &edition.preferences;
    let heading = match edition.papers.len() {
        0 => "No papers".to_owned(),
        n => counted(n as i64, "paper", "papers"),
    };
    let day = edition.slot.day.strftime("%A %-d %B %Y");
    let entries: Vec<Entry> = edition.papers.iter().map(|paper| entry(edition, paper)).collect();
    let none = if entries.is_empty() { none(edition) } else { Vec::new() };
    let site = edition.links.site.as_str();
    let mut foot = Vec::with_capacity(3);
    if entries.iter().any(|entry| entry.verdict.is_some()) {
        foot.push(("How claims are checked", format!("{site}/methodology")));
    }
    foot.push(("Change or pause this digest", edition.links.manage.clone()));
    foot.push(("Unsubscribe", edition.links.unsubscribe.clone()));
    let host = site.split_once("://").map_or(site, |(_, host)| host);
    let about = about(preferences);
    Said {
        subject: subject(edition, &heading),
        preview: preview(&entries, &none, &about),
        heading: format!("{heading} for {day}"),
        notices: notices(edition),
        about,
        none,
        entries,
        foot,
        closing: format!(
            "You get this mail because you asked for it at {host}. It has no images, and nothing in \
             it tells whether you read it."
        ),
        links: &edition.links,
    }
}

/// What is in it, the day, and the first paper or why there is none.
fn subject(edition: &Edition, heading: &str) -> String {
    let preferences = &edition.preferences;
    let mut out = String::from(if edition.test { "Test: " } else { "" });
    out.push_str(heading);
    if !preferences.query.is_empty() {
        out.push_str(&format!(" for {}", quoted(&preferences.query, QUERY)));
    }
    out.push_str(&edition.slot.day.strftime(", %-d %B").to_string());
    if let Some(first) = edition.papers.first() {
        out.push_str(&format!(": {}", line(&first.title, SUBJECT)));
    } else if let Some(reason) = edition.reason {
        out.push_str(": ");
        out.push_str(&match reason {
            NoPapers::NothingListed => "nothing on the lists".into(),
            NoPapers::OffTopic => "none that you search for".into(),
            NoPapers::FewVotes => format!("none with {}", votes(preferences.min_votes)),
            NoPapers::AllHad => "none that you have not had".to_owned(),
        });
    }
    out
}

fn preview(entries: &[Entry], none: &[String], about: &str) -> String {
    let text = match entries {
        [] => none.first().map_or(about, String::as_str),
        [only] if only.excerpt.is_empty() => about,
        [only] => &only.excerpt,
        // The first one is in the subject.
        [_, rest @ ..] => {
            let titles = rest.iter().take(3).map(|entry| entry.title.as_str());
            return line(&titles.collect::<Vec<_>>().join(" · "), PREVIEW);
        }
    };
    line(text, PREVIEW)
}

fn notices(edition: &Edition) -> Vec<String> {
    let mut out = Vec::new();
    if edition.test {
        let text = "This is the test that you asked for: the issue that would come now if none had \
             come before.";
        out.push(text.to_owned());
    }
    if edition.late {
        let schedule = &edition.preferences.schedule;
        let due = schedule.time_zone().to_datetime(edition.slot.at);
        out.push(format!(
            "This issue is late. It was due on {} at {} {}.",
            due.strftime("%A %-d %B %Y"),
            due.strftime("%H:%M"),
            zone(&edition.preferences),
        ));
    }
    out
}

/// What the subscriber asked for.
fn about(preferences: &Preferences) -> String {
    let schedule = &preferences.schedule;
    let mut out = format!(
        "Your digest, {} at {:02}:00 {}: at most {} from the lists of {} days",
        schedule.frequency.words(),
        schedule.hour,
        zone(preferences),
        counted(i64::from(preferences.most), "paper", "papers"),
        schedule.frequency.window(),
    );
    if !preferences.query.is_empty() {
        out.push_str(&format!(
            ", found by your search {}",
            quoted(&preferences.query, WHOLE_QUERY)
        ));
    }
    if preferences.min_votes > 0 {
        out.push_str(&format!(", with at least {}", votes(preferences.min_votes)));
    }
    out.push('.');
    out
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;
    use pressrun_catalog::Frequency;

    use super::super::sample;
    use super::*;

    #[test]
    fn a_subject_says_what_is_in_it() {
        let mut edition = sample::edition(sample::papers());
        let title = "Dense-to-Sparse Gate for Mixture-of-Experts";
        assert_eq!(say(&edition).subject, format!("3 papers, 26 November: {title}"));
        edition.papers.truncate(1);
        edition.preferences.query = "experts routing".into();
        edition.test = true;
        let subject = "Test: 1 paper for “experts routing”, 26 November: Dense-to-Sparse";
        assert!(say(&edition).subject.starts_with(subject));
        let long = sample::paper("x", &"word\r\n".repeat(100));
        let subject = say(&sample::edition(vec![long])).subject;
        assert!(subject.ends_with("word word…") && subject.chars().count() < 90, "{subject}");
    }

    #[test]
    fn without_papers_the_subject_says_why() {
        let mut edition = sample::edition(Vec::new());
        edition.preferences.min_votes = 1;
        for (reason, end) in [
            (Some(NoPapers::NothingListed), ": nothing on the lists"),
            (Some(NoPapers::OffTopic), ": none that you search for"),
            (Some(NoPapers::FewVotes), ": none with 1 vote"),
            (Some(NoPapers::AllHad), ": none that you have not had"),
            (None, ""),
        ] {
            edition.reason = reason;
            assert_eq!(say(&edition).subject, format!("No papers, 26 November{end}"));
        }
    }

    #[test]
    fn the_head_says_what_the_digest_is() {
        let mut preferences = Preferences::default();
        let text =
            "Your digest, on weekdays at 07:00 UTC: at most 12 papers from the lists of 7 days.";
        assert_eq!(about(&preferences), text);
        preferences.schedule.frequency = Frequency::Weekly(Weekday::Thursday);
        preferences.schedule.zone = "America/New_York".into();
        preferences.query = "experts routing".into();
        (preferences.min_votes, preferences.most) = (5, 1);
        let text = "Your digest, on Thursdays at 07:00 (America/New_York): at most 1 paper from the \
            lists of 14 days, found by your search “experts routing”, with at least 5 votes.";
        assert_eq!(about(&preferences), text);
        preferences.schedule.frequency = Frequency::EveryDay;
        assert!(about(&preferences).starts_with("Your digest, every day at 07:00 (America/"));
        // Each day of the week is its own.
        let all = Frequency::all().map(|frequency| {
            preferences.schedule.frequency = frequency;
            about(&preferences)
        });
        assert_eq!(all.collect::<std::collections::HashSet<_>>().len(), 9);
    }

    #[test]
    fn a_late_issue_says_when_it_was_due_where_the_subscriber_is() {
        let mut edition = sample::edition(sample::papers());
        assert!(say(&edition).notices.is_empty());
        edition.late = true;
        edition.preferences.schedule.zone = "Pacific/Auckland".into();
        edition.slot.day = jiff::civil::date(2026, 11, 27);
        edition.slot.at = "2026-11-26T18:00:00Z".parse().unwrap();
        let due = "This issue is late. It was due on Friday 27 November 2026 at 07:00 \
            (Pacific/Auckland).";
        assert_eq!(say(&edition).notices, [due]);
        assert_eq!(say(&edition).heading, "3 papers for Friday 27 November 2026");
        // A zone that there is no more is taken for UTC, and called so.
        edition.preferences.schedule.zone = "Mars/Olympus".into();
        let due = "This issue is late. It was due on Thursday 26 November 2026 at 18:00 UTC.";
        assert_eq!(say(&edition).notices, [due]);
        edition.test = true;
        assert_eq!(say(&edition).notices.len(), 2);
    }

    #[test]
    fn beside_the_subject_stands_what_it_does_not_say() {
        let mut edition = sample::edition(sample::papers());
        let titles = "Größen, $\\mathcal{O}(n \\log n)$ & <b>Ordnung</b> · A short one";
        assert_eq!(say(&edition).preview, titles);
        edition.papers.drain(..2);
        assert_eq!(say(&edition).preview, "It is short.");
        edition.papers.clear();
        assert!(say(&edition).preview.starts_with("No paper was put on the lists"));
    }

    #[test]
    fn the_end_explains_verdicts_where_there_are_some() {
        let words = |edition: &Edition| -> Vec<&str> {
            say(edition).foot.iter().map(|(words, _)| *words).collect()
        };
        let mut edition = sample::edition(sample::papers());
        let with = ["How claims are checked", "Change or pause this digest", "Unsubscribe"];
        assert_eq!(words(&edition), with);
        edition.papers.drain(..2);
        assert_eq!(words(&edition), with[1..]);
    }
}
