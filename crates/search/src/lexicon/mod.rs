//! The lexical index: tantivy's postings, scored here.
//!
//! tantivy keeps terms, postings, commits and merges. Its own scorer has fixed constants and adds
//! nothing up but its best few; here every paper gets its score, so that the fusion with the
//! vectors is exact, and a term's weight may depend on the query.

mod schema;
mod segments;
mod spaced;

use std::path::Path;

use tantivy::directory::MmapDirectory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term as IndexTerm};

pub(crate) use self::schema::{Fields, Key, Texts, venue_words};
pub(crate) use self::segments::{Segments, Statistics};
use crate::Result;

/// The lexical index in its folder.
pub(crate) struct Lexicon {
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

impl Lexicon {
    /// Opens the index in `dir`, or makes one there.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (schema, fields) = schema::schema();
        let directory = MmapDirectory::open(dir).map_err(tantivy::TantivyError::from)?;
        // A schema that differs is an error here: the index is of another version.
        let index = Index::open_or_create(directory, schema)?;
        index.tokenizers().register(schema::TOKENIZER, spaced::Spaced::default());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { index, reader, fields })
    }

    /// What was said at the last commit; empty if there was none.
    pub(crate) fn payload(&self) -> Result<Option<String>> {
        Ok(self.index.load_metas()?.payload)
    }

    /// Whether every file is as it was written. Returns those that are not.
    pub(crate) fn damaged(&self) -> Result<Vec<String>> {
        let damaged = self.index.validate_checksum()?;
        Ok(damaged.into_iter().map(|file| file.display().to_string()).collect())
    }

    /// A writer with so many bytes for what is not yet on disk.
    pub(crate) fn writer(&self, memory: usize) -> Result<LexiconWriter> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(memory)
            .build();
        Ok(LexiconWriter { writer: self.index.writer_with_options(options)?, fields: self.fields })
    }

    /// What the last commit holds.
    pub(crate) fn segments(&self) -> Result<Segments> {
        self.reader.reload()?;
        Segments::open(self.reader.searcher(), self.fields)
    }
}

/// Writes papers; what was written can be found after a commit.
pub(crate) struct LexiconWriter {
    writer: IndexWriter,
    fields: Fields,
}

impl LexiconWriter {
    /// Adds a paper under its number.
    pub(crate) fn add(&mut self, number: u32, texts: &Texts) -> Result<()> {
        let Fields { number: id, text, title, authors, keys } = self.fields;
        let mut document = TantivyDocument::new();
        document.add_u64(id, u64::from(number));
        document.add_text(text, &texts.text);
        document.add_text(title, &texts.title);
        document.add_text(authors, &texts.authors);
        document.add_text(keys, &texts.keys);
        self.writer.add_document(document)?;
        Ok(())
    }

    /// Takes a paper out.
    pub(crate) fn remove(&mut self, number: u32) {
        self.writer.delete_term(IndexTerm::from_field_u64(self.fields.number, u64::from(number)));
    }

    /// Makes all of it permanent, all or none, together with what is said of it.
    pub(crate) fn commit(&mut self, payload: &str) -> Result<()> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        Ok(())
    }

    /// Ends, after the merges that are under way.
    pub(crate) fn finish(self) -> Result<()> {
        Ok(self.writer.wait_merging_threads()?)
    }
}
