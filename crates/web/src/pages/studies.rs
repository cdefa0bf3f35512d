//! The table of papers in this build, as a page and as JSON.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use maud::{Markup, html};
use pressrun_catalog::{Paper, VerdictCounts};
use pressrun_lab::Entry;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::programs::Problem;
use crate::number;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, badge, export, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/studies", get(page))
}

pub(super) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(one))
}

/// The papers of the library that are in the catalogue, each with what the catalogue knows of it.
async fn shelf(site: &Site) -> Result<Vec<(&Entry, Paper)>> {
    let mut shelf = Vec::new();
    for entry in site.library.entries() {
        if let Some(paper) = site.catalog.paper(&entry.manifest.slug).await? {
            shelf.push((entry, paper));
        }
    }
    Ok(shelf)
}

async fn page(State(site): State<Shared>) -> Result<Markup> {
    let shelf = shelf(&site).await?;
    let run = shelf.iter().filter(|(entry, _)| entry.study.is_some()).count();
    let body = html! {
        h1 { "Studies" }
        p.lead {
            (number::counted(run as i64, "paper runs", "papers run")) " here, of "
            (shelf.len()) " that this build knows."
        }
        div.scroll tabindex="0" role="group" aria-label="Studies" {
            table.data.studies {
                thead {
                    tr {
                        th scope="col" { "paper" }
                        th scope="col" { "verdicts" }
                        th.num scope="col" { "claims" }
                        th scope="col" { "family" }
                    }
                }
                tbody {
                    @for (entry, paper) in &shelf {
                        tr {
                            th scope="row" {
                                a href=(link::paper(&paper.id)) { (entry.manifest.title) }
                                code.slug { (entry.manifest.slug) }
                            }
                            td { (badge::paper(paper.verdicts.as_ref(), entry.study.is_some())) }
                            td.num { (entry.manifest.claims.len()) }
                            td { (entry.manifest.family) }
                        }
                    }
                }
            }
        }
        @let comparisons = site.library.comparisons();
        @if !comparisons.is_empty() {
            h2 { "Comparisons across papers" }
            ul.links {
                @for entry in comparisons {
                    li {
                        a href=(link::comparison(&entry.manifest.slug)) { (entry.manifest.title) }
                    }
                }
            }
        }
        p { a href="/api/studies" { "This table as JSON" } }
    };
    let head = export::feeds("Verdicts", |format| format!("/verdicts{}", format.extension()));
    Ok(Page::new("Studies", Nav::Studies, body).with_head(head).render())
}

/// A paper of this build and its study.
#[derive(Debug, Serialize, ToSchema)]
struct Study {
    slug: String,
    /// Id of the paper.
    paper: String,
    title: String,
    family: String,
    /// Whether a study exists that runs the paper.
    runs: bool,
    /// Number of claims.
    claims: usize,
    /// Whether details of the method had to be reconstructed.
    reconstructed: bool,
    /// Outcomes of the newest record; `null` before there is one.
    #[schema(value_type = Option<Object>)]
    verdicts: Option<VerdictCounts>,
    /// The paper's page.
    url: String,
    /// Its claims with their verdicts.
    verdicts_url: String,
    record_url: Option<String>,
}

impl Study {
    fn new(entry: &Entry, paper: Paper) -> Self {
        let manifest = &entry.manifest;
        let url = link::paper(&paper.id);
        Self {
            slug: manifest.slug.clone(),
            title: manifest.title.clone(),
            family: manifest.family.clone(),
            runs: entry.study.is_some(),
            claims: manifest.claims.len(),
            reconstructed: manifest.study.as_ref().is_some_and(|s| s.reconstructed),
            record_url: paper.verdicts.is_some().then(|| format!("{url}/record.json")),
            verdicts_url: format!("/api{url}/verdicts"),
            verdicts: paper.verdicts,
            paper: paper.id,
            url,
        }
    }
}

/// Studies
///
/// The papers that this build knows, with the outcomes of their newest records.
#[utoipa::path(
    get,
    path = "/api/studies",
    tag = "Studies",
    responses((status = 200, description = "Studies", body = Vec<Study>))
)]
async fn list(State(site): State<Shared>) -> Result<Json<Vec<Study>>> {
    let shelf = shelf(&site).await?;
    Ok(Json(shelf.into_iter().map(|(entry, paper)| Study::new(entry, paper)).collect()))
}

/// One study
#[utoipa::path(
    get,
    path = "/api/studies/{slug}",
    tag = "Studies",
    params(("slug" = String, Path, description = "Its slug")),
    responses(
        (status = 200, description = "The study", body = Study),
        (status = 404, description = "There is no such study", body = Problem),
    )
)]
async fn one(State(site): State<Shared>, Path(slug): Path<String>) -> Result<Json<Study>> {
    let missing = || Error::NotFound { what: "study", name: slug.clone() };
    let entry = site.library.get(&slug).ok_or_else(missing)?;
    let paper = site.catalog.paper(&slug).await?.ok_or_else(missing)?;
    Ok(Json(Study::new(entry, paper)))
}
