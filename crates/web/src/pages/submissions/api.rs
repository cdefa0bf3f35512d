//! Submitting for programs, in the form of the Hugging Face papers API.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use pressrun_catalog::{Reference, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Outcome, curate, find, may_link, propose_known};
use crate::edge::viewer::SignedIn;
use crate::pages::programs::Problem;
use crate::params::json;
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

pub(in crate::pages) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(index))
        .routes(routes!(submit))
        .routes(routes!(links))
        .routes(routes!(list))
}

/// Nothing more to say.
#[derive(Debug, Serialize, ToSchema)]
struct Done {}

/// A paper of arXiv.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Index {
    /// Its id.
    #[schema(pattern = r"^\d{4}\.\d{4,5}$")]
    arxiv_id: String,
}

/// Take a paper in
///
/// Looks a paper of arXiv up there and takes it into the catalogue. One that is there already stays as
/// it is.
#[utoipa::path(
    post,
    path = "/api/papers/index",
    tag = "Papers",
    request_body = Index,
    responses(
        (status = 200, description = "It is in the catalogue", body = Done),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token lacks the scope `write`", body = Problem),
        (status = 404, description = "arXiv has no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
        (status = 502, description = "arXiv could not be asked", body = Problem),
    )
)]
async fn index(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    body: Result<Json<Index>, JsonRejection>,
) -> Result<Json<Done>> {
    viewer.may(&site, Scope::Write)?;
    let Index { arxiv_id } = json(body, "paper", "JSON such as `{\"arxivId\": \"2301.10909\"}`")?;
    let reference: Reference = arxiv_id.parse().map_err(Error::of_form)?;
    if !matches!(reference, Reference::Arxiv(_)) {
        let expected = "an arXiv id such as `2301.10909`";
        return Err(Error::Invalid { what: "arXiv id", value: arxiv_id, expected });
    }
    match find(&site, &viewer, &reference).await? {
        Outcome::Known(_) | Outcome::Brought(_) => Ok(Json(Done {})),
        Outcome::Draft(_) | Outcome::Unknown => Err(Error::no_paper(&arxiv_id)),
        Outcome::Unreachable(reason) => Err(Error::Elsewhere { reason }),
    }
}

/// A paper of the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Submit {
    /// Its id here.
    paper_id: String,
}

/// A paper's page.
#[derive(Debug, Serialize, ToSchema)]
struct Proposed {
    url: String,
}

/// Submit a paper
///
/// Proposes a paper of the catalogue for the list of a day; a curator chooses the day.
#[utoipa::path(
    post,
    path = "/api/papers/submit",
    tag = "Papers",
    request_body = Submit,
    responses(
        (status = 200, description = "It waits for a curator", body = Proposed),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
async fn submit(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    body: Result<Json<Submit>, JsonRejection>,
) -> Result<Json<Proposed>> {
    viewer.may(&site, Scope::Write)?;
    let Submit { paper_id } = json(body, "paper", "JSON such as `{\"paperId\": \"2301.10909\"}`")?;
    let paper = site.catalog.paper(&paper_id).await?.ok_or_else(|| Error::no_paper(&paper_id))?;
    propose_known(&site, &viewer, &paper.id, "").await?;
    Ok(Json(Proposed { url: link::paper(&paper.id) }))
}

/// Where a paper's code and project are. What is absent stays as it is; an empty text takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Links {
    github_repo: Option<String>,
    project_page: Option<String>,
}

/// Set the links of a paper
///
/// For who proposed it and for curators.
#[utoipa::path(
    post,
    path = "/api/papers/{id}/links",
    tag = "Papers",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    request_body = Links,
    responses(
        (status = 200, description = "They are set", body = Done),
        (status = 400, description = "The body cannot be read, or is no address", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "This person or token may not", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
async fn links(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    body: Result<Json<Links>, JsonRejection>,
) -> Result<Json<Done>> {
    let expected = "JSON such as `{\"githubRepo\": \"https://github.com/name/project\"}`";
    let Links { github_repo, project_page } = json(body, "links", expected)?;
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    may_link(&site, &viewer, &paper.id).await?;
    let (code, project) = (github_repo.as_deref(), project_page.as_deref());
    site.catalog.set_links(&paper.id, code, project).await.map_err(Error::of_form)?;
    Ok(Json(Done {}))
}

/// The day of a list.
#[derive(Debug, Deserialize, ToSchema)]
struct ListOn {
    /// `YYYY-MM-DD`; `null` takes the paper off its list.
    #[schema(format = Date)]
    day: Option<String>,
}

/// Put a paper on a list
///
/// For curators, with a token that has the scope `manage`.
#[utoipa::path(
    post,
    path = "/api/papers/{id}/list",
    tag = "Papers",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    request_body = ListOn,
    responses(
        (status = 200, description = "It stands there", body = Done),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "This is for curators", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
async fn list(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    body: Result<Json<ListOn>, JsonRejection>,
) -> Result<Json<Done>> {
    viewer.may(&site, Scope::Manage)?;
    let ListOn { day } = json(body, "day", "JSON such as `{\"day\": \"2025-09-09\"}`")?;
    let day = curate::day(day.as_deref().unwrap_or_default())?;
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    site.catalog.put_on_list(&paper.id, day).await.map_err(Error::of_form)?;
    Ok(Json(Done {}))
}
