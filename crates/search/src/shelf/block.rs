//! A run of papers.

use pressrun_catalog::{Paper, VerdictCounts};
use serde::{Deserialize, Serialize};

/// What results and conditions need to know of a paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub id: Box<str>,
    pub title: Box<str>,
    /// One name a line.
    pub authors: Box<str>,
    pub slug: Option<Box<str>>,
    pub venue: Option<Box<str>>,
    pub category: Option<Box<str>>,
    /// Year of publication, else of the list; 0 where neither is known.
    pub year: i16,
    /// What "newest first" means: `YYYYMMDD`, with zeros for what is not known.
    pub dated: u32,
    /// Bits of [`Flag`].
    pub flags: u8,
    pub verdicts: Option<VerdictCounts>,
}

/// What a paper has, as a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Flag {
    Code = 1,
    Abstract = 2,
    Record = 4,
}

impl Entry {
    pub(crate) fn of(paper: &Paper) -> Self {
        let listed = paper.listed.map(|day| day.to_string());
        let dated = listed.as_deref().or(paper.published.as_deref()).unwrap_or_default();
        let year = paper.published.as_deref().or(listed.as_deref()).unwrap_or_default();
        let flags = [
            (Flag::Code, paper.code_url.is_some()),
            (Flag::Abstract, !paper.summary.is_empty()),
            (Flag::Record, paper.verdicts.is_some()),
        ];
        let flags = flags.iter().filter(|(_, has)| *has).map(|(flag, _)| *flag as u8).sum();
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        Self {
            id: paper.id.as_str().into(),
            title: paper.title.as_str().into(),
            authors: paper.authors.join("\n").into(),
            slug: boxed(&paper.slug),
            venue: boxed(&paper.venue),
            category: boxed(&paper.category),
            year: year.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0),
            dated: day_number(dated),
            flags,
            verdicts: paper.verdicts,
        }
    }

    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }
}

/// `2025-09` as 20250900.
fn day_number(date: &str) -> u32 {
    let mut parts = date.split('-').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    next() * 10_000 + next() * 100 + next()
}

/// Papers one after the other, as columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Block {
    pub entries: Vec<Entry>,
    /// All vectors, one after the other.
    pub vectors: Vec<i8>,
    /// All stems, paper by paper.
    pub stems: Vec<u32>,
    /// Where the stems of each paper end.
    pub ends: Vec<u32>,
}

impl Block {
    pub(crate) fn push(&mut self, entry: Entry, vector: &[i8], stems: &[u32]) {
        self.entries.push(entry);
        self.vectors.extend_from_slice(vector);
        self.stems.extend_from_slice(stems);
        self.ends.push(self.stems.len() as u32);
    }

    pub(crate) fn stems_of(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.stems[start as usize..self.ends[row] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_ordered() {
        assert_eq!(day_number("2025-09-09"), 20_250_909);
        assert_eq!(day_number("2025"), 20_250_000);
        assert!(day_number("2025-01") < day_number("2025-01-01"));
        assert_eq!(day_number(""), 0);
    }
}
