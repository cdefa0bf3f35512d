//! What programs find here: every interface under `/api`, its description, and a page that lists it.

mod page;
mod schema;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::schema::{RecordSchema, VerdictSchema, profile, state};
use super::{discussion, hub, library, people, records, runs, search, studies, submissions};
use crate::Error;
use crate::site::Shared;

/// Why a request was not carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What is wrong, and what would have been right.
    error: String,
    /// The status of the answer.
    status: u16,
    /// The character of a query at which it cannot be read, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
}

impl Problem {
    pub(crate) fn new(error: &Error) -> Self {
        let position = match error {
            Error::Query(problem) => Some(problem.position),
            _ => None,
        };
        Self { error: error.to_string(), status: error.status().as_u16(), position }
    }
}

pub(super) fn router() -> Router<Shared> {
    let (router, described) = OpenApiRouter::default()
        .merge(hub::programs())
        .merge(people::programs())
        .merge(discussion::programs())
        .merge(search::programs())
        .merge(library::programs())
        .merge(records::programs())
        .merge(studies::programs())
        .merge(runs::programs())
        .merge(submissions::programs())
        .split_for_parts();
    let document = Arc::new(schema::document(described));
    let text: Arc<str> = document.to_string().into();
    router
        .route("/api/openapi.json", get(async move || json(&text)))
        .route("/api", get(async move || page::page(&document)))
}

fn json(text: &Arc<str>) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "application/json")], text.to_string())
}

/// A member of the document as text; empty where there is none.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
