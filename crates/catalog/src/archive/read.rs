//! Reading an archive: its order, its lists, its rows.

use std::cell::Cell as Flag;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::manifest::{CHECKSUMS, Checksums, FORM, MANIFEST, Part, part_name};
use super::write::hex;
use super::{Cell, Column, Kind, Manifest, Problem, Summary, TABLES, Table};
use crate::{Error, Result, migrate};

/// Most bytes of a line: records with their curves have some hundred thousand.
const LINE: u64 = 64 << 20;
/// Most bytes of the two lists.
const LIST: u64 = 64 << 20;
/// Unpacked, an archive may have so many bytes and so many times its own: text shrinks to a tenth,
/// zeros to a thirty-thousandth.
const BASE: u64 = 1 << 30;
const RATIO: u64 = 100;

/// A table of an archive with the columns that it has there, in that order.
pub(super) struct Shape {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<&'static Column>,
}

/// One file of rows.
pub(super) struct Open<'a> {
    pub(super) name: String,
    pub(super) shape: &'a Shape,
    pub(super) stream: &'a mut dyn BufRead,
}

/// Whether the file begins as an archive does. Compressed files of other kinds do not.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened.
pub fn is_archive(path: &Path) -> Result<bool> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut start = [0; 512];
    let unpacked = zstd::Decoder::new(file).and_then(|mut stream| stream.read_exact(&mut start));
    Ok(unpacked.is_ok() && begins(&start))
}

fn begins(start: &[u8; 512]) -> bool {
    start.starts_with(MANIFEST.as_bytes())
        && start[MANIFEST.len()] == 0
        && start[257..].starts_with(b"ustar")
}

/// Reads all of an archive and compares it with its own list.
pub(super) fn verify(path: &Path) -> Result<Summary, Problem> {
    let mut found = Vec::new();
    let mut summary = Summary::default();
    let checksums = walk(path, &mut |part| {
        let mut hasher = Sha256::new();
        let (mut rows, mut bytes) = (0, 0);
        loop {
            let chunk = part.stream.fill_buf().map_err(Problem::Unreadable)?;
            if chunk.is_empty() {
                break;
            }
            hasher.update(chunk);
            rows += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let length = chunk.len();
            bytes += length as u64;
            part.stream.consume(length);
        }
        summary.add(part.shape.table.name, rows);
        let sha256 = hex(&hasher.finalize());
        found.push(Part { name: part.name, rows, bytes, sha256 });
        Ok(())
    })?;
    let mut expected = checksums.parts.iter();
    for part in &found {
        compare(part, expected.next())?;
    }
    match expected.next() {
        Some(part) => Err(unexpected(CHECKSUMS, format!("`{}`", part.name))),
        None => Ok(summary),
    }
}

fn compare(found: &Part, expected: Option<&Part>) -> Result<(), Problem> {
    let Some(expected) = expected else {
        return Err(unexpected(&found.name, "the end, by its own list,".into()));
    };
    if found.name != expected.name {
        return Err(unexpected(&found.name, format!("`{}`", expected.name)));
    }
    let (what, found_is, expected_is) = if found.bytes != expected.bytes {
        ("bytes", found.bytes.to_string(), expected.bytes.to_string())
    } else if found.rows != expected.rows {
        ("rows", found.rows.to_string(), expected.rows.to_string())
    } else if found.sha256 != expected.sha256 {
        ("checksum", found.sha256.clone(), expected.sha256.clone())
    } else {
        return Ok(());
    };
    let part = found.name.clone();
    Err(Problem::Changed { part, what, found: found_is, expected: expected_is })
}

fn unexpected(found: &str, expected: String) -> Problem {
    // A name of a stranger's file; it is shown as it is, but not at any length.
    Problem::Unexpected { found: found.chars().take(100).collect(), expected }
}

/// Hands every file of rows to `each`, in order; the list that stands at the end.
///
/// Nothing is unpacked to disk: names of files only have to be the ones that are expected.
pub(super) fn walk(
    path: &Path,
    each: &mut dyn FnMut(Open<'_>) -> Result<(), Problem>,
) -> Result<Checksums, Problem> {
    let file = File::open(path).map_err(Problem::Unreadable)?;
    let packed = file.metadata().map_err(Problem::Unreadable)?.len();
    let most = BASE.saturating_add(packed.saturating_mul(RATIO));
    let over = Rc::new(Flag::new(false));
    let result = walk_bounded(file, most, &over, each);
    // Whoever read on has an error of its own of it.
    if over.get() { Err(Problem::TooLong { most }) } else { result }
}

fn walk_bounded(
    file: File,
    most: u64,
    over: &Rc<Flag<bool>>,
    each: &mut dyn FnMut(Open<'_>) -> Result<(), Problem>,
) -> Result<Checksums, Problem> {
    let decoder = zstd::Decoder::new(file).map_err(Problem::Unreadable)?;
    let stream = Bounded { stream: decoder, left: most, over: Rc::clone(over) };
    let mut stream = BufReader::with_capacity(128 << 10, stream);
    match stream.fill_buf() {
        Ok(start) if start.first_chunk().is_some_and(begins) => {}
        Ok(_) => return Err(Problem::NotAnArchive),
        Err(error) => return Err(Problem::Unreadable(error)),
    }
    let mut archive = tar::Archive::new(stream);
    // Raw: long names and the like are files here that nobody expects, and are not read to memory.
    let mut entries = archive.entries().map_err(Problem::Unreadable)?.raw(true);
    let mut shapes = Vec::new();
    let mut last = (0, 0);
    let checksums = loop {
        let expected = || match shapes.get(last.0) {
            None => format!("`{MANIFEST}`"),
            Some(Shape { table, .. }) => {
                format!("`{}` or `{CHECKSUMS}`", part_name(table.name, last.1 + 1))
            }
        };
        let Some(entry) = entries.next() else { return Err(unexpected("the end", expected())) };
        let mut entry = entry.map_err(Problem::Unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() {
            return Err(unexpected(&name, format!("{}, a file,", expected())));
        }
        if shapes.is_empty() {
            shapes = shapes_of(list(MANIFEST, &mut entry)?)?;
            continue;
        }
        if name == CHECKSUMS {
            break list(CHECKSUMS, &mut entry)?;
        }
        let Some(next) = follows(&shapes, last, &name) else {
            return Err(unexpected(&name, expected()));
        };
        last = next;
        let mut stream = BufReader::with_capacity(128 << 10, entry);
        each(Open { name, shape: &shapes[next.0], stream: &mut stream })?;
    };
    if let Some(entry) = entries.next() {
        let entry = entry.map_err(Problem::Unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        return Err(unexpected(&name, "the end".into()));
    }
    // To the end of the packed stream, where its own checksum is.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(Problem::Unreadable)?;
    Ok(checksums)
}

/// Where a file stands that comes after the part of that table and number: the next part of the table,
/// or the first of a later one.
fn follows(shapes: &[Shape], last: (usize, usize), name: &str) -> Option<(usize, usize)> {
    let next = (last.0, last.1 + 1);
    let later = (last.0 + 1..shapes.len()).map(|table| (table, 1));
    let mut places = std::iter::once(next).chain(later);
    places.find(|&(table, number)| part_name(shapes[table].table.name, number) == name)
}

fn list<T: DeserializeOwned>(part: &'static str, stream: &mut impl Read) -> Result<T, Problem> {
    let mut text = Vec::new();
    stream.take(LIST).read_to_end(&mut text).map_err(Problem::Unreadable)?;
    serde_json::from_slice(&text)
        .map_err(|error| Problem::List { part, message: error.to_string() })
}

/// The tables of an archive among those of this program.
fn shapes_of(manifest: Manifest) -> Result<Vec<Shape>, Problem> {
    let (form, schema, our_schema) =
        (manifest.pressrun_archive, manifest.schema, migrate::newest());
    if form > FORM || schema > our_schema {
        let program = manifest.program.chars().take(40).collect();
        return Err(Problem::Newer { form, schema, program, ours: FORM, our_schema });
    }
    let wrong = |message: String| Problem::List { part: MANIFEST, message };
    let mut shapes: Vec<Shape> = Vec::new();
    let mut known = TABLES.iter();
    for listed in &manifest.tables {
        // In our order, which is that of the foreign keys; each once.
        let table = known.find(|table| table.name == listed.name);
        let table = table.ok_or_else(|| wrong(format!("no table `{}` there", listed.name)))?;
        let mut columns: Vec<&Column> = Vec::new();
        for name in &listed.columns {
            let column = table.columns.iter().find(|column| column.name == name);
            match column {
                Some(column) if columns.iter().all(|c| c.name != name) => columns.push(column),
                _ => return Err(wrong(format!("no column `{name}` in `{}`", table.name))),
            }
        }
        // What came with a later migration has a value there for the rows from before it.
        if columns.is_empty() || (schema == our_schema && columns.len() < table.columns.len()) {
            return Err(wrong(format!("columns of `{}` are missing", table.name)));
        }
        shapes.push(Shape { table, columns });
    }
    match shapes.is_empty() {
        true => Err(wrong("no tables".into())),
        false => Ok(shapes),
    }
}

/// Hands every row of a file to `each`, with its line and the bytes of that.
pub(super) fn rows(
    part: Open<'_>,
    each: &mut dyn FnMut(u64, usize, Vec<Cell>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let stream = &mut *part.stream;
        stream.take(LINE).read_until(b'\n', &mut text).map_err(Problem::Unreadable)?;
        if text.is_empty() {
            return Ok(());
        }
        let wrong = |message| Problem::Row { part: part.name.clone(), line, message };
        if text.pop() != Some(b'\n') {
            return Err(wrong(format!("no end of the line within {LINE} bytes")));
        }
        each(line, text.len(), row(&text, &part.shape.columns).map_err(wrong)?)?;
    }
    Ok(())
}

fn row(text: &[u8], columns: &[&Column]) -> Result<Vec<Cell>, String> {
    let mut object: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut cells = Vec::with_capacity(columns.len());
    for column in columns {
        let value = object.remove(column.name);
        let value = value.ok_or_else(|| format!("`{}` is missing", column.name))?;
        let cell = cell(column.kind, value);
        cells.push(cell.ok_or_else(|| format!("`{}` is not {}", column.name, wanted(column)))?);
    }
    match object.keys().next() {
        Some(key) => Err(format!("there is no column `{key}`")),
        None => Ok(cells),
    }
}

fn cell(kind: Kind, value: Value) -> Option<Cell> {
    Some(match (kind, value) {
        (Kind::Integer, Value::Null) => Cell::Integer(None),
        (Kind::Real, Value::Null) => Cell::Real(None),
        (Kind::Text, Value::Null) => Cell::Text(None),
        (Kind::Integer, Value::Number(number)) => Cell::Integer(Some(number.as_i64()?)),
        (Kind::Real, Value::String(text)) => Cell::Real(Some(text.parse().ok()?)),
        (Kind::Text, Value::String(text)) => Cell::Text(Some(text)),
        _ => return None,
    })
}

fn wanted(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "a whole number",
        Kind::Real => "a number in quotation marks",
        Kind::Text => "a string",
    }
}

/// A stream that fails where it gets longer than allowed.
struct Bounded<R> {
    stream: R,
    left: u64,
    over: Rc<Flag<bool>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.over.set(true);
                Err(io::Error::other("too long"))
            }
        }
    }
}
