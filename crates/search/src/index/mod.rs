//! The index as one thing: a lexicon and a shelf that agree, written together, read as snapshots.
//!
//! The lexicon's commit is the moment at which papers are there. It says how long the shelf was
//! then, so that whatever a crash leaves behind it is cut off at the next start, and up to which
//! revision of the catalogue the papers are those of the index.

mod snapshot;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

pub(crate) use self::snapshot::Snapshot;
pub use self::writer::{Spent, Writer};
use crate::lexicon::Lexicon;
use crate::recommend::Frequencies;
use crate::search::Scratch;
use crate::shelf::{Pairs, Shelf, ShelfFile};
use crate::vectors::Vectors;
use crate::{Error, Result};

/// Form of what the index says about a paper; an index of another one is built anew.
pub(crate) const FORMAT: u32 = 1;

/// What a commit says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Commit {
    format: u32,
    /// Which embedder the vectors are of.
    embedder: String,
    /// Bytes of the shelf's file.
    shelf: u64,
    /// One more than the last number.
    end: u32,
    /// Revision of the catalogue's paper that was taken in last.
    revision: i64,
}

/// An index in a folder.
///
/// One program at a time may write it; see [`Search`](crate::Search) for the index of a site.
///
/// ```
/// use pressrun_search::{Index, Request, embed};
/// use pressrun_catalog::{Catalog, NewPaper};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let catalog = Catalog::in_memory().await?;
/// let paper = |title: &str| NewPaper { title: title.into(), ..NewPaper::default() };
/// catalog.upsert(&[paper("Gates that open"), paper("Depth from one picture")]).await?;
///
/// let folder = tempfile::tempdir()?;
/// let index = Index::create(folder.path(), embed::shipped().into())?;
/// let mut writer = index.writer(Index::SMALL)?;
/// for (_, paper) in catalog.changes(0, 10).await? {
///     writer.put(&paper)?;
/// }
/// writer.commit(catalog.revision().await?)?;
///
/// let found = index.search(&Request::new("gate opening".parse()?))?;
/// assert_eq!(found.hits[0].id, "gates-that-open");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Index {
    folder: PathBuf,
    vectors: Vectors,
    lexicon: Lexicon,
    current: RwLock<Arc<Snapshot>>,
    /// Memory of searches that are over.
    scratch: Mutex<Vec<Scratch>>,
    /// In how many papers words stand; filled when it is first asked for.
    pub(crate) frequencies: Mutex<Frequencies>,
}

impl Index {
    /// Memory of a writer that follows a site, in bytes.
    pub const SMALL: usize = 16 << 20;
    /// Memory of a writer for many papers at once, in bytes.
    pub const LARGE: usize = 512 << 20;

    /// Makes an empty index in place of whatever is in the folder.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Lexicon`] if the folder cannot be written.
    pub fn create(folder: &Path, vectors: Vectors) -> Result<Self> {
        let lexicon_folder = folder.join("lexicon");
        match std::fs::remove_dir_all(&lexicon_folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let lexicon = Lexicon::open(&lexicon_folder)?;
        let file = ShelfFile::create(&folder.join("shelf"), vectors.dims())?;
        // A commit of its own, so that an index without papers is a whole one.
        let commit = Commit {
            format: FORMAT,
            embedder: vectors.identity(),
            shelf: file.sync()?,
            end: 0,
            revision: 0,
        };
        let mut writer = lexicon.writer(Self::SMALL)?;
        writer.commit(&json(&commit))?;
        writer.finish()?;
        let snapshot = Snapshot {
            revision: 0,
            shelf: Shelf::new(vectors.dims()),
            segments: lexicon.segments()?,
            pairs: Arc::new(Pairs::new()),
        };
        let current = RwLock::new(Arc::new(snapshot));
        Ok(Self {
            folder: folder.to_owned(),
            vectors,
            lexicon,
            current,
            scratch: Mutex::default(),
            frequencies: Mutex::default(),
        })
    }

    /// Opens the index in a folder, to read it; another program may be writing it.
    ///
    /// # Errors
    /// [`Error::Broken`] if there is none, or one of another form or embedder, or one whose files
    /// are not as they were written.
    pub fn open(folder: &Path, vectors: Vectors) -> Result<Self> {
        let broken = |what: String| Error::Broken { what };
        if !folder.join("lexicon").is_dir() {
            return Err(broken("there is none yet".into()));
        }
        let lexicon = Lexicon::open(&folder.join("lexicon"))?;
        let payload = lexicon.payload()?.ok_or_else(|| broken("it has no commit".into()))?;
        let commit: Commit = serde_json::from_str(&payload)
            .map_err(|error| broken(format!("its commit cannot be read: {error}")))?;
        let (format, embedder) = (FORMAT, vectors.identity());
        if commit.format != format {
            return Err(broken(format!("it has form {}, not {format}", commit.format)));
        }
        if commit.embedder != embedder {
            return Err(broken(format!("its vectors are of {}, not {embedder}", commit.embedder)));
        }
        if let Some(file) = lexicon.damaged()?.first() {
            return Err(broken(format!("`{file}` is not as it was written")));
        }
        let mut shelf = Shelf::new(vectors.dims());
        let pairs = Pairs::new();
        let path = folder.join("shelf");
        ShelfFile::read(&path, vectors.dims(), commit.shelf, &mut |block| {
            (0..block.entries.len()).for_each(|row| pairs.add(block.stems_of(row)));
            shelf.append(block);
        })?;
        let segments = lexicon.segments()?;
        let papers = segments.statistics().papers as usize;
        if shelf.end() != commit.end || segments.end() > commit.end || papers != shelf.count() {
            let (shelf, end) = (shelf.count(), commit.end);
            return Err(broken(format!(
                "{papers} papers, {shelf} on the shelf, last number {end}"
            )));
        }
        let snapshot =
            Snapshot { revision: commit.revision, shelf, segments, pairs: Arc::new(pairs) };
        let current = RwLock::new(Arc::new(snapshot));
        Ok(Self {
            folder: folder.to_owned(),
            vectors,
            lexicon,
            current,
            scratch: Mutex::default(),
            frequencies: Mutex::default(),
        })
    }

    /// Where the index is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What makes its vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Up to where it has followed the catalogue.
    pub fn revision(&self) -> i64 {
        self.snapshot().revision
    }

    /// Whether a paper can be found.
    pub fn has(&self, id: &str) -> bool {
        self.snapshot().shelf.number(id).is_some()
    }

    /// Papers that can be found.
    pub fn len(&self) -> usize {
        self.snapshot().shelf.count()
    }

    /// Whether none can.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of papers that are outdated but still take room.
    pub(crate) fn outdated(&self) -> usize {
        let snapshot = self.snapshot();
        snapshot.shelf.end() as usize - snapshot.shelf.count()
    }

    /// The papers of the last commit.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Memory for a search; [`Index::give_back`] keeps it for the next.
    pub(crate) fn scratch(&self) -> Scratch {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, scratch: Scratch) {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    fn publish(&self, snapshot: Snapshot) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = self.folder.display().to_string();
        f.debug_struct("Index").field("folder", &folder).finish_non_exhaustive()
    }
}

fn json(commit: &Commit) -> String {
    serde_json::to_string(commit).expect("a commit is plain data")
}
