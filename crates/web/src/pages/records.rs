//! Records as JSON, and the schema that they follow.

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pressrun_catalog::{Paper, RecordHead, VerdictCounts};
use pressrun_lab::manifest::ClaimSpec;
use pressrun_lab::{Entry, Outcome, Profile, Record, Verdict};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::programs::{self, Problem, RecordSchema, VerdictSchema};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/record.json", get(newest))
        .route("/runs/{run}/record.json", get(of_run))
        .route("/record.schema.json", get(schema))
}

pub(super) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(heads))
        .routes(routes!(verdicts))
        .routes(routes!(record))
}

async fn newest(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Record>> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let record = newest_of(&site, &paper).await?;
    record.map(Json).ok_or(Error::NotFound { what: "record of paper", name: id })
}

/// The record that speaks for a paper.
async fn newest_of(site: &Site, paper: &Paper) -> Result<Option<Record>> {
    match &paper.slug {
        Some(slug) => Ok(site.catalog.latest_record(slug).await?),
        None => Ok(None),
    }
}

async fn of_run(State(site): State<Shared>, Path(run): Path<String>) -> Result<Json<Record>> {
    let record = site.catalog.record(&run).await?;
    record.map(Json).ok_or(Error::NotFound { what: "record of run", name: run })
}

async fn schema() -> Result<Response> {
    let text = serde_json::to_string_pretty(&Record::json_schema())?;
    Ok(([(CONTENT_TYPE, "application/schema+json")], text).into_response())
}

/// A record without its numbers.
#[derive(Debug, Serialize, ToSchema)]
struct Head {
    run: String,
    #[schema(schema_with = programs::profile)]
    profile: Profile,
    /// Start of the run, RFC 3339 in UTC.
    started: String,
    /// Wall time in seconds.
    seconds: f64,
    #[schema(value_type = Object)]
    verdicts: VerdictCounts,
    /// Why it supersedes an older one.
    reason: Option<String>,
    /// The record with its numbers.
    url: String,
}

impl From<RecordHead> for Head {
    fn from(head: RecordHead) -> Self {
        Self {
            url: format!("/api/records/{}", link::segment(&head.run)),
            run: head.run,
            profile: head.profile,
            started: head.started,
            seconds: head.seconds,
            verdicts: head.verdicts,
            reason: head.reason,
        }
    }
}

/// Records of a paper
///
/// Newest first; the newest full one speaks for the paper, else the newest quick one.
#[utoipa::path(
    get,
    path = "/api/papers/{id}/records",
    tag = "Records",
    params(("id" = String, Path, description = "Its id, its arXiv id or the slug of its study")),
    responses(
        (status = 200, description = "Records, none if it never ran", body = Vec<Head>),
        (status = 404, description = "There is no such paper", body = Problem),
    )
)]
async fn heads(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Vec<Head>>> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let heads = match &paper.slug {
        Some(slug) => site.catalog.records(slug).await?,
        None => Vec::new(),
    };
    Ok(Json(heads.into_iter().map(Head::from).collect()))
}

/// One record
///
/// Everything that a run measured, and everything that is needed to do it again.
#[utoipa::path(
    get,
    path = "/api/records/{run}",
    tag = "Records",
    params(("run" = String, Path, description = "The run that it is of")),
    responses(
        (status = 200, description = "The record", body = RecordSchema),
        (status = 404, description = "There is no record of that run", body = Problem),
    )
)]
async fn record(state: State<Shared>, run: Path<String>) -> Result<Json<Record>> {
    of_run(state, run).await
}

/// The claims of a paper with what came out for each.
#[derive(Debug, Serialize, ToSchema)]
struct Verdicts {
    /// Id of the paper.
    paper: String,
    /// The record that speaks for it; `null` before there is one.
    run: Option<String>,
    claims: Vec<Claim>,
}

/// A claim.
#[derive(Debug, Serialize, ToSchema)]
struct Claim {
    /// `C1`, `C2` ...
    id: String,
    text: String,
    /// Where it stands in the paper.
    source: String,
    /// `reproduced`, `partly`, `not-at-this-scale` or `not-tested`.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// Both numbers of each comparison, the margin and the rule; `null` before there is a record.
    #[schema(value_type = Option<VerdictSchema>)]
    verdict: Option<Verdict>,
}

impl Verdicts {
    fn new(paper: Paper, entry: &Entry, record: Option<Record>) -> Self {
        let verdict = |id: &str| {
            let record = record.as_ref()?;
            record.verdicts.iter().find(|verdict| verdict.claim == id).cloned()
        };
        let claim = |spec: &ClaimSpec| {
            let verdict = verdict(&spec.id);
            Claim {
                id: spec.id.clone(),
                text: spec.text.clone(),
                source: spec.source.clone(),
                outcome: verdict.as_ref().map_or(Outcome::NotTested, |verdict| verdict.outcome),
                verdict,
            }
        };
        let claims = entry.manifest.claims.iter().map(claim).collect();
        Self { paper: paper.id, claims, run: record.map(|record| record.run) }
    }
}

/// Verdicts of a paper
///
/// Its claims, each with the outcome of the record that speaks for the paper.
#[utoipa::path(
    get,
    path = "/api/papers/{id}/verdicts",
    tag = "Records",
    params(("id" = String, Path, description = "Its id, its arXiv id or the slug of its study")),
    responses(
        (status = 200, description = "Claims and verdicts", body = Verdicts),
        (status = 404, description = "There is no such paper, or no study of it", body = Problem),
    )
)]
async fn verdicts(State(site): State<Shared>, Path(id): Path<String>) -> Result<Json<Verdicts>> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let entry = paper.slug.as_deref().and_then(|slug| site.library.get(slug));
    let entry = entry.ok_or(Error::NoStudy { slug: id })?;
    let record = newest_of(&site, &paper).await?;
    Ok(Json(Verdicts::new(paper, entry, record)))
}
