//! Which addresses of the site are files of the folder, and which.

use std::collections::HashSet;
use std::fmt::Write as _;

use pressrun_catalog::Period;
use url::Url;

use crate::format::Format;

/// Pages of trending papers: behind them come papers without votes, in the order of date.
const TRENDING: u32 = 10;

/// The page that searches.
pub(super) const SEARCH: &str = "search.html";

/// What a link of a page leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Somewhere on the page, or outside of the site: it stays as it is.
    Stays,
    /// A file of the folder.
    File {
        place: String,
        /// Where the site has it.
        address: String,
        /// With the `#`; empty if none.
        fragment: String,
    },
    /// A part of the site that the folder does not have.
    Elsewhere { address: String },
}

/// What is in the folder.
#[derive(Debug)]
pub(super) struct Scope {
    /// Papers with a study, as segments of addresses.
    pub studied: HashSet<String>,
    /// What absolute addresses of the living site begin with.
    pub living: Option<String>,
    /// Addresses that the site turned out not to have.
    pub missing: HashSet<String>,
    pub searchable: bool,
}

impl Scope {
    /// What the link of a page leads to.
    pub(super) fn target(&self, href: &str) -> Target {
        if href.starts_with('#') {
            return Target::Stays;
        }
        if !href.starts_with('/') || href.starts_with("//") {
            return match Url::parse(href) {
                Ok(_) => Target::Stays,
                // Relative, or none at all; the site's own pages have neither.
                Err(_) => Target::Elsewhere { address: "/".into() },
            };
        }
        // The host plays no part: only the pieces are needed.
        let Ok(url) = Url::parse("http://site.invalid").and_then(|base| base.join(href)) else {
            return Target::Elsewhere { address: "/".into() };
        };
        let query = url.query().map_or(String::new(), |query| format!("?{query}"));
        let address = format!("{}{query}", url.path());
        match self.place(&url) {
            Some(place) if !self.missing.contains(&address) => {
                let fragment = url.fragment().map_or(String::new(), |name| format!("#{name}"));
                Target::File { place, address, fragment }
            }
            _ => Target::Elsewhere { address: href.to_owned() },
        }
    }

    fn place(&self, url: &Url) -> Option<String> {
        let segments: Vec<&str> = url.path_segments()?.collect();
        let page = match url.query() {
            None => 1,
            Some(query) => query.strip_prefix("page=")?.parse().ok().filter(|page| *page > 1)?,
        };
        let list = |name: &str| match page {
            1 => format!("lists/{name}.html"),
            page => format!("lists/{name}-{page}.html"),
        };
        match segments[..] {
            ["papers", "all"] => return Some(list("all")),
            ["papers", "trending"] => return (page <= TRENDING).then(|| list("trending")),
            ["papers", "date" | "week" | "month", period] => {
                let name = period.to_ascii_lowercase();
                return period.parse::<Period>().ok().map(|_| list(&name));
            }
            _ if page > 1 => return None,
            _ => {}
        }
        Some(match segments[..] {
            [""] => "index.html".into(),
            ["search"] if self.searchable => SEARCH.into(),
            ["papers", paper] => return self.paper(paper),
            ["papers", paper, "record.json"] => format!("records/paper-{}.json", name(paper)),
            ["runs"] => "runs/index.html".into(),
            ["runs", run] => format!("runs/{}.html", name(run)),
            ["runs", run, "record.json"] => format!("records/run-{}.json", name(run)),
            ["studies" | "methodology"] => format!("{}.html", segments[0]),
            ["comparisons", slug] => format!("comparisons/{}.html", name(slug)),
            ["comparisons", slug, "record.json"] => {
                format!("records/comparison-{}.json", name(slug))
            }
            ["record.schema.json" | "favicon.svg"] => segments[0].into(),
            ["api", "studies"] => "api/studies.json".into(),
            ["assets", asset] => format!("assets/{}", name(asset)),
            [file] if self.living.is_some() => {
                let (stem, format) = Format::split(file);
                let format = format.filter(|format| format.is_feed())?;
                matches!(stem, "daily" | "verdicts")
                    .then(|| format!("feeds/{stem}{}", format.extension()))?
            }
            _ => return None,
        })
    }

    fn paper(&self, segment: &str) -> Option<String> {
        let (paper, format) = Format::split(segment);
        match format {
            None => Some(format!("papers/{}.html", name(paper))),
            // They name the living site, and would be five more files for each paper.
            Some(format) => (self.living.is_some() && self.studied.contains(paper))
                .then(|| format!("papers/{}{}", name(paper), format.extension())),
        }
    }
}

/// A segment of an address as the name of a file: small letters, digits and `-._` stay, so that no two
/// names are one where case does not count, and none has to be encoded in a link.
fn name(segment: &str) -> String {
    let mut name = String::with_capacity(segment.len());
    for (place, byte) in segment.bytes().enumerate() {
        let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        // A file that begins with a dot is hidden, or is a folder.
        if plain || (byte == b'.' && place > 0) {
            name.push(char::from(byte));
        } else if byte == b'%' {
            // Two digits follow, which make a name together with it.
            name.push('~');
        } else if byte.is_ascii_hexdigit() && encoded(segment, place) {
            name.push(char::from(byte.to_ascii_lowercase()));
        } else {
            // Writing to a string never fails.
            let _ = write!(name, "~{byte:02x}");
        }
    }
    name
}

/// Whether the byte at that place is a digit of an encoded one.
fn encoded(segment: &str, place: usize) -> bool {
    segment.as_bytes()[place.saturating_sub(2)..place].contains(&b'%')
}

/// The link from one file of the folder to another.
pub(super) fn relative(from: &str, to: &str) -> String {
    format!("{}{to}", "../".repeat(from.matches('/').count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(living: Option<&str>) -> Scope {
        Scope {
            studied: ["2301.10909".to_owned()].into(),
            living: living.map(str::to_owned),
            missing: ["/papers/gone".to_owned()].into(),
            searchable: true,
        }
    }

    fn place(href: &str) -> Option<String> {
        match scope(Some("https://living.example")).target(href) {
            Target::File { place, fragment, .. } => Some(format!("{place}{fragment}")),
            _ => None,
        }
    }

    #[test]
    fn addresses_and_their_files() {
        for (href, expected) in [
            ("/", "index.html"),
            ("/papers/all?page=12", "lists/all-12.html"),
            ("/papers/week/2025-W37", "lists/2025-w37.html"),
            ("/papers/date/2025-09-09#main", "lists/2025-09-09.html#main"),
            ("/papers/2301.10909#c1", "papers/2301.10909.html#c1"),
            ("/papers/2301.10909.bib", "papers/2301.10909.bib"),
            ("/papers/cs%2F0112017", "papers/cs~2f0112017.html"),
            ("/papers/B~", "papers/~42~7e.html"),
            ("/papers/..x", "papers/~2e.x.html"),
            ("/runs", "runs/index.html"),
            ("/runs/r1/record.json", "records/run-r1.json"),
            ("/daily.atom", "feeds/daily.atom"),
        ] {
            assert_eq!(place(href).as_deref(), Some(expected), "{href}");
        }
        for href in [
            "/papers/all?sort=votes",
            "/papers/trending?page=11",
            "/papers/other.bib",
            "/papers/gone",
            "/papers/date/2025-09-09.bib",
            "/sign-in?to=%2F",
            "/account",
            "/people/ada",
            "/search?q=x",
            "/papers/x/vote",
            "//other.example/",
            "https://arxiv.org/abs/1",
            "elsewhere",
        ] {
            assert_eq!(place(href), None, "{href}");
        }
        let without = scope(None).target("/papers/2301.10909.bib");
        assert_eq!(without, Target::Elsewhere { address: "/papers/2301.10909.bib".into() });
    }

    #[test]
    fn links_between_files() {
        assert_eq!(relative("index.html", "papers/a.html"), "papers/a.html");
        assert_eq!(relative("lists/all.html", "papers/a.html"), "../papers/a.html");
    }
}
