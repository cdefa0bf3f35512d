//! Lists of papers: a day, a week, a month, a year, everything, trending; as pages, and in the formats of
//! other programs under the same address with an extension.

mod params;
mod view;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pressrun_catalog::{ListQuery, Paper, Period, Sort};

use self::params::{Pairs, Params};
use self::view::{Kind, List, address};
use super::formats::{self, Selection};
use crate::edge::viewer;
use crate::format::Format;
use crate::site::{Shared, Site};
use crate::{Error, Result};

/// Papers on a page.
const PER_PAGE: u32 = 30;
/// Within a day the date orders nothing: the papers of which most was reproduced come first.
const DAY_SORT: Sort = Sort::Verdict;
/// Days of which the front page's feed holds the papers: a reader that looks once a week misses none.
const DAYS: usize = 7;

/// Lists of one kind of period: the address, what stands at its end, and the usual order.
type Periods = (&'static str, &'static str, &'static str, fn(&Period) -> bool, Sort);
const PERIODS: [Periods; 4] = [
    (
        "/papers/date/{day}",
        "day",
        "a day such as `2025-09-09`",
        |p| matches!(p, Period::Day(_)),
        DAY_SORT,
    ),
    (
        "/papers/week/{week}",
        "week",
        "a week such as `2025-W37`",
        |p| matches!(p, Period::Week { .. }),
        Sort::Date,
    ),
    (
        "/papers/month/{month}",
        "month",
        "a month such as `2025-09`",
        |p| matches!(p, Period::Month { .. }),
        Sort::Date,
    ),
    (
        "/papers/year/{year}",
        "year",
        "a year such as `2025`",
        |p| matches!(p, Period::Year(_)),
        Sort::Date,
    ),
];

pub(super) fn router() -> Router<Shared> {
    let mut router = Router::new().route("/", get(front));
    for (path, what, expected, right_kind, usual) in PERIODS {
        let answer = async move |State(site): State<Shared>,
                                 Path(text): Path<String>,
                                 query: Given,
                                 headers: HeaderMap| {
            let (period, format) = parse(&text, what, expected, right_kind)?;
            let params = Params::read(query, usual)?;
            answer(&site, &headers, Wanted { kind: Kind::Period, period, params, format }).await
        };
        router = router.route(path, get(answer));
    }
    for (kind, path) in [(Kind::All, "/papers/all"), (Kind::Trending, "/papers/trending")] {
        for format in std::iter::once(None).chain(Format::ALL.into_iter().map(Some)) {
            let end = format.map_or("", Format::extension);
            let answer = async move |State(site): State<Shared>,
                                     query: Given,
                                     headers: HeaderMap| {
                let sort = if kind == Kind::Trending { Sort::Trending } else { Sort::Date };
                let params = Params::read(query, sort)?;
                answer(&site, &headers, Wanted { kind, period: Period::All, params, format }).await
            };
            router = router.route(&format!("{path}{end}"), get(answer));
        }
    }
    for format in Format::ALL {
        let answer = async move |State(site): State<Shared>, headers: HeaderMap| {
            recent(&site, &headers, format).await
        };
        router = router.route(&format!("/daily{}", format.extension()), get(answer));
    }
    router
}

type Given = Result<Query<Pairs>, axum::extract::rejection::QueryRejection>;

/// Which list is asked for, and how it is to be written; a page if no format is named.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: Kind,
    period: Period,
    params: Params,
    format: Option<Format>,
}

async fn front(State(site): State<Shared>, query: Given, headers: HeaderMap) -> Result<Response> {
    let params = Params::read(query, DAY_SORT)?;
    let newest = site.catalog.latest_day().await?;
    let period = newest.map_or(Period::All, Period::Day);
    answer(&site, &headers, Wanted { kind: Kind::Front, period, params, format: None }).await
}

fn parse(
    text: &str,
    what: &'static str,
    expected: &'static str,
    right_kind: impl Fn(&Period) -> bool,
) -> Result<(Period, Option<Format>)> {
    let (name, format) = Format::split(text);
    let period = name.parse().ok().filter(right_kind);
    let period = period.ok_or_else(|| Error::Invalid { what, value: text.to_owned(), expected })?;
    Ok((period, format))
}

async fn answer(site: &Site, headers: &HeaderMap, wanted: Wanted) -> Result<Response> {
    let Wanted { kind, period, params: Params { sort, page }, format } = wanted;
    let per_page = format.map_or(PER_PAGE, formats::per_page);
    let query = ListQuery { period, sort, page, per_page };
    let found = site.catalog.list(&query).await?;
    // The first page exists even if it is empty.
    if page > 1 && page > found.pages {
        return Err(Error::NoSuchPage { page, pages: found.pages.max(1) });
    }
    if let Some(format) = format {
        let place = |page| address(kind, period, sort, page, format.extension());
        let selection = Selection {
            title: view::title(kind, period),
            page: address(kind, period, sort, 1, ""),
            own: place(page),
            previous: (page > 1).then(|| place(page - 1)),
            next: (page < found.pages).then(|| place(page + 1)),
            papers: found.papers,
        };
        return formats::answer(site, headers, format, selection).await;
    }
    viewer::know_votes(site, found.papers.iter()).await?;
    viewer::know_library(site, found.papers.iter()).await?;
    let newest = match (kind, period) {
        (Kind::Front, Period::Day(newest)) => Some(newest),
        _ => site.catalog.latest_day().await?,
    };
    let neighbours = match period {
        Period::All => None,
        dated => Some(site.catalog.neighbours(dated).await?),
    };
    // A page is whole without; only its address for other sites is then not absolute.
    let base = site.base(headers).unwrap_or_default();
    let list = List { site, base: &base, kind, period, sort, found, neighbours, newest };
    Ok(list.render().into_response())
}

/// The papers of the newest days: what the front page had this week.
async fn recent(site: &Site, headers: &HeaderMap, format: Format) -> Result<Response> {
    let mut papers: Vec<Paper> = Vec::new();
    let mut next = site.catalog.latest_day().await?.map(Period::Day);
    for _ in 0..DAYS {
        let Some(day) = next else { break };
        let per_page = formats::per_page(format);
        let query = ListQuery { per_page, ..ListQuery::new(day, DAY_SORT) };
        papers.extend(site.catalog.list(&query).await?.papers);
        next = site.catalog.neighbours(day).await?.previous;
    }
    let selection = Selection {
        title: "Daily Papers".into(),
        page: "/".into(),
        own: format!("/daily{}", format.extension()),
        previous: None,
        next: None,
        papers,
    };
    formats::answer(site, headers, format, selection).await
}
