//! BibTeX, in UTF-8.

use std::fmt::Write as _;

use pressrun_catalog::Paper;

use super::{Facts, date_parts, line, name};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// One entry per paper.
pub(crate) fn write(papers: &[Paper], facts: &Facts<'_>) -> String {
    papers.iter().map(|paper| entry(paper, facts)).collect::<Vec<_>>().join("\n")
}

fn entry(paper: &Paper, facts: &Facts<'_>) -> String {
    let kind = if paper.venue.is_some() { "article" } else { "misc" };
    let (year, month, _) = date_parts(paper);
    let month = month.and_then(|month| MONTHS.get(usize::from(month) - 1));
    let authors: Vec<String> = paper.authors.iter().map(|name| author(name)).collect();
    let mut fields = vec![("title", title(&paper.title))];
    let mut add = |name: &'static str, value: Option<String>| {
        fields.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    add("author", Some(authors.join(" and ")));
    add("year", year.map(|year| year.to_string()));
    add("journal", paper.venue.as_deref().map(text));
    add("eprint", paper.arxiv_id.as_deref().map(bare));
    add("archivePrefix", paper.arxiv_id.as_ref().map(|_| "arXiv".to_owned()));
    let class = paper.arxiv_id.as_ref().and(paper.category.as_deref());
    add("primaryClass", class.map(text));
    add("doi", paper.doi.as_deref().map(bare));
    add("url", Some(bare(&facts.url(paper))));
    add("keywords", Some(paper.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>().join(", ")));
    add("abstract", Some(text(&paper.summary)));
    let mut out = format!("@{kind}{{{},\n", key(&paper.id));
    for (name, value) in fields {
        // Writing to a string never fails.
        let _ = writeln!(out, "  {name} = {{{value}}},");
    }
    if let Some(month) = month {
        let _ = writeln!(out, "  month = {month},");
    }
    out.push_str("}\n");
    out
}

/// The key of a paper: its id, which never changes and which no other paper has. What BibTeX does
/// not take in a key is written as `+` and its hexadecimal code.
fn key(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'/' | b':') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "+{byte:02X}");
        }
    }
    out
}

/// Text as TeX sets it. Braces become commands: BibTeX counts them even after a backslash, and one
/// that has no partner would swallow the entries behind it.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '\\' => out.push_str("{\\textbackslash}"),
            '{' => out.push_str("{\\textbraceleft}"),
            '}' => out.push_str("{\\textbraceright}"),
            '^' => out.push_str("{\\textasciicircum}"),
            '~' => out.push_str("{\\textasciitilde}"),
            '<' => out.push_str("{\\textless}"),
            '>' => out.push_str("{\\textgreater}"),
            '&' | '%' | '$' | '#' | '_' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A title. Styles write titles small but for the first letter; words with capitals inside (`BERT`,
/// `ImageNet`, `L1`) are put in braces, which keeps them.
fn title(title: &str) -> String {
    let title = line(title);
    let mut out = String::with_capacity(title.len());
    for part in title.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | ':')) {
        let word =
            part.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '/' | ':'));
        let letters: Vec<char> = word.chars().filter(|c| c.is_alphanumeric()).collect();
        let inside = letters.iter().skip(1).any(|c| c.is_uppercase());
        let alone = letters.len() == 1 && letters[0].is_uppercase() && letters[0] != 'A';
        let coded = letters.first().is_some_and(|c| c.is_uppercase())
            && letters.iter().any(|c| c.is_numeric());
        if inside || alone || coded {
            let _ = write!(out, "{{{}}}", text(word));
        } else {
            out.push_str(&text(word));
        }
        out.push_str(&part[word.len()..]);
    }
    out
}

/// A name. `and` parts names and a comma parts a name, so that one with either is put in braces,
/// except for `Family, Given`.
fn author(author: &str) -> String {
    let written = text(author);
    match name::Name::of(&line(author)) {
        name::Name::Parts { .. } => written,
        name::Name::Whole(whole) if whole.contains(' ') || whole.contains(',') => {
            format!("{{{written}}}")
        }
        name::Name::Whole(_) => written,
    }
}

/// A number or address that is printed as it stands, without what ends a field or an address.
fn bare(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in line(value).chars() {
        match c {
            '{' | '}' | '\\' | ' ' | '"' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_text() {
        assert_eq!(text("a & b 50% $x$ #1 a_b"), "a \\& b 50\\% \\$x\\$ \\#1 a\\_b");
        assert_eq!(
            text("}{\\^~"),
            "{\\textbraceright}{\\textbraceleft}{\\textbackslash}{\\textasciicircum}{\\textasciitilde}"
        );
        assert_eq!(text("one\n\ttwo\r\nthree\u{0}"), "one two three");
        assert_eq!(text("größe 量子 🙂 שלום"), "größe 量子 🙂 שלום");
    }

    #[test]
    fn braces_are_balanced_whatever_comes() {
        for hostile in ["}", "{", "\\}", "}}}@misc{x,", "{{a}", "\\", "%}\n@article{b, title={"] {
            for out in [text(hostile), title(hostile), author(hostile), bare(hostile)] {
                let mut depth = 0;
                for c in out.chars() {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    assert!(depth >= 0, "{hostile}: {out}");
                }
                assert_eq!(depth, 0, "{hostile}: {out}");
            }
        }
    }

    #[test]
    fn capitals_that_matter_are_kept() {
        assert_eq!(
            title("BERT: Pre-training of Deep Models"),
            "{BERT}: Pre-training of Deep Models"
        );
        assert_eq!(
            title("A Mixture-of-Experts for ImageNet"),
            "A Mixture-of-Experts for {ImageNet}"
        );
        assert_eq!(title("T5 and R&D (XLNet)"), "{T5} and {R\\&D} {(XLNet)}");
        assert_eq!(title("Plan B in Rust"), "Plan {B} in Rust");
    }

    #[test]
    fn keys_are_fit_and_their_own() {
        assert_eq!(key("2301.10909"), "2301.10909");
        assert_eq!(key("cs/0112017"), "cs/0112017");
        assert_eq!(key("a,b}c d"), "a+2Cb+7Dc+20d");
        assert_ne!(key("a+b"), key("a b"));
    }

    #[test]
    fn names_do_not_fall_apart() {
        assert_eq!(author("Ada Lovelace"), "Ada Lovelace");
        assert_eq!(author("Alice and Bob"), "{Alice and Bob}");
        assert_eq!(author("Acme, Inc."), "{Acme, Inc.}");
        assert_eq!(author("OpenAI"), "OpenAI");
        assert_eq!(author("DeepSeek Team"), "{DeepSeek Team}");
    }

    #[test]
    fn addresses_stand_as_they_are() {
        assert_eq!(
            bare("10.1002/(sici)1097_0258<1661::aid>3.0.co;2-2"),
            "10.1002/(sici)1097_0258<1661::aid>3.0.co;2-2"
        );
        assert_eq!(bare("https://a/b c}"), "https://a/b%20c%7D");
    }
}
