//! Search for programs: papers in the form of Hugging Face's `/api/papers/search`, and suggestions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Given, State};
use pressrun_search::query::{Field, Kind, MAX_BYTES, Query};
use pressrun_search::{Hit, Request, Suggestion};
use serde::Serialize;
use utoipa::ToSchema;

use crate::pages::hub::Item;
use crate::pages::programs::Problem;
use crate::params::{Pairs, Params};
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result};

/// Titles and authors suggested, of each.
const SUGGESTIONS: usize = 6;

/// Search
///
/// Papers that fit the query, the best first. Each says what it was ranked by.
#[utoipa::path(
    get,
    path = "/api/papers/search",
    tag = "Papers",
    params(
        ("q" = String, Query, min_length = 1,
            description = "Words and conditions, in the language of the search box: \
                `experts year:2021.. -dropout`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 120, description = "Papers; 20"),
    ),
    responses(
        (status = 200, description = "Papers", body = Vec<Item>),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 503, description = "The index is being put right", body = Problem),
    )
)]
pub(super) async fn papers(
    State(site): State<Shared>,
    Given(pairs): Given<Pairs>,
) -> Result<Json<Vec<Item>>> {
    let params = Params(pairs);
    let (source, limit) = (params.query(), params.limit()?);
    if source.trim().is_empty() {
        let expected = "some words or conditions, such as `q=experts year:2021..`";
        return Err(Error::Invalid { what: "query", value: String::new(), expected });
    }
    let query: Query = source.parse().map_err(Error::Query)?;
    let request = Request { limit, runs: Arc::clone(&site.runs), ..Request::new(query) };
    let results = site.search.search(request).await.map_err(Error::Search)?;
    let mut papers = super::papers(&site, &results).await?;
    let item = |hit: &Hit| Some(Item::found(&site, hit, papers.remove(&hit.id)?));
    Ok(Json(results.hits.iter().filter_map(item).collect()))
}

/// What the search box suggests.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Suggestions {
    suggestions: Vec<Suggested>,
}

/// A title or an author, with where it leads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Suggested {
    Title { text: String, href: String },
    Author { text: String, papers: usize, href: String },
}

impl From<Suggestion> for Suggested {
    fn from(suggestion: Suggestion) -> Self {
        match suggestion {
            Suggestion::Title { id, title } => Self::Title { text: title, href: link::paper(&id) },
            Suggestion::Author { name, papers } => {
                let query = Field::Author(name.clone()).to_string();
                Self::Author { text: name, papers, href: link::search(&query) }
            }
        }
    }
}

/// What the search box suggests
///
/// Titles and authors that begin with what has been typed.
#[utoipa::path(
    get,
    path = "/api/suggest",
    tag = "Papers",
    params(("q" = Option<String>, Query, description = "What has been typed")),
    responses(
        (status = 200, description = "Suggestions; none for a query with conditions",
            body = Suggestions),
        (status = 400, description = "The text is too long", body = Problem),
        (status = 503, description = "The index is being put right", body = Problem),
    )
)]
pub(super) async fn suggest(
    State(site): State<Shared>,
    Given(pairs): Given<Pairs>,
) -> Result<Json<Suggestions>> {
    let params = Params(pairs);
    let typed = params.query().to_owned();
    let plain = match typed.parse::<Query>() {
        Ok(query) => {
            let word = |kind: &Kind| matches!(kind, Kind::Word(_));
            query.items().iter().all(|item| word(&item.kind) && !item.negated)
        }
        Err(problem) if typed.len() > MAX_BYTES => return Err(Error::Query(problem)),
        // Half a condition is what somebody who types one has at first.
        Err(_) => false,
    };
    if !plain {
        return Ok(Json(Suggestions::default()));
    }
    let answer = site.search.ask(move |index| index.suggest(&typed, SUGGESTIONS)).await;
    let found = answer.map_err(Error::Search)?;
    Ok(Json(Suggestions { suggestions: found.into_iter().map(Suggested::from).collect() }))
}
