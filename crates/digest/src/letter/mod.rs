//! An issue as a letter: subject, text and HTML.

use std::sync::Arc;

use pressrun_catalog::{NoPapers, Paper, Preferences, Slot};

/// What a letter is written from.
#[derive(Debug, Clone)]
pub struct Edition {
    /// What the subscriber wants.
    pub preferences: Preferences,
    /// The slot that the issue fills.
    pub slot: Slot,
    /// Whether it comes after its time.
    pub late: bool,
    /// Whether the subscriber asked for it as a test.
    pub test: bool,
    /// Its papers, in their order.
    pub papers: Vec<Arc<Paper>>,
    /// Why there are none.
    pub reason: Option<NoPapers>,
    /// Addresses in it.
    pub links: Links,
}

/// Addresses in a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The site, without a slash at its end: `https://papers.example.org`.
    pub site: String,
    /// Where the subscriber changes the subscription.
    pub manage: String,
    /// Where the subscriber ends it: a page with a button.
    pub unsubscribe: String,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The letter as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Writes the letter. (To be replaced.)
pub fn write(edition: &Edition) -> Letter {
    let titles: Vec<&str> = edition.papers.iter().map(|paper| paper.title.as_str()).collect();
    let text = format!("{}\n{}\n", titles.join("\n"), edition.links.manage);
    Letter { subject: format!("{} papers", titles.len()), html: text.clone(), text }
}
