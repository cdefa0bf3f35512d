//! A page of the site as a file of the folder.

use html5gum::emitters::default::{StartTag, Token};
use html5gum::{DefaultEmitter, Tokenizer};
use maud::{Markup, Render as _};

use super::place::{SEARCH, Scope, Target, relative};

/// Elements without an end tag.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// What a folder cannot do.
const GONE: [&str; 3] = ["script", "noscript", "form"];

/// What the head says of the page's place on the living site.
const OF_LIVING: [&str; 7] = [
    "og:url",
    "og:image",
    "og:image:width",
    "og:image:height",
    "og:image:alt",
    "twitter:card",
    "citation_abstract_html_url",
];

/// A rewritten page.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub html: String,
    /// Addresses on the site of the files that it links to, with their places.
    pub links: Vec<(String, String)>,
}

/// Rewrites a page that lies at `own`. `note` comes to stand under its content.
pub(super) fn rewrite(html: &str, own: &str, scope: &Scope, note: &Markup) -> Rewritten {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // Text of scripts and titles is no markup.
    emitter.naively_switch_states(true);
    let mut page = Page {
        html,
        own,
        scope,
        note,
        out: String::with_capacity(html.len() + 1024),
        copied: 0,
        open: Vec::new(),
        gone: None,
        links: Vec::new(),
    };
    for token in Tokenizer::new_with_emitter(html, emitter) {
        // Reading a string cannot fail.
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => page.start(&tag),
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                page.end(&name, tag.span.start, tag.span.end);
            }
            _ => {}
        }
    }
    page.copy(html.len());
    Rewritten { html: page.out, links: page.links }
}

/// An element whose end has not come yet.
#[derive(Debug)]
struct Open {
    name: String,
    /// What its end tag becomes, if not the same.
    end: Option<&'static str>,
    /// Where it begins in what is written, and its links so far, if it stands for its links.
    group: Option<Group>,
}

#[derive(Debug)]
struct Group {
    start: usize,
    kept: u32,
    dropped: u32,
}

struct Page<'a> {
    html: &'a str,
    own: &'a str,
    scope: &'a Scope,
    note: &'a Markup,
    out: String,
    /// Up to where the page has been taken over or passed over.
    copied: usize,
    open: Vec<Open>,
    /// While an element is passed over: how deep its content is.
    gone: Option<usize>,
    links: Vec<(String, String)>,
}

impl Page<'_> {
    /// Takes over the page up to there.
    fn copy(&mut self, to: usize) {
        if self.gone.is_none() {
            self.out.push_str(&self.html[self.copied..to]);
        }
        self.copied = to;
    }

    fn start(&mut self, tag: &StartTag<usize>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        let void = tag.self_closing || VOID.contains(&name.as_str());
        if let Some(depth) = &mut self.gone {
            *depth += usize::from(!void);
            return;
        }
        self.copy(tag.span.start);
        let start = self.out.len();
        let mut end = None;
        let attributes = Attributes::of(tag);
        let kept = if GONE.contains(&name.as_str()) {
            self.instead_of(&name, &attributes);
            None
        } else if name == "a" && attributes.get("href").is_some() {
            self.link(&attributes, &mut end)
        } else {
            self.element(&name, attributes)
        };
        self.copied = tag.span.end;
        match kept {
            Some(text) => self.out.push_str(&text),
            None => {
                self.gone = (!void).then_some(1);
                return;
            }
        }
        if !void {
            let group = self.is_group(&name, tag).then_some(Group { start, kept: 0, dropped: 0 });
            self.open.push(Open { name, end, group });
        }
    }

    fn end(&mut self, name: &str, start: usize, end: usize) {
        if let Some(depth) = self.gone {
            self.copied = end;
            self.gone = (depth > 1).then_some(depth - 1);
            return;
        }
        self.copy(start);
        if name == "main" {
            self.out.push_str(&self.note.0);
        }
        let open = self.open.pop();
        debug_assert_eq!(open.as_ref().map(|open| open.name.as_str()), Some(name));
        match open {
            Some(Open { group: Some(group), .. }) if group.dropped > 0 && group.kept == 0 => {
                self.out.truncate(group.start);
                self.copied = end;
            }
            Some(Open { end: Some(other), .. }) => {
                self.out.push_str(other);
                self.copied = end;
            }
            _ => self.copy(end),
        }
    }

    /// Whether an element is there for the links in it: without any it goes.
    fn is_group(&self, name: &str, tag: &StartTag<usize>) -> bool {
        let class = |word: &str| {
            let class = tag.attributes.get(b"class".as_slice());
            class.is_some_and(|c| c.split(|b| *b == b' ').any(|own| own == word.as_bytes()))
        };
        match name {
            "nav" | "aside" => true,
            "section" => class("box"),
            "p" => class("exports") || class("act") || self.in_group(),
            "li" => self.in_group(),
            _ => false,
        }
    }

    fn in_group(&self) -> bool {
        self.open.iter().any(|open| open.group.is_some())
    }

    /// What stands in the place of what cannot be done here.
    fn instead_of(&mut self, name: &str, attributes: &Attributes) {
        if name != "form" {
            return;
        }
        if attributes.get("role") == Some("search") {
            if self.scope.searchable {
                let href = relative(self.own, SEARCH);
                let link = maud::html! { a href=(href) { "Search" } };
                self.out.push_str(&link.0);
                self.links.push(("/search".into(), SEARCH.into()));
            }
            return;
        }
        let in_main = self.open.iter().any(|open| open.name == "main");
        if in_main {
            let living = self.scope.living.as_deref();
            let text = maud::html! {
                p.fine {
                    @match living {
                        Some(url) => { "Not in this copy, but on " a href=(url) { "the living site" } "." }
                        None => "Not in this copy.",
                    }
                }
            };
            self.out.push_str(&text.0);
        }
    }

    /// A link's start tag, or nothing if the whole link goes.
    fn link(&mut self, attributes: &Attributes, end: &mut Option<&'static str>) -> Option<String> {
        let href = self.resolved(attributes.get("href").unwrap_or_default());
        let kept = href.is_some();
        let mut grouped = false;
        for group in self.open.iter_mut().filter_map(|open| open.group.as_mut()) {
            grouped = true;
            group.kept += u32::from(kept);
            group.dropped += u32::from(!kept);
        }
        match href {
            Some(href) => Some(attributes.with("href", &href).tag("a")),
            None if grouped => None,
            None => {
                *end = Some("</span>");
                Some(attributes.only("class").tag("span"))
            }
        }
    }

    /// Any other start tag, or nothing if the element goes.
    fn element(&mut self, name: &str, attributes: Attributes) -> Option<String> {
        let living = self.scope.living.is_some();
        match name {
            "link" => {
                let href = self.resolved(attributes.get("href")?)?;
                // The living site's own address stands there in full.
                let own = attributes.get("rel") == Some("canonical");
                (living || !own).then(|| attributes.with("href", &href).tag(name))
            }
            "meta" => {
                let about = attributes.get("property").or(attributes.get("name"));
                let of_living = about.is_some_and(|about| OF_LIVING.contains(&about));
                let refresh = attributes.get("http-equiv") == Some("refresh");
                (!refresh && (living || !of_living)).then(|| attributes.tag(name))
            }
            _ => {
                let attributes = attributes.without("data-live");
                match attributes.get("src") {
                    Some(src) => {
                        let src = self.resolved(src)?;
                        Some(attributes.with("src", &src).tag(name))
                    }
                    None => Some(attributes.tag(name)),
                }
            }
        }
    }

    /// What a link becomes; nothing if it would lead nowhere.
    fn resolved(&mut self, href: &str) -> Option<String> {
        match self.scope.target(href) {
            Target::Stays => Some(href.to_owned()),
            Target::File { place, address, fragment } => {
                let link = format!("{}{fragment}", relative(self.own, &place));
                self.links.push((address, place));
                Some(link)
            }
            Target::Elsewhere { address } => {
                self.scope.living.as_ref().map(|living| format!("{living}{address}"))
            }
        }
    }
}

/// Attributes of a start tag, decoded.
#[derive(Debug, Clone)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(tag: &StartTag<usize>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // In the order of the page.
        let mut found: Vec<_> = tag.attributes.iter().collect();
        found.sort_by_key(|(_, value)| value.span.start);
        Self(found.into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut new = self.clone();
        for (own, old) in &mut new.0 {
            if own == name {
                value.clone_into(old);
            }
        }
        new
    }

    fn only(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(own, _)| own == name).cloned().collect())
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    /// The start tag of an element with them.
    fn tag(&self, name: &str) -> String {
        let mut tag = format!("<{name}");
        for (name, value) in &self.0 {
            tag.push(' ');
            tag.push_str(name);
            tag.push_str("=\"");
            tag.push_str(&value.render().0);
            tag.push('"');
        }
        tag.push('>');
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(html: &str, living: Option<&str>) -> String {
        let scope = Scope {
            studied: ["a".to_owned()].into(),
            living: living.map(str::to_owned),
            missing: ["/papers/gone".to_owned()].into(),
            searchable: true,
        };
        rewrite(html, "papers/a.html", &scope, &maud::html! { p { "note" } }).html
    }

    #[test]
    fn links_lead_to_files_or_to_the_living_site_or_go() {
        let living = Some("https://living.example");
        for (html, alone, beside) in [
            (
                "<a href=\"/papers/b\">B &amp; <b>c</b></a>",
                "<a href=\"../papers/b.html\">B &amp; <b>c</b></a>",
                "<a href=\"../papers/b.html\">B &amp; <b>c</b></a>",
            ),
            (
                "<a class=\"x\" href=\"/account\">A</a> b",
                "<span class=\"x\">A</span> b",
                "<a class=\"x\" href=\"https://living.example/account\">A</a> b",
            ),
            (
                "<ul><li><a href=\"/papers/gone\">A</a></li></ul>",
                "<ul><li><span>A</span></li></ul>",
                "<ul><li><a href=\"https://living.example/papers/gone\">A</a></li></ul>",
            ),
            (
                "<nav><ul><li><a href=\"/account\">A</a></li><li><a href=\"/runs\">R</a></li></ul></nav>",
                "<nav><ul><li><a href=\"../runs/index.html\">R</a></li></ul></nav>",
                "<nav><ul><li><a href=\"https://living.example/account\">A</a></li>\
                 <li><a href=\"../runs/index.html\">R</a></li></ul></nav>",
            ),
            (
                "x<nav>N <a href=\"/account\">A</a></nav>y",
                "xy",
                "x<nav>N \
                <a href=\"https://living.example/account\">A</a></nav>y",
            ),
            (
                "<link rel=\"search\" href=\"/opensearch.xml\">",
                "",
                "<link rel=\"search\" href=\"https://living.example/opensearch.xml\">",
            ),
            (
                "<a href=\"https://arxiv.org/abs/1?a=1&amp;b=2#c\">A</a>",
                "<a href=\"https://arxiv.org/abs/1?a=1&amp;b=2#c\">A</a>",
                "<a href=\"https://arxiv.org/abs/1?a=1&amp;b=2#c\">A</a>",
            ),
            ("<a href=\"#main\">A</a>", "<a href=\"#main\">A</a>", "<a href=\"#main\">A</a>"),
        ] {
            assert_eq!(rewritten(html, None), alone);
            assert_eq!(rewritten(html, living), beside);
        }
    }

    #[test]
    fn what_a_folder_cannot_do_goes() {
        let html = "<title>a </b> <script></title><main><script src=\"/x\">let a = '<a>';</script>\
            <form action=\"/papers/a/runs\"><button name=\"x\">Run<b>!</b></button><br></form>\
            <p data-live=\"/runs/1/events\" title=\"&lt;&quot;&#39;\">1 &lt; 2 <svg><path d=\"M0\"></path></svg>\
            </p></main><noscript><meta http-equiv=\"refresh\"></noscript>";
        assert_eq!(
            rewritten(html, None),
            "<title>a </b> <script></title><main><p class=\"fine\">Not in this copy.</p>\
             <p title=\"&lt;&quot;'\">1 &lt; 2 <svg><path d=\"M0\"></path></svg></p>\
             <p>note</p></main>"
        );
        let search = "<header><form role=\"search\" action=\"/search\"><input></form></header>";
        let link = "<header><a href=\"../search.html\">Search</a></header>";
        assert_eq!(rewritten(search, None), link);
    }
}
