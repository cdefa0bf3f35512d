//! One log line and one count per request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;

use super::RequestId;
use crate::site::Shared;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a proxy in front of the site.
const MAX_ID: usize = 64;

pub(super) async fn log(State(site): State<Shared>, mut request: Request, next: Next) -> Response {
    let clock = Instant::now();
    let id = given_id(&request).unwrap_or_else(new_id);
    let method = request.method().clone();
    // The query is left out: later parts of the site put tokens there.
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unmatched".into());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    let latency = clock.elapsed();
    let status = response.status().as_u16();
    site.metrics.request(&route, &method, status, latency);
    tracing::info!(
        target: "pressrun_web::access",
        %method,
        path,
        status,
        latency_ms = latency.as_micros() as f64 / 1000.0,
        request_id = id,
        "request"
    );
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// An id that the request brings along, if it is fit to be written into a log.
fn given_id(request: &Request) -> Option<String> {
    let id = request.headers().get(HEADER)?.to_str().ok()?;
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !id.is_empty() && id.len() <= MAX_ID && id.chars().all(fit);
    good.then(|| id.to_owned())
}

/// Time and a counter: unique in this process, sortable, and no secret.
fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let micros = Timestamp::now().as_microsecond();
    format!("{micros:013x}-{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
