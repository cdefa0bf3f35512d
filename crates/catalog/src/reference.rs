//! What somebody types to name a paper: an arXiv id, a DOI, or an address.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;

use crate::{Error, NewPaper, Result, identity};

/// A paper as somebody names it.
///
/// # Example
/// ```
/// use pressrun_catalog::Reference;
///
/// let arxiv: Reference = "https://huggingface.co/papers/2301.10909".parse()?;
/// assert_eq!(arxiv, Reference::Arxiv("2301.10909".into()));
/// let doi: Reference = "https://doi.org/10.1145/3292500".parse()?;
/// assert_eq!(doi.to_string(), "doi:10.1145/3292500");
/// assert!("gates that open".parse::<Reference>().is_err());
/// # Ok::<(), pressrun_catalog::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// An arXiv id without version.
    Arxiv(String),
    /// A DOI in lower case.
    Doi(String),
    /// The address of a page about it, `http` or `https`.
    Page(String),
}

/// What was found elsewhere about a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The paper.
    pub paper: NewPaper,
    /// Whether who says so answers for it: arXiv for its ids, a registrar for its DOIs. What the page of
    /// anybody says is a draft.
    pub vouched: bool,
}

/// An answer that is on its way.
pub type Finding<'f> = Pin<Box<dyn Future<Output = Result<Option<Found>, String>> + Send + 'f>>;

/// Whoever can look papers up elsewhere.
pub trait Finder: fmt::Debug + Send + Sync {
    /// Looks a paper up; none if there is no such paper. An error says for people why nobody could be
    /// asked.
    fn find<'f>(&'f self, reference: &'f Reference) -> Finding<'f>;
}

/// Longest text that is looked at.
const MAX: usize = 2000;

/// Sites whose addresses of papers end in the arXiv id.
const OF_ARXIV: [&str; 5] = [
    "arxiv.org/",
    "huggingface.co/papers/",
    "hf.co/papers/",
    "alphaxiv.org/",
    "ar5iv.labs.arxiv.org/",
];

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let invalid = || Error::Invalid {
            what: "paper",
            value: text.chars().take(200).collect(),
            expected: "an arXiv id such as `2301.10909`, a DOI such as `10.1145/3292500`, or the \
                       address of a page about it",
        };
        if text.len() > MAX || text.contains(|c: char| c.is_control()) {
            return Err(invalid());
        }
        if let Some(id) = identity::arxiv_id(text) {
            return Ok(Self::Arxiv(id));
        }
        if let Some(doi) = identity::doi(text) {
            // arXiv's own DOIs say the arXiv id.
            let of_arxiv = doi.strip_prefix("10.48550/arxiv.").and_then(identity::arxiv_id);
            return Ok(of_arxiv.map_or(Self::Doi(doi), Self::Arxiv));
        }
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
        let rest = rest.filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
        let rest = rest.ok_or_else(invalid)?;
        let rest = rest.strip_prefix("www.").unwrap_or(rest);
        if OF_ARXIV.iter().any(|site| rest.starts_with(site)) {
            let path = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            // An old id has a slash of its own.
            let ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
            let end = |end: &str| identity::arxiv_id(end.strip_suffix(".md").unwrap_or(end));
            if let Some(id) = ends.into_iter().find_map(end) {
                return Ok(Self::Arxiv(id));
            }
        }
        Ok(Self::Page(text.to_owned()))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arxiv(id) => write!(f, "arXiv:{id}"),
            Self::Doi(doi) => write!(f, "doi:{doi}"),
            Self::Page(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_and_addresses_of_many_forms() {
        for text in [
            " 2301.10909v2 ",
            "arXiv:2301.10909",
            "https://arxiv.org/abs/2301.10909?context=cs",
            "https://www.alphaxiv.org/abs/2301.10909v1",
            "https://huggingface.co/papers/2301.10909.md",
            "https://hf.co/papers/2301.10909#community",
            "https://doi.org/10.48550/arXiv.2301.10909",
        ] {
            assert_eq!(
                text.parse::<Reference>().unwrap().to_string(),
                "arXiv:2301.10909",
                "{text}"
            );
        }
        let old: Reference = "https://arxiv.org/abs/cs/0112017v1".parse().unwrap();
        assert_eq!(old, Reference::Arxiv("cs/0112017".into()));
        let page = "https://openreview.net/forum?id=Ab_1";
        assert_eq!(page.parse::<Reference>().unwrap(), Reference::Page(page.into()));
        // A number at the end of any address is no arXiv id.
        let other: Reference = "https://lab.example/2301.10909".parse().unwrap();
        assert!(matches!(other, Reference::Page(_)));
        for bad in
            ["", "gates", "ftp://a.example/x", "javascript:alert(1)", "https://a b", "http://"]
        {
            let error = bad.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains("an arXiv id such as"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}", path in "[a-z0-9/.?#%-]{0,30}") {
            let _ = text.parse::<Reference>();
            let _ = format!("https://arxiv.org/{path}").parse::<Reference>();
        }
    }
}
