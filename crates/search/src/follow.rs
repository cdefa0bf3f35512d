//! The index of a site: held by one program, in step with the catalogue, built anew when it breaks.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use pressrun_catalog::{Catalog, Paper};
use tokio::sync::mpsc;

use crate::index::{Index, Spent};
use crate::request::{Request, Results};
use crate::vectors::Vectors;
use crate::{Error, Result};

/// How often a site asks its catalogue for changes. One look is one step in an index.
const EVERY: Duration = Duration::from_millis(500);
/// Papers asked for at once.
const BATCH: u32 = 2000;
/// Batches of an importer that wait for the index.
const WAITING: usize = 8;
/// Papers after which what has been taken in can be found, though more are to come.
const COMMIT: usize = 30_000;
/// Behind by more papers than these, the writer gets the memory for many.
const MANY: u64 = 5000;
/// Outdated papers that an index may hold beyond half of those that count.
const OUTDATED: usize = 10_000;

/// Search over a catalogue. Cheap to clone: all clones share the index.
#[derive(Debug, Clone)]
pub struct Search {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    vectors: Vectors,
    index: RwLock<Arc<Index>>,
    status: Mutex<Status>,
    /// Set when a search finds the index broken.
    broken: AtomicBool,
    /// Held as long as the index is.
    _lock: File,
}

/// Hands papers that have just been stored to the index, which then need not read them again.
#[derive(Debug, Clone)]
pub struct Feeder(mpsc::Sender<Vec<(i64, Paper)>>);

/// What a [`Feeder`] hands on. It ends when the feeder is dropped.
#[derive(Debug)]
pub struct Feed(mpsc::Receiver<Vec<(i64, Paper)>>);

/// A way for papers from an importer to an index.
pub fn feed() -> (Feeder, Feed) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Feeder(sender), Feed(receiver))
}

impl Feeder {
    /// Hands on papers with their revisions, the oldest first. Never waits: if too many are on their
    /// way already, the index will find these in the catalogue.
    pub fn push(&self, papers: Vec<(i64, Paper)>) {
        // Full, or nobody listens: neither loses anything.
        let _ = self.0.try_send(papers);
    }
}

impl Feed {
    /// The next papers, if they are those that follow `after` without a gap: `Err` says that the
    /// catalogue has to be asked. `None` at the end.
    async fn next(&mut self, after: i64) -> Option<Result<Vec<(i64, Paper)>, Missing>> {
        let papers = self.0.recv().await?;
        let mut expected = after;
        let follow = papers.iter().all(|(revision, _)| {
            expected += 1;
            *revision == expected
        });
        Some(if follow && !papers.is_empty() { Ok(papers) } else { Err(Missing) })
    }
}

/// Changes that a feed has not handed on.
struct Missing;

/// What an index has taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaughtUp {
    /// Papers.
    pub papers: u64,
    /// What the time went into.
    pub spent: Spent,
}

/// How search stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Every paper can be found, but for changes of the last moment.
    Ready,
    /// The index is being built; what is in it already can be found.
    Building {
        /// Why.
        reason: String,
        /// Papers that are in it.
        done: u64,
        /// Papers of the catalogue.
        total: u64,
    },
}

impl Search {
    /// Opens the index in a folder. One that is not there, broken, or of another form or embedder is
    /// begun anew: [`Search::follow`] or [`Search::catch_up`] then fill it.
    ///
    /// # Errors
    /// [`Error::InUse`] if another program holds it, [`Error::Io`] if the folder cannot be used.
    pub fn open(folder: &Path, vectors: Vectors) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse { folder: folder.display().to_string() });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let (index, status) = match Index::open(folder, vectors.clone()) {
            Ok(index) => (index, Status::Ready),
            Err(error) => {
                let reason = match error {
                    Error::Broken { what } => what,
                    other => other.to_string(),
                };
                let index = Index::create(folder, vectors.clone())?;
                (index, Status::Building { reason, done: 0, total: 0 })
            }
        };
        let shared = Shared {
            folder: folder.to_owned(),
            vectors,
            index: RwLock::new(Arc::new(index)),
            status: Mutex::new(status),
            broken: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The index as it is now.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.shared.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_status(&self, status: Status) {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Answers a query, on a thread that may block.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Io`] or [`Error::Lexicon`] if the index cannot be read,
    /// [`Error::Panicked`] if it makes the search panic; it is built anew then.
    pub async fn search(&self, request: Request) -> Result<Results> {
        self.ask(move |index| index.search(&request)).await
    }

    /// Asks something of the index, on a thread that may block.
    ///
    /// # Errors
    /// As [`Search::search`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let index = self.index();
        let answer = tokio::task::spawn_blocking(move || question(&index)).await;
        let answer = answer.unwrap_or(Err(Error::Panicked));
        if answer.as_ref().is_err_and(Error::is_broken) {
            self.shared.broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Throws the index away; [`Search::catch_up`] fills a new one.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Lexicon`] if the folder cannot be written.
    pub fn begin_anew(&self, reason: &str) -> Result<()> {
        let Shared { folder, vectors, index, broken, .. } = &*self.shared;
        let new = Index::create(folder, vectors.clone())?;
        *index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        broken.store(false, Ordering::Relaxed);
        self.set_status(Status::Building { reason: reason.to_owned(), done: 0, total: 0 });
        Ok(())
    }

    /// Takes in what has changed, until `stop` is ready.
    ///
    /// What goes wrong is logged and tried again, with a new index where the old one is broken.
    pub async fn follow(&self, catalog: &Catalog, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let step = async {
                if let Err(error) = self.step(catalog).await {
                    tracing::error!(%error, "search could not follow the catalogue");
                    if error.is_broken() {
                        self.shared.broken.store(true, Ordering::Relaxed);
                    }
                    tokio::time::sleep(10 * EVERY).await;
                }
                tokio::time::sleep(EVERY).await;
            };
            tokio::select! {
                () = step => {}
                () = &mut stop => return,
            }
        }
    }

    async fn step(&self, catalog: &Catalog) -> Result<()> {
        if self.shared.broken.load(Ordering::Relaxed) {
            tracing::warn!("the search index is broken; building it anew");
            self.begin_anew("it was found broken")?;
        }
        let index = self.index();
        if index.outdated() > OUTDATED + index.len() / 2 {
            self.begin_anew("most of it was outdated")?;
        }
        self.catch_up(catalog, None, &mut |_| {}).await?;
        Ok(())
    }

    /// Takes in everything that has changed since, and whatever comes until a feed ends. Hands on how
    /// many papers have been taken in.
    ///
    /// # Errors
    /// If the catalogue cannot be read, or the index not be written; what was reported as findable
    /// stays so.
    pub async fn catch_up(
        &self,
        catalog: &Catalog,
        mut feed: Option<Feed>,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<CaughtUp> {
        let (papers, revision) = (catalog.count_papers().await?, catalog.revision().await?);
        if self.index().revision() > revision || self.index().len() as u64 > papers {
            self.begin_anew("it is of another catalogue")?;
        }
        let index = self.index();
        let behind = papers.saturating_sub(index.len() as u64);
        if index.revision() == revision && feed.is_none() {
            self.set_status(Status::Ready);
            return Ok(CaughtUp::default());
        }
        let many = feed.is_some() || behind > MANY;
        let memory = if many { Index::LARGE } else { Index::SMALL };
        let mut after = index.revision();
        let (sender, receiver) = mpsc::channel(1);
        let writing = tokio::task::spawn_blocking(move || write(&index, memory, receiver));
        let mut taken = 0;
        // Whether the catalogue may have changes that nobody has handed on.
        let mut ask = true;
        loop {
            let changes = match &mut feed {
                _ if ask => catalog.changes(after, BATCH).await?,
                Some(some) => match some.next(after).await {
                    Some(Ok(papers)) => papers,
                    missing => {
                        ask = true;
                        // What it handed on last was stored before it ended: one more look.
                        if missing.is_none() {
                            feed = None;
                        }
                        continue;
                    }
                },
                None => break,
            };
            let Some((revision, _)) = changes.last() else {
                ask = false;
                continue;
            };
            after = *revision;
            taken += changes.len() as u64;
            // The writer is gone only if it failed: its own result tells how.
            if sender.send(changes).await.is_err() {
                break;
            }
            progress(taken);
            if let Status::Building { reason, .. } = self.status() {
                let (done, total) = (taken, taken.max(papers));
                self.set_status(Status::Building { reason, done, total });
            }
        }
        drop(sender);
        let spent = writing.await.unwrap_or(Err(Error::Panicked))?;
        self.set_status(Status::Ready);
        Ok(CaughtUp { papers: taken, spent })
    }
}

/// Puts what comes into the index, and makes it findable at the end.
fn write(
    index: &Index,
    memory: usize,
    mut receiver: mpsc::Receiver<Vec<(i64, Paper)>>,
) -> Result<Spent> {
    let mut writer = index.writer(memory)?;
    let (mut waiting, mut revision) = (0, index.revision());
    while let Some(changes) = receiver.blocking_recv() {
        for (changed, paper) in &changes {
            writer.put(paper)?;
            revision = *changed;
        }
        waiting += changes.len();
        if waiting >= COMMIT {
            writer.commit(revision)?;
            waiting = 0;
        }
    }
    if waiting > 0 {
        writer.commit(revision)?;
    }
    writer.finish()
}
