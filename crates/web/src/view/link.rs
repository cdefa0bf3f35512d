//! Addresses of this site's pages, and which outside addresses may become links.

use std::fmt::Write as _;

/// One segment of a path: everything but unreserved characters is percent-encoded, so that an id
/// such as `cs/0112017` stays one segment.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A paper's page.
pub(crate) fn paper(id: &str) -> String {
    format!("/papers/{}", segment(id))
}

/// A person's page.
pub(crate) fn person(handle: &str) -> String {
    format!("/people/{}", segment(handle))
}

/// A comment, from where its page of the discussion is found.
pub(crate) fn comment(paper_id: &str, number: i64) -> String {
    format!("{}/comments/{number}", paper(paper_id))
}

/// What a search finds.
pub(crate) fn search(query: &str) -> String {
    if query.is_empty() { "/search".into() } else { format!("/search?q={}", segment(query)) }
}

/// A page of what a search finds, in the format of that extension.
pub(crate) fn search_as(query: &str, extension: &str, page: u32) -> String {
    let page = if page > 1 { format!("&page={page}") } else { String::new() };
    format!("/search{extension}?q={}{page}", segment(query))
}

/// Changes what who asks keeps of a paper.
pub(crate) fn keep(id: &str) -> String {
    format!("{}/library", paper(id))
}

/// A page with an extension at the end of its path and these parameters; those without a value are
/// left out.
pub(crate) fn with(base: &str, extension: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut out = format!("{base}{extension}");
    let given = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    for (at, (name, value)) in given.enumerate() {
        let sign = if at == 0 { '?' } else { '&' };
        let _ = write!(out, "{sign}{name}={}", segment(value));
    }
    out
}

/// Where somebody subscribes to the digest.
pub(crate) const SUBSCRIBE: &str = "/subscribe";

/// The same, with a search filled in.
pub(crate) fn subscribe_to(query: &str) -> String {
    format!("{SUBSCRIBE}?q={}", segment(query))
}

/// How the digest fares, for administrators.
pub(crate) const DIGEST: &str = "/digest/admin";

/// Where a subscription is confirmed.
pub(crate) fn confirm_digest(token: &str) -> String {
    format!("/digest/confirm?token={}", segment(token))
}

/// Where a subscriber sees and changes a subscription.
pub(crate) fn manage_digest(token: &str) -> String {
    format!("/digest/manage?token={}", segment(token))
}

/// Where subscriptions are ended.
pub(crate) const UNSUBSCRIBE: &str = "/digest/unsubscribe";

/// Where a subscription is ended.
pub(crate) fn unsubscribe(token: &str) -> String {
    format!("{UNSUBSCRIBE}?token={}", segment(token))
}

/// A paper on arXiv. An old id has a slash, which stays one.
pub(crate) fn arxiv(id: &str) -> String {
    format!("https://arxiv.org/abs/{}", path(id))
}

/// A paper's text on arXiv.
pub(crate) fn arxiv_pdf(id: &str) -> String {
    format!("https://arxiv.org/pdf/{}", path(id))
}

/// What a DOI leads to.
pub(crate) fn doi(doi: &str) -> String {
    format!("https://doi.org/{}", path(doi))
}

/// Segments of a path: as [`segment`], but a slash parts them.
fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// A comparison's page.
pub(crate) fn comparison(slug: &str) -> String {
    format!("/comparisons/{}", segment(slug))
}

/// A run's page.
pub(crate) fn run(id: &str) -> String {
    format!("/runs/{}", segment(id))
}

/// An outside address that may stand in `href`: `http` or `https` only, because imported papers
/// bring their own and `javascript:` is an address too.
pub(crate) fn outside(url: &str) -> Option<&str> {
    let scheme = url.split_once("://")?.0;
    ["http", "https"].iter().any(|s| scheme.eq_ignore_ascii_case(s)).then_some(url)
}

/// A name for `id` attributes: letters, digits and hyphens only.
pub(crate) fn anchor(text: &str) -> String {
    let dashed = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    dashed.collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_one_segment() {
        assert_eq!(paper("2301.10909"), "/papers/2301.10909");
        assert_eq!(paper("cs/0112017"), "/papers/cs%2F0112017");
        assert_eq!(paper("a?b#c"), "/papers/a%3Fb%23c");
    }

    #[test]
    fn parameters_are_escaped_and_left_out() {
        let given = [("tag", Some("a&b=c")), ("state", None), ("page", Some("2"))];
        assert_eq!(with("/library", ".bib", &given), "/library.bib?tag=a%26b%3Dc&page=2");
        assert_eq!(with("/library", "", &[("tag", None)]), "/library");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(outside("https://example.org/x"), Some("https://example.org/x"));
        for bad in ["javascript:alert(1)", "data:text/html,x", "javascript://x%0aalert(1)", ""] {
            assert_eq!(outside(bad), None, "{bad}");
        }
    }
}
