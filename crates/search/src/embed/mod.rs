//! Texts into vectors whose inner products say how near they are in meaning.
//!
//! [`StaticModel`] is the one that is shipped: a table of word vectors, trained by `pressrun embed
//! train` (crate `pressrun-embedder`). [`Embedder`] is what the index needs of any.

mod bag;
mod error;
mod format;
mod hash;
mod model;
mod split;
mod vector;
mod vocabulary;

use std::sync::LazyLock;

use crate::terms::terms;

pub use bag::{Bag, weight};
pub use error::ModelError;
pub use format::MAX_FILE;
pub use hash::fnv1a64;
pub use model::StaticModel;
pub use split::held_out;
pub use vector::{DIMS, Stored, Vector, dot, normalise, quantise, similarity};
pub(crate) use vector::{UNIT, rounded};
pub use vocabulary::{Entry, Unknown, Vocabulary};

/// What makes vectors of texts.
pub trait Embedder: Send + Sync {
    /// Numbers in a vector.
    fn dims(&self) -> usize;

    /// Name and checksum: vectors of two embedders are comparable only if these are equal.
    fn identity(&self) -> String;

    /// The vectors of texts, one after the other: each of length 1, or of zeros.
    fn embed(&self, texts: &[&str]) -> Vec<f32>;
}

/// Calls `each` with what a text is embedded by: the stems of its words, without stop words.
///
/// ```
/// let mut found = Vec::new();
/// pressrun_search::embed::stems("The gates of it", &mut |stem| found.push(stem.to_owned()));
/// assert_eq!(found, ["gate"]);
/// ```
pub fn stems(text: &str, each: &mut dyn FnMut(&str)) {
    terms(text, &mut |term| {
        if !term.stop {
            each(term.stem);
        }
    });
}

static SHIPPED: LazyLock<StaticModel> = LazyLock::new(|| {
    let bytes = include_bytes!("../../model/static-256.bin");
    StaticModel::read(bytes).expect("the model of this build is whole: a test reads it")
});

/// The model of this build; read from the program when first asked for.
///
/// ```
/// use pressrun_search::embed::{dot, quantise, shipped};
///
/// let stored = |text| quantise(&shipped().embed(text));
/// let query = stored("sparsely activated experts");
/// let near = dot(&query, &stored("Mixture-of-experts layers with a top-k gate"));
/// let far = dot(&query, &stored("Depth estimation from a single photograph"));
/// assert!(near > far);
/// ```
pub fn shipped() -> &'static StaticModel {
    &SHIPPED
}

#[cfg(test)]
mod tests;
