//! Papers as numbers: every word by its number in a lexicon.

use std::ops::Range;

use pressrun_search::embed::{held_out, stems};

use crate::lexicon::Lexicon;
use crate::sentences::sentences;

/// Texts of a paper.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paper {
    /// Its title.
    pub title: String,
    /// Its abstract.
    pub summary: String,
}

/// Most words of a title and of an abstract that are read; the longest of the corpus have some 50
/// and 600.
const MOST_WORDS: usize = 1000;

/// A paper that is trained on.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) title: Vec<u32>,
    pub(crate) summary: Vec<u32>,
    /// Where each sentence of the abstract begins.
    sentences: Vec<usize>,
}

impl Numbered {
    /// Number of sentences of the abstract.
    pub(crate) fn sentences(&self) -> usize {
        self.sentences.len()
    }

    /// The words of these sentences, as a part of the abstract's.
    pub(crate) fn part(&self, range: Range<usize>) -> Range<usize> {
        let end = self.summary.len();
        let start = |sentence: usize| self.sentences.get(sentence).copied().unwrap_or(end);
        start(range.start)..start(range.end)
    }
}

/// What is trained on: all papers that have a title and an abstract and are not held out.
pub(crate) fn read(papers: &[Paper]) -> (Vec<Numbered>, Lexicon) {
    let mut lexicon = Lexicon::default();
    let mut list = Vec::new();
    for paper in papers {
        if held_out(&paper.title) {
            continue;
        }
        let mut number = |text: &str, to: &mut Vec<u32>| {
            stems(text, &mut |stem| {
                if to.len() < MOST_WORDS {
                    to.push(lexicon.number(stem));
                }
            });
        };
        let (mut title, mut summary, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        number(&paper.title, &mut title);
        for place in sentences(&paper.summary) {
            let start = summary.len();
            number(&paper.summary[place], &mut summary);
            if summary.len() > start {
                starts.push(start);
            }
        }
        if !title.is_empty() && !summary.is_empty() {
            lexicon.end_of_paper(&title, &summary);
            list.push(Numbered { title, summary, sentences: starts });
        }
    }
    (list, lexicon)
}
