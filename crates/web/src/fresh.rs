//! Answers that a reader asks for again and again: sent once, and confirmed from then on.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use sha2::{Digest, Sha256};

/// What the layer that compresses appends to an entity tag: another coding is another
/// representation, and a strong tag is of one.
pub(crate) const COMPRESSED: &str = "-gzip";

/// A document, or 304 if the request says that it has this very one.
///
/// The tag is of the content. `changed` is when what stands in it last changed, as far as that is
/// known; one in the future is left out, as a date of change must not be.
pub(crate) fn answer(
    request: &HeaderMap,
    mime: &'static str,
    content: impl Into<Bytes>,
    changed: Option<Timestamp>,
) -> Response {
    let content = content.into();
    let digest = Sha256::digest(&content);
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let changed = changed.filter(|at| (Timestamp::UNIX_EPOCH..=Timestamp::now()).contains(at));
    let mut response = if is_known(request, &tag, changed) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, mime)], content).into_response()
    };
    let headers = response.headers_mut();
    // Hexadecimal digits are fit for a header, and so is a date.
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(ETAG, value);
    }
    let date = changed.and_then(|at| DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok());
    if let Some(value) = date.and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(LAST_MODIFIED, value);
    }
    response
}

/// Whether the request has this representation: by tag if it names any, else by date.
fn is_known(request: &HeaderMap, tag: &str, changed: Option<Timestamp>) -> bool {
    let mut tags = request.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let mut given = tags.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        return given.any(|given| {
            let given = given.trim();
            let bare = given.strip_prefix("W/").unwrap_or(given).trim_matches('"');
            given == "*" || bare.strip_suffix(COMPRESSED).unwrap_or(bare) == tag
        });
    }
    let since = request.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
    // A date in a header has whole seconds.
    since.zip(changed).is_some_and(|(since, changed)| changed.as_second() <= since.as_second())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn ask(headers: &[(HeaderName, &str)]) -> Response {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(name, value.parse().unwrap());
        }
        let changed = "2025-09-10T08:15:30.75Z".parse().unwrap();
        answer(&request, "text/plain", "content", Some(changed))
    }

    #[test]
    fn a_reader_that_has_it_is_told_so() {
        let first = ask(&[]);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(first.headers()[LAST_MODIFIED], "Wed, 10 Sep 2025 08:15:30 GMT");
        let compressed = tag.replacen("\"", "", 1).replace('"', "-gzip\"");
        for known in [
            vec![(IF_NONE_MATCH, tag.as_str())],
            vec![(IF_NONE_MATCH, "*")],
            vec![(IF_NONE_MATCH, &format!("\"other\", W/{tag}"))],
            vec![(IF_NONE_MATCH, "\"other\""), (IF_NONE_MATCH, &tag)],
            vec![(IF_NONE_MATCH, &format!("\"{compressed}"))],
            vec![(IF_MODIFIED_SINCE, "Wed, 10 Sep 2025 08:15:30 GMT")],
            vec![(IF_MODIFIED_SINCE, "Thu, 11 Sep 2025 00:00:00 GMT")],
        ] {
            let again = ask(&known);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(again.headers()[ETAG], tag.as_str());
            assert!(again.headers().contains_key(LAST_MODIFIED));
        }
        for unknown in [
            vec![(IF_NONE_MATCH, "\"other\"")],
            vec![(IF_MODIFIED_SINCE, "Wed, 10 Sep 2025 08:15:29 GMT")],
            vec![(IF_MODIFIED_SINCE, "yesterday")],
            // The tag decides where both are given.
            vec![
                (IF_NONE_MATCH, "\"other\""),
                (IF_MODIFIED_SINCE, "Thu, 11 Sep 2025 00:00:00 GMT"),
            ],
        ] {
            assert_eq!(ask(&unknown).status(), StatusCode::OK, "{unknown:?}");
        }
    }

    #[test]
    fn a_change_in_the_future_is_none() {
        let future = Timestamp::now() + jiff::SignedDuration::from_hours(2);
        let answer = answer(&HeaderMap::new(), "text/plain", "x", Some(future));
        assert!(!answer.headers().contains_key(LAST_MODIFIED));
    }
}
