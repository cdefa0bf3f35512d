//! Atom 1.0 (also as the arXiv API answers), RSS 0.9x and 2.0, and RDF (RSS 1.0).
//!
//! Of an entry are taken its title, the text of its summary without HTML, its authors, the day of its
//! publication, and an arXiv id or DOI where a link, the entry's own id or an element of Dublin Core,
//! PRISM or arXiv states one. Subjects become tags; arXiv's become the category. An entry that states
//! neither id is a paper by its title.

use std::io::BufRead;

use jiff::civil::Date;
use jiff::fmt::rfc2822;

use super::html;
use super::xml::{Broken, Document, Element};
use super::{Item, NewPaper, Note};
use crate::identity;

/// Namespace of Atom.
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// Namespace of arXiv's own elements.
const ARXIV: &str = "http://arxiv.org/schemas/atom";

/// Tags that are taken of one entry, at most.
const MAX_TAGS: usize = 20;

/// Hands every entry to `sink` until it returns `false`; whether it never did.
pub(super) fn items<R: BufRead>(
    document: &mut Document<R>,
    sink: &mut dyn FnMut(Item) -> bool,
) -> Result<bool, Broken> {
    let wanted = |e: &Element| matches!(e.name.as_str(), "entry" | "item" | "totalResults");
    while let Some(element) = document.next(wanted)? {
        let line = element.line;
        let item = if element.name == "totalResults" {
            let Ok(total) = element.text().trim().parse() else { continue };
            Item::Note(Note::Total(total))
        } else if let Some(problem) = element.problem {
            Item::Bad(line, problem)
        } else {
            match paper(&element) {
                Ok(paper) => Item::Paper(line, Box::new(paper)),
                Err(reason) => Item::Bad(line, reason),
            }
        };
        if !sink(item) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn paper(entry: &Element) -> Result<NewPaper, String> {
    let links = links(entry);
    if links.iter().any(|link| link.contains("arxiv.org/api/errors")) {
        let reason = entry.text_of("summary").unwrap_or_default();
        return Err(format!("arXiv answers: {reason}"));
    }
    let title = entry.all("title").map(text).find(|title| !title.is_empty());
    let title = title.ok_or("no title; expected an element `title`")?;
    let mut paper = NewPaper {
        title: title.replace("\n\n", " "),
        summary: summary(entry),
        authors: authors(entry),
        published: ["published", "issued", "pubDate", "date", "publicationDate", "updated"]
            .iter()
            .find_map(|name| day(&entry.text_of(name)?)),
        arxiv_id: links.iter().find_map(|link| stated_arxiv_id(link)),
        doi: links.iter().find_map(|link| stated_doi(link)),
        venue: entry.text_of("journal_ref").or_else(|| entry.text_of("publicationName")),
        ..NewPaper::default()
    };
    // arXiv's own DOI says what the arXiv id says; it would keep out the journal's.
    paper.doi = paper.doi.filter(|doi| !doi.starts_with("10.48550/arxiv."));
    if paper.arxiv_id.is_some() {
        paper.category = category(entry);
        arxiv_forms(&mut paper);
    } else {
        paper.tags = subjects(entry).take(MAX_TAGS).collect();
    }
    Ok(paper)
}

/// Where an entry says what it is: its links, ids and identifiers.
fn links(entry: &Element) -> Vec<String> {
    let names = ["doi", "id", "guid", "link", "identifier", "url"];
    let mut links = Vec::new();
    for element in names.iter().flat_map(|name| entry.all(name)) {
        links.extend(element.attribute("href").map(str::to_owned));
        links.push(element.text().trim().to_owned());
    }
    links.extend(entry.attribute("about").map(str::to_owned));
    links.retain(|link| !link.is_empty());
    links
}

/// An arXiv id, only where it is said to be one: four digits, a point and five more may be anything.
pub(super) fn stated_arxiv_id(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = ["arxiv.org/abs/", "arxiv.org/pdf/", "arxiv.org/html/", "oai:arxiv.org:", "arxiv:"]
        .iter()
        .find_map(|mark| Some(lower.find(mark)? + mark.len()))
        .or_else(|| Some(lower.find("10.48550/arxiv.")? + "10.48550/arxiv.".len()))?;
    let id = lower[at..].split(['?', '#', ' ']).next()?;
    identity::arxiv_id(id)
}

/// A DOI, bare or in a link to its resolver.
pub(super) fn stated_doi(text: &str) -> Option<String> {
    let text = text.trim();
    identity::doi(text.strip_prefix("info:doi/").unwrap_or(text))
}

/// Text of an element that may hold HTML, escaped or not.
fn text(element: &Element) -> String {
    let text = element.text();
    match element.attribute("type") {
        Some("xhtml") => text,
        Some("text" | "text/plain") => text.trim().to_owned(),
        // Without a word Atom means plain text (RFC 4287, section 3.1.1), and arXiv writes it: what
        // looks like a tag there is a formula, `a<b and c>d`.
        None if element.space == ATOM || text.starts_with("arXiv:") => text.trim().to_owned(),
        _ => html::text(&text),
    }
}

fn summary(entry: &Element) -> String {
    let names = ["summary", "abstract", "description", "encoded", "content"];
    let mut found = names.iter().flat_map(|name| entry.all(name)).map(text);
    found.find(|summary| !summary.is_empty()).unwrap_or_default()
}

fn authors(entry: &Element) -> Vec<String> {
    let mut names = Vec::new();
    for author in entry.all("author") {
        // Atom has a name within, RSS an address with the name in brackets.
        let name = author.text_of("name").unwrap_or_else(|| {
            let text = author.text();
            let bracket = text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            bracket.map_or(text.trim(), |(name, _)| name.trim()).to_owned()
        });
        names.push(html::text(&name));
    }
    if names.is_empty() {
        names.extend(entry.all("creator").map(|creator| html::text(&creator.text())));
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The day of a date as feeds write it: RFC 3339, RFC 2822, or its beginning.
pub(super) fn day(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(date) = rfc2822::parse(text) {
        return Some(date.date().to_string());
    }
    for length in [10, 7, 4] {
        let Some(start) = text.get(..length) else { continue };
        let whole = format!("{start}{}", &"-01-01"[..10 - length]);
        if whole.parse::<Date>().is_ok() {
            return Some(start.to_owned());
        }
    }
    None
}

fn category(entry: &Element) -> Option<String> {
    let of = |element: &Element| {
        let term = element.attribute("term").map(str::to_owned);
        term.or_else(|| Some(element.text().trim().to_owned())).filter(|t| !t.is_empty())
    };
    let primary = entry.all("primary_category").find(|e| e.space == ARXIV);
    primary.and_then(of).or_else(|| entry.all("category").find_map(of))
}

fn subjects(entry: &Element) -> impl Iterator<Item = String> {
    let elements = entry.all("category").chain(entry.all("subject"));
    let terms = elements.map(|element| {
        let term = element.attribute("label").or_else(|| element.attribute("term"));
        term.map_or_else(|| html::text(&element.text()), str::to_owned)
    });
    terms.filter(|term| !term.is_empty())
}

/// What arXiv's RSS does otherwise: all authors in one element, and a heading before the abstract.
fn arxiv_forms(paper: &mut NewPaper) {
    if let [all] = paper.authors.as_slice()
        && all.contains(", ")
    {
        paper.authors = all.split(", ").map(|name| name.trim().to_owned()).collect();
    }
    if paper.summary.starts_with("arXiv:")
        && let Some((_, rest)) = paper.summary.split_once("Abstract:")
    {
        paper.summary = rest.trim_start().to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_all_forms() {
        for (text, expected) in [
            ("2025-09-09T17:59:59Z", Some("2025-09-09")),
            ("2025-09-09", Some("2025-09-09")),
            ("Tue, 09 Sep 2025 00:00:00 -0400", Some("2025-09-09")),
            ("2025-09", Some("2025-09")),
            ("2025", Some("2025")),
            ("2025-13-09", Some("2025")),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ids_only_where_they_are_said_to_be_some() {
        for (text, expected) in [
            ("http://arxiv.org/abs/2509.00001v2", Some("2509.00001")),
            ("oai:arXiv.org:cs/0112017v1", Some("cs/0112017")),
            ("https://doi.org/10.48550/arXiv.2509.00001", Some("2509.00001")),
            ("https://huggingface.co/papers/2509.00001", None),
            ("2509.00001", None),
        ] {
            assert_eq!(stated_arxiv_id(text).as_deref(), expected, "{text}");
        }
        assert_eq!(stated_doi("https://doi.org/10.1/AB").as_deref(), Some("10.1/ab"));
        assert_eq!(stated_doi("https://example.org/10.1/AB"), None);
    }
}
