//! Search: its page, its interface for programs, and what the search box suggests.

mod api;
mod facets;
mod guide;
mod params;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query as Given, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pressrun_catalog::Paper;
use pressrun_search::query::Query;
use pressrun_search::{Request, Results};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{Answer, SearchPage};
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::{Error, Result};

/// Results on a page.
const PER_PAGE: usize = 20;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/search", get(page))
}

/// What programs and the search box ask.
pub(super) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default().routes(routes!(api::papers)).routes(routes!(api::suggest))
}

async fn page(State(site): State<Shared>, Given(pairs): Given<Pairs>) -> Result<Response> {
    let params = Params(pairs);
    let (source, page) = (params.query(), params.page()?);
    let status = site.search.status();
    let render = |answer| SearchPage { site: &site, source, page, status, answer }.render();
    if source.trim().is_empty() {
        return Ok(render(Answer::Nothing).into_response());
    }
    let query: Query = match source.parse() {
        Ok(query) => query,
        Err(problem) => {
            let body = render(Answer::Unreadable(problem));
            return Ok((StatusCode::BAD_REQUEST, body).into_response());
        }
    };
    let offset = (page as usize - 1).saturating_mul(PER_PAGE);
    let request = Request {
        offset,
        limit: PER_PAGE,
        facets: true,
        runs: Arc::clone(&site.runs),
        ..Request::new(query.clone())
    };
    let results = site.search.search(request).await.map_err(Error::Search)?;
    if page > 1 && offset >= results.total {
        let pages = results.total.div_ceil(PER_PAGE).max(1);
        return Err(Error::NoSuchPage { page, pages: u32::try_from(pages).unwrap_or(u32::MAX) });
    }
    let papers = papers(&site, &results).await?;
    Ok(render(Answer::Found { query, results, papers }).into_response())
}

/// The papers of a result by id. One that has gone since the index saw it is missing.
async fn papers(site: &Site, results: &Results) -> Result<HashMap<String, Paper>> {
    let ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
    let papers = site.catalog.papers_of(&ids).await?;
    Ok(papers.into_iter().map(|paper| (paper.id.clone(), paper)).collect())
}
