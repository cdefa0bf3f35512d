//! Which parts of a text match a query, and which part of an abstract to show.

use std::ops::Range;

use crate::roots::Roots;
use crate::terms::terms;

/// The places of a text at which words of these roots stand, in order; neighbours with nothing but a
/// space or a dash between them as one.
///
/// ```
/// let roots = ["gate".to_owned(), "open".to_owned()];
/// assert_eq!(pressrun_search::marks("All gates opened, said the gate.", &roots), [4..16, 27..31]);
/// ```
pub fn marks(text: &str, roots: &[String]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut root_of = Roots::new();
    terms(text, &mut |term| {
        if term.stop || !roots.iter().any(|root| root == root_of.of(term.word)) {
            return;
        }
        match found.last_mut() {
            Some(last) if matches!(&text[last.end..term.place.start], " " | "-") => {
                last.end = term.place.end;
            }
            _ => found.push(term.place),
        }
    });
    found
}

/// The stretch of a text of at most `most` characters that has most different words of these roots, from
/// the start of a sentence where that is near; the beginning if none has any.
pub fn excerpt(text: &str, roots: &[String], most: usize) -> Range<usize> {
    let starts = starts(text);
    let end_of = |start: usize| {
        let rest = &text[start..];
        rest.char_indices().nth(most).map_or(text.len(), |(at, _)| {
            let cut = rest[..at].rfind(char::is_whitespace).unwrap_or(at);
            start + cut
        })
    };
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut root_of = Roots::new();
    terms(text, &mut |term| {
        let root = root_of.of(term.word);
        if let Some(which) = roots.iter().position(|known| known == root) {
            places.push((term.place.start, which));
        }
    });
    let worth = |range: &Range<usize>| {
        let mut met: Vec<usize> =
            places.iter().filter(|(at, _)| range.contains(at)).map(|(_, which)| *which).collect();
        let (all, first) = (met.len(), places.iter().find(|(at, _)| range.contains(at)));
        let lead = first.map_or(0, |(at, _)| at - range.start);
        met.sort_unstable();
        met.dedup();
        (met.len(), all.min(8), std::cmp::Reverse(lead))
    };
    let ranges = starts.into_iter().map(|start| start..end_of(start));
    let mut best = 0..end_of(0);
    for range in ranges {
        // Of equals the first.
        if worth(&range) > worth(&best) {
            best = range;
        }
    }
    best
}

/// Where the sentences of a text begin.
fn starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let bytes = text.as_bytes();
    for (at, window) in bytes.windows(2).enumerate() {
        if matches!(window[0], b'.' | b'!' | b'?') && window[1].is_ascii_whitespace() {
            starts.push(at + 2);
        }
    }
    starts.retain(|at| text.is_char_boundary(*at) && *at < text.len());
    starts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_part_that_says_most() {
        let text = "We study doors. Doors are old. Gates open by themselves, and stay. The end.";
        let stems = ["gate".to_owned(), "open".to_owned()];
        let range = excerpt(text, &stems, 30);
        assert_eq!(&text[range], "Gates open by themselves, and");
        assert_eq!(&text[excerpt(text, &[], 20)], "We study doors.");
        assert_eq!(excerpt("short", &stems, 20), 0..5);
        assert_eq!(excerpt("", &stems, 20), 0..0);
    }

    proptest! {
        #[test]
        fn places_are_whole_characters(text in "\\PC{0,120}", most in 1..60_usize) {
            let mut stems = Vec::new();
            terms(&text, &mut |term| stems.push(term.stem.to_owned()));
            stems.truncate(3);
            let range = excerpt(&text, &stems, most);
            prop_assert!(text.get(range.clone()).is_some());
            prop_assert!(text[range].chars().count() <= most);
            let mut end = 0;
            for mark in marks(&text, &stems) {
                prop_assert!(mark.start >= end && text.get(mark.clone()).is_some());
                end = mark.end;
            }
        }
    }
}
