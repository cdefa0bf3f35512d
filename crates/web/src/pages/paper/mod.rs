//! A paper's page, and starting its study.

mod view;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use pressrun_lab::Profile;

use self::view::PaperPage;
pub(super) use self::view::setup;
use super::{hub, runs};
use crate::site::{BODY_LIMIT, Shared};
use crate::view::link;
use crate::{Error, Result};

/// Runs listed on a paper's page.
const RECENT_RUNS: u32 = 10;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/papers/{id}", get(paper)).route("/papers/{id}/runs", post(start))
}

async fn paper(State(site): State<Shared>, Path(id): Path<String>) -> Result<Response> {
    let found = site.catalog.paper(&id).await?;
    // An id may end in `.md`; any other such address is that of the paper as Markdown.
    if found.is_none()
        && let Some(id) = id.strip_suffix(".md")
    {
        return hub::read(&site, id).await;
    }
    let paper = found.ok_or_else(|| Error::no_paper(&id))?;
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

type Fields = Vec<(String, String)>;

async fn start(
    State(site): State<Shared>,
    Path(id): Path<String>,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Redirect> {
    let profile = profile(form)?;
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let slug = paper.slug.filter(|slug| site.runs_here(Some(slug)));
    let slug = slug.ok_or(Error::NoStudy { slug: id })?;
    let run = runs::enqueue(&site, &slug, profile, None, None).await?;
    Ok(Redirect::to(&link::run(&run.id)))
}

/// Which profile the form asks for.
fn profile(form: Result<Form<Fields>, FormRejection>) -> Result<Profile> {
    const EXPECTED: &str = "a form with `profile` set to `quick` or `full`";
    let invalid = |value: &str| Error::Invalid {
        what: "profile",
        value: value.to_owned(),
        expected: EXPECTED,
    };
    let Form(fields) = form.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: BODY_LIMIT },
        _ => invalid(""),
    })?;
    let value = fields.into_iter().find(|(name, _)| name == "profile");
    let value = value.map(|(_, value)| value).unwrap_or_default();
    value.parse().map_err(|_| invalid(&value))
}
