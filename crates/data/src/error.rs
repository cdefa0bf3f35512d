//! What can go wrong with data.

use std::path::PathBuf;

/// An error of this crate; each variant carries the facts a reader needs to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A gzip stream that is damaged, cut off or far too large.
    #[error("`{file}`: cannot be unpacked after {unpacked} bytes: {source}")]
    Gzip {
        /// The file.
        file: String,
        /// How much came out before the failure.
        unpacked: usize,
        /// The decoder's reason.
        source: std::io::Error,
    },
    /// An IDX file that does not hold what it should.
    #[error("`{file}`, byte {offset}: expected {expected}, found {found}")]
    Idx {
        /// The file.
        file: String,
        /// Offset of the offending byte in the unpacked file.
        offset: usize,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A folder that holds some files of a data set, but not all.
    #[error(
        "`{dir}` holds part of the data set: `{missing}` (or `{missing}.gz`) is missing; expected \
         all of it, or none"
    )]
    Incomplete {
        /// The folder.
        dir: PathBuf,
        /// Name of the first missing file.
        missing: &'static str,
    },
    /// A table whose text does not parse.
    #[error("`{table}`, line {line}: expected {expected}, found {found}")]
    Csv {
        /// Name of the table.
        table: String,
        /// Line, counted from 1.
        line: usize,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Parts that do not fit together.
    #[error("{what}: expected {expected}, found `{found}`")]
    Shape {
        /// Which part.
        what: &'static str,
        /// What would have fitted.
        expected: String,
        /// What was given.
        found: usize,
    },
    /// A setting that makes no sense.
    #[error("setting `{setting}` is `{found}`, expected {expected}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Less data than was asked for.
    #[error("{what}: expected at least {needed}, found `{found}`")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How much was asked for.
        needed: usize,
        /// How much there is.
        found: usize,
    },
    /// A download that could not start, or whose answer was not a success.
    #[error("`{url}`: expected an answer with status 200, found {found}")]
    Request {
        /// What was asked for.
        url: String,
        /// Status or transport failure.
        found: String,
    },
    /// A download that broke off or is too long.
    #[error("`{url}`: download ended after {received} bytes: {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// How much came.
        received: u64,
        /// Why it ended.
        reason: String,
    },
    /// A download that is complete but is not the data set.
    #[error("`{url}`: expected unpacked content with SHA-256 `{expected}`, found `{found}`")]
    Checksum {
        /// What was asked for.
        url: String,
        /// The pinned checksum.
        expected: &'static str,
        /// The checksum of what came.
        found: String,
    },
    /// A file that would be read in place of the one to be fetched.
    #[error(
        "`{path}` is in the way: its SHA-256 is not the expected `{expected}`, and it would be read \
         before what is fetched; move it elsewhere"
    )]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// The pinned checksum.
        expected: &'static str,
    },
    /// No address gave the file.
    #[error("`{file}` could not be fetched from any of {} addresses: {}", attempts.len(), join(attempts))]
    EveryAddress {
        /// Name of the file.
        file: &'static str,
        /// What each address answered, in the order in which they were tried.
        attempts: Vec<Error>,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn join(attempts: &[Error]) -> String {
    attempts.iter().map(Error::to_string).collect::<Vec<_>>().join("; ")
}
