//! How well an embedder alone finds what is searched for.

use pressrun_kernels::scan;
use pressrun_search::embed::{
    DIMS, Embedder, Entry, Vector, Vocabulary, normalise, quantise, stems, weight,
};
use rayon::prelude::*;

use crate::Paper;
use crate::tasks::Task;

/// What an embedder reached in a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Name of the task.
    pub task: &'static str,
    /// Number of queries.
    pub queries: usize,
    /// Mean of one over the rank of the paper that was searched for; 0 beyond the tenth rank.
    pub mrr: f64,
    /// Share of queries with that paper among the first ten.
    pub recall: f64,
}

/// The numbers that vectors are compared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 8 bits, as the index stores them.
    Stored,
    /// Single precision.
    Exact,
}

/// Scores an embedder: all papers are indexed.
///
/// # Panics
/// If its vectors have not [`DIMS`] numbers.
pub fn evaluate(
    embedder: &dyn Embedder,
    papers: &[Paper],
    tasks: &[Task],
    precision: Precision,
) -> Vec<Score> {
    assert_eq!(embedder.dims(), DIMS, "evaluate: an embedder of other vectors");
    let text = |task: &Task, i: usize| {
        let summary = task.abstracts.get(&i).unwrap_or(&papers[i].summary);
        if task.titles { format!("{}\n{summary}", papers[i].title) } else { summary.clone() }
    };
    // Vectors of the unchanged papers, without and with their titles.
    let mut unchanged: [Option<Vec<Vector>>; 2] = [None, None];
    let mut scores = Vec::new();
    for task in tasks {
        let whole = Task { abstracts: Default::default(), queries: Vec::new(), ..*task };
        let base = unchanged[usize::from(task.titles)].get_or_insert_with(|| {
            let texts: Vec<usize> = (0..papers.len()).collect();
            vectors(embedder, &texts, |i| text(&whole, *i))
        });
        let changed: Vec<usize> = task.abstracts.keys().copied().collect();
        let others = vectors(embedder, &changed, |i| text(task, *i));
        let mut documents = base.clone();
        changed.iter().zip(others).for_each(|(i, vector)| documents[*i] = vector);
        let queries = vectors(embedder, &task.queries, |query| query.text.clone());
        let targets: Vec<usize> = task.queries.iter().map(|query| query.target).collect();
        let ranks = match precision {
            Precision::Exact => ranks(&queries, &targets, |query| {
                documents.iter().map(|document| exact(query, document)).collect()
            }),
            Precision::Stored => {
                let stored: Vec<i8> = documents.iter().flat_map(quantise).collect();
                ranks(&queries, &targets, |query| {
                    let mut scores = vec![0; documents.len()];
                    scan::dots(&stored, &quantise(query), &mut scores);
                    scores.into_iter().map(|score| score as f32).collect()
                })
            }
        };
        scores.push(score(task.name, &ranks));
    }
    scores
}

fn vectors<T: Sync>(
    embedder: &dyn Embedder,
    list: &[T],
    text: impl Fn(&T) -> String + Sync,
) -> Vec<Vector> {
    let parts = list.par_chunks(256).map(|part| {
        let texts: Vec<String> = part.iter().map(&text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        embedder.embed(&texts).as_chunks::<DIMS>().0.to_vec()
    });
    parts.flatten_iter().collect()
}

fn exact(a: &Vector, b: &Vector) -> f32 {
    // Eight sums, so that the processor's vectors can be used.
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// The rank of each target, from 1. Of equal documents the first comes first, as in the index.
fn ranks(
    queries: &[Vector],
    targets: &[usize],
    scores: impl Fn(&Vector) -> Vec<f32> + Sync,
) -> Vec<usize> {
    let rank = |(query, target): (&Vector, &usize)| {
        let scores = scores(query);
        let own = scores[*target];
        let before = |(i, score): (usize, &f32)| *score > own || (*score == own && i < *target);
        1 + scores.iter().enumerate().filter(|both| before(*both)).count()
    };
    queries.par_iter().zip(targets).map(rank).collect()
}

/// The score of a task by the rank of each target, from 1.
pub(crate) fn score(task: &'static str, ranks: &[usize]) -> Score {
    let first: Vec<usize> = ranks.iter().copied().filter(|rank| *rank <= 10).collect();
    let mean = |sum: f64| if ranks.is_empty() { 0.0 } else { sum / ranks.len() as f64 };
    let mrr = mean(first.iter().map(|rank| 1.0 / *rank as f64).sum());
    Score { task, queries: ranks.len(), mrr, recall: mean(first.len() as f64) }
}

/// A model before its rows are rounded to 8 bits.
#[derive(Debug, Clone, Copy)]
pub struct Unrounded<'a> {
    /// Its words.
    pub vocabulary: &'a Vocabulary,
    /// Its rows.
    pub rows: &'a [f32],
    /// Its size of unknown words.
    pub unknown: f32,
}

impl Embedder for Unrounded<'_> {
    fn dims(&self) -> usize {
        DIMS
    }

    fn identity(&self) -> String {
        "unrounded".into()
    }

    fn embed(&self, texts: &[&str]) -> Vec<f32> {
        let rows = self.rows.as_chunks::<DIMS>().0;
        let vector = |text: &&str| {
            let mut list = Vec::new();
            stems(text, &mut |stem| list.push(stem.to_owned()));
            list.sort_unstable();
            let mut sum = [0.0; DIMS];
            for run in list.chunk_by(|a, b| a == b) {
                let weight = weight(run.len() as u32);
                match self.vocabulary.entry(&run[0]) {
                    Entry::Row(row) => {
                        let row = &rows[row as usize];
                        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
                    }
                    Entry::Unknown(word) => word.add(weight * self.unknown, &mut sum),
                    Entry::Number => {}
                }
            }
            normalise(&mut sum);
            sum
        };
        texts.iter().flat_map(vector).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tasks::Query;

    /// Counts the letters of a text.
    struct Letters;

    impl Embedder for Letters {
        fn dims(&self) -> usize {
            DIMS
        }

        fn identity(&self) -> String {
            "letters".into()
        }

        fn embed(&self, texts: &[&str]) -> Vec<f32> {
            let vector = |text: &&str| {
                let mut x = [0.0; DIMS];
                text.bytes().filter(u8::is_ascii_alphabetic).for_each(|b| x[usize::from(b)] += 1.0);
                normalise(&mut x);
                x
            };
            texts.iter().flat_map(vector).collect()
        }
    }

    #[test]
    fn ranks_and_scores_by_hand() {
        let paper =
            |title: &str, summary: &str| Paper { title: title.into(), summary: summary.into() };
        let papers = [paper("a", "b"), paper("c", "d"), paper("e", "d"), paper("f", "gh")];
        let query = |text: &str, target| Query { text: text.into(), target };
        let queries = vec![query("d", 2), query("b", 0), query("c", 1)];
        let task =
            |titles, abstracts| Task { name: "t", titles, abstracts, queries: queries.clone() };
        for precision in [Precision::Stored, Precision::Exact] {
            let score = |task| evaluate(&Letters, &papers, &[task], precision).remove(0);
            // Abstracts: `d` is first in paper 1, which is as good; `c` is nowhere, and paper 0 of
            // the same score 0 comes before: ranks 2, 1, 2.
            let found = score(task(false, BTreeMap::new()));
            assert!((found.mrr - (0.5 + 1.0 + 0.5) / 3.0).abs() < 1e-9, "{found:?}");
            assert_eq!((found.queries, found.recall), (3, 1.0));
            // With titles: ranks 2, 1, 1; and 1, 1, 1 if paper 1 has lost its abstract.
            let found = score(task(true, BTreeMap::new()));
            assert!((found.mrr - 2.5 / 3.0).abs() < 1e-9, "{found:?}");
            assert_eq!(score(task(true, BTreeMap::from([(1, String::new())]))).mrr, 1.0);
        }
    }

    #[test]
    fn what_is_beyond_the_tenth_rank_counts_nothing() {
        let found = score("t", &[1, 10, 11, 4]);
        assert_eq!((found.mrr, found.recall), ((1.0 + 0.1 + 0.25) / 4.0, 0.75));
        assert_eq!(score("t", &[]).mrr, 0.0);
    }

    #[test]
    fn a_model_and_its_unrounded_form_agree() {
        let words: Vec<String> = (0..30).map(|i| format!("w{i}x")).collect();
        let vocabulary = Vocabulary::new(words.iter().map(String::as_str));
        let rows: Vec<f32> = (0..30 * DIMS).map(|i| (i as f32 * 0.37).sin()).collect();
        let exact = Unrounded { vocabulary: &vocabulary, rows: &rows, unknown: 0.3 };
        let model = pressrun_search::embed::StaticModel::quantised(vocabulary.clone(), &rows, 0.3);
        let texts = ["w1x w2x w2x other", "", "w5x"];
        let (a, b) = (exact.embed(&texts), Embedder::embed(&model, &texts));
        let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "{far}");
    }
}
