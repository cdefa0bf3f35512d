//! Atom, RFC 4287.

use super::feed::{Entry, Feed, moment};
use super::xml::Xml;

/// Who speaks in an entry that names nobody else.
const SITE: &str = "Pressrun";

/// The feed as a document.
pub(crate) fn write(feed: &Feed) -> Vec<u8> {
    let mut xml = Xml::new();
    xml.open("feed", &[("xmlns", "http://www.w3.org/2005/Atom"), ("xml:lang", "en")]);
    xml.text("id", &[], &feed.id);
    xml.text("title", &[], &feed.title);
    xml.text("updated", &[], &moment(feed.updated));
    link(&mut xml, "self", "application/atom+xml", &feed.own);
    link(&mut xml, "alternate", "text/html", &feed.page);
    for (rel, address) in [("previous", &feed.previous), ("next", &feed.next)] {
        if let Some(address) = address {
            link(&mut xml, rel, "application/atom+xml", address);
        }
    }
    author(&mut xml, SITE);
    xml.text("generator", &[("version", env!("CARGO_PKG_VERSION"))], SITE);
    for one in &feed.entries {
        entry(&mut xml, one);
    }
    xml.close("feed");
    xml.finish()
}

fn entry(xml: &mut Xml, entry: &Entry) {
    xml.open("entry", &[]);
    xml.text("id", &[], &entry.id);
    xml.text("title", &[], &entry.title);
    xml.text("updated", &[], &moment(entry.updated));
    xml.text("published", &[], &moment(entry.published));
    for name in &entry.authors {
        author(xml, name);
    }
    link(xml, "alternate", "text/html", &entry.page);
    if let Some(outside) = &entry.outside {
        link(xml, "related", "text/html", outside);
    }
    for tag in &entry.tags {
        xml.empty("category", &[("term", tag)]);
    }
    xml.text("content", &[("type", "html")], &entry.content);
    xml.close("entry");
}

fn author(xml: &mut Xml, name: &str) {
    xml.open("author", &[]);
    xml.text("name", &[], name);
    xml.close("author");
}

fn link(xml: &mut Xml, rel: &str, mime: &str, address: &str) {
    xml.empty("link", &[("rel", rel), ("type", mime), ("href", address)]);
}
