//! A letter as plain text.
//!
//! Only the letter's own lines begin at the margin. Whatever anybody else wrote stands indented, so that
//! none of it passes for a heading, a number or a link of the letter.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, wrap};

use super::entry::Entry;
use super::say::Said;

/// Columns of a line. A longer word, such as an address, has its line alone.
const COLUMNS: usize = 72;
/// Before all that is not the letter's own.
const INDENT: &str = "    ";

pub(super) fn write(said: &Said<'_>) -> String {
    let mut page = Page { text: String::with_capacity(1024 * (1 + said.entries.len())) };
    page.lines("", "Pressrun");
    page.link(&said.links.site);
    page.blank();
    page.lines("", &said.heading);
    for paragraph in said.notices.iter().chain([&said.about]).chain(&said.none) {
        page.blank();
        page.lines(INDENT, paragraph);
    }
    for (at, entry) in said.entries.iter().enumerate() {
        page.blank();
        page.entry(at + 1, entry);
    }
    for (words, url) in &said.foot {
        page.blank();
        page.lines("", &format!("{words}:"));
        page.link(url);
    }
    page.blank();
    page.lines("", &said.closing);
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn entry(&mut self, number: usize, entry: &Entry) {
        self.lines(&format!("{:<4}", format!("{number}.")), &entry.title);
        self.link(&entry.url);
        self.lines(INDENT, &entry.authors);
        match &entry.verdict {
            None => self.lines(INDENT, &entry.facts),
            Some(verdict) => {
                self.lines(INDENT, &format!("{} · {}", entry.facts, verdict.words));
            }
        }
        if !entry.excerpt.is_empty() {
            self.blank();
            self.lines(INDENT, &entry.excerpt);
            if !entry.why.is_empty() || entry.code.is_some() {
                self.blank();
            }
        }
        self.lines(INDENT, &entry.why);
        if let Some(code) = &entry.code {
            self.lines(INDENT, "The authors' code:");
            self.link(code);
        }
    }

    /// A paragraph whose first line begins so and whose others are indented as far.
    fn lines(&mut self, first: &str, paragraph: &str) {
        let rest = if first.is_empty() { "" } else { INDENT };
        let options = Options::new(COLUMNS)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        if paragraph.is_empty() {
            return;
        }
        for line in wrap(paragraph, options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// An address, whole, on a line of its own.
    fn link(&mut self, url: &str) {
        self.text.push_str(INDENT);
        self.text.push_str(url);
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(first: &str, paragraph: &str) -> String {
        let mut page = Page { text: String::new() };
        page.lines(first, paragraph);
        page.text
    }

    #[test]
    fn paragraphs_are_wrapped_and_indented() {
        let wrapped = lines("1.  ", &"word ".repeat(20));
        let expected = format!("1.  {}\n    {}\n", ["word"; 13].join(" "), ["word"; 7].join(" "));
        assert_eq!(wrapped, expected);
        assert_eq!(lines(INDENT, ""), "");
        // Two columns each.
        let wide = lines(INDENT, &format!("{} {}", "字".repeat(20), "字".repeat(20)));
        assert_eq!(wide.lines().count(), 2);
    }

    #[test]
    fn what_is_longer_than_a_line_stays_whole() {
        let url = format!("https://example.org/a-b/{}", "c-".repeat(60));
        let wrapped = lines(INDENT, &format!("See {url} there"));
        assert_eq!(wrapped, format!("    See\n    {url}\n    there\n"));
        let mut page = Page { text: String::new() };
        page.link(&url);
        assert_eq!(page.text, format!("    {url}\n"));
    }
}
