//! A paper's page, and starting its study.

mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use pressrun_lab::Profile;

use self::view::PaperPage;
pub(super) use self::view::setup;
use super::runs;
use crate::edge::viewer;
use crate::pages::form::Fields;
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

/// Runs listed on a paper's page.
const RECENT_RUNS: u32 = 10;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/papers/{id}", get(paper)).route("/papers/{id}/runs", post(start))
}

async fn paper(State(site): State<Shared>, Path(id): Path<String>) -> Result<Response> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    if paper.id != id {
        // A slug is a second name; the page has one address.
        return Ok(Redirect::permanent(&link::paper(&paper.id)).into_response());
    }
    let (mut rendered, mut records, mut recent) = (None, Vec::new(), Vec::new());
    if let Some(slug) = &paper.slug {
        records = site.catalog.records(slug).await?;
        let full = records.iter().find(|head| head.profile == Profile::Full);
        if let Some(head) = full.or(records.first()) {
            rendered = site.rendered.get(&site.catalog, &head.run).await?;
        }
        recent = site.catalog.runs(Some(slug), RECENT_RUNS).await?;
    }
    viewer::know_votes(&site, std::iter::once(&paper)).await?;
    let entry = paper.slug.as_deref().and_then(|slug| site.library.get(slug));
    let related = site.related.of(&site.search, &paper.id).await;
    let page = PaperPage {
        paper: &paper,
        entry,
        rendered: rendered.as_deref(),
        records: &records,
        recent: &recent,
        related: &related,
    };
    Ok(page.render().into_response())
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
