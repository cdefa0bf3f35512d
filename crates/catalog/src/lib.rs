#![doc = include_str!("../README.md")]

mod catalog;
mod changes;
mod dialect;
mod error;
mod events;
mod harvests;
pub mod identity;
pub mod import;
mod library;
mod lists;
mod migrate;
mod paper;
mod people;
mod period;
mod plan;
mod records;
mod runs;
mod sql;
mod tidy;
mod upsert;
mod walk;

pub use catalog::Catalog;
pub use error::{Constraint, Error, Result};
pub use harvests::Harvest;
pub use library::{
    Examples, LibraryChange, LibraryCounts, LibraryEntry, LibraryPage, LibraryQuery, LibrarySort,
    LibraryState, Tag,
};
pub use lists::{ListPage, ListQuery, Neighbours, Sort};
pub use paper::{NewPaper, Paper, VerdictCounts};
pub use people::{
    Email, LINK_LIFE, Link, Mail, MailCounts, NewMail, Person, Profile, Role, SESSION_LIFE, Scope,
    Secret, Session, Token, Voted,
};
pub use period::Period;
pub use records::{RecordHead, VerdictChange};
pub use runs::{RunEnd, RunRow, RunSignal, RunState};
pub use upsert::Upserted;
pub use walk::Place;
