//! The page of a person that everybody sees.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use maud::{Markup, html};
use pressrun_catalog::{ListQuery, Role};

use crate::edge::viewer;
use crate::site::Shared;
use crate::view::{Nav, Page, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/people/{handle}", get(profile))
}

async fn profile(State(site): State<Shared>, Path(handle): Path<String>) -> Result<Markup> {
    let found = site.catalog.person_called(&handle).await?;
    let person = found.ok_or(Error::NotFound { what: "person", name: handle })?;
    let submitted = site.catalog.submitted_by(person.id, &ListQuery::default()).await?;
    let own = viewer::current().is_some_and(|viewer| viewer.person.id == person.id);
    let body = html! {
        div.narrow {
            p.kicker {
                span { "@" (person.handle) }
                @if person.role > Role::Reader { span { (person.role) } }
                span { "since " (person.joined_at.strftime("%B %Y")) }
            }
            h1 { (person.name) }
            @for paragraph in person.about.lines().filter(|line| !line.trim().is_empty()) {
                p { (paragraph) }
            }
            @if !submitted.is_empty() {
                section aria-label="Submitted papers" {
                    h2 { "Submitted papers" }
                    ul.related {
                        @for paper in &submitted {
                            li { a href=(link::paper(&paper.id)) { (paper.title) } }
                        }
                    }
                }
            }
            @if own { p { a href="/account" { "Your account" } } }
        }
    };
    Ok(Page::new(&person.name, Nav::Elsewhere, body).render())
}
