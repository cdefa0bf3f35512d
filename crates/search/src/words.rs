//! Text into words: the one way in which papers and queries are read.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

/// Longest word in bytes; what is longer (a base64 string, a URL without dots) is cut there.
pub const MAX_WORD: usize = 64;

/// Calls `each` with every word of a text in the form in which words are compared, and with the
/// place where it stands.
///
/// Words are those of Unicode's UAX 29, so that text without spaces between words (Chinese,
/// Japanese) falls into its characters. They are compared in lower case, without accents, in
/// compatibility form (`ﬁ` as `fi`), and without a possessive `'s`.
///
/// ```
/// use pressrun_search::words::words;
///
/// let mut found = Vec::new();
/// words("Erdős' ResNet-50, NVIDIA's 2.5x: 学習", &mut |word, place| found.push((word.to_owned(), place)));
/// let plain: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
/// assert_eq!(plain, ["erdos", "resnet", "50", "nvidia", "2.5x", "学", "習"]);
/// assert_eq!(found[2].1, 15..17);
/// ```
pub fn words(text: &str, each: &mut dyn FnMut(&str, Range<usize>)) {
    let mut buffer = String::new();
    let mut start = 0;
    // White space always parts words. Cutting there first lets the many pieces of plain ASCII take
    // the segmentation's short way though the text has a dash or an accent somewhere.
    while start < text.len() {
        let rest = &text[start..];
        let end = rest.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(rest.len());
        // Most pieces are one plain word, perhaps with a comma or in parentheses.
        if let Some(place) = plain(&rest.as_bytes()[..end]) {
            let place = start + place.start..start + place.end;
            fold_ascii(&text[place.clone()], &mut buffer);
            each(&buffer, place);
            start += end + 1;
            continue;
        }
        for (at, word) in rest[..end].unicode_word_indices() {
            let place = start + at..start + at + word.len();
            if fold(word, &mut buffer) {
                each(&buffer, place);
            }
        }
        start += end + 1;
    }
}

/// Where the word stands if a piece of text is ASCII letters and digits between signs that are never
/// part of a word there: then it is one word by UAX 29, too, which is told without its tables.
fn plain(piece: &[u8]) -> Option<Range<usize>> {
    let sign = |byte: &u8| byte.is_ascii_punctuation() && *byte != b'_';
    let start = piece.iter().position(|byte| !sign(byte))?;
    let end = piece.iter().rposition(|byte| !sign(byte))? + 1;
    piece[start..end].iter().all(u8::is_ascii_alphanumeric).then_some(start..end)
}

fn fold_ascii(word: &str, form: &mut String) {
    form.clear();
    form.push_str(&word[..word.len().min(MAX_WORD)]);
    form.make_ascii_lowercase();
}

/// Writes a word's form for comparison; `false` if nothing is left of it.
fn fold(word: &str, form: &mut String) -> bool {
    if word.is_ascii() {
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("'S")).unwrap_or(word);
        fold_ascii(word, form);
        return !form.is_empty();
    }
    form.clear();
    let word = word.strip_suffix("’s").or_else(|| word.strip_suffix("'s")).unwrap_or(word);
    let letters = word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    for letter in letters {
        if form.len() + letter.len_utf8() > MAX_WORD {
            break;
        }
        form.push(letter);
    }
    !form.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        words(text, &mut |word, place| {
            assert!(!text[place].trim().is_empty());
            found.push(word.to_owned());
        });
        found
    }

    #[test]
    fn forms_that_are_the_same_word() {
        assert_eq!(all("Naïve naive NAIVE naı̈ve")[..3], ["naive", "naive", "naive"]);
        assert_eq!(
            all("ﬁne-tuning\tGPT‑4 LLM’s model's"),
            ["fine", "tuning", "gpt", "4", "llm", "model"]
        );
        assert_eq!(all("  \n—…!? "), Vec::<String>::new());
        assert_eq!(all("обучение ОБУЧЕНИЕ"), ["обучение", "обучение"]);
        assert_eq!(all("深度学习"), ["深", "度", "学", "习"]);
    }

    #[test]
    fn the_short_way_finds_what_the_tables_find() {
        let signs = "aB3_'.,:;-(\"/ ";
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let text: String = (0..7)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    signs.as_bytes()[(state >> 33) as usize % signs.len()] as char
                })
                .collect();
            let mut expected = Vec::new();
            let mut form = String::new();
            for piece in text.split(' ') {
                for word in piece.unicode_words() {
                    if fold(word, &mut form) {
                        expected.push(form.clone());
                    }
                }
            }
            assert_eq!(all(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(all(&"x".repeat(1000))[0].len(), MAX_WORD);
        assert!(all(&"é字".repeat(1000)).iter().all(|word| word.len() <= MAX_WORD));
        assert!(all(&"é".repeat(1000))[0].len() <= MAX_WORD);
    }
}
