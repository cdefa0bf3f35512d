//! Style sheet, script, symbol.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::site::Shared;
use crate::{Error, Result, assets};

/// The address carries a hash of the content, so what it names never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const FOR_A_DAY: &str = "public, max-age=86400";

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/assets/{name}", get(asset)).route("/favicon.svg", get(favicon))
}

async fn asset(Path(name): Path<String>) -> Result<Response> {
    let asset = assets::find(&name).ok_or(Error::NotFound { what: "file", name })?;
    Ok(([(CONTENT_TYPE, asset.mime), (CACHE_CONTROL, FOR_GOOD)], asset.text).into_response())
}

async fn favicon() -> Response {
    let headers = [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, FOR_A_DAY)];
    (headers, assets::FAVICON).into_response()
}
