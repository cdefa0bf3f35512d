//! Tests of the catalogue through its public face, in one binary.

mod archive;
mod concurrency;
mod crash;
mod discussion;
mod forms;
mod importing;
mod library;
mod lists;
mod papers;
mod people;
mod records;
mod runs;
mod subscriptions;
mod support;
