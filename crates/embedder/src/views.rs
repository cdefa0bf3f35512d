//! Two views of a paper, which training brings together.

use pressrun_search::embed::{Entry, Unknown, weight};
use rand::{Rng, RngExt as _};

use crate::corpus::Numbered;
use crate::lexicon::Rows;

/// How often each kind of view is taken; they need not add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// The title against the abstract.
    pub title: f64,
    /// Two sentences against the title and the other sentences.
    pub sentences: f64,
    /// The same, less the words of the title.
    pub passage: f64,
    /// A few words, rare ones preferred, against title and abstract.
    pub keywords: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { title: 0.35, sentences: 0.35, passage: 0.15, keywords: 0.15 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Sentences { less_title: bool },
    Keywords,
}

impl Shares {
    fn draw(&self, rng: &mut impl Rng) -> Kind {
        let passage = Kind::Sentences { less_title: true };
        let sentences = Kind::Sentences { less_title: false };
        let mut at = rng.random::<f64>() * self.sum();
        for (share, kind) in
            [(self.title, Kind::Title), (self.sentences, sentences), (self.passage, passage)]
        {
            if at < share {
                return kind;
            }
            at -= share;
        }
        if self.keywords > 0.0 { Kind::Keywords } else { Kind::Title }
    }

    /// All shares together.
    pub(crate) fn sum(&self) -> f64 {
        self.title + self.sentences + self.passage + self.keywords
    }
}

/// A view: what stands for its words, with weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct View {
    pub(crate) rows: Vec<(u32, f32)>,
    pub(crate) unknown: Vec<(Unknown, f32)>,
}

/// Most words of a view that stands for a search.
const MOST_WORDS: usize = 60;

/// How views are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Views<'a> {
    pub(crate) rows: &'a Rows,
    pub(crate) shares: Shares,
    /// Shares of the words that are left out of a search and of a paper.
    pub(crate) dropout: (f64, f64),
}

/// What a search for the paper could look like, and the paper.
pub(crate) fn pair(paper: &Numbered, views: &Views<'_>, rng: &mut impl Rng) -> (View, View) {
    let &Views { rows, shares, dropout } = views;
    let (query, document) = words(paper, rows, &shares, rng);
    let query = thinned(query, dropout.0, rng);
    let document = thinned(document, dropout.1, rng);
    (view(rows, query), view(rows, document))
}

/// Leaves this share of words out.
fn thinned(words: Vec<u32>, share: f64, rng: &mut impl Rng) -> Vec<u32> {
    if share <= 0.0 {
        return words;
    }
    let kept: Vec<u32> = words.iter().copied().filter(|_| rng.random::<f64>() >= share).collect();
    if kept.is_empty() { words } else { kept }
}

/// The words of both views.
fn words(
    paper: &Numbered,
    rows: &Rows,
    shares: &Shares,
    rng: &mut impl Rng,
) -> (Vec<u32>, Vec<u32>) {
    let title = &paper.title[..paper.title.len().min(MOST_WORDS)];
    let summary = &paper.summary[..];
    let count = paper.sentences();
    match shares.draw(rng) {
        Kind::Sentences { less_title } if count >= 3 => {
            let many = if count < 4 { 1 } else { 2 };
            let first = rng.random_range(0..=count - many);
            let place = paper.part(first..first + many);
            let part = &summary[place.start..place.end.min(place.start + MOST_WORDS)];
            let part = part.iter().filter(|word| !less_title || !title.contains(word));
            let rest = summary[..place.start].iter().chain(&summary[place.end..]);
            (part.copied().collect(), title.iter().chain(rest).copied().collect())
        }
        Kind::Keywords => {
            (keywords(summary, rows, rng), title.iter().chain(summary).copied().collect())
        }
        _ => (title.to_vec(), summary.to_vec()),
    }
}

/// Two to six words of a text; a word is taken the more often the rarer it is.
fn keywords(text: &[u32], rows: &Rows, rng: &mut impl Rng) -> Vec<u32> {
    /// Natural logarithm: in one of some 22,000 papers.
    const RAREST: f32 = 10.0;
    let many = rng.random_range(2..=6);
    let mut found = Vec::with_capacity(many);
    // Rejection: a text of nothing but frequent words gives fewer.
    for _ in 0..200 {
        let word = text[rng.random_range(0..text.len())];
        if rng.random::<f32>() * RAREST < rows.rarity(word) && !found.contains(&word) {
            found.push(word);
        }
        if found.len() == many {
            break;
        }
    }
    if found.is_empty() { vec![text[0]] } else { found }
}

/// What stands for words, each with the weight of how often it occurs: what a model's
/// [`Bag`](pressrun_search::embed::Bag) computes.
fn view(rows: &Rows, mut words: Vec<u32>) -> View {
    words.sort_unstable();
    let mut view = View::default();
    for run in words.chunk_by(|a, b| a == b) {
        let weight = weight(run.len() as u32);
        match rows.entry(run[0]) {
            Entry::Row(row) => view.rows.push((row, weight)),
            Entry::Unknown(word) => view.unknown.push((word, weight)),
            Entry::Number => {}
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::corpus::{Paper, read};

    fn one() -> (Numbered, Rows) {
        let paper = Paper {
            title: "Red gates".into(),
            summary: "Red uno uno. Blue dos. Gates tres. Green four. Five.".into(),
        };
        let (mut papers, lexicon) = read(&[paper]);
        (papers.remove(0), lexicon.rows(100))
    }

    fn only(kind: Kind) -> Shares {
        let share = |is| if is { 1.0 } else { 0.0 };
        Shares {
            title: share(kind == Kind::Title),
            sentences: share(kind == Kind::Sentences { less_title: false }),
            passage: share(kind == Kind::Sentences { less_title: true }),
            keywords: share(kind == Kind::Keywords),
        }
    }

    fn both(paper: &Numbered, rows: &Rows, kind: Kind, rng: &mut ChaCha8Rng) -> (View, View) {
        pair(paper, &Views { rows, shares: only(kind), dropout: (0.0, 0.0) }, rng)
    }

    fn named(view: &View, rows: &Rows) -> Vec<(String, f32)> {
        let mut names: Vec<_> = view
            .rows
            .iter()
            .map(|(row, w)| (rows.vocabulary.word(*row as usize).to_owned(), *w))
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names
    }

    #[test]
    fn a_title_against_its_abstract() {
        let (paper, rows) = one();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (a, b) = both(&paper, &rows, Kind::Title, &mut rng);
        assert_eq!(named(&a, &rows), [("gate".into(), 1.0), ("red".into(), 1.0)]);
        let b = named(&b, &rows);
        assert!(b.contains(&("uno".into(), 2f32.sqrt())) && b.len() == 9, "{b:?}");
    }

    #[test]
    fn sentences_are_taken_out_of_the_other_view() {
        let (paper, rows) = one();
        for (kind, less_title) in [
            (Kind::Sentences { less_title: false }, false),
            (Kind::Sentences { less_title: true }, true),
        ] {
            let mut firsts = std::collections::BTreeSet::new();
            for seed in 0..50 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let (a, b) = both(&paper, &rows, kind, &mut rng);
                let (a, b) = (named(&a, &rows), named(&b, &rows));
                let has = |bag: &[(String, f32)], word| bag.iter().any(|(w, _)| w == word);
                let numbers = ["uno", "dos", "tre", "four", "five"];
                let taken: Vec<usize> = (0..5).filter(|i| has(&a, numbers[*i])).collect();
                assert_eq!(taken.len(), 2);
                assert_eq!(taken[1], taken[0] + 1);
                firsts.insert(taken[0]);
                assert!((0..5).all(|i| has(&b, numbers[i]) != taken.contains(&i)));
                assert!(has(&b, "red") && has(&b, "gate"));
                assert!(!less_title || !(has(&a, "red") || has(&a, "gate")));
            }
            assert_eq!(firsts.len(), 4);
        }
    }

    #[test]
    fn a_few_words_that_are_not_everywhere() {
        let papers: Vec<Paper> = (0..60)
            .map(|i| Paper {
                title: format!("Title x{i}"),
                summary: format!("Word word word word of x{i} and y{i} and z{i}."),
            })
            .collect();
        let (papers, lexicon) = read(&papers);
        let rows = lexicon.rows(1000);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for paper in papers.iter().take(20) {
            let (a, b) = both(paper, &rows, Kind::Keywords, &mut rng);
            let (a, b) = (named(&a, &rows), named(&b, &rows));
            assert!((1..=3).contains(&a.len()), "{a:?}");
            assert!(
                a.iter().all(|(word, w)| *w == 1.0 && b.iter().any(|(other, _)| other == word))
            );
            assert!(a.iter().all(|(word, _)| word != "word"), "{a:?}");
        }
    }

    #[test]
    fn words_without_rows_are_told_apart() {
        let papers = [Paper { title: "Red".into(), summary: "uno uno dos 7.5".into() }];
        let (_, lexicon) = read(&papers);
        let (none, rows) = (lexicon.rows(0), lexicon.rows(1));
        let all: Vec<u32> = (0..lexicon.len() as u32).collect();
        let words = view(&none, [all.clone(), all[..1].to_vec()].concat());
        assert!(words.rows.is_empty() && words.unknown.len() == 3);
        assert!(words.unknown.iter().any(|(_, w)| *w == 2f32.sqrt()));
        let words = view(&rows, all);
        // A number has a row like any other word if it is frequent enough: here all are as frequent,
        // and it is the first.
        assert_eq!(rows.vocabulary.word(0), "7.5");
        assert_eq!((words.rows.len(), words.unknown.len()), (1, 3));
    }

    #[test]
    fn words_are_left_out_of_either_view() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let words: Vec<u32> = (0..1000).collect();
        let kept = thinned(words.clone(), 0.3, &mut rng);
        assert!(kept.len().abs_diff(700) < 60 && kept.is_sorted());
        assert_eq!(thinned(words.clone(), 0.0, &mut rng), words);
        assert_eq!(thinned(vec![7], 1.0, &mut rng), [7]);
    }

    #[test]
    fn shares_are_kept() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let shares = Shares { title: 2.0, sentences: 1.0, passage: 0.0, keywords: 1.0 };
        let drawn: Vec<Kind> = (0..4000).map(|_| shares.draw(&mut rng)).collect();
        let count = |kind| drawn.iter().filter(|other| **other == kind).count();
        assert!(count(Kind::Title).abs_diff(2000) < 120);
        assert!(count(Kind::Keywords).abs_diff(1000) < 120);
        assert_eq!(count(Kind::Sentences { less_title: true }), 0);
    }
}
