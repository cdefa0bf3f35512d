//! XML from strangers: one bounded element at a time, with the line where it begins.
//!
//! Entities that a document declares are never expanded, so that none can grow; those of HTML are
//! known. An element is at most [`MAX_ELEMENT`] bytes and [`MAX_DEPTH`] deep. The encoding is that of
//! the byte order mark or of the declaration, else UTF-8; bytes that are none end the document.

use std::io::{self, BufRead, Read};

use encoding_rs::Encoding;
use quick_xml::XmlVersion;
use quick_xml::encoding::DecodingReader;
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// Longest element that is read as a whole, and longest piece of markup or text elsewhere.
pub(super) const MAX_ELEMENT: u64 = 4 << 20;

/// Deepest nesting; feeds have some ten levels, embedded XHTML included.
const MAX_DEPTH: usize = 100;

/// An element with all that is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Namespace; empty if it has none.
    pub(super) space: String,
    /// Name without prefix.
    pub(super) name: String,
    /// Line on which its tag ends.
    pub(super) line: u64,
    /// What cannot be read in it, such as an entity that nobody knows.
    pub(super) problem: Option<String>,
    attributes: Vec<(String, String)>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Text(String),
    Element(Element),
}

impl Element {
    /// The value of the attribute of that name, whatever its prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The elements in it, in their order.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Those of a name.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The text of the first element of that name which has any.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.all(name).map(|e| e.text().trim().to_owned()).find(|text| !text.is_empty())
    }

    /// All text in it; elements within are parted by spaces.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        for node in &self.nodes {
            match node {
                Node::Text(part) => text.push_str(part),
                Node::Element(element) => {
                    text.push(' ');
                    element.write(text);
                    text.push(' ');
                }
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }
}

/// Why a document cannot be read on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// A document on its way through.
pub(super) struct Document<R> {
    reader: NsReader<Bounded<DecodingReader<R>>>,
    buffer: Vec<u8>,
    /// Elements that are open around the place.
    depth: usize,
}

impl<R: BufRead> Document<R> {
    /// A document at its beginning.
    ///
    /// # Errors
    /// If it declares an encoding that is not known.
    pub(super) fn new(mut stream: R) -> Result<Self, Broken> {
        // An error of the stream comes again with the first piece.
        let declared = declared(stream.fill_buf().unwrap_or_default());
        let mut inner = DecodingReader::new(stream);
        if let Some(label) = declared {
            let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
                let reason = format!("encoding `{label}` is not known");
                return Err(Broken { line: 1, reason });
            };
            // The declaration was read as ASCII; one that says UTF-16 is wrong. Before the first
            // piece, as the reader cannot change its mind later.
            if encoding.is_ascii_compatible() {
                inner.set_encoding(encoding);
            }
        }
        let bounded = Bounded { inner, line: 1, left: MAX_ELEMENT };
        Ok(Self { reader: NsReader::from_reader(bounded), buffer: Vec::new(), depth: 0 })
    }

    /// The line of the place.
    pub(super) fn line(&mut self) -> u64 {
        self.reader.get_mut().line
    }

    /// The outermost element, without what is in it; `None` if there is none.
    pub(super) fn root(&mut self) -> Result<Option<Element>, Broken> {
        loop {
            match self.step()? {
                Step::Open(element) => {
                    self.depth += 1;
                    return Ok(Some(element));
                }
                Step::Whole(element) => return Ok(Some(element)),
                Step::End => return Ok(None),
                Step::Close | Step::Text(_) | Step::Problem(_) => {}
            }
        }
    }

    /// The next element for which `wanted` holds, with all that is in it; others are gone into.
    pub(super) fn next(
        &mut self,
        wanted: impl Fn(&Element) -> bool,
    ) -> Result<Option<Element>, Broken> {
        loop {
            self.reader.get_mut().left = MAX_ELEMENT;
            match self.step()? {
                Step::Open(element) if wanted(&element) => return self.whole(element).map(Some),
                Step::Whole(element) if wanted(&element) => return Ok(Some(element)),
                Step::Open(_) => self.open()?,
                Step::Close => self.depth = self.depth.saturating_sub(1),
                Step::End if self.depth > 0 => {
                    return self.broken("the file ends in the middle; is it whole?".into());
                }
                Step::End => return Ok(None),
                Step::Whole(_) | Step::Text(_) | Step::Problem(_) => {}
            }
        }
    }

    fn open(&mut self) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.broken(format!("elements nest deeper than {MAX_DEPTH}"));
        }
        Ok(())
    }

    /// An element that has just been opened, read to its end.
    fn whole(&mut self, element: Element) -> Result<Element, Broken> {
        let mut stack = vec![element];
        loop {
            let step = self.step()?;
            let Some(top) = stack.last_mut() else {
                return self.broken("markup is out of order".into());
            };
            match step {
                Step::Open(element) => {
                    if stack.len() + self.depth >= MAX_DEPTH {
                        return self.broken(format!("elements nest deeper than {MAX_DEPTH}"));
                    }
                    stack.push(element);
                }
                Step::Whole(element) => top.nodes.push(Node::Element(element)),
                Step::Text(text) => top.push_text(&text),
                Step::Problem(problem) => top.problem = Some(problem),
                Step::Close => {
                    let Some(done) = stack.pop() else { continue };
                    let Some(outer) = stack.last_mut() else { return Ok(done) };
                    outer.problem = outer.problem.take().or_else(|| done.problem.clone());
                    outer.nodes.push(Node::Element(done));
                }
                Step::End => {
                    let (line, name) = (stack[0].line, stack[0].name.clone());
                    let reason =
                        format!("the file ends in the middle of this `{name}`; is it whole?");
                    return Err(Broken { line, reason });
                }
            }
        }
    }

    fn broken<T>(&mut self, reason: String) -> Result<T, Broken> {
        Err(Broken { line: self.line(), reason })
    }

    /// The next piece.
    fn step(&mut self) -> Result<Step, Broken> {
        loop {
            self.buffer.clear();
            let (space, event) = match self.reader.read_resolved_event_into(&mut self.buffer) {
                Ok((ResolveResult::Bound(space), event)) => (space.as_ref().to_owned(), event),
                Ok((_, event)) => (String::new(), event),
                Err(error) => {
                    let reason = reason(&error);
                    return self.broken(reason);
                }
            };
            let mut step = match event {
                Event::Start(tag) => Step::Open(element(space, &tag)),
                Event::Empty(tag) => Step::Whole(element(space, &tag)),
                Event::End(_) => Step::Close,
                Event::Text(text) => Step::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Step::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(entity) => reference(&entity),
                Event::Eof => Step::End,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => continue,
            };
            if let Step::Open(element) | Step::Whole(element) = &mut step {
                element.line = self.line();
            }
            return Ok(step);
        }
    }
}

/// The encoding that an XML declaration names, where it can be read as ASCII.
fn declared(start: &[u8]) -> Option<String> {
    let start = start.strip_prefix(b"<?xml")?;
    let end = start.iter().take(500).position(|&byte| byte == b'>')?;
    let declaration = std::str::from_utf8(&start[..end]).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| "'\"".contains(*c))?;
    value[1..].split(quote).next().map(str::to_owned)
}

enum Step {
    Open(Element),
    Whole(Element),
    Close,
    Text(String),
    Problem(String),
    End,
}

fn element(space: String, tag: &BytesStart<'_>) -> Element {
    let mut element =
        Element { space, name: tag.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string());
        let pair = attribute.and_then(|attribute| {
            let value =
                attribute.normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_html5_entity);
            let value = value.map_err(|error| error.to_string())?.into_owned();
            Ok((attribute.key.local_name().as_ref().to_owned(), value))
        });
        match pair {
            Ok(pair) => element.attributes.push(pair),
            Err(error) => element.problem = Some(format!("attribute: {error}")),
        }
    }
    element
}

fn reference(entity: &quick_xml::events::BytesRef<'_>) -> Step {
    match entity.resolve_char_ref() {
        Ok(Some(char)) => Step::Text(char.to_string()),
        Ok(None) => {
            let name = entity.xml10_content();
            match resolve_html5_entity(&name) {
                Some(text) => Step::Text(text.to_owned()),
                None => Step::Problem(format!("entity `&{};` is not known", short(&name))),
            }
        }
        Err(error) => Step::Problem(error.to_string()),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn reason(error: &quick_xml::Error) -> String {
    match error {
        quick_xml::Error::Io(error) => format!("{error}; is the file whole?"),
        error => format!("not well-formed XML: {}", short_reason(&error.to_string())),
    }
}

/// A message may quote a document's own names, which may be long.
fn short_reason(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Counts lines, and ends a piece that is longer than allowed before it fills the memory.
struct Bounded<R> {
    inner: R,
    line: u64,
    left: u64,
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let text = format!("an element is longer than {MAX_ELEMENT} bytes");
            return Err(io::Error::other(text));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Ok(bytes) = self.inner.fill_buf() {
            let used = &bytes[..amount.min(bytes.len())];
            self.line += used.iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(bytes: &[u8]) -> Result<Vec<Element>, Broken> {
        let mut document = Document::new(bytes)?;
        document.root()?;
        let mut found = Vec::new();
        while let Some(element) = document.next(|e| e.name == "e")? {
            found.push(element);
        }
        Ok(found)
    }

    #[test]
    fn elements_with_text_attributes_and_lines() {
        let text =
            b"<?xml version='1.0'?>\n<f xmlns='urn:x' xmlns:y='urn:y'>\n<e y:a='1 &lt; 2'>a \
            &amp; <![CDATA[<b>]]>&#233;&eacute;<i>in</i></e>\n\n<e/></f>";
        let found = entries(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].attribute("a"), Some("1 < 2"));
        assert_eq!(found[0].text(), "a & <b>\u{e9}\u{e9} in ");
        assert_eq!((found[0].space.as_str(), found[0].line, found[1].line), ("urn:x", 3, 5));
    }

    #[test]
    fn bombs_and_depths_and_lengths_are_refused() {
        let bomb = b"<?xml version='1.0'?><!DOCTYPE f [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>\
            <f><e>&b;</e><e>fine</e></f>";
        let found = entries(bomb).unwrap();
        assert_eq!(found[0].problem.as_deref(), Some("entity `&b;` is not known"));
        assert_eq!((found[1].problem.as_deref(), found[1].text().as_str()), (None, "fine"));
        for deep in ["<a>".repeat(5000), format!("<f><e>{}", "<a>".repeat(5000))] {
            let error = entries(deep.as_bytes()).unwrap_err();
            assert!(error.reason.contains("deeper than 100"), "{error:?}");
        }
        let long = format!("<f><e>{}</e></f>", "x".repeat(5 << 20));
        let error = entries(long.as_bytes()).unwrap_err();
        assert!(error.reason.contains("longer than"), "{error:?}");
        let many = format!("<f>{}</f>", "<e>short</e>".repeat(500_000));
        assert_eq!(entries(many.as_bytes()).unwrap().len(), 500_000);
    }

    #[test]
    fn encodings() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><f><e>caf\xe9</e></f>";
        assert_eq!(entries(latin).unwrap()[0].text(), "caf\u{e9}");
        let utf_8 = b"<f><e>caf\xe9</e></f>";
        assert!(entries(utf_8).unwrap_err().reason.contains("UTF-8"));
        let text = "<?xml version='1.0' encoding='UTF-16'?><f><e>caf\u{e9}</e></f>";
        let utf_16 = text.encode_utf16().flat_map(u16::to_le_bytes);
        let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf_16).collect();
        assert_eq!(entries(&utf_16).unwrap()[0].text(), "caf\u{e9}");
        let liar = b"<?xml version='1.0' encoding='UTF-16'?><f><e>plain</e></f>";
        assert_eq!(entries(liar).unwrap()[0].text(), "plain");
        let odd = b"<?xml version='1.0' encoding='klingon'?><f><e>x</e></f>";
        assert_eq!(entries(odd).unwrap_err().reason, "encoding `klingon` is not known");
    }

    proptest! {
        #[test]
        fn a_cut_document_is_an_error(cut in 0_usize..67) {
            let text = "<?xml version='1.0'?>\n<f><e a='1'>one</e>\n<e>two &amp; x</e></f>";
            prop_assert!(cut == 0 || cut >= text.len() || entries(&text.as_bytes()[..cut]).is_err()
                || cut < 24);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = entries(&bytes);
            let _ = entries(&[b"<f><e>".as_slice(), &bytes].concat());
        }

        #[test]
        fn any_markup_is_read(text in "(<f|<e|/>|>|</e>|</f>|&a;|&#|;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?|\"|'|=| x){0,40}") {
            let _ = entries(text.as_bytes());
        }
    }
}
