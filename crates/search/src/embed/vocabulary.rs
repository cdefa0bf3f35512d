//! Words to rows of a table.

use super::hash::wide;
use super::vector::{DIMS, Vector};

/// Which row stands for a word, and which words have none.
///
/// Words are those that [`stems`](super::stems) gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// All words, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// Open addressing by hash: its upper half, and the word's number plus 1; 0 if free.
    slots: Vec<(u32, u32)>,
}

/// What a vocabulary knows of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It has this row.
    Row(u32),
    /// It has none, and is told apart by its hash: [`Unknown`].
    Unknown(Unknown),
    /// It has none and is a number ("93.7", of the results that abstracts end with): it says nothing
    /// of the subject.
    Number,
}

impl Vocabulary {
    /// A vocabulary of these words. A word that comes again has its first row.
    ///
    /// # Panics
    /// If the words are more than 2^32 bytes.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for word in words {
            text.push_str(word);
            ends.push(u32::try_from(text.len()).expect("less than 2^32 bytes of words"));
        }
        let slots = vec![(0, 0); (2 * ends.len() + 1).next_power_of_two()];
        let mut new = Self { text, ends, slots };
        for row in 0..new.ends.len() {
            let hash = wide(new.word(row).as_bytes());
            let at = new.slot(new.word(row), hash);
            if new.slots[at].1 == 0 {
                new.slots[at] = ((hash >> 32) as u32, row as u32 + 1);
            }
        }
        new
    }

    /// Number of words, and of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The word of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn word(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[row] as usize]
    }

    /// The words in the order of their rows.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|row| self.word(row))
    }

    /// The row of a word, if it has one.
    pub fn row(&self, word: &str) -> Option<u32> {
        match self.entry(word) {
            Entry::Row(row) => Some(row),
            _ => None,
        }
    }

    /// What stands for a word.
    ///
    /// ```
    /// use pressrun_search::embed::{Entry, Vocabulary};
    ///
    /// let vocabulary = Vocabulary::new(["gate", "expert"]);
    /// assert_eq!(vocabulary.entry("expert"), Entry::Row(1));
    /// assert!(matches!(vocabulary.entry("xyzzy"), Entry::Unknown(_)));
    /// assert_eq!(vocabulary.entry("93.7"), Entry::Number);
    /// ```
    #[inline]
    pub fn entry(&self, word: &str) -> Entry {
        let hash = wide(word.as_bytes());
        let (_, number) = self.slots[self.slot(word, hash)];
        if number > 0 {
            return Entry::Row(number - 1);
        }
        if word.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return Entry::Number;
        }
        Entry::Unknown(Unknown(hash))
    }

    /// Where a word stands, or would.
    #[inline]
    fn slot(&self, word: &str, hash: u64) -> usize {
        let (mask, tag) = (self.slots.len() - 1, (hash >> 32) as u32);
        let mut at = hash as usize & mask;
        loop {
            let (other, number) = self.slots[at];
            let found = number == 0 || (other == tag && self.word(number as usize - 1) == word);
            if found {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

/// A word without a row: a vector of random signs, made of its hash.
///
/// The names of new methods are such words, and what tells a paper best. Two of them are at right
/// angles, nearly: their cosines have a standard deviation of 1/16. Rows that unknown words shared
/// by their hashes, trained, did worse: the words that share one are taken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown(u64);

impl Unknown {
    /// Adds the vector, of signs times `factor`, to a sum.
    ///
    /// ```text
    /// bits of mix(hash + 1 k), ..., mix(hash + 4 k);  1 is +, 0 is -      k = 0x9e3779b97f4a7c15
    /// ```
    ///
    /// # Source
    /// The mixing function is that of `SplitMix64`: Steele et al., Fast splittable pseudorandom number
    /// generators, 2014.
    pub fn add(self, factor: f32, sum: &mut Vector) {
        let mut state = self.0;
        for part in sum.as_chunks_mut::<64>().0 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^= bits >> 31;
            for (j, x) in part.iter_mut().enumerate() {
                *x += if bits >> j & 1 == 1 { factor } else { -factor };
            }
        }
        const { assert!(DIMS == 4 * 64) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_row() {
        let words: Vec<String> = (0..5000).map(|i| format!("word{i}x")).collect();
        let vocabulary = Vocabulary::new(words.iter().map(String::as_str));
        assert_eq!(vocabulary.len(), 5000);
        assert!(vocabulary.words().eq(words.iter().map(String::as_str)));
        for (row, word) in words.iter().enumerate() {
            assert_eq!(vocabulary.row(word), Some(row as u32));
        }
        assert_eq!(vocabulary.row("word5000x"), None);
        assert_eq!(vocabulary.row(""), None);
        let again = Vocabulary::new(["gate", "gate"]);
        assert_eq!(again.row("gate"), Some(0));
        let none = Vocabulary::new([]);
        assert!(none.is_empty() && none.row("gate").is_none());
        assert_eq!(none.entry("3d"), Entry::Number);
    }

    #[test]
    fn unknown_words_are_at_right_angles_nearly() {
        let vocabulary = Vocabulary::new([]);
        let vector = |i: usize| {
            let mut sum = [0.0; DIMS];
            let Entry::Unknown(word) = vocabulary.entry(&format!("unknown{i}x")) else { panic!() };
            word.add(1.0 / 16.0, &mut sum);
            sum
        };
        let vectors: Vec<Vector> = (0..100).map(vector).collect();
        let dot = |a: &Vector, b: &Vector| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let mut squares = 0.0;
        for (i, a) in vectors.iter().enumerate() {
            assert!((dot(a, a) - 1.0).abs() < 1e-5);
            for b in &vectors[..i] {
                let cosine = dot(a, b);
                assert!(cosine.abs() < 0.35, "{cosine}");
                squares += cosine * cosine;
            }
        }
        let deviation = (squares / 4950.0).sqrt();
        assert!((deviation - 1.0 / 16.0).abs() < 0.004, "{deviation}");
    }
}
