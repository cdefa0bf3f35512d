//! Reading pages strictly: every tag closed, and nothing that the site forbids itself.

use std::collections::{BTreeMap, BTreeSet};

/// Scripts that every page of the site has.
pub const OWN_SCRIPTS: usize = 2;

/// Elements without an end tag.
const VOID: [&str; 6] = ["meta", "link", "br", "img", "input", "hr"];

/// An element with its attributes.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    /// Names of the elements around it.
    pub parents: Vec<String>,
}

impl Element {
    /// An attribute; empty if absent.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// All elements of a document, in order.
///
/// # Panics
/// If a tag is not closed, or closed out of order, or an attribute is not quoted.
pub fn elements(html: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag that ends");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of order");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "<{tag}>");
        found.push(Element {
            name: name.to_owned(),
            attributes: parse_attributes(attributes),
            parents: open.clone(),
        });
        if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    found
}

fn parse_attributes(mut text: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    while !text.trim().is_empty() {
        text = text.trim_start();
        let end = text.find(['=', ' ']).unwrap_or(text.len());
        let name = text[..end].to_owned();
        let value;
        if let Some(quoted) = text[end..].strip_prefix("=\"") {
            let close = quoted.find('"').expect("a quoted attribute");
            value = quoted[..close].to_owned();
            text = &quoted[close + 1..];
        } else {
            assert!(!text[end..].starts_with('='), "unquoted attribute: {text}");
            value = String::new();
            text = &text[end..];
        }
        assert!(attributes.insert(name.clone(), value).is_none(), "attribute `{name}` twice");
    }
    attributes
}

/// Checks what holds for every page of the site.
///
/// # Panics
/// If it does not hold for this one.
pub fn check(path: &str, html: &str) {
    let elements = elements(html);
    // A drawing has a title too.
    let in_drawing = |e: &Element| e.parents.iter().any(|p| p == "svg");
    let count = |name: &str| {
        let named = elements.iter().filter(|e| e.name == name);
        named.filter(|e| !in_drawing(e)).count()
    };
    for once in ["html", "title", "h1", "main"] {
        assert_eq!(count(once), 1, "{path}: <{once}>");
    }
    assert_eq!(elements[0].get("lang"), "en", "{path}");
    let mut ids = BTreeSet::new();
    for id in elements.iter().map(|e| e.get("id")).filter(|id| !id.is_empty()) {
        assert!(ids.insert(id), "{path}: id `{id}` twice");
    }
    let mut level = 1;
    for element in &elements {
        inline(path, element);
        for name in ["aria-labelledby", "aria-describedby"] {
            for id in element.get(name).split_whitespace() {
                assert!(ids.contains(id), "{path}: {name} names `{id}`, which is not there");
            }
        }
        if let Some(id) = element.get("href").strip_prefix('#') {
            assert!(ids.contains(id), "{path}: a link to `#{id}`, which is not there");
        }
        if element.name == "svg" && element.get("role") != "img" {
            assert_eq!(element.get("aria-hidden"), "true", "{path}: {element:?}");
        }
        if let Some(digit) = element.name.strip_prefix('h').and_then(|d| d.parse::<u32>().ok()) {
            assert!(digit <= level + 1, "{path}: <h{digit}> after <h{level}>");
            level = digit;
        }
        if element.name == "th" {
            assert!(!element.get("scope").is_empty(), "{path}: <th> without scope");
        }
    }
}

/// No inline script, no inline style, no address that is a script.
fn inline(path: &str, element: &Element) {
    for name in element.attributes.keys() {
        assert!(name != "style" && !name.starts_with("on"), "{path}: {element:?}");
    }
    assert_ne!(element.name, "style", "{path}");
    if element.name == "script" {
        assert!(element.get("src").starts_with("/assets/"), "{path}: {element:?}");
    }
    for name in ["href", "src", "action"] {
        let address = element.get(name);
        let fine = ["/", "#", "https://", "http://"].iter().any(|p| address.starts_with(p));
        assert!(address.is_empty() || fine, "{path}: {element:?}");
    }
}

/// The addresses within the site to which a page leads.
pub fn links(html: &str) -> Vec<String> {
    let of = elements(html).into_iter().filter(|e| e.name == "a" || e.name == "link");
    let hrefs = of.map(|e| e.get("href").to_owned()).filter(|href| href.starts_with('/'));
    hrefs.map(|href| href.replace("&amp;", "&")).collect()
}

#[test]
fn the_reader_itself_notices() {
    for (bad, why) in [
        ("<!DOCTYPE html><p>", "never closed"),
        ("<!DOCTYPE html><p></b>", "closed out of order"),
        ("<!DOCTYPE html><p a=b></p>", "unquoted"),
        ("<!DOCTYPE html><p a=\"1\" a=\"2\"></p>", "twice"),
    ] {
        let panic = std::panic::catch_unwind(|| elements(bad)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains(why), "{bad}: {text}");
    }
}
