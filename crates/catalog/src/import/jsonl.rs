//! JSON Lines: one paper a line.
//!
//! ```text
//! {"title": "...", "abstract": "...", "authors": ["..."], "venue": "iclr2024", "year": 2024,
//!  "arxiv_id": "2301.10909", "github": "https://..."}
//! ```
//!
//! Only the title is needed; further fields are `id`, `slug`, `published`, `listed`, `category`,
//! `doi`, `code_url` (the same as `github`), `code_licence`, `project_url` (the same as
//! `project_page`), `tags` (the same as `keywords`) and `summary` (the same as `abstract`).
//! `null` is the same as absence, and fields of other names are passed over.

use std::fmt;
use std::io::{self, BufRead};

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::lines::{Line, next};
use super::source::broken;
use super::{Item, NewPaper};

/// Longest line in bytes. The longest papers of large collections have some ten thousand.
pub const MAX_LINE: usize = 1 << 20;

/// A line, with the names that other collections use.
#[derive(Deserialize)]
struct Fields {
    id: Option<String>,
    slug: Option<String>,
    title: Option<String>,
    #[serde(alias = "abstract")]
    summary: Option<String>,
    authors: Option<Vec<Author>>,
    published: Option<String>,
    year: Option<i16>,
    listed: Option<String>,
    category: Option<String>,
    arxiv_id: Option<String>,
    doi: Option<String>,
    venue: Option<String>,
    #[serde(alias = "github")]
    code_url: Option<String>,
    #[serde(alias = "code_license")]
    code_licence: Option<String>,
    #[serde(alias = "project_page")]
    project_url: Option<String>,
    #[serde(alias = "keywords")]
    tags: Option<Vec<String>>,
}

/// A name, or an object with a `name`.
struct Author(String);

impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl<'de> Visitor<'de> for Name {
            type Value = Author;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an author's name or an object with a `name`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Author, E> {
                Ok(Author(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Author, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "name" {
                        name = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                name.map(Author).ok_or_else(|| serde::de::Error::missing_field("name"))
            }
        }

        deserializer.deserialize_any(Name)
    }
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it, and in which column.
///
/// # Example
/// ```
/// use pressrun_catalog::import::jsonl::parse;
///
/// let paper = parse(br#"{"title": "Gates", "year": 2024, "authors": [{"name": "Ada King"}]}"#)?;
/// assert_eq!(paper.published.as_deref(), Some("2024"));
/// assert_eq!(paper.authors, ["Ada King"]);
/// assert_eq!(parse(br#"{"year": 2024}"#).unwrap_err(), "no title; expected a field `title`");
/// # Ok::<(), String>(())
/// ```
pub fn parse(line: &[u8]) -> Result<NewPaper, String> {
    let text = std::str::from_utf8(line).map_err(|error| {
        let column = error.valid_up_to() + 1;
        format!("not UTF-8 (byte {column} of the line)")
    })?;
    // The parser would take an array for the fields in their order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not an object; expected `{\"title\": ...}`".into());
    }
    let fields: Fields = serde_json::from_str(text).map_err(|error| {
        // The parser sees one line at a time; the line of the file is named beside the reason.
        let message = error.to_string();
        let reason = message.split(" at line 1 column ").next().unwrap_or_default();
        format!("{reason} (column {})", error.column())
    })?;
    let title = fields.title.filter(|title| !title.trim().is_empty());
    let title = title.ok_or("no title; expected a field `title`")?;
    let listed = fields.listed.as_deref().map(str::parse::<Date>).transpose();
    let listed = listed.map_err(|_| {
        let value = fields.listed.as_deref().unwrap_or_default();
        format!("listed day `{value}` is not valid; expected `YYYY-MM-DD`")
    })?;
    let year = fields.year.map(|year| format!("{year:04}"));
    Ok(NewPaper {
        id: fields.id.unwrap_or_default(),
        slug: fields.slug,
        title,
        summary: fields.summary.unwrap_or_default(),
        authors: fields.authors.unwrap_or_default().into_iter().map(|author| author.0).collect(),
        published: fields.published.or(year),
        listed,
        category: fields.category,
        arxiv_id: fields.arxiv_id,
        doi: fields.doi,
        venue: fields.venue,
        code_url: fields.code_url,
        code_licence: fields.code_licence,
        project_url: fields.project_url,
        tags: fields.tags.unwrap_or_default(),
    })
}

/// Hands every line of a stream to `sink` until it returns `false`; whether it never did.
pub(super) fn items(
    stream: &mut impl BufRead,
    sink: &mut dyn FnMut(Item) -> bool,
) -> io::Result<bool> {
    let mut buffer = Vec::new();
    let mut empty = true;
    for line in 1.. {
        let item = match next(stream, MAX_LINE, &mut buffer) {
            Ok(Line::End) if empty => {
                let reason = "file is empty; expected JSON Lines, one paper a line";
                return Ok(sink(Item::Bad(1, reason.into())));
            }
            Ok(Line::End) => break,
            Ok(Line::TooLong(length)) => {
                Item::Bad(line, format!("line of {length} bytes; expected at most {MAX_LINE}"))
            }
            Ok(Line::Whole) => {
                let text = match line {
                    1 => buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&buffer),
                    _ => &buffer,
                };
                if text.trim_ascii().is_empty() {
                    continue;
                }
                match parse(text) {
                    Ok(paper) => Item::Paper(line, Box::new(paper)),
                    Err(reason) => Item::Bad(line, reason),
                }
            }
            Err(error) => return Ok(sink(Item::Bad(line, broken(&error)))),
        };
        empty = false;
        if !sink(item) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Numbered<T> = Vec<(u64, T)>;

    fn all(bytes: &[u8]) -> (Numbered<NewPaper>, Numbered<String>) {
        let (mut papers, mut bad) = (Vec::new(), Vec::new());
        let whole = items(&mut &bytes[..], &mut |item| {
            match item {
                Item::Paper(line, paper) => papers.push((line, *paper)),
                Item::Bad(line, reason) => bad.push((line, reason)),
                Item::Note(_) => {}
            }
            true
        });
        assert!(whole.unwrap());
        (papers, bad)
    }

    #[test]
    fn both_forms_of_a_paper() {
        let corpus = br#"{"title": "Gates", "abstract": "We open.", "authors": ["Ada King"],
            "venue": "iclr2024", "year": 2024, "arxiv_id": null, "github": "https://example.org"}"#;
        let paper = parse(corpus).unwrap();
        assert_eq!(paper.summary, "We open.");
        assert_eq!(paper.code_url.as_deref(), Some("https://example.org"));
        assert_eq!((paper.arxiv_id, paper.published.as_deref()), (None, Some("2024")));
        let full = br#"{"id": "gates", "slug": "gate", "title": "Gates", "summary": "We open.",
            "published": "2024-05-06", "year": 2023, "listed": "2025-09-09", "category": "cs.LG",
            "doi": "10.1/x", "code_licence": "MIT", "votes": 3}"#;
        let paper = parse(full).unwrap();
        assert_eq!(paper.published.as_deref(), Some("2024-05-06"));
        assert_eq!(paper.listed.unwrap().to_string(), "2025-09-09");
        assert_eq!((paper.id.as_str(), paper.slug.as_deref()), ("gates", Some("gate")));
    }

    #[test]
    fn a_broken_line_is_named_and_the_rest_goes_in() {
        let mut text =
            b"\xef\xbb\xbf{\"title\": \"One\"}\n{\"title\": \"T\n\n{\"title\": 3}\n{}\n".to_vec();
        text.extend_from_slice(
            b"{\"title\": \"\xff\"}\n[1]\n{\"title\": \"x\", \"authors\": [4]}\n",
        );
        text.extend_from_slice(
            b"{\"title\": \"x\", \"listed\": \"9 Sep\"}\r\n{\"title\": \" \"}\n",
        );
        text.extend_from_slice(format!("{{\"title\": \"{}\"}}\n", "x".repeat(MAX_LINE)).as_bytes());
        text.extend_from_slice(b"{\"title\": \"Last\"}");
        let (papers, bad) = all(&text);
        let titles: Vec<(u64, &str)> = papers.iter().map(|(l, p)| (*l, p.title.as_str())).collect();
        assert_eq!(titles, [(1, "One"), (12, "Last")]);
        let expected = [
            (2, "EOF while parsing a string (column 12)"),
            (4, "invalid type: integer `3`, expected a string (column 11)"),
            (5, "no title; expected a field `title`"),
            (6, "not UTF-8 (byte 12 of the line)"),
            (7, "not an object; expected `{\"title\": ...}`"),
            (8, "invalid type: integer `4`, expected an author's name"),
            (9, "listed day `9 Sep` is not valid; expected `YYYY-MM-DD`"),
            (10, "no title; expected a field `title`"),
            (11, "line of 1048589 bytes; expected at most 1048576"),
        ];
        assert_eq!(bad.len(), expected.len(), "{bad:?}");
        for ((line, reason), (at, start)) in bad.iter().zip(expected) {
            assert!(*line == at && reason.contains(start), "{line}: {reason}");
        }
    }

    #[test]
    fn an_empty_file_is_told() {
        for empty in ["", "\n\n  \n"] {
            let (papers, bad) = all(empty.as_bytes());
            assert_eq!((papers.len(), bad.len()), (0, 1));
            assert!(bad[0].1.starts_with("file is empty; expected JSON Lines"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            all(&bytes);
            let _ = parse(&bytes);
        }

        #[test]
        fn any_paper_comes_back(title in "\\PC{1,40}", names in prop::collection::vec("\\PC{1,9}", 0..4)) {
            prop_assume!(!title.trim().is_empty());
            let line = serde_json::json!({"title": title, "authors": names}).to_string();
            let paper = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(paper.title, title);
            prop_assert_eq!(paper.authors, names);
        }
    }
}
