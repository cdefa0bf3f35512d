//! The constants and formulas of ranking. Everything that was tuned stands here.
//!
//! Tuned by MRR@10 on papers that the embedder was not trained on; `pressrun score --corpus FILE`
//! computes it, over a sample in which some of these papers are again: the tuning has seen a part of
//! what it is scored by.

use tantivy::fieldnorm::FieldNormReader;

use crate::lexicon::Statistics;

/// Most different roots of a query that are scored: the rarest.
pub(crate) const MAX_ROOTS: usize = 48;
/// What the very word is worth beside its relatives.
const EXACT_WEIGHT: f32 = 0.2;
/// What a pair of neighbouring words is worth beside single words.
const PAIR_WEIGHT: f32 = 0.2;
/// `k1` of pairs: one occurrence says nearly all.
const PAIR_K1: f32 = 0.6;
/// What a name or a venue is worth beside a word of the text.
const NAME_WEIGHT: f32 = 0.6;
/// `b` of BM25: abstracts differ in length mostly by how much they say.
const B: f32 = 0.95;
/// Least cosine of a paper that has none of the query's words.
pub(crate) const LEAST_COSINE: f32 = 0.3;
/// Papers among which pairs of words, and the very words, are counted.
pub(crate) const RERANKED: usize = 100;

/// A value that changes linearly with the number of different roots, between 8 and 25 of them.
/// Short queries name things, long ones describe or quote.
fn by_length(roots: usize, short: f32, long: f32) -> f32 {
    let share = ((roots as f32 - 8.0) / 17.0).clamp(0.0, 1.0);
    short + share * (long - short)
}

/// The share of the vectors in the score of a query with so many different roots.
pub(crate) fn semantic_weight(roots: usize) -> f32 {
    by_length(roots, 0.2, 0.5)
}

/// How rare something is that stands in `frequency` of all papers:
/// `ln(1 + (N - df + 1/2) / (df + 1/2))`.
pub(crate) fn idf(papers: u32, frequency: u32) -> f32 {
    let (n, df) = (papers as f32, frequency.min(papers) as f32);
    ((n - df + 0.5) / (df + 0.5)).ln_1p()
}

/// BM25 of one query.
///
/// ```text
/// score(d) = sum over roots of  count  idf^p  tf (k1 + 1) / (tf + k1 (1 - b + b length / mean))
/// ```
///
/// `k1` and `p` depend on the number of different roots of the query: in a long one the rare words
/// decide, and a word said twice means more.
///
/// # Source
/// Robertson and Zaragoza, The probabilistic relevance framework, 2009; the exponent is ours.
#[derive(Debug, Clone)]
pub(crate) struct Bm25 {
    papers: u32,
    k1: f32,
    exponent: f32,
    /// `k1 (1 - b + b length / mean)` for every code of a length.
    norms: [f32; 256],
}

impl Bm25 {
    pub(crate) fn new(statistics: Statistics, roots: usize) -> Self {
        let k1 = by_length(roots, 0.9, 1.6);
        let mean = statistics.mean_length.max(1.0);
        let norm = |code: usize| {
            let length = FieldNormReader::id_to_fieldnorm(code as u8) as f32;
            k1 * (1.0 - B + B * length / mean)
        };
        let exponent = by_length(roots, 0.75, 1.5);
        Self { papers: statistics.papers, k1, exponent, norms: std::array::from_fn(norm) }
    }

    /// The factor of a root that stands `count` times in the query.
    pub(crate) fn weight(&self, count: u32, frequency: u32) -> f32 {
        count as f32 * self.rarity(frequency)
    }

    /// What `count` words of a root are worth in a text of that length code.
    #[inline]
    pub(crate) fn of_words(&self, count: u32, length: u8) -> f32 {
        let count = count as f32;
        count * (self.k1 + 1.0) / (count + self.norms[usize::from(length)])
    }

    /// What a name or venue is worth: its rarity among names, less where the word is mostly one of
    /// the text ("long", "may").
    pub(crate) fn of_name(&self, as_name: u32, as_word: u32) -> f32 {
        let share = as_name as f32 / (as_name + as_word).max(1) as f32;
        NAME_WEIGHT * share * self.rarity(as_name)
    }

    /// What `count` times the very word is worth, beside what its root is.
    pub(crate) fn of_exact(&self, count: u32, length: u8) -> f32 {
        EXACT_WEIGHT * self.of_words(count, length)
    }

    /// What a pair of neighbours is worth that stands `in_query` and `in_text` times.
    pub(crate) fn of_pair(&self, in_query: u32, in_text: u32, frequency: u32) -> f32 {
        let (query, text) = (in_query as f32, in_text as f32);
        let saturated = text * (PAIR_K1 + 1.0) / (text + PAIR_K1);
        PAIR_WEIGHT * query * self.rarity(frequency) * saturated
    }

    fn rarity(&self, frequency: u32) -> f32 {
        idf(self.papers, frequency).powf(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        // ln(1 + (10 - 2 + 0.5) / 2.5) = ln 4.4.
        assert!((idf(10, 2) - 1.481_604).abs() < 1e-5);
        assert!(idf(10, 10) > 0.0 && idf(10, 99) > 0.0);
        // One root: k1 = 0.9, p = 0.75. A text of the mean length with one occurrence:
        // 1 * 1.9 / (1 + 0.9) = 1.
        let bm25 = Bm25::new(Statistics { papers: 10, mean_length: 20.0 }, 1);
        let length = FieldNormReader::fieldnorm_to_id(20);
        assert!((bm25.of_words(1, length) - 1.0).abs() < 1e-6);
        // ln(4.4)^0.75 = 1.3428.
        assert!((bm25.weight(2, 2) - 2.0 * 1.342_9).abs() < 1e-3);
        // A longer text is worth less, a second occurrence more.
        assert!(bm25.of_words(1, FieldNormReader::fieldnorm_to_id(40)) < 1.0);
        assert!(bm25.of_words(2, length) > 1.0);
    }

    #[test]
    fn what_depends_on_length_stays_between_its_ends() {
        assert_eq!([1, 8, 25, 100].map(semantic_weight), [0.2, 0.2, 0.5, 0.5]);
        assert!(semantic_weight(12) > 0.2 && semantic_weight(12) < 0.5);
    }

    #[test]
    fn a_word_that_is_rarely_a_name_counts_little_as_one() {
        let bm25 = Bm25::new(Statistics { papers: 1000, mean_length: 20.0 }, 2);
        assert!(bm25.of_name(5, 0) > 10.0 * bm25.of_name(5, 300));
    }
}
