//! Papers in the formats of other programs: pure functions from papers to text.
//!
//! Everything that goes in is text that somebody else wrote. Each format escapes it by its own rules,
//! and none takes over a control character or a line break.

pub(crate) mod atom;
pub(crate) mod bibtex;
pub(crate) mod csl;
pub(crate) mod feed;
pub(crate) mod jsonfeed;
pub(crate) mod markdown;
mod name;
pub(crate) mod ris;
pub(crate) mod xml;

use pressrun_catalog::Paper;

use crate::view::link;

/// A format with an extension of its own, which any list, search or paper takes at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    BibTex,
    Ris,
    Csl,
    Markdown,
    Atom,
    JsonFeed,
}

impl Format {
    /// All of them; feeds last.
    pub(crate) const ALL: [Self; 6] =
        [Self::BibTex, Self::Ris, Self::Csl, Self::Markdown, Self::Atom, Self::JsonFeed];

    /// What stands at the end of an address.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::BibTex => ".bib",
            Self::Ris => ".ris",
            Self::Csl => ".csl.json",
            Self::Markdown => ".md",
            Self::Atom => ".atom",
            Self::JsonFeed => ".feed.json",
        }
    }

    /// The media type, with the encoding where the type has that parameter.
    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::BibTex => "application/x-bibtex; charset=utf-8",
            Self::Ris => "application/x-research-info-systems; charset=utf-8",
            Self::Csl => "application/vnd.citationstyles.csl+json",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::JsonFeed => "application/feed+json",
        }
    }

    /// What a reader calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::BibTex => "BibTeX",
            Self::Ris => "RIS",
            Self::Csl => "CSL-JSON",
            Self::Markdown => "Markdown",
            Self::Atom => "Atom",
            Self::JsonFeed => "JSON Feed",
        }
    }

    /// Whether it is read again and again for what is new.
    pub(crate) fn is_feed(self) -> bool {
        matches!(self, Self::Atom | Self::JsonFeed)
    }

    /// Takes the extension off the end of an address.
    pub(crate) fn split(text: &str) -> (&str, Option<Self>) {
        let mut found = Self::ALL.into_iter().filter_map(|format| {
            let rest = text.strip_suffix(format.extension())?;
            (!rest.is_empty()).then_some((rest, Some(format)))
        });
        found.next().unwrap_or((text, None))
    }
}

/// What a format has to know beside the papers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// What absolute addresses of this site begin with.
    pub base: &'a str,
}

impl Facts<'_> {
    /// The page of a paper here.
    pub(crate) fn page(&self, paper: &Paper) -> String {
        format!("{}{}", self.base, link::paper(&paper.id))
    }

    /// Where a paper is to be cited from: arXiv, else its DOI, else its page here.
    pub(crate) fn url(&self, paper: &Paper) -> String {
        outside(paper).unwrap_or_else(|| self.page(paper))
    }
}

/// Where a paper stands outside this site, if that is known.
pub(crate) fn outside(paper: &Paper) -> Option<String> {
    let arxiv = paper.arxiv_id.as_deref().map(link::arxiv);
    arxiv.or_else(|| paper.doi.as_deref().map(link::doi))
}

/// A text on one line: white space of any kind becomes a space, and characters that are no text (and
/// that XML forbids) are left out.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if !out.ends_with(' ') && !out.is_empty() && c.is_whitespace() {
                out.push(' ');
            }
        } else if !matches!(c, '\u{fffe}' | '\u{ffff}') {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Year, month and day of publication, as far as they are known.
pub(crate) fn date_parts(paper: &Paper) -> (Option<i16>, Option<u8>, Option<u8>) {
    let text = paper.published.as_deref().unwrap_or_default();
    let mut parts = text.splitn(3, '-');
    let year = parts.next().filter(|year| year.len() == 4).and_then(|year| year.parse().ok());
    let mut part = |range: std::ops::RangeInclusive<u8>| {
        parts.next().and_then(|part| part.parse().ok()).filter(|part| range.contains(part))
    };
    let month = part(1..=12).filter(|_| year.is_some());
    let day = part(1..=31).filter(|_| month.is_some());
    (year, month, day)
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;
    use pressrun_catalog::NewPaper;

    use super::*;

    pub(crate) const FACTS: Facts<'static> = Facts { base: "https://papers.example" };

    /// Papers whose titles try to break out of whatever they are put into.
    pub(crate) fn hostile() -> Vec<Paper> {
        let long = "long \u{1f642} ".repeat(2_000);
        let titles = [
            "Plain",
            "{",
            "}}",
            "50% of \\ & # $ _ ^ ~",
            "<script>alert(1)</script>",
            "two\nlines\r\nTY  - JOUR",
            "]]> --> <![CDATA[",
            "\u{202e}right to left \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "\u{1f600}\u{200d}\u{1f525}",
            "\u{0}\u{b}\u{1b}[31m\u{fffe}\u{ffff}",
            "\" onload=\"x",
            "# [a](javascript:alert(1)) | `b`",
            &long,
        ];
        let papers = titles.iter().enumerate().map(|(at, title)| {
            let new = NewPaper {
                id: if at == 0 { "2301.10909".into() } else { format!("p{at}") },
                title: format!("{title} x"),
                summary: (*title).to_owned(),
                authors: vec!["Laurens van der Maaten".into(), (*title).to_owned()],
                published: Some("2023-01-25".into()),
                arxiv_id: (at == 0).then(|| "2301.10909".into()),
                category: Some("cs.LG".into()),
                tags: vec![(*title).to_owned()],
                ..NewPaper::default()
            };
            Paper::new(new, "2025-09-10T08:15:30.5Z".parse::<Timestamp>().unwrap())
        });
        papers.collect()
    }

    #[test]
    fn the_extension_comes_off_the_end() {
        assert_eq!(Format::split("2301.10909.bib"), ("2301.10909", Some(Format::BibTex)));
        assert_eq!(Format::split("2301.10909.csl.json"), ("2301.10909", Some(Format::Csl)));
        assert_eq!(Format::split("2025-09-09.feed.json"), ("2025-09-09", Some(Format::JsonFeed)));
        assert_eq!(Format::split("2301.10909"), ("2301.10909", None));
        assert_eq!(Format::split(".bib"), (".bib", None));
    }

    #[test]
    fn text_on_one_line() {
        assert_eq!(line("  a\n\n b\u{0}c\td \u{ffff}"), "a bc d");
        assert_eq!(line("\u{1}\u{2}"), "");
    }

    #[test]
    fn dates_as_precise_as_they_are() {
        let parts = |text: &str| {
            let new = NewPaper { published: Some(text.into()), ..NewPaper::default() };
            date_parts(&Paper::new(new, Timestamp::UNIX_EPOCH))
        };
        assert_eq!(parts("2023-01-25"), (Some(2023), Some(1), Some(25)));
        assert_eq!(parts("2023-01"), (Some(2023), Some(1), None));
        assert_eq!(parts("2023"), (Some(2023), None, None));
        assert_eq!(parts("2023-13-01"), (Some(2023), None, None));
        assert_eq!(parts("soon"), (None, None, None));
    }
}
