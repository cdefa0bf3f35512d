//! Tests of the catalogue through its public face, in one binary.

mod concurrency;
mod crash;
mod forms;
mod importing;
mod library;
mod lists;
mod papers;
mod people;
mod records;
mod runs;
mod support;
