//! What stands around every route: request ids, the access log, counters, security headers, error
//! pages, protection against cross-site requests.

mod access;
mod failure;
mod headers;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod viewer;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

use crate::Error;
use crate::site::Shared;
use crate::view::link;

/// Puts the layers around the routes; the last one is the outermost.
pub(crate) fn around(routes: Router<Shared>, site: &Shared) -> Router<Shared> {
    within(routes, site)
        .layer(from_fn(headers::add))
        // Live streams and images are left alone by the layer's own rule.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn(headers::tag))
        .layer(from_fn_with_state(site.clone(), access::log))
}

/// The layers without those for answers that go over a network: headers, compression, the log.
pub(crate) fn within(routes: Router<Shared>, site: &Shared) -> Router<Shared> {
    routes
        .layer(from_fn_with_state(site.clone(), viewer::know))
        // Only this site's own forms act. Mail programs unsubscribe from wherever they are, some of them
        // by a form in a page of their own: there the token in the address is what counts, and no cookie
        // does.
        .layer(CsrfLayer::new().with_insecure_bypass(|_, uri| uri.path() == link::UNSUBSCRIBE))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(failure::render))
}

/// The identifier of a request, in its log lines, in the answer's header and on error pages.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub String);

/// The panic's text goes to the log; the visitor sees an error page.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = text, "a handler panicked");
    Error::Status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
