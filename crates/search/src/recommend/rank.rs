//! From a model to papers.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::civil::Date;

use super::features::{Describer, Table};
use super::fit::{Fitted, learn};
use super::svm::product;
use super::{Likes, Nearest, Recipe, Recommendation, Recommended, Taste, Wanted, WordWeight};
use crate::embed::UNIT;
use crate::index::Index;
use crate::mask::Mask;
use crate::shelf::Shelf;

/// Words of a model that are named, for and against each.
const NAMED: usize = 16;
/// Words of a reason.
const REASONS: usize = 5;
/// What "a paper of a hundred words" is divided by.
const HUNDRED: f32 = 10.0;

impl Index {
    /// What somebody may like, by what they liked and did not; `None` if the index has nothing that
    /// they liked. The same question to the same index has the same answer.
    ///
    /// # Panics
    /// Never, unless another thread panicked while it counted words.
    ///
    /// # Example
    /// ```
    /// # use pressrun_search::{Index, embed};
    /// # use pressrun_catalog::{Catalog, NewPaper};
    /// use pressrun_search::recommend::{Likes, Recipe, Wanted};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let catalog = Catalog::in_memory().await?;
    /// # let paper = |title: &str| NewPaper { title: title.into(), ..NewPaper::default() };
    /// # catalog.upsert(&[paper("Gates for experts"), paper("Experts with gates"),
    /// #     paper("Depth from one picture")]).await?;
    /// # let folder = tempfile::tempdir()?;
    /// # let index = Index::create(folder.path(), embed::shipped().into())?;
    /// # let mut writer = index.writer(Index::SMALL)?;
    /// # for (_, paper) in catalog.changes(0, 10).await? { writer.put(&paper)?; }
    /// # writer.commit(catalog.revision().await?)?;
    /// let liked = vec!["gates-for-experts".to_owned()];
    /// let likes = Likes { known: liked.clone(), liked, ..Likes::default() };
    /// let wanted = Wanted { since: None, most: 10 };
    /// let found = index.recommend(&likes, wanted, &Recipe::default()).expect("something is liked");
    /// assert_eq!(found.papers[0].id, "experts-with-gates");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn recommend(&self, likes: &Likes, wanted: Wanted, recipe: &Recipe) -> Option<Recommended> {
        let mut frequencies =
            self.frequencies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Taken while the counts are held, so that they never go back to an older one.
        let snapshot = self.snapshot();
        frequencies.follow(&snapshot);
        let shelf = &snapshot.shelf;
        let mut describer = Describer::new(shelf, &frequencies, recipe);
        let fitted = learn(shelf, &mut describer, likes, recipe)?;
        let taste = taste(shelf, &describer, &fitted);
        let model = Model::new(shelf, &describer, &fitted);
        drop(frequencies);
        let papers = model.best(likes, wanted);
        Some(Recommended { taste, papers, revision: snapshot.revision })
    }
}

/// A model as papers are scored by it.
struct Model<'a> {
    shelf: &'a Shelf,
    /// For a vector's numbers as they are stored.
    dense: Vec<f32>,
    /// For each time a word stands in a paper, before it is divided by the root of the length.
    words: Table,
    bias: f32,
    liked: &'a [u32],
    /// See [`Fitted::own`].
    own: &'a HashMap<u32, f32>,
}

impl<'a> Model<'a> {
    fn new(shelf: &'a Shelf, describer: &Describer<'_>, fitted: &'a Fitted) -> Self {
        let weights = &fitted.weights;
        let words = describer.words.iter().zip(&weights.words);
        let words = words
            .map(|((stem, rarity, _), weight)| (*stem, weight * rarity * describer.of_words()));
        Self {
            shelf,
            dense: weights.dense.iter().map(|weight| weight * describer.of_vector()).collect(),
            words: Table::new(words),
            bias: weights.bias,
            liked: &fitted.liked,
            own: &fitted.own,
        }
    }

    fn meaning(&self, number: u32, buffer: &mut [f32]) -> f32 {
        for (place, value) in buffer.iter_mut().zip(self.shelf.vector(number)) {
            *place = f32::from(*value);
        }
        product(&self.dense, buffer)
    }

    fn score(&self, number: u32, buffer: &mut [f32]) -> f32 {
        let stems = self.shelf.stems(number);
        let words: f32 = stems.iter().map(|stem| self.words.weight(*stem)).sum();
        let own = self.own.get(&number).copied().unwrap_or(0.0);
        self.meaning(number, buffer) + words / root(stems) + self.bias - own
    }

    fn best(&self, likes: &Likes, wanted: Wanted) -> Vec<Recommendation> {
        let mut out = Mask::none(self.shelf.end());
        let ids = likes.known.iter().chain(&likes.liked).chain(&likes.disliked);
        ids.filter_map(|id| self.shelf.number(id)).for_each(|number| out.set(number));
        let since = wanted.since.map_or(0, day_number);
        let mut buffer = vec![0.0; self.dense.len()];
        let mut scores: Vec<(f32, u32)> = self
            .shelf
            .alive()
            .iter()
            .filter(|number| !out.has(*number) && self.shelf.entry(*number).dated >= since)
            .map(|number| (self.score(number, &mut buffer), number))
            .collect();
        let key = |number: u32| {
            let entry = self.shelf.entry(number);
            (Reverse(entry.dated), &entry.id)
        };
        let order = |a: &(f32, u32), b: &(f32, u32)| {
            b.0.total_cmp(&a.0).then_with(|| key(a.1).cmp(&key(b.1)))
        };
        if scores.len() > wanted.most && wanted.most > 0 {
            scores.select_nth_unstable_by(wanted.most - 1, order);
        }
        scores.truncate(wanted.most);
        scores.sort_unstable_by(order);
        let reasons =
            scores.iter().map(|(score, number)| self.reason(*number, *score, &mut buffer));
        reasons.collect()
    }

    fn reason(&self, number: u32, score: f32, buffer: &mut [f32]) -> Recommendation {
        let stems = self.shelf.stems(number);
        let mut sorted = stems.to_vec();
        sorted.sort_unstable();
        let worth =
            |same: &[u32]| (same[0], self.words.weight(same[0]) * same.len() as f32 / root(stems));
        let mut words: Vec<(u32, f32)> = sorted.chunk_by(u32::eq).map(worth).collect();
        words.retain(|(_, worth)| *worth > 0.0);
        words.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.truncate(REASONS);
        let entry = self.shelf.entry(number);
        Recommendation {
            id: entry.id.to_string(),
            score,
            meaning: self.meaning(number, buffer),
            words,
            nearest: self.nearest(number),
            dated: entry.dated,
        }
    }

    fn nearest(&self, number: u32) -> Option<Nearest> {
        let vector = self.shelf.vector(number);
        let cosine = |other: u32| {
            let pairs = vector.iter().zip(self.shelf.vector(other));
            pairs.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>()
        };
        let (product, other) =
            self.liked.iter().map(|other| (cosine(*other), *other)).max_by_key(|(p, _)| *p)?;
        let entry = self.shelf.entry(other);
        Some(Nearest {
            id: entry.id.to_string(),
            title: entry.title.to_string(),
            similarity: product as f32 / UNIT,
        })
    }
}

/// The root of the length of a text.
fn root(stems: &[u32]) -> f32 {
    (stems.len().max(1) as f32).sqrt()
}

/// As the shelf has days. What is dated later than the first of a month or year without saying when is
/// taken for that first day.
fn day_number(day: Date) -> u32 {
    let number = |part: i8| u32::from(part.unsigned_abs());
    let (month, of_month) = (number(day.month()), number(day.day()));
    let year = u32::from(day.year().unsigned_abs()) * 10_000;
    match (month, of_month) {
        (1, 1) => year,
        (month, 1) => year + month * 100,
        (month, day) => year + month * 100 + day,
    }
}

/// What of a model can be looked at.
fn taste(shelf: &Shelf, describer: &Describer<'_>, fitted: &Fitted) -> Taste {
    let weights = &fitted.weights;
    let mut words: Vec<(usize, f32)> = describer
        .words
        .iter()
        .zip(&weights.words)
        .enumerate()
        .map(|(at, ((_, rarity, _), weight))| {
            (at, weight * rarity * describer.of_words() / HUNDRED)
        })
        .collect();
    words.sort_by(|a, b| {
        b.1.total_cmp(&a.1).then_with(|| describer.words[a.0].0.cmp(&describer.words[b.0].0))
    });
    let named = |(at, weight): &(usize, f32)| {
        let (number, _, paper) = describer.words[*at];
        WordWeight { number, weight: *weight, paper: shelf.entry(paper).id.to_string() }
    };
    let for_it = words.iter().filter(|(_, weight)| *weight > 0.0);
    let against = words.iter().rev().filter(|(_, weight)| *weight < 0.0);
    Taste {
        liked: fitted.liked.len(),
        disliked: fitted.disliked,
        sample: fitted.sample,
        words_for: for_it.take(NAMED).map(named).collect(),
        words_against: against.take(NAMED).map(named).collect(),
        vector_share: share(fitted),
    }
}

/// How much of the distance between the mean scores of liked papers and of the sample the vectors make.
fn share(fitted: &Fitted) -> f32 {
    let Fitted { weights, examples, liked, .. } = fitted;
    let (liked, others) = examples.split_at(liked.len());
    let others = &others[others.len() - fitted.sample..];
    let mean = |parts: Vec<f32>| parts.iter().sum::<f32>() / parts.len().max(1) as f32;
    let of = |papers: &[super::svm::Example]| {
        let dense = mean(papers.iter().map(|p| product(&weights.dense, &p.dense)).collect());
        let all = mean(papers.iter().map(|p| weights.score(p) - weights.bias).collect());
        (dense, all)
    };
    let ((liked_dense, liked_all), (other_dense, other_all)) = (of(liked), of(others));
    let (dense, all) = (liked_dense - other_dense, liked_all - other_all);
    if all > 0.0 { (dense / all).clamp(0.0, 1.0) } else { 0.0 }
}
