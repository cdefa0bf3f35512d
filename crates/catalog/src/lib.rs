#![doc = include_str!("../README.md")]

pub mod archive;
mod catalog;
mod changes;
mod dialect;
mod discussion;
mod error;
mod events;
mod harvests;
pub mod identity;
pub mod import;
mod library;
mod lists;
mod mails;
mod migrate;
mod paper;
mod people;
mod period;
mod plan;
mod records;
mod reference;
mod runs;
mod sql;
mod submissions;
mod subscriptions;
mod tidy;
mod upsert;
mod walk;

pub use catalog::Catalog;
pub use discussion::{
    Audience, AuthorClaim, ClaimState, Comment, Discussion, Hidden, MAX_COMMENT, MAX_REASON,
    NewComment, NewVerdictReply, Notice, Occasion, OwnComment, Report, Speaker, VerdictReply,
    Version,
};
pub use error::{Constraint, Error, Result};
pub use harvests::Harvest;
pub use library::{
    Examples, LibraryChange, LibraryCounts, LibraryEntry, LibraryPage, LibraryQuery, LibrarySort,
    LibraryState, Tag,
};
pub use lists::{ListPage, ListQuery, Neighbours, Sort};
pub use mails::{Delivery, FailedMail, Mail, MailCounts, NewMail};
pub use paper::{NewPaper, Paper, VerdictCounts};
pub use people::{
    Email, LINK_LIFE, Link, Person, Profile, Role, SESSION_LIFE, Scope, Secret, Session, Token,
    Voted,
};
pub use period::Period;
pub use records::{RecordHead, VerdictChange};
pub use reference::{Finder, Finding, Found, Reference};
pub use runs::{RunEnd, RunRow, RunSignal, RunState};
pub use submissions::{About, Proposal, Submission, SubmissionState, Submitted, Submitter};
pub use subscriptions::{
    CONFIRM_LIFE, Frequency, Issue, IssueState, NewIssue, NoPapers, Preferences, Purpose, Schedule,
    SigningKey, Slot, Subscription, SubscriptionCounts,
};
pub use upsert::Upserted;
pub use walk::Place;
