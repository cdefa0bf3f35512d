//! What a commit holds, and the score of every paper for a term.

use std::sync::Arc;

use tantivy::index::InvertedIndexReader;
use tantivy::query::{EnableScoring, PhraseQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, SegmentReader, Term as IndexTerm};

use super::{Fields, Key, schema};
use crate::Result;
use crate::mask::Mask;
use crate::ranking::Bm25;
use crate::words::words;

/// All segments of a commit.
pub(crate) struct Segments {
    searcher: Searcher,
    fields: Fields,
    segments: Vec<Segment>,
    statistics: Statistics,
}

/// Numbers of the whole collection that BM25 needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Statistics {
    pub papers: u32,
    /// Mean number of stems of a paper, title and abstract.
    pub mean_length: f32,
}

struct Segment {
    text: Arc<InvertedIndexReader>,
    title: Arc<InvertedIndexReader>,
    authors: Arc<InvertedIndexReader>,
    /// The number on the shelf of each document.
    numbers: Vec<u32>,
    /// tantivy's code for the length of each document's text.
    lengths: Vec<u8>,
}

impl Segments {
    pub(super) fn open(searcher: Searcher, fields: Fields) -> Result<Self> {
        let segments: Vec<Segment> = searcher
            .segment_readers()
            .iter()
            .map(|reader| Segment::open(reader, fields))
            .collect::<Result<_>>()?;
        let stems: u64 = segments.iter().map(|segment| segment.text.total_num_tokens()).sum();
        let documents: usize = segments.iter().map(|segment| segment.numbers.len()).sum();
        let papers = u32::try_from(searcher.num_docs()).unwrap_or(u32::MAX);
        let mean_length = stems as f32 / documents.max(1) as f32;
        Ok(Self { searcher, fields, segments, statistics: Statistics { papers, mean_length } })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// In how many papers a word of that root stands.
    pub(crate) fn frequency(&self, root: &str) -> Result<u32> {
        self.count(self.fields.text, root)
    }

    /// In how many papers a word is part of an author's name.
    pub(crate) fn author_frequency(&self, word: &str) -> Result<u32> {
        self.count(self.fields.authors, word)
    }

    /// In how many papers a word is a key.
    pub(crate) fn key_frequency(&self, key: Key, word: &str) -> Result<u32> {
        self.count(self.fields.keys, &key.term(word))
    }

    fn count(&self, field: Field, text: &str) -> Result<u32> {
        let count = self.searcher.doc_freq(&IndexTerm::from_field_text(field, text))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Adds to each paper's score what the words of a root are worth in it.
    pub(crate) fn add_root(
        &self,
        root: &str,
        weight: f32,
        bm25: &Bm25,
        scores: &mut [f32],
    ) -> Result<()> {
        let term = IndexTerm::from_field_text(self.fields.text, root);
        for segment in &self.segments {
            let postings = segment.text.read_block_postings(&term, IndexRecordOption::WithFreqs)?;
            let Some(mut postings) = postings else { continue };
            while postings.block_len() > 0 {
                for (document, count) in postings.docs().iter().zip(postings.freqs()) {
                    let document = *document as usize;
                    let worth = bm25.of_words(*count, segment.lengths[document]);
                    scores[segment.numbers[document] as usize] += weight * worth;
                }
                postings.advance();
            }
        }
        Ok(())
    }

    /// How many words of a root stand in a paper.
    pub(crate) fn count_in(&self, number: u32, root: &str) -> Result<u32> {
        let term = IndexTerm::from_field_text(self.fields.text, root);
        for segment in &self.segments {
            let Some(document) = segment.numbers.iter().position(|other| *other == number) else {
                continue;
            };
            let postings = segment.text.read_block_postings(&term, IndexRecordOption::WithFreqs)?;
            let Some(mut postings) = postings else { continue };
            while postings.block_len() > 0 {
                if let Ok(at) = postings.docs().binary_search(&(document as u32)) {
                    return Ok(postings.freqs()[at]);
                }
                postings.advance();
            }
        }
        Ok(0)
    }

    /// Adds a fixed amount to each paper of which a word is part of an author's name.
    pub(crate) fn add_author(&self, word: &str, amount: f32, scores: &mut [f32]) -> Result<()> {
        let term = IndexTerm::from_field_text(self.fields.authors, word);
        self.each_of(&TermQuery::new(term, IndexRecordOption::Basic), &mut |number| {
            scores[number as usize] += amount;
        })
    }

    /// Adds a fixed amount to each paper that has a key.
    pub(crate) fn add_key(
        &self,
        key: Key,
        word: &str,
        amount: f32,
        scores: &mut [f32],
    ) -> Result<()> {
        let term = IndexTerm::from_field_text(self.fields.keys, &key.term(word));
        self.each_of(&TermQuery::new(term, IndexRecordOption::Basic), &mut |number| {
            scores[number as usize] += amount;
        })
    }

    /// The papers in whose text a word of that root stands.
    pub(crate) fn with_root(&self, root: &str, papers: u32) -> Result<Mask> {
        let term = IndexTerm::from_field_text(self.fields.text, root);
        self.mask(&TermQuery::new(term, IndexRecordOption::Basic), papers)
    }

    /// The papers with an author in whose name these words stand side by side.
    pub(crate) fn with_author(&self, name: &str, papers: u32) -> Result<Mask> {
        let mut parts = Vec::new();
        words(name, &mut |word, _| {
            parts.push(IndexTerm::from_field_text(self.fields.authors, word));
        });
        match <[IndexTerm; 1]>::try_from(parts) {
            Ok([one]) => self.mask(&TermQuery::new(one, IndexRecordOption::Basic), papers),
            Err(none) if none.is_empty() => Ok(Mask::none(papers)),
            Err(parts) => self.mask(&PhraseQuery::new(parts), papers),
        }
    }

    /// The papers that have all words of a key.
    pub(crate) fn with_key(&self, key: Key, value: &str, papers: u32) -> Result<Mask> {
        let mut parts = Vec::new();
        match key {
            Key::Venue => words(value, &mut |word, _| parts.push(key.term(word))),
            Key::Category => parts.push(key.term(&value.to_lowercase())),
            Key::Tag => parts.push(key.term(&schema::tag_form(value))),
        }
        let mut mask = Mask::all(papers);
        for part in &parts {
            let term = IndexTerm::from_field_text(self.fields.keys, part);
            mask.and(&self.mask(&TermQuery::new(term, IndexRecordOption::Basic), papers)?);
        }
        Ok(if parts.is_empty() { Mask::none(papers) } else { mask })
    }

    /// The papers whose title has all of these words, the last one as a beginning.
    pub(crate) fn titles(&self, words: &[String], papers: u32, most: usize) -> Result<Mask> {
        self.beginning(self.fields.title, |segment| &segment.title, words, papers, most)
    }

    /// The papers whose authors' names have all of these words, the last one as a beginning.
    pub(crate) fn names(&self, words: &[String], papers: u32, most: usize) -> Result<Mask> {
        self.beginning(self.fields.authors, |segment| &segment.authors, words, papers, most)
    }

    fn beginning(
        &self,
        field: Field,
        reader: impl Fn(&Segment) -> &Arc<InvertedIndexReader>,
        words: &[String],
        papers: u32,
        most: usize,
    ) -> Result<Mask> {
        let Some((last, whole)) = words.split_last() else { return Ok(Mask::none(papers)) };
        let mut mask = Mask::all(papers);
        for word in whole {
            let term = IndexTerm::from_field_text(field, word);
            mask.and(&self.mask(&TermQuery::new(term, IndexRecordOption::Basic), papers)?);
        }
        let mut begun = Mask::none(papers);
        for segment in &self.segments {
            let inverted = reader(segment);
            let mut range = inverted.terms().range();
            range = range.ge(last.as_bytes());
            let mut stream = range.into_stream()?;
            let mut read = 0;
            while read < most && stream.advance() && stream.key().starts_with(last.as_bytes()) {
                read += 1;
                let mut postings = inverted
                    .read_block_postings_from_terminfo(stream.value(), IndexRecordOption::Basic)?;
                while postings.block_len() > 0 {
                    for document in postings.docs() {
                        begun.set(segment.numbers[*document as usize]);
                    }
                    postings.advance();
                }
            }
        }
        mask.and(&begun);
        Ok(mask)
    }

    fn mask(&self, query: &dyn tantivy::query::Query, papers: u32) -> Result<Mask> {
        let mut mask = Mask::none(papers);
        self.each_of(query, &mut |number| mask.set(number))?;
        Ok(mask)
    }

    fn each_of(&self, query: &dyn tantivy::query::Query, each: &mut dyn FnMut(u32)) -> Result<()> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        for (reader, segment) in self.searcher.segment_readers().iter().zip(&self.segments) {
            weight.for_each_no_score(reader, &mut |documents| {
                for document in documents {
                    each(segment.numbers[*document as usize]);
                }
            })?;
        }
        Ok(())
    }
}

impl Segment {
    fn open(reader: &SegmentReader, fields: Fields) -> Result<Self> {
        let documents = reader.max_doc();
        let column = reader.fast_fields().u64("number")?.first_or_default_col(u64::MAX);
        let numbers = (0..documents).map(|document| column.get_val(document));
        let numbers = numbers.map(|number| u32::try_from(number).unwrap_or(u32::MAX)).collect();
        let norms = reader.get_fieldnorms_reader(fields.text)?;
        Ok(Self {
            text: reader.inverted_index(fields.text)?,
            title: reader.inverted_index(fields.title)?,
            authors: reader.inverted_index(fields.authors)?,
            numbers,
            lengths: (0..documents).map(|document| norms.fieldnorm_id(document)).collect(),
        })
    }

    /// The greatest number of a paper.
    fn last(&self) -> Option<u32> {
        self.numbers.iter().copied().max()
    }
}

impl Segments {
    /// One more than the greatest number of a paper.
    pub(crate) fn end(&self) -> u32 {
        let last = self.segments.iter().filter_map(Segment::last).max();
        last.map_or(0, |last| last.saturating_add(1))
    }
}
