//! Searching titles and authors in the folder: a script of our own over a file of data.

use maud::{Markup, html};
use pressrun_catalog::{Catalog, Place};
use serde_json::json;

use super::Error;
use super::place::{SEARCH, Scope, Target, relative};
use crate::view::{Nav, Page, link};

/// The script and its data. Data is a script as well, because a page that was opened from a folder may
/// load scripts beside it and nothing else.
pub(super) const NAME: &str = "assets/offline-search.js";
pub(super) const DATA: &str = "assets/offline-papers.js";
pub(super) const SCRIPT: &str = include_str!("../../assets/offline-search.js");

/// Most bytes of the data: a browser loads it as a whole.
const MOST: usize = 32 << 20;
/// Papers that are read at once.
const BATCH: u32 = 1000;
/// Authors by whom a paper is found.
const AUTHORS: usize = 12;

/// Title, authors and address of every paper, as a script; nothing if it would be too large.
pub(super) async fn data(catalog: &Catalog, scope: &Scope) -> Result<Option<String>, Error> {
    let mut text = String::from("\"use strict\";\nwindow.pressrunPapers = [\n");
    let mut place: Option<Place> = None;
    loop {
        let papers = catalog.after(place.as_ref(), BATCH).await?;
        for paper in &papers {
            let authors: Vec<&str> =
                paper.authors.iter().take(AUTHORS).map(|a| a.as_str()).collect();
            let Target::File { place: address, .. } = scope.target(&link::paper(&paper.id)) else {
                continue;
            };
            let dated = Place::of(paper).dated;
            let entry = json!([address, paper.title, authors.join(", "), dated]);
            // JSON is JavaScript; the two ends of lines that were not for long are so now.
            text.push_str(&entry.to_string());
            text.push_str(",\n");
        }
        if text.len() > MOST {
            return Ok(None);
        }
        match papers.last() {
            Some(last) => place = Some(Place::of(last)),
            None => break,
        }
    }
    text.push_str("];\n");
    Ok(Some(text))
}

/// The page that searches, as a page of the site.
pub(super) fn page() -> Markup {
    let body = html! {
        h1 { "Search" }
        p.lead { "Words of titles and names of authors; all have to be there." }
        div #offline-search data-root=(relative(SEARCH, "")) {
            p { "Searching a copy needs JavaScript." }
        }
    };
    Page::new("Search", Nav::Elsewhere, body).render()
}

/// Adds the scripts to the rewritten page, which has none.
pub(super) fn with_scripts(page: &str) -> String {
    let scripts = html! { script src=(DATA) defer {} script src=(NAME) defer {} };
    page.replacen("</head>", &format!("{}</head>", scripts.0), 1)
}
