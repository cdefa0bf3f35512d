//! Libraries: what each person keeps for themselves.
//!
//! Every function takes the person whose library it is, and every statement has them in its condition:
//! there is no way to ask for an entry without saying whose.

mod change;
mod examples;
mod list;
mod tag;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

pub use self::change::LibraryChange;
pub use self::examples::Examples;
pub use self::list::{LibraryCounts, LibraryPage, LibraryQuery, LibrarySort};
pub use self::tag::Tag;

use crate::sql::{moment, padded, rows};
use crate::{Catalog, Error, Result, dialect};

/// How a paper stands in a person's library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LibraryState {
    /// Kept, without more.
    #[default]
    None,
    /// To be read.
    Later,
    /// Being read.
    Reading,
    /// Read.
    Done,
    /// Not wanted: it is never recommended again, and papers like it less. It keeps its note and its
    /// tags, but counts for none of them as long as it stands so.
    NotForMe,
}

impl LibraryState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::None, Self::Later, Self::Reading, Self::Done, Self::NotForMe];

    /// The name in the database, in addresses and in forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Later => "later",
            Self::Reading => "reading",
            Self::Done => "done",
            Self::NotForMe => "not-for-me",
        }
    }
}

impl fmt::Display for LibraryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LibraryState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| Error::Invalid {
            what: "state",
            value: text.chars().take(100).collect(),
            expected: "`none`, `later`, `reading`, `done` or `not-for-me`",
        })
    }
}

/// A paper in a person's library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    /// Id of the paper.
    pub paper: String,
    /// How it stands.
    pub state: LibraryState,
    /// Tags, in their order.
    pub tags: Vec<Tag>,
    /// Markdown, as it was written; empty if there is none.
    pub note: String,
    /// When it came in.
    pub added_at: Timestamp,
    /// When anything about it changed last.
    pub changed_at: Timestamp,
}

/// Papers that one statement asks for.
const LOOKUP: usize = 64;
/// Columns of an entry, in the order in which they are read.
const COLUMNS: &str =
    "library.paper, library.state, library.note, library.added_at, library.changed_at";

/// Reads [`COLUMNS`]; tags are not among them.
fn entry(row: &AnyRow) -> Result<LibraryEntry> {
    let state: String = row.try_get(1)?;
    Ok(LibraryEntry {
        paper: row.try_get(0)?,
        state: state.parse()?,
        tags: Vec::new(),
        note: row.try_get(2)?,
        added_at: moment(row.try_get(3)?),
        changed_at: moment(row.try_get(4)?),
    })
}

/// A statement about a person's rows of these papers: `$1` and so on for at most [`LOOKUP`] papers, in
/// a few sizes so that it stays prepared, then the person.
fn of_papers(columns: &str, table: &str, size: usize) -> String {
    let mut sql =
        format!("SELECT {columns} FROM {table} WHERE paper IN {} AND person = ", rows(1, size));
    dialect::placeholder(&mut sql, size + 1);
    sql
}

impl Catalog {
    /// The rows of these papers in a table of the library.
    async fn library_rows(
        &self,
        person: i64,
        columns: &str,
        table: &str,
        papers: &[&str],
    ) -> Result<Vec<AnyRow>> {
        let mut found = Vec::new();
        for part in papers.chunks(LOOKUP) {
            let size = part.len().next_power_of_two();
            let sql = of_papers(columns, table, size);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for paper in padded(part, size) {
                query = query.bind((*paper).to_owned());
            }
            found.extend(query.bind(person).fetch_all(self.readers()).await?);
        }
        Ok(found)
    }

    /// The paper of that id in a person's library.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_entry(&self, person: i64, paper: &str) -> Result<Option<LibraryEntry>> {
        Ok(self.library_entries(person, &[paper]).await?.remove(paper))
    }

    /// Those of these papers that a person has in their library, by id.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_entries(
        &self,
        person: i64,
        papers: &[&str],
    ) -> Result<HashMap<String, LibraryEntry>> {
        let mut entries = HashMap::new();
        for row in self.library_rows(person, COLUMNS, "library", papers).await? {
            let entry = entry(&row)?;
            entries.insert(entry.paper.clone(), entry);
        }
        for row in self.library_rows(person, "paper, tag", "library_tags", papers).await? {
            let paper: String = row.try_get(0)?;
            if let Some(entry) = entries.get_mut(&paper) {
                entry.tags.push(Tag::stored(row.try_get(1)?));
            }
        }
        entries.values_mut().for_each(|entry| entry.tags.sort());
        Ok(entries)
    }

    /// How those of these papers stand that a person has in their library.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_states(
        &self,
        person: i64,
        papers: &[&str],
    ) -> Result<HashMap<String, LibraryState>> {
        let rows = self.library_rows(person, "paper, state", "library", papers).await?;
        let state = |row: &AnyRow| {
            let state: String = row.try_get(1)?;
            Ok((row.try_get(0)?, state.parse()?))
        };
        rows.iter().map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_states() {
        assert!(
            LibraryState::ALL
                .iter()
                .all(|state| state.name().parse::<LibraryState>().unwrap() == *state)
        );
        let error = "read".parse::<LibraryState>().unwrap_err().to_string();
        assert!(error.contains("expected `none`, `later`"), "{error}");
    }

    #[tokio::test]
    async fn papers_are_looked_up_by_person_and_paper() {
        let catalog = Catalog::in_memory().await.unwrap();
        for table in ["library", "library_tags"] {
            let sql = format!("EXPLAIN QUERY PLAN {}", of_papers("paper", table, 4));
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(catalog.readers()).await.unwrap();
            let steps: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
            assert_eq!(steps.len(), 1, "{steps:?}");
            let both = steps[0].contains("person=?") && steps[0].contains("paper=?");
            assert!(steps[0].starts_with("SEARCH") && both, "{steps:?}");
        }
    }
}
