//! A person's account: name, sessions, tokens, their data, and the end of it.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use maud::{Markup, html};
use pressrun_catalog::{Constraint, Profile, Scope, Session, Token};
use serde_json::json;

use super::sign_in::signed_out;
use crate::edge::viewer::{SignedIn, Viewer};
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, date};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/account", get(account).post(edit))
        .route("/account/sessions/end", post(end_sessions))
        .route("/account/tokens", post(add_token))
        .route("/account/tokens/remove", post(remove_token))
        .route("/account/data.json", get(data))
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
            section aria-labelledby="end" {
                h2 #end { "Delete the account" }
                form.stack method="post" action="/account/delete" {
                    p { "Your votes, your library, tokens and sessions go with it, at once and for good." }
                    label for="confirm" { "To confirm, type your short name, " code { (person.handle) } }
                    input #confirm name="confirm" required autocomplete="off" autocapitalize="none";
                    button.button.second { "Delete my account" }
                }
            }
        }
    };
    let page = Page::new("Your account", Nav::Elsewhere, body).render();
    Ok(([(CACHE_CONTROL, "no-store")], page).into_response())
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
        "votes": votes.iter().map(|(paper, at)| json!({ "paper": paper, "at": time(*at) }))
            .collect::<Vec<_>>(),
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
