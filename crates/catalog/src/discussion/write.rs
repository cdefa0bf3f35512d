//! Writing, editing and deleting comments.

use sqlx::any::Any;
use sqlx::{Row, Transaction};

use super::{DEEPEST, DIGITS, Notice, changed, checked_text, notice, step, unknown};
use crate::mails::NewMail;
use crate::sql::now;
use crate::{Catalog, Error, Result};

/// Most people whom one comment names.
pub(super) const MAX_MENTIONS: usize = 16;

/// A comment to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComment {
    /// Id of the paper.
    pub paper: String,
    /// Who writes it.
    pub person: i64,
    /// The comment that it answers.
    pub parent: Option<i64>,
    /// What it says, as Markdown.
    pub text: String,
    /// The short names in it that name somebody; those of nobody are passed over.
    pub mentions: Vec<String>,
}

impl Catalog {
    /// Writes a comment, and in the same transaction counts it and puts the mails that tell of it into
    /// the outbox. Returns its number.
    ///
    /// `compose` words the mail to somebody who is answered or named and wants to know.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text out of its bounds, [`Error::UnknownPaper`],
    /// [`Error::UnknownComment`] if what it answers is not there, or not to be read by everybody.
    pub async fn add_comment(
        &self,
        new: &NewComment,
        compose: &(dyn Fn(&Notice) -> NewMail + Sync),
    ) -> Result<i64> {
        let text = checked_text(&new.text)?;
        let mut transaction = self.write().await?;
        let number = next_number(&mut transaction, &new.paper).await?;
        let above = match new.parent {
            Some(parent) => place_of(&mut transaction, &new.paper, parent).await?,
            None => String::new(),
        };
        let above = &above[..above.len().min(DEEPEST * DIGITS)];
        let sql = "INSERT INTO comments (created_at, number, parent, person, paper, place, text) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(now())
            .bind(number)
            .bind(new.parent)
            .bind(new.person)
            .bind(new.paper.clone())
            .bind(format!("{above}{}", step(number)))
            .bind(text)
            .execute(&mut *transaction)
            .await?;
        mention(&mut transaction, &new.paper, number, &new.mentions).await?;
        notice::tell(&mut transaction, new, number, compose).await?;
        transaction.commit().await?;
        Ok(number)
    }

    /// Changes what a comment says; what it said stays in its history. Nobody is mailed.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none that everybody can read, [`Error::NotTheirs`] if
    /// somebody else wrote it, [`Error::Invalid`] for a text out of its bounds.
    pub async fn edit_comment(
        &self,
        paper: &str,
        number: i64,
        person: i64,
        text: &str,
        mentions: &[String],
    ) -> Result<()> {
        let text = checked_text(text)?;
        let mut transaction = self.write().await?;
        let sql = "SELECT person, text, COALESCE(edited_at, created_at) FROM comments \
             WHERE paper = $1 AND number = $2 AND deleted_at IS NULL AND hidden_at IS NULL";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        let row = query.fetch_optional(&mut *transaction).await?;
        let row = row.ok_or_else(|| unknown(paper, number))?;
        theirs(row.try_get(0)?, person)?;
        let before: String = row.try_get(1)?;
        if before == text {
            return Ok(());
        }
        let sql = "INSERT INTO comment_versions (written_at, number, version, paper, text) \
             SELECT $1, $2, COALESCE(MAX(version), 0) + 1, $3, $4 FROM comment_versions \
             WHERE paper = $3 AND number = $2";
        sqlx::query(sql)
            .bind(row.try_get::<i64, _>(2)?)
            .bind(number)
            .bind(paper.to_owned())
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        let sql = "UPDATE comments SET text = $1, edited_at = $2 WHERE paper = $3 AND number = $4";
        sqlx::query(sql)
            .bind(text)
            .bind(now())
            .bind(paper.to_owned())
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        let sql = "DELETE FROM comment_mentions WHERE paper = $1 AND number = $2";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        query.execute(&mut *transaction).await?;
        mention(&mut transaction, paper, number, mentions).await?;
        Ok(transaction.commit().await?)
    }

    /// Deletes a comment with its history. Where it has replies, its place stays.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none, [`Error::NotTheirs`] if somebody else wrote it.
    pub async fn delete_comment(&self, paper: &str, number: i64, person: i64) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "SELECT person FROM comments \
             WHERE paper = $1 AND number = $2 AND deleted_at IS NULL";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        let row = query.fetch_optional(&mut *transaction).await?;
        let row = row.ok_or_else(|| unknown(paper, number))?;
        theirs(row.try_get(0)?, person)?;
        remove(&mut transaction, paper, number).await?;
        Ok(transaction.commit().await?)
    }
}

/// Deletes all comments of a person, before the person goes.
pub(crate) async fn remove_all(transaction: &mut Transaction<'_, Any>, person: i64) -> Result<()> {
    // The newest first: a reply of theirs to a comment of theirs then leaves no place behind.
    let sql = "SELECT paper, number FROM comments WHERE person = $1 ORDER BY created_at DESC, number DESC";
    for row in sqlx::query(sql).bind(person).fetch_all(&mut **transaction).await? {
        let paper: String = row.try_get(0)?;
        remove(transaction, &paper, row.try_get(1)?).await?;
    }
    Ok(())
}

/// The next number of a paper. The paper's row is written first: of two transactions one waits here,
/// also where writers run side by side.
async fn next_number(transaction: &mut Transaction<'_, Any>, paper: &str) -> Result<i64> {
    let sql = "UPDATE papers SET last_comment = last_comment + 1, comments = comments + 1 \
         WHERE id = $1 RETURNING last_comment";
    let query = sqlx::query(sql).bind(paper.to_owned());
    let row = query.fetch_optional(&mut **transaction).await?;
    let row = row.ok_or_else(|| Error::UnknownPaper { paper: paper.to_owned() })?;
    Ok(row.try_get(0)?)
}

/// The place of a comment that can be answered.
async fn place_of(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    number: i64,
) -> Result<String> {
    let sql = "SELECT place FROM comments \
         WHERE paper = $1 AND number = $2 AND deleted_at IS NULL AND hidden_at IS NULL";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
    let row = query.fetch_optional(&mut **transaction).await?;
    Ok(row.ok_or_else(|| unknown(paper, number))?.try_get(0)?)
}

fn theirs(owner: Option<i64>, person: i64) -> Result<()> {
    if owner == Some(person) { Ok(()) } else { Err(Error::NotTheirs) }
}

async fn mention(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    number: i64,
    handles: &[String],
) -> Result<()> {
    for handle in handles.iter().take(MAX_MENTIONS) {
        let sql = "INSERT INTO comment_mentions (number, person, paper, written) \
             SELECT $1, id, $2, handle FROM people WHERE handle = $3 ON CONFLICT DO NOTHING";
        sqlx::query(sql)
            .bind(number)
            .bind(paper.to_owned())
            .bind(handle.clone())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Takes a comment away, and with it places above that nothing hangs on any more.
async fn remove(transaction: &mut Transaction<'_, Any>, paper: &str, number: i64) -> Result<()> {
    let sql = "UPDATE papers SET comments = comments - 1 WHERE id = $1 AND EXISTS ( \
         SELECT 1 FROM comments WHERE paper = $1 AND number = $2 \
         AND deleted_at IS NULL AND hidden_at IS NULL)";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
    query.execute(&mut **transaction).await?;
    if has_replies(transaction, paper, number).await? {
        for table in ["comment_versions", "comment_mentions", "comment_reports"] {
            let sql = format!("DELETE FROM {table} WHERE paper = $1 AND number = $2");
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(paper.to_owned()).bind(number);
            query.execute(&mut **transaction).await?;
        }
        let sql = "UPDATE comments SET deleted_at = $1, text = '', person = NULL, edited_at = NULL, \
             hidden_at = NULL, hidden_by = NULL, hidden_reason = NULL \
             WHERE paper = $2 AND number = $3";
        let query = sqlx::query(sql).bind(now()).bind(paper.to_owned()).bind(number);
        let count = query.execute(&mut **transaction).await?.rows_affected();
        return changed(count, paper, number);
    }
    let mut next = Some(number);
    while let Some(number) = next {
        let sql = "DELETE FROM comments WHERE paper = $1 AND number = $2 RETURNING parent";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        let row = query.fetch_optional(&mut **transaction).await?;
        let parent: Option<i64> = row.ok_or_else(|| unknown(paper, number))?.try_get(0)?;
        next = match parent {
            Some(parent) if is_mere_place(transaction, paper, parent).await? => Some(parent),
            _ => None,
        };
    }
    Ok(())
}

/// Whether a comment is deleted and nothing hangs on its place.
async fn is_mere_place(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    number: i64,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM comments \
         WHERE paper = $1 AND number = $2 AND deleted_at IS NOT NULL";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
    let deleted: i64 = query.fetch_one(&mut **transaction).await?.try_get(0)?;
    Ok(deleted > 0 && !has_replies(transaction, paper, number).await?)
}

async fn has_replies(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    number: i64,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM comments WHERE paper = $1 AND parent = $2";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
    Ok(query.fetch_one(&mut **transaction).await?.try_get::<i64, _>(0)? > 0)
}
