//! `/library`: what a person keeps, narrowed down, searched, in other formats.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query as Given, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use pressrun_catalog::{
    LibraryCounts, LibraryEntry, LibraryQuery, LibrarySort, LibraryState, Paper, Scope, Tag,
};
use pressrun_search::query::{Item, Kind, Query};
use pressrun_search::{Hit, Request, Results};

use super::params::Asked;
use crate::edge::viewer::{self, SignedIn};
use crate::format::{Facts, Format, markdown};
use crate::pages::formats::{self, Selection};
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, card, keep, link};
use crate::{Error, Result, fresh, number};

/// Papers on a page.
const PER_PAGE: u32 = 20;

/// What a page shows: papers in their order, each with what is kept of it.
struct Shown {
    papers: Vec<(Paper, LibraryEntry)>,
    total: u64,
    /// Roots of the words that were looked for, and what was found by words, if any were.
    roots: Vec<String>,
    hits: HashMap<String, Hit>,
    /// Papers of which the note has the words.
    noted: Vec<String>,
}

pub(super) async fn page(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Given(pairs): Given<Pairs>,
) -> Result<Response> {
    viewer.may(&site, Scope::Read)?;
    let asked = Asked::read(&Params(pairs))?;
    let person = viewer.person.id;
    let counts = site.catalog.library_counts(person).await?;
    let mut problem = None;
    let shown = match asked.words.parse::<Query>() {
        Ok(query) if !query.is_empty() => found(&site, person, &asked, query).await?,
        Err(error) => {
            problem = Some(error.to_string());
            listed(&site, person, &asked).await?
        }
        Ok(_) => listed(&site, person, &asked).await?,
    };
    let pages = u32::try_from(shown.total.div_ceil(u64::from(PER_PAGE)).max(1)).unwrap_or(u32::MAX);
    if asked.page > pages {
        return Err(Error::NoSuchPage { page: asked.page, pages });
    }
    let papers = || shown.papers.iter().map(|(paper, _)| paper);
    viewer::know_votes(&site, papers()).await?;
    viewer::know_library(&site, papers()).await?;
    let view = View { site: &site, asked: &asked, counts: &counts, shown: &shown, pages };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok((status, view.render(problem.as_deref())).into_response())
}

/// A page of the library in its own order.
async fn listed(site: &Site, person: i64, asked: &Asked) -> Result<Shown> {
    let offset = u64::from(asked.page - 1) * u64::from(PER_PAGE);
    let page = site.catalog.library(person, &asked.query, offset, PER_PAGE).await?;
    let ids: Vec<String> = page.entries.iter().map(|entry| entry.paper.clone()).collect();
    let papers = with_papers(site, page.entries, &ids).await?;
    let (roots, hits, noted) = (Vec::new(), HashMap::new(), Vec::new());
    Ok(Shown { papers, total: page.total, roots, hits, noted })
}

/// Entries with their papers, in the order of these ids.
async fn with_papers(
    site: &Site,
    entries: impl IntoIterator<Item = LibraryEntry>,
    ids: &[String],
) -> Result<Vec<(Paper, LibraryEntry)>> {
    let mut entries: HashMap<String, LibraryEntry> =
        entries.into_iter().map(|entry| (entry.paper.clone(), entry)).collect();
    let papers = site.catalog.papers_of(ids).await?;
    let pair = |paper: Paper| entries.remove(&paper.id).map(|entry| (paper, entry));
    Ok(papers.into_iter().filter_map(pair).collect())
}

/// The words that a note must have: those of the query, as they were typed.
fn typed(query: &Query) -> Vec<String> {
    let word = |item: &Item| match &item.kind {
        Kind::Word(word) | Kind::Phrase(word) if !item.negated => Some(word.clone()),
        _ => None,
    };
    query.items().iter().filter_map(word).collect()
}

/// Ids of the papers of a library that a query finds, the best first, then those of which only the note
/// has its words.
async fn find(
    site: &Site,
    person: i64,
    within: &LibraryQuery,
    query: Query,
) -> Result<(Results, Vec<String>, Vec<String>)> {
    let own: Arc<[String]> = site.catalog.library_papers(person, within).await?.into();
    let words = typed(&query);
    let request = Request {
        limit: Results::MOST,
        runs: Arc::clone(&site.runs),
        within: Some(Arc::clone(&own)),
        ..Request::new(query)
    };
    let results = site.search.search(request).await.map_err(Error::Search)?;
    let mut noted = site.catalog.library_notes_with(person, &words, Results::MOST).await?;
    let allowed: std::collections::HashSet<&String> = own.iter().collect();
    noted.retain(|id| allowed.contains(id));
    let mut ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
    // What a person wrote themselves they look for by its words: it is no worse than a likeness.
    let by_words = results.hits.iter().take_while(|hit| !hit.by_meaning_alone()).count();
    let more: Vec<String> =
        noted.iter().filter(|id| !ids[..by_words].contains(id)).cloned().collect();
    let by_meaning = ids.split_off(by_words);
    ids.extend(more.iter().cloned());
    ids.extend(by_meaning.into_iter().filter(|id| !more.contains(id)));
    Ok((results, ids, noted))
}

async fn found(site: &Site, person: i64, asked: &Asked, query: Query) -> Result<Shown> {
    let (results, ids, noted) = find(site, person, &asked.query, query).await?;
    let offset = (asked.page as usize - 1).saturating_mul(PER_PAGE as usize);
    let here: Vec<String> = ids.iter().skip(offset).take(PER_PAGE as usize).cloned().collect();
    let names: Vec<&str> = here.iter().map(String::as_str).collect();
    let entries = site.catalog.library_entries(person, &names).await?;
    let papers = with_papers(site, entries.into_values(), &here).await?;
    let hits = results.hits.into_iter().map(|hit| (hit.id.clone(), hit)).collect();
    Ok(Shown { papers, total: ids.len() as u64, roots: results.roots, hits, noted })
}

/// `/library.bib` and so on: all papers that fit, not a page of them.
pub(super) async fn exported(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Given(pairs): Given<Pairs>,
    headers: HeaderMap,
    format: Format,
) -> Result<Response> {
    viewer.may(&site, Scope::Read)?;
    let asked = Asked::read(&Params(pairs))?;
    let person = viewer.person.id;
    let query: Query = asked.words.parse().map_err(Error::Query)?;
    let ids = match query.is_empty() {
        true => site.catalog.library_papers(person, &asked.query).await?,
        false => find(&site, person, &asked.query, query).await?.1,
    };
    let title = title(&asked);
    if format == Format::Markdown {
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let entries = site.catalog.library_entries(person, &names).await?;
        let papers = with_papers(&site, entries.into_values(), &ids).await?;
        let base = site.base(&headers)?;
        let text = markdown::library(&title, &papers, &Facts { base: &base });
        return Ok(fresh::answer(&headers, format.mime(), text, None));
    }
    let whole = Asked { page: 1, ..asked };
    let selection = Selection {
        title,
        page: whole.address(""),
        own: whole.address(format.extension()),
        previous: None,
        next: None,
        papers: site.catalog.papers_of(&ids).await?,
    };
    formats::answer(&site, &headers, format, selection).await
}

fn title(asked: &Asked) -> String {
    let mut title = String::from("Library");
    if let Some(tag) = &asked.query.tag {
        title += &format!(", {tag}");
    }
    if let Some(state) = asked.query.state {
        title += &format!(", {}", keep::state_name(state).to_lowercase());
    }
    title
}

struct View<'a> {
    site: &'a Site,
    asked: &'a Asked,
    counts: &'a LibraryCounts,
    shown: &'a Shown,
    pages: u32,
}

impl View<'_> {
    fn render(&self, problem: Option<&str>) -> Markup {
        let body = html! {
            div.list-head {
                div {
                    h1 { "Library" }
                    p.by { "Only you see this. " a href="/recommended" { "Recommended from it" } }
                }
                (self.states())
            }
            (self.tags())
            (self.tools())
            @if let Some(problem) = problem {
                p.notice role="alert" { "This query cannot be read: " (problem) "." }
            }
            @if self.shown.papers.is_empty() { (self.nothing()) } @else { (self.cards()) }
            (self.pager())
            (self.tag_forms())
        };
        Page::new(&title(self.asked), Nav::Library, body).render()
    }

    /// All, and each state, with how many papers stand so.
    fn states(&self) -> Markup {
        let all = (None, "All", self.counts.kept());
        let state = |state| (Some(state), keep::state_name(state), self.counts.of(state));
        let states = std::iter::once(all).chain(LibraryState::ALL[1..].iter().copied().map(state));
        html! {
            nav.switch aria-label="State" {
                ul {
                    @for (state, name, count) in states {
                        @let here = self.asked.query.state == state;
                        li {
                            a href=(self.asked.but(|query| query.state = state).address(""))
                                aria-current=[here.then_some("page")] {
                                (name) " " span.n { (count) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn tags(&self) -> Markup {
        html! {
            @if !self.counts.tags.is_empty() {
                nav.tags aria-label="Tags" {
                    ul.chips {
                        @for (tag, count) in &self.counts.tags {
                            @let here = self.asked.query.tag.as_ref() == Some(tag);
                            @let other = (!here).then(|| tag.clone());
                            li {
                                a.chip href=(self.asked.but(|query| query.tag = other).address(""))
                                    aria-current=[here.then_some("true")] {
                                    (tag) span.n { (count) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn tools(&self) -> Markup {
        let LibraryQuery { state, tag, .. } = &self.asked.query;
        let whole = Asked { page: 1, ..self.asked.clone() };
        html! {
            div.list-tools {
                form.one-line role="search" action="/library" method="get" aria-label="Library" {
                    @if let Some(state) = state { input type="hidden" name="state" value=(state); }
                    @if let Some(tag) = tag { input type="hidden" name="tag" value=(tag); }
                    label {
                        span.sr { "Search your library" }
                        input type="search" name="q" value=(self.asked.words)
                            placeholder="Search your library" autocapitalize="none"
                            spellcheck="false";
                    }
                    button.button.second { "Search" }
                }
                @if self.asked.words.is_empty() { (self.sorts()) }
                nav.export aria-label="Export" {
                    p {
                        span { "Export" }
                        @for format in Format::ALL.into_iter().filter(|format| !format.is_feed()) {
                            " " a href=(whole.address(format.extension())) { (format.label()) }
                        }
                    }
                }
            }
            @if !self.asked.words.is_empty() {
                p.fine {
                    "In titles and abstracts by words and meaning, as the search of the whole site, and in \
                     notes by the very letters of all words. "
                    a href=(Asked { words: String::new(), ..whole }.address("")) { "Back to the list" }
                }
            }
        }
    }

    fn sorts(&self) -> Markup {
        html! {
            nav.sorts aria-label="Sort by" {
                span aria-hidden="true" { "Sort by" }
                ul {
                    @for sort in LibrarySort::ALL {
                        li {
                            a href=(self.asked.but(|query| query.sort = sort).address(""))
                                aria-current=[(sort == self.asked.query.sort).then_some("true")] {
                                (sort)
                            }
                        }
                    }
                }
            }
        }
    }

    fn cards(&self) -> Markup {
        let place = self.asked.address("");
        html! {
            ol.cards.own {
                @for (paper, entry) in &self.shown.papers {
                    li {
                        (self.card(paper))
                        (keep::controls(&paper.id, &paper.title, Some(entry), &place))
                    }
                }
            }
        }
    }

    fn card(&self, paper: &Paper) -> Markup {
        let Shown { roots, hits, noted, .. } = self.shown;
        html! {
            @match hits.get(&paper.id) {
                Some(hit) => (card::found(self.site, paper, roots, hit.by_meaning_alone())),
                None => (card::listed(self.site, paper)),
            }
            @if noted.contains(&paper.id) { p.fine { "Found in your note." } }
        }
    }

    fn nothing(&self) -> Markup {
        let whole = self.counts.kept() + self.counts.of(LibraryState::NotForMe) > 0;
        html! {
            div.nothing {
                @if whole {
                    p.lead { "Nothing in your library fits." }
                    p { a href="/library" { "All that you keep" } }
                } @else {
                    p.lead { "Your library is empty." }
                    p {
                        "On a paper's page you can keep it for later, tag it and write a note. "
                        a href="/papers/trending" { "Papers that are read now" }
                    }
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        let page = self.asked.page;
        let address = |page| Asked { page, ..self.asked.clone() }.address("");
        let total = i64::try_from(self.shown.total).unwrap_or(i64::MAX);
        html! {
            @if self.pages > 1 {
                nav.pager aria-label="Pages" {
                    @if page > 1 { a rel="prev" href=(address(page - 1)) { "← Previous" } }
                    span {
                        "Page " (page) " of " (self.pages) ", "
                        (number::counted(total, "paper", "papers"))
                    }
                    @if page < self.pages { a rel="next" href=(address(page + 1)) { "Next →" } }
                }
            }
        }
    }

    /// To rename and delete the tag that is looked at.
    fn tag_forms(&self) -> Markup {
        let Some(tag) = &self.asked.query.tag else { return html! {} };
        html! {
            section.box.tag-forms aria-labelledby="tag" {
                h2 #tag { "The tag " (tag) }
                p {
                    a href=(link::with("/recommended", "", &[("tag", Some(tag.as_str()))])) {
                        "Papers recommended from it"
                    }
                }
                form.one-line method="post" action="/library/tags/rename" {
                    input type="hidden" name="tag" value=(tag);
                    label {
                        span.sr { "New name of the tag" }
                        input name="name" value=(tag) required maxlength=(Tag::LONGEST)
                            autocapitalize="none" autocomplete="off";
                    }
                    button.button.second { "Rename" }
                }
                form method="post" action="/library/tags/delete" {
                    button.button.second name="tag" value=(tag) { "Take it off all papers" }
                }
            }
        }
    }
}
