//! Lists of papers: a day, a week, a month, everything, trending.

mod params;
mod view;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use jiff::civil::Date;
use maud::Markup;
use pressrun_catalog::{ListQuery, Period, Sort};

use self::params::{Pairs, Params};
use self::view::{Kind, List};
use crate::edge::viewer;
use crate::site::{Shared, Site};
use crate::{Error, Result};

/// Papers on a page.
const PER_PAGE: u32 = 30;
/// Within a day the date orders nothing: the papers of which most was reproduced come first.
const DAY_SORT: Sort = Sort::Verdict;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(front))
        .route("/papers/date/{day}", get(day))
        .route("/papers/week/{week}", get(week))
        .route("/papers/month/{month}", get(month))
        .route("/papers/all", get(all))
        .route("/papers/trending", get(trending))
}

type Given = Result<Query<Pairs>, axum::extract::rejection::QueryRejection>;

async fn front(State(site): State<Shared>, query: Given) -> Result<Markup> {
    let params = Params::read(query, DAY_SORT)?;
    let newest = site.catalog.latest_day().await?;
    let period = newest.map_or(Period::All, Period::Day);
    show(&site, Kind::Front, period, params, newest).await
}

async fn day(State(site): State<Shared>, Path(text): Path<String>, query: Given) -> Result<Markup> {
    let expected = "a day such as `2025-09-09`";
    let period = parse(&text, "day", expected, |p| matches!(p, Period::Day(_)))?;
    list(&site, Kind::Period, period, Params::read(query, DAY_SORT)?).await
}

async fn week(
    State(site): State<Shared>,
    Path(text): Path<String>,
    query: Given,
) -> Result<Markup> {
    let expected = "a week such as `2025-W37`";
    let period = parse(&text, "week", expected, |p| matches!(p, Period::Week { .. }))?;
    list(&site, Kind::Period, period, Params::read(query, Sort::Date)?).await
}

async fn month(
    State(site): State<Shared>,
    Path(text): Path<String>,
    query: Given,
) -> Result<Markup> {
    let expected = "a month such as `2025-09`";
    let period = parse(&text, "month", expected, |p| matches!(p, Period::Month { .. }))?;
    list(&site, Kind::Period, period, Params::read(query, Sort::Date)?).await
}

async fn all(State(site): State<Shared>, query: Given) -> Result<Markup> {
    list(&site, Kind::All, Period::All, Params::read(query, Sort::Date)?).await
}

async fn trending(State(site): State<Shared>, query: Given) -> Result<Markup> {
    list(&site, Kind::Trending, Period::All, Params::read(query, Sort::Trending)?).await
}

fn parse(
    text: &str,
    what: &'static str,
    expected: &'static str,
    right_kind: impl Fn(&Period) -> bool,
) -> Result<Period> {
    let period = text.parse().ok().filter(right_kind);
    period.ok_or_else(|| Error::Invalid { what, value: text.to_owned(), expected })
}

async fn list(site: &Site, kind: Kind, period: Period, params: Params) -> Result<Markup> {
    let newest = site.catalog.latest_day().await?;
    show(site, kind, period, params, newest).await
}

async fn show(
    site: &Site,
    kind: Kind,
    period: Period,
    params: Params,
    newest: Option<Date>,
) -> Result<Markup> {
    let Params { sort, page } = params;
    let query = ListQuery { period, sort, page, per_page: PER_PAGE };
    let found = site.catalog.list(&query).await?;
    // The first page exists even if it is empty.
    if page > 1 && page > found.pages {
        return Err(Error::NoSuchPage { page, pages: found.pages.max(1) });
    }
    viewer::know_votes(site, found.papers.iter()).await?;
    let neighbours = match period {
        Period::All => None,
        dated => Some(site.catalog.neighbours(dated).await?),
    };
    Ok(List { site, kind, period, sort, found, neighbours, newest }.render())
}
