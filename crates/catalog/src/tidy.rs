//! The form in which papers are stored.

use crate::identity::{self, fingerprint, slug, surname, title_key};
use crate::{Error, NewPaper, Result};

/// A paper in the stored form, and the keys by which it is recognised.
#[derive(Debug, Clone)]
pub(crate) struct Tidy {
    pub(crate) paper: NewPaper,
    /// [`title_key`] of its title.
    pub(crate) title: String,
    /// Of its first author; empty if it has none.
    pub(crate) surname: String,
    /// Its id, if it has one, else the one that it gets if that is free.
    pub(crate) id: String,
}

impl Tidy {
    /// The ids that a paper without one gets if its first choice is taken.
    ///
    /// They are made from its title and author and not from a count: they are the same whichever of
    /// two papers comes first.
    pub(crate) fn other_ids(&self) -> [String; 2] {
        let Self { title, surname, id, .. } = self;
        let mark = fingerprint(&[title, surname]) & 0xff_ffff;
        let doi = self.paper.doi.as_deref().unwrap_or_default();
        let longer = fingerprint(&[title, surname, doi]);
        [format!("{id}-{mark:06x}"), format!("{id}-{longer:016x}")]
    }
}

/// Brings a paper into the stored form: texts trimmed and without control characters, ids bare.
///
/// # Errors
/// [`Error::Invalid`] for a missing title, and for an id or date that is none.
pub(crate) fn tidy(paper: &NewPaper) -> Result<Tidy> {
    let title = line(&paper.title);
    if title.is_empty() {
        return Err(Error::Invalid {
            what: "title",
            value: title,
            expected: "at least one character",
        });
    }
    let optional = |text: &Option<String>| text.as_deref().map(line).filter(|t| !t.is_empty());
    let checked = |text: &Option<String>, what, expected, form: fn(&str) -> Option<String>| {
        let Some(text) = optional(text) else {
            return Ok(None);
        };
        let bare = form(&text);
        bare.map(Some).ok_or(Error::Invalid { what, value: text, expected })
    };
    let arxiv_id = checked(
        &paper.arxiv_id,
        "arXiv id",
        "a form like `2301.10909` or `cs/0112017`",
        identity::arxiv_id,
    )?;
    let doi = checked(&paper.doi, "DOI", "a form like `10.1145/3292500`", identity::doi)?;
    let published = checked(
        &paper.published,
        "date of publication",
        "`YYYY`, `YYYY-MM` or `YYYY-MM-DD`",
        |text| is_date(text).then(|| text.to_owned()),
    )?;
    let authors = paper.authors.iter().map(|name| line(name));
    let authors: Vec<String> = authors.filter(|name| !name.is_empty()).collect();
    let surname = authors.first().map(|name| surname(name));
    let key = title_key(&title);
    let given = line(&paper.id).replace(' ', "-");
    let id = if !given.is_empty() {
        given.clone()
    } else if let Some(arxiv_id) = &arxiv_id {
        arxiv_id.clone()
    } else {
        slug(&title)
    };
    let paper = NewPaper {
        id: given,
        slug: optional(&paper.slug),
        title,
        summary: block(&paper.summary),
        authors,
        published,
        listed: paper.listed,
        category: optional(&paper.category),
        arxiv_id,
        doi,
        venue: optional(&paper.venue),
        code_url: optional(&paper.code_url),
        code_licence: optional(&paper.code_licence),
        project_url: optional(&paper.project_url),
        tags: tags(&paper.tags),
    };
    Ok(Tidy { paper, title: key, surname: surname.unwrap_or_default(), id })
}

/// Each tag once, as one line.
fn tags(tags: &[String]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| line(tag)) {
        if !tag.is_empty() && !tidy.contains(&tag) {
            tidy.push(tag);
        }
    }
    tidy
}

fn is_date(text: &str) -> bool {
    let digits = |t: &str| t.len() == 4 && t.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        4 => digits(text),
        7 => format!("{text}-01").parse::<jiff::civil::Date>().is_ok(),
        10 => text.parse::<jiff::civil::Date>().is_ok(),
        _ => false,
    }
}

/// One line: white space of any kind, and control characters, become single spaces.
fn line(text: &str) -> String {
    let gap = |c: char| c.is_whitespace() || c.is_control();
    // Most texts are tidy already: then one look at their bytes suffices, and one copy.
    let mut before = b' ';
    let tidy = text.bytes().all(|byte| {
        let fits = matches!(byte, b'!'..=b'~') || (byte == b' ' && before != b' ');
        before = byte;
        fits
    });
    if tidy && before != b' ' {
        return text.to_owned();
    }
    let words: Vec<&str> = text.split(gap).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Paragraphs: each is one line, empty ones between them collapse to one break.
fn block(text: &str) -> String {
    if !text.contains(['\n', '\r']) {
        return line(text);
    }
    let text = text.replace("\r\n", "\n");
    let paragraphs = text.split("\n\n").map(line).filter(|p| !p.is_empty());
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_tidied_and_bad_ids_named() {
        let odd = NewPaper {
            title: "\u{feff} Gates\tthat\0open ".replace('\u{feff}', ""),
            summary: "One.\r\nStill one.\r\n\r\n\r\nTwo.\u{7}".into(),
            authors: vec!["  ".into(), "Ada\nKing".into()],
            ..NewPaper::default()
        };
        let Tidy { paper, .. } = tidy(&odd).unwrap();
        assert_eq!(paper.title, "Gates that open");
        assert_eq!(paper.summary, "One. Still one.\n\nTwo.");
        assert_eq!(paper.authors, ["Ada King"]);
        for (field, message) in [
            (NewPaper { title: " \n".into(), ..odd.clone() }, "title"),
            (NewPaper { arxiv_id: Some("x".into()), ..odd.clone() }, "arXiv id `x` is not valid"),
            (NewPaper { doi: Some("x".into()), ..odd.clone() }, "DOI `x` is not valid"),
            (NewPaper { published: Some("2023-13".into()), ..odd.clone() }, "`2023-13`"),
            (NewPaper { published: Some("20 May".into()), ..odd.clone() }, "`20 May`"),
        ] {
            let error = tidy(&field).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
