//! What can go wrong with mail.

/// An error of composing or handing over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The catalogue could not be read or written.
    #[error(transparent)]
    Catalog(#[from] pressrun_catalog::Error),
    /// A message could not be composed: trying again does not help.
    #[error("composing the message: {0}")]
    Compose(String),
    /// The mail server's address cannot be used.
    #[error("the mail server's address {problem}; expected {expected}")]
    Server {
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The server could not be reached, or takes no mail from this site.
    #[error("the mail server cannot be used: {0}")]
    Down(String),
    /// The sender's address is none.
    #[error("sender `{given}` is not valid; expected a form like `Pressrun <papers@example.org>`")]
    Sender {
        /// What was given.
        given: String,
    },
    /// A saved search could not be asked; why is in the log.
    #[error("the search `{query}` cannot be asked now; expected a search index that is whole")]
    Topic {
        /// The search.
        query: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
