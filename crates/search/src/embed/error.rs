//! What can be wrong with a model's file.

use super::MAX_FILE;

/// A file that is no model, or a model that makes no file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Other first bytes.
    #[error("not a static model: the file does not begin with `PRSTATIC`")]
    Magic,
    /// It ends too early.
    #[error("the file ends within `{what}` at byte {at}; expected {expected} more bytes")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        at: usize,
        /// Its bytes.
        expected: usize,
    },
    /// A number of the header that this build does not read.
    #[error("`{what}` is `{found}`; expected `{expected}`")]
    Value {
        /// Name of the number.
        what: &'static str,
        /// What stands there.
        found: u32,
        /// What this build reads.
        expected: u32,
    },
    /// Not as long as its header says.
    #[error("the file has {found} bytes; expected {expected} by its header")]
    Length {
        /// Its bytes.
        found: u64,
        /// Those of all that the header names.
        expected: u64,
    },
    /// Its contents were changed.
    #[error("the contents' checksum is `{found:016x}`; expected `{expected:016x}`")]
    Checksum {
        /// That of the contents.
        found: u64,
        /// That of the header.
        expected: u64,
    },
    /// A word that is none.
    #[error("word {row}: expected {expected}")]
    Word {
        /// Its row.
        row: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A scale that is no number.
    #[error("the scale of row {row} is `{value}`; expected a finite number")]
    Scale {
        /// The row.
        row: usize,
        /// Its scale.
        value: f32,
    },
    /// A size of unknown words that is no number.
    #[error("the size of unknown words is `{value}`; expected a finite number")]
    Unknown {
        /// It.
        value: f32,
    },
    /// It makes too large a file.
    #[error("the model has {bytes} bytes; expected at most {MAX_FILE}")]
    TooLarge {
        /// The file's bytes.
        bytes: usize,
    },
}
