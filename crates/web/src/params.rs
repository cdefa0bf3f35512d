//! What stands behind the question mark of an address, read strictly: a value that cannot be right
//! is refused, a name that belongs to somebody else is left alone.

use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

use crate::site::BODY_LIMIT;
use crate::{Error, Result};

/// The query as it stands in the address.
pub(crate) type Pairs = Vec<(String, String)>;

/// The last page that a program may ask for.
pub(crate) const MOST_PAGES: u32 = 1_000_000;

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

/// The body of a request as JSON of a form.
///
/// # Errors
/// What is wrong with it; `expected` says what would have been right.
pub(crate) fn json<T>(
    body: Result<Json<T>, JsonRejection>,
    what: &'static str,
    expected: &'static str,
) -> Result<T> {
    body.map(|Json(value)| value).map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: BODY_LIMIT },
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        _ => Error::Invalid { what, value: rejection.body_text(), expected },
    })
}
