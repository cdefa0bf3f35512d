//! A person's library: its page, its formats, what changes it, what it recommends. All of it is the
//! person's own: every question to the catalogue names who asks.

mod api;
mod change;
mod page;
mod params;
mod recommended;

use axum::Router;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::format::Format;
use crate::site::Shared;

pub(super) fn router() -> Router<Shared> {
    let mut router = Router::new()
        .route("/library", get(page::page))
        .route("/library/tags/rename", post(change::rename_tag))
        .route("/library/tags/delete", post(change::delete_tag))
        .route("/papers/{id}/library", post(change::change))
        .route("/papers/{id}/library/remove", post(change::remove))
        .route("/recommended", get(recommended::page));
    // No feeds: a reader that asks for one has no session.
    for format in Format::ALL.into_iter().filter(|format| !format.is_feed()) {
        router = router.route(
            &format!("/library{}", format.extension()),
            get(async move |site, who, given, headers| {
                page::exported(site, who, given, headers, format).await
            }),
        );
    }
    router
}

/// What programs find here.
pub(super) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(api::list))
        .routes(routes!(api::entry, api::change, api::remove))
        .routes(routes!(api::recommended))
}
