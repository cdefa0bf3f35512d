//! Errors as pages or as JSON, by what was asked for; causes go to the log, once.

use std::error::Error as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::{RequestId, viewer};
use crate::Error;
use crate::error::Failure;
use crate::pages::programs::Problem;
use crate::view::{Nav, Page, link};

const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

/// A quick run's time: the soonest at which another try can help.
const RETRY_SECONDS: &str = "20";

pub(super) async fn render(request: Request, next: Next) -> Response {
    let as_json = wants_json(request.uri().path(), request.headers());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.extensions().get::<Failure>() {
        Some(failure) => Arc::clone(&failure.0),
        // A layer or extractor answered by itself. Answers that are complete are left alone.
        None if is_complete(response.headers()) => return response,
        None => Arc::new(Error::Status(status)),
    };
    if let Some(cause) = error.source() {
        tracing::error!(request_id = id, cause = chain(cause), "a request failed");
    }
    let mut page =
        viewer::within(&response, || if as_json { json(&error) } else { html(&error, &id) });
    *page.status_mut() = status;
    // Which methods are allowed is part of the answer to one that is not.
    if let Some(allow) = response.headers().get(ALLOW) {
        page.headers_mut().insert(ALLOW, allow.clone());
    }
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        page.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    }
    // The address has something like a token in it.
    if matches!(*error, Error::DigestLink) {
        page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    page
}

/// JSON was asked for by the address, or by a header that would rather not have a page.
fn wants_json(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let named = accept.contains("application/json") && !accept.contains("text/html");
    let ending = [".json", ".md"].iter().any(|ending| path.ends_with(ending));
    named || path.starts_with("/api/") || ending
}

fn is_complete(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json") || kind.starts_with("text/html")
}

fn chain(cause: &dyn std::error::Error) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn json(error: &Error) -> Response {
    let mut response = Json(Problem::new(error)).into_response();
    let headers = response.headers_mut();
    // The client of Hugging Face shows this text; what is not ASCII it finds in the body.
    let text = error.to_string();
    if text.is_ascii()
        && let Ok(text) = HeaderValue::from_str(&text)
    {
        headers.insert(ERROR_MESSAGE, text);
    }
    // By this it tells that there is no such paper from an address that is wrong.
    if matches!(error, Error::NotFound { what: "paper", .. }) {
        headers.insert(ERROR_CODE, HeaderValue::from_static("EntryNotFound"));
    }
    response
}

fn html(error: &Error, id: &str) -> Response {
    let status = error.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let body = html! {
        div.narrow.failure {
            p.kicker { (status.as_u16()) }
            h1 { (title) }
            p.lead { (error.to_string()) }
            p {
                @match error {
                    Error::TooManyRuns { .. } => a href="/runs" { "The runs" },
                    Error::SignIn { .. } | Error::BadToken | Error::LinkOver => {
                        a href="/sign-in" { "Sign in" }
                    }
                    Error::DigestLink => a href=(link::SUBSCRIBE) { "Subscribe anew" },
                    Error::NoStudy { .. } => a href="/studies" { "The papers that run" },
                    _ => a href="/" { "Today's papers" },
                }
            }
            @if status.is_server_error() {
                p.fine { "Request " code { (id) } }
            }
        }
    };
    Page::new(title, Nav::Elsewhere, body).render().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_by_address_or_by_header() {
        let accept = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(value));
            headers
        };
        assert!(wants_json("/api/runs/x", &HeaderMap::new()));
        assert!(wants_json("/runs/x/record.json", &accept("*/*")));
        assert!(wants_json("/runs/x", &accept("application/json")));
        assert!(!wants_json("/runs/x", &accept("text/html,application/json;q=0.9")));
        assert!(!wants_json("/runs/x", &HeaderMap::new()));
    }
}
