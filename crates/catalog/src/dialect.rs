//! The only place that knows which database is beneath.
//!
//! Everything else keeps to what SQLite and PostgreSQL share: numbered placeholders, `ON CONFLICT`,
//! `RETURNING`, and types that sqlx's `Any` driver carries. `bool` is not among them here, because
//! the two disagree about it; flags are `BIGINT` 0 and 1.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::error::DatabaseError;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Executor};

use crate::{Constraint, Result};

/// Begins a transaction that writes. `IMMEDIATE` takes the lock now and waits for it; a deferred
/// transaction that has read would fail at its first write if another had written in between.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Begins a transaction that reads the database as it is at its first statement, whatever is written
/// meanwhile. (On PostgreSQL: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`.)
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN";

/// Puts off the check of foreign keys to the end of the transaction, for rows that name others of their
/// own table. (On PostgreSQL a key has to be declared deferrable for it.)
pub(crate) const DEFER_KEYS: &str = "PRAGMA defer_foreign_keys = ON";

/// What a subquery that picks a row of the queue ends in. With one writer nothing is needed; where
/// writers run side by side it is `FOR UPDATE SKIP LOCKED`.
pub(crate) const SKIP_LOCKED: &str = "";

/// What a migration says with `--clustered`: that rows lie in the order of their primary key, which
/// then is not stored a second time. Nothing where there is no such thing.
pub(crate) const CLUSTERED: &str = "WITHOUT ROWID";

/// Writes the placeholder of the value of that number into a statement that is put together.
///
/// Statements that are written out use `$1`, which both databases read. Here SQLite gets its `?`:
/// of numbered ones its driver looks each up by walking the list of all, so that a statement's time
/// would grow with the square of their number.
pub(crate) fn placeholder(statement: &mut String, _number: usize) {
    statement.push('?');
}

/// How long a statement waits for a writer in another process.
const BUSY: Duration = Duration::from_secs(60);

/// Readers of one process. Statements are short: more would wait for the disk or a core anyway.
const READERS: u32 = 4;

/// Settings of every connection. `FULL`: a commit that returned survives a power cut. Pages of 8 KiB
/// (settled when the file is made) hold five papers with their abstracts, of 4 KiB but two.
const SETTINGS: &str = "PRAGMA page_size = 8192; PRAGMA foreign_keys = ON; \
     PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000;";

/// Settings of the writer. The log is brought home every 64 MiB and not every 4, because an import
/// touches the same index pages again and again, and each is then written home once.
const WRITER: &str = "PRAGMA wal_autocheckpoint = 8192; PRAGMA journal_size_limit = 67108864; \
     PRAGMA cache_size = -49152;";

/// The pools of one database file: many readers, one writer.
///
/// A pool of one connection is the queue in which this process's writers wait for each other, so
/// that they never meet as `SQLITE_BUSY`.
pub(crate) async fn open(file: &Path) -> Result<(AnyPool, AnyPool)> {
    sqlx::any::install_default_drivers();
    let writer = pool(1, WRITER).connect_with(options(file, "rwc")?).await?;
    log_ahead(&mut *writer.acquire().await?).await?;
    let readers = pool(READERS, "PRAGMA query_only = ON;").connect_lazy_with(options(file, "rw")?);
    Ok((readers, writer))
}

/// Sets the mode in which readers and a writer do not wait for each other. It is a property of the
/// file, set once before anybody reads.
async fn log_ahead(connection: &mut AnyConnection) -> Result<()> {
    let started = Instant::now();
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Ok(_) => return Ok(()),
            // Of several programs that open a new file at once one sets the mode; SQLite does not
            // let the others wait for it as it does everywhere else.
            Err(error) if is_busy(&error) && started.elapsed() < BUSY => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether somebody else holds the file: code 5, `SQLITE_BUSY`, in its lower byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

fn pool(size: u32, more: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(size)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(600))
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                // First, so that the rest waits as well.
                let wait = format!("PRAGMA busy_timeout = {};", BUSY.as_millis());
                let settings = format!("{wait} {SETTINGS} {more}");
                connection.execute(sqlx::AssertSqlSafe(settings)).await?;
                Ok(())
            })
        })
}

fn options(file: &Path, mode: &str) -> Result<AnyConnectOptions> {
    // The driver takes the path out of a URL: whatever would end or change it is percent-encoded.
    let mut url = String::from("sqlite://");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                url.push(char::from(*byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?mode=");
    url.push_str(mode);
    let options: AnyConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging())
}

/// The named constraint that a statement broke.
///
/// PostgreSQL names it. SQLite names checks, and for keys lists the columns; for foreign keys it
/// says nothing, so that the statements concerned ask first.
pub(crate) fn constraint(error: &dyn DatabaseError) -> Option<Constraint> {
    let named = |name: &str| Constraint::ALL.iter().copied().find(|c| c.name() == name);
    if let Some(name) = error.constraint() {
        return named(name);
    }
    let (kind, what) = error.message().split_once(" constraint failed: ")?;
    match kind {
        "UNIQUE" => Constraint::ALL.iter().copied().find(|c| c.columns() == what),
        "CHECK" => named(what),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalog, Error};

    /// Breaks constraints with statements that the catalogue itself would never send.
    #[tokio::test]
    async fn broken_constraints_are_told_by_name() {
        let catalog = Catalog::in_memory().await.unwrap();
        let broken = async |sql: &'static str| {
            let mut transaction = catalog.write().await.unwrap();
            let result = transaction.execute(sql).await;
            transaction.commit().await.unwrap();
            match result.map_err(Error::from) {
                Ok(_) => None,
                Err(Error::Constraint(constraint)) => Some(constraint),
                Err(other) => panic!("{other}"),
            }
        };
        let insert = "INSERT INTO papers (added_at, id, slug, arxiv_id, doi, title, dated, authors, \
             title_key, summary) VALUES (0, 'a', 's', 'x', 'd', 'T', '', '', 't', '')";
        assert_eq!(broken(insert).await, None);
        for (sql, constraint) in [
            (
                "INSERT INTO papers (added_at, dated, authors, title_key, summary, id, title) \
                 VALUES (0, '', '', 't', '', 'a', 'T')",
                Constraint::PaperId,
            ),
            (
                "INSERT INTO papers (added_at, dated, authors, title_key, summary, id, title, slug) \
                 VALUES (0, '', '', 't', '', 'b', 'T', 's')",
                Constraint::PaperSlug,
            ),
            (
                "INSERT INTO papers (added_at, dated, authors, title_key, summary, id, title, arxiv_id) \
                 VALUES (0, '', '', 't', '', 'b', 'T', 'x')",
                Constraint::PaperArxiv,
            ),
            (
                "INSERT INTO papers (added_at, dated, authors, title_key, summary, id, title, doi) \
                 VALUES (0, '', '', 't', '', 'b', 'T', 'd')",
                Constraint::PaperDoi,
            ),
            ("UPDATE papers SET title = ''", Constraint::PaperTitle),
        ] {
            assert_eq!(broken(sql).await, Some(constraint), "{sql}");
        }
    }

    #[tokio::test]
    async fn a_folder_of_any_name_and_connections_as_set() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a b?mode=ro#%41é");
        let catalog = Catalog::open(&dir).await.unwrap();
        assert!(dir.join("pressrun.sqlite").is_file());
        let setting = async |name: &'static str| {
            use sqlx::Row;
            let mut transaction = catalog.write().await.unwrap();
            let row = sqlx::query(name).fetch_one(&mut *transaction).await.unwrap();
            row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()))
        };
        assert_eq!(setting("PRAGMA journal_mode").await.unwrap(), "wal");
        assert_eq!(setting("PRAGMA synchronous").await.unwrap(), "2");
        assert_eq!(setting("PRAGMA foreign_keys").await.unwrap(), "1");
        assert_eq!(setting("PRAGMA busy_timeout").await.unwrap(), "60000");
        assert_eq!(setting("PRAGMA page_size").await.unwrap(), "8192");
        let error = catalog.readers().execute("DELETE FROM papers").await;
        assert!(error.unwrap_err().to_string().contains("readonly"));
    }
}
