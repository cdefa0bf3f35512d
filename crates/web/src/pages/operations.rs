//! For whoever runs the site: health and counters.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::json;

use crate::Result;
use crate::site::Shared;

/// The text format of Prometheus as its client library writes it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/healthz", get(health)).route("/metrics", get(metrics))
}

/// Answers 503 if the database does not.
async fn health(State(site): State<Shared>) -> Response {
    let version = env!("CARGO_PKG_VERSION");
    match site.catalog.ping().await {
        Ok(()) => Json(json!({ "status": "ok", "version": version })).into_response(),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            let body = json!({ "status": "the database does not answer", "version": version });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(State(site): State<Shared>) -> Result<Response> {
    for (state, count) in super::runs::counts(&site).await? {
        site.metrics.runs(state, count);
    }
    let open = site.settings.max_streams.saturating_sub(site.streams.available_permits());
    site.metrics.streams(i64::try_from(open).unwrap_or(i64::MAX));
    site.metrics.outbox(&site.catalog.unsent_mails().await?, Timestamp::now());
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], site.metrics.text()).into_response())
}
