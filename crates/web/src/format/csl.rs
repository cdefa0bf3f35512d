//! CSL-JSON: an array of items, as citation processors take them.

use pressrun_catalog::Paper;
use serde::Serialize;

use super::name::Name;
use super::{Facts, date_parts, line};

#[derive(Debug, Serialize)]
struct Item<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    author: Vec<Author>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<Issued>,
    #[serde(rename = "container-title", skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    genre: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(rename = "DOI", skip_serializing_if = "Option::is_none")]
    doi: Option<&'a str>,
    #[serde(rename = "URL")]
    url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    keyword: String,
    #[serde(rename = "abstract", skip_serializing_if = "String::is_empty")]
    summary: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Author {
    Person {
        family: String,
        given: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        suffix: Option<String>,
    },
    Whole {
        literal: String,
    },
}

#[derive(Debug, Serialize)]
struct Issued {
    #[serde(rename = "date-parts")]
    parts: [Vec<i16>; 1],
}

/// One item per paper.
///
/// # Errors
/// Only if the serialiser fails.
pub(crate) fn write(papers: &[Paper], facts: &Facts<'_>) -> serde_json::Result<String> {
    let items: Vec<Item<'_>> = papers.iter().map(|paper| item(paper, facts)).collect();
    serde_json::to_string_pretty(&items)
}

fn item<'a>(paper: &'a Paper, facts: &Facts<'_>) -> Item<'a> {
    let published = paper.venue.as_deref().map(line);
    let arxiv = paper.arxiv_id.as_deref();
    let (year, month, day) = date_parts(paper);
    let rest = [month, day].into_iter().map_while(|part| part.map(i16::from));
    let parts: Vec<i16> = year.into_iter().chain(rest).collect();
    Item {
        id: &paper.id,
        kind: if published.is_some() { "article-journal" } else { "article" },
        title: line(&paper.title),
        author: paper.authors.iter().map(|name| author(name)).collect(),
        issued: year.map(|_| Issued { parts: [parts] }),
        publisher: arxiv.map(|_| "arXiv"),
        genre: arxiv.filter(|_| published.is_none()).map(|_| "preprint"),
        number: arxiv.map(|id| format!("arXiv:{id}")),
        container: published,
        doi: paper.doi.as_deref(),
        url: facts.url(paper),
        keyword: paper.tags.iter().map(|tag| line(tag)).collect::<Vec<_>>().join(", "),
        summary: line(&paper.summary),
    }
}

fn author(author: &str) -> Author {
    let author = line(author);
    match Name::of(&author) {
        Name::Parts { given, family, suffix } => {
            Author::Person { family, given, suffix: suffix.map(str::to_owned) }
        }
        Name::Whole(name) => Author::Whole { literal: name.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{FACTS, hostile};

    #[test]
    fn items_have_what_the_schema_asks_for() {
        let items: serde_json::Value =
            serde_json::from_str(&write(&hostile(), &FACTS).unwrap()).unwrap();
        let items = items.as_array().unwrap();
        assert_eq!(items.len(), hostile().len());
        for item in items {
            assert!(item["id"].is_string() && item["type"] == "article", "{item}");
        }
        assert_eq!(items[0]["issued"]["date-parts"], serde_json::json!([[2023, 1, 25]]));
        assert_eq!(items[0]["author"][0]["family"], "van der Maaten");
        assert_eq!(items[0]["number"], "arXiv:2301.10909");
    }
}
