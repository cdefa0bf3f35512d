//! The first and the last file of an archive.

use serde::{Deserialize, Serialize};

use super::TABLES;

/// The form of archives that this program writes, and the newest that it reads.
pub const FORM: u32 = 1;

/// Name of the first file.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the last file.
pub(super) const CHECKSUMS: &str = "checksums.json";

/// What an archive is: its first file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORM`] of the program that wrote it.
    pub pressrun_archive: u32,
    /// The last migration of the database it was made from.
    pub schema: i64,
    /// Version of the program that wrote it.
    pub program: String,
    /// When it was written.
    pub written: String,
    /// Whether what is private of people is left out.
    pub public: bool,
    /// The tables, in order.
    pub tables: Vec<Listed>,
}

/// A table of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name, which is the name of the folder with its parts.
    pub name: String,
    /// The keys of every line.
    pub columns: Vec<String>,
}

impl Manifest {
    pub(super) fn new(schema: i64, program: &str, written: String, public: bool) -> Self {
        let tables = TABLES.iter().filter(|table| table.public || !public).map(|table| Listed {
            name: table.name.to_owned(),
            columns: table.columns.iter().map(|column| column.name.to_owned()).collect(),
        });
        let tables = tables.collect();
        Self { pressrun_archive: FORM, schema, program: program.into(), written, public, tables }
    }
}

/// What the parts of an archive have to be: its last file, so that a broken-off archive has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Checksums {
    pub(super) parts: Vec<Part>,
}

/// One file with rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Name of a table's part of that number, from 1.
pub(super) fn part_name(table: &str, number: usize) -> String {
    format!("{table}/{number:05}.jsonl")
}
