//! Writing an archive.

use std::io::{self, Write};
use std::path::Path;

use futures_util::TryStreamExt as _;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::manifest::{CHECKSUMS, Checksums, MANIFEST, Part, part_name};
use super::{Cell, Column, Kind, Manifest, Options, Summary, TABLES, Table};
use crate::{Catalog, Error, Result, dialect, migrate};

/// Bytes after which a part ends. Parts are made in memory: a tar file names a length before the bytes.
const PART: usize = 8 << 20;

/// Level of compression: the fastest that is not much larger than slower ones.
const LEVEL: i32 = 3;

/// What the thread that packs is sent.
enum Piece {
    Rows { name: String, rows: u64, text: Vec<u8> },
    End,
}

impl Catalog {
    /// Writes the whole catalogue as an archive, as it is at one moment: a site may go on writing.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read, [`Error::Io`] with the path `archive` if `to`
    /// takes no more.
    ///
    /// # Example
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use pressrun_catalog::{Catalog, NewPaper, archive};
    ///
    /// let catalog = Catalog::in_memory().await?;
    /// let paper = NewPaper { title: "Gates that open".into(), ..NewPaper::default() };
    /// catalog.upsert(&[paper]).await?;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let file = folder.path().join("all.tar.zst");
    /// catalog.export_to(&file, &archive::Options::new("0.1.0")).await?;
    /// assert!(archive::is_archive(&file)?);
    ///
    /// let other = Catalog::in_memory().await?;
    /// let summary = other.import_archive(&file, &archive::Room::Empty).await?;
    /// assert_eq!(summary.of("papers"), 1);
    /// assert!(other.paper("gates-that-open").await?.is_some());
    /// # Ok::<(), pressrun_catalog::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn export<W>(&self, to: W, options: &Options) -> Result<(W, Summary)>
    where
        W: Write + Send + 'static,
    {
        let written = options.written.to_string();
        let schema = migrate::newest();
        let manifest = Manifest::new(schema, &options.program, written, options.public);
        let seconds = u64::try_from(options.written.as_second()).unwrap_or(0);
        let (sender, pieces) = mpsc::channel(2);
        let packing = tokio::task::spawn_blocking(move || pack(to, &manifest, seconds, pieces));
        let read = self.read_tables(options.public, sender).await;
        // The thread ends when the sender is gone. Where both failed, packing failed first.
        let packed = packing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match (packed, read) {
            (Err(source), _) => Err(Error::Io { path: "archive".into(), source }),
            (Ok(_), Err(error)) => Err(error),
            (Ok(to), Ok(summary)) => Ok((to, summary)),
        }
    }

    /// Writes an archive to a new file that only its owner can read, all of it or nothing.
    ///
    /// # Errors
    /// As [`Catalog::export`]; [`Error::Io`] if the file exists or cannot be written.
    pub async fn export_to(&self, file: &Path, options: &Options) -> Result<Summary> {
        let failed = |source| Error::Io { path: file.to_owned(), source };
        if file.try_exists().map_err(failed)? {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Temporary files are made with mode 0600.
        let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        let (temporary, summary) = match self.export(temporary, options).await {
            Err(Error::Io { source, .. }) => return Err(failed(source)),
            other => other?,
        };
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist_noclobber(file).map_err(|error| failed(error.error))?;
        Ok(summary)
    }

    async fn read_tables(&self, public: bool, sender: mpsc::Sender<Piece>) -> Result<Summary> {
        let mut transaction = self.readers().begin_with(dialect::BEGIN_SNAPSHOT).await?;
        let mut summary = Summary::default();
        for table in TABLES.iter().filter(|table| table.public || !public) {
            let rows = read_table(&mut transaction, table, &sender).await?;
            summary.rows.push((table.name.to_owned(), rows));
        }
        transaction.rollback().await?;
        // The thread that packs says what is wrong if it takes no more.
        let _ = sender.send(Piece::End).await;
        Ok(summary)
    }
}

/// Sends the rows of a table, part by part; their number.
async fn read_table(
    connection: &mut AnyConnection,
    table: &Table,
    sender: &mpsc::Sender<Piece>,
) -> Result<u64> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let only = table.only.map_or(String::new(), |only| format!(" WHERE {only}"));
    let sql =
        format!("SELECT {} FROM {}{only} ORDER BY {}", columns.join(", "), table.name, table.key);
    let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    let (mut all, mut rows, mut number) = (0, 0, 0);
    let mut text = Vec::new();
    loop {
        let row = stream.try_next().await?;
        if let Some(row) = &row {
            line(&mut text, table.columns, row)?;
            rows += 1;
        }
        if text.len() >= PART || (row.is_none() && rows > 0) {
            number += 1;
            all += rows;
            let name = part_name(table.name, number);
            let piece = Piece::Rows { name, rows, text: std::mem::take(&mut text) };
            rows = 0;
            if sender.send(piece).await.is_err() {
                return Ok(all);
            }
        }
        if row.is_none() {
            return Ok(all);
        }
    }
}

/// Adds a row as a line.
fn line(text: &mut Vec<u8>, columns: &[Column], row: &AnyRow) -> Result<()> {
    for (place, column) in columns.iter().enumerate() {
        let start = if place == 0 { "{" } else { "," };
        let cell = match column.kind {
            Kind::Integer => Cell::Integer(row.try_get(place)?),
            Kind::Real => Cell::Real(row.try_get(place)?),
            Kind::Text => Cell::Text(row.try_get(place)?),
        };
        text.extend_from_slice(format!("{start}\"{}\":", column.name).as_bytes());
        match cell {
            Cell::Integer(Some(value)) => text.extend_from_slice(value.to_string().as_bytes()),
            // The shortest decimals that are read back as the same number.
            Cell::Real(Some(value)) => text.extend_from_slice(format!("\"{value:?}\"").as_bytes()),
            Cell::Text(Some(value)) => serde_json::to_writer(&mut *text, &value)
                .map_err(|error| sqlx::Error::Encode(error.into()))?,
            Cell::Integer(None) | Cell::Real(None) | Cell::Text(None) => {
                text.extend_from_slice(b"null");
            }
        }
    }
    text.extend_from_slice(b"}\n");
    Ok(())
}

/// Packs what it is sent. Without an end there is no list of checksums, and nobody takes it for whole.
fn pack<W: Write>(
    to: W,
    manifest: &Manifest,
    seconds: u64,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<W> {
    let mut encoder = zstd::Encoder::new(to, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = tar::Builder::new(encoder);
    append(&mut tar, MANIFEST, &serde_json::to_vec_pretty(manifest)?, seconds)?;
    let mut checksums = Checksums::default();
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Rows { name, rows, text } => {
                append(&mut tar, &name, &text, seconds)?;
                let sha256 = hex(&Sha256::digest(&text));
                checksums.parts.push(Part { name, rows, bytes: text.len() as u64, sha256 });
            }
            Piece::End => {
                append(&mut tar, CHECKSUMS, &serde_json::to_vec_pretty(&checksums)?, seconds)?;
                break;
            }
        }
    }
    let mut to = tar.into_inner()?.finish()?;
    to.flush()?;
    Ok(to)
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    bytes: &[u8],
    seconds: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(seconds);
    header.set_cksum();
    tar.append(&header, bytes)
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
