//! Search for programs: papers in the form of Hugging Face's `/api/papers/search`, and suggestions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Given, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use pressrun_catalog::Paper;
use pressrun_search::query::{Field, Kind, MAX_BYTES, Query};
use pressrun_search::{Hit, Request, Suggestion};
use serde::Serialize;

use super::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

/// The media type of suggestions as browsers ask for them.
const OPENSEARCH: &str = "application/x-suggestions+json";
/// Titles and authors suggested, of each.
const SUGGESTIONS: usize = 6;

/// A paper that was found. Its names are those of the interface that programs know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    paper: Facts,
    title: String,
    summary: String,
    published_at: Option<String>,
    num_comments: i64,
    /// What it was ranked by, from 0 to 1.
    score: f32,
    /// Whether none of the query's words stands in it.
    by_meaning_alone: bool,
    /// Its page here.
    url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    id: String,
    title: String,
    summary: String,
    authors: Vec<Author>,
    /// Midnight of the day; `null` where only a month or a year is known.
    published_at: Option<String>,
    /// The date as precise as it is known.
    published: Option<String>,
    upvotes: i64,
}

#[derive(Debug, Serialize)]
struct Author {
    name: String,
}

impl Item {
    fn new(hit: &Hit, paper: Paper) -> Self {
        let day = paper.published.as_deref().and_then(|text| text.parse::<Date>().ok());
        let published_at = day.map(|day| format!("{day}T00:00:00.000Z"));
        Self {
            title: paper.title.clone(),
            summary: paper.summary.clone(),
            published_at: published_at.clone(),
            num_comments: paper.comments,
            score: hit.score,
            by_meaning_alone: hit.by_meaning_alone(),
            url: link::paper(&paper.id),
            paper: Facts {
                id: paper.id,
                title: paper.title,
                summary: paper.summary,
                authors: paper.authors.into_iter().map(|name| Author { name }).collect(),
                published_at,
                published: paper.published,
                upvotes: paper.votes,
            },
        }
    }
}

pub(super) async fn papers(
    State(site): State<Shared>,
    Given(pairs): Given<Pairs>,
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
    let items = results.hits.iter().filter_map(|hit| Some(Item::new(hit, papers.remove(&hit.id)?)));
    Ok(Json(items.collect()))
}

/// What the search box suggests.
#[derive(Debug, Default, Serialize)]
pub(super) struct Suggestions {
    suggestions: Vec<Suggested>,
}

#[derive(Debug, Serialize)]
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
