//! `/recommended`: papers that a person may like, each with why, and what was learnt from the library.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query as Given, State};
use maud::{Markup, html};
use pressrun_catalog::{LibraryCounts, Paper, Scope, Tag};
use pressrun_search::recommend::{Recommendation, Recommended, WordWeight, words_of};

use crate::edge::viewer::{self, SignedIn};
use crate::params::{Pairs, Params};
use crate::recommended::Window;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, card, keep, link};
use crate::{Error, Result, number};

/// Papers on a page.
pub(super) const PER_PAGE: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub tag: Option<Tag>,
    pub window: Window,
    /// Whether the newest come first, and not the best.
    pub newest: bool,
    pub page: u32,
}

impl Question {
    pub(super) fn read(params: &Params) -> Result<Self> {
        let given = |name| params.value(name).filter(|value| !value.is_empty());
        let tag = given("tag").map(str::parse).transpose().map_err(Error::of_form)?;
        let window = given("window").map(str::parse).transpose()?.unwrap_or_default();
        let newest = match given("sort") {
            None | Some("best") => false,
            Some("newest") => true,
            Some(other) => {
                let expected = "`best` or `newest`";
                let value = other.to_owned();
                return Err(Error::Invalid { what: "sort order", value, expected });
            }
        };
        let page = params.number("page", "a number from 1", 1, |page| page > 0)?;
        Ok(Self { tag, window, newest, page })
    }

    fn address(&self) -> String {
        let page = (self.page > 1).then(|| self.page.to_string());
        link::with(
            "/recommended",
            "",
            &[
                ("tag", self.tag.as_ref().map(Tag::as_str)),
                ("window", (self.window != Window::All).then(|| self.window.name())),
                ("sort", self.newest.then_some("newest")),
                ("page", page.as_deref()),
            ],
        )
    }

    fn but(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut question = Self { page: 1, ..self.clone() };
        change(&mut question);
        question.address()
    }
}

/// A part of what is recommended, with all that is to be shown of it.
pub(super) struct Answer {
    /// Nothing as long as the library has no paper that is liked.
    pub found: Option<Arc<Recommended>>,
    /// The papers of this page.
    pub papers: Vec<(Paper, Recommendation)>,
    pub pages: u32,
    /// The words of the model's weights, by their numbers.
    pub words: HashMap<u32, String>,
}

pub(super) async fn answer(
    site: &Site,
    person: i64,
    question: &Question,
    per_page: usize,
) -> Result<Answer> {
    let found = site.recommender.of(site, person, question.tag.as_ref(), question.window).await?;
    let mut all = found.as_ref().map_or(Vec::new(), |found| found.papers.clone());
    if question.newest {
        all.sort_by_key(|paper| std::cmp::Reverse(paper.dated));
    }
    let pages = u32::try_from(all.len().div_ceil(per_page).max(1)).unwrap_or(u32::MAX);
    if question.page > pages {
        return Err(Error::NoSuchPage { page: question.page, pages });
    }
    let offset = (question.page as usize - 1) * per_page;
    let here: Vec<Recommendation> = all.into_iter().skip(offset).take(per_page).collect();
    let ids: Vec<String> = here.iter().map(|paper| paper.id.clone()).collect();
    let papers = site.catalog.papers_of(&ids).await?;
    let mut by_id: HashMap<String, Recommendation> =
        here.into_iter().map(|paper| (paper.id.clone(), paper)).collect();
    let pair = |paper: Paper| by_id.remove(&paper.id).map(|why| (paper, why));
    let papers = papers.into_iter().filter_map(pair).collect();
    let words = match &found {
        Some(found) => named(site, found).await?,
        None => HashMap::new(),
    };
    Ok(Answer { found, papers, pages, words })
}

/// The words of a model's weights: each is looked up in the text of a paper that has it.
async fn named(site: &Site, found: &Recommended) -> Result<HashMap<u32, String>> {
    let weights = || found.taste.words_for.iter().chain(&found.taste.words_against);
    let mut ids: Vec<String> = weights().map(|weight| weight.paper.clone()).collect();
    ids.sort();
    ids.dedup();
    let numbers: Vec<u32> = weights().map(|weight| weight.number).collect();
    let mut words = HashMap::new();
    for paper in site.catalog.papers_of(&ids).await? {
        for (number, word) in words_of(&text(&paper), &numbers) {
            words.entry(number).or_insert(word);
        }
    }
    Ok(words)
}

fn text(paper: &Paper) -> String {
    format!("{} {}", paper.title, paper.summary)
}

/// What a word adds at least to be named: less is 0.00 when it is written out.
const NAMED: f32 = 0.005;

/// The words of a reason with what they add, the strongest first.
pub(super) fn reasons(paper: &Paper, why: &Recommendation) -> Vec<(String, f32)> {
    let numbers: Vec<u32> = why.words.iter().map(|(number, _)| *number).collect();
    let words = words_of(&text(paper), &numbers);
    let word = |(number, worth): &(u32, f32)| Some((words.get(number)?.clone(), *worth));
    why.words.iter().filter(|(_, worth)| *worth >= NAMED).filter_map(word).collect()
}

pub(super) async fn page(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Given(pairs): Given<Pairs>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let question = Question::read(&Params(pairs))?;
    let answer = answer(&site, viewer.person.id, &question, PER_PAGE).await?;
    let counts = site.catalog.library_counts(viewer.person.id).await?;
    viewer::know_votes(&site, answer.papers.iter().map(|(paper, _)| paper)).await?;
    Ok(View { site: &site, question: &question, answer: &answer, counts: &counts }.render())
}

struct View<'a> {
    site: &'a Site,
    question: &'a Question,
    answer: &'a Answer,
    counts: &'a LibraryCounts,
}

impl View<'_> {
    fn render(&self) -> Markup {
        let body = html! {
            div.list-head {
                div {
                    h1 { "Recommended" }
                    p.by {
                        "Papers that are not in your library, and may belong there. "
                        a href="/library" { "Library" }
                    }
                }
                (self.windows())
            }
            (self.tags())
            @match &self.answer.found {
                Some(found) => {
                    (self.sorts())
                    (self.cards())
                    (self.pager())
                    (self.model(found))
                }
                None => (self.nothing()),
            }
        };
        Page::new("Recommended", Nav::Library, body).render()
    }

    fn windows(&self) -> Markup {
        html! {
            nav.switch aria-label="From when" {
                ul {
                    @for window in Window::ALL {
                        @let name = match window {
                            Window::Day => "Newest day",
                            Window::Week => "Week",
                            Window::Month => "Month",
                            Window::All => "All",
                        };
                        li {
                            a href=(self.question.but(|question| question.window = window))
                                aria-current=[(window == self.question.window).then_some("page")] {
                                (name)
                            }
                        }
                    }
                }
            }
        }
    }

    fn tags(&self) -> Markup {
        let names = self.counts.tags.iter().map(|(tag, _)| Some(tag));
        html! {
            @if !self.counts.tags.is_empty() {
                nav.tags aria-label="Learn from" {
                    ul.chips {
                        @for tag in std::iter::once(None).chain(names) {
                            @let here = self.question.tag.as_ref() == tag;
                            li {
                                a.chip href=(self.question.but(|question| question.tag = tag.cloned()))
                                    aria-current=[here.then_some("true")] {
                                    @match tag { Some(tag) => (tag), None => "the whole library" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn sorts(&self) -> Markup {
        html! {
            div.list-tools {
                nav.sorts aria-label="Sort by" {
                    span aria-hidden="true" { "Sort by" }
                    ul {
                        @for (name, newest) in [("best", false), ("newest", true)] {
                            li {
                                a href=(self.question.but(|question| question.newest = newest))
                                    aria-current=[(newest == self.question.newest).then_some("true")] {
                                    (name)
                                }
                            }
                        }
                    }
                }
                p.total { a href="#model" { "What was learnt" } }
            }
        }
    }

    fn cards(&self) -> Markup {
        let place = Question { page: 1, ..self.question.clone() }.address();
        html! {
            @if self.answer.papers.is_empty() {
                div.nothing {
                    p.lead { "No paper of that time is new to you." }
                    p { a href=(self.question.but(|question| question.window = Window::All)) { "From all times" } }
                }
            }
            ol.cards.own {
                @for (paper, why) in &self.answer.papers {
                    li {
                        (card::listed(self.site, paper))
                        (reason(paper, why))
                        form.keep-or-not method="post" action=(link::keep(&paper.id)) {
                            (keep::back(&place))
                            div.states role="group" aria-label={ "Keep or not: " (paper.title) } {
                                button.choice name="state" value="later" { "Later" }
                                button.choice name="state" value="not-for-me" { "Not for me" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        let (page, pages) = (self.question.page, self.answer.pages);
        let address = |page| Question { page, ..self.question.clone() }.address();
        html! {
            @if pages > 1 {
                nav.pager aria-label="Pages" {
                    @if page > 1 { a rel="prev" href=(address(page - 1)) { "← Previous" } }
                    span { "Page " (page) " of " (pages) }
                    @if page < pages { a rel="next" href=(address(page + 1)) { "Next →" } }
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        html! {
            div.nothing {
                @match &self.question.tag {
                    Some(tag) => {
                        p.lead { "No paper in your library has the tag " (tag) "." }
                        p { a href="/recommended" { "From the whole library" } }
                    }
                    None => {
                        p.lead { "There is nothing to learn from yet." }
                        p {
                            "Keep some papers, or vote for some: one is enough to begin with. "
                            a href="/papers/trending" { "Papers that are read now" }
                        }
                    }
                }
            }
        }
    }

    /// The model: from how many papers, which words, what the vectors add.
    fn model(&self, found: &Recommended) -> Markup {
        let taste = &found.taste;
        let papers = |n: usize| number::counted(n as i64, "paper", "papers");
        let share = (100.0 * taste.vector_share).round();
        html! {
            section.model aria-labelledby="model" {
                h2 #model { "What was learnt" }
                p {
                    "A linear model, fitted anew whenever your library changes: "
                    (papers(taste.liked)) " that you "
                    @if self.question.tag.is_some() { "tagged so" } @else { "keep or voted for" }
                    ", against " (papers(taste.disliked)) " not for you and " (papers(taste.sample))
                    " that stand for all others. Of what sets yours apart, " (share) " % is meaning (the \
                     papers' vectors), " (100.0 - share) " % words. A weight is what a word adds to the \
                     score, each time it stands in a text of a hundred words."
                }
                div.weights {
                    (self.weights("Words for", &taste.words_for))
                    (self.weights("Words against", &taste.words_against))
                }
            }
        }
    }

    fn weights(&self, title: &str, weights: &[WordWeight]) -> Markup {
        html! {
            div {
                h3 { (title) }
                @if weights.is_empty() { p.fine { "None." } }
                ul {
                    @for weight in weights {
                        @if let Some(word) = self.answer.words.get(&weight.number) {
                            li { span.value { (word) } " " span.n { (format!("{:+.3}", weight.weight)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Why a paper is recommended.
fn reason(paper: &Paper, why: &Recommendation) -> Markup {
    html! {
        p.why {
            strong { "Why: " }
            @if why.meaning > 0.0 { "meaning " span.n { (format!("{:+.2}", why.meaning)) } }
            @for (at, (word, worth)) in reasons(paper, why).iter().enumerate() {
                @if at > 0 || why.meaning > 0.0 { ", " }
                em { (word) } " " span.n { (format!("{worth:+.2}")) }
            }
            @if let Some(nearest) = &why.nearest {
                "; nearest of yours: " a href=(link::paper(&nearest.id)) { (nearest.title) }
            }
            "."
        }
    }
}
