//! A paper in a list or among the results of a search.

use std::ops::Range;

use maud::{Markup, html};
use pressrun_catalog::Paper;
use pressrun_search as search;

use super::{badge, date, export, icon, keep, link, vote};
use crate::number;
use crate::site::Site;

/// Authors named on a card; the paper's page names all.
const AUTHORS: usize = 6;
/// Characters of an abstract on a card: two lines on a wide screen, which the style sheet cuts.
const EXCERPT: usize = 320;
/// Characters of a passage that was found. It is shown whole, because its marks may be at its end.
const PASSAGE: usize = 260;

/// A paper of a list as a card.
pub(crate) fn listed(site: &Site, paper: &Paper) -> Markup {
    let excerpt = passage(&paper.summary, beginning(&paper.summary), &[]);
    card(site, paper, &html! { (paper.title) }, &excerpt, &html! {})
}

/// A paper that a search found, with the words of these roots marked.
pub(crate) fn found(site: &Site, paper: &Paper, roots: &[String], by_meaning: bool) -> Markup {
    let title = marked(&paper.title, roots);
    let place = search::excerpt(&paper.summary, roots, PASSAGE);
    let excerpt = passage(&paper.summary, place, roots);
    let more = html! {
        @if by_meaning { span.tag { "similar in meaning" } }
        @if let Some(venue) = &paper.venue { span.count.venue { (venue) } }
        @if let Some(published) = &paper.published {
            span.count.when { (date::published(published)) }
        }
    };
    card(site, paper, &title, &excerpt, &more)
}

fn card(site: &Site, paper: &Paper, title: &Markup, excerpt: &Markup, more: &Markup) -> Markup {
    let rest = paper.authors.len().saturating_sub(AUTHORS);
    html! {
        article.card {
            h2 { a href=(link::paper(&paper.id)) { (title) } }
            (export::unapi(&paper.id))
            @if !paper.authors.is_empty() {
                p.authors {
                    (paper.authors.iter().take(AUTHORS).map(String::as_str).collect::<Vec<_>>().join(", "))
                    @if rest > 0 { " and " (number::counted(rest as i64, "other", "others")) }
                }
            }
            @if !paper.summary.is_empty() { p.excerpt { (excerpt) } }
            div.meta {
                (badge::paper(paper.verdicts.as_ref(), site.runs_here(paper.slug.as_deref())))
                (more)
                (keep::mark(&paper.id))
                (vote::control(paper))
                span.count {
                    (icon::comment()) (number::counted(paper.comments, "comment", "comments"))
                }
                @if let Some(category) = &paper.category { span.count.category { (category) } }
            }
        }
    }
}

/// The beginning of an abstract, to the end of a word.
fn beginning(text: &str) -> Range<usize> {
    let Some((most, _)) = text.char_indices().nth(EXCERPT) else { return 0..text.len() };
    0..text[..most].rfind(char::is_whitespace).unwrap_or(most)
}

/// A part of a text, with dots where something was left out.
fn passage(text: &str, place: Range<usize>, roots: &[String]) -> Markup {
    html! {
        @if place.start > 0 { "… " }
        (marked(text[place.clone()].trim_end(), roots))
        @if place.end < text.trim_end().len() { "…" }
    }
}

/// A text with the words of these roots marked.
pub(crate) fn marked(text: &str, roots: &[String]) -> Markup {
    if roots.is_empty() {
        return html! { (text) };
    }
    let places = search::marks(text, roots);
    let starts = std::iter::once(0).chain(places.iter().map(|place| place.end));
    let ends = places.iter().map(Some).chain([None]);
    html! {
        @for (start, mark) in starts.zip(ends) {
            @match mark {
                Some(mark) => { (text[start..mark.start]) mark { (text[mark.clone()]) } }
                None => (text[start..]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str) -> String {
        passage(text, beginning(text), &[]).0
    }

    #[test]
    fn an_excerpt_ends_at_a_word() {
        assert_eq!(excerpt("short"), "short");
        let long = "größe ".repeat(100);
        let cut = excerpt(&long);
        assert!(cut.ends_with("größe…") && cut.chars().count() <= EXCERPT + 1, "{cut}");
        assert_eq!(excerpt(&"x".repeat(400)).chars().count(), EXCERPT + 1);
    }

    #[test]
    fn marks_stand_around_escaped_words() {
        let roots = ["gate".to_owned()];
        let shown = marked("<b>Gates</b> & doors, gated", &roots).0;
        assert_eq!(shown, "&lt;b&gt;<mark>Gates</mark>&lt;/b&gt; &amp; doors, <mark>gated</mark>");
        let cut = passage("First. Gates open. Last.", 7..18, &roots).0;
        assert_eq!(cut, "… <mark>Gates</mark> open.…");
    }
}
