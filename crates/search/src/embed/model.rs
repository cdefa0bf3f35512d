//! A table of vectors for words, and the vector of a text by it.

use std::fmt;

use super::bag::Bag;
use super::vector::{DIMS, Vector};
use super::{Embedder, Vocabulary, stems};

/// Vectors for words: the vector of a text is the weighted sum of those of its words, scaled to
/// length 1.
///
/// ```text
/// y = sum over words of sqrt(times that it occurs) v[word];   y / |y|
/// v = scale[r] row[r] of the word's row r;  u signs of its hash if it has none;  0 if a number
/// ```
///
/// How much a word matters is in the length of its vector. The rows have 8 bits for each number and
/// one scale.
///
/// # Example
/// ```
/// use pressrun_search::embed::{DIMS, StaticModel, Vocabulary};
///
/// let mut rows = vec![0.0; 2 * DIMS];
/// (rows[0], rows[DIMS + 1]) = (2.0, 1.0);
/// let model = StaticModel::quantised(Vocabulary::new(["gate", "open"]), &rows, 0.1);
/// let x = model.embed("Gates open.");
/// assert!((x[0] - 0.894).abs() < 1e-3 && (x[1] - 0.447).abs() < 1e-3);
/// assert_eq!(model.embed(""), [0.0; DIMS]);
/// ```
#[derive(Clone, PartialEq)]
pub struct StaticModel {
    pub(super) vocabulary: Vocabulary,
    pub(super) scales: Vec<f32>,
    pub(super) rows: Vec<[i8; DIMS]>,
    pub(super) unknown: f32,
    pub(super) checksum: u64,
}

impl StaticModel {
    /// A model with these vectors, one for each word of the vocabulary, rounded to 8 bits; and with
    /// this number in place of u.
    ///
    /// What is no number becomes 0.
    ///
    /// # Panics
    /// If there is not one vector for each word.
    pub fn quantised(vocabulary: Vocabulary, rows: &[f32], unknown: f32) -> Self {
        let (rows, rest) = rows.as_chunks::<DIMS>();
        let (found, expected) = (rows.len(), vocabulary.len());
        assert!(
            found == expected && rest.is_empty(),
            "StaticModel: {found} rows of {DIMS}; expected {expected}"
        );
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let (scales, rows) = rows
            .iter()
            .map(|row| {
                let largest = row.iter().fold(0.0, |largest: f32, x| largest.max(finite(*x).abs()));
                let scale = largest / 127.0;
                let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                (scale, row.map(|x| (finite(x) * factor).round() as i8))
            })
            .unzip();
        let unknown = finite(unknown);
        let mut model = Self { vocabulary, scales, rows, unknown, checksum: 0 };
        model.checksum = model.compute_checksum();
        model
    }

    /// The words that have rows.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How much a word without a row counts: the size of each number of its vector.
    pub fn unknown(&self) -> f32 {
        self.unknown
    }

    /// A number that changes when anything in the model does.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Takes words one by one, for a text that is read for something else as well, or for many
    /// texts after one another.
    pub fn bag(&self) -> Bag<'_> {
        Bag::new(self)
    }

    /// The vector of a text: of length 1, or of zeros if it has no words.
    pub fn embed(&self, text: &str) -> Vector {
        let mut bag = self.bag();
        stems(text, &mut |stem| bag.word(stem));
        bag.finish()
    }

    /// The vector of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn vector(&self, row: usize) -> Vector {
        self.rows[row].map(|x| f32::from(x) * self.scales[row])
    }
}

impl fmt::Debug for StaticModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("StaticModel");
        out.field("words", &self.vocabulary.len()).field("unknown", &self.unknown);
        out.field("checksum", &format_args!("{:016x}", self.checksum)).finish_non_exhaustive()
    }
}

impl Embedder for StaticModel {
    fn dims(&self) -> usize {
        DIMS
    }

    fn identity(&self) -> String {
        format!("static-{DIMS}-{:016x}", self.checksum)
    }

    fn embed(&self, texts: &[&str]) -> Vec<f32> {
        let mut bag = self.bag();
        let mut out = Vec::with_capacity(texts.len() * DIMS);
        for text in texts {
            stems(text, &mut |stem| bag.word(stem));
            out.extend_from_slice(&bag.finish());
        }
        out
    }
}
