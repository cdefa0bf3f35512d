//! What can be wrong with a configuration.

/// A configuration that makes no layer; wrong shapes in `forward` are panics instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number outside of its range.
    #[error("{layer}: `{name}` is `{value}`; expected {expected}")]
    Value {
        /// Layer or object that was configured.
        layer: &'static str,
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// Two settings that exclude each other.
    #[error("{layer}: `{first}` and `{second}` exclude each other")]
    Conflict {
        /// Layer or object that was configured.
        layer: &'static str,
        /// One setting.
        first: &'static str,
        /// The other setting.
        second: &'static str,
    },
    /// A device that is not in this build.
    #[error("device `{device}` is not available in this build; available: {available}")]
    Device {
        /// Device that was asked for.
        device: String,
        /// Comma-separated devices of this build.
        available: &'static str,
    },
}

/// The result of configuring something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// [`Error::Value`] unless `ok`.
    pub(crate) fn unless(
        ok: bool,
        layer: &'static str,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<()> {
        if ok {
            Ok(())
        } else {
            Err(Self::Value { layer, name, value: value.to_string(), expected })
        }
    }
}
