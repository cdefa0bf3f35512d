//! Opening a file of any form, compressed or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::xml::{Broken, Document};
use super::{Item, Note, Options, array, bibtex, feed, jsonl, listing, oai};

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
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A stream that fails where it gets longer than allowed.
struct Bounded {
    stream: Box<dyn Read + Send>,
    left: u64,
    most: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            std::io::Error::other(format!("more than {} bytes, unpacked", self.most))
        })?;
        Ok(read)
    }
}

impl Source {
    /// Takes a file. Its first bytes, not its name, tell how it is compressed. After `most` bytes,
    /// unpacked, reading fails.
    pub(super) fn open(file: File, most: Option<u64>) -> std::io::Result<Self> {
        let counter = Counter::default();
        let file = Counted(file, counter.clone());
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = file.fill_buf()?;
        let stream: Box<dyn Read + Send> = if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(flate2::bufread::MultiGzDecoder::new(file))
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::stream::read::Decoder::with_buffer(file)?)
        } else {
            Box::new(file)
        };
        let stream: Box<dyn Read + Send> = match most {
            Some(most) => Box::new(Bounded { stream, left: most, most }),
            None => stream,
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
) -> std::io::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let form = match source.stream.fill_buf() {
        Ok(start) => form(start, name),
        Err(error) => return Ok(sink(Item::Bad(1, broken(&error)))),
    };
    let stream = &mut source.stream;
    match form {
        Form::Lines => jsonl::items(stream, sink),
        Form::Array => array::items(stream, sink),
        Form::Bibtex => bibtex::items(stream, sink),
        Form::Xml => Ok(xml(stream, sink)),
        Form::Listing => listing::items(stream, options.year, sink),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Array,
    Bibtex,
    Xml,
    Listing,
}

/// The form of a file, by its first bytes and then by its name in lower case.
fn form(start: &[u8], name: &str) -> Form {
    // Byte order marks of UTF-16, and the `<` of a declaration without one: only XML is read so.
    let wide: [&[u8]; 4] = [b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"];
    if wide.iter().any(|mark| start.starts_with(mark)) {
        return Form::Xml;
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let named = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Form::Lines,
        // In a file of lines it is a bad one; the others may be good.
        Some(b'[') if !named(&[".jsonl", ".ndjson"]) => Form::Array,
        Some(b'<') => Form::Xml,
        Some(b'@') => Form::Bibtex,
        _ if named(&[".jsonl", ".ndjson", ".json"]) => Form::Lines,
        _ if named(&[".bib", ".bibtex"]) => Form::Bibtex,
        _ if named(&[".xml", ".atom", ".rss", ".rdf"]) => Form::Xml,
        _ => Form::Listing,
    }
}

/// Hands every record of an XML document to `sink`, by its outermost element.
fn xml(stream: impl BufRead, sink: &mut dyn FnMut(Item) -> bool) -> bool {
    match records(stream, sink) {
        Ok(whole) => whole,
        Err(Broken { line, reason }) => {
            sink(Item::Bad(line, reason)) && sink(Item::Note(Note::Cut))
        }
    }
}

fn records(stream: impl BufRead, sink: &mut dyn FnMut(Item) -> bool) -> Result<bool, Broken> {
    let mut document = Document::new(stream)?;
    match document.root()? {
        Some(root) => match root.name.as_str() {
            "feed" | "rss" | "RDF" => feed::items(&mut document, sink),
            "OAI-PMH" => oai::items(&mut document, sink),
            other => {
                let other: String = other.chars().take(40).collect();
                let expected = "expected a feed (`feed`, `rss`, `RDF`) or an answer of `OAI-PMH`";
                let reason = format!("the document is a `{other}`; {expected}");
                Err(Broken { line: root.line, reason })
            }
        },
        None => {
            let reason = "no element; expected XML with a feed or an answer of OAI-PMH".into();
            Err(Broken { line: 1, reason })
        }
    }
}

/// The reason of a bad record for a stream that cannot be read on.
pub(super) fn broken(error: &std::io::Error) -> String {
    format!("the file cannot be read from here on ({error}); is it whole?")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_by_bytes_and_then_by_name() {
        for (start, name, expected) in [
            (&b"  {\"title\""[..], "x", Form::Lines),
            (b"\xef\xbb\xbf\n[{", "x.json", Form::Array),
            (b"[{", "x.jsonl", Form::Lines),
            (b"<?xml", "x.txt", Form::Xml),
            (b"\xff\xfe<\0", "x", Form::Xml),
            (b"@article{", "x", Form::Bibtex),
            (b"% a comment\n@article{", "x.bib", Form::Bibtex),
            (b"", "x.atom", Form::Xml),
            (b"", "x.json", Form::Lines),
            (b"new\n\nDaily Papers", "x.txt", Form::Listing),
        ] {
            assert_eq!(form(start, name), expected, "{name}");
        }
    }

    proptest! {
        /// Whatever tags come in whatever order, nothing panics and a paper has a title.
        #[test]
        fn any_document_is_read(parts in prop::collection::vec(prop::sample::select(vec![
            "<feed>", "</feed>", "<rss>", "<OAI-PMH>", "</OAI-PMH>", "<entry>", "</entry>", "<item>",
            "</item>", "<record>", "</record>", "<header status='deleted'>", "<header>", "</header>",
            "<metadata>", "</metadata>", "<arXiv>", "</arXiv>", "<dc>", "</dc>", "<title>t</title>",
            "<title/>", "<author>a (b)</author>", "<id>http://arxiv.org/abs/2509.1</id>",
            "<doi>10.1/x y</doi>", "<date>2025-99</date>", "<resumptionToken>", "</resumptionToken>",
            "<error code='x'>", "</error>", "&bogus;", "&#x110000;", "<![CDATA[<", "]]>", "\u{e9}",
            "<a b=c>", "<creator>, ,</creator>", "<authors><author/></authors>", "<!--", "-->",
        ]), 0..25)) {
            for root in ["", "<feed>", "<OAI-PMH><ListRecords>"] {
                let text = format!("{root}{}", parts.concat());
                xml(text.as_bytes(), &mut |item| {
                    if let Item::Paper(_, paper) = item {
                        assert!(!paper.title.is_empty());
                    }
                    true
                });
            }
        }
    }
}
