//! Which texts of a paper are indexed, and in what form.

use pressrun_catalog::Paper;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema};
use tantivy::schema::{TextFieldIndexing, TextOptions};

use super::spaced::GAP;
use crate::roots::{Lexeme, Roots};
use crate::words::words;

/// The name under which the tokenizer of [`Texts`] is registered.
pub(crate) const TOKENIZER: &str = "spaced";

/// The fields of the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// The paper's number on the shelf.
    pub number: Field,
    /// Roots of title and abstract with their counts: what ranks.
    pub text: Field,
    /// Words of the title as they are typed, for suggestions.
    pub title: Field,
    /// Words of the authors' names in their order.
    pub authors: Field,
    /// Words of venue, category and tags, each with the letter of its [`Key`].
    pub keys: Field,
}

/// What a word of [`Fields::keys`] is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Venue,
    Category,
    Tag,
}

impl Key {
    /// The term of a word.
    pub(crate) fn term(self, word: &str) -> String {
        let letter = match self {
            Self::Venue => 'v',
            Self::Category => 'c',
            Self::Tag => 't',
        };
        format!("{letter}:{word}")
    }
}

/// The schema and its fields.
pub(crate) fn schema() -> (Schema, Fields) {
    let text = |record, norms| {
        let indexing = TextFieldIndexing::default().set_tokenizer(TOKENIZER);
        let indexing = indexing.set_index_option(record).set_fieldnorms(norms);
        TextOptions::default().set_indexing_options(indexing)
    };
    let mut schema = Schema::builder();
    let number = NumericOptions::from(INDEXED | FAST);
    let fields = Fields {
        number: schema.add_u64_field("number", number),
        text: schema.add_text_field("text", text(IndexRecordOption::WithFreqs, true)),
        title: schema.add_text_field("title", text(IndexRecordOption::Basic, false)),
        authors: schema
            .add_text_field("authors", text(IndexRecordOption::WithFreqsAndPositions, false)),
        keys: schema.add_text_field("keys", text(IndexRecordOption::Basic, false)),
    };
    (schema.build(), fields)
}

/// A paper's texts in the form in which they are indexed: terms with a space between them. Reused
/// from paper to paper, so that their memory is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    pub text: String,
    pub title: String,
    pub authors: String,
    pub keys: String,
}

impl Texts {
    /// Reads a paper. Each word that ranks is handed on as well: title first, then abstract.
    pub(crate) fn read(&mut self, paper: &Paper, roots: &mut Roots, each: &mut dyn FnMut(&Lexeme)) {
        let Self { text, title, authors, keys } = self;
        for field in [&mut *text, title, authors, keys] {
            field.clear();
        }
        for (part, is_title) in [(&paper.title, true), (&paper.summary, false)] {
            words(part, &mut |word, _| {
                if is_title {
                    push(title, word);
                }
                let lexeme = roots.lexeme(word);
                if !lexeme.stop {
                    push(text, &lexeme.root);
                    each(lexeme);
                }
            });
        }
        for (i, author) in paper.authors.iter().enumerate() {
            if i > 0 {
                push(authors, GAP);
            }
            words(author, &mut |word, _| push(authors, word));
        }
        if let Some(venue) = &paper.venue {
            venue_words(venue, &mut |word| push(keys, &Key::Venue.term(word)));
        }
        if let Some(category) = &paper.category {
            let category = category.to_lowercase();
            if let Some((archive, _)) = category.split_once('.') {
                push(keys, &Key::Category.term(archive));
            }
            push(keys, &Key::Category.term(&category));
        }
        for tag in &paper.tags {
            push(keys, &Key::Tag.term(&tag_form(tag)));
        }
    }
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// A tag in the form in which tags are compared: its words, with dashes between them.
pub(crate) fn tag_form(tag: &str) -> String {
    let mut form = String::new();
    words(tag, &mut |word, _| {
        if !form.is_empty() {
            form.push('-');
        }
        form.push_str(word);
    });
    form
}

/// The words under which a venue is found: `iclr2024` as itself, as `iclr` and as `2024`.
pub(crate) fn venue_words(venue: &str, each: &mut dyn FnMut(&str)) {
    words(venue, &mut |word, _| {
        each(word);
        let end = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if end > 0 && end < word.len() {
            each(&word[..end]);
            each(&word[end..]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn venues_and_tags() {
        let mut found = Vec::new();
        venue_words("ICLR2024 workshop", &mut |word| found.push(word.to_owned()));
        assert_eq!(found, ["iclr2024", "iclr", "2024", "workshop"]);
        assert_eq!(tag_form("Dense to Sparse"), "dense-to-sparse");
        assert_eq!(tag_form("dense-to-sparse"), "dense-to-sparse");
    }
}
