//! A person's account: name, sessions, tokens, their data, and the end of it.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{Markup, html};
use pressrun_catalog::{About, AuthorClaim, Constraint, Profile, Role, Scope, Session, Token};
use serde_json::{Value, json};

use super::sign_in::signed_out;
use crate::edge::viewer::{SignedIn, Viewer};
use crate::pages::digest;
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, date, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/account", get(account).post(edit))
        .route("/account/sessions/end", post(end_sessions))
        .route("/account/tokens", post(add_token))
        .route("/account/tokens/remove", post(remove_token))
        .route("/account/data.json", get(data))
        .route("/account/mail", post(set_mail))
        .route("/account/delete", post(delete))
}

async fn account(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Response> {
    viewer.in_person()?;
    page(&site, &viewer, None).await
}

/// The page; with a new token, which is shown this once.
async fn page(site: &Site, viewer: &Viewer, new_token: Option<&str>) -> Result<Response> {
    let person = site.catalog.person(viewer.person.id).await?;
    let person = person.ok_or(Error::SignIn { what: "the account" })?;
    let sessions = site.catalog.sessions(person.id).await?;
    let tokens = site.catalog.tokens(person.id).await?;
    let mailed = site.catalog.wants_replies(person.id).await?;
    let claims = site.catalog.claims_of(person.id).await?;
    let digest = digest_of(site, &person.email).await?;
    let body = html! {
        div.narrow.account {
            h1 { "Your account" }
            p.fine { (person.email) ", which nobody else sees. " a href={ "/people/" (person.handle) } { "Your public page" } }
            @if let Some(token) = new_token {
                div.box role="status" {
                    h2 { "Your new token" }
                    p { "Copy it now: it is not shown again." }
                    pre.command { code { (token) } }
                }
            }
            section aria-labelledby="profile" {
                h2 #profile { "Profile" }
                form.stack method="post" action="/account" {
                    label for="name" { "Name" }
                    input #name name="name" value=(person.name) required maxlength="80" autocomplete="name";
                    label for="handle" { "Short name, in addresses" }
                    input #handle name="handle" value=(person.handle) required minlength="3"
                        maxlength="30" pattern="[a-z0-9][a-z0-9\\-]*[a-z0-9]" autocapitalize="none"
                        aria-describedby="handle-form";
                    p.fine #handle-form { "3 to 30 of the letters a to z, digits and dashes" }
                    label for="about" { "About you" }
                    textarea #about name="about" rows="4" maxlength="1000" { (person.about) }
                    button.button { "Save" }
                }
            }
            @if viewer.moderates() {
                p {
                    a href="/moderation" { "Moderation" } ", " a href="/curate" { "submitted papers" }
                    @if person.role >= Role::Administrator { ", " a href=(link::DIGEST) { "the digest" } }
                }
            }
            (mail_form(mailed, digest.as_ref()))
            (claimed(&claims))
            section aria-labelledby="sessions" {
                h2 #sessions { "Signed in" }
                (sessions_list(&sessions))
                form.row method="post" action="/sign-out" { button.button.second { "Sign out here" } }
                @if sessions.len() > 1 {
                    form.row method="post" action="/account/sessions/end" {
                        button.button.second { "Sign out everywhere else" }
                    }
                }
            }
            section aria-labelledby="tokens" {
                h2 #tokens { "Tokens for programs" }
                (tokens_list(&tokens))
                (token_form())
            }
            section aria-labelledby="data" {
                h2 #data { "Your data" }
                p { a href="/account/data.json" { "Everything that is stored about you, as JSON" } }
            }
            (ending(&person.handle))
        }
    };
    let page = Page::new("Your account", Nav::Elsewhere, body).render();
    Ok(([(CACHE_CONTROL, "no-store")], page).into_response())
}

/// The end of the account.
fn ending(handle: &str) -> Markup {
    html! {
        section aria-labelledby="end" {
            h2 #end { "Delete the account" }
            form.stack method="post" action="/account/delete" {
                p {
                    "Your votes, library, comments, papers by e-mail, tokens and sessions go with it, at once and for good. "
                    "Of a comment that somebody has answered the empty place stays."
                }
                label for="confirm" { "To confirm, type your short name, " code { (handle) } }
                input #confirm name="confirm" required autocomplete="off" autocapitalize="none";
                button.button.second { "Delete my account" }
            }
        }
    }
}

/// The subscription of a person's address; whoever signs in has shown that it is theirs.
async fn digest_of(site: &Site, email: &str) -> Result<Option<digest::Own>> {
    digest::of(site, &email.parse().map_err(Error::of_form)?).await
}

fn mail_form(wanted: bool, digest: Option<&digest::Own>) -> Markup {
    html! {
        section aria-labelledby="mail" {
            h2 #mail { "Mail" }
            form.stack method="post" action="/account/mail" {
                label.check {
                    input type="checkbox" name="replies" value="1" checked[wanted];
                    "Tell me when somebody answers or mentions me"
                }
                button.button.second { "Save what is mailed" }
            }
            @match digest {
                Some(own) => {
                    p {
                        "Papers by e-mail come " (digest::schedule(&own.subscription.preferences.schedule))
                        ": " (digest::topic(&own.subscription.preferences)) ". "
                        a href=(own.manage) { "Change, pause or end it" }
                    }
                }
                None => p {
                    a href=(link::SUBSCRIBE) { "Get papers by e-mail" } ", on the days and about the subjects "
                    "that you choose."
                }
            }
        }
    }
}

fn claimed(claims: &[AuthorClaim]) -> Markup {
    html! {
        @if !claims.is_empty() {
            section aria-labelledby="papers" {
                h2 #papers { "Your papers" }
                ul.links {
                    @for claim in claims {
                        li {
                            a href=(link::paper(&claim.paper)) { (claim.title) }
                            span.fine { ", " (claim.state) }
                        }
                    }
                }
            }
        }
    }
}

fn sessions_list(sessions: &[Session]) -> Markup {
    html! {
        ul.links {
            @for session in sessions {
                li {
                    @if session.agent.is_empty() { "A browser that does not say what it is" }
                    @else { (session.agent) }
                    span.fine { ", last used " (date::moment(session.seen_at)) }
                }
            }
        }
    }
}

fn tokens_list(tokens: &[Token]) -> Markup {
    html! {
        @if tokens.is_empty() { p.fine { "You have none." } }
        ul.links {
            @for token in tokens {
                li {
                    form.row method="post" action="/account/tokens/remove" {
                        input type="hidden" name="id" value=(token.id);
                        span {
                            strong { (token.name) } " "
                            span.fine {
                                (token.scopes.iter().map(|s| s.name()).collect::<Vec<_>>().join(", "))
                                @match token.used_at {
                                    Some(at) => { ", last used " (date::moment(at)) }
                                    None => ", never used",
                                }
                            }
                        }
                        button.button.second aria-label={ "Remove the token " (token.name) } { "Remove" }
                    }
                }
            }
        }
    }
}

fn token_form() -> Markup {
    let about = |scope| match scope {
        Scope::Read => "read what is yours",
        Scope::Write => "vote and write",
        Scope::Run => "start and cancel runs",
        Scope::Manage => "what curators do, if you are one",
    };
    html! {
        form.stack method="post" action="/account/tokens" {
            label for="token-name" { "Name of a new token" }
            input #token-name name="name" required maxlength="80" autocomplete="off";
            fieldset {
                legend { "It may" }
                @for scope in Scope::ALL {
                    label.check {
                        input type="checkbox" name="scope" value=(scope) checked[scope == Scope::Read];
                        (scope) span.fine { (about(scope)) }
                    }
                }
            }
            button.button { "Make a token" }
        }
    }
}

async fn edit(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.in_person()?;
    viewer.may(&site, Scope::Write)?;
    let profile = Profile {
        handle: fields.get("handle").trim().to_owned(),
        name: fields.get("name").to_owned(),
        // Forms send line ends in another form.
        about: fields.get("about").replace("\r\n", "\n"),
    };
    match site.catalog.edit_profile(viewer.person.id, &profile).await {
        Err(pressrun_catalog::Error::Constraint(Constraint::PersonHandle)) => {
            Err(Error::Taken { what: "short name", value: profile.handle })
        }
        Err(error) => Err(Error::of_form(error)),
        Ok(()) => Ok(Redirect::to("/account")),
    }
}

async fn set_mail(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.in_person()?;
    // Whoever may only read may still want less mail.
    site.catalog.set_wants_replies(viewer.person.id, fields.get("replies") == "1").await?;
    Ok(Redirect::to("/account#mail"))
}

async fn end_sessions(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Redirect> {
    site.catalog.sign_out_elsewhere(viewer.person.id, viewer.in_person()?).await?;
    Ok(Redirect::to("/account"))
}

async fn add_token(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Response> {
    viewer.in_person()?;
    viewer.may(&site, Scope::Write)?;
    let scopes = fields.all("scope").map(str::parse).collect::<Result<Vec<Scope>, _>>();
    let scopes = scopes.map_err(Error::of_form)?;
    let added = site.catalog.add_token(viewer.person.id, fields.get("name"), &scopes, None).await;
    let secret = added.map_err(Error::of_form)?;
    page(&site, &viewer, Some(secret.reveal())).await
}

async fn remove_token(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.in_person()?;
    let id = fields.get("id");
    let number: i64 =
        id.parse().map_err(|_| Error::NotFound { what: "token", name: id.to_owned() })?;
    if !site.catalog.remove_token(viewer.person.id, number).await? {
        return Err(Error::NotFound { what: "token", name: id.to_owned() });
    }
    Ok(Redirect::to("/account"))
}

async fn data(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Response> {
    viewer.may(&site, Scope::Read)?;
    let person = &viewer.person;
    let time = |at: Timestamp| at.to_string();
    let sessions = site.catalog.sessions(person.id).await?;
    let tokens = site.catalog.tokens(person.id).await?;
    let votes = site.catalog.votes_of(person.id).await?;
    let submissions = site.catalog.submissions_of(person.id).await?;
    let said = said_by(&site, person.id).await?;
    let library = site.catalog.whole_library(person.id).await?;
    let all = json!({
        "person": {
            "email": person.email, "short_name": person.handle, "name": person.name,
            "about": person.about, "role": person.role.name(), "joined_at": time(person.joined_at),
            "blocked": person.blocked,
        },
        "sessions": sessions.iter().map(|session| json!({
            "created_at": time(session.created_at), "seen_at": time(session.seen_at),
            "agent": session.agent,
        })).collect::<Vec<_>>(),
        "tokens": tokens.iter().map(|token| json!({
            "name": token.name, "created_at": time(token.created_at),
            "used_at": token.used_at.map(time), "expires_at": token.expires_at.map(time),
            "scopes": token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "submissions": submissions.iter().map(|submission| json!({
            "at": time(submission.created_at), "state": submission.state.name(),
            "about": match &submission.about {
                About::Paper { id, .. } => json!({ "paper": id }),
                About::Draft(paper) => json!({ "draft": paper }),
            },
            "remark": submission.remark, "answer": submission.answer,
        })).collect::<Vec<_>>(),
        "votes": votes.iter().map(|(paper, at)| json!({ "paper": paper, "at": time(*at) }))
            .collect::<Vec<_>>(),
        "mail_replies": site.catalog.wants_replies(person.id).await?,
        "digest": digest_of(&site, &person.email).await?.map(|own| own.json()),
        "discussion": said,
        "library": library.iter().map(|entry| json!({
            "paper": entry.paper, "state": entry.state.name(), "note": entry.note,
            "tags": entry.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
            "added_at": time(entry.added_at), "changed_at": time(entry.changed_at),
        })).collect::<Vec<_>>(),
    });
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_DISPOSITION, "attachment; filename=\"pressrun-my-data.json\""),
    ];
    Ok((headers, Json(all)).into_response())
}

/// What a person has said, reported and claimed.
async fn said_by(site: &Site, person: i64) -> Result<Value> {
    let comments = site.catalog.all_comments_of(person).await?;
    let replies = site.catalog.verdict_replies_of(person).await?;
    let reports = site.catalog.reports_of(person).await?;
    let claims = site.catalog.claims_of(person).await?;
    Ok(json!({
        "comments": comments.iter().map(|own| json!({
            "paper": own.comment.paper, "number": own.comment.number, "parent": own.comment.parent,
            "text": own.comment.text, "created_at": own.comment.created_at.to_string(),
            "edited_at": own.comment.edited_at.map(|at| at.to_string()),
            "hidden": own.comment.hidden.as_ref().map(|hidden| &hidden.reason),
            "before": own.versions.iter().map(|version| json!({
                "text": version.text, "written_at": version.written_at.to_string(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "replies_to_verdicts": replies.iter().map(|reply| json!({
            "paper": reply.paper, "run": reply.run, "claim": reply.claim, "text": reply.text,
            "disputed": reply.disputed, "at": reply.at.to_string(),
            "hidden": reply.hidden.as_ref().map(|hidden| &hidden.reason),
        })).collect::<Vec<_>>(),
        "reports": reports.iter().map(|(paper, number, at, reason)| json!({
            "paper": paper, "comment": number, "at": at.to_string(), "reason": reason,
        })).collect::<Vec<_>>(),
        "claims_of_authorship": claims.iter().map(|claim| json!({
            "paper": claim.paper, "author": claim.author, "proof": claim.proof,
            "at": claim.at.to_string(), "state": claim.state.name(),
        })).collect::<Vec<_>>(),
    }))
}

async fn delete(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Response> {
    viewer.in_person()?;
    let person = &viewer.person;
    if fields.get("confirm").trim() != person.handle {
        return Err(Error::Invalid {
            what: "confirmation",
            value: fields.get("confirm").to_owned(),
            expected: "your short name, as it stands on the page of your account",
        });
    }
    site.catalog.delete_person(person.id).await?;
    Ok(signed_out(&site))
}
