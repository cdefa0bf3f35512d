//! Texts into the word pieces of a BERT vocabulary.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word beyond which it is unknown as a whole.
const LONGEST_WORD: usize = 100;

/// A vocabulary of word pieces, in lower case and without accents.
///
/// (The crate `tokenizers` reads every kind of tokenizer, with ninety further crates; this is the one
/// kind that BERT has.)
#[derive(Debug)]
pub(super) struct WordPieces {
    pieces: HashMap<String, u32>,
    count: usize,
    unknown: u32,
    first: u32,
    last: u32,
}

impl WordPieces {
    /// Reads a vocabulary: one piece a line, those within a word after `##`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let pieces: HashMap<String, u32> =
            text.lines().map(|line| line.trim_end().to_owned()).zip(0..).collect();
        let mark = |name: &str| {
            pieces.get(name).copied().ok_or_else(|| format!("there is no piece `{name}`"))
        };
        let (unknown, first, last) = (mark("[UNK]")?, mark("[CLS]")?, mark("[SEP]")?);
        Ok(Self { count: text.lines().count(), unknown, first, last, pieces })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The pieces of a text between the two marks, at most so many in all.
    pub(super) fn of(&self, text: &str, most: usize) -> Vec<u32> {
        let mut found = vec![self.first];
        for word in basic(text) {
            self.word(&word, &mut found);
            if found.len() >= most {
                break;
            }
        }
        found.truncate(most - 1);
        found.push(self.last);
        found
    }

    /// The longest piece that a word begins with, then of what is left the longest, and so on.
    fn word(&self, word: &str, found: &mut Vec<u32>) {
        let before = found.len();
        let mut start = 0;
        let known = word.chars().count() <= LONGEST_WORD;
        while known && start < word.len() {
            let ends = word[start..].char_indices().map(|(at, c)| start + at + c.len_utf8());
            let ends: Vec<usize> = ends.collect();
            let longest = ends.into_iter().rev().find_map(|end| {
                let piece = &word[start..end];
                let id = if start == 0 {
                    self.pieces.get(piece)
                } else {
                    self.pieces.get(&format!("##{piece}"))
                };
                id.map(|id| (*id, end))
            });
            let Some((id, end)) = longest else { break };
            found.push(id);
            start = end;
        }
        if start < word.len() {
            found.truncate(before);
            found.push(self.unknown);
        }
    }
}

/// Words and signs of a text: lower case, no accents, every sign and every Chinese character alone.
fn basic(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let folded = text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    for letter in folded {
        if letter.is_whitespace() || letter.is_control() || letter == '\u{fffd}' {
            if letter.is_whitespace() {
                words.push(String::new());
            }
            continue;
        }
        if is_sign(letter) || is_chinese(letter) {
            words.push(letter.to_string());
            words.push(String::new());
        } else if let Some(last) = words.last_mut() {
            last.push(letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_sign(letter: char) -> bool {
    letter.is_ascii_punctuation()
        || (!letter.is_ascii()
            && !letter.is_alphanumeric()
            && matches!(letter, '\u{a1}'..='\u{bf}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
            && !matches!(letter, '\u{a2}'..='\u{a6}' | '\u{a8}'..='\u{aa}' | '\u{ac}'..='\u{b5}' | '\u{b8}'..='\u{ba}' | '\u{bc}'..='\u{be}' | '\u{2044}' | '\u{2052}'))
}

fn is_chinese(letter: char) -> bool {
    matches!(letter,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_signs() {
        assert_eq!(basic("Naïve, 学习's\tx\u{0}y"), ["naive", ",", "学", "习", "'", "s", "xy"]);
        assert!(basic(" \n").is_empty());
    }

    #[test]
    fn the_longest_piece_first() {
        let pieces =
            WordPieces::read("[PAD]\n[UNK]\n[CLS]\n[SEP]\ngate\n##s\ngates\n##d\nga\n").unwrap();
        assert_eq!(pieces.of("Gates gated gate", 20), [2, 6, 4, 7, 4, 3]);
        // A word that cannot be put together is unknown as a whole.
        assert_eq!(pieces.of("gatex", 20), [2, 1, 3]);
        assert_eq!(pieces.of("gates gates gates", 4), [2, 6, 6, 3]);
        assert_eq!(pieces.of("", 20), [2, 3]);
        assert!(WordPieces::read("a\nb").unwrap_err().contains("[UNK]"));
    }
}
