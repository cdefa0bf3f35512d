#![doc = include_str!("../README.md")]

pub mod embed;
mod error;
mod follow;
mod index;
mod lexicon;
mod marks;
mod mask;
pub mod query;
mod ranking;
pub mod recommend;
mod related;
mod request;
mod roots;
mod search;
mod shelf;
mod suggest;
pub mod terms;
mod transformer;
mod vectors;
pub mod words;

pub use error::{Error, Result};
pub use follow::{CaughtUp, Feed, Feeder, Search, Status, feed};
pub use index::{Index, Spent, Writer};
pub use marks::{excerpt, marks};
pub use related::Related;
pub use request::{Explanation, Facets, Hit, Mode, Request, Results, Runs};
pub use suggest::Suggestion;
pub use transformer::{SentenceTransformer, TransformerError};
pub use vectors::Vectors;
