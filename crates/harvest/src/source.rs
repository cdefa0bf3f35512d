//! Where papers come from.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::Error;

/// A source of papers, as it is written on the command line and in the configuration.
///
/// | written | what it is |
/// |---|---|
/// | `https://lab.example/feed.xml` | a file in any form that the importer reads |
/// | `arxiv:cs.LG` | a category of arXiv, through its API |
/// | `oai:https://oaipmh.arxiv.org/oai` | an OAI-PMH repository, in its form `oai_dc` |
/// | `oai:https://oaipmh.arxiv.org/oai#set=cs&metadata=arXiv` | a set of it, in another form |
///
/// # Example
/// ```
/// use pressrun_harvest::Source;
///
/// let source: Source = "arxiv:cs.LG".parse()?;
/// assert_eq!(source, Source::Arxiv { category: "cs.LG".into() });
/// assert_eq!(source.to_string(), "arxiv:cs.LG");
/// assert!("ftp://lab.example/feed".parse::<Source>().is_err());
/// # Ok::<(), pressrun_harvest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File {
        /// Its address.
        url: Url,
    },
    /// A category of arXiv.
    Arxiv {
        /// `cs.LG`, or `cs.*` for all of an archive.
        category: String,
    },
    /// An OAI-PMH repository.
    Oai {
        /// Its base address.
        url: Url,
        /// The set; all of it if absent.
        set: Option<String>,
        /// The form of its records, `arXiv` or `oai_dc`.
        metadata: String,
    },
}

impl Source {
    /// A repository, with the form of records that it is likely to have.
    ///
    /// # Errors
    /// [`Error::Address`] if the address is none of http or https.
    pub fn oai(url: &str, set: Option<&str>, metadata: Option<&str>) -> Result<Self, Error> {
        let url = http(url)?;
        let arxiv = url.host_str().is_some_and(|h| h == "arxiv.org" || h.ends_with(".arxiv.org"));
        let metadata = metadata.unwrap_or(if arxiv { "arXiv" } else { "oai_dc" }).to_owned();
        Ok(Self::Oai { url, set: set.map(str::to_owned), metadata })
    }
}

/// An address of the two schemes.
pub(crate) fn http(text: &str) -> Result<Url, Error> {
    let bad = |reason: String| Error::Address { url: text.into(), reason };
    let mut url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("scheme `{}`", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("names and passwords in addresses end up in logs".into()));
    }
    url.set_fragment(None);
    Ok(url)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { url } => write!(f, "{url}"),
            Self::Arxiv { category } => write!(f, "arxiv:{category}"),
            Self::Oai { url, set: None, metadata } => write!(f, "oai:{url}#metadata={metadata}"),
            Self::Oai { url, set: Some(set), metadata } => {
                write!(f, "oai:{url}#set={set}&metadata={metadata}")
            }
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(category) = text.strip_prefix("arxiv:") {
            let fits = |c: char| c.is_ascii_alphanumeric() || ".-*".contains(c);
            if category.is_empty() || category.len() > 40 || !category.chars().all(fits) {
                return Err(Error::Invalid {
                    what: "category of arXiv",
                    value: category.into(),
                    expected: "a form like `cs.LG`",
                });
            }
            return Ok(Self::Arxiv { category: category.into() });
        }
        if let Some(rest) = text.strip_prefix("oai:") {
            let (url, options) = rest.split_once('#').unwrap_or((rest, ""));
            let option = |name: &str| {
                let mut pairs = options.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            return Self::oai(url, option("set"), option("metadata"));
        }
        Ok(Self::File { url: http(text)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_comes_back() {
        for text in [
            "https://lab.example/feed.xml?a=1",
            "arxiv:cs.*",
            "oai:https://oaipmh.arxiv.org/oai#metadata=arXiv",
            "oai:http://lab.example/oai#set=cs:LG&metadata=oai_dc",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for bad in [
            "ftp://lab.example/",
            "file:///etc/passwd",
            "gopher://x",
            "feed.xml",
            "",
            "arxiv:",
            "arxiv:cs LG",
            "arxiv:a&b",
            "oai:x",
            "http://",
            "https://me:secret@lab.example/",
        ] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
