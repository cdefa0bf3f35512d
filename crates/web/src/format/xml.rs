//! XML, written through quick-xml, which escapes; what XML cannot hold is left out.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// Attributes of an element.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// A document that is being written.
pub(crate) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document with its declaration.
    pub(crate) fn new() -> Self {
        let mut xml = Self(Writer::new(Vec::new()));
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        xml
    }

    /// Begins an element.
    pub(crate) fn open(&mut self, name: &str, attributes: Attributes<'_>) {
        self.event(Event::Start(start(name, attributes)));
    }

    /// Ends the element of that name, the one begun last.
    pub(crate) fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element without content.
    pub(crate) fn empty(&mut self, name: &str, attributes: Attributes<'_>) {
        self.event(Event::Empty(start(name, attributes)));
    }

    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, attributes: Attributes<'_>, text: &str) {
        self.open(name, attributes);
        self.event(Event::Text(BytesText::new(&allowed(text))));
        self.close(name);
    }

    /// The text of the document.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut text = self.0.into_inner();
        text.push(b'\n');
        text
    }

    fn event(&mut self, event: Event<'_>) {
        // Writing to memory never fails.
        let _ = self.0.write_event(event);
    }
}

fn start<'a>(name: &'a str, attributes: Attributes<'_>) -> BytesStart<'a> {
    let mut element = BytesStart::new(name);
    for (name, value) in attributes {
        element.push_attribute((*name, allowed(value).as_str()));
    }
    element
}

/// A text without the characters that XML 1.0 has no way to write.
fn allowed(text: &str) -> String {
    let fit = |c: &char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || *c >= '\u{10000}'
    };
    text.chars().filter(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut xml = Xml::new();
        xml.open("a", &[("b", "\"<&>'\u{0}")]);
        xml.text("c", &[], "]]> <d/> & \u{b}\u{ffff}");
        xml.empty("e", &[]);
        xml.close("a");
        let text = String::from_utf8(xml.finish()).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?><a b=\"&quot;&lt;&amp;&gt;&apos;\">\
                        <c>]]&gt; &lt;d/&gt; &amp; </c><e/></a>\n";
        assert_eq!(text, expected);
    }
}
