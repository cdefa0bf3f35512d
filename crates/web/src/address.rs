//! The site's own address, which feeds and files for other programs have to name in full.

use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::{Error, Result};

const EXPECTED: &str = "an address such as `https://papers.example.org`, without a path";

/// Reads the address under which a site is reached from outside: scheme, host and, if need be, a
/// port. A slash at its end is taken off.
///
/// # Errors
/// [`Error::Invalid`] if it is anything else; pages link to one another from the root, so that a path
/// would not work.
///
/// # Example
/// ```
/// use pressrun_web::public_url;
///
/// assert_eq!(public_url("https://papers.example/").unwrap(), "https://papers.example");
/// assert!(public_url("papers.example").is_err());
/// ```
pub fn public_url(text: &str) -> Result<String> {
    let invalid =
        || Error::Invalid { what: "public URL", value: text.to_owned(), expected: EXPECTED };
    let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
    let scheme = scheme.to_ascii_lowercase();
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if !matches!(scheme.as_str(), "http" | "https") || !plain_host(host) {
        return Err(invalid());
    }
    Ok(format!("{scheme}://{}", host.to_ascii_lowercase()))
}

/// The address of the site as absolute links begin: the one that was set, else the host that the
/// request names.
///
/// # Errors
/// [`Error::Invalid`] if that host is none.
pub(crate) fn base(set: Option<&str>, headers: &HeaderMap) -> Result<String> {
    if let Some(set) = set {
        return Ok(set.to_owned());
    }
    let host = headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    let host = host.unwrap_or_default();
    if !plain_host(&host) {
        let expected = "the name of this site, such as `papers.example.org:8080`";
        return Err(Error::Invalid { what: "host", value: host.into_owned(), expected });
    }
    Ok(format!("http://{}", host.to_ascii_lowercase()))
}

/// Whether it is a name, a number or a bracketed IPv6 address, with or without a port.
fn plain_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            ("v6", if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("")) })
        }
        Some(_) => return false,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(letter)
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let port = port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok_and(|p| p > 0));
    host.len() <= 253 && host.split('.').all(label) && port
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_host_with_or_without_a_port() {
        for good in ["papers.example", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert!(plain_host(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "a.example/\"><script>",
            "a:b",
            "a:0",
            "a:70000",
            "a:",
            "user@a",
            "[::1",
            "[x]",
            "[::1]8080",
            "a..b",
            "a?b",
            "a#b",
            "a\\b",
            "ä.example",
            ".",
            "a:+80",
        ] {
            assert!(!plain_host(bad), "{bad}");
        }
    }

    #[test]
    fn a_public_url_has_no_path() {
        assert_eq!(
            public_url("HTTPS://Papers.Example:8443/").unwrap(),
            "https://papers.example:8443"
        );
        for bad in ["https://a.example/papers", "ftp://a.example", "//a", "https://", "https://a?b"]
        {
            let error = public_url(bad).unwrap_err().to_string();
            assert!(error.contains("https://papers.example.org"), "{error}");
        }
    }

    #[test]
    fn the_setting_goes_before_the_request() {
        let mut headers = HeaderMap::new();
        assert!(base(None, &headers).is_err());
        headers.insert(HOST, HeaderValue::from_static("Evil.example:80"));
        assert_eq!(base(None, &headers).unwrap(), "http://evil.example:80");
        assert_eq!(base(Some("https://own.example"), &headers).unwrap(), "https://own.example");
        headers.insert(HOST, HeaderValue::from_static("a/b"));
        assert!(base(None, &headers).unwrap_err().to_string().starts_with("`a/b` is no host"));
    }
}
