//! Confirming an address.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use axum::routing::get;
use jiff::Timestamp;
use maud::html;
use pressrun_catalog::Purpose;

use super::words;
use crate::pages::form::Fields;
use crate::params::{Pairs, Params};
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/digest/confirm", get(page).post(confirm))
}

async fn page(State(site): State<Shared>, Query(pairs): Query<Pairs>) -> Result<Response> {
    let params = Params(pairs);
    let token = params.value("token").unwrap_or_default();
    let subscription = super::subscription(&site, Purpose::Confirm, token).await?;
    if subscription.is_forgotten(Timestamp::now()) {
        return Err(Error::DigestLink);
    }
    let preferences = &subscription.preferences;
    let body = html! {
        div.narrow {
            h1 { "Papers by e-mail" }
            p.lead { "Papers come to " strong { (subscription.email) } " once you confirm it." }
            dl.facts {
                dt { "When" } dd { (words::schedule(&preferences.schedule)) }
                dt { "Which" } dd { (words::topic(preferences)) }
            }
            form.stack method="post" action="/digest/confirm" {
                input type="hidden" name="token" value=(token);
                button.button { "Yes, send me papers" }
            }
            p.fine {
                "Everything can be changed afterwards. If it was not you who asked, close this page: "
                "nothing is sent, and the address is forgotten."
            }
        }
    };
    Ok(super::own_page(StatusCode::OK, "Papers by e-mail", body))
}

async fn confirm(State(site): State<Shared>, fields: Fields) -> Result<Redirect> {
    let number = super::number(&site, Purpose::Confirm, fields.get("token")).await?;
    let confirmed = site.catalog.confirm_subscription(number, Timestamp::now()).await?;
    let subscription = confirmed.ok_or(Error::DigestLink)?;
    let token = site.catalog.signing_key().await?.token(Purpose::Manage, subscription.id);
    Ok(Redirect::to(&format!("{}&done=confirmed", link::manage_digest(&token))))
}
