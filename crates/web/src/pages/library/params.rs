//! `?state=...&tag=...&sort=...&q=...&page=...`: read strictly, as those of lists are.

use pressrun_catalog::{LibraryQuery, LibraryState, Tag};

use crate::params::{MOST_PAGES, Params};
use crate::view::link;
use crate::{Error, Result};

/// Which papers of a library are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub query: LibraryQuery,
    /// What is looked for within them; empty if nothing is.
    pub words: String,
    /// From 1.
    pub page: u32,
}

impl Asked {
    pub(super) fn read(params: &Params) -> Result<Self> {
        let given = |name| params.value(name).filter(|value| !value.is_empty());
        let state = given("state").map(str::parse).transpose().map_err(Error::of_form)?;
        let tag = given("tag").map(str::parse).transpose().map_err(Error::of_form)?;
        let sort = given("sort").map(str::parse).transpose().map_err(Error::of_form)?;
        let query = LibraryQuery { state, tag, sort: sort.unwrap_or_default() };
        let right = |page: u32| (1..=MOST_PAGES).contains(&page);
        let page = params.number("page", "a number from 1 to 1000000", 1, right)?;
        let words = params.value("q").unwrap_or_default().trim().to_owned();
        Ok(Self { query, words, page })
    }

    /// The address of these papers, in the format of that extension.
    pub(super) fn address(&self, extension: &str) -> String {
        let LibraryQuery { state, tag, sort } = &self.query;
        let page = (self.page > 1).then(|| self.page.to_string());
        let words = (!self.words.is_empty()).then_some(self.words.as_str());
        let sort = (*sort != Default::default()).then(|| sort.name());
        link::with(
            "/library",
            extension,
            &[
                ("state", state.map(LibraryState::name)),
                ("tag", tag.as_ref().map(Tag::as_str)),
                ("sort", sort),
                ("q", words),
                ("page", page.as_deref()),
            ],
        )
    }

    /// The same papers, from the first page on, after a change of the question.
    pub(super) fn but(&self, change: impl FnOnce(&mut LibraryQuery)) -> Self {
        let mut asked = Self { page: 1, ..self.clone() };
        change(&mut asked.query);
        asked
    }
}
