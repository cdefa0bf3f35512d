//! What can go wrong in search.

use crate::query::QueryError;

/// An error of search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The index is not what its last commit says; it has to be built anew.
    #[error("the search index is broken: {what}")]
    Broken {
        /// What was found.
        what: String,
    },
    /// Another program writes the index.
    #[error(
        "the search index in `{folder}` is held by another Pressrun; a site that runs keeps it in \
         step by itself"
    )]
    InUse {
        /// Folder of the index.
        folder: String,
    },
    /// A file could not be used.
    #[error("search index: {0}")]
    Io(#[from] std::io::Error),
    /// The lexical index failed.
    #[error("search index: {0}")]
    Lexicon(#[from] tantivy::TantivyError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] pressrun_catalog::Error),
    /// A search panicked; the index is built anew.
    #[error("the search failed")]
    Panicked,
}

/// The result of a search.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether building the index anew would help.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Io(_) | Self::Lexicon(_) | Self::Panicked)
    }
}
