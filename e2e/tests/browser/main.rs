//! A real browser: read, run, search, sign in, vote, comment, keep, submit, subscribe; and what rules say about every
//! page.

#[path = "../../../crates/pressrun/tests/it/server.rs"]
mod server;

mod accessible;
mod commenting;
mod driver;
mod keeping;
mod people;
mod reading;
mod searching;
mod subscribing;
