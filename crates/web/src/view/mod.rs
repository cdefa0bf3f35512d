//! What pages are made of: layout, cards, badges, dates, links, and the parts that show a record.

pub(crate) mod badge;
pub(crate) mod card;
pub(crate) mod claims;
pub(crate) mod date;
pub(crate) mod export;
pub(crate) mod icon;
pub(crate) mod keep;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod measured;
pub(crate) mod provenance;
pub(crate) mod social;
pub(crate) mod vote;

pub(crate) use layout::{Nav, Page};
pub(crate) use measured::Measured;
