//! Words that every part of a letter is made of.

use jiff::civil::Date;
use pressrun_catalog::Preferences;

/// Characters of a search wherever it is not said whole.
pub(super) const QUERY: usize = 40;

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

/// A search in quotation marks.
pub(super) fn quoted(query: &str, most: usize) -> String {
    format!("“{}”", line(query, most))
}

pub(super) fn votes(number: u32) -> String {
    counted(i64::from(number), "vote", "votes")
}

/// The time zone, after an hour.
pub(super) fn zone(preferences: &Preferences) -> String {
    match preferences.schedule.time_zone().iana_name() {
        None | Some("UTC") => "UTC".into(),
        Some(name) => format!("({name})"),
    }
}

/// Two days with between them what lies between: `20 to 26 November 2026`.
pub(super) fn span(first: Date, last: Date) -> String {
    let format = if first.year() != last.year() {
        "%-d %B %Y"
    } else if first.month() != last.month() {
        "%-d %B"
    } else {
        "%-d"
    };
    format!("{} to {}", first.strftime(format), last.strftime("%-d %B %Y"))
}

/// A number with its noun; of five digits and more in groups of three, as on the site.
pub(super) fn counted(number: i64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "−" } else { "" });
    if digits.len() < 5 {
        return format!("{out}{digits} {noun}");
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    format!("{out} {noun}")
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

    #[test]
    fn numbers_have_their_nouns() {
        assert_eq!(votes(0), "0 votes");
        assert_eq!(votes(1), "1 vote");
        assert_eq!(votes(9_999), "9999 votes");
        assert_eq!(votes(1_000_000), "1\u{202f}000\u{202f}000 votes");
        assert_eq!(counted(-12_345, "vote", "votes"), "−12\u{202f}345 votes");
    }

    #[test]
    fn days_between() {
        let days = |first: &str, last: &str| span(first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(days("2026-11-20", "2026-11-26"), "20 to 26 November 2026");
        assert_eq!(days("2026-10-28", "2026-11-03"), "28 October to 3 November 2026");
        assert_eq!(days("2025-12-29", "2026-01-04"), "29 December 2025 to 4 January 2026");
    }
}
