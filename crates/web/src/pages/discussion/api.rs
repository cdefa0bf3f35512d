//! Comments and claims of authorship for programs.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use pressrun_catalog::{Comment, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{PER_PAGE, audience, authors, change, number_of, paper_of, post_comment};
use crate::edge::viewer::SignedIn;
use crate::pages::hub::moment;
use crate::pages::programs::Problem;
use crate::params::{MOST_PAGES, Pairs, Params, json};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

pub(in crate::pages) fn programs() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(list, post))
        .routes(routes!(one, edit, delete))
        .routes(routes!(claim))
}

/// Who wrote a comment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Writer {
    /// Name of the account.
    user: String,
    fullname: String,
    /// Whether a curator has confirmed that they are an author of the paper.
    is_author: bool,
}

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Comment)]
struct Said {
    /// Its number within the paper.
    number: i64,
    /// The number of the comment that it answers.
    parent: Option<i64>,
    /// How deep it stands under others.
    depth: usize,
    /// `null` where it is deleted or hidden.
    author: Option<Writer>,
    /// Markdown; empty where it is deleted or hidden.
    text: String,
    /// The same as HTML.
    html: String,
    created_at: String,
    edited_at: Option<String>,
    deleted: bool,
    hidden: bool,
    /// Its place on the paper's page.
    url: String,
}

impl Said {
    fn new(site: &Site, comment: Comment) -> Self {
        Self {
            html: site.prose.html(&comment.text, &comment.mentions, "").to_string(),
            url: link::comment(&comment.paper, comment.number),
            author: comment.by.map(|by| Writer {
                user: by.handle,
                fullname: by.name,
                is_author: by.is_author,
            }),
            number: comment.number,
            parent: comment.parent,
            depth: comment.depth,
            text: comment.text,
            created_at: moment(comment.created_at),
            edited_at: comment.edited_at.map(moment),
            deleted: comment.deleted,
            hidden: comment.hidden.is_some(),
        }
    }
}

/// A page of a discussion.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Discussion {
    /// The oldest first, each followed by its replies.
    comments: Vec<Said>,
    /// Comments that everybody can read, on all pages.
    num_comments: i64,
    page: u32,
    pages: u32,
}

/// Comments of a paper
///
/// The oldest first, each followed by its replies. A page after the last is the last.
#[utoipa::path(
    get,
    path = "/api/papers/{id}/comments",
    tag = "Discussion",
    params(
        ("id" = String, Path, description = "The paper's id, arXiv id or slug"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1000000, description = "Page, from 1"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Comments a page; 50"),
    ),
    responses(
        (status = 200, description = "Comments", body = Discussion),
        (status = 400, description = "A parameter cannot be read", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
    )
)]
async fn list(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Discussion>> {
    let params = Params(pairs);
    let page = params.number("page", "a number from 1 to 1000000", 1, |page: u32| {
        (1..=MOST_PAGES).contains(&page)
    })?;
    let right = |limit: u32| (1..=100).contains(&limit);
    let limit = params.number("limit", "a number from 1 to 100", PER_PAGE, right)?;
    let paper = paper_of(&site, &id).await?;
    let found = site.catalog.discussion(&paper.id, audience(), page, limit).await?;
    Ok(Json(Discussion {
        comments: found.comments.into_iter().map(|comment| Said::new(&site, comment)).collect(),
        num_comments: paper.comments,
        page: found.page,
        pages: found.pages,
    }))
}

/// What a comment says.
#[derive(Debug, Deserialize, ToSchema)]
struct Text {
    /// Markdown.
    #[schema(min_length = 1, max_length = 10000)]
    text: String,
}

/// A comment to be posted.
#[derive(Debug, Deserialize, ToSchema)]
struct NewText {
    /// Markdown.
    #[schema(min_length = 1, max_length = 10000)]
    text: String,
    /// The number of the comment that it answers.
    parent: Option<i64>,
}

async fn found(site: &Site, paper: &str, number: i64) -> Result<Said> {
    let comment = site.catalog.comment(paper, number, audience()).await;
    Ok(Said::new(site, comment.map_err(Error::of_form)?))
}

/// Post a comment
#[utoipa::path(
    post,
    path = "/api/papers/{id}/comments",
    tag = "Discussion",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    request_body = NewText,
    responses(
        (status = 201, description = "It is posted", body = Said,
            headers(("Location" = String, description = "The comment"))),
        (status = 400, description = "The body cannot be read, or the text is out of its bounds", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper, or no such comment to answer", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often", body = Problem),
    )
)]
async fn post(
    State(site): State<Shared>,
    who: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<NewText>, JsonRejection>,
) -> Result<Response> {
    who.0.may(&site, Scope::Write)?;
    let body = json(body, "body", "JSON such as `{\"text\": \"Well done.\", \"parent\": 1}`")?;
    let paper = paper_of(&site, &id).await?;
    let number = post_comment(&site, &who.0.person, &paper.id, body.parent, &body.text).await?;
    let location = format!("/api{}", link::comment(&paper.id, number));
    let said = found(&site, &paper.id, number).await?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(said)).into_response())
}

/// One comment
#[utoipa::path(
    get,
    path = "/api/papers/{id}/comments/{number}",
    tag = "Discussion",
    params(
        ("id" = String, Path, description = "The paper's id, arXiv id or slug"),
        ("number" = String, Path, description = "The comment's number"),
    ),
    responses(
        (status = 200, description = "The comment", body = Said),
        (status = 404, description = "There is no such paper or comment", body = Problem),
    )
)]
async fn one(
    State(site): State<Shared>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Json<Said>> {
    let paper = paper_of(&site, &id).await?;
    Ok(Json(found(&site, &paper.id, number_of(&number)?).await?))
}

/// Edit a comment
///
/// What it said before stays in its history.
#[utoipa::path(
    put,
    path = "/api/papers/{id}/comments/{number}",
    tag = "Discussion",
    params(
        ("id" = String, Path, description = "The paper's id, arXiv id or slug"),
        ("number" = String, Path, description = "The comment's number"),
    ),
    request_body = Text,
    responses(
        (status = 200, description = "The comment as it is now", body = Said),
        (status = 400, description = "The body cannot be read, or the text is out of its bounds", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "Somebody else wrote it, or the token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper or comment", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often", body = Problem),
    )
)]
async fn edit(
    State(site): State<Shared>,
    who: SignedIn,
    Path((id, number)): Path<(String, String)>,
    body: Result<Json<Text>, JsonRejection>,
) -> Result<Json<Said>> {
    who.0.may(&site, Scope::Write)?;
    let body = json(body, "body", "JSON such as `{\"text\": \"Well done.\"}`")?;
    let paper = paper_of(&site, &id).await?;
    let number = number_of(&number)?;
    change::save(&site, &who, &paper.id, number, &body.text).await?;
    Ok(Json(found(&site, &paper.id, number).await?))
}

/// Delete a comment
///
/// With its history. Where it has replies, its place stays.
#[utoipa::path(
    delete,
    path = "/api/papers/{id}/comments/{number}",
    tag = "Discussion",
    params(
        ("id" = String, Path, description = "The paper's id, arXiv id or slug"),
        ("number" = String, Path, description = "The comment's number"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "Somebody else wrote it, or the token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper or comment", body = Problem),
        (status = 429, description = "Too often", body = Problem),
    )
)]
async fn delete(
    State(site): State<Shared>,
    who: SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<StatusCode> {
    who.0.may(&site, Scope::Write)?;
    let paper = paper_of(&site, &id).await?;
    let number = number_of(&number)?;
    let deleted = site.catalog.delete_comment(&paper.id, number, who.0.person.id).await;
    deleted.map_err(Error::of_form)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A claim to be an author.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimOfAuthorship {
    /// The paper's id, arXiv id or slug.
    paper_id: String,
    /// Which author: the name as the paper has it. Needed unless the account has that very name.
    claim_author_id: Option<String>,
    /// The account that is to get the claim: the one that asks, which is also the one meant if absent.
    target_user_id: Option<String>,
    /// By what a curator can see it.
    proof: Option<String>,
}

/// How a claim stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Claimed {
    paper_id: String,
    /// `claimed`, `confirmed` or `refused`.
    status: &'static str,
}

/// Claim a paper
///
/// In the form of the Hugging Face papers API. A curator confirms or refuses it.
#[utoipa::path(
    post,
    path = "/api/settings/papers/claim",
    tag = "Discussion",
    request_body = ClaimOfAuthorship,
    responses(
        (status = 200, description = "How the claim stands", body = Claimed),
        (status = 400, description = "The body cannot be read, or nobody of that name is an author", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "It is for somebody else, or the token lacks the scope `write`", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often", body = Problem),
    )
)]
async fn claim(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    body: Result<Json<ClaimOfAuthorship>, JsonRejection>,
) -> Result<Json<Claimed>> {
    viewer.may(&site, Scope::Write)?;
    let body = json(body, "body", "JSON such as `{\"paperId\": \"2301.10909\"}`")?;
    let own = |target: &String| *target == viewer.person.handle;
    if !body.target_user_id.as_ref().is_none_or(own) {
        return Err(Error::Forbidden("Nobody can claim a paper for somebody else."));
    }
    let paper = paper_of(&site, &body.paper_id).await?;
    let author = body.claim_author_id.unwrap_or_else(|| viewer.person.name.clone());
    let proof = body.proof.unwrap_or_default();
    let state = authors::claim_as(&site, &paper, viewer.person.id, &author, &proof).await?;
    Ok(Json(Claimed { paper_id: paper.id, status: state.name() }))
}
