//! Characters of texts that are handed in, such as the abstracts of the catalogue.

use std::collections::BTreeSet;

use rand::{Rng, RngExt, seq::SliceRandom};

use crate::{Error, Result};

/// Name of the card.
pub const NAME: &str = "abstracts";

/// Number of symbols: unknown, newline, and the 95 printable characters of ASCII.
pub const SYMBOLS: usize = 97;

/// Id of every character that has no symbol of its own.
pub const UNKNOWN: u32 = 0;

/// Id of the newline, which also ends every document.
pub const NEWLINE: u32 = 1;

/// What [`decode`] writes for [`UNKNOWN`].
pub const REPLACEMENT: char = '\u{fffd}';

/// The ids of a text's characters.
///
/// ```text
/// newline -> 1,  ' ' .. '~' -> 2 .. 96,  everything else -> 0
/// ```
///
/// # Example
/// ```
/// use pressrun_data::text::{decode, encode};
///
/// let ids = encode("a β-VAE");
/// assert_eq!(ids.len(), 7);
/// assert_eq!(decode(&ids), "a \u{fffd}-VAE");
/// ```
pub fn encode(text: &str) -> Vec<u32> {
    let id = |character| match character {
        '\n' => NEWLINE,
        ' '..='~' => 2 + (character as u32 - ' ' as u32),
        _ => UNKNOWN,
    };
    text.chars().map(id).collect()
}

/// The text of some ids; what is no symbol becomes [`REPLACEMENT`].
///
/// # Example
/// ```
/// use pressrun_data::text::{decode, encode};
///
/// assert_eq!(decode(&encode("Every paper runs.\n")), "Every paper runs.\n");
/// ```
pub fn decode(ids: &[u32]) -> String {
    let character = |&id: &u32| match id {
        NEWLINE => '\n',
        2..=96 => char::from((id - 2) as u8 + b' '),
        _ => REPLACEMENT,
    };
    ids.iter().map(character).collect()
}

/// Documents as one stream of characters, for language models over characters.
///
/// Each document ends with a newline, so that a window may run from one into the next. A text that
/// is there twice is kept once, so that none stands on both sides of a split; empty texts are left
/// out.
///
/// # Example
/// ```
/// use pressrun_data::text::CharCorpus;
/// use rand::SeedableRng;
///
/// let corpus = CharCorpus::new(&["We train.", "We test.", "We train."]);
/// assert_eq!(corpus.documents(), 2);
/// assert_eq!(corpus.ids().len(), 9 + 1 + 8 + 1);
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let (train, validation) = corpus.split(1, &mut rng);
/// assert_eq!((train.documents(), validation.documents()), (1, 1));
/// let windows = train.windows(4, 3, &mut rng)?;
/// assert_eq!(windows.len(), 3 * (4 + 1));
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharCorpus {
    ids: Vec<u32>,
    /// Where each document ends in `ids`, its newline included.
    ends: Vec<usize>,
}

impl CharCorpus {
    /// The stream of these texts, in their order.
    pub fn new(texts: &[&str]) -> Self {
        let mut seen = BTreeSet::new();
        let mut corpus = Self { ids: Vec::new(), ends: Vec::new() };
        for text in texts.iter().map(|text| text.trim()) {
            if !text.is_empty() && seen.insert(text) {
                corpus.ids.extend(encode(text));
                corpus.ids.push(NEWLINE);
                corpus.ends.push(corpus.ids.len());
            }
        }
        corpus
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.ends.len()
    }

    /// All ids, document after document.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The ids of one document, its newline included.
    ///
    /// # Panics
    /// If there is no document `index`.
    pub fn document(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.ids[start..self.ends[index]]
    }

    /// Training documents, and `validation` other ones chosen at random; both in their old order.
    ///
    /// # Panics
    /// If there are fewer than `validation` documents.
    pub fn split(&self, validation: usize, rng: &mut impl Rng) -> (Self, Self) {
        let documents = self.documents();
        assert!(
            validation <= documents,
            "split: {validation} documents asked for, {documents} there"
        );
        let mut held_out: Vec<bool> = (0..documents).map(|at| at < validation).collect();
        held_out.shuffle(rng);
        let side = |wanted: bool| {
            let mut part = Self { ids: Vec::new(), ends: Vec::new() };
            for (document, _) in held_out.iter().enumerate().filter(|(_, out)| **out == wanted) {
                part.ids.extend_from_slice(self.document(document));
                part.ends.push(part.ids.len());
            }
            part
        };
        (side(false), side(true))
    }

    /// `batch` windows of `context + 1` ids, each place in the stream equally likely.
    ///
    /// The first `context` of a window are a model's input, the last `context` its targets.
    ///
    /// # Shapes
    /// - output: `[batch, context + 1]`, last dimension fastest
    ///
    /// # Errors
    /// [`Error::TooFew`] if the stream is shorter than a window.
    pub fn windows(&self, context: usize, batch: usize, rng: &mut impl Rng) -> Result<Vec<u32>> {
        let (needed, found) = (context + 1, self.ids.len());
        let Some(last) = found.checked_sub(needed) else {
            return Err(Error::TooFew { what: "characters for a window", needed, found });
        };
        let mut windows = Vec::with_capacity(batch * needed);
        for _ in 0..batch {
            let start = rng.random_range(0..=last);
            windows.extend_from_slice(&self.ids[start..start + needed]);
        }
        Ok(windows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_vocabulary_has_a_symbol_for_each_printable_character() {
        let printable: String = (' '..='~').chain(['\n']).collect();
        let mut ids = encode(&printable);
        assert_eq!(decode(&ids), printable);
        ids.push(UNKNOWN);
        ids.sort_unstable();
        assert_eq!(ids, (0..SYMBOLS as u32).collect::<Vec<_>>());
    }

    #[test]
    fn windows_reach_both_ends_of_the_stream() {
        let corpus = CharCorpus::new(&["abc", "de"]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let windows = corpus.windows(2, 200, &mut rng).unwrap();
        let mut texts: Vec<String> = windows.chunks(3).map(decode).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts, ["\nde", "abc", "bc\n", "c\nd", "de\n"]);
        assert_eq!(corpus.windows(6, 1, &mut rng).unwrap(), corpus.ids());
        assert_eq!(
            corpus.windows(7, 1, &mut rng).unwrap_err().to_string(),
            "characters for a window: expected at least 8, found `7`"
        );
    }

    #[test]
    fn empty_and_repeated_texts_are_left_out() {
        let corpus = CharCorpus::new(&["a", " ", "b", "a\n", ""]);
        assert_eq!(decode(corpus.ids()), "a\nb\n");
        assert_eq!(CharCorpus::new(&[]).documents(), 0);
    }

    #[test]
    #[should_panic(expected = "3 documents asked for, 2 there")]
    fn more_documents_than_there_are_panics() {
        CharCorpus::new(&["a", "b"]).split(3, &mut ChaCha8Rng::seed_from_u64(1));
    }

    proptest! {
        #[test]
        fn known_characters_survive_and_others_become_the_replacement(
            text in "[ -~\n]{0,60}|\\PC{0,60}",
        ) {
            let expected: String = text
                .chars()
                .map(|c| if c == '\n' || (' '..='~').contains(&c) { c } else { REPLACEMENT })
                .collect();
            let ids = encode(&text);
            prop_assert!(ids.iter().all(|&id| (id as usize) < SYMBOLS));
            prop_assert_eq!(decode(&ids), expected);
        }

        #[test]
        fn any_ids_decode_and_encode_again(ids in prop::collection::vec(0..SYMBOLS as u32, 0..60)) {
            prop_assert_eq!(encode(&decode(&ids)), ids);
        }

        #[test]
        fn every_document_is_on_one_side(
            texts in prop::collection::vec("[a-c]{1,4}", 0..30),
            share in 0.0..=1.0f64,
            seed in any::<u64>(),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let corpus = CharCorpus::new(&texts);
            let validation = (share * corpus.documents() as f64) as usize;
            let split = |seed| corpus.split(validation, &mut ChaCha8Rng::seed_from_u64(seed));
            let (train, held_out) = split(seed);
            prop_assert_eq!(held_out.documents(), validation);
            let documents = |corpus: &CharCorpus| -> BTreeSet<Vec<u32>> {
                (0..corpus.documents()).map(|at| corpus.document(at).to_vec()).collect()
            };
            let (left, right) = (documents(&train), documents(&held_out));
            prop_assert!(left.is_disjoint(&right));
            prop_assert_eq!(&(&left | &right), &documents(&corpus));
            prop_assert_eq!(split(seed), (train, held_out));
        }
    }
}
