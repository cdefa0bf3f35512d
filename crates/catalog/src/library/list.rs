//! Reading a library: pages, counts, notes.

use std::fmt;
use std::str::FromStr;

use sqlx::{AssertSqlSafe, Row};

use super::{COLUMNS, LibraryEntry, LibraryState, Tag, entry};
use crate::{Catalog, Error, Result};

/// The order of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LibrarySort {
    /// What was added last first.
    #[default]
    Added,
    /// The newest papers first: by listed day, else by date of publication.
    Date,
    /// From A to Z.
    Title,
}

impl LibrarySort {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Added, Self::Date, Self::Title];

    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Date => "date",
            Self::Title => "title",
        }
    }

    fn order(self) -> &'static str {
        match self {
            Self::Added => "library.added_at DESC, library.paper",
            Self::Date => "papers.dated DESC, library.paper",
            Self::Title => "papers.title_key, library.paper",
        }
    }
}

impl fmt::Display for LibrarySort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LibrarySort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|sort| sort.name() == text);
        found.ok_or_else(|| Error::Invalid {
            what: "sort order",
            value: text.chars().take(100).collect(),
            expected: "`added`, `date` or `title`",
        })
    }
}

/// Which papers of a library, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryQuery {
    /// Only those that stand so; without it all but those that are not for the person.
    pub state: Option<LibraryState>,
    /// Only those with this tag.
    pub tag: Option<Tag>,
    /// The order.
    pub sort: LibrarySort,
}

/// A page of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryPage {
    /// Its papers.
    pub entries: Vec<LibraryEntry>,
    /// Papers on all pages.
    pub total: u64,
}

/// How many papers of a library stand how, and have which tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryCounts {
    /// By state; states without papers are left out.
    pub states: Vec<(LibraryState, u64)>,
    /// By tag, in their order, of papers that are not "not for me".
    pub tags: Vec<(Tag, u64)>,
}

impl LibraryCounts {
    /// Papers that stand so.
    pub fn of(&self, state: LibraryState) -> u64 {
        self.states.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count)
    }

    /// Papers that are kept, whatever else is said of them.
    pub fn kept(&self) -> u64 {
        let kept = self.states.iter().filter(|(state, _)| *state != LibraryState::NotForMe);
        kept.map(|(_, count)| count).sum()
    }
}

impl LibraryQuery {
    /// `FROM` and `WHERE` with person, state and tag, in this order.
    fn source(&self) -> String {
        let mut sql = String::from("library");
        if self.sort != LibrarySort::Added {
            sql.push_str(" JOIN papers ON papers.id = library.paper");
        }
        if self.tag.is_some() {
            sql.push_str(
                " JOIN library_tags ON library_tags.person = library.person \
                 AND library_tags.paper = library.paper AND library_tags.tag = $3",
            );
        }
        let compared = if self.state.is_some() { "=" } else { "<>" };
        sql + &format!(" WHERE library.person = $1 AND library.state {compared} $2")
    }

    fn state_name(&self) -> &'static str {
        self.state.unwrap_or(LibraryState::NotForMe).name()
    }
}

impl Catalog {
    /// A stretch of a person's library: at most `limit` papers from the one at `offset` on.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library(
        &self,
        person: i64,
        query: &LibraryQuery,
        offset: u64,
        limit: u32,
    ) -> Result<LibraryPage> {
        let (source, order) = (query.source(), query.sort.order());
        let tag = query.tag.as_ref().map(|tag| tag.as_str().to_owned());
        let sql = format!("SELECT COUNT(*) FROM {source}");
        let mut count = sqlx::query(AssertSqlSafe(sql)).bind(person).bind(query.state_name());
        let after = if tag.is_some() { 4 } else { 3 };
        let sql = format!(
            "SELECT {COLUMNS} FROM {source} ORDER BY {order} LIMIT ${after} OFFSET ${}",
            after + 1
        );
        let mut read = sqlx::query(AssertSqlSafe(sql)).bind(person).bind(query.state_name());
        if let Some(tag) = tag {
            count = count.bind(tag.clone());
            read = read.bind(tag);
        }
        let read = read.bind(i64::from(limit)).bind(i64::try_from(offset).unwrap_or(i64::MAX));
        // One transaction: number and papers are of the same moment.
        let mut snapshot = self.readers().begin().await?;
        let total: i64 = count.fetch_one(&mut *snapshot).await?.try_get(0)?;
        let rows = read.fetch_all(&mut *snapshot).await?;
        snapshot.commit().await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
        self.add_tags(person, &mut entries).await?;
        Ok(LibraryPage { entries, total: total.unsigned_abs() })
    }

    /// All of a person's library, what is not for them included, in the order in which it came in.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn whole_library(&self, person: i64) -> Result<Vec<LibraryEntry>> {
        let sql =
            format!("SELECT {COLUMNS} FROM library WHERE person = $1 ORDER BY added_at, paper");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(person).fetch_all(self.readers()).await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
        self.add_tags(person, &mut entries).await?;
        Ok(entries)
    }

    async fn add_tags(&self, person: i64, entries: &mut [LibraryEntry]) -> Result<()> {
        let papers: Vec<&str> = entries.iter().map(|entry| entry.paper.as_str()).collect();
        let mut tags = std::collections::HashMap::<String, Vec<Tag>>::new();
        for row in self.library_rows(person, "paper, tag", "library_tags", &papers).await? {
            tags.entry(row.try_get(0)?).or_default().push(Tag::stored(row.try_get(1)?));
        }
        for entry in entries {
            entry.tags = tags.remove(&entry.paper).unwrap_or_default();
            entry.tags.sort();
        }
        Ok(())
    }

    /// How many papers of a person's library stand how, and have which tags.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_counts(&self, person: i64) -> Result<LibraryCounts> {
        let mut counts = LibraryCounts::default();
        let sql = "SELECT state, COUNT(*) FROM library WHERE person = $1 GROUP BY state";
        for row in sqlx::query(sql).bind(person).fetch_all(self.readers()).await? {
            let (state, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            counts.states.push((state.parse()?, count.unsigned_abs()));
        }
        counts.states.sort();
        let sql = "SELECT tag, COUNT(*) FROM library_tags JOIN library \
             ON library.person = library_tags.person AND library.paper = library_tags.paper \
             WHERE library_tags.person = $1 AND library.state <> 'not-for-me' \
             GROUP BY tag ORDER BY tag";
        for row in sqlx::query(sql).bind(person).fetch_all(self.readers()).await? {
            let count: i64 = row.try_get(1)?;
            counts.tags.push((Tag::stored(row.try_get(0)?), count.unsigned_abs()));
        }
        Ok(counts)
    }

    /// Ids of all papers of a person's library that fit, in their order.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_papers(&self, person: i64, query: &LibraryQuery) -> Result<Vec<String>> {
        let (source, order) = (query.source(), query.sort.order());
        let sql = format!("SELECT library.paper FROM {source} ORDER BY {order}");
        let mut read = sqlx::query(AssertSqlSafe(sql)).bind(person).bind(query.state_name());
        if let Some(tag) = &query.tag {
            read = read.bind(tag.as_str().to_owned());
        }
        let rows = read.fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Ids of the papers of a person's library in whose note all of these words stand, as parts of
    /// words too and whether they are written large or small; at most `most`. None for no words.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn library_notes_with(
        &self,
        person: i64,
        words: &[String],
        most: usize,
    ) -> Result<Vec<String>> {
        /// Notes read at once: they may be long.
        const AT_ONCE: i64 = 256;
        let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let (mut found, mut last) = (Vec::new(), String::new());
        while !words.is_empty() {
            // Compared here: of what is large and small SQLite knows ASCII only.
            let sql = "SELECT paper, note FROM library WHERE person = $1 AND paper > $2 \
                 AND note <> '' AND state <> 'not-for-me' ORDER BY paper LIMIT $3";
            let query = sqlx::query(sql).bind(person).bind(last.clone()).bind(AT_ONCE);
            let rows = query.fetch_all(self.readers()).await?;
            for row in &rows {
                last = row.try_get(0)?;
                let note: String = row.try_get(1)?;
                let note = note.to_lowercase();
                if words.iter().all(|word| note.contains(word.as_str())) {
                    found.push(last.clone());
                }
            }
            if (rows.len() as i64) < AT_ONCE || found.len() >= most {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lists_are_stretches_of_an_index() {
        let catalog = Catalog::in_memory().await.unwrap();
        let steps = async |query: LibraryQuery| {
            let (source, order) = (query.source(), query.sort.order());
            let sql =
                format!("EXPLAIN QUERY PLAN SELECT library.paper FROM {source} ORDER BY {order}");
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(catalog.readers()).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>()
        };
        let all = steps(LibraryQuery::default()).await;
        assert_eq!(all, ["SEARCH library USING INDEX library_added_idx (person=?)"]);
        let later = LibraryQuery { state: Some(LibraryState::Later), ..Default::default() };
        let found = "SEARCH library USING COVERING INDEX library_state_idx (person=? AND state=?)";
        assert_eq!(steps(later).await, [found]);
        // By tag, one side is walked and the other looked up: either way the rows of one person.
        let tagged = LibraryQuery { tag: Some("a".parse().unwrap()), ..Default::default() };
        let steps = steps(tagged).await;
        assert!(steps.iter().all(|step| !step.contains("SCAN")), "{steps:?}");
        assert!(steps.iter().any(|step| step.contains("tag=?")), "{steps:?}");
    }

    #[test]
    fn names_of_orders() {
        assert!(LibrarySort::ALL.iter().all(|s| s.name().parse::<LibrarySort>().unwrap() == *s));
        assert!("votes".parse::<LibrarySort>().is_err());
    }
}
