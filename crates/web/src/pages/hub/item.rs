//! A paper as programs that know the Hugging Face papers API read it.
//!
//! Its official client takes title, votes and comments from the item itself, and authors, abstract
//! and date from the `paper` within; other readers take all of them from within. `authors` stands
//! only within: beside it, the client would keep the raw list in place of its own authors.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use pressrun_catalog::{Paper, VerdictCounts};
use pressrun_search::Hit;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Result;
use crate::site::Site;
use crate::view::link;

/// A paper of a list or of a search.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    /// The paper itself.
    paper: Facts,
    title: String,
    summary: String,
    /// When the paper came out; `null` where only a month or a year is known.
    published_at: Option<String>,
    /// The day of its list; `null` if it is on none.
    submitted_on_daily_at: Option<String>,
    submitted_by: Option<Submitter>,
    upvotes: i64,
    num_comments: i64,
    /// Address of a picture of the paper.
    thumbnail: Option<String>,
    /// The paper's page on this site.
    url: String,
    /// What a search ranked it by, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// Whether a search found none of the query's words in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_meaning_alone: Option<bool>,
}

/// What is known of a paper.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Paper)]
pub(crate) struct Facts {
    /// The arXiv id, or a slug where the paper has none.
    id: String,
    title: String,
    /// The abstract; empty where none is known.
    summary: String,
    authors: Vec<Author>,
    /// Midnight of the day on which the paper came out; `null` where only a month or a year is known.
    published_at: Option<String>,
    /// The same date as precisely as it is known: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    published: Option<String>,
    /// Midnight of the day of its list; `null` if it is on none.
    submitted_on_daily_at: Option<String>,
    submitted_on_daily_by: Option<Submitter>,
    upvotes: i64,
    num_comments: i64,
    /// The authors' code, where it is on GitHub.
    github_repo: Option<String>,
    /// The authors' code, wherever it is.
    code_url: Option<String>,
    /// The project's own page.
    project_page: Option<String>,
    doi: Option<String>,
    venue: Option<String>,
    /// Primary arXiv category.
    category: Option<String>,
    tags: Vec<String>,
    /// Whether a study runs the paper here.
    runs: bool,
    /// How many claims of the newest record came out how; `null` before there is one.
    #[schema(value_type = Option<Object>)]
    verdicts: Option<VerdictCounts>,
    /// The paper's page on this site.
    url: String,
}

/// An author.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Author {
    name: String,
}

/// Who put a paper on its list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Submitter {
    /// Name of the account.
    user: String,
    fullname: String,
    avatar_url: String,
}

/// What items know beside their papers: who proposed them, by id, and where the site is.
#[derive(Debug)]
pub(crate) struct Beside<'s> {
    base: &'s str,
    submitters: HashMap<String, pressrun_catalog::Submitter>,
}

impl<'s> Beside<'s> {
    /// What is known beside these papers; `base` is what absolute addresses begin with.
    pub(crate) async fn papers(
        site: &Site,
        base: &'s str,
        papers: impl Iterator<Item = &Paper> + Send,
    ) -> Result<Self> {
        let ids: Vec<&str> = papers.map(|paper| paper.id.as_str()).collect();
        Ok(Self { base, submitters: site.catalog.submitters(&ids).await? })
    }

    fn submitter(&self, paper: &str) -> Option<Submitter> {
        let person = self.submitters.get(paper)?;
        Some(Submitter {
            user: person.handle.clone(),
            fullname: person.name.clone(),
            avatar_url: format!("{}/favicon.svg", self.base),
        })
    }
}

impl Facts {
    /// A paper of the catalogue.
    pub(crate) fn new(site: &Site, beside: &Beside<'_>, paper: Paper) -> Self {
        let day = paper.published.as_deref().and_then(|text| text.parse::<Date>().ok());
        let url = paper.code_url.filter(|url| link::outside(url).is_some());
        let submitter = beside.submitter(&paper.id);
        let github = |url: &String| url.split('/').nth(2).is_some_and(|host| host == "github.com");
        Self {
            runs: site.runs_here(paper.slug.as_deref()),
            url: link::paper(&paper.id),
            id: paper.id,
            title: paper.title,
            summary: paper.summary,
            authors: paper.authors.into_iter().map(|name| Author { name }).collect(),
            published_at: day.map(midnight),
            published: paper.published,
            submitted_on_daily_at: paper.listed.map(midnight),
            submitted_on_daily_by: submitter,
            project_page: paper.project_url.filter(|url| link::outside(url).is_some()),
            upvotes: paper.votes,
            num_comments: paper.comments,
            github_repo: url.clone().filter(github),
            code_url: url,
            doi: paper.doi,
            venue: paper.venue,
            category: paper.category,
            tags: paper.tags,
            verdicts: paper.verdicts,
        }
    }
}

impl Item {
    /// A paper of a list.
    pub(crate) fn new(site: &Site, beside: &Beside<'_>, paper: Paper) -> Self {
        let paper = Facts::new(site, beside, paper);
        Self {
            title: paper.title.clone(),
            summary: paper.summary.clone(),
            published_at: paper.published_at.clone(),
            submitted_on_daily_at: paper.submitted_on_daily_at.clone(),
            submitted_by: paper.submitted_on_daily_by.clone(),
            upvotes: paper.upvotes,
            num_comments: paper.num_comments,
            thumbnail: Some(format!("{}{}/og.png", beside.base, paper.url)),
            url: paper.url.clone(),
            score: None,
            by_meaning_alone: None,
            paper,
        }
    }

    /// A paper that a search found.
    pub(crate) fn found(site: &Site, beside: &Beside<'_>, hit: &Hit, paper: Paper) -> Self {
        Self {
            score: Some(hit.score),
            by_meaning_alone: Some(hit.by_meaning_alone()),
            ..Self::new(site, beside, paper)
        }
    }
}

/// The only form of a moment that the client reads: UTC, with a fraction and `Z`.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn midnight(day: Date) -> String {
    format!("{day}T00:00:00.000Z")
}
