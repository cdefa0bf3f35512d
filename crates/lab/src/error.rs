//! What can go wrong in the lab.

use std::path::PathBuf;

/// An error of the lab; each variant carries the facts a reader needs to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The run was cancelled; a study passes it on with `?` and never reports it itself.
    #[error("the run was cancelled")]
    Cancelled,
    /// A `paper.toml` that does not parse.
    #[error("paper `{slug}`: {message}")]
    Manifest {
        /// Folder or slug of the paper.
        slug: String,
        /// The parser's message, which names line and column.
        message: String,
    },
    /// A study judged a claim or a check that its `paper.toml` does not have.
    #[error(
        "paper `{slug}` has no check `{check}` for claim `{claim}`; its paper.toml declares: {known}"
    )]
    UnknownCheck {
        /// Slug of the paper.
        slug: String,
        /// Claim that was asked for.
        claim: String,
        /// Check that was asked for.
        check: String,
        /// What the manifest does declare.
        known: String,
    },
    /// A study needs a number that it did not report.
    #[error("no result `{metric}` for method `{method}` in setting `{setting}` was reported")]
    MissingResult {
        /// Setting that was asked for.
        setting: String,
        /// Method that was asked for.
        method: String,
        /// Metric that was asked for.
        metric: String,
    },
    /// A series or metric was reported that the study never declared.
    #[error("`{name}` is not declared among the study's {kind}; declared: {known}")]
    Undeclared {
        /// `series` or `metrics`.
        kind: &'static str,
        /// The undeclared name.
        name: String,
        /// The declared names.
        known: String,
    },
    /// No paper of that slug, or the paper has no study yet.
    #[error("no study `{slug}`; `pressrun studies` lists those that run")]
    UnknownStudy {
        /// Slug that was asked for.
        slug: String,
    },
    /// The study itself failed: bad data, a diverged model, a wrong shape.
    #[error("{0}")]
    Study(String),
    /// A data set could not be had.
    #[error("data: {0}")]
    Data(String),
    /// The device that was asked for is not in this build.
    #[error("device `{device}` is not available in this build; available: {available}")]
    Device {
        /// Device that was asked for.
        device: String,
        /// Comma-separated devices of this build.
        available: String,
    },
    /// The child process could not be started or read.
    #[error("the run's process: {0}")]
    Process(#[from] std::io::Error),
    /// A record that does not parse.
    #[error("record `{path}`: {message}")]
    Record {
        /// Where it lies.
        path: PathBuf,
        /// The parser's message.
        message: String,
    },
}

/// The lab's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
