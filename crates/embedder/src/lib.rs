#![doc = include_str!("../README.md")]

mod corpus;
mod error;
pub mod evaluate;
mod lexicon;
pub mod sentences;
pub mod tasks;
pub mod topics;
mod train;
mod views;
pub mod whole;

pub use corpus::Paper;
pub use error::{Error, Result};
pub use train::{Config, Progress, Trained, train};
pub use views::Shares;
