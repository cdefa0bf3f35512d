//! Runs for programs: reading them, starting, cancelling, starting again.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use pressrun_catalog::{RunRow, RunState};
use pressrun_lab::{Event, Profile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::BEFORE_ALL;
use crate::pages::hub::moment;
use crate::pages::programs::{self, Problem};
use crate::params::{Pairs, Params, json};
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

/// Runs or events of an answer where nobody says how many.
const LIMIT: u32 = 50;
/// Most of them.
const MOST: u32 = 1000;
/// Most seeds that a program may ask for: as many as `pressrun run` takes.
const MAX_SEEDS: u64 = 100;

pub(in crate::pages) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(events))
        .routes(routes!(start))
        .routes(routes!(cancel))
        .routes(routes!(restart))
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
struct Run {
    run: String,
    /// Slug of the study.
    slug: String,
    #[schema(schema_with = programs::profile)]
    profile: Profile,
    /// Number of seeds; `null` for the profile's own.
    seeds: Option<u64>,
    #[schema(schema_with = programs::state)]
    state: &'static str,
    /// Whether nothing happens to it any more.
    over: bool,
    /// Work done, in the study's own units.
    done: i64,
    /// Work planned so far.
    total: i64,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    /// Why it failed.
    error: Option<String>,
    /// The run that this one does again.
    restart_of: Option<String>,
    cancel_requested: bool,
    url: String,
    /// Its events as they come, by Server-Sent Events.
    events_url: String,
    /// Where the record is; `null` unless the run went through.
    record_url: Option<String>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        let url = link::run(&row.id);
        Self {
            slug: row.slug,
            profile: row.profile,
            seeds: row.seeds,
            state: row.state.as_str(),
            over: row.state.is_over(),
            done: row.done,
            total: row.total,
            created_at: moment(row.created_at),
            started_at: row.started_at.map(moment),
            finished_at: row.finished_at.map(moment),
            error: row.error,
            restart_of: row.restart_of,
            cancel_requested: row.cancel_requested,
            events_url: format!("{url}/events"),
            record_url: (row.state == RunState::Finished).then(|| format!("{url}/record.json")),
            url,
            run: row.id,
        }
    }
}

impl Params {
    fn limit_of_runs(&self) -> Result<u32> {
        let right = |limit| (1..=MOST).contains(&limit);
        self.number("limit", "a number from 1 to 1000", LIMIT, right)
    }
}

/// Runs
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/api/runs",
    tag = "Runs",
    params(
        ("slug" = Option<String>, Query, description = "Only runs of this study"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Runs; 50"),
    ),
    responses(
        (status = 200, description = "Runs", body = Vec<Run>),
        (status = 400, description = "A parameter cannot be read", body = Problem),
    )
)]
async fn list(State(site): State<Shared>, Query(pairs): Query<Pairs>) -> Result<Json<Vec<Run>>> {
    let params = Params(pairs);
    let runs = site.catalog.runs(params.value("slug"), params.limit_of_runs()?).await?;
    Ok(Json(runs.into_iter().map(Run::from).collect()))
}

/// One run
#[utoipa::path(
    get,
    path = "/api/runs/{run}",
    tag = "Runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The run", body = Run),
        (status = 404, description = "There is no such run", body = Problem),
    )
)]
async fn one(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Run>> {
    let row = site.catalog.run(&id).await?.ok_or_else(|| Error::no_run(&id))?;
    Ok(Json(row.into()))
}

/// What a run said.
#[derive(Debug, Serialize)]
struct Said {
    seq: i64,
    #[serde(flatten)]
    event: Event,
}

/// What a run said: a number, the kind, and what belongs to the kind.
#[derive(ToSchema)]
#[schema(as = Event)]
#[allow(dead_code, reason = "it describes what `Said` writes")]
struct SaidSchema {
    /// Counts from 0.
    seq: i64,
    /// `started`, `progress`, `point`, `result`, `tuning`, `data` or `log`.
    event: String,
}

/// Events of a run
///
/// What it has said so far. The record is not among them; it has an address of its own.
#[utoipa::path(
    get,
    path = "/api/runs/{run}/events",
    tag = "Runs",
    params(
        ("run" = String, Path, description = "Its id"),
        ("after" = Option<i64>, Query, minimum = -1,
            description = "Only events after the one of this number"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Events; 50"),
    ),
    responses(
        (status = 200, description = "Events", body = Vec<SaidSchema>),
        (status = 400, description = "A parameter cannot be read", body = Problem),
        (status = 404, description = "There is no such run", body = Problem),
    )
)]
async fn events(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Vec<Said>>> {
    let params = Params(pairs);
    let expected = "the number of an event, or -1 for all";
    let after = params.number("after", expected, BEFORE_ALL, |after: i64| after >= BEFORE_ALL)?;
    let limit = params.limit_of_runs()?;
    site.catalog.run(&id).await?.ok_or_else(|| Error::no_run(&id))?;
    let events = site.catalog.events(&id, after, limit).await?;
    let events = events.into_iter().filter(|(_, event)| !event.is_last());
    Ok(Json(events.map(|(seq, event)| Said { seq, event }).collect()))
}

/// What is to run.
#[derive(Debug, Deserialize, ToSchema)]
struct Start {
    #[schema(schema_with = programs::profile)]
    profile: Profile,
    /// Number of seeds; the profile's own if absent.
    #[schema(minimum = 1, maximum = 100)]
    seeds: Option<u64>,
}

/// Start a run
///
/// Puts a run of the paper's study into the queue.
#[utoipa::path(
    post,
    path = "/api/papers/{id}/runs",
    tag = "Runs",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    request_body = Start,
    responses(
        (status = 201, description = "It waits in the queue", body = Run,
            headers(("Location" = String, description = "The run"))),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 401, description = "Runs are for people with an account here", body = Problem),
        (status = 403, description = "The token has no right to runs", body = Problem),
        (status = 404, description = "There is no such paper, or no study of it", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too many runs wait or go on", body = Problem),
    )
)]
async fn start(
    State(site): State<Shared>,
    Path(id): Path<String>,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<Response> {
    super::may_run(&site)?;
    let Start { profile, seeds } = body_of(body)?;
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let slug = paper.slug.filter(|slug| site.runs_here(Some(slug)));
    let slug = slug.ok_or(Error::NoStudy { slug: id })?;
    Ok(queued(super::enqueue(&site, &slug, profile, seeds, None).await?))
}

fn body_of(body: Result<Json<Start>, JsonRejection>) -> Result<Start> {
    let expected = "JSON such as `{\"profile\": \"quick\", \"seeds\": 3}`";
    let start = json(body, "start of a run", expected)?;
    match start.seeds {
        Some(seeds) if !(1..=MAX_SEEDS).contains(&seeds) => Err(Error::Invalid {
            what: "number of seeds",
            value: seeds.to_string(),
            expected: "a number from 1 to 100",
        }),
        _ => Ok(start),
    }
}

fn queued(row: RunRow) -> Response {
    let location = format!("/api{}", link::run(&row.id));
    (StatusCode::CREATED, [(LOCATION, location)], Json(Run::from(row))).into_response()
}

/// Cancel a run
///
/// It stops at its next step. One that is over stays as it is.
#[utoipa::path(
    post,
    path = "/api/runs/{run}/cancel",
    tag = "Runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The run", body = Run),
        (status = 401, description = "Runs are for people with an account here", body = Problem),
        (status = 403, description = "The token has no right to runs", body = Problem),
        (status = 404, description = "There is no such run", body = Problem),
    )
)]
async fn cancel(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Run>> {
    super::cancelled(&site, &id).await?;
    let row = site.catalog.run(&id).await?.ok_or_else(|| Error::no_run(&id))?;
    Ok(Json(row.into()))
}

/// Start a run again
///
/// One that failed, was cancelled or was interrupted.
#[utoipa::path(
    post,
    path = "/api/runs/{run}/restart",
    tag = "Runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 201, description = "The new run waits in the queue", body = Run,
            headers(("Location" = String, description = "The run"))),
        (status = 401, description = "Runs are for people with an account here", body = Problem),
        (status = 403, description = "The token has no right to runs", body = Problem),
        (status = 404, description = "There is no such run, or no study of it here", body = Problem),
        (status = 409, description = "It is not over, or it went through", body = Problem),
        (status = 429, description = "Too many runs wait or go on", body = Problem),
    )
)]
async fn restart(State(site): State<Shared>, Path(id): Path<String>) -> Result<Response> {
    Ok(queued(super::restarted(&site, &id).await?))
}
