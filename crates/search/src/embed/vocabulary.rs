//! Words to rows of a table.

use super::hash::wide;

/// Rows that a word without one of its own shares with others: its vector is their sum.
const SHARED: usize = 2;

/// Which rows stand for a word.
///
/// A known word has a row. Every other one gets [two rows](Vocabulary::rows_of) of the last ones by
/// its hash: the two together are nearly never those of another word. A number without a row of its
/// own ("93.7", of the results that abstracts end with) has none: it says nothing of the subject, and
/// many of them drown what does. Words are those that
/// [`stems`](super::stems) gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// All words, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// Open addressing by hash: its upper half, and the word's number plus 1; 0 if free.
    slots: Vec<(u32, u32)>,
    hashed: u32,
}

impl Vocabulary {
    /// A vocabulary of these words, and rows for all others. A word that
    /// comes again has its first row.
    ///
    /// # Panics
    /// If the words are more than 2^31 bytes.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>, hashed: u32) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for word in words {
            text.push_str(word);
            ends.push(u32::try_from(text.len()).expect("less than 2^31 bytes of words"));
        }
        let slots = vec![(0, 0); (2 * ends.len() + 1).next_power_of_two()];
        let mut new = Self { text, ends, slots, hashed };
        for row in 0..new.ends.len() {
            let hash = wide(new.word(row).as_bytes());
            let at = new.slot(new.word(row), hash);
            if new.slots[at].1 == 0 {
                new.slots[at] = ((hash >> 32) as u32, row as u32 + 1);
            }
        }
        new
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of rows: one for each word, then the shared ones.
    pub fn rows(&self) -> usize {
        self.ends.len() + self.hashed as usize
    }

    /// Number of rows that words without one of their own share.
    pub fn hashed(&self) -> u32 {
        self.hashed
    }

    /// The word of a row.
    ///
    /// # Panics
    /// If it is none of a word.
    pub fn word(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[row] as usize]
    }

    /// The words in the order of their rows.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|row| self.word(row))
    }

    /// The row of a word, if it has one of its own.
    pub fn row(&self, word: &str) -> Option<u32> {
        let (_, number) = self.slots[self.slot(word, wide(word.as_bytes()))];
        number.checked_sub(1)
    }

    /// Calls `each` with every row of a word: its own, else those that its hash says; none of a number
    /// that has none.
    ///
    /// ```
    /// use pressrun_search::embed::Vocabulary;
    ///
    /// let vocabulary = Vocabulary::new(["gate", "expert"], 10);
    /// let rows = |word| {
    ///     let mut rows = Vec::new();
    ///     vocabulary.rows_of(word, &mut |row| rows.push(row));
    ///     rows
    /// };
    /// assert_eq!(rows("expert"), [1]);
    /// assert!(rows("xyzzy").iter().all(|row| (2..12).contains(row)));
    /// ```
    #[inline]
    pub fn rows_of(&self, word: &str, each: &mut impl FnMut(u32)) {
        let mut hash = wide(word.as_bytes());
        let (_, number) = self.slots[self.slot(word, hash)];
        if number > 0 {
            return each(number - 1);
        }
        let is_number = word.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if self.hashed > 0 && !is_number {
            for _ in 0..SHARED {
                each(self.ends.len() as u32 + (hash % u64::from(self.hashed)) as u32);
                hash /= u64::from(self.hashed);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_row() {
        let words: Vec<String> = (0..5000).map(|i| format!("word{i}x")).collect();
        let vocabulary = Vocabulary::new(words.iter().map(String::as_str), 100);
        assert_eq!((vocabulary.len(), vocabulary.rows()), (5000, 5100));
        assert!(vocabulary.words().eq(words.iter().map(String::as_str)));
        for (row, word) in words.iter().enumerate() {
            assert_eq!(vocabulary.row(word), Some(row as u32));
        }
        assert_eq!(vocabulary.row("word5000x"), None);
        assert_eq!(vocabulary.row(""), None);
    }

    #[test]
    fn unknown_words_have_rows_of_their_own_kind() {
        let vocabulary = Vocabulary::new(["gate", "gate"], 300);
        let rows = |word: &str| {
            let mut rows = Vec::new();
            vocabulary.rows_of(word, &mut |row| rows.push(row));
            rows
        };
        assert_eq!(rows("gate"), [0]);
        let pairs: Vec<_> = (0..100).map(|i| rows(&format!("unknown{i}x"))).collect();
        assert!(pairs.iter().flatten().all(|row| (2..302).contains(row)));
        assert!(pairs.iter().all(|pair| pair.len() == SHARED));
        let distinct: std::collections::HashSet<_> = pairs.iter().collect();
        assert!(distinct.len() >= 99, "{}", distinct.len());
        assert!(rows("93.7").is_empty() && rows("3d").is_empty());
        // Without shared rows an unknown word has none.
        let none = Vocabulary::new([], 0);
        none.rows_of("gate", &mut |_| panic!("no row"));
        assert!(none.is_empty() && none.row("gate").is_none());
    }
}
