//! From likes to a model.

use std::collections::{HashMap, HashSet};

use super::features::Describer;
use super::svm::{Example, Weights, fit};
use super::{Likes, Method, Recipe};
use crate::embed::fnv1a64;
use crate::shelf::Shelf;

/// A model with what it was learnt from.
pub(super) struct Fitted {
    pub weights: Weights,
    pub examples: Vec<Example>,
    /// Numbers of the liked papers, of those that are not, and of the sample.
    pub liked: Vec<u32>,
    pub disliked: usize,
    pub sample: usize,
    /// What papers of the sample add to their own score. A paper that only by chance stands for those
    /// that are not liked must not come after its like for that.
    pub own: HashMap<u32, f32>,
}

/// Fits a model; `None` if the shelf has none of the liked papers.
pub(super) fn learn(
    shelf: &Shelf,
    describer: &mut Describer<'_>,
    likes: &Likes,
    recipe: &Recipe,
) -> Option<Fitted> {
    let numbers = |ids: &[String]| {
        let mut numbers: Vec<u32> = ids.iter().filter_map(|id| shelf.number(id)).collect();
        // By id, so that what is learnt does not depend on the order in which papers came.
        numbers.sort_by_key(|number| &shelf.entry(*number).id);
        numbers.dedup();
        numbers
    };
    let disliked = numbers(&likes.disliked);
    let mut liked = numbers(&likes.liked);
    liked.retain(|number| !disliked.contains(number));
    if liked.is_empty() {
        return None;
    }
    let said: HashSet<u32> = liked.iter().chain(&disliked).copied().collect();
    let sample = sample(shelf, &said, recipe.sample);
    let all = (liked.len() + sample.len()) as f32;
    let cost = |papers: usize| recipe.cost * all / (2 * papers.max(1)) as f32;
    let mut examples = Vec::with_capacity(said.len() + sample.len());
    for (papers, is_liked, cost) in [
        (&liked, true, cost(liked.len())),
        (&disliked, false, cost(liked.len().max(disliked.len()))),
        (&sample, false, cost(sample.len())),
    ] {
        examples.extend(papers.iter().map(|number| Example {
            dense: describer.dense(*number),
            words: describer.words(*number),
            liked: is_liked,
            cost,
        }));
    }
    let columns = describer.words.len();
    let dims = examples[0].dense.len();
    let (weights, own) = match recipe.method {
        Method::Svm => fit(&examples, dims, columns),
        Method::Mean => (mean(&examples[..liked.len()], dims, columns), Vec::new()),
    };
    let own = sample.iter().rev().copied().zip(own.into_iter().rev()).collect();
    let (disliked, sample) = (disliked.len(), sample.len());
    Some(Fitted { weights, examples, disliked, sample, liked, own })
}

/// The sum of examples, without a bias.
fn mean(examples: &[Example], dims: usize, columns: usize) -> Weights {
    let mut weights = Weights { dense: vec![0.0; dims], words: vec![0.0; columns], bias: 0.0 };
    for example in examples {
        for (sum, x) in weights.dense.iter_mut().zip(&example.dense) {
            *sum += x / examples.len() as f32;
        }
        for (column, x) in &example.words {
            weights.words[*column as usize] += x / examples.len() as f32;
        }
    }
    weights
}

/// Of so many papers one at most is in the sample. In a small site a larger one would hold most of what
/// is like the liked papers, and its votes against them would drown every other.
const ONE_OF: usize = 8;
/// But so many are, if there are: of a handful each would weigh too much.
const LEAST: usize = 32;

/// Papers that stand for all others: those whose ids have the smallest hashes. They are the same each
/// time, and hardly others when papers are added.
fn sample(shelf: &Shelf, but: &HashSet<u32>, most: usize) -> Vec<u32> {
    let hash = |number: u32| fnv1a64(shelf.entry(number).id.as_bytes());
    // The upper bits of this hash hardly depend on the last letters: the product mixes them.
    let hash = |number| (hash(number).wrapping_mul(0x9e37_79b9_7f4a_7c15), number);
    let mut hashes: Vec<(u64, u32)> =
        shelf.alive().iter().filter(|number| !but.contains(number)).map(hash).collect();
    let most = most.min((hashes.len() / ONE_OF).max(LEAST));
    if hashes.len() > most {
        hashes.select_nth_unstable(most);
        hashes.truncate(most);
    }
    hashes.sort_unstable();
    hashes.into_iter().map(|(_, number)| number).collect()
}
