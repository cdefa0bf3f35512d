//! The library for programs.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query as Given, State};
use axum::http::StatusCode;
use pressrun_catalog::{LibraryChange, LibraryEntry, LibraryState, Paper, Scope};
use pressrun_search::recommend::WordWeight;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::id_of;
use super::params::Asked;
use super::recommended::{Question, answer, reasons};
use crate::edge::viewer::SignedIn;
use crate::pages::hub::{Beside, Facts, moment};
use crate::pages::programs::Problem;
use crate::params::{Pairs, Params, json};
use crate::site::{Shared, Site};
use crate::{Error, Result};

/// Papers of an answer where nobody says how many.
const LIMIT: u32 = 50;
/// Most of them.
const MOST: u32 = 200;

/// A paper in the library of who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LibraryEntry)]
pub(super) struct Entry {
    paper: Facts,
    /// `none`, `later`, `reading`, `done` or `not-for-me`.
    #[schema(schema_with = states)]
    state: &'static str,
    tags: Vec<String>,
    /// Markdown; empty if there is none.
    note: String,
    added_at: String,
    changed_at: String,
}

fn states() -> utoipa::openapi::schema::Schema {
    let object = utoipa::openapi::schema::ObjectBuilder::new();
    let object = object.schema_type(utoipa::openapi::Type::String);
    object.enum_values(Some(LibraryState::ALL.map(LibraryState::name))).into()
}

impl Entry {
    fn new(site: &Site, beside: &Beside<'_>, paper: Paper, entry: LibraryEntry) -> Self {
        Self {
            paper: Facts::new(site, beside, paper),
            state: entry.state.name(),
            tags: entry.tags.iter().map(ToString::to_string).collect(),
            note: entry.note,
            added_at: moment(entry.added_at),
            changed_at: moment(entry.changed_at),
        }
    }
}

/// A page of the library.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Library)]
pub(super) struct Listing {
    /// Papers on all pages.
    total: u64,
    entries: Vec<Entry>,
}

impl Params {
    fn limit_of_library(&self) -> Result<u32> {
        let right = |limit| (1..=MOST).contains(&limit);
        self.number("limit", "a number from 1 to 200", LIMIT, right)
    }
}

/// The library
///
/// What the owner of the token keeps. It needs the scope `read`.
#[utoipa::path(
    get,
    path = "/api/library",
    tag = "Library",
    params(
        ("state" = Option<String>, Query, pattern = "^(none|later|reading|done|not-for-me)$",
            description = "Only papers that stand so; all but `not-for-me`"),
        ("tag" = Option<String>, Query, description = "Only papers with this tag"),
        ("sort" = Option<String>, Query, pattern = "^(added|date|title)$",
            description = "The order; `added`"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1000000, description = "The page; 1"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Papers; 50"),
    ),
    responses(
        (status = 200, description = "Papers", body = Listing),
        (status = 400, description = "A parameter cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token has no right to it", body = Problem),
    )
)]
pub(super) async fn list(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Given(pairs): Given<Pairs>,
) -> Result<Json<Listing>> {
    viewer.may(&site, Scope::Read)?;
    let params = Params(pairs);
    let (asked, limit) = (Asked::read(&params)?, params.limit_of_library()?);
    let offset = u64::from(asked.page - 1) * u64::from(limit);
    let page = site.catalog.library(viewer.person.id, &asked.query, offset, limit).await?;
    let ids: Vec<String> = page.entries.iter().map(|entry| entry.paper.clone()).collect();
    // Both are in the order of the ids; a paper is never gone before its entry.
    let papers = site.catalog.papers_of(&ids).await?;
    let beside = Beside::papers(&site, site.settings.fixed_url(), papers.iter()).await?;
    let mut entries = page.entries.into_iter();
    let pair = |paper: Paper| {
        let entry = entries.find(|entry| entry.paper == paper.id)?;
        Some(Entry::new(&site, &beside, paper, entry))
    };
    Ok(Json(Listing { total: page.total, entries: papers.into_iter().filter_map(pair).collect() }))
}

/// The entry of a paper, which must be there.
async fn of(site: &Site, person: i64, name: &str) -> Result<Json<Entry>> {
    let missing = || Error::NotFound { what: "paper in your library", name: name.to_owned() };
    let paper = site.catalog.paper(name).await?.ok_or_else(|| Error::no_paper(name))?;
    let entry = site.catalog.library_entry(person, &paper.id).await?.ok_or_else(missing)?;
    let papers = std::iter::once(&paper);
    let beside = Beside::papers(site, site.settings.fixed_url(), papers).await?;
    Ok(Json(Entry::new(site, &beside, paper, entry)))
}

/// One paper of the library
///
/// It needs the scope `read`.
#[utoipa::path(
    get,
    path = "/api/library/{id}",
    tag = "Library",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    responses(
        (status = 200, description = "The paper", body = Entry),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token has no right to it", body = Problem),
        (status = 404, description = "There is no such paper, or it is not in the library",
            body = Problem),
    )
)]
pub(super) async fn entry(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(name): Path<String>,
) -> Result<Json<Entry>> {
    viewer.may(&site, Scope::Read)?;
    of(&site, viewer.person.id, &name).await
}

/// What is to be kept of a paper; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Keep {
    #[schema(schema_with = states)]
    state: Option<String>,
    /// Tags in place of those that it has: at most 20, of 1 to 40 characters each, without commas.
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
    /// Markdown in place of what is there, at most 10,000 characters.
    #[schema(max_length = 10000)]
    note: Option<String>,
}

impl Keep {
    fn change(self) -> Result<LibraryChange, pressrun_catalog::Error> {
        let tags = |tags: Vec<String>| tags.iter().map(|tag| tag.parse()).collect();
        Ok(LibraryChange {
            state: self.state.as_deref().map(str::parse).transpose()?,
            tags: self.tags.map(tags).transpose()?,
            note: self.note,
            ..LibraryChange::default()
        })
    }
}

/// Keep a paper, or change what is kept of it
///
/// It comes in if it was not there. It needs the scope `write`.
#[utoipa::path(
    put,
    path = "/api/library/{id}",
    tag = "Library",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    request_body = Keep,
    responses(
        (status = 200, description = "The paper as it stands now", body = Entry),
        (status = 400, description = "The body cannot be read, or exceeds a limit", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token has no right to it", body = Problem),
        (status = 404, description = "There is no such paper", body = Problem),
        (status = 415, description = "The body is no JSON", body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
pub(super) async fn change(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(name): Path<String>,
    body: Result<Json<Keep>, JsonRejection>,
) -> Result<Json<Entry>> {
    viewer.may(&site, Scope::Write)?;
    let expected = "JSON such as `{\"state\": \"later\", \"tags\": [\"gates\"], \"note\": \"\"}`";
    let keep = json(body, "entry of a library", expected)?;
    let change = keep.change().map_err(Error::of_form)?;
    let paper = id_of(&site, &name).await?;
    let changed = site.catalog.change_library(viewer.person.id, &paper, &change).await;
    changed.map_err(Error::of_form)?;
    of(&site, viewer.person.id, &paper).await
}

/// Take a paper out of the library
///
/// With its tags and its note. It needs the scope `write`.
#[utoipa::path(
    delete,
    path = "/api/library/{id}",
    tag = "Library",
    params(("id" = String, Path, description = "The paper's id, arXiv id or slug")),
    responses(
        (status = 204, description = "It is out"),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token has no right to it", body = Problem),
        (status = 404, description = "There is no such paper, or it is not in the library",
            body = Problem),
        (status = 429, description = "Too often in a short time", body = Problem),
    )
)]
pub(super) async fn remove(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    viewer.may(&site, Scope::Write)?;
    let paper = id_of(&site, &name).await?;
    if !site.catalog.remove_from_library(viewer.person.id, &paper).await? {
        return Err(Error::NotFound { what: "paper in your library", name });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What a word adds to a score.
#[derive(Debug, Serialize, ToSchema)]
struct Weight {
    word: String,
    weight: f32,
}

/// A paper that the owner of the library may like.
#[derive(Debug, Serialize, ToSchema)]
struct Suggestion {
    paper: Facts,
    /// Above 0 it is rather like the papers of the library than like others.
    score: f32,
    /// What its meaning, its vector, adds to the score.
    meaning: f32,
    /// What its words add, the strongest first.
    words: Vec<Weight>,
    /// Id of the paper of the library that is nearest in meaning.
    nearest: Option<String>,
}

/// What the library recommends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suggestions {
    /// Papers that it was learnt from; without any nothing is recommended.
    liked: usize,
    /// Papers that are not for the person.
    disliked: usize,
    /// How much of what sets the liked papers apart is their vectors, from 0 to 1.
    vector_share: f32,
    /// The strongest words for a paper, each as often as it stands in a text of a hundred words.
    words_for: Vec<Weight>,
    /// The strongest words against it.
    words_against: Vec<Weight>,
    papers: Vec<Suggestion>,
}

/// Recommended papers
///
/// Papers that are not in the library of the token's owner and may belong there. It needs the scope
/// `read`.
#[utoipa::path(
    get,
    path = "/api/recommended",
    tag = "Library",
    params(
        ("tag" = Option<String>, Query, description = "Learn from this tag; from all"),
        ("window" = Option<String>, Query, pattern = "^(day|week|month|all)$",
            description = "How far back from the newest list; `all`"),
        ("sort" = Option<String>, Query, pattern = "^(best|newest)$",
            description = "The order; `best`"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1000000, description = "The page; 1"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Papers; 50"),
    ),
    responses(
        (status = 200, description = "Papers, with what was learnt", body = Suggestions),
        (status = 400, description = "A parameter cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "The token has no right to it", body = Problem),
        (status = 404, description = "There is no such page", body = Problem),
        (status = 503, description = "The index is being put right", body = Problem),
    )
)]
pub(super) async fn recommended(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Given(pairs): Given<Pairs>,
) -> Result<Json<Suggestions>> {
    viewer.may(&site, Scope::Read)?;
    let params = Params(pairs);
    let (question, limit) = (Question::read(&params)?, params.limit_of_library()?);
    let answer = answer(&site, viewer.person.id, &question, limit as usize).await?;
    let taste = answer.found.as_ref().map(|found| found.taste.clone()).unwrap_or_default();
    let named = |weights: &[WordWeight]| {
        let weight = |weight: &WordWeight| {
            let word = answer.words.get(&weight.number)?.clone();
            Some(Weight { word, weight: weight.weight })
        };
        weights.iter().filter_map(weight).collect()
    };
    let (words_for, words_against) = (named(&taste.words_for), named(&taste.words_against));
    let papers = answer.papers.iter().map(|(paper, _)| paper);
    let beside = Beside::papers(&site, site.settings.fixed_url(), papers).await?;
    let suggestion = |(paper, why)| {
        let words = reasons(&paper, &why).into_iter();
        Suggestion {
            words: words.map(|(word, weight)| Weight { word, weight }).collect(),
            score: why.score,
            meaning: why.meaning,
            nearest: why.nearest.map(|nearest| nearest.id),
            paper: Facts::new(&site, &beside, paper),
        }
    };
    Ok(Json(Suggestions {
        liked: taste.liked,
        disliked: taste.disliked,
        vector_share: taste.vector_share,
        words_for,
        words_against,
        papers: answer.papers.into_iter().map(suggestion).collect(),
    }))
}
