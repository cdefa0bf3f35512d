//! Writing papers into an index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pressrun_catalog::Paper;

use super::{Commit, FORMAT, Index, Snapshot, json};
use crate::Result;
use crate::lexicon::{LexiconWriter, Texts};
use crate::roots::Roots;
use crate::shelf::{BLOCK, Block, Entry, Pairs, Shelf, ShelfFile};
use crate::vectors::Reader;

/// Writes papers; they can be found after [`Writer::commit`], all or none.
pub struct Writer<'a> {
    index: &'a Index,
    lexicon: LexiconWriter,
    file: ShelfFile,
    shelf: Shelf,
    pairs: Arc<Pairs>,
    vectors: Reader,
    texts: Texts,
    roots: Roots,
    stems: Vec<u32>,
    /// Papers that are not yet in the file.
    block: Block,
    /// The numbers of these.
    waiting: HashMap<String, u32>,
    spent: Spent,
}

/// Time that a writer has spent, by what on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Taking texts apart into words.
    pub words: Duration,
    /// Making vectors.
    pub vectors: Duration,
    /// Writing: waiting for tantivy's own thread, the shelf's file, commits.
    pub writing: Duration,
}

impl Index {
    /// A writer that may use so many bytes for what is not yet on disk; [`Index::SMALL`] or
    /// [`Index::LARGE`].
    ///
    /// # Errors
    /// If another writer is open, or a file cannot be used.
    pub fn writer(&self, memory: usize) -> Result<Writer<'_>> {
        let snapshot = self.snapshot();
        let dims = self.vectors.dims();
        let lexicon = self.lexicon.writer(memory)?;
        let length = self.committed()?.shelf;
        let file = ShelfFile::reopen(&self.folder.join("shelf"), dims, length)?;
        Ok(Writer {
            index: self,
            lexicon,
            file,
            shelf: snapshot.shelf.clone(),
            pairs: Arc::clone(&snapshot.pairs),
            vectors: self.vectors.reader(),
            texts: Texts::default(),
            roots: Roots::with(self.vectors.vocabulary()),
            stems: Vec::new(),
            block: Block::default(),
            waiting: HashMap::new(),
            spent: Spent::default(),
        })
    }

    fn committed(&self) -> Result<Commit> {
        let payload = self.lexicon.payload()?.unwrap_or_default();
        serde_json::from_str(&payload)
            .map_err(|error| crate::Error::Broken { what: format!("its commit: {error}") })
    }
}

impl Writer<'_> {
    /// Takes a paper in, in place of what was known of it.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn put(&mut self, paper: &Paper) -> Result<()> {
        let started = Instant::now();
        self.stems.clear();
        let (vectors, stems) = (&mut self.vectors, &mut self.stems);
        self.texts.read(paper, &mut self.roots, &mut |lexeme| {
            vectors.word(lexeme.entry);
            stems.push(lexeme.form);
        });
        let read = Instant::now();
        let vector = self.vectors.finish(paper);
        let embedded = Instant::now();
        // Numbers follow the file: first what is in it, then what waits.
        if let Some(before) = self.shelf.number(&paper.id) {
            self.lexicon.remove(before);
        }
        let number = self.shelf.end() + self.block.entries.len() as u32;
        if let Some(before) = self.waiting.insert(paper.id.clone(), number) {
            self.lexicon.remove(before);
        }
        self.block.push(Entry::of(paper), &vector, &self.stems);
        self.pairs.add(&self.stems);
        self.lexicon.add(number, &self.texts)?;
        if self.block.entries.len() == BLOCK {
            self.flush()?;
        }
        self.spent.words += read - started;
        self.spent.vectors += embedded - read;
        self.spent.writing += embedded.elapsed();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.block.entries.is_empty() {
            self.file.append(&self.block)?;
            self.shelf.append(std::mem::take(&mut self.block));
            self.waiting.clear();
        }
        Ok(())
    }

    /// Makes the papers findable, and says up to where the index now follows its catalogue.
    ///
    /// # Errors
    /// If the disk cannot be written; the index then is as it was at its last commit.
    pub fn commit(&mut self, revision: i64) -> Result<()> {
        let started = Instant::now();
        self.flush()?;
        let commit = Commit {
            format: FORMAT,
            embedder: self.index.vectors.identity(),
            shelf: self.file.sync()?,
            end: self.shelf.end(),
            revision,
        };
        self.lexicon.commit(&json(&commit))?;
        self.index.publish(Snapshot {
            revision,
            shelf: self.shelf.clone(),
            segments: self.index.lexicon.segments()?,
            pairs: Arc::clone(&self.pairs),
        });
        self.spent.writing += started.elapsed();
        Ok(())
    }

    /// Ends, after the merges that are under way. Says what time was spent on.
    ///
    /// # Errors
    /// If a merge fails.
    pub fn finish(self) -> Result<Spent> {
        let started = Instant::now();
        self.lexicon.finish()?;
        let writing = self.spent.writing + started.elapsed();
        Ok(Spent { writing, ..self.spent })
    }
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("index", self.index).finish_non_exhaustive()
    }
}
