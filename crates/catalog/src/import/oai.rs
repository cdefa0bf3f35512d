//! Answers of OAI-PMH 2.0 with records in arXiv's own form (`arXiv`) or Dublin Core (`oai_dc`).
//!
//! ```text
//! <OAI-PMH><ListRecords>
//!   <record><header><identifier>oai:arXiv.org:0704.0001</identifier>...</header>
//!     <metadata><arXiv><id>0704.0001</id><created>2007-03-31</created><authors>...</arXiv></metadata>
//!   </record>
//!   <resumptionToken completeListSize="2500000">6511260|1001</resumptionToken>
//! </ListRecords></OAI-PMH>
//! ```
//!
//! Records that their repository has deleted are counted and passed over: what the catalogue knows of
//! them stays.

use std::io::BufRead;

use super::feed::{day, stated_arxiv_id, stated_doi};
use super::xml::{Broken, Document, Element};
use super::{Item, NewPaper, Note};

/// Hands every record to `sink` until it returns `false`; whether it never did.
pub(super) fn items<R: BufRead>(
    document: &mut Document<R>,
    sink: &mut dyn FnMut(Item) -> bool,
) -> Result<bool, Broken> {
    let wanted = |e: &Element| matches!(e.name.as_str(), "record" | "resumptionToken" | "error");
    while let Some(element) = document.next(wanted)? {
        let items = match element.name.as_str() {
            "record" => vec![record(&element)],
            "error" => refused(&element),
            _ => token(&element),
        };
        for item in items {
            if !sink(item) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn refused(error: &Element) -> Vec<Item> {
    let code = error.attribute("code").unwrap_or_default().to_owned();
    // An answer without records, and no mistake.
    if code == "noRecordsMatch" {
        return vec![Item::Note(Note::Total(0))];
    }
    let reason = format!("the repository answers `{code}`: {}", error.text().trim());
    vec![Item::Bad(error.line, reason), Item::Note(Note::Refused(code))]
}

fn token(element: &Element) -> Vec<Item> {
    let total = element.attribute("completeListSize").and_then(|size| size.trim().parse().ok());
    let mut items: Vec<Item> =
        total.map(|total| Item::Note(Note::Total(total))).into_iter().collect();
    let token = element.text().trim().to_owned();
    if !token.is_empty() {
        items.push(Item::Note(Note::Next(token)));
    }
    items
}

fn record(record: &Element) -> Item {
    let line = record.line;
    let header = record.all("header").next();
    if header.and_then(|header| header.attribute("status")) == Some("deleted") {
        return Item::Note(Note::Deleted);
    }
    if let Some(problem) = &record.problem {
        return Item::Bad(line, problem.clone());
    }
    let identifier = header.and_then(|header| header.text_of("identifier")).unwrap_or_default();
    let Some(metadata) = record.all("metadata").next().and_then(|m| m.elements().next()) else {
        return Item::Bad(line, format!("record `{identifier}` has no metadata"));
    };
    let paper = match metadata.name.as_str() {
        "arXiv" => arxiv(metadata),
        "dc" => dublin_core(metadata),
        other => Err(format!("metadata `{other}` is not read; expected `arXiv` or `oai_dc`")),
    };
    match paper {
        Ok(mut paper) => {
            if paper.arxiv_id.is_none() {
                paper.arxiv_id = stated_arxiv_id(&identifier);
            }
            Item::Paper(line, Box::new(paper))
        }
        Err(reason) => Item::Bad(line, format!("record `{identifier}`: {reason}")),
    }
}

fn arxiv(metadata: &Element) -> Result<NewPaper, String> {
    let categories = metadata.text_of("categories").unwrap_or_default();
    let authors = metadata.all("authors").flat_map(|authors| authors.all("author"));
    let name = |author: &Element| {
        let parts = ["forenames", "keyname", "suffix"].map(|part| author.text_of(part));
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    Ok(NewPaper {
        title: metadata.text_of("title").ok_or("no title; expected an element `title`")?,
        summary: metadata.text_of("abstract").unwrap_or_default(),
        authors: authors.map(name).collect(),
        published: metadata.text_of("created").and_then(|created| day(&created)),
        category: categories.split_whitespace().next().map(str::to_owned),
        arxiv_id: metadata.text_of("id"),
        // Some entries hold several, or a remark.
        doi: metadata.text_of("doi").and_then(|d| stated_doi(d.split_whitespace().next()?)),
        venue: metadata.text_of("journal-ref"),
        ..NewPaper::default()
    })
}

fn dublin_core(metadata: &Element) -> Result<NewPaper, String> {
    let identifiers: Vec<String> = metadata.all("identifier").map(Element::text).collect();
    let descriptions = metadata.all("description").map(|d| d.text().trim().to_owned());
    let name = |creator: &Element| {
        let text = creator.text();
        match text.split_once(',') {
            Some((last, first)) => format!("{} {}", first.trim(), last.trim()),
            None => text.trim().to_owned(),
        }
    };
    Ok(NewPaper {
        title: metadata.text_of("title").ok_or("no title; expected an element `title`")?,
        // Remarks ("12 pages") stand beside the abstract; it is the longest.
        summary: descriptions.max_by_key(String::len).unwrap_or_default(),
        authors: metadata.all("creator").map(name).collect(),
        // One date a version: the first is that of publication.
        published: metadata.all("date").filter_map(|date| day(&date.text())).min(),
        arxiv_id: identifiers.iter().find_map(|text| stated_arxiv_id(text)),
        doi: identifiers
            .iter()
            .find_map(|text| stated_doi(text).filter(|doi| !doi.starts_with("10.48550/arxiv."))),
        ..NewPaper::default()
    })
}
