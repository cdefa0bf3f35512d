//! Titles and authors for what has been typed so far.

use std::collections::HashMap;

use crate::Result;
use crate::index::Index;
use crate::mask::Mask;
use crate::words::words;

/// Different words that a beginning stands for at most: `a` stands for many.
const WORDS: usize = 512;
/// Papers that are looked at for names at most.
const PAPERS: usize = 4096;

/// What somebody may be typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// A paper with such a title.
    Title {
        /// Its id.
        id: String,
        /// Its title.
        title: String,
    },
    /// A person of such a name.
    Author {
        /// The name.
        name: String,
        /// Papers of that person that were looked at.
        papers: usize,
    },
}

impl Index {
    /// Titles and authors whose words are those typed, the last one as a beginning; the people
    /// with most papers and the titles that fit best, at most so many of each.
    ///
    /// # Errors
    /// If a file of the index cannot be read.
    pub fn suggest(&self, typed: &str, most: usize) -> Result<Vec<Suggestion>> {
        let snapshot = self.snapshot();
        let (shelf, segments) = (&snapshot.shelf, &snapshot.segments);
        let mut parts = Vec::new();
        words(typed, &mut |word, _| parts.push(word.to_owned()));
        // One letter stands for everything.
        let length: usize = parts.iter().map(|part| part.chars().count()).sum();
        if length < 2 || parts.len() > 16 {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let alive = |mut mask: Mask| {
            mask.and(shelf.alive());
            mask
        };
        let named = alive(segments.names(&parts, shelf.end(), WORDS)?);
        let mut names: HashMap<&str, usize> = HashMap::new();
        for number in named.iter().take(PAPERS) {
            let fitting = shelf.entry(number).authors.lines().filter(|name| fits(name, &parts));
            fitting.for_each(|name| *names.entry(name).or_default() += 1);
        }
        let mut names: Vec<(&str, usize)> = names.into_iter().collect();
        names.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        for (name, papers) in names.into_iter().take(most) {
            found.push(Suggestion::Author { name: name.to_owned(), papers });
        }
        let titled = alive(segments.titles(&parts, shelf.end(), WORDS)?);
        let mut titles: Vec<_> = titled
            .iter()
            .take(PAPERS)
            .map(|number| {
                let entry = shelf.entry(number);
                // What begins as it was typed comes first, then what says little else.
                let begins = begins(&entry.title, &parts);
                (!begins, entry.title.len(), std::cmp::Reverse(entry.dated), &entry.id, entry)
            })
            .collect();
        titles.sort_unstable_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
        for (.., entry) in titles.into_iter().take(most) {
            let (id, title) = (entry.id.to_string(), entry.title.to_string());
            found.push(Suggestion::Title { id, title });
        }
        Ok(found)
    }
}

/// Whether all parts are words of a name, the last one a beginning of one.
fn fits(name: &str, parts: &[String]) -> bool {
    let mut own = Vec::new();
    words(name, &mut |word, _| own.push(word.to_owned()));
    let Some((last, whole)) = parts.split_last() else { return false };
    whole.iter().all(|part| own.contains(part))
        && own.iter().any(|word| word.starts_with(last.as_str()) && !whole.contains(word))
}

/// Whether a title begins with the parts, the last one as a beginning.
fn begins(title: &str, parts: &[String]) -> bool {
    let (mut at, mut same) = (0, true);
    words(title, &mut |word, _| {
        if let Some(part) = parts.get(at) {
            let last = at + 1 == parts.len();
            same &= if last { word.starts_with(part.as_str()) } else { word == part };
            at += 1;
        }
    });
    same && at == parts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn beginnings() {
        assert!(begins("Gates that Open", &parts("gates th")));
        assert!(!begins("The Gates that Open", &parts("gates th")));
        assert!(!begins("Gates", &parts("gates th")));
        assert!(fits("Geoffrey E. Hinton", &parts("hinton geo")));
        assert!(!fits("Geoffrey E. Hinton", &parts("hint geoffrey x")));
        assert!(!fits("Anna Annan", &parts("anna annan b")));
    }
}
