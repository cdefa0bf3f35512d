//! What stands behind the question mark of an address, read strictly: a value that cannot be right
//! is refused, a name that belongs to somebody else is left alone.

use std::str::FromStr;

use crate::{Error, Result};

/// The query as it stands in the address.
pub(crate) type Pairs = Vec<(String, String)>;

/// The parameters of an address.
#[derive(Debug)]
pub(crate) struct Params(pub Pairs);

impl Params {
    /// The last value of a name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A number that must be `right`; the `usual` one where none is given.
    pub(crate) fn number<T: FromStr + Copy>(
        &self,
        what: &'static str,
        expected: &'static str,
        usual: T,
        right: impl Fn(T) -> bool,
    ) -> Result<T> {
        let Some(value) = self.value(what) else { return Ok(usual) };
        let number = value.parse().ok().filter(|number| right(*number));
        number.ok_or_else(|| Error::Invalid { what, value: value.to_owned(), expected })
    }
}
