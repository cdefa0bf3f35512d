//! BibTeX and BibLaTeX: one paper an entry, LaTeX's accents and escapes as Unicode.
//!
//! ```text
//! @article{king2025, title = {Gates that {O}pen}, author = {King, Ada and Born, Max}, year = 2025,
//!   journal = {J. Gates}, eprint = {2509.00001}, archiveprefix = {arXiv}, doi = {10.1/x}}
//! ```
//!
//! Entries are cut out by their braces and read one by one, so that a bad one does not spoil the
//! others. `@string` is known where it is used; one that is put together of others (`#`) is refused,
//! because a few lines of such could become gigabytes. `crossref` is passed over.

use std::collections::HashSet;
use std::io::{self, BufRead, Read};

use biblatex::{Bibliography, ChunksExt, Entry};

use super::day::month;
use super::feed::{day, stated_arxiv_id, stated_doi};
use super::source::broken;
use super::{Item, NewPaper};
use crate::identity;

/// Longest file in bytes: it is read as a whole.
const MAX_BYTES: u64 = 64 << 20;

/// Longest entry in bytes.
const MAX_ENTRY: usize = 256 << 10;

/// Deepest nesting of braces.
const MAX_DEPTH: usize = 50;

/// Longest `@string`, and all of them.
const MAX_STRING: usize = 1024;
const MAX_STRINGS: usize = 256 << 10;

/// Entries without an end after which no more are looked for.
const MAX_OPEN: usize = 100;

/// Hands every entry to `sink` until it returns `false`; whether it never did.
pub(super) fn items(
    stream: &mut impl BufRead,
    sink: &mut dyn FnMut(Item) -> bool,
) -> io::Result<bool> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        return Ok(sink(Item::Bad(1, broken(&error))));
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Ok(sink(Item::Bad(1, format!("more than {MAX_BYTES} bytes; expected fewer"))));
    }
    parse(&bytes, sink);
    Ok(true)
}

/// Reads a whole file.
fn parse(bytes: &[u8], sink: &mut dyn FnMut(Item) -> bool) {
    let mut reader =
        Reader { bytes, at: 0, line: 1, strings: Vec::new(), strings_length: 0, open: 0 };
    let mut any = false;
    while let Some(item) = reader.next() {
        any = true;
        if let Some(item) = item
            && !sink(item)
        {
            return;
        }
    }
    if !any {
        sink(Item::Bad(
            1,
            "no entry; expected BibTeX such as `@article{key, title = {...}}`".into(),
        ));
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
    /// Name in lower case and text of every `@string`.
    strings: Vec<(String, String)>,
    strings_length: usize,
    open: usize,
}

impl Reader<'_> {
    /// The next entry; `Some(None)` for one that is no paper.
    fn next(&mut self) -> Option<Option<Item>> {
        let found = self.bytes[self.at..].iter().position(|&byte| byte == b'@')?;
        self.skip(found);
        let line = self.line;
        let rest = &self.bytes[self.at..];
        let name = rest[1..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let kind = String::from_utf8_lossy(&rest[1..=name]).to_ascii_lowercase();
        let brace =
            1 + name + rest[1 + name..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        if name == 0 || !matches!(rest.get(brace), Some(b'{')) {
            self.skip(1);
            // An at sign in the text between entries; one with a name and a bracket is meant.
            let meant = name > 0 && rest.get(brace) == Some(&b'(');
            return Some(meant.then(|| {
                Item::Bad(line, format!("`@{kind}(...)` is not read; expected `@{kind}{{...}}`"))
            }));
        }
        let length = match end(&rest[brace..]) {
            Ok(length) => brace + length,
            Err(reason) => {
                self.open += 1;
                let after = rest[1..].windows(2).position(|pair| pair == b"\n@");
                let enough = self.open >= MAX_OPEN;
                self.skip(after.filter(|_| !enough).map_or(rest.len(), |after| after + 2));
                return Some(Some(Item::Bad(line, format!("`@{kind}`: {reason}"))));
            }
        };
        self.skip(length);
        if matches!(kind.as_str(), "comment" | "preamble") {
            return Some(None);
        }
        let Ok(text) = std::str::from_utf8(&rest[..length]) else {
            return Some(Some(Item::Bad(line, format!("`@{kind}`: not UTF-8"))));
        };
        if kind == "string" {
            return Some(self.string(text).err().map(|reason| Item::Bad(line, reason)));
        }
        Some(Some(match self.entry(text) {
            Ok(paper) => Item::Paper(line, Box::new(paper)),
            Err(reason) => Item::Bad(line, reason),
        }))
    }

    fn skip(&mut self, length: usize) {
        let passed = &self.bytes[self.at..self.at + length];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.at += length;
    }

    fn string(&mut self, text: &str) -> Result<(), String> {
        let name = text.split_once('{').and_then(|(_, rest)| rest.split_once('='));
        let (name, value) =
            name.ok_or("`@string` without `=`; expected `@string{name = {...}}`")?;
        let name = name.trim().to_lowercase();
        self.strings_length += text.len();
        if text.len() > MAX_STRING || self.strings_length > MAX_STRINGS {
            return Err(format!(
                "`@string` `{name}` is too long; expected at most {MAX_STRING} bytes"
            ));
        }
        if value.contains('#') || !value.trim_start().starts_with(['{', '"']) {
            return Err(format!("`@string` `{name}` is not plain; expected `{{...}}` without `#`"));
        }
        self.strings.push((name, text.to_owned()));
        Ok(())
    }

    fn entry(&self, text: &str) -> Result<NewPaper, String> {
        // Only the strings that it may mean are read with it: all of them every time would take
        // minutes for a large file.
        let word = |c: char| !(c.is_alphanumeric() || "_-:.+/".contains(c));
        let words: HashSet<String> = if self.strings.is_empty() {
            HashSet::new()
        } else {
            text.split(word).map(str::to_lowercase).collect()
        };
        let mut source = String::new();
        for (_, string) in self.strings.iter().filter(|(name, _)| words.contains(name)) {
            source.push_str(string);
            source.push('\n');
        }
        source.push_str(text);
        let key = text.split_once('{').and_then(|(_, rest)| rest.split(',').next());
        let key: String = key.unwrap_or_default().trim().chars().take(80).collect();
        let said = |reason: String| format!("entry `{key}`: {reason}");
        // The crate unwraps here and there; an entry that it cannot bear must not end an import.
        let read = std::panic::catch_unwind(|| {
            let entries = Bibliography::parse(&source).map_err(|e| e.kind.to_string())?;
            paper(entries.iter().last().ok_or("is empty")?)
        });
        read.unwrap_or_else(|_| Err("cannot be read".into())).map_err(said)
    }
}

/// Where the brace at the beginning is closed. Braces that are escaped do not count.
fn end(bytes: &[u8]) -> Result<usize, String> {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, &byte) in bytes.iter().enumerate().take(MAX_ENTRY) {
        match byte {
            _ if escaped => {}
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
        if depth == 0 {
            return Ok(at + 1);
        }
        if depth > MAX_DEPTH {
            return Err(format!("braces nest deeper than {MAX_DEPTH}"));
        }
    }
    Err(match bytes.len() > MAX_ENTRY {
        true => format!("not closed within {MAX_ENTRY} bytes"),
        false => "the file ends before its `}`; is it whole?".into(),
    })
}

fn paper(entry: &Entry) -> Result<NewPaper, String> {
    let text = |name: &str| {
        let text = entry.get(name)?.format_verbatim();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let title = text("title").ok_or("no title; expected a field `title`")?;
    let title = match text("subtitle") {
        Some(subtitle) => format!("{title}: {subtitle}"),
        None => title,
    };
    let authors = entry.author().unwrap_or_default();
    let name = |person: &biblatex::Person| {
        let parts = [&person.given_name, &person.prefix, &person.name, &person.suffix];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    let links: Vec<String> =
        ["eprint", "url", "doi", "note", "journal", "journaltitle", "howpublished"]
            .into_iter()
            .filter_map(text)
            .collect();
    let archive = text("archiveprefix").or_else(|| text("eprinttype"));
    let arxiv = archive.is_some_and(|archive| archive.eq_ignore_ascii_case("arxiv"));
    let eprint = text("eprint").filter(|_| arxiv).and_then(|id| identity::arxiv_id(&id));
    let keywords = text("keywords").unwrap_or_default();
    let keywords = keywords.split([',', ';']).map(|word| word.trim().to_owned());
    Ok(NewPaper {
        title,
        summary: text("abstract").unwrap_or_default(),
        authors: authors.iter().map(name).filter(|name| name != "others").collect(),
        published: published(entry),
        category: text("primaryclass").or_else(|| text("eprintclass")).filter(|_| arxiv),
        arxiv_id: eprint.or_else(|| links.iter().find_map(|link| stated_arxiv_id(link))),
        doi: text("doi")
            .and_then(|doi| identity::doi(&doi))
            .or_else(|| links.iter().find_map(|link| stated_doi(link)))
            .filter(|doi| !doi.starts_with("10.48550/arxiv.")),
        venue: ["booktitle", "journal", "journaltitle", "eventtitle"].into_iter().find_map(text),
        tags: keywords.filter(|word| !word.is_empty()).collect(),
        ..NewPaper::default()
    })
}

/// The date, as precise as the entry states it: of BibLaTeX's `date`, else of BibTeX's parts. (The
/// crate's own reader of dates panics at some, such as the day `- 1`.)
fn published(entry: &Entry) -> Option<String> {
    let text = |name: &str| Some(entry.get(name)?.format_verbatim().trim().to_owned());
    // Of a range its beginning.
    if let Some(date) = text("date").and_then(|date| day(date.split('/').next()?)) {
        return Some(date);
    }
    let year = text("year").filter(|y| y.len() == 4 && y.bytes().all(|b| b.is_ascii_digit()))?;
    let month = text("month").and_then(|text| {
        let number = text.parse().ok().filter(|month| (1..=12).contains(month));
        number.or_else(|| month(text.split(|c: char| !c.is_alphabetic()).next()?))
    });
    let Some(month) = month else { return Some(year) };
    let month = format!("{year}-{month:02}");
    let date = text("day").and_then(|day| Some(format!("{month}-{:02}", day.parse::<u8>().ok()?)));
    Some(date.filter(|date| date.parse::<jiff::civil::Date>().is_ok()).unwrap_or(month))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<Result<NewPaper, (u64, String)>> {
        let mut got = Vec::new();
        parse(text, &mut |item| {
            match item {
                Item::Paper(_, paper) => got.push(Ok(*paper)),
                Item::Bad(line, reason) => got.push(Err((line, reason))),
                Item::Note(_) => {}
            }
            true
        });
        got
    }

    #[test]
    fn an_entry_with_all_fields() {
        let text = br#"Exported today.
@string{jg = {Journal of {G}ates}}
@comment{not read}
@Article{king2025,
  title = {Gates that {O}pen for $\alpha > 0$},
  author = {King, Ada and M{\"u}ller, J{\"o}rg and van der Berg, \'Ana and others},
  journal = jg, year = 2025, month = sep, day = 9,
  eprint = {2509.00001v2}, archivePrefix = {arXiv}, primaryClass = {cs.LG},
  doi = {https://doi.org/10.1000/ABC}, keywords = {gates, doors},
  abstract = {We open 50\% of the \emph{gates} \& keep them open.}
}"#;
        let got = read(text);
        let paper = got[0].as_ref().unwrap();
        assert_eq!(paper.title, "Gates that Open for $\\alpha > 0$");
        assert_eq!(paper.authors, ["Ada King", "J\u{f6}rg M\u{fc}ller", "\u{c1}na van der Berg"]);
        assert_eq!(paper.venue.as_deref(), Some("Journal of Gates"));
        assert_eq!(paper.published.as_deref(), Some("2025-09-09"));
        assert_eq!(paper.arxiv_id.as_deref(), Some("2509.00001"));
        assert_eq!(paper.category.as_deref(), Some("cs.LG"));
        assert_eq!(paper.doi.as_deref(), Some("10.1000/abc"));
        assert_eq!(paper.tags, ["gates", "doors"]);
        assert!(paper.summary.starts_with("We open 50% of the"), "{}", paper.summary);
        assert_eq!(got.len(), 1);
    }

    #[test]
    fn bad_entries_cost_themselves_only() {
        let text = b"@misc{a, title = {One}}\n@misc{b, year = 2020}\n@misc{c, title = undefined}\n\
            @misc{d, title = {\xff}}\n@misc{e, crossref = {none}, title = {Five}}\n\
            @misc{f, title = {never closed}\n\n@misc{g, title = {Seven}, year = {in press}}\n";
        let got = read(text);
        let titles: Vec<&str> = got.iter().flatten().map(|p| p.title.as_str()).collect();
        assert_eq!(titles, ["One", "Five", "Seven"]);
        let bad: Vec<(u64, String)> = got.into_iter().filter_map(Result::err).collect();
        let expected = [
            (2, "entry `b`: no title"),
            (3, "entry `c`: unknown abbreviation"),
            (4, "`@misc`: not UTF-8"),
            (6, "`@misc`: the file ends before its `}`"),
        ];
        assert_eq!(bad.len(), expected.len(), "{bad:?}");
        for ((line, reason), (at, start)) in bad.iter().zip(expected) {
            assert!(*line == at && reason.starts_with(start), "{line}: {reason}");
        }
    }

    #[test]
    fn dates_of_all_forms() {
        for (fields, expected) in [
            ("date = {2025-09-09}", Some("2025-09-09")),
            ("date = {2025-09/2025-10}", Some("2025-09")),
            ("year = 2025, month = 9, day = 31", Some("2025-09")),
            ("year = {2025}, month = {September}", Some("2025-09")),
            ("year = 2025, month = dec # {~24}", Some("2025-12")),
            ("year = 2025, month = 13", Some("2025")),
            ("year = 2025, month = sep, day = {- 1}", Some("2025-09")),
            ("year = {forthcoming}", None),
            ("date = {circa}", None),
        ] {
            let got = read(format!("@misc{{k, title = {{x}}, {fields}}}").as_bytes());
            assert_eq!(got[0].as_ref().unwrap().published.as_deref(), expected, "{fields}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = String::from("@string{a = {aaaaaaaaaa}}\n");
        for (from, to) in ('a'..='y').zip('b'..='z') {
            text += &format!("@string{{{to} = {from} # {from}}}\n");
        }
        text += "@misc{k, title = z}\n";
        assert!(read(text.as_bytes()).iter().all(Result::is_err));
        let deep = format!("@misc{{k, title = {}x{}}}", "{".repeat(90_000), "}".repeat(90_000));
        assert!(read(deep.as_bytes())[0].as_ref().unwrap_err().1.contains("deeper"));
        assert!(read("\n@a{".repeat(300_000).as_bytes()).len() <= MAX_OPEN);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
            read(&[b"@misc{k, title = {".as_slice(), &bytes, b"}}"].concat());
        }

        #[test]
        fn any_markup_is_read(text in "(\\{|\\}|\"|\\\\|\\$|#|,|=|~|-|%|a|1|and |title|author|ids|date|year|month|\\\\'| |\u{e9}){0,40}") {
            read(format!("@misc{{k, {text}}}").as_bytes());
            for field in ["title", "author", "date", "year", "month", "eprint", "ids", "options"] {
                read(format!("@misc{{k, title = {{x}}, {field} = {{{text}}}}}").as_bytes());
            }
        }
    }
}
