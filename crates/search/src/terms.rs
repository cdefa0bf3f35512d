//! Words into terms: what the index holds, and what counts as the same.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::embed::fnv1a64;
use crate::words::words;

/// A word of a text as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term<'a> {
    /// The word itself.
    pub word: &'a str,
    /// Its stem, by which it is compared.
    pub stem: &'a str,
    /// Whether it is one of the words that every text has, which are neither indexed nor ranked.
    pub stop: bool,
    /// Where it stands in the text.
    pub place: Range<usize>,
}

/// Calls `each` with every term of a text.
///
/// Only the plural is taken off: this is the form that the embedder knows and in which word order is
/// kept. Postings are by the root of the word, which joins more.
///
/// ```
/// use pressrun_search::terms::terms;
///
/// let mut stems = Vec::new();
/// terms("The gates of these policies, opened", &mut |term| {
///     if !term.stop {
///         stems.push(term.stem.to_owned());
///     }
/// });
/// assert_eq!(stems, ["gate", "policy", "opened"]);
/// ```
pub fn terms(text: &str, each: &mut dyn FnMut(Term<'_>)) {
    let mut buffer = String::new();
    words(text, &mut |word, place| {
        let stop = is_stop_word(word);
        each(Term { word, stem: stem(word, &mut buffer), stop, place });
    });
}

/// Number of a term in forward lists and counts: FNV-1a, folded to 32 bits.
///
/// It is part of the index's form on disk, so it never changes without the number of that form.
pub fn number(stem: &str) -> u32 {
    let hash = fnv1a64(stem.as_bytes());
    (hash ^ (hash >> 32)) as u32
}

/// The singular of an English word: Harman's S-stemmer, three rules of which the first that fits is
/// taken.
///
/// ```text
/// -ies, not -eies, -aies      -> -y
/// -es,  not -aes, -ees, -oes  -> -e
/// -s,   not -us, -ss          -> -
/// ```
///
/// # Source
/// Harman, How effective is suffixing?, JASIS 42 (1991).
pub(crate) fn stem<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    let bytes = word.as_bytes();
    let n = bytes.len();
    if n < 4 || bytes[n - 1] != b's' {
        return word;
    }
    match (bytes[n - 3], bytes[n - 2]) {
        (b'i', b'e') if !matches!(bytes[n - 4], b'e' | b'a') => {
            buffer.clear();
            buffer.push_str(&word[..n - 3]);
            buffer.push('y');
            buffer
        }
        (b'a' | b'e' | b'o', b'e') => word,
        (_, b'u' | b's') => word,
        _ => &word[..n - 1],
    }
}

/// Words of English that tell nothing about what a text is about: articles, pronouns, prepositions,
/// conjunctions, auxiliary verbs, and what every abstract says of itself ("we propose", "paper").
const STOP_WORDS: &str = "a about above across after again against al all almost along already also \
    although always am among an and another any are around as at be became because become becomes \
    been before being below between both but by came can cannot come could did do does doing done \
    down due during each either else et etc even ever every few for from further furthermore get give \
    given gives had has have having he hence her here him his how however i if in indeed instead into is \
    it its itself just last least less like likely made mainly make makes many may me might mine more \
    moreover most mostly much must my namely neither no nor not nothing now of off often on once one only \
    onto or other others our ours out over own paper per perhaps present propose proposed quite rather \
    really said same see seem seems several she should show shown shows since so some still such than that \
    the their theirs them themselves then there thereby therefore these they this those though through \
    throughout thus to together too toward towards two under until up upon us use used uses using usually \
    various very via was we well were what when where whereas wherein whether which while who whom whose \
    why will with within without work would yet you your";

pub(crate) fn is_stop_word(word: &str) -> bool {
    static SET: LazyLock<HashSet<&str, foldhash::fast::FixedState>> =
        LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    SET.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem_of(word: &str) -> String {
        stem(word, &mut String::new()).to_owned()
    }

    #[test]
    fn plurals() {
        for (word, expected) in [
            ("policies", "policy"),
            ("gates", "gate"),
            ("models", "model"),
            ("bus", "bus"),
            ("loss", "loss"),
            ("corpus", "corpus"),
            ("trees", "trees"),
            ("does", "does"),
            ("aes", "aes"),
            ("résumés", "résumé"),
            ("été", "été"),
        ] {
            assert_eq!(stem_of(word), expected, "{word}");
        }
        // A stem is its own stem, so that a query may give either.
        for word in ["policies", "gates", "models", "cases"] {
            assert_eq!(stem_of(&stem_of(word)), stem_of(word));
        }
    }

    #[test]
    fn stop_words_are_in_the_form_of_words() {
        for word in STOP_WORDS.split_whitespace() {
            let mut forms = Vec::new();
            words(word, &mut |form, _| forms.push(form.to_owned()));
            assert_eq!(forms, [word]);
        }
        assert!(is_stop_word("the") && !is_stop_word("gate"));
    }

    #[test]
    fn numbers_are_fixed() {
        // FNV-1a of "a" is 0xaf63dc4c8601ec8c.
        assert_eq!(number("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
        assert_eq!(number(""), 0xcbf2_9ce4 ^ 0x8422_2325);
    }
}
