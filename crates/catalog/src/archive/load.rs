//! Taking an archive in.

use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, AssertSqlSafe, Executor, Row};
use tokio::sync::mpsc;

use super::read::{Shape, rows as read_rows, verify, walk};
use super::{Cell, Column, LEFT_OUT, Problem, Summary, TABLES, Table};
use crate::sql::{chunks, rows};
use crate::{Catalog, Error, Result, dialect};

/// What may be in the database that an archive is taken into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// Nothing.
    Empty,
    /// What a site has that was started and not used: papers of these slugs, which came with the
    /// program, and their records. The archive takes their place.
    Fresh(Vec<String>),
    /// Anything. It is deleted.
    Anything,
}

/// What a site has that nobody has used yet.
const FRESH: [&str; 5] = ["papers", "paper_authors", "paper_keys", "records", "settings"];

/// Rows that are sent to the database together, and bytes after which there are fewer.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// Rows of one part on their way to the database.
struct Batch {
    table: &'static Table,
    columns: Vec<&'static Column>,
    part: String,
    first: u64,
    rows: Vec<Vec<Cell>>,
}

impl Catalog {
    /// Takes in an archive that [`Catalog::export`] has written, all of it or nothing: its checksums are
    /// compared first, and its rows are one transaction.
    ///
    /// Whoever was signed in has to sign in anew: sessions and links are not part of archives.
    ///
    /// # Errors
    /// [`Error::Archive`] if it is not whole, newer than this program, broken in any other way, or if
    /// there is more in the database than `room` says; [`Error::Io`] if it cannot be opened.
    pub async fn import_archive(&self, file: &Path, room: &Room) -> Result<Summary> {
        let opened = std::fs::File::open(file);
        opened.map_err(|source| Error::Io { path: file.to_owned(), source })?;
        let failed = |problem| Error::Archive { path: file.to_owned(), problem: Box::new(problem) };
        let path = file.to_owned();
        let verified = blocking(move || verify(&path)).await.map_err(failed)?;
        let mut transaction = self.write().await?;
        if let Some(problem) = occupied(&mut transaction, room).await? {
            return Err(failed(problem));
        }
        clear(&mut transaction).await?;
        transaction.execute(dialect::DEFER_KEYS).await?;
        if let Err(problem) = fill(&mut transaction, file.to_owned()).await {
            return Err(failed(problem));
        }
        for table in TABLES {
            if let Some(problem) = dangling(&mut transaction, table).await? {
                return Err(failed(problem));
            }
            let rows = count(&mut transaction, table.name).await?;
            let expected = verified.of(table.name);
            if u64::try_from(rows) != Ok(expected) {
                return Err(failed(Problem::Changed {
                    part: table.name.into(),
                    what: "rows",
                    found: rows.to_string(),
                    expected: expected.to_string(),
                }));
            }
        }
        transaction.commit().await?;
        Ok(verified)
    }
}

/// Runs what reads the archive on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::Unreadable(std::io::Error::other(error))))
}

async fn count(connection: &mut AnyConnection, table: &str) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    Ok(sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)?)
}

/// What is in the database that may not be there.
async fn occupied(connection: &mut AnyConnection, room: &Room) -> Result<Option<Problem>> {
    let slugs = match room {
        Room::Anything => return Ok(None),
        Room::Empty => None,
        Room::Fresh(slugs) => Some(slugs),
    };
    for table in TABLES.iter().map(|table| table.name) {
        let rows = match slugs {
            Some(slugs) if table == "papers" => {
                let sql = format!(
                    "SELECT COUNT(*) FROM papers WHERE votes > 0 OR comments > 0 OR slug IS NULL \
                     OR slug NOT IN {}",
                    rows(1, slugs.len().max(1))
                );
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for slug in slugs {
                    query = query.bind(slug.clone());
                }
                if slugs.is_empty() {
                    query = query.bind(String::new());
                }
                query.fetch_one(&mut *connection).await?.try_get(0)?
            }
            Some(_) if FRESH.contains(&table) => 0,
            _ => count(connection, table).await?,
        };
        if rows > 0 {
            return Ok(Some(Problem::NotEmpty { table, rows }));
        }
    }
    Ok(None)
}

/// Empties every table, also those that archives leave out: a link that makes an administrator of a
/// fresh site must not open the site that takes its place.
async fn clear(connection: &mut AnyConnection) -> Result<()> {
    let left_out = LEFT_OUT.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('_'));
    let tables = left_out.chain(TABLES.iter().rev().map(|table| table.name));
    for table in tables {
        let sql = format!("DELETE FROM {table}");
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

/// Stores all rows of the archive.
async fn fill(connection: &mut AnyConnection, file: PathBuf) -> Result<(), Problem> {
    let (sender, mut batches) = mpsc::channel::<Batch>(8);
    let reading = tokio::task::spawn_blocking(move || {
        walk(&file, &mut |part| {
            let Shape { table, columns } = part.shape;
            let name = part.name.clone();
            let batch = |first| Batch {
                table,
                columns: columns.clone(),
                part: name.clone(),
                first,
                rows: Vec::with_capacity(BATCH),
            };
            let (mut current, mut size) = (batch(1), 0);
            let gone = |_| Problem::Unreadable(std::io::Error::other("storing has ended"));
            read_rows(part, &mut |line, bytes, row| {
                current.rows.push(row);
                size += bytes;
                if current.rows.len() < BATCH && size < BATCH_BYTES {
                    return Ok(());
                }
                size = 0;
                let full = std::mem::replace(&mut current, batch(line + 1));
                sender.blocking_send(full).map_err(gone)
            })?;
            sender.blocking_send(current).map_err(gone)
        })
    });
    while let Some(batch) = batches.recv().await {
        // The thread that reads ends when its batches are no longer taken.
        store(connection, &batch).await?;
    }
    let read = reading.await;
    read.unwrap_or_else(|error| Err(Problem::Unreadable(std::io::Error::other(error))))?;
    Ok(())
}

async fn store(connection: &mut AnyConnection, batch: &Batch) -> Result<(), Problem> {
    let names: Vec<&str> = batch.columns.iter().map(|column| column.name).collect();
    let mut first = batch.first;
    for chunk in chunks(&batch.rows, names.len()) {
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            batch.table.name,
            names.join(", "),
            rows(chunk.len(), names.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in chunk.iter().flatten() {
            query = match cell.clone() {
                Cell::Integer(value) => query.bind(value),
                Cell::Real(value) => query.bind(value),
                Cell::Text(value) => query.bind(value),
            };
        }
        let last = first + chunk.len() as u64 - 1;
        query.execute(&mut *connection).await.map_err(|error| Problem::Refused {
            part: batch.part.clone(),
            first,
            last,
            message: error.as_database_error().map_or(error.to_string(), |e| e.message().into()),
        })?;
        first = last + 1;
    }
    Ok(())
}

/// Rows of a table that name a row that is not there.
async fn dangling(connection: &mut AnyConnection, table: &Table) -> Result<Option<Problem>> {
    let name = table.name;
    for &(columns, other, keys) in table.references {
        let all: Vec<&str> = columns.split(", ").collect();
        let there = all.iter().map(|column| format!("child.{column} IS NOT NULL"));
        let same =
            all.iter().zip(keys.split(", ")).map(|(c, key)| format!("parent.{key} = child.{c}"));
        let from = format!(
            "FROM {name} AS child WHERE {} AND NOT EXISTS (SELECT 1 FROM {other} AS parent WHERE {})",
            there.collect::<Vec<_>>().join(" AND "),
            same.collect::<Vec<_>>().join(" AND ")
        );
        let value = all.iter().map(|column| format!("CAST(child.{column} AS TEXT)"));
        let value = value.collect::<Vec<_>>().join(" || ', ' || ");
        let sql = format!("SELECT COUNT(*), MIN({value}) {from}");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        let rows: i64 = row.try_get(0)?;
        if rows > 0 {
            let value = row.try_get(1)?;
            return Ok(Some(Problem::Dangling { table: name, columns, other, value, rows }));
        }
    }
    Ok(None)
}
