//! Search for programs: papers in the form of Hugging Face's `/api/papers/search`, and suggestions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Given, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use pressrun_search::query::{Field, Kind, MAX_BYTES, Query};
use pressrun_search::{Hit, Request, Suggestion};
use serde::Serialize;
use utoipa::ToSchema;

use crate::pages::hub::{Beside, Item};
use crate::pages::programs::Problem;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

/// The media type of suggestions as browsers ask for them.
const OPENSEARCH: &str = "application/x-suggestions+json";
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
    headers: HeaderMap,
) -> Result<Json<Vec<Item>>> {
    let params = Params(pairs);
    let (source, limit) = (params.query(), params.limit()?);
    if source.trim().is_empty() {
        return Err(Error::Invalid { what: "query", value: String::new(), expected: super::QUERY });
    }
    let query: Query = source.parse().map_err(Error::Query)?;
    let request = Request { limit, runs: Arc::clone(&site.runs), ..Request::new(query) };
    let results = site.search.search(request).await.map_err(Error::Search)?;
    let mut papers = super::papers(&site, &results).await?;
    let base = site.base(&headers)?;
    let beside = Beside::papers(&site, &base, papers.values()).await?;
    let item = |hit: &Hit| Some(Item::found(&site, &beside, hit, papers.remove(&hit.id)?));
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

impl Suggestions {
    /// What was typed and what it could be completed to, in the form that browsers read.
    fn opensearch(&self, typed: &str) -> serde_json::Result<String> {
        let texts: Vec<String> = self.suggestions.iter().map(Suggested::completed).collect();
        serde_json::to_string(&(typed, texts))
    }
}

impl Suggested {
    /// The query that finds it: a browser searches for what is chosen.
    fn completed(&self) -> String {
        match self {
            Self::Title { text, .. } => text.clone(),
            Self::Author { text, .. } => Field::Author(text.clone()).to_string(),
        }
    }
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
    params(
        ("q" = Option<String>, Query, description = "What has been typed"),
        ("form" = Option<String>, Query, pattern = "^opensearch$",
            description = "`opensearch` for the form that browsers read"),
    ),
    responses(
        (status = 200, description = "Suggestions; none for a query with conditions",
            content(
                (Suggestions = "application/json"),
                (Vec<serde_json::Value> = "application/x-suggestions+json"),
            )),
        (status = 400, description = "The text is too long, or there is no such form",
            body = Problem),
        (status = 503, description = "The index is being put right", body = Problem),
    )
)]
pub(super) async fn suggest(
    State(site): State<Shared>,
    Given(pairs): Given<Pairs>,
) -> Result<Response> {
    let params = Params(pairs);
    let (typed, opensearch) = (params.query().to_owned(), params.opensearch()?);
    let found = suggestions(&site, &typed).await?;
    if opensearch {
        return Ok(([(CONTENT_TYPE, OPENSEARCH)], found.opensearch(&typed)?).into_response());
    }
    Ok(Json(found).into_response())
}

async fn suggestions(site: &Site, typed: &str) -> Result<Suggestions> {
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
        return Ok(Suggestions::default());
    }
    let typed = typed.to_owned();
    let answer = site.search.ask(move |index| index.suggest(&typed, SUGGESTIONS)).await;
    let found = answer.map_err(Error::Search)?;
    Ok(Suggestions { suggestions: found.into_iter().map(Suggested::from).collect() })
}
