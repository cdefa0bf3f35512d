//! What is asked of the index, and what it answers.

use std::sync::Arc;

use pressrun_catalog::VerdictCounts;
use pressrun_lab::Library;

use crate::query::Query;

/// A search.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is looked for.
    pub query: Query,
    /// Results to leave out at the front.
    pub offset: usize,
    /// Most results.
    pub limit: usize,
    /// Whether results say how they came about.
    pub explain: bool,
    /// Whether to count years, venues and verdicts of what was found.
    pub facets: bool,
    /// Which slugs have a study that runs here, for `has:run`.
    pub runs: Arc<dyn Runs>,
    /// Only papers with one of these ids, where it is given: what a person keeps, for example. They
    /// are found as if there were no others, but for the rarity of words.
    pub within: Option<Arc<[String]>>,
}

/// Tells whether the study of a slug runs here.
pub trait Runs: std::fmt::Debug + Send + Sync {
    /// Whether it does.
    fn runs(&self, slug: &str) -> bool;
}

/// The studies of a build.
impl Runs for Library {
    fn runs(&self, slug: &str) -> bool {
        self.runnable(slug).is_ok()
    }
}

/// No study runs here.
impl Runs for () {
    fn runs(&self, _: &str) -> bool {
        false
    }
}

impl Request {
    /// The first twenty results, without more.
    pub fn new(query: Query) -> Self {
        let runs = Arc::new(());
        Self { query, offset: 0, limit: 20, explain: false, facets: false, runs, within: None }
    }
}

/// Which part of the ranking is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Words and meaning, fused.
    #[default]
    Fused,
    /// Words alone.
    Lexical,
    /// Meaning alone.
    Semantic,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// Papers, the best first.
    pub hits: Vec<Hit>,
    /// How many there are in all, at most [`Results::MOST`].
    pub total: usize,
    /// What the results have in common, if it was asked for.
    pub facets: Option<Facets>,
    /// Roots of the query's words that some paper has; by them [`marks`](crate::marks) finds the
    /// places in a text.
    pub roots: Vec<String>,
}

impl Results {
    /// Most results of one query: what comes after them is not what anybody looked for.
    pub const MOST: usize = 1000;
}

/// A paper that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its id in the catalogue.
    pub id: String,
    /// What it was ranked by: 1 is the most that words and meaning together can give. 0 where
    /// nothing was to be ranked, and the newest come first.
    pub score: f32,
    /// The share of words in it, from 0 to 1, before it is weighed.
    pub lexical: f32,
    /// The cosine between query and paper.
    pub semantic: f32,
    /// How the score came about, if it was asked for.
    pub explanation: Option<Explanation>,
}

impl Hit {
    /// Whether none of the query's words stands in the paper: it is there for its meaning.
    pub fn by_meaning_alone(&self) -> bool {
        self.score > 0.0 && self.lexical == 0.0
    }
}

/// How a score came about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// The weight of the meaning; that of the words is 1 minus it.
    pub semantic_weight: f32,
    /// What each part is worth: words, pairs of words, names. Their sum is the lexical score before
    /// it is divided by that of the best paper.
    pub parts: Vec<(String, f32)>,
    /// The lexical score by which all are divided.
    pub best: f32,
}

/// How many of the results have what, the most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// By year, the newest first; papers without one are left out.
    pub years: Vec<(i16, usize)>,
    /// By venue.
    pub venues: Vec<(String, usize)>,
    /// By category.
    pub categories: Vec<(String, usize)>,
    /// Papers with at least one claim of each outcome.
    pub verdicts: VerdictCounts,
    /// Papers that run here.
    pub runs: usize,
    /// Papers with their authors' code.
    pub code: usize,
}
