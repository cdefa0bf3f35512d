//! Which embedder an index uses, and how papers are handed to it.

use std::sync::Arc;

use pressrun_catalog::Paper;

use crate::embed::{Bag, DIMS, Embedder, Entry, StaticModel, Vocabulary, rounded};

/// The embedder of an index.
#[derive(Clone)]
pub enum Vectors {
    /// A table of word vectors: it takes the stems that the lexical index takes.
    Static(&'static StaticModel),
    /// A model that reads whole texts.
    Model(Arc<dyn Embedder>),
}

impl From<&'static StaticModel> for Vectors {
    fn from(model: &'static StaticModel) -> Self {
        Self::Static(model)
    }
}

impl Vectors {
    /// Numbers in a vector.
    pub fn dims(&self) -> usize {
        match self {
            Self::Static(_) => DIMS,
            Self::Model(model) => model.dims(),
        }
    }

    /// Which embedder it is, in a form that differs between any two.
    pub fn identity(&self) -> String {
        match self {
            Self::Static(model) => Embedder::identity(*model),
            Self::Model(model) => model.identity(),
        }
    }

    /// The vector of a query; `None` if nothing of it is known.
    pub(crate) fn query(&self, text: &str) -> Option<Vec<i8>> {
        let vector = match self {
            Self::Static(model) => model.embed(text).to_vec(),
            Self::Model(model) => model.embed(&[text]),
        };
        vector.iter().any(|value| *value != 0.0).then(|| quantised(&vector))
    }

    /// The words it has vectors of, if it is made of such.
    pub(crate) fn vocabulary(&self) -> Option<&'static Vocabulary> {
        match self {
            Self::Static(model) => Some(model.vocabulary()),
            Self::Model(_) => None,
        }
    }

    pub(crate) fn reader(&self) -> Reader {
        match self {
            Self::Static(model) => Reader::Static(Box::new(model.bag())),
            Self::Model(model) => Reader::Model(Arc::clone(model)),
        }
    }
}

impl std::fmt::Debug for Vectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.identity())
    }
}

/// Makes the vectors of papers, one after the other.
pub(crate) enum Reader {
    Static(Box<Bag<'static>>),
    Model(Arc<dyn Embedder>),
}

impl Reader {
    /// Takes a word of the paper, by what the embedder's vocabulary has for it.
    pub(crate) fn word(&mut self, entry: Entry) {
        if let Self::Static(bag) = self {
            bag.entry(entry);
        }
    }

    /// The vector of the paper whose stems have been given.
    pub(crate) fn finish(&mut self, paper: &Paper) -> Vec<i8> {
        match self {
            Self::Static(bag) => quantised(&bag.finish()),
            Self::Model(model) => {
                quantised(&model.embed(&[&format!("{}. {}", paper.title, paper.summary)]))
            }
        }
    }
}

fn quantised(vector: &[f32]) -> Vec<i8> {
    vector.iter().copied().map(rounded).collect()
}
