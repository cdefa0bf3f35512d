//! Importers: files in, papers in the catalogue, and a report that names every record left out.
//!
//! A bad record never keeps a good one out. Papers go in by transactions of [`Options::batch`]; each
//! is reported as [`Progress`] once it is on disk. Killing an import loses what was not reported, and
//! the same import again completes it, because papers that are there already stay as they are.
//!
//! | form | told by | what it is |
//! |---|---|---|
//! | JSON Lines | `{`, or a name in `.jsonl`, `.ndjson` | [`jsonl`] |
//! | JSON array | `[` | the daily papers of Hugging Face, or the objects of JSON Lines |
//! | Atom, RSS, RDF | `<`, then its outermost element | any feed; the arXiv API's with category and DOI |
//! | OAI-PMH | `<`, then its outermost element | metadata `arXiv` or `oai_dc` |
//! | BibTeX | `@`, or a name in `.bib` | BibTeX and BibLaTeX |
//! | listing | anything else | [`listing`] |
//!
//! A name counts only where the first bytes do not decide. Any of them may be compressed with gzip or
//! zstd. An import never takes anything away: what a record does not say stays as it is, and a paper
//! that stands on the list of a day stays on it, whatever day later records name.

mod array;
mod bibtex;
mod day;
mod feed;
mod html;
pub mod jsonl;
mod lines;
pub mod listing;
mod oai;
mod source;
mod xml;

pub use html::text as plain_text;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::civil::Date;

use crate::tidy::{Tidy, tidy};
use crate::upsert::Written;
use crate::{Catalog, Error, NewPaper, Paper, Result};

/// How to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Year of a listing's day; see [`listing::Options::year`].
    pub year: Option<i16>,
    /// The day on whose list every paper is put, whatever its record says. A paper that stands on a
    /// list already stays on that.
    pub list_on: Option<Date>,
    /// Most bytes of the file once it is unpacked, for files from strangers: a packed one can be a
    /// thousand times as long as it looks.
    pub max_bytes: Option<u64>,
    /// Papers a transaction. More are faster, as fewer index pages are written twice; but other
    /// writers wait until the transaction is over, half a second for the default of 8,000.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { year: None, list_on: None, max_bytes: None, batch: 8000 }
    }
}

/// How far an import is: all of it on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file that have been read; at times a little ahead of the papers.
    pub bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Records read, good and bad.
    pub read: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// The papers that the last transaction added, each with its revision, the oldest first: as
    /// [`Catalog::changes`] has them. Those that it updated are not among them.
    pub new: Vec<(i64, Paper)>,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Records read, good and bad.
    pub read: u64,
    /// Papers that were not in the catalogue.
    pub added: u64,
    /// Papers that were, and of which something new was learnt.
    pub updated: u64,
    /// Papers that were, with all that was said of them.
    pub unchanged: u64,
    /// The records left out, in the order of the file, at most [`Report::MAX_BAD`].
    pub bad: Vec<BadRecord>,
    /// How many more were left out.
    pub more_bad: u64,
    /// Records that their source says are deleted: passed over.
    pub deleted: u64,
    /// Records in all, of which this file may be one page, if it says so.
    pub total: Option<u64>,
    /// The token by which an OAI-PMH repository gives the next page.
    pub next: Option<String>,
    /// The code with which an OAI-PMH repository refused the request.
    pub refused: Option<String>,
    /// Whether the file could not be read to its end: there may be more in it.
    pub cut: bool,
    /// Time spent on reading the file: decompressing, parsing, tidying up.
    pub reading: Duration,
    /// Time spent on storing papers, beside that.
    pub storing: Duration,
}

impl Report {
    /// Most bad records that are named one by one: a file of nothing else must not fill the memory.
    pub const MAX_BAD: usize = 10_000;

    fn add_note(&mut self, note: Note) {
        match note {
            Note::Deleted => {
                self.read += 1;
                self.deleted += 1;
            }
            Note::Total(total) => self.total = Some(total),
            Note::Next(token) => self.next = Some(token),
            Note::Refused(code) => self.refused = Some(code),
            Note::Cut => self.cut = true,
        }
    }

    /// Adds what another file or page did. What it says of further pages is taken over.
    pub fn absorb(&mut self, other: Self) {
        self.read += other.read;
        self.added += other.added;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.reading += other.reading;
        self.storing += other.storing;
        self.more_bad += other.more_bad;
        for bad in other.bad {
            self.keep_bad(bad);
        }
        self.cut |= other.cut;
        (self.total, self.next, self.refused) = (other.total, other.next, other.refused);
    }

    /// Bad records, named one by one or not.
    pub fn bad_records(&self) -> u64 {
        self.bad.len() as u64 + self.more_bad
    }

    fn add_bad(&mut self, bad: BadRecord) {
        self.read += 1;
        self.keep_bad(bad);
    }

    fn keep_bad(&mut self, bad: BadRecord) {
        if self.bad.len() < Self::MAX_BAD {
            self.bad.push(bad);
        } else {
            self.more_bad += 1;
        }
    }
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// What a file's reader hands over.
enum Item {
    /// A record, with the line where it begins.
    Paper(u64, Box<NewPaper>),
    /// A record that is left out.
    Bad(u64, String),
    /// Something that the file says beside its records.
    Note(Note),
}

/// What a file says beside its records.
enum Note {
    Deleted,
    Total(u64),
    Next(String),
    Refused(String),
    Cut,
}

/// A batch on its way from the reader to the database.
#[derive(Default)]
struct Batch {
    papers: Vec<Tidy>,
    bad: Vec<BadRecord>,
    notes: Vec<Note>,
    bytes: u64,
}

/// Imports a file of one of the forms of [this module](self), plain, gzip or zstd.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Database`] if the catalogue cannot be written.
/// Neither undoes what was reported as progress. What is wrong within the file is in the report.
///
/// # Example
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use pressrun_catalog::{Catalog, import};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("papers.jsonl");
/// std::fs::write(&file, "{\"title\": \"Gates that open\"}\n{\"title\": 7}\n")?;
///
/// let catalog = Catalog::in_memory().await?;
/// let options = import::Options::default();
/// let report = import::import_file(&catalog, &file, &options, &mut |_| {}).await?;
/// assert_eq!((report.read, report.added), (2, 1));
/// assert!(report.bad[0].to_string().ends_with(
///     "papers.jsonl:2: invalid type: integer `7`, expected a string (column 11)"
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn import_file(
    catalog: &Catalog,
    path: &Path,
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    let file = File::open(path).map_err(|e| io(path, e))?;
    import_open(catalog, &path.display().to_string(), file, options, progress).await
}

/// [`import_file`] of a file that is open already, such as a download: `name` stands in the report,
/// and its end counts as the end of a file's name does.
///
/// # Errors
/// As [`import_file`].
pub async fn import_open(
    catalog: &Catalog,
    name: &str,
    file: File,
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    let path = Path::new(name);
    let total_bytes = file.metadata().map_err(|e| io(path, e))?.len();
    // Reading and parsing have a thread of their own, so that they go on while the database writes;
    // two batches wait at most, so that a large file never lies in memory.
    let (sender, mut batches) = tokio::sync::mpsc::channel(2);
    let (owned, options) = (path.to_owned(), options.clone());
    let reader = tokio::task::spawn_blocking(move || read(file, &owned, &options, &sender));
    let mut report = Report::default();
    while let Some(batch) = batches.recv().await {
        let Batch { papers, bad, notes, bytes } = batch;
        let papers_read = papers.len() as u64;
        let started = Instant::now();
        let Written { done, new } = catalog.upsert_tidy(papers).await?;
        report.storing += started.elapsed();
        report.read += papers_read;
        report.added += done.added;
        report.updated += done.updated;
        report.unchanged += done.unchanged;
        bad.into_iter().for_each(|bad| report.add_bad(bad));
        notes.into_iter().for_each(|note| report.add_note(note));
        progress(Progress {
            bytes,
            total_bytes,
            read: report.read,
            bad: report.bad_records(),
            new,
        });
    }
    match reader.await {
        Ok(result) => report.reading = result.map_err(|e| io(path, e))?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
    Ok(report)
}

/// Reads a file batch by batch until its end, or until nobody listens any more. Returns how long
/// that took without the time in which batches waited to be taken.
fn read(
    file: File,
    path: &Path,
    options: &Options,
    sender: &tokio::sync::mpsc::Sender<Batch>,
) -> std::io::Result<Duration> {
    let started = Instant::now();
    let mut waited = Duration::ZERO;
    let mut source = source::Source::open(file, options.max_bytes)?;
    let file = path.display().to_string();
    let size = options.batch.max(1);
    let mut batch = Batch::default();
    let counter = source.counter();
    let mut sink = |item| {
        let bad = |line, reason| BadRecord { file: file.clone(), line, reason };
        match item {
            Item::Paper(line, mut paper) => {
                paper.listed = options.list_on.or(paper.listed);
                match tidy(&paper) {
                    Ok(paper) => batch.papers.push(paper),
                    Err(error) => batch.bad.push(bad(line, error.to_string())),
                }
            }
            Item::Bad(line, reason) => batch.bad.push(bad(line, reason)),
            Item::Note(note) => batch.notes.push(note),
        }
        if batch.papers.len() + batch.bad.len() + batch.notes.len() < size {
            return true;
        }
        batch.bytes = counter.get();
        let ready = Instant::now();
        let taken = sender.blocking_send(std::mem::take(&mut batch)).is_ok();
        waited += ready.elapsed();
        taken
    };
    let whole = source::items(&mut source, path, options, &mut sink)?;
    if whole {
        batch.bytes = counter.get();
        let ready = Instant::now();
        let _ = sender.blocking_send(batch);
        waited += ready.elapsed();
    }
    Ok(started.elapsed().saturating_sub(waited))
}

/// Hands every record of a file, of the forms that [`import_file`] reads, to `each`: papers in the
/// stored form, without a catalogue.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
///
/// # Example
/// ```
/// use pressrun_catalog::import;
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("papers.jsonl");
/// std::fs::write(&file, "{\"title\": \" Gates  that open\"}\n{\"title\": 7}\n")?;
///
/// let mut found = Vec::new();
/// import::read_file(&file, &import::Options::default(), &mut |record| found.push(record))?;
/// assert_eq!(found[0].as_ref().unwrap().title, "Gates that open");
/// assert_eq!(found[1].as_ref().unwrap_err().line, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_file(
    path: &Path,
    options: &Options,
    each: &mut dyn FnMut(std::result::Result<NewPaper, BadRecord>),
) -> Result<()> {
    let file = File::open(path).map_err(|e| io(path, e))?;
    read_open(&path.display().to_string(), file, options, each)
}

/// [`read_file`] of a file that is open already, as [`import_open`] takes it.
///
/// # Errors
/// As [`read_file`].
pub fn read_open(
    name: &str,
    file: File,
    options: &Options,
    each: &mut dyn FnMut(std::result::Result<NewPaper, BadRecord>),
) -> Result<()> {
    let path = Path::new(name);
    let mut source = source::Source::open(file, options.max_bytes).map_err(|e| io(path, e))?;
    let file = name.to_owned();
    let mut sink = |item| {
        let bad = |line, reason| Err(BadRecord { file: file.clone(), line, reason });
        each(match item {
            Item::Paper(line, paper) => match tidy(&paper) {
                Ok(tidy) => Ok(tidy.paper),
                Err(error) => bad(line, error.to_string()),
            },
            Item::Bad(line, reason) => bad(line, reason),
            Item::Note(_) => return true,
        });
        true
    };
    source::items(&mut source, path, options, &mut sink).map_err(|e| io(path, e))?;
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
