//! Voting for a paper, and taking the vote back.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use pressrun_catalog::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::viewer::SignedIn;
use crate::pages::form::{Fields, place};
use crate::pages::programs::Problem;
use crate::site::Shared;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/papers/{id}/vote", post(vote))
}

pub(in crate::pages) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default().routes(routes!(vote_as_program))
}

/// How a paper stands after a vote.
#[derive(Debug, Serialize, ToSchema)]
struct Standing {
    voted: bool,
    votes: i64,
}

async fn set(site: &Shared, who: &SignedIn, id: &str, fields: &Fields) -> Result<Standing> {
    let SignedIn(viewer) = who;
    viewer.may(site, Scope::Write)?;
    let wanted = match fields.get("vote") {
        "1" => true,
        "0" => false,
        other => {
            let expected = "`1` to vote or `0` to take the vote back";
            return Err(Error::Invalid { what: "vote", value: other.to_owned(), expected });
        }
    };
    let voted = site.catalog.vote(viewer.person.id, id, wanted).await.map_err(Error::of_form)?;
    Ok(Standing { voted: voted.voted, votes: voted.votes })
}

async fn vote(
    State(site): State<Shared>,
    who: SignedIn,
    Path(id): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response> {
    let standing = set(&site, &who, &id, &fields).await?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // In place: the script asks for the numbers; a plain form comes back to where it was.
    if accept.starts_with("application/json") {
        return Ok(Json(standing).into_response());
    }
    Ok(Redirect::to(place(fields.get("to"))).into_response())
}

/// A vote.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `set` reads")]
struct Vote {
    /// `1` to vote, `0` to take the vote back.
    #[schema(pattern = "^[01]$")]
    vote: String,
}

/// Vote for a paper
///
/// Doing the same again changes nothing. For a session, or a token with the scope `write`.
#[utoipa::path(
    post,
    path = "/api/papers/{id}/vote",
    tag = "Papers",
    params(("id" = String, Path, description = "The paper's id")),
    request_body(content = Vote, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "How the paper stands", body = Standing),
        (status = 400, description = "The form cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
async fn vote_as_program(
    State(site): State<Shared>,
    who: SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Standing>> {
    Ok(Json(set(&site, &who, &id, &fields).await?))
}
