//! A paper's page, and starting its study.

mod meta;
mod view;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;
use pressrun_catalog::Paper;
use pressrun_lab::Profile;

use self::view::PaperPage;
pub(super) use self::view::setup;
use super::discussion::{self, Replies};
use super::{formats, runs};
use crate::edge::viewer;
use crate::format::Format;
use crate::pages::form::Fields;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::{keep, link};
use crate::{Error, Result};

/// Runs listed on a paper's page.
const RECENT_RUNS: u32 = 10;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/papers/{id}", get(paper)).route("/papers/{id}/runs", post(start))
}

async fn paper(
    State(site): State<Shared>,
    Path(text): Path<String>,
    Query(pairs): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response> {
    // Ids have dots themselves: the extension comes off first.
    let (id, format) = Format::split(&text);
    let paper = site.catalog.paper(id).await?.ok_or_else(|| Error::no_paper(id))?;
    if paper.id != id {
        // A slug is a second name; the page has one address.
        let end = format.map_or("", Format::extension);
        let address = format!("{}{end}", link::paper(&paper.id));
        return Ok(Redirect::permanent(&address).into_response());
    }
    if let Some(format) = format {
        return formats::paper(&site, &headers, format, paper).await;
    }
    let mut response = if wants_markdown(&headers) {
        formats::in_markdown(&site, &headers, &paper).await?
    } else {
        let params = Params(pairs);
        let right = |page: u32| page >= 1;
        let comments = params.number("comments", "a page of the discussion, from 1", 1, right)?;
        page(&site, &headers, &paper, comments).await?.into_response()
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// Whether Markdown is named, and no page is liked as much.
fn wants_markdown(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut markdown, mut page) = (0.0, 0.0);
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        let weight = weight.unwrap_or(1.0);
        if kind.eq_ignore_ascii_case("text/markdown") {
            markdown = weight;
        } else if kind.eq_ignore_ascii_case("text/html") {
            page = weight;
        }
    }
    markdown > page
}

async fn page(site: &Site, headers: &HeaderMap, paper: &Paper, comments: u32) -> Result<Markup> {
    let (mut rendered, mut records, mut recent) = (None, Vec::new(), Vec::new());
    if let Some(slug) = &paper.slug {
        records = site.catalog.records(slug).await?;
        let full = records.iter().find(|head| head.profile == Profile::Full);
        if let Some(head) = full.or(records.first()) {
            rendered = site.rendered.get(&site.catalog, &head.run).await?;
        }
        recent = site.catalog.runs(Some(slug), RECENT_RUNS).await?;
    }
    viewer::know_votes(site, std::iter::once(paper)).await?;
    let submitters = site.catalog.submitters(&[&paper.id]).await?;
    let kept = keep::of_viewer(site, paper).await?;
    let entry = paper.slug.as_deref().and_then(|slug| site.library.get(slug));
    let related = site.related.of(&site.search, &paper.id).await;
    let replies = match &rendered {
        Some(rendered) => Replies::of(site, &paper.id, &rendered.record.run).await?,
        None => Replies::default(),
    };
    let discussion = discussion::section(site, paper, comments).await?;
    let authors = discussion::authors_here(site, paper).await?;
    // A page is whole without; only its address for other sites is then not absolute.
    let base = site.base(headers).unwrap_or_default();
    let page = PaperPage {
        paper,
        base: &base,
        entry,
        rendered: rendered.as_deref(),
        records: &records,
        recent: &recent,
        related: &related,
        submitter: submitters.get(&paper.id),
        replies: &replies,
        authors,
        discussion,
        kept: &kept,
    };
    Ok(page.render())
}

async fn start(
    State(site): State<Shared>,
    Path(id): Path<String>,
    form: Result<Fields>,
) -> Result<Redirect> {
    runs::may_run(&site)?;
    let profile = profile(form)?;
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let slug = paper.slug.filter(|slug| site.runs_here(Some(slug)));
    let slug = slug.ok_or(Error::NoStudy { slug: id })?;
    let run = runs::enqueue(&site, &slug, profile, None, None).await?;
    Ok(Redirect::to(&link::run(&run.id)))
}

/// Which profile the form asks for.
fn profile(form: Result<Fields>) -> Result<Profile> {
    const EXPECTED: &str = "a form with `profile` set to `quick` or `full`";
    let invalid = |value: &str| Error::Invalid {
        what: "profile",
        value: value.to_owned(),
        expected: EXPECTED,
    };
    let fields = form.map_err(|error| match error {
        Error::TooLarge { limit } => Error::TooLarge { limit },
        _ => invalid(""),
    })?;
    let value = fields.get("profile");
    value.parse().map_err(|_| invalid(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_for_who_would_rather_have_it() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            wants_markdown(&headers)
        };
        assert!(wants("text/markdown"));
        assert!(wants("text/markdown, text/html;q=0.8, */*;q=0.1"));
        assert!(!wants("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wants("text/html, text/markdown"));
        assert!(!wants("*/*"));
        assert!(!wants("text/markdown;q=0"));
    }
}
