//! Papers that somebody may like, learnt from papers that they liked and did not.
//!
//! A paper is described by its vector and by its words; a linear model, fitted anew for each question,
//! gives every paper a score:
//!
//! ```text
//! f(d) = w . x(d) + b          x(d) = [ sqrt(a) v(d) ; sqrt(1 - a) t(d) ]
//! t_j(d) = n_j(d) idf_j / sqrt(n(d))        idf_j = ln((1 + N) / (1 + N_j)) / ln(1 + N)
//! ```
//!
//! `v` is the vector of the paper, of length 1; `n_j` counts the word `j` in it, `n` all its words;
//! `N_j` of `N` papers have the word. `a` is the share of the vectors, [`Recipe::vectors`]. Dividing by
//! the root of the length, and not by the very norm, keeps the score of a paper a sum over its words in
//! their order: all papers are scored in one walk over the shelf.
//!
//! `w` and `b` are those of a support vector machine: liked papers against those that are not, and
//! against a sample of all others, which are taken for not liked with little weight each (see
//! [`Recipe::cost`]). A paper of the sample is scored without what it said itself. The model is small
//! enough to be looked at: which words count how much, and what the vectors add ([`Taste`]).

mod features;
mod fit;
mod frequencies;
mod rank;
mod svm;

use std::collections::HashMap;

use jiff::civil::Date;

pub(crate) use self::frequencies::Frequencies;
use crate::terms::{number, terms};

/// What somebody likes and what not, by ids of papers. An id that the index does not have says
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Likes {
    /// Papers that they like.
    pub liked: Vec<String>,
    /// Papers that they do not: never recommended, and what is like them less.
    pub disliked: Vec<String>,
    /// Papers that they know already, which are not recommended.
    pub known: Vec<String>,
}

/// Which papers are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Only papers of this day or later: by listed day, else by date of publication. One of which
    /// only the year or month is known counts as of the first day of it.
    pub since: Option<Date>,
    /// Most papers.
    pub most: usize,
}

/// How the score comes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// What finds the weights.
    pub method: Method,
    /// Share of the vectors in a paper's description, from 0 to 1.
    pub vectors: f32,
    /// What an error costs beside the size of the weights, C. Liked papers together cost as much as
    /// the sample together, and a disliked one as much as a liked one:
    ///
    /// ```text
    /// C_liked = C n / (2 liked)    C_disliked = C n / (2 max(liked, disliked))
    /// C_sample = C n / (2 sample)  n = liked + sample
    /// ```
    pub cost: f32,
    /// Papers of the sample that stands for all others; at most an eighth of them, or 32.
    pub sample: usize,
}

/// What finds the weights of a [`Recipe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// A linear support vector machine.
    #[default]
    Svm,
    /// The mean of the liked papers: nearest to it is best. To compare with.
    Mean,
}

impl Default for Recipe {
    /// As measured by `cargo xtask bench recommend`.
    fn default() -> Self {
        Self { method: Method::Svm, vectors: 0.2, cost: 1.0, sample: 1000 }
    }
}

/// What was learnt, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommended {
    /// What was learnt.
    pub taste: Taste,
    /// Papers, the best first; of equals the newest.
    pub papers: Vec<Recommendation>,
    /// Revision of the index that was asked.
    pub revision: i64,
}

/// A model, as far as it can be looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taste {
    /// Liked papers that it was learnt from.
    pub liked: usize,
    /// Papers that are not liked.
    pub disliked: usize,
    /// Papers of the sample.
    pub sample: usize,
    /// The words that speak most for a paper, the strongest first.
    pub words_for: Vec<WordWeight>,
    /// The words that speak most against it, the strongest first.
    pub words_against: Vec<WordWeight>,
    /// How much of what sets the liked papers apart from the sample is due to the vectors; the rest is
    /// due to words. From 0 to 1.
    pub vector_share: f32,
}

/// What a word is worth to the score of a paper.
#[derive(Debug, Clone, PartialEq)]
pub struct WordWeight {
    /// [`number`] of the word's stem; [`words_of`] finds the word in a text.
    pub number: u32,
    /// What it adds to the score, each time it stands in a paper of a hundred words.
    pub weight: f32,
    /// Id of a paper that has it.
    pub paper: String,
}

/// A paper that somebody may like, with the largest parts of the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// Its id.
    pub id: String,
    /// By what the best come first: above 0 it is rather like the liked papers than like others.
    pub score: f32,
    /// What its vector adds to the score.
    pub meaning: f32,
    /// What its words add, each with the [`number`] of its stem, the strongest first.
    pub words: Vec<(u32, f32)>,
    /// The liked paper that is nearest in meaning.
    pub nearest: Option<Nearest>,
    /// Day of its list, else of its publication: `YYYYMMDD`, with zeros for what is not known.
    pub dated: u32,
}

/// A liked paper near a recommended one.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Cosine of the two vectors.
    pub similarity: f32,
}

/// The words of a text whose stems have these numbers, in lower case.
///
/// ```
/// use pressrun_search::{recommend::words_of, terms::number};
///
/// let words = words_of("The Gates open", &[number("gate"), number("depth")]);
/// assert_eq!(words.len(), 1);
/// assert_eq!(words[&number("gate")], "gates");
/// ```
pub fn words_of(text: &str, numbers: &[u32]) -> HashMap<u32, String> {
    let mut found = HashMap::new();
    terms(text, &mut |term| {
        let stem = number(term.stem);
        if numbers.contains(&stem) {
            found.entry(stem).or_insert_with(|| term.word.to_owned());
        }
    });
    found
}
