//! The words of the papers that are trained on, and which of them get rows.

use std::collections::HashMap;

use pressrun_search::embed::{Entry, Vocabulary};

/// Numbers for words, and in how many papers each occurs.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    numbers: HashMap<String, u32>,
    papers: Vec<u32>,
    /// The last paper in which each was counted.
    last: Vec<u32>,
    read: u32,
}

/// What stands for each word of a lexicon, and how rare it is.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) vocabulary: Vocabulary,
    /// By the word's number.
    entries: Vec<Entry>,
    /// Papers with the word, by the word's number.
    papers: Vec<u32>,
    /// log(papers / papers with the word), by the word's number.
    rarity: Vec<f32>,
}

impl Rows {
    /// What stands for a word.
    pub(crate) fn entry(&self, word: u32) -> Entry {
        self.entries[word as usize]
    }

    /// How rare a word is; numbers without a row are not rare, as nobody searches for them.
    pub(crate) fn rarity(&self, word: u32) -> f32 {
        match self.entry(word) {
            Entry::Number => 0.0,
            _ => self.rarity[word as usize],
        }
    }

    /// In how many papers the word of each row is, and how rare that makes it.
    pub(crate) fn known(&self) -> Vec<(u32, f32)> {
        let mut known = vec![(0, 0.0); self.vocabulary.len()];
        for (entry, of) in self.entries.iter().zip(self.papers.iter().zip(&self.rarity)) {
            if let Entry::Row(row) = entry {
                known[*row as usize] = (*of.0, *of.1);
            }
        }
        known
    }

    /// How rare a word is that is in one paper.
    pub(crate) fn rarest(&self) -> f32 {
        self.rarity.iter().fold(0.0, |rarest: f32, rarity| rarest.max(*rarity))
    }
}

impl Lexicon {
    /// The number of a word.
    pub(crate) fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.papers.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        self.papers.push(0);
        self.last.push(0);
        number
    }

    /// Counts the words of a paper, each once.
    pub(crate) fn end_of_paper(&mut self, title: &[u32], summary: &[u32]) {
        self.read += 1;
        for word in title.iter().chain(summary) {
            let last = &mut self.last[*word as usize];
            if *last != self.read {
                *last = self.read;
                self.papers[*word as usize] += 1;
            }
        }
    }

    /// Number of different words.
    pub(crate) fn len(&self) -> usize {
        self.papers.len()
    }

    /// The words of most papers get the rows.
    pub(crate) fn rows(&self, words: usize) -> Rows {
        let mut list: Vec<(&str, u32)> = self
            .numbers
            .iter()
            .map(|(word, number)| (word.as_str(), self.papers[*number as usize]))
            // Not those of texts that were left out for want of a title or an abstract.
            .filter(|(_, papers)| *papers > 0)
            .collect();
        list.sort_unstable_by(|(a, i), (b, j)| j.cmp(i).then(a.cmp(b)));
        list.truncate(words);
        let vocabulary = Vocabulary::new(list.into_iter().map(|(word, _)| word));
        let mut entries = vec![Entry::Number; self.papers.len()];
        for (word, number) in &self.numbers {
            entries[*number as usize] = vocabulary.entry(word);
        }
        let rarity = |papers: &u32| (self.read as f32 / (*papers).max(1) as f32).ln();
        let rarity = self.papers.iter().map(rarity).collect();
        Rows { vocabulary, entries, papers: self.papers.clone(), rarity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_have_rows() {
        let mut lexicon = Lexicon::default();
        for text in ["gate gate expert", "gate rare expert", "gate 7.5"] {
            let numbers: Vec<u32> = text.split(' ').map(|word| lexicon.number(word)).collect();
            lexicon.end_of_paper(&numbers, &numbers);
        }
        let stray = lexicon.number("stray");
        assert_eq!(lexicon.len(), 5);
        let rows = lexicon.rows(2);
        assert!(rows.vocabulary.words().eq(["gate", "expert"]));
        let [gate, expert, rare, number] =
            ["gate", "expert", "rare", "7.5"].map(|word| lexicon.number(word));
        assert_eq!((rows.entry(gate), rows.entry(expert)), (Entry::Row(0), Entry::Row(1)));
        assert!(matches!(rows.entry(rare), Entry::Unknown(_)));
        assert!(matches!(rows.entry(stray), Entry::Unknown(_)));
        assert_eq!((rows.entry(number), rows.rarity(number)), (Entry::Number, 0.0));
        // In 3, 2 and 1 of 3 papers.
        assert_eq!(rows.rarity(gate), 0.0);
        assert!((rows.rarity(expert) - 1.5f32.ln()).abs() < 1e-6);
        assert_eq!(rows.rarity(rare), rows.rarest());
        assert_eq!(rows.known(), [(3, 0.0), (2, rows.rarity(expert))]);
    }
}
