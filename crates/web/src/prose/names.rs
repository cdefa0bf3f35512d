//! Short names and addresses in plain text.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};
use pulldown_cmark::{Event, LinkType, Parser, Tag, TagEnd, TextMergeStream};

use super::{People, options};

/// Most names that one text is looked through for.
const MOST: usize = 16;

/// The short names that a text names with an `@`, each once, outside of code, links and formulas.
pub(crate) fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut hidden = 0_usize;
    for event in TextMergeStream::new(Parser::new_ext(text, options())) {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. }) => hidden += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image) => hidden -= 1,
            Event::Text(text) if hidden == 0 => {
                for place in places(&text) {
                    let name = &text[place.start + 1..place.end];
                    if names.len() < MOST && !names.iter().any(|known| known == name) {
                        names.push(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    names
}

/// Where in a text short names stand, with their `@`.
fn places(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (at, _) in text.match_indices('@') {
        // An address of mail is none, and neither is a part of a path.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '/' | '@' | '_' | '-')) {
            continue;
        }
        let rest = &text[at + 1..];
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let end = rest.find(|c: char| !fits(c)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('-');
        let goes_on = rest[end..].chars().next().is_some_and(char::is_alphanumeric);
        if (3..=30).contains(&name.len()) && !goes_on {
            places.push(at..at + 1 + name.len());
        }
    }
    places
}

/// A text with links to the people whom it names, and from the addresses in it.
pub(super) fn linked<'t>(text: &str, people: &People, out: &mut Vec<Event<'t>>) {
    let mut links: Vec<(Range<usize>, String)> = Vec::new();
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    for found in finder.links(text) {
        let url = found.as_str();
        if super::may_link(url) {
            links.push((found.start()..found.end(), url.to_owned()));
        }
    }
    for place in places(text) {
        let inside = links.iter().any(|(link, _)| link.contains(&place.start));
        if let Some(address) = people.get(&text[place.start + 1..place.end]).filter(|_| !inside) {
            links.push((place, address.clone()));
        }
    }
    links.sort_by_key(|(place, _)| place.start);
    let mut done = 0;
    for (place, address) in links {
        out.push(Event::Text(text[done..place.start].to_owned().into()));
        out.push(Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url: address.into(),
            title: "".into(),
            id: "".into(),
        }));
        out.push(Event::Text(text[place.clone()].to_owned().into()));
        out.push(Event::End(TagEnd::Link));
        done = place.end;
    }
    out.push(Event::Text(text[done..].to_owned().into()));
}
