//! Editing, deleting, reporting a comment, and what it said before.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use pressrun_catalog::{Comment, MAX_REASON, Paper, Scope};

use super::{audience, check_length, number_of, paper_of, place, previewed, readable, view};
use crate::edge::viewer::SignedIn;
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, date, link};
use crate::{Error, Result, prose};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/comments/{number}/edit", get(editing).post(edit))
        .route("/papers/{id}/comments/{number}/delete", post(delete))
        .route("/papers/{id}/comments/{number}/history", get(history))
        .route("/papers/{id}/comments/{number}/report", get(reporting).post(report))
}

/// A comment of whoever asks.
async fn own(site: &Site, who: &SignedIn, id: &str, number: &str) -> Result<(Paper, Comment)> {
    let paper = paper_of(site, id).await?;
    let comment = readable(site, &paper.id, number).await?;
    if comment.by.as_ref().is_none_or(|by| by.id != who.0.person.id) {
        return Err(Error::of_form(pressrun_catalog::Error::NotTheirs));
    }
    Ok((paper, comment))
}

async fn editing(
    State(site): State<Shared>,
    who: SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup> {
    who.0.may(&site, Scope::Read)?;
    let (paper, comment) = own(&site, &who, &id, &number).await?;
    let body = html! { h1 { "Your comment" } (forms(&paper, &comment, &comment.text)) };
    Ok(page("Your comment", &body))
}

fn page(title: &str, body: &Markup) -> Markup {
    Page::new(title, Nav::Papers, html! { div.narrow { (body) } }).render()
}

fn forms(paper: &Paper, comment: &Comment, text: &str) -> Markup {
    let address = link::comment(&paper.id, comment.number);
    html! {
        p { "On " a href=(link::paper(&paper.id)) { (paper.title) } }
        @if let Some(hidden) = &comment.hidden {
            p { "A curator has hidden it: " (hidden.reason) }
        } @else {
            form.stack method="post" action={ (address) "/edit" } {
                (view::text_field("What it says", text))
                div.buttons {
                    button.button name="do" value="save" { "Save" }
                    button.button.second name="do" value="preview" { "Preview" }
                }
                p.fine { "What it said before stays to be read in its history." }
            }
        }
        form.stack method="post" action={ (address) "/delete" } {
            button.button.second { "Delete this comment" }
            p.fine { "Its text and history go for good. Where it has answers, its place stays." }
        }
    }
}

async fn edit(
    State(site): State<Shared>,
    who: SignedIn,
    Path((id, number)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response> {
    who.0.may(&site, Scope::Write)?;
    let (paper, comment) = own(&site, &who, &id, &number).await?;
    let text = fields.get("text");
    check_length(text)?;
    if fields.get("do") == "preview" {
        let body = html! {
            h1 { "Preview" }
            h2.sr { "Your text" } div.box.preview { (previewed(&site, text).await?) }
            (forms(&paper, &comment, text))
        };
        return Ok(page("Preview of a comment", &body).into_response());
    }
    save(&site, &who, &paper.id, comment.number, text).await?;
    Ok(Redirect::to(&place(&site, &paper.id, comment.number).await?).into_response())
}

/// Saves what a comment says from now on.
pub(super) async fn save(
    site: &Site,
    who: &SignedIn,
    paper: &str,
    number: i64,
    text: &str,
) -> Result<()> {
    check_length(text)?;
    let person = who.0.person.id;
    site.limits.comment(person)?;
    let names = prose::names(text);
    let saved = site.catalog.edit_comment(paper, number, person, text, &names).await;
    saved.map_err(Error::of_form)
}

async fn delete(
    State(site): State<Shared>,
    who: SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Redirect> {
    who.0.may(&site, Scope::Write)?;
    let paper = paper_of(&site, &id).await?;
    let deleted = site.catalog.delete_comment(&paper.id, number_of(&number)?, who.0.person.id);
    deleted.await.map_err(Error::of_form)?;
    Ok(Redirect::to(&format!("{}#discussion", link::paper(&paper.id))))
}

async fn history(
    State(site): State<Shared>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup> {
    let paper = paper_of(&site, &id).await?;
    let found = site.catalog.comment_history(&paper.id, number_of(&number)?, audience()).await;
    let (comment, versions) = found.map_err(Error::of_form)?;
    let now = comment.edited_at.unwrap_or(comment.created_at);
    let body = html! {
        h1 { "History of a comment" }
        p {
            "On " a href=(link::paper(&paper.id)) { (paper.title) } ". "
            a href=(link::comment(&paper.id, comment.number)) { "The comment in its place" }
        }
        section aria-labelledby="now" {
            h2 #now { "Since " (date::moment(now)) }
            (view::said(&site.prose.html(&comment.text, &comment.mentions, "")))
        }
        @for version in versions.iter().rev() {
            section aria-label={ "Version of " (version.written_at) } {
                h2 { "Before that, from " (date::moment(version.written_at)) }
                (view::said(&site.prose.html(&version.text, &[], "")))
            }
        }
    };
    Ok(page("History of a comment", &body))
}

async fn reporting(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let paper = paper_of(&site, &id).await?;
    let comment = readable(&site, &paper.id, &number).await?;
    let address = link::comment(&paper.id, comment.number);
    let body = html! {
        h1 { "Report a comment" }
        (view::quoted(&site, &comment))
        form.stack method="post" action={ (address) "/report" } {
            (reason_field("What is wrong with it"))
            button.button { "Report it to the curators" }
        }
    };
    Ok(page("Report a comment", &body))
}

/// The field for a reason.
pub(super) fn reason_field(label: &str) -> Markup {
    html! {
        label for="reason" { (label) }
        textarea #reason name="reason" rows="3" required maxlength=(MAX_REASON) {}
    }
}

async fn report(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, number)): Path<(String, String)>,
    fields: Fields,
) -> Result<Markup> {
    viewer.may(&site, Scope::Write)?;
    site.limits.comment(viewer.person.id)?;
    let paper = paper_of(&site, &id).await?;
    let (number, reason) = (number_of(&number)?, fields.get("reason"));
    let reported = site.catalog.report_comment(&paper.id, number, viewer.person.id, reason);
    reported.await.map_err(Error::of_form)?;
    let body = html! {
        h1 { "Reported" }
        p { "The curators will look at it. Thank you." }
        p { a href=(link::comment(&paper.id, number)) { "Back to the discussion" } }
    };
    Ok(page("Reported", &body))
}
