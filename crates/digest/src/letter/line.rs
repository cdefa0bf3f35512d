//! Anybody's words as one harmless line.

/// One line of a text, at most so many characters, cut at a word. Line breaks and control characters
/// part words like blanks, and what turns the direction of writing is taken out: it would turn what
/// follows, too.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(4 * most));
    let (mut count, mut last_word, mut gap) = (0, 0, false);
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = !out.is_empty();
            continue;
        }
        if count + usize::from(gap) >= most {
            // A word that is most of the line is cut itself.
            if !gap && last_word > out.len() / 2 {
                out.truncate(last_word);
            }
            out.truncate(out.trim_end_matches([',', ';', ':', '.']).len());
            out.push('…');
            return out;
        }
        if gap {
            last_word = out.len();
            out.push(' ');
            count += 1;
            gap = false;
        }
        out.push(c);
        count += 1;
    }
    out
}

/// Whether a character shows nothing and changes how others are shown: marks of direction, blanks of no
/// width, marks of byte order. Joiners stay, because Persian and emoji are written with them.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("  Deep\r\n\tFM \0 x\u{85}y\u{2028}z\n", 100), "Deep FM x y z");
        assert_eq!(line("a\u{202e}b\u{200f}c\u{2067}d\u{feff}", 100), "abcd");
        assert_eq!(line(" \n", 100), "");
        // A family, and a Persian word with a joiner of no width.
        for kept in ["👩\u{200d}👧", "می\u{200c}خواهم", "$\\mathcal{O}(n^2)$"] {
            assert_eq!(line(kept, 100), kept);
        }
    }

    #[test]
    fn it_is_cut_at_a_word() {
        assert_eq!(line("one two three", 13), "one two three");
        assert_eq!(line("one two three", 12), "one two…");
        assert_eq!(line("one two three", 8), "one two…");
        assert_eq!(line("one two three", 7), "one two…");
        assert_eq!(line("one two, three", 9), "one two…");
        assert_eq!(line("größere Größen", 9), "größere…");
        assert_eq!(line(&"字".repeat(50), 10), format!("{}…", "字".repeat(10)));
        assert_eq!(line(&format!("a {}", "x".repeat(50)), 10), "a xxxxxxxx…");
    }
}
