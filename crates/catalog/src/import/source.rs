//! Opening a file of either form, compressed or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Item, Options, jsonl, listing};

/// Size of the buffers between file, decompressor and parser.
const BUFFER: usize = 128 << 10;

/// A decompressed file.
pub(super) struct Source {
    stream: BufReader<Box<dyn Read + Send>>,
    counter: Counter,
}

/// How many bytes of a file have been read.
#[derive(Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted(File, Counter);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Source {
    /// Opens a file. Its first bytes, not its name, tell how it is compressed.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let counter = Counter::default();
        let file = Counted(File::open(path)?, counter.clone());
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = file.fill_buf()?;
        let stream: Box<dyn Read + Send> = if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(flate2::bufread::MultiGzDecoder::new(file))
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::stream::read::Decoder::with_buffer(file)?)
        } else {
            Box::new(file)
        };
        Ok(Self { stream: BufReader::with_capacity(BUFFER, stream), counter })
    }

    pub(super) fn counter(&self) -> Counter {
        self.counter.clone()
    }
}

/// Hands every record of a file to `sink` until it returns `false`; whether it never did.
///
/// A compressed stream that breaks off is a bad record where it breaks: what came before is good.
pub(super) fn items(
    source: &mut Source,
    path: &Path,
    options: &Options,
    sink: &mut dyn FnMut(Item) -> bool,
) -> Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let json_name = [".jsonl", ".ndjson", ".json"].iter().any(|e| name.ends_with(e));
    let json = json_name
        || match source.stream.fill_buf() {
            Ok(start) => {
                let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
                start.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
            }
            Err(error) => return Ok(sink(Item::Bad(1, broken(&error)))),
        };
    if json {
        return jsonl::items(&mut source.stream, sink);
    }
    listing::items(&mut source.stream, options.year, sink)
}

/// The reason of a bad record for a stream that cannot be read on.
pub(super) fn broken(error: &std::io::Error) -> String {
    format!("the file cannot be read from here on ({error}); is it whole?")
}
