//! What the head of a paper's page says to reference managers and search engines.

use maud::{Markup, html};
use pressrun_catalog::Paper;

use crate::format::{date_parts, line};
use crate::view::link;

/// The `citation_` tags that scholarly search engines and Zotero read.
pub(super) fn citation(paper: &Paper, base: &str) -> Markup {
    let date = match date_parts(paper) {
        (Some(year), Some(month), Some(day)) => Some(format!("{year}/{month:02}/{day:02}")),
        (Some(year), Some(month), None) => Some(format!("{year}/{month:02}")),
        (Some(year), ..) => Some(year.to_string()),
        _ => None,
    };
    html! {
        meta name="z:itemType" content="preprint";
        meta name="citation_title" content=(line(&paper.title));
        @for author in &paper.authors { meta name="citation_author" content=(line(author)); }
        @if let Some(date) = date { meta name="citation_publication_date" content=(date); }
        @if let Some(venue) = &paper.venue {
            meta name="citation_journal_title" content=(line(venue));
        }
        @if let Some(arxiv) = &paper.arxiv_id {
            meta name="citation_arxiv_id" content=(arxiv);
            meta name="citation_pdf_url" content=(link::arxiv_pdf(arxiv));
        }
        @if let Some(doi) = &paper.doi { meta name="citation_doi" content=(doi); }
        @for tag in &paper.tags { meta name="citation_keywords" content=(line(tag)); }
        @if !paper.summary.is_empty() {
            meta name="citation_abstract" content=(line(&paper.summary));
        }
        meta name="citation_abstract_html_url" content={ (base) (link::paper(&paper.id)) };
    }
}
