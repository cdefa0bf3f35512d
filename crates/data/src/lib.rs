#![doc = include_str!("../README.md")]

mod batches;
pub mod calibration;
pub mod card;
pub mod ctr;
mod digits;
mod embedded;
mod error;
pub mod fashion;
mod hash;
pub mod idx;
pub mod images;
pub mod metric;
mod moments;
pub mod significance;
mod sources;
pub mod split;
pub mod table;
pub mod text;

pub use batches::Batches;
pub use digits::digits;
pub use error::{Error, Result};
pub use fashion::Fashion;
pub use images::Images;
pub use moments::Moments;
pub use sources::{Origin, Provenance, Sources, Split};
