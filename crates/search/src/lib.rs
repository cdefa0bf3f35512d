#![doc = include_str!("../README.md")]

pub mod query;
pub mod terms;
pub mod words;
