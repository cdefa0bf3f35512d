//! The page of a person that everybody sees.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use maud::{Markup, html};
use pressrun_catalog::{AuthorClaim, ClaimState, ListQuery, Person, Role};

use crate::edge::viewer;
use crate::site::Shared;
use crate::view::{Nav, Page, date, link};
use crate::{Error, Result, prose};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/people/{handle}", get(profile))
}

/// Comments on a person's page.
const RECENT: u32 = 10;
/// Characters of each.
const EXCERPT: usize = 140;

fn block_form(person: &Person) -> Markup {
    html! {
        form.row method="post" action={ (link::person(&person.handle)) "/block" } {
            input type="hidden" name="blocked" value=(if person.blocked { "0" } else { "1" });
            span { @if person.blocked { "May only read." } }
            button.button.second { @if person.blocked { "Let write again" } @else { "Block" } }
        }
    }
}

async fn profile(State(site): State<Shared>, Path(handle): Path<String>) -> Result<Markup> {
    let found = site.catalog.person_called(&handle).await?;
    let person = found.ok_or(Error::NotFound { what: "person", name: handle })?;
    let submitted = site.catalog.submitted_by(person.id, &ListQuery::default()).await?;
    let viewer = viewer::current();
    let own = viewer.as_ref().is_some_and(|viewer| viewer.person.id == person.id);
    let may_block = viewer.is_some_and(|v| v.moderates() && person.role < v.person.role);
    let claims = site.catalog.claims_of(person.id).await?;
    let papers: Vec<&AuthorClaim> =
        claims.iter().filter(|claim| claim.state == ClaimState::Confirmed).collect();
    let comments = site.catalog.recent_comments_of(person.id, RECENT).await?;
    let body = html! {
        div.narrow.account {
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
            @if may_block { (block_form(&person)) }
            @if !papers.is_empty() {
                section aria-labelledby="papers" {
                    h2 #papers { "Papers" }
                    ul.links {
                        @for claim in papers {
                            li { a href=(link::paper(&claim.paper)) { (claim.title) } }
                        }
                    }
                }
            }
            @if !comments.is_empty() {
                section aria-labelledby="comments" {
                    h2 #comments { "Recent comments" }
                    ul.links {
                        @for (comment, title) in &comments {
                            li {
                                a href=(link::comment(&comment.paper, comment.number)) {
                                    (prose::beginning(&comment.text, EXCERPT))
                                }
                                span.fine { ", " (date::moment(comment.created_at)) " on " (title) }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new(&person.name, Nav::Elsewhere, body).render())
}
