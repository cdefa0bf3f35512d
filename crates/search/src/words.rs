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
        for (at, word) in rest[..end].unicode_word_indices() {
            let place = start + at..start + at + word.len();
            if fold(word, &mut buffer) {
                each(&buffer, place);
            }
        }
        start += end + 1;
    }
}

/// Writes a word's form for comparison; `false` if nothing is left of it.
fn fold(word: &str, form: &mut String) -> bool {
    form.clear();
    if word.is_ascii() {
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("'S")).unwrap_or(word);
        form.extend(word.bytes().take(MAX_WORD).map(|b| char::from(b.to_ascii_lowercase())));
        return !form.is_empty();
    }
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
    fn long_words_are_cut() {
        assert_eq!(all(&"x".repeat(1000))[0].len(), MAX_WORD);
        assert!(all(&"é字".repeat(1000)).iter().all(|word| word.len() <= MAX_WORD));
        assert!(all(&"é".repeat(1000))[0].len() <= MAX_WORD);
    }
}
