//! Mail to those whom a comment answers or names, if they want it.

use sqlx::any::Any;
use sqlx::{Row, Transaction};

use super::NewComment;
use crate::mails::{NewMail, add as add_mail};
use crate::people::Email;
use crate::sql::now;
use crate::{Catalog, Result};

/// Why somebody is told of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It answers a comment of theirs.
    Reply,
    /// It names them.
    Mention,
}

/// Somebody to be told of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where the mail goes.
    pub recipient: Email,
    /// Why it goes.
    pub occasion: Occasion,
    /// Title of the paper.
    pub title: String,
    /// Id of the paper.
    pub paper: String,
    /// Number of the comment.
    pub number: i64,
    /// The name of who wrote it.
    pub by: String,
    /// What it says.
    pub text: String,
}

impl Catalog {
    /// Whether replies and mentions are mailed to a person.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn wants_replies(&self, person: i64) -> Result<bool> {
        let query = sqlx::query("SELECT mail_replies FROM people WHERE id = $1").bind(person);
        let row = query.fetch_optional(self.readers()).await?;
        Ok(row.map_or(Ok(0), |row| row.try_get::<i64, _>(0))? != 0)
    }

    /// Sets whether replies and mentions are mailed to a person.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn set_wants_replies(&self, person: i64, wanted: bool) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE people SET mail_replies = $1 WHERE id = $2")
            .bind(i64::from(wanted))
            .bind(person)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

/// Puts one mail into the outbox for each who wants it, however often the comment concerns them.
pub(super) async fn tell(
    transaction: &mut Transaction<'_, Any>,
    new: &NewComment,
    number: i64,
    compose: &(dyn Fn(&Notice) -> NewMail + Sync),
) -> Result<()> {
    let sql = "SELECT p.email, CASE WHEN p.id = (SELECT person FROM comments \
         WHERE paper = $1 AND number = $2) THEN 1 ELSE 0 END \
         FROM people p WHERE p.mail_replies = 1 AND p.id <> $3 AND p.blocked_at IS NULL AND (p.id = ( \
         SELECT person FROM comments WHERE paper = $1 AND number = $2) \
         OR p.id IN (SELECT person FROM comment_mentions WHERE paper = $1 AND number = $4)) \
         ORDER BY p.id";
    let query = sqlx::query(sql)
        .bind(new.paper.clone())
        .bind(new.parent.unwrap_or(0))
        .bind(new.person)
        .bind(number);
    let told = query.fetch_all(&mut **transaction).await?;
    if told.is_empty() {
        return Ok(());
    }
    let sql = "SELECT (SELECT title FROM papers WHERE id = $1), name FROM people WHERE id = $2";
    let query = sqlx::query(sql).bind(new.paper.clone()).bind(new.person);
    let row = query.fetch_one(&mut **transaction).await?;
    let (title, by): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    for row in told {
        let email: String = row.try_get(0)?;
        let answered = row.try_get::<i64, _>(1)? != 0;
        let notice = Notice {
            recipient: email.parse()?,
            occasion: if answered { Occasion::Reply } else { Occasion::Mention },
            title: title.clone(),
            paper: new.paper.clone(),
            number,
            by: by.clone(),
            text: new.text.clone(),
        };
        add_mail(transaction, &compose(&notice), now()).await?;
    }
    Ok(())
}
