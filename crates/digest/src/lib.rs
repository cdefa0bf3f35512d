#![doc = include_str!("../README.md")]

mod content;
mod counters;
mod desk;
mod editor;
mod error;
pub mod letter;
mod message;
mod outbox;
mod publisher;
mod smtp;
mod transport;

pub use content::Content;
pub use counters::{Counted, Counters};
pub use editor::{Choice, Editor, Found, Published, TopicError, Topics};
pub use error::{Error, Result};
pub use message::Sender;
pub use outbox::Outbox;
pub use publisher::Publisher;
pub use smtp::Smtp;
pub use transport::Transport;
