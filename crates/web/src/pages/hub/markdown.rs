//! A paper as Markdown, for `hf papers read` and for models that read.

use std::fmt::Write as _;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use pressrun_catalog::Paper;

use crate::site::Site;
use crate::{Error, Result};

/// The paper that an address ending in `.md` means.
pub(crate) async fn read(site: &Site, id: &str) -> Result<Response> {
    let paper = site.catalog.paper(id).await?.ok_or_else(|| Error::no_paper(id))?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text(&paper)).into_response())
}

/// Title, authors and abstract.
fn text(paper: &Paper) -> String {
    let mut text = format!("# {}\n", escaped(&paper.title));
    if !paper.authors.is_empty() {
        let names: Vec<String> = paper.authors.iter().map(|name| escaped(name)).collect();
        // Writing to a string never fails.
        let _ = write!(text, "\n{}\n", names.join(", "));
    }
    if let Some(published) = &paper.published {
        let _ = write!(text, "\n{}\n", escaped(published));
    }
    if !paper.summary.is_empty() {
        let _ = write!(text, "\n## Abstract\n\n{}\n", escaped(&paper.summary));
    }
    text
}

/// One paragraph in which nothing is markup. TeX keeps its signs: between dollars, backslash and
/// underscore are what the formula is made of.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut formula = false;
    for (at, c) in words.char_indices() {
        formula ^= c == '$';
        let opens = at == 0 && matches!(c, '#' | '-' | '+' | '=' | '~');
        // A number with a dot or bracket would begin a list.
        let lists = matches!(c, '.' | ')')
            && at > 0
            && at < 10
            && words[..at].bytes().all(|b| b.is_ascii_digit());
        let marks = matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '!') && !formula;
        if opens || lists || marks || matches!(c, '<' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(escaped("# <b>*x*</b>\n\n[a](b)"), "\\# \\<b>\\*x\\*\\</b> \\[a\\](b)");
        assert_eq!(escaped("loss $a_1 \\le b$ of a_1"), "loss $a_1 \\le b$ of a\\_1");
        assert_eq!(escaped("1. first, 2. second"), "1\\. first, 2. second");
    }
}
