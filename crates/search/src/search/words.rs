//! The words of a query as they are ranked by.

use crate::Result;
use crate::lexicon::{Key, Segments};
use crate::ranking::MAX_ROOTS;
use crate::roots::Roots;
use crate::shelf::pair;
use crate::terms::{number, terms};

/// A word of the query, with all others of its root.
#[derive(Debug, Clone)]
pub(super) struct QueryWord {
    pub root: String,
    /// Number of its stem: by it the very word is told from its relatives.
    pub form: u32,
    /// The word as it was written first: names are compared so.
    pub word: String,
    /// How often it stands in the query.
    pub count: u32,
    /// In how many papers a word of its root stands.
    pub frequency: u32,
    /// In how many papers it is part of an author's name.
    pub as_name: u32,
    /// In how many papers it is part of the venue.
    pub as_venue: u32,
}

/// Two neighbouring words of the query.
#[derive(Debug, Clone)]
pub(super) struct QueryPair {
    pub pair: u64,
    pub text: String,
    pub count: u32,
}

/// The words that rank, and which of them stand side by side.
#[derive(Debug, Clone, Default)]
pub(super) struct QueryWords {
    pub words: Vec<QueryWord>,
    pub pairs: Vec<QueryPair>,
    /// Different roots, before the most frequent ones were left out.
    pub distinct: usize,
}

impl QueryWords {
    /// Reads the words of a query.
    pub(super) fn read(text: &str, segments: &Segments) -> Result<Self> {
        let mut found = Self::default();
        let mut roots = Roots::new();
        let mut before: Option<String> = None;
        terms(text, &mut |term| {
            if term.stop {
                return;
            }
            let root = roots.of(term.word);
            match found.words.iter_mut().find(|known| known.root == root) {
                Some(known) => known.count += 1,
                None => found.words.push(QueryWord {
                    root: root.to_owned(),
                    form: number(term.stem),
                    word: term.word.to_owned(),
                    count: 1,
                    frequency: 0,
                    as_name: 0,
                    as_venue: 0,
                }),
            }
            let Some(first) = before.replace(term.stem.to_owned()) else { return };
            let pair = pair(number(&first), number(term.stem));
            match found.pairs.iter_mut().find(|known| known.pair == pair) {
                Some(known) => known.count += 1,
                None => {
                    let text = format!("{first} {}", term.stem);
                    found.pairs.push(QueryPair { pair, text, count: 1 });
                }
            }
        });
        found.distinct = found.words.len();
        for word in &mut found.words {
            word.frequency = segments.frequency(&word.root)?;
            word.as_name = segments.author_frequency(&word.word)?;
            word.as_venue = segments.key_frequency(Key::Venue, &word.word)?;
        }
        // Words that no paper has cost nothing, and say nothing.
        found.words.retain(|word| word.frequency + word.as_name + word.as_venue > 0);
        if found.words.len() > MAX_ROOTS {
            found.words.sort_by_key(|word| word.frequency);
            found.words.truncate(MAX_ROOTS);
        }
        Ok(found)
    }

    /// The roots that some paper has.
    pub(super) fn roots(&self) -> Vec<String> {
        self.words.iter().map(|word| word.root.clone()).collect()
    }
}
