//! Text that has been read already: terms with one space between them.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Stands for a gap across which no phrase goes, such as that between two authors.
pub(crate) const GAP: &str = "\u{1}";
/// How many positions a gap takes.
const GAP_POSITIONS: usize = 100;

/// Cuts at single spaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spaced {
    token: Token,
}

pub(crate) struct SpacedStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for Spaced {
    type TokenStream<'a> = SpacedStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> SpacedStream<'a> {
        self.token.reset();
        SpacedStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for SpacedStream<'_> {
    fn advance(&mut self) -> bool {
        loop {
            let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
            self.rest = rest;
            if word == GAP {
                self.token.position = self.token.position.wrapping_add(GAP_POSITIONS);
                continue;
            }
            if word.is_empty() {
                return false;
            }
            self.token.position = self.token.position.wrapping_add(1);
            self.token.text.clear();
            self.token.text.push_str(word);
            return true;
        }
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_gaps() {
        let mut spaced = Spaced::default();
        let mut stream = spaced.token_stream("ada king \u{1} max born");
        let mut found = Vec::new();
        while stream.advance() {
            found.push((stream.token().text.clone(), stream.token().position));
        }
        let at = |text: &str, position| (text.to_owned(), position);
        assert_eq!(found, [at("ada", 0), at("king", 1), at("max", 102), at("born", 103)]);
        assert!(!spaced.token_stream("").advance());
    }
}
