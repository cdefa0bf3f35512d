//! Runs: their list, a run's page, starting, cancelling, starting again.

mod api;
mod events;
mod progress;
mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use maud::Markup;
use pressrun_catalog::{RunRow, RunState, Scope};
use pressrun_lab::Profile;

use self::progress::Progress;
use self::view::RunPage;
use super::discussion::Replies;
use crate::edge::viewer;
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

pub(super) use api::programs;
pub(super) use view::table;

/// Runs on the page of runs.
const LISTED: u32 = 50;
/// Runs looked at to count those that are not over. The queue is worked off in order and few may
/// stand in it, so none that is not over is older than this many.
const COUNTED: u32 = 1000;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{run}", get(run))
        .route("/runs/{run}/events", get(events::stream))
        .route("/runs/{run}/cancel", post(cancel))
        .route("/runs/{run}/restart", post(restart))
}

/// Queues a run, unless as many as the site takes are queued or running.
pub(super) async fn enqueue(
    site: &Site,
    slug: &str,
    profile: Profile,
    seeds: Option<u64>,
    restart_of: Option<&str>,
) -> Result<RunRow> {
    let _one_at_a_time = site.starting.lock().await;
    let limit = site.settings.max_active_runs;
    let runs = site.catalog.runs(None, COUNTED).await?;
    if runs.iter().filter(|run| !run.state.is_over()).count() >= limit {
        return Err(Error::TooManyRuns { limit });
    }
    Ok(site.catalog.enqueue(slug, profile, seeds, restart_of).await?)
}

/// How many of the newest runs are in each state.
pub(super) async fn counts(site: &Site) -> Result<Vec<(&'static str, i64)>> {
    let states = [
        RunState::Queued,
        RunState::Running,
        RunState::Finished,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Interrupted,
    ];
    let runs = site.catalog.runs(None, COUNTED).await?;
    let count = |state| runs.iter().filter(|run| run.state == state).count();
    Ok(states.map(|state| (state.as_str(), count(state) as i64)).to_vec())
}

async fn list(State(site): State<Shared>) -> Result<Markup> {
    let runs = site.catalog.runs(None, LISTED).await?;
    Ok(view::list(&site, &runs))
}

async fn run(State(site): State<Shared>, Path(id): Path<String>) -> Result<Markup> {
    let row = site.catalog.run(&id).await?;
    let rendered = match &row {
        Some(row) if row.state != RunState::Finished => None,
        _ => site.rendered.get(&site.catalog, &id).await?,
    };
    // A record that came with the source has no run in this site's queue.
    let slug = match (&row, &rendered) {
        (Some(row), _) => row.slug.clone(),
        (None, Some(rendered)) => rendered.record.slug.clone(),
        (None, None) => return Err(Error::no_run(&id)),
    };
    let progress = match (&row, &rendered) {
        (Some(_), None) => Progress::read(&site.catalog, &id).await?,
        _ => Progress::default(),
    };
    let entry = site.library.get(&slug);
    let replies = match site.catalog.paper(&slug).await? {
        Some(paper) if rendered.is_some() => Replies::of(&site, &paper.id, &id).await?,
        _ => Replies::default(),
    };
    let page = RunPage {
        id: &id,
        slug: &slug,
        row: row.as_ref(),
        entry,
        rendered: rendered.as_deref(),
        replies: &replies,
        progress: &progress,
    };
    Ok(page.render())
}

/// Fails unless who asks may start and cancel runs here.
///
/// # Errors
/// [`Error::SignIn`] without an account where the site asks for one; [`Error::Forbidden`] for a token
/// without the scope and for somebody who is blocked.
pub(super) fn may_run(site: &Site) -> Result<()> {
    match viewer::current() {
        Some(viewer) => viewer.may(site, Scope::Run),
        None if site.settings.open_runs => Ok(()),
        None => Err(Error::SignIn { what: "starting and cancelling runs" }),
    }
}

async fn cancel(State(site): State<Shared>, Path(id): Path<String>) -> Result<Redirect> {
    let row = cancelled(&site, &id).await?;
    Ok(Redirect::to(&link::run(&row.id)))
}

/// Asks a run to stop. One that has ended in between is what was wanted.
async fn cancelled(site: &Site, id: &str) -> Result<RunRow> {
    may_run(site)?;
    let row = site.catalog.run(id).await?.ok_or_else(|| Error::no_run(id))?;
    site.catalog.request_cancel(&row.id).await?;
    Ok(row)
}

async fn restart(State(site): State<Shared>, Path(id): Path<String>) -> Result<Redirect> {
    let new = restarted(&site, &id).await?;
    Ok(Redirect::to(&link::run(&new.id)))
}

/// Queues a run once more that ended without a record.
async fn restarted(site: &Site, id: &str) -> Result<RunRow> {
    may_run(site)?;
    let row = site.catalog.run(id).await?.ok_or_else(|| Error::no_run(id))?;
    if !is_restartable(row.state) {
        return Err(Error::NotRestartable { state: row.state.as_str() });
    }
    if !site.runs_here(Some(&row.slug)) {
        return Err(Error::NoStudy { slug: row.slug });
    }
    enqueue(site, &row.slug, row.profile, row.seeds, Some(&row.id)).await
}

/// Whether it ended without a record.
fn is_restartable(state: RunState) -> bool {
    matches!(state, RunState::Failed | RunState::Cancelled | RunState::Interrupted)
}
