//! Comments as pages show them.

use maud::{Markup, PreEscaped, html};
use pressrun_catalog::{Comment, MAX_COMMENT, Paper, Role, Speaker};

use super::{PER_PAGE, audience};
use crate::edge::viewer::{self, Viewer};
use crate::number;
use crate::site::Site;
use crate::view::{date, link};
use crate::{Error, Result};

/// The discussion of a paper, a page of it, with the form.
pub(in crate::pages) async fn section(site: &Site, paper: &Paper, page: u32) -> Result<Markup> {
    let found = site.catalog.discussion(&paper.id, audience(), page, PER_PAGE).await?;
    if page > found.pages {
        return Err(Error::NoSuchPage { page, pages: found.pages });
    }
    let viewer = viewer::current();
    let viewer = viewer.as_deref();
    Ok(html! {
        section #discussion aria-labelledby="discussion-h" {
            h2 #discussion-h {
                "Discussion"
                @if paper.comments > 0 {
                    small.fine { " " (number::counted(paper.comments, "comment", "comments")) }
                }
            }
            @if found.comments.is_empty() { p.empty { "Nobody has said anything yet." } }
            @for comment in &found.comments { (one(site, comment, viewer)) }
            (pages(paper, found.page, found.pages))
            @match viewer {
                Some(viewer) if viewer.person.blocked => {
                    p.fine { "This account may read, and no longer write." }
                }
                Some(_) => (form(&paper.id, None, "")),
                None => {
                    @let to = link::segment(&format!("{}#discussion", link::paper(&paper.id)));
                    p.act { a href={ "/sign-in?to=" (to) } { "Sign in" } " to take part." }
                }
            }
        }
    })
}

fn pages(paper: &Paper, page: u32, pages: u32) -> Markup {
    let address = |page: u32| match page {
        1 => format!("{}#discussion", link::paper(&paper.id)),
        page => format!("{}?comments={page}#discussion", link::paper(&paper.id)),
    };
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages of the discussion" {
                @if page > 1 { a rel="prev" href=(address(page - 1)) { "Earlier comments" } }
                span { "Page " (page) " of " (pages) }
                @if page < pages { a rel="next" href=(address(page + 1)) { "Later comments" } }
            }
        }
    }
}

/// A comment in its place.
fn one(site: &Site, comment: &Comment, viewer: Option<&Viewer>) -> Markup {
    let name = format!("comment-{}", comment.number);
    let class = format!("comment d{}", comment.depth.min(4));
    html! {
        article id=(name) class=(class) aria-label={ "Comment " (comment.number) } {
            @match &comment.by {
                Some(by) => {
                    (head(comment, by, &format!("#comment-{}", comment.number)))
                    @if let Some(hidden) = &comment.hidden {
                        p.fine { "Hidden from others by a curator: " (hidden.reason) }
                    }
                    (said(&site.prose.html(&comment.text, &comment.mentions, "")))
                    (actions(comment, by, viewer))
                }
                None => {
                    p.gone {
                        @match &comment.hidden {
                            Some(hidden) => { "A curator has hidden this comment: " (hidden.reason) }
                            None => "This comment was deleted.",
                        }
                    }
                }
            }
        }
    }
}

/// Who wrote it and when, with a link to its place.
fn head(comment: &Comment, by: &Speaker, place: &str) -> Markup {
    let own = link::comment(&comment.paper, comment.number);
    html! {
        p.by {
            (speaker(by))
            a.when href=(place) { (date::moment(comment.created_at)) }
            @if let Some(parent) = comment.parent {
                a.fine href={ (link::comment(&comment.paper, parent)) } { "to #" (parent) }
            }
            @if comment.edited_at.is_some() {
                a.fine href={ (own) "/history" } { "edited" }
            }
        }
    }
}

/// Who speaks, with what makes their word weigh.
pub(super) fn speaker(by: &Speaker) -> Markup {
    html! {
        a.who href=(link::person(&by.handle)) { (by.name) }
        @if by.is_author { span.tag.author { "author" } }
        @if by.role > Role::Reader { span.tag { (by.role) } }
    }
}

/// A text that was made HTML.
pub(super) fn said(html_: &str) -> Markup {
    html! { div.said { (PreEscaped(html_)) } }
}

/// What can be done with a comment.
fn actions(comment: &Comment, by: &Speaker, viewer: Option<&Viewer>) -> Markup {
    let Some(viewer) = viewer.filter(|viewer| !viewer.person.blocked) else { return html! {} };
    let place = link::comment(&comment.paper, comment.number);
    let of = format!("comment {} by {}", comment.number, by.name);
    let one = |end: &str, name: &str| {
        html! { a href={ (place) "/" (end) } aria-label={ (name) ": " (of) } { (name) } }
    };
    let open = comment.hidden.is_none();
    html! {
        p.actions {
            @if open { (one("reply", "Answer")) }
            @if by.id == viewer.person.id { (one("edit", if open { "Edit" } else { "Delete" })) }
            @else if open { (one("report", "Report")) }
            @if viewer.moderates() { (one("hide", if open { "Hide" } else { "Show again" })) }
        }
    }
}

/// A comment that a form is about.
pub(super) fn quoted(site: &Site, comment: &Comment) -> Markup {
    let place = link::comment(&comment.paper, comment.number);
    html! {
        h2.sr { "The comment" }
        blockquote.box {
            @if let Some(by) = &comment.by { (head(comment, by, &place)) }
            (said(&site.prose.html(&comment.text, &comment.mentions, "")))
        }
    }
}

/// The form of a comment.
pub(super) fn form(paper: &str, parent: Option<i64>, text: &str) -> Markup {
    html! {
        form.stack method="post" action={ (link::paper(paper)) "/comments" } {
            @if let Some(parent) = parent { input type="hidden" name="parent" value=(parent); }
            (text_field(if parent.is_some() { "Your answer" } else { "Your comment" }, text))
            div.buttons {
                button.button name="do" value="post" { "Post" }
                button.button.second name="do" value="preview" { "Preview" }
            }
        }
    }
}

/// The field for a text in Markdown.
pub(super) fn text_field(label: &str, text: &str) -> Markup {
    html! {
        label for="text" { (label) }
        textarea #text name="text" rows="6" required maxlength=(MAX_COMMENT)
            aria-describedby="text-form" { (text) }
        p.fine #text-form {
            "Markdown, formulas between dollar signs: " code { "$e^{i\\pi}$" } ", " code { "$$…$$" }
            "; people by " code { "@short-name" } "."
        }
    }
}

/// Who of this site is an author of a paper.
pub(in crate::pages) async fn authors_here(site: &Site, paper: &Paper) -> Result<Markup> {
    let authors = site.catalog.authors_here(&paper.id).await?;
    let claim = format!("{}/claim", link::paper(&paper.id));
    Ok(html! {
        p.fine.authors-here.act {
            @if !authors.is_empty() {
                "Here: "
                @for (i, (handle, name)) in authors.iter().enumerate() {
                    @if i > 0 { ", " }
                    a href=(link::person(handle)) { (name) }
                }
                ". "
            }
            @if viewer::current().is_some() {
                a href=(claim) { "I am an author of this paper" }
            } @else {
                a href={ "/sign-in?to=" (link::segment(&claim)) } { "I am an author of this paper" }
            }
        }
    })
}
