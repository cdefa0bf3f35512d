//! Cards: what each data set is, where it comes from and under which licence.

mod list;

use std::fmt::Write;

use serde::Serialize;

use crate::embedded::{self, File};
use crate::hash;
use crate::idx::unpack;

pub use list::cards;

/// What a reader should know of a data set.
///
/// # Example
/// ```
/// let card = pressrun_data::card::card("digits").unwrap();
/// assert_eq!(card.licence, "CC BY 4.0");
/// assert!(card.markdown().starts_with("## Handwritten digits, 8 x 8\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Name, as in commands and records.
    pub name: &'static str,
    /// Title.
    pub title: &'static str,
    /// What it holds, in a sentence or two.
    pub about: &'static str,
    /// How it is had: embedded, generated, found or handed in.
    pub origin: &'static str,
    /// Who made it, and by which way it came here.
    pub source: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// Where its makers publish it.
    pub url: Option<&'static str>,
    /// How to cite it.
    pub citation: Option<&'static str>,
    /// How much it is.
    pub size: &'static str,
    /// Its parts and their rows; empty where whoever asks chooses them.
    pub splits: Vec<Part>,
    /// SHA-256 of each file; empty for what is generated or handed in.
    pub sha256: Vec<Checksum>,
    /// What to keep in mind.
    pub notes: Vec<&'static str>,
}

/// A part of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Name of the part.
    pub name: &'static str,
    /// Number of rows.
    pub rows: usize,
}

/// The checksum of a file, unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checksum {
    /// Name of the file.
    pub file: &'static str,
    /// SHA-256 in hexadecimal.
    pub sha256: &'static str,
}

/// The card of this name.
///
/// # Example
/// ```
/// assert!(pressrun_data::card::card("fashion-mnist").is_some());
/// assert!(pressrun_data::card::card("imagenet").is_none());
/// ```
pub fn card(name: &str) -> Option<Card> {
    cards().into_iter().find(|card| card.name == name)
}

impl Card {
    /// SHA-256 of the embedded files, unpacked, one after another: how a record names these data.
    /// `None` if nothing is embedded.
    ///
    /// # Example
    /// ```
    /// use pressrun_data::{Fashion, Sources, card::card};
    ///
    /// let used = Fashion::load_balanced(&Sources::embedded(), 10, 10)?.provenance;
    /// assert_eq!(card("fashion-mnist").unwrap().embedded_sha256(), Some(used.sha256));
    /// # Ok::<(), pressrun_data::Error>(())
    /// ```
    pub fn embedded_sha256(&self) -> Option<String> {
        let unpack = |file: &File| {
            unpack(file.name, file.packed).expect("embedded files unpack").into_owned()
        };
        let contents: Vec<Vec<u8>> = embedded::files(self.name).iter().map(unpack).collect();
        (!contents.is_empty()).then(|| hash::sha256(contents.iter().map(Vec::as_slice)))
    }

    /// The card as Markdown, headed by a second-level heading.
    ///
    /// # Example
    /// ```
    /// for card in pressrun_data::card::cards() {
    ///     assert!(card.markdown().contains(&format!("- Licence: {}\n", card.licence)));
    /// }
    /// ```
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "- {name}: {value}");
        };
        line("Name", &format!("`{}`", self.name));
        line("Size", self.size);
        let splits: Vec<String> = self
            .splits
            .iter()
            .map(|part| format!("{} {}", grouped(part.rows), part.name))
            .collect();
        if !splits.is_empty() {
            line("Splits", &splits.join(", "));
        }
        line("Origin", self.origin);
        line("Source", self.source);
        line("Licence", self.licence);
        if let Some(url) = self.url {
            line("Published at", &format!("<{url}>"));
        }
        if let Some(citation) = self.citation {
            line("Citation", citation);
        }
        for note in &self.notes {
            line("Note", note);
        }
        if !self.sha256.is_empty() {
            text += "\n| File, unpacked | SHA-256 |\n|---|---|\n";
            for Checksum { file, sha256 } in &self.sha256 {
                let _ = writeln!(text, "| `{file}` | `{sha256}` |");
            }
        }
        text
    }
}

/// A number with a comma between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Fashion, Sources, digits, fashion, table};

    fn splits(name: &str) -> Vec<usize> {
        card(name).unwrap().splits.iter().map(|part| part.rows).collect()
    }

    #[test]
    fn names_are_distinct_and_every_field_says_something() {
        let cards = cards();
        let names: BTreeSet<&str> = cards.iter().map(|card| card.name).collect();
        assert_eq!(names.len(), cards.len());
        for card in &cards {
            for text in [card.title, card.about, card.origin, card.source, card.licence, card.size]
            {
                assert!(!text.is_empty(), "{}", card.name);
            }
            assert!(card.sha256.iter().all(|sum| sum.sha256.len() == 64), "{}", card.name);
        }
    }

    #[test]
    fn the_cards_tell_the_true_sizes() {
        assert_eq!(splits("digits"), [digits().len()]);
        for (name, table) in [
            ("census", table::census()),
            ("iris", table::iris()),
            ("wine", table::wine()),
            ("breast-cancer", table::breast_cancer()),
        ] {
            assert_eq!(splits(name), [table.len()], "{name}");
            assert_eq!(table.name(), name);
        }
        let fashion = Fashion::load(&Sources::embedded()).unwrap();
        let [train, test, ..] = splits(fashion::NAME)[..] else { panic!("four parts") };
        assert_eq!((train, test), (fashion.train.len(), fashion.test.len()));
        assert_eq!(fashion.provenance.card, fashion::NAME);
    }

    #[test]
    fn a_single_file_names_its_data_by_its_own_checksum() {
        for card in cards() {
            let embedded = embedded::files(card.name);
            let listed = &card.sha256[..embedded.len()];
            for (file, listed) in embedded.iter().zip(listed) {
                assert_eq!((file.name, file.sha256), (listed.file, listed.sha256));
            }
            match listed {
                [] => assert_eq!(card.embedded_sha256(), None, "{}", card.name),
                [one] => assert_eq!(card.embedded_sha256().unwrap(), one.sha256),
                _ => assert_eq!(card.embedded_sha256().unwrap().len(), 64),
            }
        }
        let embedded = cards().iter().filter(|card| card.embedded_sha256().is_some()).count();
        assert_eq!(embedded, 6);
    }

    #[test]
    fn markdown_has_every_fact_once() {
        let card = Card {
            name: "n",
            title: "Title",
            about: "About.",
            origin: "embedded",
            source: "Makers",
            licence: "MIT",
            url: Some("https://example.org/n"),
            citation: None,
            size: "3 rows",
            splits: vec![Part { name: "train", rows: 1_234_567 }, Part { name: "test", rows: 12 }],
            sha256: vec![Checksum { file: "f", sha256: "ab" }],
            notes: vec!["Mind the gap."],
        };
        let expected = "\
            ## Title\n\nAbout.\n\n\
            - Name: `n`\n\
            - Size: 3 rows\n\
            - Splits: 1,234,567 train, 12 test\n\
            - Origin: embedded\n\
            - Source: Makers\n\
            - Licence: MIT\n\
            - Published at: <https://example.org/n>\n\
            - Note: Mind the gap.\n\
            \n| File, unpacked | SHA-256 |\n|---|---|\n| `f` | `ab` |\n";
        assert_eq!(card.markdown(), expected);
    }

    #[test]
    fn the_cards_can_be_served_as_json() {
        let json = serde_json::to_value(cards()).unwrap();
        assert_eq!(json[0]["name"], "digits");
        assert_eq!(json[0]["splits"][0]["rows"], 1_797);
    }
}
