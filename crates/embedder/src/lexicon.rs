//! The words of the papers that are trained on, and which of them get rows.

use std::collections::HashMap;

use pressrun_search::embed::Vocabulary;

/// Numbers for words, and in how many papers each occurs.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    numbers: HashMap<String, u32>,
    papers: Vec<u32>,
    /// The last paper in which each was counted.
    last: Vec<u32>,
    read: u32,
}

/// Rows of each word of a lexicon, and how rare each row is.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) vocabulary: Vocabulary,
    /// The rows of each word by its number; a second one only for words without one of their own.
    of: Vec<[Option<u32>; 2]>,
    /// log(papers / papers with the word), for each row.
    pub(crate) rarity: Vec<f32>,
}

impl Rows {
    /// The rows of a word.
    pub(crate) fn of(&self, word: u32) -> impl Iterator<Item = u32> {
        self.of[word as usize].into_iter().flatten()
    }

    /// How rare a word is: that of its first row.
    pub(crate) fn rarity_of(&self, word: u32) -> f32 {
        self.of[word as usize][0].map_or(0.0, |row| self.rarity[row as usize])
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

    /// The words of most papers get the rows, the others share some.
    pub(crate) fn rows(&self, words: usize, hashed: u32) -> Rows {
        let mut list: Vec<(&str, u32)> =
            self.numbers.iter().map(|(word, number)| (word.as_str(), *number)).collect();
        let papers = |number: u32| self.papers[number as usize];
        list.sort_unstable_by(|(a, i), (b, j)| papers(*j).cmp(&papers(*i)).then(a.cmp(b)));
        // Words only of texts that were left out for want of a title or an abstract.
        list.retain(|(_, number)| papers(*number) > 0);
        let known = list.len().min(words);
        let vocabulary = Vocabulary::new(list[..known].iter().map(|(word, _)| *word), hashed);
        let rarity = |papers: f32| (self.read as f32 / papers).ln().max(0.0);
        let mut rarities: Vec<f32> =
            list[..known].iter().map(|(_, number)| rarity(papers(*number) as f32)).collect();
        // What has no row of its own is rarer than what has.
        let rest =
            rarity(list[known.saturating_sub(1)..].first().map_or(1, |l| papers(l.1)) as f32);
        rarities.resize(vocabulary.rows(), rest);
        let mut of = vec![[None; 2]; self.papers.len()];
        for (word, number) in &self.numbers {
            let mut rows = of[*number as usize].iter_mut();
            vocabulary.rows_of(word, &mut |row| *rows.next().expect("two at most") = Some(row));
        }
        Rows { vocabulary, of, rarity: rarities }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_have_rows_and_the_others_share() {
        let mut lexicon = Lexicon::default();
        for text in ["gate gate expert", "gate rare expert", "gate"] {
            let numbers: Vec<u32> = text.split(' ').map(|word| lexicon.number(word)).collect();
            lexicon.end_of_paper(&numbers, &numbers);
        }
        let stray = lexicon.number("stray");
        assert_eq!(lexicon.len(), 4);
        let rows = lexicon.rows(2, 10);
        assert!(rows.vocabulary.words().eq(["gate", "expert"]));
        let (gate, expert, rare) =
            (lexicon.number("gate"), lexicon.number("expert"), lexicon.number("rare"));
        assert_eq!(rows.of(gate).collect::<Vec<_>>(), [0]);
        assert_eq!(rows.of(expert).collect::<Vec<_>>(), [1]);
        assert!(rows.of(rare).count() == 2 && rows.of(rare).all(|row| row >= 2));
        assert_eq!(rows.of(stray).count(), 2);
        // In 3 and 2 of 3 papers.
        assert_eq!(rows.rarity_of(gate), 0.0);
        assert!((rows.rarity_of(expert) - 1.5f32.ln()).abs() < 1e-6);
        assert!(rows.rarity_of(rare) >= rows.rarity_of(expert));
    }
}
