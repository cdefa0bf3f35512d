//! What a library says about what its person likes.

use std::collections::HashSet;

use sqlx::Row;

use super::{LibraryState, Tag};
use crate::{Catalog, Result};

/// Papers from which can be learnt what a person likes; each list is in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examples {
    /// What they like: of one tag the papers that have it, else all that they keep or voted for.
    pub liked: Vec<String>,
    /// What is not for them.
    pub disliked: Vec<String>,
    /// All that they know already: what is in the library in any way, and what they voted for.
    pub known: Vec<String>,
}

impl Catalog {
    /// What a person likes and does not, in general or under a tag.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn library_examples(&self, person: i64, tag: Option<&Tag>) -> Result<Examples> {
        let (mut examples, mut known) = (Examples::default(), HashSet::new());
        let mut snapshot = self.readers().begin().await?;
        let sql = "SELECT paper, state FROM library WHERE person = $1";
        for row in sqlx::query(sql).bind(person).fetch_all(&mut *snapshot).await? {
            let (paper, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if state == LibraryState::NotForMe.name() {
                examples.disliked.push(paper.clone());
            } else if tag.is_none() {
                examples.liked.push(paper.clone());
            }
            known.insert(paper);
        }
        let sql = "SELECT paper FROM votes WHERE person = $1";
        for row in sqlx::query(sql).bind(person).fetch_all(&mut *snapshot).await? {
            let paper: String = row.try_get(0)?;
            if known.insert(paper.clone()) && tag.is_none() {
                examples.liked.push(paper);
            }
        }
        if let Some(tag) = tag {
            let sql = "SELECT library.paper FROM library_tags JOIN library \
                 ON library.person = library_tags.person AND library.paper = library_tags.paper \
                 WHERE library_tags.person = $1 AND tag = $2 AND state <> 'not-for-me'";
            let query = sqlx::query(sql).bind(person).bind(tag.as_str().to_owned());
            for row in query.fetch_all(&mut *snapshot).await? {
                examples.liked.push(row.try_get(0)?);
            }
        }
        snapshot.commit().await?;
        examples.known = known.into_iter().collect();
        for papers in [&mut examples.liked, &mut examples.disliked, &mut examples.known] {
            papers.sort();
        }
        Ok(examples)
    }

    /// A mark that changes whenever [`Catalog::library_examples`] of that person may: the number of
    /// changes of the library, of votes, and the time of the last vote.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn library_revision(&self, person: i64) -> Result<(i64, i64, i64)> {
        let sql = "SELECT COALESCE((SELECT revision FROM library_revisions WHERE person = $1), 0), \
             COUNT(*), COALESCE(MAX(at), 0) FROM votes WHERE person = $1";
        let row = sqlx::query(sql).bind(person).fetch_one(self.readers()).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }
}
