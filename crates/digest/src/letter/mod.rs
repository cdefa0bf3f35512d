//! An issue as a letter: subject, text and HTML.

mod entry;
mod html;
mod none;
#[cfg(test)]
mod sample;
mod say;
#[cfg(test)]
mod tests;
mod text;
mod words;

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

/// Writes a letter: its two parts say the same in the same order.
///
/// It reads nothing but the edition. Whatever papers and searches hold stays text in it.
#[must_use]
pub fn write(edition: &Edition) -> Letter {
    let said = say::say(edition);
    Letter { text: text::write(&said), html: html::write(&said), subject: said.subject }
}
