//! What one commit holds.

use std::sync::Arc;

use crate::lexicon::Segments;
use crate::shelf::{Pairs, Shelf};

/// The papers of one commit, in memory and in mapped files. Never changes.
pub(crate) struct Snapshot {
    /// Up to where the catalogue was followed.
    pub revision: i64,
    pub shelf: Shelf,
    pub segments: Segments,
    /// Counts of neighbouring words; shared with the writer, which may be a little ahead.
    pub pairs: Arc<Pairs>,
}
