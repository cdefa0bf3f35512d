//! Searches for a subject, with papers that were judged by reading them.
//!
//! The other tasks search for one known paper by words that stand in it or did, which rewards exact
//! words. Here any paper on a subject counts, and the subject is said twice: in words that papers do
//! not use ("neural networks that think longer about hard inputs"), and by its name.
//!
//! The set is `topics.jsonl` beside this crate's manifest: one query a line, with the titles that
//! were judged; 2 is on the subject, 1 touches it, 0 does not. It was made by pooling the first ten
//! results of each part of the ranking (words, meaning, the two fused) for both forms, over 60,241
//! papers, and reading the title of each, and the abstract where the title left a doubt, without being
//! told what had found it. It has one judge, and
//! covers what these three found: another ranking finds papers that nobody has judged, and they
//! count as 0. [`TopicScore::judged`] says how much that is; [`unjudged`] lists them, to be judged.

use std::collections::HashMap;

use pressrun_catalog as catalog;
use pressrun_search::{Index, Mode, Request, Result};
use serde::Deserialize;

/// Results that are looked at.
const DEPTH: usize = 10;

/// A subject and the papers that were judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Topic {
    /// What somebody searches for who does not know what it is called.
    pub query: String,
    /// What it is called.
    pub term: String,
    /// Grade of each judged paper, by its title: 2 on the subject, 1 touching it, 0 neither.
    pub judged: HashMap<String, u8>,
}

/// What a part of the ranking reached, as means over topics.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TopicScore {
    /// nDCG of the first ten, with gain 2^grade - 1, against the best order of all judged papers.
    pub ndcg: f64,
    /// Share of the first ten that are on the subject.
    pub precision: f64,
    /// Share of the first ten that were judged.
    pub judged: f64,
}

/// The topics that come with this crate.
///
/// # Panics
/// If the file does not have its form, which a test excludes.
pub fn topics() -> Vec<Topic> {
    let lines = include_str!("../topics.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).expect("one topic a line")).collect()
}

/// How the subject is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// [`Topic::query`].
    InOtherWords,
    /// [`Topic::term`].
    ByName,
}

/// Scores a part of the ranking on an index whose papers' ids are their places in `papers`.
///
/// # Errors
/// If the index cannot be read.
pub fn score(
    index: &Index,
    papers: &[catalog::Paper],
    topics: &[Topic],
    form: Form,
    mode: Mode,
) -> Result<TopicScore> {
    let mut sum = TopicScore::default();
    for topic in topics {
        let found = found(index, papers, topic, form, mode)?;
        let grades: Vec<Option<u8>> =
            found.iter().map(|title| topic.judged.get(*title).copied()).collect();
        // A part of the collection may be all that is indexed.
        let mut best: Vec<u8> =
            papers.iter().filter_map(|paper| topic.judged.get(&paper.title).copied()).collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        let best = gain(best.into_iter());
        if best > 0.0 {
            sum.ndcg += gain(grades.iter().map(|grade| grade.unwrap_or(0))) / best;
        }
        let share = |count: usize| count as f64 / DEPTH as f64;
        sum.precision += share(grades.iter().filter(|grade| **grade == Some(2)).count());
        sum.judged += share(grades.iter().flatten().count());
    }
    let topics = topics.len().max(1) as f64;
    Ok(TopicScore {
        ndcg: sum.ndcg / topics,
        precision: sum.precision / topics,
        judged: sum.judged / topics,
    })
}

/// The papers that any part of the ranking finds for a topic and nobody has judged, in the order of
/// their titles, so that the order tells nothing.
///
/// # Errors
/// If the index cannot be read.
pub fn unjudged<'p>(
    index: &Index,
    papers: &'p [catalog::Paper],
    topic: &Topic,
) -> Result<Vec<&'p str>> {
    let mut all = Vec::new();
    for form in [Form::InOtherWords, Form::ByName] {
        for mode in [Mode::Lexical, Mode::Semantic, Mode::Fused] {
            all.extend(found(index, papers, topic, form, mode)?);
        }
    }
    all.retain(|title| !topic.judged.contains_key(*title));
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn found<'p>(
    index: &Index,
    papers: &'p [catalog::Paper],
    topic: &Topic,
    form: Form,
    mode: Mode,
) -> Result<Vec<&'p str>> {
    let text = match form {
        Form::InOtherWords => &topic.query,
        Form::ByName => &topic.term,
    };
    // A dash is one of the words here, and excludes nothing.
    let mut request = Request::new(text.replace('-', " ").parse()?);
    request.limit = DEPTH;
    let hits = index.search_by(mode, &request)?.hits;
    let place = |id: &str| id.parse::<usize>().ok();
    let titles = hits.iter().filter_map(|hit| Some(papers.get(place(&hit.id)?)?.title.as_str()));
    Ok(titles.collect())
}

/// Discounted cumulative gain of the first ten.
fn gain(grades: impl Iterator<Item = u8>) -> f64 {
    let gains = grades.take(DEPTH).zip(2..);
    gains.map(|(grade, rank)| (f64::from(grade).exp2() - 1.0) / f64::from(rank).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole;

    #[test]
    fn the_set_is_whole() {
        let topics = topics();
        assert!(topics.len() >= 20);
        for topic in &topics {
            assert!(topic.judged.values().all(|grade| *grade <= 2), "{topic:?}");
            let on = topic.judged.values().filter(|grade| **grade == 2).count();
            assert!(on >= 1 && topic.judged.len() >= 10, "{}: {on}", topic.query);
        }
    }

    #[test]
    fn gains_are_those_of_the_formula() {
        // 3 / log2(2) + 0 + 1 / log2(4).
        assert_eq!(gain([2, 0, 1].into_iter()), 3.5);
        assert_eq!(gain(std::iter::repeat_n(2, 20)), gain(std::iter::repeat_n(2, 10)));
    }

    #[test]
    fn a_better_order_scores_more_and_unjudged_papers_are_told() {
        let paper = |title: &str| {
            let new = catalog::NewPaper { title: title.into(), ..Default::default() };
            catalog::Paper::new(new, Default::default())
        };
        let papers = ["Gates that open", "Gates of a town and its gates", "Depth"].map(paper);
        let folder = tempfile::tempdir().unwrap();
        let vectors = pressrun_search::embed::shipped().into();
        let index = whole::index(folder.path(), &vectors, &papers).unwrap();
        let topic = |grades: [u8; 2]| Topic {
            query: "gates open".into(),
            term: "depth".into(),
            judged: papers.iter().zip(grades).map(|(p, grade)| (p.title.clone(), grade)).collect(),
        };
        let score = |grades| {
            score(&index, &papers, &[topic(grades)], Form::InOtherWords, Mode::Lexical).unwrap()
        };
        let (good, bad) = (score([2, 0]), score([0, 2]));
        assert!((good.ndcg - 1.0).abs() < 1e-12 && bad.ndcg < 0.7, "{good:?} {bad:?}");
        assert_eq!((good.precision, good.judged), (0.1, 0.2));
        let mut fresh = topic([2, 0]);
        fresh.judged.remove("Gates that open");
        assert_eq!(unjudged(&index, &papers, &fresh).unwrap()[..], ["Depth", "Gates that open"]);
    }
}
