#![doc = include_str!("../README.md")]

mod address;
mod assets;
mod bounded;
pub mod chart;
mod edge;
mod error;
mod format;
mod fresh;
mod number;
pub mod offline;
mod pages;
mod params;
mod picture;
mod prose;
mod recommended;
mod related;
mod rendered;
mod serve;
mod site;
mod topics;
mod view;

pub use address::public_url;
pub use error::{Error, Result};
pub use pages::sign_in_url;
pub use serve::serve;
pub use site::{Settings, Site, router};
pub use topics::SavedSearches;
