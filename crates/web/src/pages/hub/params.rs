//! The parameters of the papers API.

use pressrun_catalog::{Period, Place, Sort};

use crate::params::{MOST_PAGES, Params};
use crate::{Error, Result};

/// Papers of an answer where nobody says how many.
const LIMIT: u32 = 50;
/// Most papers of an answer.
const MOST: u32 = 100;

type IsOfKind = fn(&Period) -> bool;

impl Params {
    /// The day, week or month that is asked for; everything if none is.
    pub(super) fn period(&self) -> Result<Period> {
        let kinds: [(_, _, IsOfKind); 3] = [
            ("date", "a day such as `2025-09-09`", |p| matches!(p, Period::Day(_))),
            ("week", "a week such as `2025-W37`", |p| matches!(p, Period::Week { .. })),
            ("month", "a month such as `2025-09`", |p| matches!(p, Period::Month { .. })),
        ];
        let mut found = Period::All;
        for (what, expected, right) in kinds {
            let Some(value) = self.value(what) else { continue };
            let invalid = |expected| Error::Invalid { what, value: value.to_owned(), expected };
            let period = value.parse().ok().filter(right).ok_or_else(|| invalid(expected))?;
            if found != Period::All {
                return Err(invalid("only one of `date`, `week` and `month`"));
            }
            found = period;
        }
        Ok(found)
    }

    /// `publishedAt` or `trending`.
    pub(super) fn sort(&self) -> Result<Sort> {
        match self.value("sort") {
            None | Some("publishedAt") => Ok(Sort::Date),
            Some("trending") => Ok(Sort::Trending),
            Some(other) => Err(Error::Invalid {
                what: "sort",
                value: other.to_owned(),
                expected: "`publishedAt` or `trending`",
            }),
        }
    }

    /// The page, from 0.
    pub(super) fn p(&self) -> Result<u32> {
        self.number("p", "a number from 0 to 1000000", 0, |page: u32| page <= MOST_PAGES)
    }

    /// How many papers at most.
    pub(super) fn limit_of_list(&self) -> Result<u32> {
        let right = |limit| (1..=MOST).contains(&limit);
        self.number("limit", "a number from 1 to 100", LIMIT, right)
    }

    /// Where to go on.
    pub(super) fn cursor(&self) -> Result<Option<Place>> {
        let Some(value) = self.value("cursor") else { return Ok(None) };
        let parts = value.split_once('~').filter(|(dated, id)| {
            let fit = |b: u8| b.is_ascii_digit() || b == b'-';
            dated.len() <= 10 && dated.bytes().all(fit) && !id.is_empty()
        });
        let place = parts.map(|(dated, id)| Place { dated: dated.into(), id: id.into() });
        let expected = "the cursor of an address in the header `Link` of an earlier answer";
        let invalid = || Error::Invalid { what: "cursor", value: value.to_owned(), expected };
        place.map(Some).ok_or_else(invalid)
    }
}

/// A place in the list as text.
pub(super) fn cursor(place: &Place) -> String {
    format!("{}~{}", place.dated, place.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn one_period_of_the_right_kind() {
        assert_eq!(params(&[]).period().unwrap(), Period::All);
        let week = params(&[("week", "2025-W37"), ("x", "y")]).period().unwrap();
        assert_eq!(week.to_string(), "2025-W37");
        for (pairs, right) in [
            (vec![("date", "2025-W37")], "a day such as"),
            (vec![("date", "all")], "a day such as"),
            (vec![("month", "")], "a month such as"),
            (vec![("date", "2025-09-09"), ("month", "2025-09")], "only one of"),
        ] {
            let error = params(&pairs).period().unwrap_err().to_string();
            assert!(error.contains(right), "{error}");
        }
    }

    #[test]
    fn a_cursor_comes_back() {
        let place = Place { dated: "2025-09".into(), id: "cs/01~12".into() };
        let text = cursor(&place);
        assert_eq!(params(&[("cursor", &text)]).cursor().unwrap(), Some(place));
        for text in ["", "x", "~", "2025~", "now~a", "2025-09-09-09~a"] {
            assert!(params(&[("cursor", text)]).cursor().is_err(), "{text}");
        }
    }
}
