//! `?q=...&page=...&limit=...`: read strictly, as those of lists are.

use crate::params::Params;
use crate::{Error, Result};

/// Papers that a program gets if it does not say how many.
const LIMIT: usize = 20;
/// Most papers of one answer to a program.
const MOST: usize = 120;

impl Params {
    /// What is looked for; empty if nothing is.
    pub(super) fn query(&self) -> &str {
        self.value("q").unwrap_or_default()
    }

    /// Which page of the results, from 1.
    pub(super) fn page(&self) -> Result<u32> {
        self.number("page", "a number from 1", 1, |page| page > 0)
    }

    /// How many papers at most.
    pub(super) fn limit(&self) -> Result<usize> {
        self.number("limit", "a number from 1 to 120", LIMIT, |limit| (1..=MOST).contains(&limit))
    }

    /// Whether suggestions are asked for in the form of `OpenSearch`.
    pub(super) fn opensearch(&self) -> Result<bool> {
        match self.value("form") {
            None => Ok(false),
            Some("opensearch") => Ok(true),
            Some(other) => {
                let expected = "`opensearch`, or none at all";
                Err(Error::Invalid { what: "form", value: other.to_owned(), expected })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn says_what_would_be_right() {
        let given = params(&[("q", "gates"), ("page", "2"), ("utm_source", "x")]);
        assert_eq!(
            (given.query(), given.page().unwrap(), given.limit().unwrap()),
            ("gates", 2, 20)
        );
        for value in ["0", "-1", "two", "", "4294967296"] {
            let error = params(&[("page", value)]).page().unwrap_err().to_string();
            assert_eq!(error, format!("`{value}` is no page; expected a number from 1."));
        }
        for value in ["0", "121", "all"] {
            let error = params(&[("limit", value)]).limit().unwrap_err().to_string();
            assert!(error.ends_with("expected a number from 1 to 120."), "{error}");
        }
    }
}
