//! Signing in by a link that comes by mail.
//!
//! Asking for a link says the same, does the same and takes as long whether or not somebody is
//! registered under that address: the account is made when the link is used. Opening the link does
//! nothing, because programs that look at mail open links; a button on its page does.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE, USER_AGENT};
use axum::http::{Extensions, HeaderMap};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use pressrun_catalog::{Email, LINK_LIFE, Link, NewMail, Role, SESSION_LIFE, Secret};

use crate::edge::viewer::{self, SESSION, SignedIn};
use crate::pages::form::{Fields, place};
use crate::site::{Shared, Site};
use crate::view::{Nav, Page};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/sign-in", get(ask).post(send))
        .route("/sign-in/sent", get(sent))
        .route("/sign-in/link", get(link).post(follow))
        .route("/sign-out", post(sign_out))
}

type Pairs = Query<Vec<(String, String)>>;

fn parameter<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

async fn ask(pairs: Pairs) -> Markup {
    let to = place(parameter(&pairs, "to"));
    let body = html! {
        div.narrow {
            h1 { "Sign in" }
            @if let Some(viewer) = viewer::current() {
                p { "You are signed in as " strong { (viewer.person.name) } "." }
            }
            p.lead { "A link comes to your address by mail. There is no password." }
            form.stack method="post" action="/sign-in" {
                input type="hidden" name="to" value=(to);
                label for="email" { "E-mail address" }
                input #email type="email" name="email" required autocomplete="email" maxlength="254";
                button.button { "Send me a link" }
            }
            p.fine {
                "Who has no account gets one by using the link. Your address is shown to nobody; you "
                "choose the name that is."
            }
        }
    };
    Page::new("Sign in", Nav::Elsewhere, body).render()
}

async fn send(
    State(site): State<Shared>,
    extensions: Extensions,
    fields: Fields,
) -> Result<Redirect> {
    let email: Email = fields.get("email").parse().map_err(Error::of_form)?;
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    site.limits.mail_from(from)?;
    // Of the address's own limit nothing is said: nobody is to learn what others asked for.
    if site.limits.mail_to(email.as_str()) {
        let secret = Secret::new();
        let mail = NewMail {
            kind: "sign-in",
            subject: "Your link to sign in to Pressrun".into(),
            body: text(&site, &secret),
            recipient: email.clone(),
            secret: true,
        };
        let return_to = place(fields.get("to")).to_owned();
        let link = Link { email: Some(email), role: Role::Reader, return_to };
        site.catalog.offer_sign_in(&secret, &link, Some(&mail)).await?;
    }
    Ok(Redirect::to("/sign-in/sent"))
}

fn text(site: &Site, secret: &Secret) -> String {
    let base = site.settings.fixed_url();
    format!(
        "Somebody asked to sign in to Pressrun ({base}) with this address.\n\n\
         If it was you, open this link and press the button on its page. It works once, for {} \
         minutes:\n\n{}\n\n\
         If it was not you, nothing has happened. Nothing will, as long as nobody uses the link.\n",
        LINK_LIFE.as_secs() / 60,
        sign_in_url(base, secret)
    )
}

/// The address at which a secret signs in, of a site at `base`.
pub fn sign_in_url(base: &str, secret: &Secret) -> String {
    format!("{}/sign-in/link?token={}", base.trim_end_matches('/'), secret.reveal())
}

async fn sent() -> Markup {
    let body = html! {
        div.narrow {
            h1 { "Look into your mail" }
            p.lead {
                "If the address can be reached, a link to sign in is on its way. It works once, for "
                (LINK_LIFE.as_secs() / 60) " minutes."
            }
            p { "Nothing has come after some minutes? Look among what your mail program takes for spam, "
                "then " a href="/sign-in" { "ask again" } "." }
        }
    };
    Page::new("Look into your mail", Nav::Elsewhere, body).render()
}

async fn link(State(site): State<Shared>, pairs: Pairs) -> Result<Response> {
    let secret = Secret::read(parameter(&pairs, "token")).ok_or(Error::LinkOver)?;
    let link = site.catalog.sign_in_link(&secret).await?.ok_or(Error::LinkOver)?;
    let body = html! {
        div.narrow {
            h1 { "Sign in" }
            form.stack method="post" action="/sign-in/link" {
                input type="hidden" name="token" value=(secret.reveal());
                @match &link.email {
                    Some(email) => p.lead { "As " strong { (email) } "." },
                    None => {
                        p.lead { "This makes you the administrator of this site." }
                        label for="email" { "Your e-mail address" }
                        input #email type="email" name="email" required autocomplete="email"
                            maxlength="254";
                    }
                }
                button.button { "Sign in" }
            }
        }
    };
    let page = Page::new("Sign in", Nav::Elsewhere, body).render();
    // The page has the secret in it.
    Ok(([(CACHE_CONTROL, "no-store")], page).into_response())
}

async fn follow(
    State(site): State<Shared>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response> {
    let secret = Secret::read(fields.get("token")).ok_or(Error::LinkOver)?;
    let link = site.catalog.sign_in_link(&secret).await?.ok_or(Error::LinkOver)?;
    let asked: Option<Email> = match link.email {
        Some(_) => None,
        None => Some(fields.get("email").parse().map_err(Error::of_form)?),
    };
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_in = site.catalog.sign_in(&secret, asked.as_ref(), agent).await?;
    let (session, _, to) = signed_in.ok_or(Error::LinkOver)?;
    // Whoever was signed in before in this browser no longer is.
    if let Some(before) = viewer::current().and_then(|viewer| viewer.session.clone()) {
        site.catalog.sign_out(&before).await?;
    }
    let cookie = cookie(&site, session.reveal(), SESSION_LIFE.as_secs());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(place(&to))).into_response())
}

async fn sign_out(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Response> {
    site.catalog.sign_out(viewer.in_person()?).await?;
    Ok(signed_out(&site))
}

/// The front page for somebody whose session is over.
pub(super) fn signed_out(site: &Site) -> Response {
    ([(SET_COOKIE, cookie(site, "", 0))], Redirect::to("/")).into_response()
}

/// A cookie that scripts cannot read and other sites' forms do not send.
fn cookie(site: &Site, value: &str, seconds: u64) -> String {
    let secure = if site.settings.fixed_url().starts_with("https://") { "; Secure" } else { "" };
    format!("{SESSION}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}
