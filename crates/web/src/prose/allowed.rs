//! The elements and attributes that may come out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Elements of text.
const TEXT: [&str; 24] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Elements of `MathML` Core; `maction`, `semantics` and what holds other markup are not among them.
const MATH: [&str; 27] = [
    "math",
    "menclose",
    "merror",
    "mfrac",
    "mi",
    "mmultiscripts",
    "mn",
    "mo",
    "mover",
    "mpadded",
    "mphantom",
    "mprescripts",
    "mroot",
    "mrow",
    "ms",
    "mspace",
    "msqrt",
    "msub",
    "msubsup",
    "msup",
    "mtable",
    "mtd",
    "mtext",
    "mtr",
    "munder",
    "munderover",
    "none",
];

/// Attributes of `MathML`: sizes, spaces, and how operators stretch.
const MATH_ATTRIBUTES: [&str; 20] = [
    "accent",
    "accentunder",
    "depth",
    "displaystyle",
    "form",
    "height",
    "largeop",
    "linethickness",
    "lspace",
    "mathvariant",
    "maxsize",
    "minsize",
    "movablelimits",
    "notation",
    "rspace",
    "scriptlevel",
    "stretchy",
    "symmetric",
    "voffset",
    "width",
];

static ALLOWED: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut attributes: HashMap<&str, HashSet<&str>> =
        HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]);
    for element in MATH {
        attributes.insert(element, HashSet::from(MATH_ATTRIBUTES));
    }
    let values = HashMap::from([
        ("math", HashMap::from([("display", HashSet::from(["block"]))])),
        ("span", HashMap::from([("tabindex", HashSet::from(["0"]))])),
    ]);
    let classes = HashMap::from([
        ("span", HashSet::from(["formula"])),
        // In place of the inline style that the policy of the site forbids.
        ("mtd", HashSet::from(["left", "right"])),
    ]);
    let mut builder = Builder::empty();
    builder
        .tags(TEXT.into_iter().chain(MATH).collect())
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(attributes)
        .tag_attribute_values(values)
        .set_tag_attribute_value("th", "scope", "col")
        .generic_attributes(HashSet::new())
        .allowed_classes(classes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Custom(Box::new(to_people)))
        .link_rel(Some("nofollow ugc noopener"))
        .id_prefix(None);
    builder
});

/// The site's own addresses that may stay: those of people.
fn to_people(url: &str) -> Option<Cow<'_, str>> {
    url.starts_with("/people/").then_some(Cow::Borrowed(url))
}

/// HTML with nothing in it but what is allowed.
pub(super) fn only(html: &str) -> String {
    ALLOWED.clean(html).to_string()
}
