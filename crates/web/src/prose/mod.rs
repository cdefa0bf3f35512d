//! What people write, as HTML: Markdown with formulas, and nothing else.
//!
//! Three walls stand behind each other. Markdown's own HTML becomes text, and links of other kinds than
//! the web's and mail's become their text; formulas become `MathML` within bounds; and what comes out is
//! read anew as a browser reads it, and only elements and attributes of a list are let through.

mod allowed;
mod formula;
mod names;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use pulldown_cmark::{
    CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream, html,
};
use sha2::{Digest, Sha256};

pub(crate) use self::names::names;

use crate::bounded::Bounded;
use crate::view::link;

/// Deepest nesting of blocks and emphasis; what is deeper loses its marks and keeps its text.
const DEEPEST: usize = 24;
/// Most formulas that are drawn; the rest is shown as it was written.
const FORMULAS: usize = 100;
/// Texts kept as HTML; a usual one takes a kilobyte or two.
const KEPT: usize = 4096;

/// Whom the short names in a text lead to: as written, and as an address.
pub(crate) type People = HashMap<String, String>;

/// The texts that were shown last, as HTML.
#[derive(Debug)]
pub(crate) struct Proses(Bounded<[u8; 32], Arc<str>>);

impl Default for Proses {
    fn default() -> Self {
        Self(Bounded::new(KEPT))
    }
}

impl Proses {
    /// A text as HTML. `mentions` are the short names in it that are people, as written and of today;
    /// links to them begin with `base`.
    pub(crate) fn html(&self, text: &str, mentions: &[(String, String)], base: &str) -> Arc<str> {
        // By content: an edit or another short name is another text, and nothing has to be forgotten.
        let mut digest = Sha256::new();
        for part in mentions.iter().flat_map(|(a, b)| [a.as_str(), b]).chain([base, text]) {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let key: [u8; 32] = digest.finalize().into();
        if let Some(found) = self.0.get(&key) {
            return found;
        }
        let address = |handle: &String| format!("{base}{}", link::person(handle));
        let people = mentions.iter().map(|(written, now)| (written.clone(), address(now)));
        let html: Arc<str> = render(text, &people.collect()).into();
        self.0.put(key, Arc::clone(&html));
        html
    }
}

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH
}

/// A text as HTML.
pub(crate) fn render(text: &str, people: &People) -> String {
    let mut writer = Writer {
        people,
        open: Vec::new(),
        depth: 0,
        links: 0,
        verbatim: 0,
        formulas: 0,
        heading: HeadingLevel::H2,
    };
    let mut events = Vec::new();
    for event in TextMergeStream::new(Parser::new_ext(text, options())) {
        writer.take(event, &mut events);
    }
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events.into_iter());
    allowed::only(&out)
}

/// Turns what Markdown says into what is shown.
struct Writer<'p> {
    people: &'p People,
    /// Of everything that is open, whether it is written.
    open: Vec<bool>,
    /// How much of it is.
    depth: usize,
    /// Open links: within one there is no other.
    links: usize,
    /// Open blocks of code.
    verbatim: usize,
    formulas: usize,
    /// The last heading's rank; the page's own above the text at first.
    heading: HeadingLevel,
}

impl Writer<'_> {
    fn take<'t>(&mut self, event: Event<'t>, out: &mut Vec<Event<'t>>) {
        match event {
            Event::Start(tag) => self.start(tag, out),
            Event::End(tag) => self.end(tag, out),
            Event::Text(text) if self.verbatim > 0 => out.push(Event::Text(text)),
            Event::Text(text) if self.links > 0 => out.push(Event::Text(text)),
            Event::Text(text) => names::linked(&text, self.people, out),
            // HTML is what somebody wanted to show.
            Event::Html(text) | Event::InlineHtml(text) => out.push(Event::Text(text)),
            Event::InlineMath(source) => out.push(self.formula(&source, false)),
            Event::DisplayMath(source) => out.push(self.formula(&source, true)),
            other => out.push(other),
        }
    }

    fn start<'t>(&mut self, tag: Tag<'t>, out: &mut Vec<Event<'t>>) {
        let shown = match tag {
            Tag::Heading { level, .. } => {
                self.heading = demoted(level).min(below(self.heading));
                let (level, id, classes, attrs) = (self.heading, None, Vec::new(), Vec::new());
                Some(Tag::Heading { level, id, classes, attrs })
            }
            Tag::HtmlBlock => Some(Tag::Paragraph),
            Tag::Image { .. } => None,
            Tag::Link { ref dest_url, .. } if self.links > 0 || !may_link(dest_url) => None,
            tag => Some(tag),
        };
        // Cells and items without what is around them would be torn out.
        let shown = shown.filter(|tag| self.depth < DEEPEST || is_inner(tag));
        self.open.push(shown.is_some());
        if let Some(tag) = shown {
            self.depth += 1;
            self.links += usize::from(matches!(tag, Tag::Link { .. }));
            self.verbatim += usize::from(matches!(tag, Tag::CodeBlock(_)));
            out.push(Event::Start(tag));
        }
    }

    fn end<'t>(&mut self, tag: TagEnd, out: &mut Vec<Event<'t>>) {
        if !self.open.pop().unwrap_or(false) {
            return;
        }
        self.depth -= 1;
        self.links -= usize::from(matches!(tag, TagEnd::Link));
        self.verbatim -= usize::from(matches!(tag, TagEnd::CodeBlock));
        out.push(Event::End(match tag {
            TagEnd::Heading(_) => TagEnd::Heading(self.heading),
            TagEnd::HtmlBlock => TagEnd::Paragraph,
            tag => tag,
        }));
    }

    fn formula<'t>(&mut self, source: &str, block: bool) -> Event<'t> {
        self.formulas += 1;
        let drawn = if self.formulas > FORMULAS { None } else { formula::mathml(source, block) };
        match (drawn, block) {
            (Some(math), false) => Event::InlineHtml(math.into()),
            // A wide formula is scrolled, also by keyboard.
            (Some(math), true) => Event::InlineHtml(
                format!("<span class=\"formula\" tabindex=\"0\">{math}</span>").into(),
            ),
            (None, _) => {
                let mark = if block { "$$" } else { "$" };
                Event::Code(CowStr::from(format!("{mark}{source}{mark}")))
            }
        }
    }
}

/// The page has headings of its own: the highest of a text is of the third rank.
fn demoted(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// The highest rank that may stand under a heading of that rank.
fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// Whether it is a part of something that is written already.
fn is_inner(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Item | Tag::TableHead | Tag::TableRow | Tag::TableCell)
}

/// Whether an address leads to the web or is one of mail.
fn may_link(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let known = ["http", "https", "mailto"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    known && !url.contains(|c: char| c.is_control())
}

/// The plain beginning of a text, for a title or a line: without marks, at most so many characters.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    let mut plain = String::new();
    for event in Parser::new_ext(text, options()) {
        match event {
            Event::Text(part)
            | Event::Code(part)
            | Event::InlineMath(part)
            | Event::DisplayMath(part)
            | Event::InlineHtml(part)
            | Event::Html(part) => {
                plain.push_str(&part);
            }
            Event::End(
                TagEnd::Link
                | TagEnd::Image
                | TagEnd::Emphasis
                | TagEnd::Strong
                | TagEnd::Strikethrough,
            ) => {}
            Event::SoftBreak | Event::HardBreak | Event::End(_) => plain.push(' '),
            _ => {}
        }
        if plain.len() > most * 8 {
            break;
        }
    }
    let line: Vec<&str> = plain.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(most) {
        None => line,
        Some((end, _)) => {
            let cut: Cow<'_, str> = line[..end].trim_end().into();
            format!("{cut}…")
        }
    }
}

#[cfg(test)]
mod tests;
