//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::{icon, social};
use crate::assets;
use crate::edge::viewer;

/// Where in the site a page stands; the navigation marks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nav {
    Papers,
    Trending,
    Studies,
    Runs,
    Methodology,
    /// What a person keeps: only who is signed in has it.
    Library,
    Elsewhere,
}

const LINKS: [(Nav, &str, &str); 5] = [
    (Nav::Papers, "/", "Papers"),
    (Nav::Trending, "/papers/trending", "Trending"),
    (Nav::Studies, "/studies", "Studies"),
    (Nav::Runs, "/runs", "Runs"),
    (Nav::Methodology, "/methodology", "Methodology"),
];

/// A page: its title, its place, what its head holds beyond the usual, and its content.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub title: &'a str,
    pub nav: Nav,
    pub head: Markup,
    /// What stands in the search box.
    pub query: &'a str,
    pub body: Markup,
}

impl<'a> Page<'a> {
    /// A page with nothing special in its head.
    pub(crate) fn new(title: &'a str, nav: Nav, body: Markup) -> Self {
        Self { title, nav, head: html! {}, query: "", body }
    }

    /// Adds to the head.
    pub(crate) fn with_head(mut self, head: Markup) -> Self {
        self.head = head;
        self
    }

    /// Puts something into the search box.
    pub(crate) fn with_query(mut self, query: &'a str) -> Self {
        self.query = query;
        self
    }

    /// The whole document.
    pub(crate) fn render(self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Pressrun" }
                    link rel="stylesheet" href=(assets::STYLE.url());
                    link rel="icon" href="/favicon.svg" type="image/svg+xml";
                    link rel="search" type="application/opensearchdescription+xml" title="Pressrun"
                        href="/opensearch.xml";
                    link rel="unapi-server" type="application/xml" title="unAPI" href="/unapi";
                    (social::every_page(self.title))
                    script src=(assets::SEARCH.url()) defer {}
                    script src=(assets::VOTE.url()) defer {}
                    (self.head)
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (header(self.nav, self.query))
                    main #main tabindex="-1" { (self.body) }
                    (footer())
                }
            }
        }
    }
}

fn header(here: Nav, query: &str) -> Markup {
    html! {
        header.site {
            div.bar {
                a.wordmark href="/" {
                    svg.logo viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
                        path.sheet d="M5 2.5h10l4 4v15H5Z" {}
                        path.curve d="M8 17c3 0 3-7 8-7" {}
                    }
                    "Pressrun"
                }
                (search_box(query))
                nav aria-label="Site" {
                    ul {
                        @for (nav, href, name) in LINKS {
                            li {
                                a href=(href) aria-current=[(nav == here).then_some("page")] {
                                    (name)
                                }
                            }
                        }
                        @if viewer::current().is_some() {
                            li {
                                a href="/library"
                                    aria-current=[(Nav::Library == here).then_some("page")] {
                                    "Library"
                                }
                            }
                        }
                        li.who { (who()) }
                    }
                }
            }
        }
    }
}

/// Who is signed in, or where to.
fn who() -> Markup {
    match viewer::current() {
        Some(viewer) => html! { a href="/account" { (viewer.person.name) } },
        None => html! { a href="/sign-in" { "Sign in" } },
    }
}

fn search_box(query: &str) -> Markup {
    html! {
        form.search role="search" action="/search" method="get" {
            label.sr for="q" { "Search papers" }
            input #q type="search" name="q" value=(query) placeholder="Search papers"
                autocapitalize="none" spellcheck="false" aria-keyshortcuts="/";
            button aria-label="Search" { (icon::search()) }
        }
    }
}

fn footer() -> Markup {
    html! {
        footer.site {
            div.bar {
                p {
                    "Pressrun: Daily Papers in which every paper runs. What a paper claims, "
                    "beside what was measured here."
                }
                nav aria-label="More" {
                    ul {
                        li { a href="/submit" { "Submit a paper" } }
                        li { a href="/api" { "Interfaces" } }
                        li { a href="/api/studies" { "Studies as JSON" } }
                        li { a href="/record.schema.json" { "Schema of a record" } }
                        li { a href="/methodology" { "How verdicts come about" } }
                    }
                }
            }
        }
    }
}
