//! A paper in a list.

use maud::{Markup, html};
use pressrun_catalog::Paper;

use crate::number;
use crate::site::Site;
use crate::view::{badge, icon, link};

/// Authors named on a card; the paper's page names all.
const AUTHORS: usize = 6;
/// Characters of an abstract on a card: two lines on a wide screen, which the style sheet cuts.
const EXCERPT: usize = 320;

/// A paper as a card.
pub(super) fn card(site: &Site, paper: &Paper) -> Markup {
    let href = link::paper(&paper.id);
    let rest = paper.authors.len().saturating_sub(AUTHORS);
    html! {
        article.card {
            h2 { a href=(href) { (paper.title) } }
            @if !paper.authors.is_empty() {
                p.authors {
                    (paper.authors.iter().take(AUTHORS).map(String::as_str).collect::<Vec<_>>().join(", "))
                    @if rest > 0 { " and " (number::counted(rest as i64, "other", "others")) }
                }
            }
            @if !paper.summary.is_empty() { p.excerpt { (excerpt(&paper.summary)) } }
            div.meta {
                (badge::paper(paper.verdicts.as_ref(), site.runs_here(paper.slug.as_deref())))
                span.count { (icon::vote()) (number::counted(paper.votes, "vote", "votes")) }
                span.count {
                    (icon::comment()) (number::counted(paper.comments, "comment", "comments"))
                }
                @if let Some(category) = &paper.category { span.count.category { (category) } }
            }
        }
    }
}

/// The beginning of an abstract, to the end of a word.
fn excerpt(text: &str) -> String {
    if text.chars().count() <= EXCERPT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(EXCERPT).collect();
    let end = kept.rfind(char::is_whitespace).unwrap_or(kept.len());
    format!("{}…", kept[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_at_a_word() {
        assert_eq!(excerpt("short"), "short");
        let long = "größe ".repeat(100);
        let cut = excerpt(&long);
        assert!(cut.ends_with("größe…") && cut.chars().count() <= EXCERPT + 1, "{cut}");
        assert_eq!(excerpt(&"x".repeat(400)).chars().count(), EXCERPT + 1);
    }
}
