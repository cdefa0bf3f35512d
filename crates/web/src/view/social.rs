//! What other sites show of a page that somebody links to: Open Graph.

use maud::{Markup, html};

use crate::picture;

/// Characters of a description.
const MOST: usize = 300;

/// The title and kind of a page; every page has them.
pub(crate) fn every_page(title: &str) -> Markup {
    html! {
        meta property="og:site_name" content="Pressrun";
        meta property="og:title" content=(title);
    }
}

/// A list: its own address.
pub(crate) fn list(base: &str, path: &str) -> Markup {
    html! {
        meta property="og:type" content="website";
        meta property="og:url" content={ (base) (path) };
    }
}

/// A paper: its own address, and how it begins.
pub(crate) fn paper(base: &str, path: &str, summary: &str) -> Markup {
    let summary = crate::format::line(summary);
    let short: String = summary.chars().take(MOST).collect();
    let short =
        if short.len() < summary.len() { format!("{}…", short.trim_end()) } else { short };
    html! {
        meta property="og:type" content="article";
        meta property="og:url" content={ (base) (path) };
        meta property="og:image" content={ (base) (path) "/og.png" };
        meta property="og:image:width" content=(picture::WIDTH);
        meta property="og:image:height" content=(picture::HEIGHT);
        meta property="og:image:alt"
            content="The paper's title, and how many of its claims were reproduced";
        meta name="twitter:card" content="summary_large_image";
        @if !short.is_empty() {
            meta property="og:description" content=(short);
            meta name="description" content=(short);
        }
    }
}
