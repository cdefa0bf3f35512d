//! What a feed is, before it is written as Atom or JSON.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::html;
use pressrun_catalog::{Paper, VerdictChange};
use sha2::{Digest, Sha256};

use super::{Facts, line, outside};
use crate::number;
use crate::view::{badge, link};

/// A feed. Its addresses are absolute.
#[derive(Debug)]
pub(crate) struct Feed {
    pub title: String,
    /// What identifies it, wherever it is read from.
    pub id: String,
    /// The page of which it is the feed.
    pub page: String,
    pub own: String,
    pub previous: Option<String>,
    pub next: Option<String>,
    /// When the newest of its entries changed.
    pub updated: Timestamp,
    pub entries: Vec<Entry>,
}

/// An entry of a feed.
#[derive(Debug)]
pub(crate) struct Entry {
    pub id: String,
    pub title: String,
    /// Its page here.
    pub page: String,
    /// The paper outside this site.
    pub outside: Option<String>,
    pub authors: Vec<String>,
    pub published: Timestamp,
    pub updated: Timestamp,
    pub tags: Vec<String>,
    /// What it says, as HTML.
    pub content: String,
}

/// When the newest record of a study came in, by its slug.
pub(crate) type Recorded = HashMap<String, Timestamp>;

impl Feed {
    /// States when its newest entry changed; an empty feed has never.
    pub(crate) fn dated(mut self) -> Self {
        let newest = self.entries.iter().map(|entry| entry.updated).max();
        self.updated = newest.unwrap_or(Timestamp::UNIX_EPOCH);
        self
    }
}

/// A paper as an entry.
pub(crate) fn paper(paper: &Paper, recorded: &Recorded, facts: &Facts<'_>) -> Entry {
    let listed = paper.listed.and_then(midnight);
    let recorded = paper.slug.as_ref().and_then(|slug| recorded.get(slug)).copied();
    let updated = [listed, recorded].into_iter().flatten().fold(paper.added_at, Timestamp::max);
    let verdicts = paper.verdicts.filter(|counts| counts.total() > 0);
    let content = html! {
        @if let Some(counts) = verdicts {
            p {
                strong { (counts.reproduced) "/" (counts.total()) " claims reproduced" }
                " (" (badge::breakdown(&counts)) ")"
            }
        }
        @if !paper.summary.is_empty() { p { (line(&paper.summary)) } }
    };
    let tags = paper.category.iter().chain(&paper.tags).map(|tag| line(tag));
    Entry {
        id: urn(&format!("papers/{}", paper.id)),
        title: line(&paper.title),
        page: facts.page(paper),
        outside: outside(paper),
        authors: paper.authors.iter().map(|name| line(name)).filter(|n| !n.is_empty()).collect(),
        published: listed.unwrap_or(paper.added_at),
        updated,
        tags: tags.filter(|tag| !tag.is_empty()).collect(),
        content: content.into_string(),
    }
}

/// A change of a paper's verdicts as an entry.
pub(crate) fn change(change: &VerdictChange, facts: &Facts<'_>) -> Entry {
    let counts = &change.head.verdicts;
    let badge = format!("{}/{} claims reproduced", counts.reproduced, counts.total());
    let page = format!("{}{}", facts.base, link::paper(&change.paper));
    let content = html! {
        p {
            a href=(page) { (line(&change.title)) } ": " strong { (badge) }
            " (" (badge::breakdown(counts)) ")."
        }
        @if let Some(before) = &change.before { p { "Before: " (badge::breakdown(before)) "." } }
        p {
            "From a " (change.head.profile.name()) " run of " (change.head.started) ", "
            (number::seconds(change.head.seconds)) "."
            @if let Some(reason) = &change.head.reason { " " (line(reason)) }
        }
    };
    // A run that came from another machine is news when it comes in.
    let started = change.head.started.parse().unwrap_or(change.added_at);
    Entry {
        id: urn(&format!("records/{}", change.head.run)),
        title: format!("{}: {badge}", line(&change.title)),
        page,
        outside: None,
        authors: Vec::new(),
        published: started,
        updated: change.added_at,
        tags: Vec::new(),
        content: content.into_string(),
    }
}

/// Midnight, UTC, at which a day begins.
pub(crate) fn midnight(day: Date) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// A name of a thing of this site that stays the same under every address by which the site is
/// reached: a UUID (version 8 of RFC 9562) of the digest of what it names. A `tag:` would hold a host
/// name, which a site in a house's own network has by chance.
pub(crate) fn urn(name: &str) -> String {
    let digest = Sha256::new().chain_update("pressrun/").chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| &hex[range];
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// A moment as feeds write it, in whole seconds.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{FACTS, hostile};

    #[test]
    fn a_name_is_the_same_everywhere_and_its_own() {
        assert_eq!(urn("papers/2301.10909"), urn("papers/2301.10909"));
        assert_ne!(urn("papers/a"), urn("papers/b"));
        let urn = urn("x");
        assert_eq!((urn.len(), &urn[23..24]), (45, "8"), "{urn}");
    }

    #[test]
    fn a_paper_is_news_when_it_comes_in_is_listed_or_gets_a_record() {
        let mut given = hostile().swap_remove(0);
        let updated =
            |paper_: &Paper, recorded: &Recorded| moment(paper(paper_, recorded, &FACTS).updated);
        assert_eq!(updated(&given, &Recorded::new()), "2025-09-10T08:15:30Z");
        given.listed = Some(jiff::civil::date(2025, 9, 12));
        assert_eq!(updated(&given, &Recorded::new()), "2025-09-12T00:00:00Z");
        given.slug = Some("gates".into());
        let at = "2025-10-01T01:02:03Z";
        let recorded = Recorded::from([("gates".into(), at.parse().unwrap())]);
        assert_eq!(updated(&given, &recorded), at);
    }
}
