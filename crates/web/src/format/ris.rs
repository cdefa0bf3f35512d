//! RIS, as reference managers read it: a tag, two spaces, a dash, a space and a value on each line.

use std::fmt::Write as _;

use pressrun_catalog::Paper;

use super::name::Name;
use super::{Facts, date_parts, line};
use crate::view::link;

/// One reference per paper.
pub(crate) fn write(papers: &[Paper], facts: &Facts<'_>) -> String {
    papers.iter().map(|paper| reference(paper, facts)).collect()
}

fn reference(paper: &Paper, facts: &Facts<'_>) -> String {
    let mut out = String::new();
    let mut add = |tag: &str, value: &str| {
        let value = line(value);
        if !value.is_empty() {
            // Writing to a string never fails.
            let _ = write!(out, "{tag}  - {value}\r\n");
        }
    };
    // A preprint is what RIS calls an unpublished work; with a venue it has appeared.
    add("TY", if paper.venue.is_some() { "JOUR" } else { "UNPB" });
    add("ID", &paper.id);
    add("TI", &paper.title);
    for author in &paper.authors {
        add("AU", &name(author));
    }
    if let (Some(year), month, day) = date_parts(paper) {
        let two = |part: Option<u8>| part.map(|part| format!("{part:02}")).unwrap_or_default();
        add("PY", &year.to_string());
        add("DA", &format!("{year}/{}/{}/", two(month), two(day)));
    }
    add("T2", paper.venue.as_deref().unwrap_or_default());
    if let Some(arxiv) = &paper.arxiv_id {
        add("PB", "arXiv");
        add("AN", &format!("arXiv:{arxiv}"));
        add("L1", &link::arxiv_pdf(arxiv));
    }
    add("DO", paper.doi.as_deref().unwrap_or_default());
    add("UR", &facts.url(paper));
    for tag in &paper.tags {
        add("KW", tag);
    }
    add("AB", &paper.summary);
    // The end has no value, but its space.
    out.push_str("ER  - \r\n\r\n");
    out
}

/// `Family, Given, Suffix`; an asterisk, which the format gives a meaning, is left out.
fn name(author: &str) -> String {
    let author = line(author).replace('*', "");
    match Name::of(&author) {
        Name::Parts { given, family, suffix: None } => format!("{family}, {given}"),
        Name::Parts { given, family, suffix: Some(suffix) } => {
            format!("{family}, {given}, {suffix}")
        }
        Name::Whole(name) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{FACTS, hostile};

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        let text = write(&hostile(), &FACTS);
        let tag = |line: &str| {
            let bytes = line.as_bytes();
            bytes.len() >= 6
                && bytes[..2].iter().all(u8::is_ascii_alphanumeric)
                && line[2..].starts_with("  - ")
        };
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            assert!(tag(line), "{line:?}");
        }
        let starts = text.split("\r\n").filter(|line| line.starts_with("TY  - ")).count();
        let ends = text.split("\r\n").filter(|line| *line == "ER  - ").count();
        assert_eq!((starts, ends), (hostile().len(), hostile().len()));
    }

    #[test]
    fn the_family_name_stands_first() {
        assert_eq!(name("Laurens van der Maaten"), "van der Maaten, Laurens");
        assert_eq!(name("Martin Luther King Jr."), "King, Martin Luther, Jr.");
        assert_eq!(name("Ada* Lovelace"), "Lovelace, Ada");
        assert_eq!(name("OpenAI"), "OpenAI");
    }
}
