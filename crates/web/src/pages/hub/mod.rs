//! The Hugging Face papers API, so that its clients work here unchanged.

mod item;
mod params;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use pressrun_catalog::{ListQuery, Paper, Period, Place, Sort};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::item::{Beside, Facts, Item, moment};
use super::programs::Problem;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

pub(super) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default().routes(routes!(daily)).routes(routes!(papers)).routes(routes!(paper))
}

/// Papers of the daily lists
///
/// The newest lists first, or one day, week or month. A page after the last is an empty list.
#[utoipa::path(
    get,
    path = "/api/daily_papers",
    tag = "Papers",
    params(
        ("date" = Option<String>, Query, format = Date, description = "A day, such as `2025-09-09`"),
        ("week" = Option<String>, Query, pattern = "^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-2])$",
            description = "An ISO week, such as `2025-W37`"),
        ("month" = Option<String>, Query, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$",
            description = "A month, such as `2025-09`. At most one of day, week and month"),
        ("submitter" = Option<String>, Query, description = "Only what this account submitted"),
        ("sort" = Option<String>, Query, pattern = "^(publishedAt|trending)$",
            description = "`publishedAt` (newest first, the usual order) or `trending`"),
        ("p" = Option<u32>, Query, minimum = 0, maximum = 1000000, description = "Page, from 0"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Papers a page; 50"),
    ),
    responses(
        (status = 200, description = "Papers", body = Vec<Item>),
        (status = 400, description = "A parameter cannot be read", body = Problem),
    )
)]
async fn daily(
    State(site): State<Shared>,
    Query(pairs): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Json<Vec<Item>>> {
    let params = Params(pairs);
    let (period, sort) = (params.period()?, params.sort()?);
    let (page, per_page) = (params.p()?, params.limit_of_list()?);
    let papers = if let Some(handle) = params.value("submitter") {
        // Who is not here has submitted nothing.
        let person = site.catalog.person_called(handle).await?;
        let Some(person) = person else { return Ok(Json(Vec::new())) };
        let query = ListQuery { period, sort, page: page.saturating_add(1), per_page };
        site.catalog.submitted_by(person.id, &query).await?
    } else if period == Period::All && sort == Sort::Date {
        site.catalog.daily(page, per_page).await?
    } else {
        let page = page.saturating_add(1);
        site.catalog.list(&ListQuery { period, sort, page, per_page }).await?.papers
    };
    let base = site.base(&headers)?;
    Ok(Json(items(&site, &base, papers).await?))
}

async fn items(site: &Site, base: &str, papers: Vec<Paper>) -> Result<Vec<Item>> {
    let beside = Beside::papers(site, base, papers.iter()).await?;
    Ok(papers.into_iter().map(|paper| Item::new(site, &beside, paper)).collect())
}

/// All papers, newest first
///
/// Where there are more, the header `Link` names the address that goes on, as `rel="next"`.
#[utoipa::path(
    get,
    path = "/api/papers",
    tag = "Papers",
    params(
        ("cursor" = Option<String>, Query, pattern = "^[0-9-]{0,10}~.+$",
            description = "Where to go on, from the address in `Link`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Papers; 50"),
    ),
    responses(
        (status = 200, description = "Papers", body = Vec<Item>,
            headers(("Link" = String, description = "Where the next ones are"))),
        (status = 400, description = "A parameter cannot be read", body = Problem),
    )
)]
async fn papers(
    State(site): State<Shared>,
    Query(pairs): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response> {
    let params = Params(pairs);
    let (after, limit) = (params.cursor()?, params.limit_of_list()?);
    // One more than is shown tells whether there are more.
    let mut papers = site.catalog.after(after.as_ref(), limit + 1).await?;
    let more = papers.len() > limit as usize;
    papers.truncate(limit as usize);
    // The client follows only whole addresses.
    let base = site.base(&headers)?;
    let next = papers.last().filter(|_| more).map(|last| {
        let cursor = link::segment(&params::cursor(&Place::of(last)));
        format!("<{base}/api/papers?limit={limit}&cursor={cursor}>; rel=\"next\"")
    });
    let mut response = Json(items(&site, &base, papers).await?).into_response();
    if let Some(next) = next.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert(LINK, next);
    }
    Ok(response)
}

/// One paper
#[utoipa::path(
    get,
    path = "/api/papers/{id}",
    tag = "Papers",
    params(("id" = String, Path, description = "Its id, its arXiv id or the slug of its study")),
    responses(
        (status = 200, description = "The paper", body = Facts),
        (status = 400, description = "The id is no text", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
    )
)]
async fn paper(
    State(site): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Facts>> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let base = site.base(&headers)?;
    let beside = Beside::papers(&site, &base, std::iter::once(&paper)).await?;
    Ok(Json(Facts::new(&site, &beside, paper)))
}
