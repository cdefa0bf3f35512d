//! Asking for the digest.
//!
//! The answer, what is written and the time it takes are the same whether the address is new, waits for
//! being confirmed, or is subscribed: only the mail that comes there differs.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use pressrun_catalog::CONFIRM_LIFE;

use super::form::{self, Problems, Typed};
use super::mails;
use crate::edge::viewer;
use crate::pages::form::Fields;
use crate::params::{Pairs, Params};
use crate::site::Shared;
use crate::view::{Nav, Page, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route(link::SUBSCRIBE, get(ask).post(subscribe))
        .route("/subscribe/sent", get(sent))
}

async fn ask(Query(pairs): Query<Pairs>) -> Markup {
    let mut typed = Typed::about(Params(pairs).value("q").unwrap_or_default());
    if let Some(viewer) = viewer::current() {
        typed.email.clone_from(&viewer.person.email);
    }
    page(&typed, &Problems::default())
}

fn page(typed: &Typed, problems: &Problems) -> Markup {
    let body = html! {
        div.narrow {
            h1 { "Papers by e-mail" }
            p.lead {
                "The trending papers in your inbox, each of them once, with what was measured of it here. "
                "Every mail has a link that ends it."
            }
            (form::notice(problems))
            form.stack.digest method="post" action=(link::SUBSCRIBE) {
                (typed.address(problems))
                (typed.fields(problems))
                button.button { "Subscribe" }
            }
            p.fine {
                "A mail with a link to confirm comes first; without that nothing is sent, and the address is "
                "forgotten after two days. It is shown to nobody."
            }
            p.fine {
                "Would you rather read it elsewhere? " a href="/daily.atom" { "The lists" } ", "
                a href="/verdicts.atom" { "the verdicts" } " and every search are feeds, too."
            }
        }
    };
    Page::new("Papers by e-mail", Nav::Elsewhere, body).with_head(form::script()).render()
}

async fn subscribe(
    State(site): State<Shared>,
    extensions: Extensions,
    fields: Fields,
) -> Result<Response> {
    let (typed, mut problems) = (Typed::sent(&fields), Problems::default());
    let email = typed.email(&mut problems);
    let preferences = typed.preferences(&mut problems);
    let (Some(email), Some(preferences)) = (email, preferences) else {
        return Ok((StatusCode::BAD_REQUEST, page(&typed, &problems)).into_response());
    };
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    site.limits.mail_from(from)?;
    // Of the address's own limit nothing is said: nobody is to learn what others asked for.
    if site.limits.digest_to(email.as_str()) {
        let key = site.catalog.signing_key().await?;
        let base = site.settings.fixed_url();
        let asked = site
            .catalog
            .subscribe(&email, &preferences, |subscription| mails::asked(base, &key, subscription))
            .await;
        asked.map_err(Error::of_form)?;
    }
    Ok(Redirect::to("/subscribe/sent").into_response())
}

async fn sent() -> Markup {
    let body = html! {
        div.narrow {
            h1 { "Look into your mail" }
            p.lead {
                "If the address can be reached, a mail is on its way. Papers come once you have pressed the "
                "button that its link leads to, within " (CONFIRM_LIFE.as_secs() / 3600) " hours."
            }
            p {
                "Nothing has come after some minutes? Look among what your mail program takes for spam. "
                "The same address gets no second mail within a quarter of an hour; then "
                a href=(link::SUBSCRIBE) { "ask again" } "."
            }
        }
    };
    Page::new("Look into your mail", Nav::Elsewhere, body).render()
}
