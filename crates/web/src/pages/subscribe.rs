//! Where the Subscribe button leads.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use pressrun_catalog::Period;

use crate::Result;
use crate::site::Shared;
use crate::view::{Nav, Page};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/subscribe", get(subscribe))
}

async fn subscribe(State(site): State<Shared>) -> Result<Markup> {
    let newest = site.catalog.latest_day().await?;
    let body = html! {
        div.narrow.prose {
            h1 { "Papers by e-mail" }
            p.lead { "This site's e-mail digest is not set up yet, so there is nothing to sign up for." }
            p { "What there is already, at addresses that you can keep:" }
            ul {
                li { a href="/" { "The newest list" } ", the front page." }
                @if let Some(day) = newest {
                    li {
                        a href={ "/papers/week/" (Period::week_of(day)) } { "The week" } " and "
                        a href={ "/papers/month/" (Period::month_of(day)) } { "the month" }
                        " of the newest list."
                    }
                }
                li { a href="/papers/trending" { "Trending papers" } "." }
                li { a href="/comments.atom" { "What is said about papers" } ", as a feed." }
                li {
                    a href="/studies" { "The papers that run here" } ", with their verdicts; "
                    "for programs also " a href="/api/studies" { "as JSON" } "."
                }
            }
        }
    };
    Ok(Page::new("Papers by e-mail", Nav::Elsewhere, body).render())
}
