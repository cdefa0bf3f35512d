//! What curators do: decide about submissions, put papers on days, set links.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use pressrun_catalog::{Paper, Scope, Submitter};

use super::{may_link, missing, number, view};
use crate::edge::viewer::{self, SignedIn, Viewer};
use crate::pages::form::Fields;
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/curate", get(queue))
        .route("/submissions/{id}/accept", post(accept))
        .route("/submissions/{id}/decline", post(decline))
        .route("/papers/{id}/list", post(list))
        .route("/papers/{id}/links", post(links))
}

/// The day on which a list is put together now: lists are of days in UTC.
pub(super) fn today() -> Date {
    TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// A day of a form; none if the field is empty.
pub(super) fn day(text: &str) -> Result<Option<Date>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Error::Invalid {
        what: "day",
        value: text.to_owned(),
        expected: "a form like `2025-09-09`, or nothing for no list",
    })
}

async fn queue(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Markup> {
    // Reading is no act: it costs nothing of what a person may do in a minute.
    if !viewer.moderates() {
        viewer.may(&site, Scope::Manage)?;
    }
    Ok(view::queue(&site.catalog.waiting_submissions().await?))
}

async fn accept(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let day = day(fields.get("day"))?;
    let accepted = site.catalog.accept_submission(number(&id)?, viewer.person.id, day).await;
    let paper = accepted.map_err(Error::of_form)?.ok_or_else(|| missing(&id))?;
    Ok(Redirect::to(&link::paper(&paper)))
}

async fn decline(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let (number, answer) = (number(&id)?, fields.get("answer"));
    let declined = site.catalog.decline_submission(number, viewer.person.id, answer).await;
    if !declined.map_err(Error::of_form)? {
        return Err(missing(&id));
    }
    Ok(Redirect::to("/curate"))
}

async fn list(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let day = day(fields.get("day"))?;
    site.catalog.put_on_list(&id, day).await.map_err(Error::of_form)?;
    Ok(Redirect::to(&link::paper(&id)))
}

async fn links(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    may_link(&site, &viewer, &id).await?;
    let (code, project) = (fields.get("code_url").trim(), fields.get("project_url").trim());
    let set = site.catalog.set_links(&id, Some(code), Some(project)).await;
    set.map_err(Error::of_form)?;
    Ok(Redirect::to(&link::paper(&id)))
}

/// On a paper's page: who proposed it, and for those who may, its list and its links.
pub(in crate::pages) fn control(paper: &Paper, submitter: Option<&Submitter>) -> Markup {
    let viewer = viewer::current();
    let viewer = viewer.as_deref();
    let curates = viewer.is_some_and(Viewer::moderates);
    let own = viewer.zip(submitter).is_some_and(|(v, person)| v.person.id == person.id);
    let address = link::paper(&paper.id);
    html! {
        @if let Some(person) = submitter {
            p.fine { "Submitted by " a href={ "/people/" (person.handle) } { (person.name) } "." }
        }
        @if curates {
            form.row method="post" action={ (address) "/list" } {
                label for="day" { "List of" }
                input #day type="date" name="day" value=[paper.listed.map(|day| day.to_string())];
                button.button.second { "Set" }
            }
        } @else if viewer.is_some() && paper.listed.is_none() {
            form method="post" action={ (address) "/propose" } {
                button.button.second { "Propose it for a list" }
            }
        }
        @if curates || own {
            details {
                summary { "Edit the links" }
                form.stack method="post" action={ (address) "/links" } {
                    label for="code_url" { "Address of the code" }
                    input #code_url name="code_url" value=[paper.code_url.as_deref()] placeholder="https://";
                    label for="project_url" { "Project page" }
                    input #project_url name="project_url" value=[paper.project_url.as_deref()]
                        placeholder="https://";
                    button.button.second { "Save" }
                }
            }
        }
    }
}
