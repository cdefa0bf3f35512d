//! What people say about papers: on the paper's page, in forms of their own, in feeds and for programs.

mod api;
mod authors;
mod change;
mod feeds;
mod moderation;
mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use pressrun_catalog::{Audience, Comment, NewComment, NewMail, Notice, Occasion, Paper, Scope};

pub(super) use self::api::programs;
pub(super) use self::authors::Replies;
pub(super) use self::feeds::of_paper as entries_of_paper;
pub(super) use self::view::{authors_here, section};

use crate::edge::viewer::{self, SignedIn};
use crate::format::line;
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, link};
use crate::{Error, Result, prose};

/// Comments on one page of a discussion.
const PER_PAGE: u32 = 50;
/// Characters of a comment in a mail; the rest is behind the link.
const IN_MAIL: usize = 2000;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/comments", post(write))
        .route("/papers/{id}/comments/{number}", get(permalink))
        .route("/papers/{id}/comments/{number}/reply", get(reply))
        .merge(change::router())
        .merge(moderation::router())
        .merge(authors::router())
        .merge(feeds::router())
}

/// For whom this request reads.
fn audience() -> Audience {
    viewer::current().map_or(Audience::Public, |viewer| viewer.audience())
}

/// A paper that must be there.
async fn paper_of(site: &Site, id: &str) -> Result<Paper> {
    site.catalog.paper(id).await?.ok_or_else(|| Error::no_paper(id))
}

/// The number of a comment, as an address has it.
fn number_of(text: &str) -> Result<i64> {
    let number = text.parse::<i64>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Error::NotFound { what: "comment", name: text.to_owned() })
}

/// A comment that whoever asks may read.
async fn readable(site: &Site, paper: &str, number: &str) -> Result<Comment> {
    let found = site.catalog.comment(paper, number_of(number)?, audience()).await;
    let comment = found.map_err(Error::of_form)?;
    let gone = || Error::NotFound { what: "comment", name: number.to_owned() };
    if comment.by.is_some() { Ok(comment) } else { Err(gone()) }
}

/// A text as the page shows it, before it is posted.
async fn previewed(site: &Site, text: &str) -> Result<Markup> {
    let people = site.catalog.people_called(&prose::names(text)).await?;
    let people = people.into_iter().map(|name| (name.clone(), link::person(&name))).collect();
    Ok(view::said(&prose::render(text, &people)))
}

/// What the form sends: the preview once more, or the comment.
async fn write(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response> {
    viewer.may(&site, Scope::Write)?;
    let paper = paper_of(&site, &id).await?;
    let (text, parent) = (fields.get("text"), fields.get("parent"));
    let parent = if parent.is_empty() { None } else { Some(number_of(parent)?) };
    if fields.get("do") == "preview" {
        check_length(text)?;
        let body = html! {
            div.narrow {
                h1 { "Preview" }
                p { "On " a href=(link::paper(&paper.id)) { (paper.title) } ". Nothing is posted yet." }
                h2.sr { "Your text" } div.box.preview { (previewed(&site, text).await?) }
                (view::form(&paper.id, parent, text))
            }
        };
        return Ok(Page::new("Preview of a comment", Nav::Papers, body).render().into_response());
    }
    let number = post_comment(&site, &viewer.person, &paper.id, parent, text).await?;
    Ok(Redirect::to(&place(&site, &paper.id, number).await?).into_response())
}

/// Refuses what could not be posted either.
fn check_length(text: &str) -> Result<()> {
    if text.chars().count() > pressrun_catalog::MAX_COMMENT {
        let value = prose::beginning(&text.chars().take(200).collect::<String>(), 40);
        let expected = "at most 10,000 characters";
        return Err(Error::Invalid { what: "text", value, expected });
    }
    Ok(())
}

/// Posts a comment. Returns its number.
async fn post_comment(
    site: &Site,
    person: &pressrun_catalog::Person,
    paper: &str,
    parent: Option<i64>,
    text: &str,
) -> Result<i64> {
    check_length(text)?;
    site.limits.comment(person.id)?;
    let new = NewComment {
        paper: paper.to_owned(),
        person: person.id,
        parent,
        text: text.to_owned(),
        mentions: prose::names(text),
    };
    let base = site.settings.fixed_url().to_owned();
    let added = site.catalog.add_comment(&new, &move |notice| mail(notice, &base)).await;
    added.map_err(Error::of_form)
}

/// The mail that tells of a comment.
fn mail(notice: &Notice, base: &str) -> NewMail {
    let (by, title) = (line(&notice.by), line(&notice.title));
    let what = match notice.occasion {
        Occasion::Reply => "answered you",
        Occasion::Mention => "mentioned you",
    };
    let text: String = notice.text.chars().take(IN_MAIL).collect();
    let more = if text.len() < notice.text.len() { " …" } else { "" };
    let address = link::comment(&notice.paper, notice.number);
    let body = format!(
        "{by} {what} in the discussion of\n\n    {title}\n\n{text}{more}\n\n{base}{address}\n\n\
         You get this because your account asks for it. To switch it off: {base}/account#mail\n"
    );
    NewMail {
        kind: match notice.occasion {
            Occasion::Reply => "reply",
            Occasion::Mention => "mention",
        },
        recipient: notice.recipient.clone(),
        subject: format!("{by} {what}: {title}").chars().take(200).collect(),
        body,
        // It holds what somebody may want to delete.
        secret: true,
    }
}

/// Where a comment stands: its page of the discussion, and its place on it.
async fn place(site: &Site, paper: &str, number: i64) -> Result<String> {
    let page = site.catalog.page_of_comment(paper, number, PER_PAGE).await;
    let page = page.map_err(Error::of_form)?;
    let query = if page > 1 { format!("?comments={page}") } else { String::new() };
    Ok(format!("{}{query}#comment-{number}", link::paper(paper)))
}

async fn permalink(
    State(site): State<Shared>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Redirect> {
    let paper = paper_of(&site, &id).await?;
    Ok(Redirect::to(&place(&site, &paper.id, number_of(&number)?).await?))
}

/// The form for an answer, under what it answers.
async fn reply(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let paper = paper_of(&site, &id).await?;
    let comment = readable(&site, &paper.id, &number).await?;
    let body = html! {
        div.narrow {
            h1 { "Answer a comment" }
            p { "On " a href=(link::paper(&paper.id)) { (paper.title) } }
            (view::quoted(&site, &comment))
            (view::form(&paper.id, Some(comment.number), ""))
        }
    };
    Ok(Page::new("Answer a comment", Nav::Papers, body).render())
}
