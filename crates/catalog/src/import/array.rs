//! A JSON array: the daily papers of Hugging Face, or papers in the form of JSON Lines.
//!
//! ```text
//! [{"paper": {"id": "2509.00001", "title": "...", "summary": "...", "authors": [{"name": "..."}],
//!             "publishedAt": "2025-09-08T17:59:59.000Z", "upvotes": 12},
//!   "publishedAt": "2025-09-09T00:00:00.000Z", "title": "...", "numComments": 2}]
//! ```
//!
//! A daily paper stands on the list of `submittedOnDailyAt` of its `paper`, else of the entry's own
//! `publishedAt`. `githubRepo` is its code, `projectPage` its page, `ai_keywords` are its tags. Votes
//! and comments belong to people and are not taken.

use std::io::{self, BufRead, Read};

use jiff::civil::Date;
use serde::Deserialize;

use super::feed::day;
use super::source::broken;
use super::{Item, NewPaper, jsonl};

/// Longest array in bytes: it is read as a whole.
const MAX_BYTES: u64 = 64 << 20;

/// What an entry of the daily papers says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    paper: Inner,
    published_at: Option<String>,
    title: Option<String>,
    summary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    id: Option<String>,
    title: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    authors: Vec<Author>,
    published_at: Option<String>,
    submitted_on_daily_at: Option<String>,
    github_repo: Option<String>,
    project_page: Option<String>,
    #[serde(default, rename = "ai_keywords")]
    keywords: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
}

/// Tells daily papers from other objects.
#[derive(Deserialize)]
struct Probe {
    paper: Option<serde::de::IgnoredAny>,
}

/// Hands every entry of an array to `sink` until it returns `false`; whether it never did.
pub(super) fn items(
    stream: &mut impl BufRead,
    sink: &mut dyn FnMut(Item) -> bool,
) -> io::Result<bool> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        return Ok(sink(Item::Bad(1, broken(&error))));
    }
    if bytes.len() as u64 > MAX_BYTES {
        let reason = format!("an array of more than {MAX_BYTES} bytes; JSON Lines may be longer");
        return Ok(sink(Item::Bad(1, reason)));
    }
    for item in parse(&bytes) {
        if !sink(item) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn parse(bytes: &[u8]) -> impl Iterator<Item = Item> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (elements, end) = split(bytes);
    let mut entry = 0;
    let items = elements.into_iter().map(move |(line, element)| {
        entry += 1;
        match paper(element) {
            Ok(paper) => Item::Paper(line, Box::new(paper)),
            Err(reason) => Item::Bad(line, format!("entry {entry}: {reason}")),
        }
    });
    items.chain(end.map(|(line, reason)| Item::Bad(line, reason)))
}

/// The elements of an array, each with its line; and, if the array is none, where and why.
///
/// Only brackets and strings are looked at, so that a bad element does not spoil the others.
#[expect(clippy::type_complexity, reason = "both halves are named above")]
fn split(bytes: &[u8]) -> (Vec<(u64, &[u8])>, Option<(u64, String)>) {
    let mut elements = Vec::new();
    let mut begin: Option<(u64, usize)> = None;
    let (mut line, mut depth, mut quoted, mut escaped) = (1_u64, 0_usize, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        line += u64::from(byte == b'\n');
        if depth == 1 && begin.is_none() && !byte.is_ascii_whitespace() && !b",]".contains(&byte) {
            begin = Some((line, at));
        }
        if quoted {
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        let ends = depth == 1 && b",]".contains(&byte);
        if ends && let Some((line, from)) = begin.take() {
            elements.push((line, &bytes[from..at]));
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let rest = bytes[at + 1..].trim_ascii();
                    let reason = "text after the end of the array; expected none";
                    return (elements, (!rest.is_empty()).then(|| (line, reason.into())));
                }
            }
            _ => {}
        }
    }
    let line = begin.map_or(line, |(line, _)| line);
    (elements, Some((line, "the array ends in the middle; is the file whole?".into())))
}

fn paper(element: &[u8]) -> Result<NewPaper, String> {
    let text = std::str::from_utf8(element).map_err(|_| "not UTF-8")?;
    let read = |error: serde_json::Error| error.to_string();
    if !text.starts_with('{') {
        return Err("not an object; expected `{\"paper\": ...}`".into());
    }
    let probe: Probe = serde_json::from_str(text).map_err(read)?;
    if probe.paper.is_none() {
        return jsonl::parse(element);
    }
    let Entry { paper, published_at, title, summary } = serde_json::from_str(text).map_err(read)?;
    let title = paper.title.or(title).filter(|title| !title.trim().is_empty());
    let listed = paper.submitted_on_daily_at.or(published_at);
    let listed = listed.as_deref().map(listed_day).transpose()?;
    Ok(NewPaper {
        title: title.ok_or("no title; expected a field `title`")?,
        summary: paper.summary.or(summary).unwrap_or_default(),
        authors: paper.authors.into_iter().filter_map(|author| author.name).collect(),
        published: paper.published_at.as_deref().and_then(day),
        listed,
        arxiv_id: paper.id,
        code_url: paper.github_repo,
        project_url: paper.project_page,
        tags: paper.keywords.unwrap_or_default(),
        ..NewPaper::default()
    })
}

fn listed_day(text: &str) -> Result<Date, String> {
    let date = text.get(..10).and_then(|start| start.parse().ok());
    date.ok_or_else(|| format!("day `{text}` is not valid; expected `YYYY-MM-DD`"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<Result<NewPaper, (u64, String)>> {
        let items = parse(text).map(|item| match item {
            Item::Paper(_, paper) => Ok(*paper),
            Item::Bad(line, reason) => Err((line, reason)),
            Item::Note(_) => unreachable!("arrays have no notes"),
        });
        items.collect()
    }

    #[test]
    fn daily_papers() {
        let text = br#"[
  {"paper": {"id": "2509.00001", "title": "Gates, [or] \"doors\"", "summary": "We open.",
             "authors": [{"_id": "1", "name": "Ada King", "hidden": false}, {"user": null}],
             "publishedAt": "2025-09-08T17:59:59.000Z", "upvotes": 3, "ai_keywords": ["gates"]},
   "publishedAt": "2025-09-09T00:00:00.000Z", "title": "Gates", "numComments": 1,
   "submittedBy": {"name": "max"}},
  {"paper": {"id": "2509.00002", "submittedOnDailyAt": "2025-09-10T01:00:00Z"}, "title": "Two"},
  {"paper": {"id": "2509.00003"}},
  {"paper": {"id": "2509.00004", "title": "x"}, "publishedAt": "soon"},
  17,
  {"title": "Plain", "listed": "2025-09-09"}
]"#;
        let got = read(text);
        let first = got[0].as_ref().unwrap();
        assert_eq!(first.title, "Gates, [or] \"doors\"");
        assert_eq!(first.authors, ["Ada King"]);
        assert_eq!(first.published.as_deref(), Some("2025-09-08"));
        assert_eq!(first.listed.unwrap().to_string(), "2025-09-09");
        assert_eq!(got[1].as_ref().unwrap().listed.unwrap().to_string(), "2025-09-10");
        let bad = |n: usize| got[n].as_ref().unwrap_err().clone();
        assert_eq!(bad(2), (8, "entry 3: no title; expected a field `title`".into()));
        assert_eq!(bad(3).1, "entry 4: day `soon` is not valid; expected `YYYY-MM-DD`");
        assert_eq!(bad(4).1, "entry 5: not an object; expected `{\"paper\": ...}`");
        assert_eq!(got[5].as_ref().unwrap().title, "Plain");
        assert_eq!(got.len(), 6);
    }

    #[test]
    fn half_an_array_gives_what_it_has() {
        let got = read(b"[{\"title\": \"One\"},\n {\"title\": \"Tw");
        assert_eq!(got[0].as_ref().unwrap().title, "One");
        assert_eq!(got[1], Err((2, "the array ends in the middle; is the file whole?".into())));
        assert!(read(b"[]").is_empty());
        assert!(read(b"[] x")[0].as_ref().unwrap_err().1.contains("after the end"));
        let deep = format!("[{}", "[".repeat(100_000));
        assert_eq!(read(deep.as_bytes()).len(), 1);
        let closed = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(closed.as_bytes())[0].is_err());
        let object = format!("[{{\"a\":{}{}}}]", "[".repeat(9999), "]".repeat(9999));
        assert!(read(object.as_bytes())[0].is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\",:a1 ]{0,60}") {
            read(&bytes);
            read(format!("[{text}").as_bytes());
        }

        #[test]
        fn any_array_is_split(titles in prop::collection::vec("\\PC{1,30}", 0..9)) {
            let entries: Vec<_> = titles.iter().map(|t| serde_json::json!({"title": format!("t{t}")})).collect();
            let got = read(serde_json::to_string_pretty(&entries).unwrap().as_bytes());
            let back: Vec<String> = got.into_iter().map(|p| p.unwrap().title[1..].to_owned()).collect();
            prop_assert_eq!(back, titles);
        }
    }
}
