//! Words of a text, counted, then summed.

use pressrun_kernels::bag::add_bytes;

use super::vector::{DIMS, Vector, normalise};
use super::{Entry, StaticModel, Unknown};

/// Most repetitions of a row that are told apart.
const MOST: usize = 255;

/// The factor of a row that occurs so many times.
///
/// The root lies between counting every repetition, where an abstract is what it says most often,
/// and counting none.
pub fn weight(times: u32) -> f32 {
    (times.min(MOST as u32) as f32).sqrt()
}

/// Takes the words of a text and gives its vector; then of the next text.
///
/// It remembers which rows the words have, and reads each row once, at the end.
///
/// # Example
/// ```
/// use pressrun_search::embed::shipped;
///
/// let mut bag = shipped().bag();
/// bag.word("sparse");
/// bag.word("expert");
/// let x = bag.finish();
/// assert_eq!(x, shipped().embed("Sparse experts"));
/// // It is empty again.
/// assert_eq!(bag.finish(), [0.0; 256]);
/// ```
#[derive(Debug)]
pub struct Bag<'a> {
    model: &'a StaticModel,
    /// How often each row of the model occurs.
    counts: Vec<u8>,
    /// The rows that do, in the order of their first words.
    rows: Vec<u32>,
    /// Words without a row, with repetitions.
    unknown: Vec<Unknown>,
    /// [`weight`] for every count.
    weights: [f32; MOST + 1],
}

impl<'a> Bag<'a> {
    pub(super) fn new(model: &'a StaticModel) -> Self {
        let counts = vec![0; model.rows.len()];
        let weights = std::array::from_fn(|times| weight(times as u32));
        let rows = Vec::with_capacity(256);
        Self { model, counts, rows, unknown: Vec::new(), weights }
    }

    /// Adds a word in the form that [`stems`](super::stems) gives it.
    #[inline]
    pub fn word(&mut self, stem: &str) {
        self.entry(self.model.vocabulary.entry(stem));
    }

    /// Adds a word by what the model's vocabulary has for it.
    ///
    /// # Panics
    /// If it has a row that the model has not: it is of another vocabulary.
    #[inline]
    pub fn entry(&mut self, entry: Entry) {
        match entry {
            Entry::Row(row) => {
                let count = &mut self.counts[row as usize];
                if *count == 0 {
                    self.rows.push(row);
                }
                *count = count.saturating_add(1);
            }
            Entry::Unknown(word) => self.unknown.push(word),
            Entry::Number => {}
        }
    }

    /// The vector of the words since the last call: of length 1, or of zeros if there were none.
    pub fn finish(&mut self) -> Vector {
        let mut sum = [0.0; DIMS];
        for row in self.rows.drain(..) {
            let row = row as usize;
            let times = std::mem::take(&mut self.counts[row]);
            let factor = self.weights[usize::from(times)] * self.model.scales[row];
            add_bytes(&mut sum, &self.model.rows[row], factor);
        }
        self.unknown.sort_unstable();
        for run in self.unknown.chunk_by(|a, b| a == b) {
            let times = run.len().min(MOST);
            run[0].add(self.weights[times] * self.model.unknown, &mut sum);
        }
        self.unknown.clear();
        normalise(&mut sum);
        sum
    }
}
