#![doc = include_str!("../README.md")]

mod assets;
mod bounded;
pub mod chart;
mod edge;
mod error;
mod number;
mod pages;
mod params;
mod related;
mod rendered;
mod serve;
mod site;
mod view;

pub use error::{Error, Result};
pub use serve::serve;
pub use site::{Settings, Site, router};
