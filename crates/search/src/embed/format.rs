//! The file of a static model.
//!
//! ```text
//! "PRSTATIC"                    8 bytes
//! version 1                     u32, little-endian as all numbers
//! numbers in a vector           u32, 256
//! words                         u32
//! bytes of the words            u32
//! size of unknown words         f32
//! 0                             u32
//! checksum of all the rest      u64
//! length of each word           u8 each
//! the words                     UTF-8, one after the other
//! scale of each row             f32 each
//! rows                          i8, 256 each
//! ```

use super::hash::wide;
use super::vector::DIMS;
use super::{ModelError, StaticModel, Vocabulary};

const MAGIC: &[u8; 8] = b"PRSTATIC";
const VERSION: u32 = 1;
const HEADER: usize = 40;

/// Largest file that is written, in bytes: models are shipped in the program.
pub const MAX_FILE: usize = 8_000_000;

impl StaticModel {
    /// Reads a model's file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut input = Input { bytes, at: 0 };
        let magic = input.take("magic number", 8)?;
        if magic != MAGIC {
            return Err(ModelError::Magic);
        }
        input.expect("version", VERSION)?;
        input.expect("numbers in a vector", DIMS as u32)?;
        let [words, text] = [input.u32("words")?, input.u32("bytes of the words")?];
        let unknown = f32::from_bits(input.u32("size of unknown words")?);
        input.expect("reserved", 0)?;
        let checksum = input.take("checksum", 8)?;
        let checksum = u64::from_le_bytes(checksum.try_into().expect("8 bytes"));
        // In 64 bits none of these sums overflows.
        let body = u64::from(text) + u64::from(words) * (1 + 4 + DIMS as u64);
        let (found, expected) = (bytes.len() as u64, HEADER as u64 + body);
        if found != expected {
            return Err(ModelError::Length { found, expected });
        }
        let found = checksum_of(bytes);
        if found != checksum {
            return Err(ModelError::Checksum { found, expected: checksum });
        }
        let vocabulary = vocabulary(&mut input, words as usize, text as usize)?;
        let scales = input.take("scales", words as usize * 4)?.as_chunks::<4>().0;
        let scales: Vec<f32> = scales.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if let Some(row) = scales.iter().position(|scale| !scale.is_finite()) {
            return Err(ModelError::Scale { row, value: scales[row] });
        }
        if !unknown.is_finite() {
            return Err(ModelError::Unknown { value: unknown });
        }
        let rows = input.take("rows", words as usize * DIMS)?.as_chunks::<DIMS>().0;
        let rows = rows.iter().map(|row| row.map(|byte| byte as i8)).collect();
        Ok(Self { vocabulary, scales, rows, unknown, checksum })
    }

    /// The model's file.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`] if it would have more than [`MAX_FILE`] bytes, and
    /// [`ModelError::Word`] for a word of more than 255.
    pub fn write(&self) -> Result<Vec<u8>, ModelError> {
        if let Some(row) = self.vocabulary.words().position(|word| word.len() > 255) {
            let expected = "a word of at most 255 bytes";
            return Err(ModelError::Word { row, expected });
        }
        let file = self.encode();
        if file.len() > MAX_FILE {
            return Err(ModelError::TooLarge { bytes: file.len() });
        }
        Ok(file)
    }

    /// The checksum of all that the file says.
    pub(super) fn compute_checksum(&self) -> u64 {
        checksum_of(&self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let vocabulary = &self.vocabulary;
        let text: usize = vocabulary.words().map(str::len).sum();
        let mut out = Vec::with_capacity(HEADER + text + vocabulary.len() * (5 + DIMS));
        out.extend_from_slice(MAGIC);
        let words = vocabulary.len() as u32;
        let unknown = self.unknown.to_bits();
        for number in [VERSION, DIMS as u32, words, text as u32, unknown, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&[0; 8]);
        out.extend(vocabulary.words().map(|word| word.len() as u8));
        vocabulary.words().for_each(|word| out.extend_from_slice(word.as_bytes()));
        self.scales.iter().for_each(|scale| out.extend_from_slice(&scale.to_le_bytes()));
        self.rows.iter().for_each(|row| out.extend(row.iter().map(|x| *x as u8)));
        let checksum = checksum_of(&out);
        out[HEADER - 8..HEADER].copy_from_slice(&checksum.to_le_bytes());
        out
    }
}

/// The checksum of a file that is as long as a header at least.
pub(super) fn checksum_of(file: &[u8]) -> u64 {
    wide(&file[..HEADER - 8]) ^ wide(&file[HEADER..])
}

fn vocabulary(input: &mut Input<'_>, words: usize, text: usize) -> Result<Vocabulary, ModelError> {
    let lengths = input.take("lengths of the words", words)?;
    let text = input.take("words", text)?;
    let mut start = 0;
    let mut list = Vec::with_capacity(words);
    for (row, length) in lengths.iter().enumerate() {
        let end = start + usize::from(*length);
        let bytes = text.get(start..end);
        let word = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let word = word.filter(|word| !word.is_empty());
        list.push(word.ok_or(ModelError::Word { row, expected: "UTF-8 within the words" })?);
        start = end;
    }
    if start != text.len() {
        return Err(ModelError::Word { row: words, expected: "no bytes after the last word" });
    }
    Ok(Vocabulary::new(list))
}

/// Bytes that have not been read yet.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], ModelError> {
        let found = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let found = found.ok_or(ModelError::Short { what, at: self.at, expected: count })?;
        self.at += count;
        Ok(found)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, ModelError> {
        let bytes = self.take(what, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
    }

    fn expect(&mut self, what: &'static str, expected: u32) -> Result<(), ModelError> {
        let found = self.u32(what)?;
        if found == expected { Ok(()) } else { Err(ModelError::Value { what, found, expected }) }
    }
}
