//! The shelf's file: a header, then frames of papers. It only grows; what a crash leaves
//! behind its last commit is cut off.
//!
//! ```text
//! header  "PRSHELF" format:u8 dims:u32
//! frame   length:u32 crc32:u32 payload
//! payload papers:u32 stems:u32 vectors:[i8; papers * dims] ends:[u32; papers] stems:[u32]
//!         entries (postcard)
//! ```
//! Numbers are little-endian.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::Block;
use crate::{Error, Result};

const MAGIC: &[u8; 7] = b"PRSHELF";
/// Form of the file and of what it says about a paper.
const FORMAT: u8 = 1;
const HEADER: u64 = 12;

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct ShelfFile {
    file: File,
    dims: usize,
    length: u64,
}

impl ShelfFile {
    /// Makes an empty file, in place of one that is there.
    pub(crate) fn create(path: &Path, dims: usize) -> Result<Self> {
        let mut file = File::create(path)?;
        let dims_written = u32::try_from(dims).map_err(|_| broken("vectors that long", 0))?;
        file.write_all(MAGIC)?;
        file.write_all(&[FORMAT])?;
        file.write_all(&dims_written.to_le_bytes())?;
        file.sync_all()?;
        Ok(Self { file, dims, length: HEADER })
    }

    /// Reads a file up to `length` and hands each of its frames to `each`.
    pub(crate) fn read(
        path: &Path,
        dims: usize,
        length: u64,
        each: &mut dyn FnMut(Block),
    ) -> Result<()> {
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if found < length {
            return Err(broken(&format!("only {found} of {length} bytes"), found));
        }
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut header = [0; HEADER as usize];
        reader.read_exact(&mut header)?;
        let mut expected = [MAGIC.as_slice(), &[FORMAT]].concat();
        expected.extend((dims as u32).to_le_bytes());
        if header.as_slice() != expected {
            return Err(broken("the header of another form", 0));
        }
        let (mut at, mut payload) = (HEADER, Vec::new());
        while at < length {
            let mut head = [0; 8];
            reader.read_exact(&mut head)?;
            let size = u32_at(&head, 0)?;
            if u64::from(size) > length - at {
                return Err(broken("a frame beyond the end", at));
            }
            payload.resize(size as usize, 0);
            reader.read_exact(&mut payload)?;
            if crc32fast::hash(&payload) != u32_at(&head, 4)? {
                return Err(broken("a frame whose checksum does not fit", at));
            }
            each(decode(&payload, dims).map_err(|problem| broken(&problem, at))?);
            at += 8 + u64::from(size);
        }
        Ok(())
    }

    /// Opens a file to write on at `length`; what lies beyond it is cut off.
    pub(crate) fn reopen(path: &Path, dims: usize, length: u64) -> Result<Self> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { file, dims, length })
    }

    /// Appends a frame.
    pub(crate) fn append(&mut self, block: &Block) -> Result<()> {
        let payload = encode(block, self.dims);
        let size = u32::try_from(payload.len())
            .map_err(|_| broken("a frame of more than 4 GiB", self.length))?;
        self.file.write_all(&size.to_le_bytes())?;
        self.file.write_all(&crc32fast::hash(&payload).to_le_bytes())?;
        self.file.write_all(&payload)?;
        self.length += 8 + u64::from(size);
        Ok(())
    }

    /// Waits until all of it is on disk. Returns the file's length.
    pub(crate) fn sync(&self) -> Result<u64> {
        self.file.sync_data()?;
        Ok(self.length)
    }
}

fn encode(block: &Block, dims: usize) -> Vec<u8> {
    let papers = block.entries.len();
    debug_assert_eq!(block.vectors.len(), papers * dims);
    let numbers = papers * 4 + block.stems.len() * 4;
    let mut payload = Vec::with_capacity(8 + block.vectors.len() + numbers + papers * 200);
    payload.extend((papers as u32).to_le_bytes());
    payload.extend((block.stems.len() as u32).to_le_bytes());
    payload.extend(block.vectors.iter().map(|value| value.to_le_bytes()[0]));
    payload.extend(block.ends.iter().flat_map(|end| end.to_le_bytes()));
    payload.extend(block.stems.iter().flat_map(|stem| stem.to_le_bytes()));
    postcard::to_extend(&block.entries, payload).expect("entries are plain data")
}

fn decode(payload: &[u8], dims: usize) -> Result<Block, String> {
    let short = || "a frame that is too short".to_owned();
    let count = |at| u32_at(payload, at).map_err(|_| short());
    let (papers, stems) = (count(0)? as usize, count(4)? as usize);
    let rest = &payload[8..];
    let (vectors, rest) = rest.split_at_checked(papers.saturating_mul(dims)).ok_or_else(short)?;
    let (ends, rest) = rest.split_at_checked(papers * 4).ok_or_else(short)?;
    let (stems, rest) = rest.split_at_checked(stems * 4).ok_or_else(short)?;
    let numbers = |bytes: &[u8]| -> Vec<u32> {
        let chunks = bytes.as_chunks::<4>().0;
        chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
    };
    let block = Block {
        entries: postcard::from_bytes(rest).map_err(|error| format!("entries: {error}"))?,
        vectors: vectors.iter().map(|byte| i8::from_le_bytes([*byte])).collect(),
        stems: numbers(stems),
        ends: numbers(ends),
    };
    let ends_fit = block.ends.is_sorted()
        && block.ends.last().is_none_or(|last| *last as usize == block.stems.len());
    if block.entries.len() != papers || !ends_fit {
        return Err("columns of different lengths".into());
    }
    Ok(block)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let found = bytes.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
    found.map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(|| broken("too few bytes", at as u64))
}

fn broken(problem: &str, at: u64) -> Error {
    Error::Broken { what: format!("the shelf has {problem} (byte {at})") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Entry;
    use super::*;

    fn block(papers: std::ops::Range<usize>) -> Block {
        let mut block = Block::default();
        for i in papers {
            let entry = Entry {
                id: format!("{i}").into(),
                title: format!("Title {i}").into(),
                authors: "Ada King\nMax Born".into(),
                slug: (i % 2 == 0).then(|| "gates".into()),
                venue: None,
                category: Some("cs.LG".into()),
                year: 2021,
                dated: 20_210_000,
                flags: 3,
                verdicts: None,
            };
            block.push(entry, &[i as i8, -1, 2, 3], &[i as u32, u32::MAX][..i % 3]);
        }
        block
    }

    fn read(path: &Path, length: u64) -> Result<(ShelfFile, Vec<Block>)> {
        let mut blocks = Vec::new();
        ShelfFile::read(path, 4, length, &mut |block| blocks.push(block))?;
        Ok((ShelfFile::reopen(path, 4, length)?, blocks))
    }

    #[test]
    fn what_was_not_committed_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shelf");
        let mut file = ShelfFile::create(&path, 4).unwrap();
        file.append(&block(0..5)).unwrap();
        let first = file.sync().unwrap();
        file.append(&block(5..7)).unwrap();
        drop(file);
        let (mut file, blocks) = read(&path, first).unwrap();
        assert_eq!(blocks, [block(0..5)]);
        file.append(&block(7..9)).unwrap();
        let length = file.sync().unwrap();
        drop(file);
        assert_eq!(read(&path, length).unwrap().1, [block(0..5), block(7..9)]);
        let error = read(&path, length + 1).unwrap_err().to_string();
        assert!(error.contains("only"), "{error}");
        let error = ShelfFile::read(&path, 8, length, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("the header of another form (byte 0)"), "{error}");
    }

    #[test]
    fn any_flipped_byte_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shelf");
        let mut file = ShelfFile::create(&path, 4).unwrap();
        file.append(&block(0..3)).unwrap();
        let length = file.sync().unwrap();
        drop(file);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            assert!(read(&path, length).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 8..200)) {
            let _ = decode(&bytes, 4);
        }
    }
}
