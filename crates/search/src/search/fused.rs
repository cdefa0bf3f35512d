//! The score of every paper: words and meaning, fused.
//!
//! ```text
//! s(d) = (1 - w) lexical(d) / max lexical + w cos(q, d)
//! ```
//!
//! A first pass gives every allowed paper the score of its words and its vector, exactly. The best
//! of them are then scored once more with the very words and with pairs of neighbours, which are only
//! counted there. (Equal-weight reciprocal rank lost against the words alone on every task of a trial: it
//! takes a weak list for as good as a strong one.)

use pressrun_catalog::identity::title_key;
use pressrun_kernels::scan::{FUSED, Fusion, dots, fuse};
use tantivy::fieldnorm::FieldNormReader;

use super::Ranking;
use super::words::QueryWords;
use crate::Result;
use crate::embed::UNIT;
use crate::lexicon::Key;
use crate::mask::Mask;
use crate::ranking::{self, Bm25, LEAST_COSINE, RERANKED};
use crate::request::{Explanation, Mode};
use crate::shelf::{Shelf, pair};

/// Results among which a title that is the query itself is looked for.
const TITLES: usize = 20;

/// A paper and what it is ranked by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub number: u32,
    pub score: f32,
    /// From 0 to 1.
    pub lexical: f32,
    pub semantic: f32,
    /// The lexical score before it is divided by the best one.
    raw: f32,
}

impl Candidate {
    /// A paper that nothing ranks.
    pub(super) fn of(number: u32) -> Self {
        Self { number, score: 0.0, lexical: 0.0, semantic: 0.0, raw: 0.0 }
    }
}

/// Memory of one search, kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    lexical: Vec<f32>,
    semantic: Vec<i32>,
}

impl Ranking<'_> {
    /// The best papers among those allowed, the best first, and how many were found in all.
    pub(super) fn run(&self, allowed: &Mask, wanted: usize) -> Result<(Vec<Candidate>, usize)> {
        let mut scratch = self.index.scratch();
        let found = self.rank(allowed, wanted, &mut scratch);
        self.index.give_back(scratch);
        found
    }

    fn rank(
        &self,
        allowed: &Mask,
        wanted: usize,
        scratch: &mut Scratch,
    ) -> Result<(Vec<Candidate>, usize)> {
        let papers = self.snapshot.shelf.end() as usize;
        let Scratch { lexical, semantic } = scratch;
        // Whole words of the mask: what is beyond the last paper is never allowed.
        let places = papers.next_multiple_of(FUSED);
        lexical.clear();
        lexical.resize(places, 0.0);
        semantic.clear();
        semantic.resize(places, 0);
        let bm25 = self.bm25();
        if self.mode != Mode::Semantic {
            self.words(&bm25, lexical)?;
        }
        let known = self.mode != Mode::Lexical && self.meaning(semantic);
        let weight = self.weight(known);
        let best = greatest(allowed, lexical);
        let scale = if best > 0.0 { 1.0 / best } else { 0.0 };

        let mut top = Top::new(wanted.max(RERANKED));
        let mut total = 0;
        // Without any word of the query in any paper, meaning alone would find something for
        // everything: it then has to be nearer.
        let least = match self.mode {
            Mode::Semantic => i32::MIN,
            _ if known => (LEAST_COSINE * UNIT) as i32,
            _ => i32::MAX,
        };
        let (of_first, of_product) = ((1.0 - weight) * scale, weight / UNIT);
        let fusion = Fusion { of_first, of_product, least };
        // A word of the mask at a time: what all papers go through is a short loop without a branch,
        // and most words have nothing that is good enough for more.
        let parts = lexical.as_chunks::<FUSED>().0.iter().zip(semantic.as_chunks::<FUSED>().0);
        for (first, (bits, (lexical, semantic))) in
            (0_u32..).step_by(FUSED).zip(allowed.words().iter().zip(parts))
        {
            let mut scores = [0.0; FUSED];
            let (found, above) = fuse(lexical, semantic, fusion, top.threshold, &mut scores);
            if *bits == u64::MAX {
                total += found as usize;
                if above == 0 {
                    continue;
                }
            }
            let mut left = *bits;
            while left != 0 {
                let i = left.trailing_zeros() as usize;
                left &= left - 1;
                let score = scores[i];
                total += usize::from(*bits != u64::MAX && score > f32::NEG_INFINITY);
                if score > top.threshold {
                    let (raw, semantic) = (lexical[i], semantic[i] as f32 / UNIT);
                    let (number, lexical) = (first + i as u32, raw * scale);
                    top.push(Candidate { number, score, lexical, semantic, raw });
                }
            }
        }
        let mut ranked = top.finish(&self.snapshot.shelf);
        if self.mode != Mode::Semantic {
            self.closer(&bm25, weight, &mut ranked);
        }
        if self.mode == Mode::Fused {
            self.named(allowed, &mut ranked);
        }
        // A paper that is named need not have been found by its words.
        let total = total.max(ranked.len());
        ranked.truncate(wanted);
        Ok((ranked, total))
    }

    fn bm25(&self) -> Bm25 {
        Bm25::new(self.snapshot.segments.statistics(), self.words.distinct)
    }

    /// The weight of the meaning.
    fn weight(&self, known: bool) -> f32 {
        match self.mode {
            Mode::Semantic => 1.0,
            Mode::Fused if known => ranking::semantic_weight(self.words.distinct),
            _ => 0.0,
        }
    }

    fn words(&self, bm25: &Bm25, scores: &mut [f32]) -> Result<()> {
        let segments = &self.snapshot.segments;
        for word in &self.words.words {
            if word.frequency > 0 {
                let weight = bm25.weight(word.count, word.frequency);
                segments.add_root(&word.root, weight, bm25, scores)?;
            }
            if word.as_name > 0 {
                let amount = bm25.of_name(word.as_name, word.frequency);
                segments.add_author(&word.word, amount, scores)?;
            }
            if word.as_venue > 0 {
                let amount = bm25.of_name(word.as_venue, word.frequency);
                segments.add_key(Key::Venue, &word.word, amount, scores)?;
            }
        }
        Ok(())
    }

    /// Inner products with every paper; `false` if nothing of the query is known.
    fn meaning(&self, scores: &mut [i32]) -> bool {
        let Some(query) = self.index.vectors().query(self.text) else { return false };
        for (first, block) in self.snapshot.shelf.blocks() {
            let rows = block.entries.len();
            let scores = &mut scores[first as usize..][..rows];
            dots(&block.vectors, &query, scores);
        }
        true
    }

    /// Scores the first papers once more: with the very words, and with those side by side.
    fn closer(&self, bm25: &Bm25, weight: f32, ranked: &mut [Candidate]) {
        let (first, rest) = ranked.split_at_mut(ranked.len().min(RERANKED));
        let QueryWords { words, pairs, .. } = self.words;
        let wanted_words = Wanted::new(words.iter().map(|word| u64::from(word.form) << 32));
        let wanted_pairs = Wanted::new(pairs.iter().map(|pair| pair.pair));
        // What does not depend on the paper, once: it has a root and a logarithm in it.
        let weights: Vec<f32> =
            words.iter().map(|word| bm25.weight(word.count, word.frequency)).collect();
        let (mut exact, mut together) = (vec![0; words.len()], vec![0; pairs.len()]);
        for candidate in first.iter_mut() {
            let text = self.snapshot.shelf.stems(candidate.number);
            let length = length_code(text);
            let mut before = None;
            for &stem in text {
                wanted_words.count(u64::from(stem) << 32, &mut exact);
                if let Some(before) = before.replace(stem) {
                    wanted_pairs.count(pair(before, stem), &mut together);
                }
            }
            for (weight, count) in weights.iter().zip(&mut exact).filter(|(_, count)| **count > 0) {
                candidate.raw += weight * bm25.of_exact(std::mem::take(count), length);
            }
            for (pair, count) in pairs.iter().zip(&mut together).filter(|(_, count)| **count > 0) {
                let count = std::mem::take(count);
                let frequency = self.snapshot.pairs.count(pair.pair).max(count);
                candidate.raw += bm25.of_pair(pair.count, count, frequency);
            }
        }
        let best = first.iter().chain(&*rest).map(|candidate| candidate.raw).fold(0.0, f32::max);
        if best > 0.0 {
            for candidate in first.iter_mut().chain(rest) {
                candidate.lexical = candidate.raw / best;
                candidate.score = (1.0 - weight) * candidate.lexical + weight * candidate.semantic;
            }
        }
        sort(first, &self.snapshot.shelf);
    }

    /// A paper that the query names, by its id or by its whole title, comes first.
    fn named(&self, allowed: &Mask, ranked: &mut Vec<Candidate>) {
        let shelf = &self.snapshot.shelf;
        let text = self.text.trim();
        let id = pressrun_catalog::identity::arxiv_id(text);
        let number = shelf.number(id.as_deref().unwrap_or(text)).filter(|n| allowed.has(*n));
        if let Some(number) = number {
            ranked.retain(|candidate| candidate.number != number);
            ranked.insert(0, Candidate { score: 1.0, lexical: 1.0, ..Candidate::of(number) });
            return;
        }
        let key = title_key(text);
        let title = |c: &Candidate| title_key(&shelf.entry(c.number).title) == key;
        if let Some(at) = ranked.iter().take(TITLES).position(title) {
            ranked[..=at].rotate_right(1);
            ranked[0].score = 1.0;
        }
    }

    /// How a candidate's score came about.
    pub(super) fn explain(&self, candidate: &Candidate) -> Result<Explanation> {
        let (shelf, bm25) = (&self.snapshot.shelf, self.bm25());
        let entry = shelf.entry(candidate.number);
        let text = shelf.stems(candidate.number);
        let length = length_code(text);
        let mut parts = Vec::new();
        for word in &self.words.words {
            let weight = bm25.weight(word.count, word.frequency);
            let count = self.snapshot.segments.count_in(candidate.number, &word.root)?;
            if count > 0 {
                parts.push((format!("{}*", word.root), weight * bm25.of_words(count, length)));
            }
            let count = text.iter().filter(|other| **other == word.form).count() as u32;
            if count > 0 {
                parts.push((word.word.clone(), weight * bm25.of_exact(count, length)));
            }
            let mut is_name = false;
            crate::words::words(&entry.authors, &mut |other, _| is_name |= other == word.word);
            if is_name {
                let worth = bm25.of_name(word.as_name, word.frequency);
                parts.push((format!("author {}", word.word), worth));
            }
            let mut is_venue = false;
            if let Some(venue) = &entry.venue {
                crate::lexicon::venue_words(venue, &mut |other| is_venue |= other == word.word);
            }
            if is_venue {
                let worth = bm25.of_name(word.as_venue, word.frequency);
                parts.push((format!("venue {}", word.word), worth));
            }
        }
        for query in &self.words.pairs {
            let stands = |at: &[u32]| pair(at[0], at[1]) == query.pair;
            let count = text.windows(2).filter(|at| stands(at)).count() as u32;
            if count > 0 {
                let frequency = self.snapshot.pairs.count(query.pair).max(count);
                let worth = bm25.of_pair(query.count, count, frequency);
                parts.push((format!("\"{}\"", query.text), worth));
            }
        }
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        let sum: f32 = parts.iter().map(|(_, worth)| worth).sum();
        let best = if candidate.lexical > 0.0 { sum / candidate.lexical } else { 0.0 };
        let semantic_weight = self.weight(self.index.vectors().query(self.text).is_some());
        Ok(Explanation { semantic_weight, parts, best })
    }
}

/// The greatest score of the allowed papers.
fn greatest(allowed: &Mask, scores: &[f32]) -> f32 {
    let mut best = 0.0_f32;
    for (bits, scores) in allowed.words().iter().zip(scores.chunks(64)) {
        if *bits == u64::MAX {
            best = scores.iter().copied().fold(best, f32::max);
            continue;
        }
        for (i, score) in scores.iter().enumerate() {
            if bits >> i & 1 == 1 {
                best = best.max(*score);
            }
        }
    }
    best
}

/// tantivy's code for the length of a text.
fn length_code(text: &[u32]) -> u8 {
    FieldNormReader::fieldnorm_to_id(u32::try_from(text.len()).unwrap_or(u32::MAX))
}

/// Words or pairs that are looked for, with a quick no for most that are not.
struct Wanted {
    /// Sorted, with the place where each came from.
    keys: Vec<(u64, usize)>,
    /// A bit for each upper half.
    firsts: u64,
}

impl Wanted {
    fn new(keys: impl Iterator<Item = u64>) -> Self {
        let mut keys: Vec<(u64, usize)> = keys.zip(0..).collect();
        keys.sort_unstable();
        let firsts = keys.iter().map(|(key, _)| Self::bit(*key)).fold(0, |all, bit| all | bit);
        Self { keys, firsts }
    }

    fn bit(key: u64) -> u64 {
        1 << (((key >> 32) as u32).wrapping_mul(0x9e37_79b9) >> 26)
    }

    #[inline]
    fn count(&self, key: u64, counts: &mut [u32]) {
        if self.firsts & Self::bit(key) == 0 {
            return;
        }
        if let Ok(found) = self.keys.binary_search_by_key(&key, |(key, _)| *key) {
            counts[self.keys[found].1] += 1;
        }
    }
}

/// The best so many of a stream.
struct Top {
    kept: Vec<Candidate>,
    most: usize,
    /// What is not above it cannot be among the best any more.
    threshold: f32,
}

impl Top {
    fn new(most: usize) -> Self {
        Self { kept: Vec::with_capacity(2 * most), most, threshold: f32::NEG_INFINITY }
    }

    fn push(&mut self, candidate: Candidate) {
        self.kept.push(candidate);
        if self.kept.len() == 2 * self.most {
            let last = self.most - 1;
            self.kept.select_nth_unstable_by(last, |a, b| b.score.total_cmp(&a.score));
            self.kept.truncate(self.most);
            self.threshold = self.kept[last].score;
        }
    }

    fn finish(mut self, shelf: &Shelf) -> Vec<Candidate> {
        sort(&mut self.kept, shelf);
        self.kept.truncate(self.most);
        self.kept
    }
}

/// The best first; of equals the newest, then by id, so that the order is one for every index of
/// the same papers.
fn sort(candidates: &mut [Candidate], shelf: &Shelf) {
    candidates.sort_unstable_by(|a, b| {
        let key = |candidate: &Candidate| shelf.entry(candidate.number);
        b.score
            .total_cmp(&a.score)
            .then_with(|| key(b).dated.cmp(&key(a).dated))
            .then_with(|| key(a).id.cmp(&key(b).id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_stream() {
        let mut top = Top::new(3);
        for i in 0..100_u32 {
            let score = (i * 37 % 100) as f32;
            if score > top.threshold {
                top.push(Candidate { score, ..Candidate::of(i) });
            }
        }
        top.kept.sort_by(|a, b| b.score.total_cmp(&a.score));
        let scores: Vec<f32> = top.kept.iter().take(3).map(|c| c.score).collect();
        assert_eq!(scores, [99.0, 98.0, 97.0]);
    }

    #[test]
    fn wanted_pairs_are_counted() {
        let wanted = Wanted::new([pair(1, 2), pair(9, 9)].into_iter());
        let mut counts = [0; 2];
        for at in [1, 2, 1, 2, 9, 9, 9, 3].windows(2) {
            wanted.count(pair(at[0], at[1]), &mut counts);
        }
        assert_eq!(counts, [2, 2]);
    }
}
