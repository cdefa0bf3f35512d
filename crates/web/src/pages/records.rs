//! Records as JSON, and the schema that they follow.

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pressrun_lab::Record;

use crate::site::Shared;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/record.json", get(newest))
        .route("/runs/{run}/record.json", get(of_run))
        .route("/record.schema.json", get(schema))
}

async fn newest(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Record>> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let record = match &paper.slug {
        Some(slug) => site.catalog.latest_record(slug).await?,
        None => None,
    };
    record.map(Json).ok_or(Error::NotFound { what: "record of paper", name: id })
}

async fn of_run(State(site): State<Shared>, Path(run): Path<String>) -> Result<Json<Record>> {
    let record = site.catalog.record(&run).await?;
    record.map(Json).ok_or(Error::NotFound { what: "record of run", name: run })
}

async fn schema() -> Result<Response> {
    let text = serde_json::to_string_pretty(&Record::json_schema())?;
    Ok(([(CONTENT_TYPE, "application/schema+json")], text).into_response())
}
