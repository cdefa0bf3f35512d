//! Opening the catalogue.

use std::path::Path;
use std::sync::Arc;

use sqlx::any::Any;
use sqlx::{AnyPool, Executor, Transaction};
use tempfile::TempDir;

use crate::{Error, Result, dialect, migrate};

/// Papers, records and runs in one database. Cheap to clone: all clones share the connections.
///
/// Opening creates what is missing and brings an older database to the present form. Several
/// processes may have the same folder open.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use pressrun_catalog::{Catalog, ListQuery, NewPaper};
///
/// let catalog = Catalog::in_memory().await?;
/// let paper = NewPaper { title: "Gates that open".into(), ..NewPaper::default() };
/// catalog.upsert(&[paper]).await?;
/// let page = catalog.list(&ListQuery::default()).await?;
/// assert_eq!(page.papers[0].id, "gates-that-open");
/// # Ok::<(), pressrun_catalog::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    readers: AnyPool,
    writer: AnyPool,
    /// The folder of a private database, removed with the last clone.
    _folder: Option<TempDir>,
}

impl Catalog {
    /// Opens the catalogue in folder `dir`, whose database is the file `pressrun.sqlite`.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be made, [`Error::Database`] if the file cannot be used,
    /// [`Error::Migrate`] if it was made by a newer version.
    pub async fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .map_err(|source| Error::Io { path: dir.to_owned(), source })?;
        Self::open_file(dir, None).await
    }

    /// A private database that vanishes with the last clone, for tests.
    ///
    /// # Errors
    /// As [`Catalog::open`].
    pub async fn in_memory() -> Result<Self> {
        // A file in a temporary folder, not SQLite's memory: only a file has the readers beside a
        // writer that the real database has.
        let folder = tempfile::tempdir()
            .map_err(|source| Error::Io { path: std::env::temp_dir(), source })?;
        let dir = folder.path().to_owned();
        Self::open_file(&dir, Some(folder)).await
    }

    async fn open_file(dir: &Path, folder: Option<TempDir>) -> Result<Self> {
        let (readers, writer) = dialect::open(&dir.join("pressrun.sqlite")).await?;
        migrate::run(&mut *writer.acquire().await?).await?;
        let shared = Shared { readers, writer, _folder: folder };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Database`] if it gives none.
    pub async fn ping(&self) -> Result<()> {
        self.readers().execute("SELECT 1").await?;
        Ok(())
    }

    /// Closes all connections; clones cannot be used afterwards.
    ///
    /// Dropping the last clone does the same, but does not wait.
    pub async fn close(&self) {
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }

    pub(crate) fn readers(&self) -> &AnyPool {
        &self.shared.readers
    }

    /// Begins a transaction that may write. It waits its turn and is undone if it is dropped.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Any>> {
        Ok(self.shared.writer.begin_with(dialect::BEGIN_WRITE).await?)
    }
}
