//! What a letter says, in the order in which its two parts say it.

use jiff::civil::{Date, Weekday};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pressrun_catalog::{Frequency, NoPapers, Paper, Preferences, VerdictCounts};
use pressrun_lab::Outcome;
use url::Url;

use super::line::line;
use super::{Edition, Links};

/// Characters of a title. Longer ones are no titles.
const TITLE: usize = 400;
/// Characters of a title in the subject.
const SUBJECT: usize = 70;
/// Characters of a search in the subject and with each paper; the head has all of it.
const QUERY: usize = 40;
/// Characters of the head's search: all that one can have.
const WHOLE_QUERY: usize = 500;
/// Characters of an abstract.
const EXCERPT: usize = 300;
/// Characters of an author's name or of a venue.
const NAME: usize = 80;
/// Bytes of an address. Longer ones are left out: mail has no longer lines.
const ADDRESS: usize = 900;
/// Authors of a paper; of more the first are named.
const AUTHORS: usize = 5;
/// Characters of what stands beside the subject in a list of mails.
const PREVIEW: usize = 140;

/// What stays as it is in a segment of a path; all else is percent-encoded, so that an id with a slash
/// stays one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

/// A paper.
#[derive(Debug)]
pub(super) struct Entry {
    pub title: String,
    pub url: String,
    /// Empty where none are known.
    pub authors: String,
    /// Votes, comments, and where it appeared.
    pub facts: String,
    pub verdict: Option<Verdict>,
    /// Empty where no abstract is known.
    pub excerpt: String,
    /// Why it is there; empty where nothing is known of that.
    pub why: String,
    /// Where the authors' code is.
    pub code: Option<String>,
}

/// What came of running a paper.
#[derive(Debug)]
pub(super) struct Verdict {
    pub tone: Outcome,
    /// `3 of 4 claims reproduced, 1 partly`.
    pub words: String,
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
    let days = match schedule.frequency {
        Frequency::EveryDay => "every day",
        Frequency::Weekdays => "on weekdays",
        Frequency::Weekly(Weekday::Monday) => "on Mondays",
        Frequency::Weekly(Weekday::Tuesday) => "on Tuesdays",
        Frequency::Weekly(Weekday::Wednesday) => "on Wednesdays",
        Frequency::Weekly(Weekday::Thursday) => "on Thursdays",
        Frequency::Weekly(Weekday::Friday) => "on Fridays",
        Frequency::Weekly(Weekday::Saturday) => "on Saturdays",
        Frequency::Weekly(Weekday::Sunday) => "on Sundays",
    };
    let mut out = format!(
        "Your digest, {days} at {:02}:00 {}: at most {} from the lists of {} days",
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

/// Why there are no papers, what brings some, and why the letter comes all the same.
fn none(edition: &Edition) -> Vec<String> {
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

fn entry(edition: &Edition, paper: &Paper) -> Entry {
    let id = utf8_percent_encode(&paper.id, SEGMENT);
    let mut facts = counted(paper.votes, "vote", "votes");
    facts.push_str(" · ");
    facts.push_str(&counted(paper.comments, "comment", "comments"));
    let venue = line(paper.venue.as_deref().unwrap_or_default(), NAME);
    if !venue.is_empty() {
        facts.push_str(" · ");
        facts.push_str(&venue);
    }
    let title = line(&paper.title, TITLE);
    Entry {
        // A link needs words.
        title: if title.is_empty() { line(&paper.id, NAME) } else { title },
        url: format!("{}/papers/{id}", edition.links.site),
        authors: authors(&paper.authors),
        facts,
        verdict: paper.verdicts.filter(|counts| counts.total() > 0).map(verdict),
        excerpt: line(&paper.summary, EXCERPT),
        why: why(edition, paper),
        code: paper.code_url.as_deref().and_then(address),
    }
}

/// All of a few authors, the first of many.
fn authors(all: &[String]) -> String {
    let named = if all.len() > AUTHORS { AUTHORS - 1 } else { all.len() };
    let mut out = String::new();
    for (at, name) in all[..named].iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        out.push_str(&line(name, NAME));
    }
    if named < all.len() {
        out.push_str(&format!(" and {} more", all.len() - named));
    }
    out
}

fn verdict(counts: VerdictCounts) -> Verdict {
    let total = counts.total();
    let claims = if total == 1 { "claim" } else { "claims" };
    let mut words = format!("{} of {total} {claims} reproduced", counts.reproduced);
    for (outcome, count) in counts.each() {
        if outcome != Outcome::Reproduced && count > 0 {
            words.push_str(&format!(", {count} {}", outcome.label()));
        }
    }
    Verdict { tone: counts.tone(), words }
}

/// What of the subscriber's wishes a paper meets.
fn why(edition: &Edition, paper: &Paper) -> String {
    let preferences = &edition.preferences;
    let mut reasons = Vec::with_capacity(3);
    if let Some(listed) = paper.listed {
        let year = if listed.year() == edition.slot.day.year() { "" } else { " %Y" };
        let format = format!("on the list of %A %-d %B{year}");
        reasons.push(listed.strftime(&format).to_string());
    }
    if !preferences.query.is_empty() {
        reasons.push(format!("found by your search {}", quoted(&preferences.query, QUERY)));
    }
    // A vote may have been taken back since the paper was chosen.
    if preferences.min_votes > 0 && paper.votes >= i64::from(preferences.min_votes) {
        reasons.push(format!("at least {}", votes(preferences.min_votes)));
    }
    if reasons.is_empty() {
        return String::new();
    }
    format!("Why it is here: {}.", reasons.join(", "))
}

/// An outside address that may be a link, as one word: `javascript:` is an address, too.
fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= ADDRESS;
    fits.then(|| url.into())
}

fn quoted(query: &str, most: usize) -> String {
    format!("“{}”", line(query, most))
}

fn votes(number: u32) -> String {
    counted(i64::from(number), "vote", "votes")
}

/// The time zone, after an hour.
fn zone(preferences: &Preferences) -> String {
    match preferences.schedule.time_zone().iana_name() {
        None | Some("UTC") => "UTC".into(),
        Some(name) => format!("({name})"),
    }
}

/// Two days with between them what lies between: `20 to 26 November 2026`.
fn span(first: Date, last: Date) -> String {
    let format = if first.year() != last.year() {
        "%-d %B %Y"
    } else if first.month() != last.month() {
        "%-d %B"
    } else {
        "%-d"
    };
    format!("{} to {}", first.strftime(format), last.strftime("%-d %B %Y"))
}

/// A number with its noun; of five digits and more in groups of three, as on the site.
fn counted(number: i64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    let digits = number.to_string();
    if digits.len() < 5 {
        return format!("{digits} {noun}");
    }
    let mut out = String::with_capacity(digits.len() + 4 + noun.len());
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    format!("{out} {noun}")
}
