//! The fields of a form.

use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;

use crate::site::BODY_LIMIT;
use crate::{Error, Result};

/// What a form sent, in its order.
#[derive(Debug)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field; empty if it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
        form.map(|Form(fields)| Self(fields)).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: BODY_LIMIT },
            _ => Error::Status(StatusCode::BAD_REQUEST),
        })
    }
}

/// A place on this site to go on to: what a form or a link brings along, if it is one.
///
/// `//host`, `/\host` and the like lead browsers elsewhere.
pub(crate) fn place(text: &str) -> &str {
    let own = text.starts_with('/') && !text.starts_with("//") && text.len() <= 500;
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    if own && text.chars().all(plain) { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_on_this_site() {
        for own in ["/", "/papers/2301.10909", "/search?q=a%20b&page=2", "/a//b"] {
            assert_eq!(place(own), own);
        }
        for other in [
            "",
            "papers",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/é",
        ] {
            assert_eq!(place(other), "/", "{other:?}");
        }
    }
}
