//! What curators look after: reports, and what is hidden.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Audience, COMMENTS, Comment, changed, checked_reason};
use crate::sql::{moment, now};
use crate::{Catalog, Error, Result};

/// Most rows of each list that curators see at once; the rest comes when these are dealt with.
const QUEUE: i64 = 100;

/// Somebody's report of a comment that nobody has dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The comment.
    pub comment: Comment,
    /// Short name of who reported it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Catalog {
    /// Reports a comment to the curators. Reporting it again changes the reason.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none that everybody can read, [`Error::Invalid`] for a
    /// reason out of its bounds.
    pub async fn report_comment(
        &self,
        paper: &str,
        number: i64,
        person: i64,
        reason: &str,
    ) -> Result<()> {
        let reason = checked_reason(reason)?;
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO comment_reports (at, number, person, paper, reason) \
             SELECT $1, number, $2, paper, $3 FROM comments \
             WHERE paper = $4 AND number = $5 AND deleted_at IS NULL AND hidden_at IS NULL \
             ON CONFLICT (paper, number, person) \
             DO UPDATE SET at = excluded.at, reason = excluded.reason, settled_at = NULL";
        let query = sqlx::query(sql)
            .bind(now())
            .bind(person)
            .bind(reason)
            .bind(paper.to_owned())
            .bind(number);
        let count = query.execute(&mut *transaction).await?.rows_affected();
        changed(count, paper, number)?;
        Ok(transaction.commit().await?)
    }

    /// Reports that nobody has dealt with, the oldest first; at most a hundred.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn open_reports(&self) -> Result<Vec<Report>> {
        let sql = "SELECT r.paper, r.number, p.handle, r.at, r.reason FROM comment_reports r \
             JOIN people p ON p.id = r.person WHERE r.settled_at IS NULL ORDER BY r.at LIMIT $1";
        let rows = sqlx::query(sql).bind(QUEUE).fetch_all(self.readers()).await?;
        let mut reports = Vec::with_capacity(rows.len());
        for row in rows {
            let (paper, number): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let comment = match self.comment(&paper, number, Audience::Curators).await {
                Ok(comment) => comment,
                // Deleted between the two questions.
                Err(Error::UnknownComment { .. }) => continue,
                Err(error) => return Err(error),
            };
            reports.push(Report {
                comment,
                by: row.try_get(2)?,
                at: moment(row.try_get(3)?),
                reason: row.try_get(4)?,
            });
        }
        Ok(reports)
    }

    /// Notes that the reports of a comment are dealt with.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none with an open report.
    pub async fn settle_reports(&self, paper: &str, number: i64) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE comment_reports SET settled_at = $1 \
             WHERE paper = $2 AND number = $3 AND settled_at IS NULL";
        let query = sqlx::query(sql).bind(now()).bind(paper.to_owned()).bind(number);
        changed(query.execute(&mut *transaction).await?.rows_affected(), paper, number)?;
        Ok(transaction.commit().await?)
    }

    /// Takes a comment out of everybody's sight but its author's and the curators', and settles its
    /// reports. Hiding it again changes the reason.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none, [`Error::Invalid`] for a reason out of its bounds.
    pub async fn hide_comment(
        &self,
        paper: &str,
        number: i64,
        curator: i64,
        reason: &str,
    ) -> Result<()> {
        let reason = checked_reason(reason)?;
        let mut transaction = self.write().await?;
        let sql = "UPDATE papers SET comments = comments - 1 WHERE id = $1 AND EXISTS ( \
             SELECT 1 FROM comments WHERE paper = $1 AND number = $2 \
             AND deleted_at IS NULL AND hidden_at IS NULL)";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        query.execute(&mut *transaction).await?;
        let sql = "UPDATE comments SET hidden_at = COALESCE(hidden_at, $1), hidden_by = $2, \
             hidden_reason = $3 WHERE paper = $4 AND number = $5 AND deleted_at IS NULL";
        let query = sqlx::query(sql)
            .bind(now())
            .bind(curator)
            .bind(reason)
            .bind(paper.to_owned())
            .bind(number);
        changed(query.execute(&mut *transaction).await?.rows_affected(), paper, number)?;
        let sql = "UPDATE comment_reports SET settled_at = $1 \
             WHERE paper = $2 AND number = $3 AND settled_at IS NULL";
        let query = sqlx::query(sql).bind(now()).bind(paper.to_owned()).bind(number);
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Shows a hidden comment again.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none that is hidden.
    pub async fn unhide_comment(&self, paper: &str, number: i64) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE comments SET hidden_at = NULL, hidden_by = NULL, hidden_reason = NULL \
             WHERE paper = $1 AND number = $2 AND hidden_at IS NOT NULL";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        changed(query.execute(&mut *transaction).await?.rows_affected(), paper, number)?;
        let sql = "UPDATE papers SET comments = comments + 1 WHERE id = $1";
        sqlx::query(sql).bind(paper.to_owned()).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Comments that are hidden, the last one hidden first; at most a hundred.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn hidden_comments(&self) -> Result<Vec<Comment>> {
        let sql = format!(
            "{COMMENTS} WHERE c.hidden_at IS NOT NULL \
             ORDER BY c.hidden_at DESC, c.paper, c.number LIMIT $1"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(QUEUE);
        let rows = query.fetch_all(self.readers()).await?;
        self.with_mentions(&rows, Audience::Curators).await
    }

    /// People who may only read: number, short name and name.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn blocked_people(&self) -> Result<Vec<(i64, String, String)>> {
        let sql = "SELECT id, handle, name FROM people WHERE blocked_at IS NOT NULL \
             ORDER BY blocked_at DESC, id LIMIT $1";
        let rows = sqlx::query(sql).bind(QUEUE).fetch_all(self.readers()).await?;
        let one = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        rows.iter().map(one).collect()
    }

    /// Hides a reply to a verdict; it then disputes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownReply`] if there is none of that number, [`Error::Invalid`] for a reason out of
    /// its bounds.
    pub async fn hide_verdict_reply(&self, id: i64, curator: i64, reason: &str) -> Result<()> {
        let reason = checked_reason(reason)?;
        let mut transaction = self.write().await?;
        let sql = "UPDATE verdict_replies SET hidden_at = COALESCE(hidden_at, $1), hidden_by = $2, \
             hidden_reason = $3 WHERE id = $4";
        let query = sqlx::query(sql).bind(now()).bind(curator).bind(reason).bind(id);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(Error::UnknownReply { id });
        }
        Ok(transaction.commit().await?)
    }

    /// Shows a hidden reply to a verdict again.
    ///
    /// # Errors
    /// [`Error::UnknownReply`] if there is none of that number that is hidden.
    pub async fn unhide_verdict_reply(&self, id: i64) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE verdict_replies SET hidden_at = NULL, hidden_by = NULL, \
             hidden_reason = NULL WHERE id = $1 AND hidden_at IS NOT NULL";
        let query = sqlx::query(sql).bind(id);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(Error::UnknownReply { id });
        }
        Ok(transaction.commit().await?)
    }
}
