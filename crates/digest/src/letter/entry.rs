//! What a letter says of a paper.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pressrun_catalog::{Paper, VerdictCounts};
use pressrun_lab::Outcome;
use url::Url;

use super::Edition;
use super::words::{QUERY, counted, line, quoted, votes};

/// Characters of a title. Longer ones are no titles.
const TITLE: usize = 400;
/// Characters of an abstract.
const EXCERPT: usize = 300;
/// Characters of an author's name or of a venue.
const NAME: usize = 80;
/// Bytes of an address. Longer ones are left out: mail has no longer lines.
const ADDRESS: usize = 900;
/// Authors of a paper; of more the first are named.
const AUTHORS: usize = 5;
/// What stays as it is in a segment of a path; all else is percent-encoded, so that an id with a slash
/// stays one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

/// What the letter of an edition says of one of its papers.
pub(super) fn entry(edition: &Edition, paper: &Paper) -> Entry {
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

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn first(edition: &Edition) -> Entry {
        entry(edition, &edition.papers[0])
    }

    #[test]
    fn a_reason_is_a_wish_that_is_met() {
        let mut edition = sample::edition(sample::papers());
        let listed = "Why it is here: on the list of Thursday 26 November";
        assert_eq!(first(&edition).why, format!("{listed}."));
        edition.preferences.query = "experts routing".to_owned();
        edition.preferences.min_votes = 1;
        let all = format!("{listed}, found by your search “experts routing”, at least 1 vote.");
        assert_eq!(first(&edition).why, all);
        // Votes were taken back.
        edition.preferences.query.clear();
        edition.preferences.min_votes = 20_000;
        assert_eq!(first(&edition).why, format!("{listed}."));
        // A list of the year before.
        edition.slot.day = jiff::civil::date(2027, 1, 1);
        assert_eq!(first(&edition).why, format!("{listed} 2026."));
        let unlisted = sample::edition(vec![sample::paper("x", "X")]);
        assert_eq!(first(&unlisted).why, "");
    }

    #[test]
    fn links_are_whole_and_of_the_web() {
        let of = |id: &str| first(&sample::edition(vec![sample::paper(id, "")])).url;
        assert_eq!(of("2301.10909"), "https://papers.example.org/papers/2301.10909");
        assert_eq!(of("cs/0112017"), "https://papers.example.org/papers/cs%2F0112017");
        assert_eq!(of("a?b#c d\nß"), "https://papers.example.org/papers/a%3Fb%23c%20d%0A%C3%9F");
        assert_eq!(
            address("https://example.org/a b").as_deref(),
            Some("https://example.org/a%20b")
        );
        for bad in ["javascript:alert(1)", "data:text/html,x", "code", "", "ftp://example.org"] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert_eq!(address(&format!("https://example.org/{}", "x".repeat(ADDRESS))), None);
        let breaking = address("https://example.org/\r\nBcc: x\u{202e}\u{0}").unwrap();
        assert!(breaking.is_ascii() && !breaking.contains(char::is_whitespace), "{breaking}");
    }

    #[test]
    fn a_paper_without_a_title_is_called_by_its_id() {
        assert_eq!(first(&sample::edition(vec![sample::paper("x-1", " \n")])).title, "x-1");
    }

    #[test]
    fn many_authors_are_counted() {
        let named =
            |count: usize| authors(&(1..=count).map(|n| format!("A\n{n}")).collect::<Vec<_>>());
        assert_eq!(named(0), "");
        assert_eq!(named(1), "A 1");
        assert_eq!(named(5), "A 1, A 2, A 3, A 4, A 5");
        assert_eq!(named(6), "A 1, A 2, A 3, A 4 and 2 more");
    }

    #[test]
    fn verdicts_are_counted_and_none_is_no_badge() {
        let words = |[reproduced, partly, not_at_this_scale, not_tested]: [u32; 4]| {
            verdict(VerdictCounts { reproduced, partly, not_at_this_scale, not_tested }).words
        };
        assert_eq!(words([4, 0, 0, 0]), "4 of 4 claims reproduced");
        assert_eq!(words([0, 0, 1, 0]), "0 of 1 claim reproduced, 1 not at this scale");
        let all = "1 of 7 claims reproduced, 2 partly, 1 not at this scale, 3 not tested";
        assert_eq!(words([1, 2, 1, 3]), all);
        let mut paper = sample::paper("x", "X");
        paper.verdicts = Some(VerdictCounts::default());
        assert!(first(&sample::edition(vec![paper])).verdict.is_none());
    }

    #[test]
    fn facts_are_counted() {
        let edition = sample::edition(sample::papers());
        assert_eq!(first(&edition).facts, "12\u{202f}345 votes · 1 comment · ICLR 2022");
        assert_eq!(entry(&edition, &edition.papers[1]).facts, "1 vote · 0 comments");
    }
}
