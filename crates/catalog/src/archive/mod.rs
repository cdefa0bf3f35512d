//! The whole catalogue as one file, and back.
//!
//! An archive is a tar file packed with zstd: `tar --zstd -xf` and a text editor read it without
//! Pressrun. It begins with `manifest.json` (form, program, time, tables with their columns), goes on
//! with the rows of each table as JSON Lines in parts of some eight megabytes (`papers/00001.jsonl`),
//! and ends with `checksums.json` (rows, bytes and SHA-256 of each part). Both the manifest at the
//! start and the checksums at the end are needed, so that one can be written as a stream, and a reader
//! knows at once what it has and in the end that it has all of it.
//!
//! A line is an object with one key for each column. Integers are numbers, texts strings, and numbers
//! with a fraction strings, too (`"-1e300"`): shortest decimals that are the same number to the last
//! bit, which JSON readers do not promise of their numbers. Rows are in the order of their key: two
//! exports of the same data are the same bytes, but for the time in the manifest.
//!
//! | table | in an archive | in a public one | why |
//! |---|---|---|---|
//! | `papers` | yes | yes | with votes, trending, verdicts and revision as they stand |
//! | `paper_authors` | yes | yes | the index of names, as it is |
//! | `paper_keys` | yes | yes | titles under which papers were met, by which they are known again |
//! | `records` | yes | yes | as they are, to the byte |
//! | `runs`, `run_events` | yes | yes | what was run and said; a queued run is queued again |
//! | `people` | yes | no | addresses |
//! | `tokens` | yes | no | hashes: programs that have a token go on working where the site moves |
//! | `votes` | yes | no | who voted; the sums are in `papers` |
//! | `submissions` | yes | no | who proposed what, and drafts that nobody else has seen |
//! | `comments` and what hangs on them, `author_claims`, `verdict_replies` | yes | no | who said what, what is hidden, and why |
//! | `library`, `library_tags`, `library_revisions` | yes | no | what people keep for themselves |
//! | `mails` | all but secret ones | no | what waits is sent from the new place; a secret mail holds a link, and links stay behind |
//! | `subscriptions` | yes | no | who gets the digest, and when |
//! | `issues` | yes | no | what each subscriber had |
//! | `signing_keys` | yes | no | without it the links in sent mails would be void |
//! | `settings` | yes | yes | what the numbers depend on, such as the half-life of trending |
//! | `harvests` | yes | no | a harvest goes on where it was; addresses may hold keys |
//! | `sessions` | no | no | people sign in anew |
//! | `sign_in_links` | no | no | they live for minutes |
//!
//! A new table is an entry in `tables.rs`; tests compare that list with the database.

mod load;
mod manifest;
mod problem;
mod read;
mod tables;
mod write;

use jiff::Timestamp;

pub use self::load::Room;
pub use self::manifest::{FORM, Listed, Manifest};
pub use self::problem::Problem;
pub use self::read::is_archive;

use self::tables::{LEFT_OUT, TABLES};

/// How to write an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Version of the program that writes it.
    pub program: String,
    /// The time that the manifest names.
    pub written: Timestamp,
    /// Whether what is private of people is left out: addresses, tokens, who voted, mails.
    pub public: bool,
}

impl Options {
    /// Everything, written now by the program of that version.
    pub fn new(program: &str) -> Self {
        Self { program: program.into(), written: Timestamp::now(), public: false }
    }
}

/// What went into an archive or came out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows of each table, in order.
    pub rows: Vec<(String, u64)>,
}

impl Summary {
    /// Rows of that table.
    pub fn of(&self, table: &str) -> u64 {
        self.rows.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }

    fn add(&mut self, table: &str, rows: u64) {
        match self.rows.last_mut() {
            Some((name, sum)) if name == table => *sum += rows,
            _ => self.rows.push((table.to_owned(), rows)),
        }
    }
}

/// A table of the database, as an archive holds it.
#[derive(Debug)]
struct Table {
    name: &'static str,
    /// Whether it is in archives without what is private.
    public: bool,
    /// The columns of the primary key: the order of the rows.
    key: &'static str,
    /// Which rows, as a condition of SQL, if not all.
    only: Option<&'static str>,
    /// Foreign keys: columns, table, columns there; several with commas between them.
    references: &'static [(&'static str, &'static str, &'static str)],
    columns: &'static [Column],
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
}
