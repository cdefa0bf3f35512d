//! Searches whose right answer is known.
//!
//! Each query is made of a paper that was held out from training, and that paper is to be found
//! among all. They stand for what people type (title, keywords) and paste (sentences).

use std::collections::{BTreeMap, HashMap, HashSet};

use pressrun_search::embed::held_out;
use pressrun_search::words::words;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::Paper;
use crate::sentences::sentences;

/// Queries of one kind, and what the index is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: &'static str,
    /// Whether the index holds the titles beside the abstracts.
    pub titles: bool,
    /// Papers whose abstract the index holds in another form, by their place in the list.
    pub abstracts: BTreeMap<usize, String>,
    /// The queries.
    pub queries: Vec<Query>,
}

/// A query and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is searched for.
    pub text: String,
    /// The place of the paper that it was made of.
    pub target: usize,
}

/// Most queries of a task.
pub const MOST_QUERIES: usize = 2000;

/// Most words of a query of the task `closing`, and of `passage` and `verbatim`.
const LONGEST: (usize, usize) = (60, 40);

/// Makes the tasks.
///
/// - `title`: the title; the index holds the abstracts only.
/// - `closing`: the last two sentences of the abstract, up to 60 words; the index holds the queries'
///   papers without these sentences. Of abstracts with four sentences and more.
/// - `passage`: the same less every word of the title, up to 40 words.
/// - `keywords`: the four words of the abstract that tell most (tf-idf, of words in 20 to 5,000
///   papers), none of the title; the index holds everything.
/// - `verbatim`: the queries of `passage`; the index holds everything.
///
/// The same list and seed give the same tasks.
pub fn tasks(papers: &[Paper], seed: u64) -> Vec<Task> {
    let mut held: Vec<usize> = (0..papers.len()).filter(|i| held_out(&papers[*i].title)).collect();
    held.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let title = |i: &usize| {
        let Paper { title, summary } = &papers[*i];
        let whole = !(all(title).is_empty() || all(summary).is_empty());
        whole.then(|| Query { text: title.clone(), target: *i })
    };
    let titles: Vec<Query> = held.iter().filter_map(title).take(MOST_QUERIES).collect();
    let mut closing = Vec::new();
    let mut passages = Vec::new();
    let mut abstracts = BTreeMap::new();
    for &target in &held {
        if closing.len() == MOST_QUERIES {
            break;
        }
        let Some(parted) = part(&papers[target]) else { continue };
        closing.push(Query { text: parted.closing, target });
        passages.push(Query { text: parted.passage, target });
        abstracts.insert(target, parted.rest);
    }
    let keywords = keywords(papers, &held);
    let task = |name, queries| Task { name, titles: true, abstracts: BTreeMap::new(), queries };
    vec![
        Task { titles: false, ..task("title", titles) },
        Task { abstracts: abstracts.clone(), ..task("closing", closing) },
        Task { abstracts, ..task("passage", passages.clone()) },
        task("keywords", keywords),
        task("verbatim", passages),
    ]
}

fn all(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    words(text, &mut |word, _| found.push(word.to_owned()));
    found
}

/// An abstract without its last two sentences, and these.
struct Parted {
    closing: String,
    passage: String,
    rest: String,
}

/// Parts an abstract of four sentences and more; `None` for others, and if the last two have no
/// word that is not in the title.
fn part(paper: &Paper) -> Option<Parted> {
    let places = sentences(&paper.summary);
    let start = places.len().checked_sub(2).filter(|rest| *rest >= 2)?;
    let start = places[start].start;
    let last = &paper.summary[start..];
    let title: HashSet<String> = all(&paper.title).into_iter().collect();
    let (mut end, mut count) = (0, 0);
    words(last, &mut |_, place| {
        if count < LONGEST.0 {
            end = place.end;
            count += 1;
        }
    });
    let mut passage = all(last);
    passage.retain(|word| !title.contains(word));
    passage.truncate(LONGEST.1);
    let rest = paper.summary[..start].trim_end().to_owned();
    let closing = last[..end].to_owned();
    (!passage.is_empty()).then(|| Parted { closing, passage: passage.join(" "), rest })
}

fn keywords(papers: &[Paper], held: &[usize]) -> Vec<Query> {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for (i, paper) in papers.iter().enumerate() {
        for text in [&paper.title, &paper.summary] {
            words(text, &mut |word, _| match counts.get_mut(word) {
                Some((_, last)) if *last == i => {}
                Some((count, last)) => (*count, *last) = (*count + 1, i),
                None => _ = counts.insert(word.to_owned(), (1, i)),
            });
        }
    }
    let query = |target: &usize| {
        let paper = &papers[*target];
        let title: HashSet<String> = all(&paper.title).into_iter().collect();
        let mut times: HashMap<String, usize> = HashMap::new();
        all(&paper.summary).into_iter().for_each(|word| *times.entry(word).or_default() += 1);
        let mut list: Vec<(f64, String)> = times
            .into_iter()
            .filter(|(word, _)| !title.contains(word))
            .filter_map(|(word, times)| {
                let count = counts[&word].0;
                let idf = (papers.len() as f64 / count as f64).ln();
                (20..=5000).contains(&count).then_some((times as f64 * idf, word))
            })
            .collect();
        list.sort_by(|(a, v), (b, w)| b.total_cmp(a).then_with(|| v.cmp(w)));
        let best: Vec<String> = list.into_iter().take(4).map(|(_, word)| word).collect();
        (best.len() == 4).then(|| Query { text: best.join(" "), target: *target })
    };
    held.iter().filter_map(query).take(MOST_QUERIES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abstract_is_parted() {
        let paper = Paper {
            title: "Gates for experts".into(),
            summary: "One. Two.  Three gates open. Experts (the 4th) come: four!".into(),
        };
        let parted = part(&paper).unwrap();
        assert_eq!(parted.rest, "One. Two.");
        assert_eq!(parted.closing, "Three gates open. Experts (the 4th) come: four");
        assert_eq!(parted.passage, "three gates open the 4th come four".replace("gates ", ""));
        let long =
            |n| Paper { title: "T".into(), summary: format!("A. B. C. D {}", "word ".repeat(n)) };
        let parted = part(&long(100)).unwrap();
        assert_eq!(parted.closing.split(' ').count(), 60);
        assert_eq!(parted.passage.split(' ').count(), 40);
        let three = Paper { title: "T".into(), summary: "A. B. C.".into() };
        assert!(part(&three).is_none());
        let same = Paper { title: "C d".into(), summary: "A. B. C. D.".into() };
        assert!(part(&same).is_none());
    }

    /// Papers whose abstracts share words by their number modulo 3, 5, 7 and 11.
    fn papers() -> Vec<Paper> {
        let summary = |i: usize| {
            let word = |m: usize| format!("m{m}r{}", i % m);
            format!("We {}. The {} a. Of {}. And {} x{i}.", word(3), word(5), word(7), word(11))
        };
        (0..900).map(|i| Paper { title: format!("Paper x{i}"), summary: summary(i) }).collect()
    }

    #[test]
    fn tasks_are_of_held_out_papers_and_the_same_each_time() {
        let papers = papers();
        let list = tasks(&papers, 1);
        assert_eq!(list, tasks(&papers, 1));
        assert_ne!(list, tasks(&papers, 2));
        let names: Vec<_> = list.iter().map(|task| task.name).collect();
        assert_eq!(names, ["title", "closing", "passage", "keywords", "verbatim"]);
        let held = papers.iter().filter(|paper| held_out(&paper.title)).count();
        for task in &list {
            assert_eq!(task.queries.len(), held, "{}", task.name);
            assert!(task.queries.iter().all(|q| held_out(&papers[q.target].title)));
            assert_eq!(task.titles, task.name != "title");
            let changed = ["closing", "passage"].contains(&task.name);
            assert_eq!(task.abstracts.len(), if changed { held } else { 0 });
        }
        let Query { text, target } = &list[3].queries[0];
        let word = |m: usize| format!("m{m}r{}", target % m);
        // The rarest first; that of its own number is in fewer than 20 papers.
        assert_eq!(*text, [word(11), word(7), word(5), word(3)].join(" "));
        let Query { text, target } = &list[1].queries[0];
        assert_eq!(*text, format!("Of m7r{}. And m11r{} x{target}", target % 7, target % 11));
        let rest = format!("We m3r{}. The m5r{} a.", target % 3, target % 5);
        assert_eq!(list[1].abstracts[target], rest);
    }
}
