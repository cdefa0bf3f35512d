//! Text into sentences.

use std::ops::Range;

/// Where the sentences of a text stand, without the white space between them.
///
/// One ends at a full stop, question or exclamation mark that white space and what can begin a
/// sentence follow: a capital letter, a digit, or one of `$ \ " (`. So `et al. show` and `Fig. a`
/// are not parted; `vs. BERT` is, which views and tasks bear.
///
/// ```
/// use pressrun_embedder::sentences::sentences;
///
/// let text = "Gates open, i.e. route. They do! 7 of them (cf. table 2).";
/// let found: Vec<&str> = sentences(text).into_iter().map(|place| &text[place]).collect();
/// assert_eq!(found, ["Gates open, i.e. route.", "They do!", "7 of them (cf. table 2)."]);
/// ```
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut push = |range: Range<usize>| {
        let part = &text[range.clone()];
        let start = range.start + part.len() - part.trim_start().len();
        let end = start + part.trim().len();
        if start < end {
            found.push(start..end);
        }
    };
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '.' | '!' | '?') || !chars.peek().is_some_and(|(_, c)| c.is_whitespace()) {
            continue;
        }
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let begins =
            |c: char| c.is_uppercase() || c.is_numeric() || matches!(c, '$' | '\\' | '"' | '(');
        if chars.peek().is_some_and(|(_, c)| begins(*c)) {
            push(start..at + 1);
            start = at + 1;
        }
    }
    push(start..text.len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn ends_of_sentences() {
        assert_eq!(all("One. Two?\n\n $x$ is three!  "), ["One.", "Two?", "$x$ is three!"]);
        assert_eq!(all("At 2.5 GHz, e.g. here. Éa."), ["At 2.5 GHz, e.g. here.", "Éa."]);
        assert_eq!(all(" . . . A"), [". . .", "A"]);
        assert!(all("").is_empty() && all(" \n").is_empty());
        assert_eq!(all("深度。学习"), ["深度。学习"]);
    }
}
