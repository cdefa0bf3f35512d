//! The page of a search.

use std::collections::HashMap;

use maud::{Markup, html};
use pressrun_catalog::Paper;
use pressrun_search::query::{Item, Kind, Query, QueryError};
use pressrun_search::{Results, Status};

use super::{PER_PAGE, facets, guide};
use crate::format::Format;
use crate::number;
use crate::site::Site;
use crate::view::{Nav, Page, card, export, link};

/// Characters shown on either side of what could not be read.
const AROUND: usize = 48;

/// A page of a search.
#[derive(Debug)]
pub(super) struct SearchPage<'a> {
    pub site: &'a Site,
    /// What stands in the box.
    pub source: &'a str,
    /// From 1.
    pub page: u32,
    pub status: Status,
    pub answer: Answer,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing was asked for.
    Nothing,
    /// It could not be read.
    Unreadable(QueryError),
    /// The query with its results and their papers by id.
    Found { query: Query, results: Results, papers: HashMap<String, Paper> },
}

impl SearchPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let body = html! {
            h1 { "Search" }
            (self.building())
            @match &self.answer {
                Answer::Nothing => (self.invitation()),
                Answer::Unreadable(problem) => (self.problem(problem)),
                Answer::Found { query, results, papers } => {
                    (Found { page: self, query, results, papers }.render())
                }
            }
        };
        let title = match self.source.trim() {
            "" => "Search".to_owned(),
            // A tab has room for a few words, and a history for one line.
            words => format!("{} · Search", words.chars().take(80).collect::<String>()),
        };
        let head = match &self.answer {
            Answer::Found { .. } => export::alternates(&title, |format| self.exported(format)),
            _ => html! {},
        };
        Page::new(&title, Nav::Elsewhere, body).with_query(self.source).with_head(head).render()
    }

    /// The address of this search in another format.
    fn exported(&self, format: Format) -> String {
        link::search_as(self.source.trim(), format.extension(), 1)
    }

    /// Says that results are incomplete as long as they are.
    fn building(&self) -> Markup {
        let Status::Building { done, total, .. } = &self.status else { return html! {} };
        let count = |n: u64| number::grouped(i64::try_from(n).unwrap_or(i64::MAX));
        html! {
            p.notice role="status" {
                "The search index is being built"
                @if *total > 0 { ": " (count(*done)) " of " (count(*total)) " papers are in it" }
                ". Until it is done, results are incomplete."
            }
        }
    }

    fn invitation(&self) -> Markup {
        html! {
            p.lead { "Words, an author, a year, a verdict: type what you know. For example:" }
            (guide::examples())
            (guide::language(true))
        }
    }

    /// What could not be read, with a sign under the place.
    fn problem(&self, problem: &QueryError) -> Markup {
        let at = problem.position.saturating_sub(1);
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let mut characters = self.source.chars().map(shown);
        let left_out = at.saturating_sub(AROUND);
        let before: String = characters.by_ref().skip(left_out).take(at - left_out).collect();
        // The place may be behind the last character.
        let here = characters.next().filter(|c| !c.is_whitespace()).unwrap_or('\u{a0}');
        let after: String = characters.by_ref().take(AROUND).collect();
        let more = characters.next().is_some();
        html! {
            div.problem role="alert" {
                p { strong { "This query cannot be read." } " " (sentence(problem)) }
                p.wrong {
                    @if left_out > 0 { "…" }
                    (before) span.here { (here) } (after)
                    @if more { "…" }
                }
            }
            (guide::language(true))
        }
    }
}

fn sentence(problem: &QueryError) -> String {
    let text = problem.to_string();
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

/// Results with what stands around them.
struct Found<'a> {
    page: &'a SearchPage<'a>,
    query: &'a Query,
    results: &'a Results,
    papers: &'a HashMap<String, Paper>,
}

impl Found<'_> {
    fn render(&self) -> Markup {
        let (total, roots) = (self.results.total, &self.results.roots);
        html! {
            div.list-tools {
                p.total { (self.count()) }
                @if total > 0 { a.to-facets href="#facets" { "Narrow down" } }
                (self.chips())
            }
            @if total == 0 {
                (self.nothing())
            } @else {
                div.found {
                    div.results-list {
                        ol.cards {
                            @for hit in &self.results.hits {
                                @if let Some(paper) = self.papers.get(&hit.id) {
                                    li {
                                        (card::found(self.page.site, paper, roots, hit.by_meaning_alone()))
                                    }
                                }
                            }
                        }
                        (self.pager())
                        p.by-mail {
                            a href=(link::subscribe_to(self.query.source().trim())) { "Get this by e-mail" }
                        }
                        (export::links(|format| self.page.exported(format)))
                    }
                    @if let Some(facets) = &self.results.facets { (facets::beside(self.query, facets, total)) }
                }
                (guide::language(false))
            }
        }
    }

    fn count(&self) -> Markup {
        let total = self.results.total as i64;
        html! {
            @if self.results.total >= Results::MOST {
                (number::grouped(total)) " and more papers"
            } @else {
                (number::counted(total, "paper", "papers"))
            }
        }
    }

    /// The conditions, each with a link to the search without it. Words are changed in the box.
    fn chips(&self) -> Markup {
        let condition = |item: &&Item| item.negated || !matches!(item.kind, Kind::Word(_));
        let conditions: Vec<&Item> = self.query.items().iter().filter(condition).collect();
        html! {
            @if !conditions.is_empty() {
                ul.chips aria-label="Conditions" {
                    @for item in conditions {
                        li {
                            a.chip href=(link::search(&self.query.without(item))) {
                                span.sr { "Remove " }
                                span { (self.query.source()[item.place.clone()]) }
                                span.cross aria-hidden="true" { "×" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        let words = self.query.text();
        let conditions = self.query.items().len() > words.split_whitespace().count();
        html! {
            div.nothing {
                p.lead { "No paper here fits." }
                @if conditions && !words.is_empty() {
                    p {
                        "Without conditions: "
                        a href=(link::search(&words)) { (words) }
                    }
                }
                p {
                    a href=(link::subscribe_to(self.query.source().trim())) {
                        "Get an e-mail when there is one"
                    }
                }
                p { "Fewer conditions find more, and so may other words. Other searches:" }
                (guide::examples())
                (guide::language(true))
            }
        }
    }

    fn pager(&self) -> Markup {
        let (page, pages) = (self.page.page, self.results.total.div_ceil(PER_PAGE) as u32);
        let address = |page: u32| {
            let base = link::search(self.query.source());
            if page > 1 { format!("{base}&page={page}") } else { base }
        };
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
}
