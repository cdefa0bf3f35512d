//! What can go wrong with a training.

use pressrun_search::embed::ModelError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer papers than a batch has.
    #[error("{found} papers to train on; expected at least `batch`, {expected}")]
    Papers {
        /// Papers with a title and an abstract that are not held out.
        found: usize,
        /// The batch.
        expected: usize,
    },
    /// A setting out of its range.
    #[error("`{name}` is `{value}`; expected {expected}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// The loss is no number: the learning rate is too high.
    #[error("the loss of step {step} is no number; expected a lower `lr` than {lr}")]
    Diverged {
        /// The step.
        step: usize,
        /// The learning rate.
        lr: f64,
    },
    /// The engine.
    #[error(transparent)]
    Nn(#[from] pressrun_nn::Error),
    /// The model that came out.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
