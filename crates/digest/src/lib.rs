#![doc = include_str!("../README.md")]

mod error;
pub mod letter;
mod message;
mod outbox;
mod transport;

pub use error::{Error, Result};
pub use message::Sender;
pub use outbox::Outbox;
pub use transport::Transport;
