//! What people may like, worked out once for each library as it is: the model is fitted anew when the
//! library, the person's votes or the index have changed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Span;
use jiff::civil::Date;
use pressrun_catalog::Tag;
use pressrun_search::recommend::{Likes, Recipe, Recommended, Wanted};

use crate::bounded::Bounded;
use crate::site::Site;
use crate::{Error, Result};

/// Papers that are recommended at most.
const MOST: usize = 200;
/// Answers kept; one takes some fifty kilobytes.
const KEPT: usize = 256;

/// From which days papers are recommended: up to the newest list of the site, which is its today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Window {
    Day,
    Week,
    Month,
    #[default]
    All,
}

impl Window {
    pub(crate) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::All];

    /// The name in addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::All => "all",
        }
    }

    /// Its first day, if it has one.
    fn since(self, newest: Option<Date>) -> Option<Date> {
        let days = match self {
            Self::Day => 0,
            Self::Week => 6,
            Self::Month => 29,
            Self::All => return None,
        };
        newest.map(|newest| newest.checked_sub(Span::new().days(days)).unwrap_or(Date::MIN))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|window| window.name() == text);
        let expected = "`day`, `week`, `month` or `all`";
        found.ok_or_else(|| Error::Invalid { what: "window", value: text.to_owned(), expected })
    }
}

/// Whose, under which tag, from which days.
type Question = (i64, Option<Tag>, Window);
/// What an answer depends on: library and votes, index, newest day.
type Mark = ((i64, i64, i64), i64, Option<Date>);

/// The answers that were given last.
#[derive(Debug)]
pub(crate) struct Recommender {
    kept: Bounded<Question, (Mark, Option<Arc<Recommended>>)>,
}

impl Default for Recommender {
    fn default() -> Self {
        Self { kept: Bounded::new(KEPT) }
    }
}

impl Recommender {
    /// What a person may like; `None` as long as they have said of no paper that they do.
    pub(crate) async fn of(
        &self,
        site: &Site,
        person: i64,
        tag: Option<&Tag>,
        window: Window,
    ) -> Result<Option<Arc<Recommended>>> {
        let question = (person, tag.cloned(), window);
        let library = site.catalog.library_revision(person).await?;
        let newest = site.catalog.latest_day().await?;
        let mark = (library, site.search.index().revision(), newest);
        if let Some((of, found)) = self.kept.get(&question)
            && of == mark
        {
            return Ok(found);
        }
        let examples = site.catalog.library_examples(person, tag).await?;
        let likes =
            Likes { liked: examples.liked, disliked: examples.disliked, known: examples.known };
        let wanted = Wanted { since: window.since(newest), most: MOST };
        let ask = move |index: &pressrun_search::Index| {
            Ok(index.recommend(&likes, wanted, &Recipe::default()))
        };
        let found = site.search.ask(ask).await.map_err(Error::Search)?.map(Arc::new);
        // If the index has moved on meanwhile the mark is too old, and the next question asks again.
        self.kept.put(question, (mark, found.clone()));
        Ok(found)
    }
}
