//! What curators see and do: reports, hiding, claims of authorship, blocking.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use maud::{Markup, html};
use pressrun_catalog::{AuthorClaim, Comment, Report, Role, Scope, VerdictReply};

use super::change::reason_field;
use super::{number_of, paper_of, place, readable, view};
use crate::edge::viewer::SignedIn;
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, date, link};
use crate::{Error, Result, prose};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/moderation", get(overview))
        .route("/moderation/claims", post(decide))
        .route("/moderation/reports", post(settle))
        .route("/moderation/replies", post(reply))
        .route("/papers/{id}/comments/{number}/hide", get(hiding).post(hide))
        .route("/people/{handle}/block", post(block))
}

/// Everything that waits for a curator. A page that is read is no act: it costs nothing of what a person
/// may do in a minute.
async fn overview(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Markup> {
    if !viewer.moderates() {
        viewer.may(&site, Scope::Manage)?;
    }
    let reports = site.catalog.open_reports().await?;
    let claims = site.catalog.open_claims().await?;
    let hidden = site.catalog.hidden_comments().await?;
    let replies = site.catalog.hidden_verdict_replies().await?;
    let blocked = site.catalog.blocked_people().await?;
    let part = |id: &str, title: &str, none: bool, content: Markup| {
        html! {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                @if none { p.fine { "None." } } @else { (content) }
            }
        }
    };
    let body = html! {
        div.narrow.account {
            h1 { "Moderation" }
            @if viewer.person.role >= Role::Administrator {
                p { a href=(link::DIGEST) { "How the digest fares" } }
            }
            (part("reports", "Reports", reports.is_empty(), reported(&site, &reports)))
            (part("claims", "Claims of authorship", claims.is_empty(), claimed(&claims)))
            (part("hidden", "Hidden comments", hidden.is_empty(), listed(&hidden)))
            (part("replies", "Hidden replies to verdicts", replies.is_empty(), said(&replies)))
            (part("blocked", "Blocked people", blocked.is_empty(), html! {
                @for (_, handle, name) in &blocked {
                    form.row method="post" action={ (link::person(handle)) "/block" } {
                        input type="hidden" name="blocked" value="0";
                        a href=(link::person(handle)) { (name) }
                        button.button.second { "Let " (name) " write again" }
                    }
                }
            }))
        }
    };
    Ok(Page::new("Moderation", Nav::Elsewhere, body).render())
}

fn reported(site: &Site, reports: &[Report]) -> Markup {
    html! {
        @for report in reports {
            @let comment = &report.comment;
            (view::quoted(site, comment))
            p {
                a href=(link::person(&report.by)) { "@" (report.by) } ", "
                (date::moment(report.at)) ": " (report.reason)
            }
            form.row method="post" action="/moderation/reports" {
                input type="hidden" name="paper" value=(comment.paper);
                input type="hidden" name="number" value=(comment.number);
                span {
                    a href={ (link::comment(&comment.paper, comment.number)) "/hide" } {
                        "Hide comment " (comment.number) " …"
                    }
                }
                button.button.second aria-label={ "Nothing is wrong with comment " (comment.number) } {
                    "Nothing is wrong"
                }
            }
        }
    }
}

fn claimed(claims: &[AuthorClaim]) -> Markup {
    html! {
        @for claim in claims {
            form.row method="post" action="/moderation/claims" {
                input type="hidden" name="paper" value=(claim.paper);
                input type="hidden" name="person" value=(claim.person);
                span {
                    a href=(link::person(&claim.handle)) { (claim.name) } " as " strong { (claim.author) }
                    " of " a href=(link::paper(&claim.paper)) { (claim.title) }
                    @if !claim.proof.is_empty() { ": " (claim.proof) }
                }
                span.buttons {
                    button.button name="decision" value="confirm"
                        aria-label={ "Confirm " (claim.name) } { "Confirm" }
                    button.button.second name="decision" value="refuse"
                        aria-label={ "Refuse " (claim.name) } { "Refuse" }
                }
            }
        }
    }
}

fn listed(comments: &[Comment]) -> Markup {
    html! {
        ul.links {
            @for comment in comments {
                li {
                    a href={ (link::comment(&comment.paper, comment.number)) "/hide" } {
                        (prose::beginning(&comment.text, 80))
                    }
                    @if let Some(hidden) = &comment.hidden { span.fine { ": " (hidden.reason) } }
                }
            }
        }
    }
}

fn said(replies: &[VerdictReply]) -> Markup {
    html! {
        @for reply in replies {
            form.row method="post" action="/moderation/replies" {
                input type="hidden" name="id" value=(reply.id);
                input type="hidden" name="hidden" value="0";
                span {
                    a href=(link::paper(&reply.paper)) { (reply.claim) } ": "
                    (prose::beginning(&reply.text, 80))
                }
                button.button.second { "Show again" }
            }
        }
    }
}

async fn hiding(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup> {
    if !viewer.moderates() {
        viewer.may(&site, Scope::Manage)?;
    }
    let paper = paper_of(&site, &id).await?;
    let comment = readable(&site, &paper.id, &number).await?;
    let address = format!("{}/hide", link::comment(&paper.id, comment.number));
    let body = html! {
        div.narrow {
            @match &comment.hidden {
                None => {
                    h1 { "Hide a comment" }
                    (view::quoted(&site, &comment))
                    form.stack method="post" action=(address) {
                        input type="hidden" name="hidden" value="1";
                        (reason_field("Why, for everybody to read"))
                        button.button { "Hide it" }
                    }
                }
                Some(hidden) => {
                    h1 { "A hidden comment" }
                    (view::quoted(&site, &comment))
                    p { "Hidden " (date::moment(hidden.at)) ": " (hidden.reason) }
                    form.stack method="post" action=(address) {
                        input type="hidden" name="hidden" value="0";
                        button.button { "Show it again" }
                    }
                }
            }
        }
    };
    Ok(Page::new("Hide a comment", Nav::Papers, body).render())
}

async fn hide(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, number)): Path<(String, String)>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let paper = paper_of(&site, &id).await?;
    let number = number_of(&number)?;
    let done = if flag(&fields, "hidden")? {
        let reason = fields.get("reason");
        site.catalog.hide_comment(&paper.id, number, viewer.person.id, reason).await
    } else {
        site.catalog.unhide_comment(&paper.id, number).await
    };
    done.map_err(Error::of_form)?;
    Ok(Redirect::to(&place(&site, &paper.id, number).await?))
}

/// A field that is `1` or `0`.
fn flag(fields: &Fields, what: &'static str) -> Result<bool> {
    match fields.get(what) {
        "1" => Ok(true),
        "0" => Ok(false),
        other => Err(Error::Invalid { what, value: other.to_owned(), expected: "`1` or `0`" }),
    }
}

async fn settle(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let number = number_of(fields.get("number"))?;
    let settled = site.catalog.settle_reports(fields.get("paper"), number).await;
    settled.map_err(Error::of_form)?;
    Ok(Redirect::to("/moderation"))
}

async fn decide(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let confirmed = match fields.get("decision") {
        "confirm" => true,
        "refuse" => false,
        other => {
            let expected = "`confirm` or `refuse`";
            return Err(Error::Invalid { what: "decision", value: other.to_owned(), expected });
        }
    };
    let text = fields.get("person");
    let person =
        text.parse().map_err(|_| Error::NotFound { what: "claim", name: text.to_owned() })?;
    let paper = fields.get("paper");
    let decided = site.catalog.decide_claim(paper, person, viewer.person.id, confirmed).await;
    decided.map_err(Error::of_form)?;
    Ok(Redirect::to("/moderation"))
}

async fn reply(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let text = fields.get("id");
    let id = text.parse().map_err(|_| Error::NotFound { what: "reply", name: text.to_owned() })?;
    let done = if flag(&fields, "hidden")? {
        site.catalog.hide_verdict_reply(id, viewer.person.id, fields.get("reason")).await
    } else {
        site.catalog.unhide_verdict_reply(id).await
    };
    done.map_err(Error::of_form)?;
    Ok(Redirect::to("/moderation"))
}

async fn block(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(handle): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Manage)?;
    let blocked = flag(&fields, "blocked")?;
    let person = site.catalog.person_called(&handle).await?;
    let person = person.ok_or(Error::NotFound { what: "person", name: handle })?;
    if person.role >= viewer.person.role {
        return Err(Error::Forbidden("Only somebody who may more can block this person."));
    }
    site.catalog.set_blocked(person.id, blocked).await?;
    Ok(Redirect::to(&link::person(&person.handle)))
}
