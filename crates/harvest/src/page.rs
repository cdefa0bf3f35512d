//! What a page about a paper says of it in its head, for search engines and reference managers.
//!
//! Read are the tags of Google Scholar (`citation_title`, one `citation_author` for each author,
//! `citation_publication_date`, `citation_doi` ...), else those of Dublin Core, else the title and the
//! description that pages have for other sites (Open Graph).

use html5gum::{Token, Tokenizer};
use pressrun_catalog::NewPaper;
use pressrun_catalog::identity::{arxiv_id, doi};
use pressrun_catalog::import::plain_text;

/// Most tags that are looked at.
const MOST: usize = 2000;

/// The paper that a page is about, as far as it says.
pub(crate) fn paper(html: &[u8]) -> Result<NewPaper, String> {
    let tags = Tags(tags(html));
    let title = tags.first(&["citation_title", "dc.title", "dcterms.title", "og:title"]);
    let title = title.ok_or("the page does not say which paper it is about")?;
    let authors = ["citation_author", "dc.creator", "dcterms.creator"];
    let authors = authors.iter().map(|name| tags.all(name)).find(|names| !names.is_empty());
    let published = [
        "citation_publication_date",
        "citation_date",
        "citation_online_date",
        "citation_year",
        "dc.date",
        "dcterms.issued",
    ];
    let summary = ["citation_abstract", "dc.description", "dcterms.abstract", "og:description"];
    let venue = ["citation_journal_title", "citation_conference_title", "citation_inbook_title"];
    Ok(NewPaper {
        title,
        summary: tags.first(&summary).unwrap_or_default(),
        authors: authors.unwrap_or_default().into_iter().map(in_order).collect(),
        published: tags.first(&published).and_then(|text| date(&text)),
        arxiv_id: tags.first(&["citation_arxiv_id"]).and_then(|text| arxiv_id(&text)),
        doi: tags.first(&["citation_doi", "dc.identifier"]).and_then(|text| doi(&text)),
        venue: tags.first(&venue),
        ..NewPaper::default()
    })
}

/// Names and contents of the tags `meta`, in their order.
fn tags(html: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for token in Tokenizer::new(html) {
        // Reading bytes cannot fail.
        let Ok(Token::StartTag(tag)) = token else { continue };
        if tag.name.as_slice() != b"meta" {
            continue;
        }
        let attribute = |name: &[u8]| {
            let value = tag.attributes.get(name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let name = attribute(b"name").or_else(|| attribute(b"property"));
        let content = attribute(b"content").map(|content| plain_text(&content));
        if let Some((name, content)) = name.zip(content.filter(|content| !content.is_empty())) {
            found.push((name.trim().to_ascii_lowercase(), content));
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

struct Tags(Vec<(String, String)>);

impl Tags {
    fn all(&self, name: &str) -> Vec<String> {
        let of = self.0.iter().filter(|(other, _)| other == name);
        of.map(|(_, content)| content.clone()).collect()
    }

    /// The first content of the first of these names that has any.
    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.all(name).into_iter().next())
    }
}

/// `King, Ada` as `Ada King`.
fn in_order(name: String) -> String {
    match name.split_once(',') {
        Some((family, given)) if !given.contains(',') => {
            format!("{} {}", given.trim(), family.trim())
        }
        _ => name,
    }
}

/// `2023/04/05`, `2023-4-5`, `2023`: as precise as it is.
fn date(text: &str) -> Option<String> {
    let day = text.split(['T', ' ']).next()?;
    let mut parts = day.split(['/', '-', '.']).map(|part| part.parse::<u16>().ok());
    let year = parts.next().flatten().filter(|year| (1000..=9999).contains(year))?;
    let month = parts.next().flatten().filter(|month| (1..=12).contains(month));
    let day = parts.next().flatten().filter(|day| (1..=31).contains(day) && month.is_some());
    let two = |part: Option<u16>| part.map(|part| format!("-{part:02}")).unwrap_or_default();
    Some(format!("{year}{}{}", two(month), two(day)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tags_of_reference_managers() {
        let html = br#"<!doctype html><html><head>
            <meta name="citation_title" content="Gates &amp; doors">
            <META NAME='citation_author' CONTENT='King, Ada'><meta name="citation_author" content="Max Born">
            <meta name="citation_publication_date" content="2023/4/05">
            <meta name="citation_doi" content="https://doi.org/10.1/AB">
            <meta name="citation_conference_title" content="ICLR">
            <meta property="og:description" content="We &lt;b&gt;open&lt;/b&gt; gates.">
            <meta name="citation_title" content="Another"><title>x</title></head><body>x"#;
        let paper = paper(html).unwrap();
        assert_eq!(paper.title, "Gates & doors");
        assert_eq!(paper.authors, ["Ada King", "Max Born"]);
        assert_eq!(paper.published.as_deref(), Some("2023-04-05"));
        assert_eq!(paper.doi.as_deref(), Some("10.1/ab"));
        assert_eq!(paper.venue.as_deref(), Some("ICLR"));
        assert_eq!(paper.summary, "We open gates.");
    }

    #[test]
    fn a_page_about_nothing_is_no_paper() {
        for html in ["", "<p>Hello</p>", "<meta name=citation_title content=''>", "\u{0}\u{1}"] {
            assert!(paper(html.as_bytes()).unwrap_err().contains("which paper"), "{html:?}");
        }
        let many = "<meta name=a content=b>".repeat(100_000);
        assert!(paper(many.as_bytes()).is_err());
    }

    #[test]
    fn dates_of_many_forms() {
        for (text, expected) in [
            ("2023", Some("2023")),
            ("2023-04", Some("2023-04")),
            ("2023-04-05T10:00:00Z", Some("2023-04-05")),
            ("2023/13/05", Some("2023")),
            ("April 2023", None),
        ] {
            assert_eq!(date(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_read(html in "(<meta |name=|content=|\"|'|>|<|/|citation_title|&amp;|x| |<!--|<script>){0,40}") {
            let _ = paper(html.as_bytes());
        }
    }
}
