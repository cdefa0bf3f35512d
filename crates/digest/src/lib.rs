#![doc = include_str!("../README.md")]

mod content;
mod counters;
mod editor;
mod error;
pub mod letter;
mod message;
mod outbox;
mod transport;

pub use content::Content;
pub use counters::{Counted, Counters};
pub use editor::{Choice, Editor, Found, Published, TopicError, Topics};
pub use error::{Error, Result};
pub use message::Sender;
pub use outbox::Outbox;
pub use transport::Transport;
