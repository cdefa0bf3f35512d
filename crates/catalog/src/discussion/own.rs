//! What a person has said: for everybody, and for themselves.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};

use super::{Audience, COMMENTS, Comment, Version};
use crate::sql::moment;
use crate::{Catalog, Result};

/// A comment of a person's own, with all that is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnComment {
    /// The comment.
    pub comment: Comment,
    /// What it said before, the oldest first.
    pub versions: Vec<Version>,
}

impl Catalog {
    /// The newest comments of a person that everybody can read, each with its paper's title.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn recent_comments_of(
        &self,
        person: i64,
        limit: u32,
    ) -> Result<Vec<(Comment, String)>> {
        let sql = format!(
            "{COMMENTS} WHERE c.person = $1 AND c.deleted_at IS NULL AND c.hidden_at IS NULL \
             ORDER BY c.created_at DESC, c.paper, c.number LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(person).bind(i64::from(limit));
        let rows = query.fetch_all(self.readers()).await?;
        let comments = self.with_mentions(&rows, Audience::Public).await?;
        let titles = self.titles_of(comments.iter().map(|comment| comment.paper.as_str())).await?;
        Ok(comments.into_iter().zip(titles).collect())
    }

    /// All comments of a person, the newest first, with their history.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn all_comments_of(&self, person: i64) -> Result<Vec<OwnComment>> {
        let sql =
            format!("{COMMENTS} WHERE c.person = $1 ORDER BY c.created_at DESC, c.paper, c.number");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(person).fetch_all(self.readers()).await?;
        let comments = self.with_mentions(&rows, Audience::Person(person)).await?;
        let mut all = Vec::with_capacity(comments.len());
        for comment in comments {
            let versions = match comment.edited_at {
                None => Vec::new(),
                Some(_) => {
                    let audience = Audience::Person(person);
                    self.comment_history(&comment.paper, comment.number, audience).await?.1
                }
            };
            all.push(OwnComment { comment, versions });
        }
        Ok(all)
    }

    /// What a person has reported, the newest first: paper, comment, when, and why.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn reports_of(&self, person: i64) -> Result<Vec<(String, i64, Timestamp, String)>> {
        let sql = "SELECT paper, number, at, reason FROM comment_reports WHERE person = $1 \
             ORDER BY at DESC, paper, number";
        let rows = sqlx::query(sql).bind(person).fetch_all(self.readers()).await?;
        let one = |row: &sqlx::any::AnyRow| {
            Ok((row.try_get(0)?, row.try_get(1)?, moment(row.try_get(2)?), row.try_get(3)?))
        };
        rows.iter().map(one).collect()
    }

    /// The titles of papers that there are, in the order given.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn titles_of(&self, papers: impl Iterator<Item = &str>) -> Result<Vec<String>> {
        let ids: Vec<String> = papers.map(str::to_owned).collect();
        let found = self.papers_of(&ids).await?;
        let of = |id: &String| found.iter().find(|paper| paper.id == *id);
        Ok(ids
            .iter()
            .map(|id| of(id).map(|paper| paper.title.clone()).unwrap_or_default())
            .collect())
    }
}
