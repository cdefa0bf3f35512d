//! `?sort=...&page=...`: read strictly, because a list that ignores a typing error looks right and
//! is not.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use pressrun_catalog::Sort;

use crate::{Error, Result};

/// The query as it stands in the address.
pub(super) type Pairs = Vec<(String, String)>;

const SORTS: &str = "`date`, `votes`, `trending`, `comments`, `verdict` or `title`";

/// How a list is sorted and which page of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Params {
    pub sort: Sort,
    /// From 1.
    pub page: u32,
}

impl Params {
    /// Reads the query; names that belong to somebody else are left alone.
    pub(super) fn read(query: Result<Query<Pairs>, QueryRejection>, sort: Sort) -> Result<Self> {
        let Query(pairs) = query.map_err(|rejection| Error::Invalid {
            what: "query",
            value: rejection.body_text(),
            expected: "`sort=...&page=...`",
        })?;
        let mut params = Self { sort, page: 1 };
        for (name, value) in pairs {
            match name.as_str() {
                "sort" => {
                    params.sort = value.parse().map_err(|_| Error::Invalid {
                        what: "sort order",
                        value: value.clone(),
                        expected: SORTS,
                    })?;
                }
                "page" => {
                    let page = value.parse().ok().filter(|page| *page > 0);
                    params.page = page.ok_or_else(|| Error::Invalid {
                        what: "page",
                        value: value.clone(),
                        expected: "a number from 1",
                    })?;
                }
                _ => {}
            }
        }
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Params> {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Params::read(Ok(Query(pairs)), Sort::Date)
    }

    #[test]
    fn says_what_would_be_right() {
        assert_eq!(read(&[]).unwrap(), Params { sort: Sort::Date, page: 1 });
        let given = read(&[("sort", "votes"), ("page", "2"), ("utm_source", "x")]).unwrap();
        assert_eq!(given, Params { sort: Sort::Votes, page: 2 });
        for (name, value) in [("sort", "best"), ("page", "0"), ("page", "-1"), ("page", "two")] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{value}` is no")), "{error}");
            assert!(error.contains("expected"), "{error}");
        }
    }
}
