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
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pressrun_catalog::Paper;
use pressrun_search::query::Query;
use pressrun_search::{Request, Results};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{Answer, SearchPage};
use super::formats::{self, Selection};
use crate::edge::viewer;
use crate::format::Format;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

/// What a search needs.
const QUERY: &str = "some words or conditions, such as `q=experts year:2021..`";

/// Results on a page.
const PER_PAGE: usize = 20;

pub(super) fn router() -> Router<Shared> {
    let mut router = Router::new().route("/search", get(page));
    for format in Format::ALL {
        let answer = async move |State(site): State<Shared>,
                                 Given(pairs): Given<Pairs>,
                                 headers: HeaderMap| {
            exported(&site, &headers, Params(pairs), format).await
        };
        router = router.route(&format!("/search{}", format.extension()), get(answer));
    }
    router
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
    viewer::know_votes(&site, papers.values()).await?;
    viewer::know_library(&site, papers.values()).await?;
    Ok(render(Answer::Found { query, results, papers }).into_response())
}

/// What a search finds, in the format of another program.
///
/// A feed leaves out what is there for its meaning alone, because everything is near to something,
/// and puts the newest first.
async fn exported(
    site: &Site,
    headers: &HeaderMap,
    params: Params,
    format: Format,
) -> Result<Response> {
    let (source, page) = (params.query().trim().to_owned(), params.page()?);
    if source.is_empty() {
        return Err(Error::Invalid { what: "query", value: source, expected: QUERY });
    }
    let query: Query = source.parse().map_err(Error::Query)?;
    let limit = formats::per_page(format) as usize;
    let offset = (page as usize - 1).saturating_mul(limit);
    let runs = Arc::clone(&site.runs);
    let request = Request { offset, limit, runs, ..Request::new(query) };
    let mut results = site.search.search(request).await.map_err(Error::Search)?;
    if page > 1 && offset >= results.total {
        let pages = results.total.div_ceil(limit).max(1);
        return Err(Error::NoSuchPage { page, pages: u32::try_from(pages).unwrap_or(u32::MAX) });
    }
    let more = offset + limit < results.total;
    if format.is_feed() {
        results.hits.retain(|hit| !hit.by_meaning_alone());
    }
    let ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
    let mut papers = site.catalog.papers_of(&ids).await?;
    if format.is_feed() {
        papers.sort_by_key(|paper| std::cmp::Reverse((paper.listed, paper.added_at)));
    }
    let place = |page| link::search_as(&source, format.extension(), page);
    let selection = Selection {
        title: format!("Search: {}", crate::format::line(&source)),
        page: link::search(&source),
        own: place(page),
        previous: (page > 1).then(|| place(page - 1)),
        next: more.then(|| place(page + 1)),
        papers,
    };
    formats::answer(site, headers, format, selection).await
}

/// The papers of a result by id. One that has gone since the index saw it is missing.
async fn papers(site: &Site, results: &Results) -> Result<HashMap<String, Paper>> {
    let ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
    let papers = site.catalog.papers_of(&ids).await?;
    Ok(papers.into_iter().map(|paper| (paper.id.clone(), paper)).collect())
}
