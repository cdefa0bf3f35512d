//! Leaving.
//!
//! The token stands in the head of every mail, where mail programs find it and people who get a mail
//! forwarded see it. It ends the subscription and does nothing else: its page names nobody. A program
//! posts to the address with the token by itself (RFC 8058), without cookie, and follows no redirect;
//! what it posts is not looked at, whatever its form.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use maud::html;
use pressrun_catalog::Purpose;

use crate::Result;
use crate::params::{Pairs, Params};
use crate::site::Shared;
use crate::view::link;

pub(super) fn router() -> Router<Shared> {
    Router::new().route(link::UNSUBSCRIBE, get(page).post(unsubscribe))
}

async fn page(State(site): State<Shared>, Query(pairs): Query<Pairs>) -> Result<Response> {
    let params = Params(pairs);
    let token = params.value("token").unwrap_or_default();
    super::number(&site, Purpose::Unsubscribe, token).await?;
    let body = html! {
        div.narrow {
            h1 { "Unsubscribe" }
            p.lead { "No more papers by e-mail, from now on." }
            form.stack method="post" action=(link::unsubscribe(token)) {
                button.button { "Unsubscribe" }
            }
            p.fine {
                "For less mail, another day, another subject or a pause take the other link at the foot of a "
                "mail."
            }
        }
    };
    Ok(super::own_page(StatusCode::OK, "Unsubscribe", body))
}

async fn unsubscribe(State(site): State<Shared>, Query(pairs): Query<Pairs>) -> Result<Response> {
    let params = Params(pairs);
    let token = params.value("token").unwrap_or_default();
    let number = super::number(&site, Purpose::Unsubscribe, token).await?;
    // Who presses twice is told the same.
    site.catalog.unsubscribe(number).await?;
    let body = html! {
        div.narrow {
            h1 { "You are unsubscribed" }
            p.lead { "No more papers come, and your address is forgotten here." }
            p { "It was a mistake? " a href=(link::SUBSCRIBE) { "Subscribe anew" } "." }
        }
    };
    Ok(super::own_page(StatusCode::OK, "You are unsubscribed", body))
}
