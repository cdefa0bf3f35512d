//! Mail that waits to be sent, in the same database as what it tells of.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Transaction};

use super::{Email, random_id};
use crate::sql::{after, moment, now};
use crate::{Catalog, Result, dialect};

/// A mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// What it is, for the administrator: "sign-in".
    pub kind: &'static str,
    /// Whom it goes to.
    pub recipient: Email,
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// Whether the text is to be forgotten once it is sent.
    pub secret: bool,
}

/// A mail that a sender has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Number; the same at every attempt.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// Whom it goes to.
    pub recipient: Email,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// When it was composed.
    pub created_at: Timestamp,
    /// Attempts before this one.
    pub attempts: i64,
}

/// How many mails stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailCounts {
    /// Not sent yet.
    pub waiting: u64,
    /// Taken over by a server, or written to disk.
    pub accepted: u64,
    /// Given up.
    pub failed: u64,
}

/// How long a sender that says nothing keeps a mail.
const CLAIM: Duration = Duration::from_secs(300);

pub(crate) async fn add(
    transaction: &mut Transaction<'_, Any>,
    mail: &NewMail,
    now: i64,
) -> Result<i64> {
    let id = random_id();
    let sql = "INSERT INTO mails (created_at, due_at, secret, id, state, kind, recipient, subject, body) \
         VALUES ($1, $2, $3, $4, 'waiting', $5, $6, $7, $8)";
    sqlx::query(sql)
        .bind(now)
        .bind(now)
        .bind(i64::from(mail.secret))
        .bind(id)
        .bind(mail.kind)
        .bind(mail.recipient.as_str().to_owned())
        .bind(mail.subject.clone())
        .bind(mail.body.clone())
        .execute(&mut **transaction)
        .await?;
    Ok(id)
}

impl Catalog {
    /// Puts a mail into the outbox. Returns its number.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn add_mail(&self, mail: &NewMail) -> Result<i64> {
        let mut transaction = self.write().await?;
        let id = add(&mut transaction, mail, now()).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Takes the mail that is due longest, if there is one: for five minutes nobody else gets it.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn claim_mail(&self) -> Result<Option<Mail>> {
        let now = now();
        let until = after(now, CLAIM);
        let sql = format!(
            "UPDATE mails SET state = 'claimed', claimed_until = $1 WHERE id = ( \
                 SELECT id FROM mails WHERE state IN ('waiting', 'claimed') AND due_at <= $2 \
                     AND (state = 'waiting' OR claimed_until <= $2) \
                 ORDER BY due_at, id LIMIT 1 {}) \
             RETURNING id, kind, recipient, subject, body, created_at, attempts",
            dialect::SKIP_LOCKED
        );
        let mut transaction = self.write().await?;
        let query = sqlx::query(AssertSqlSafe(sql)).bind(until).bind(now);
        let row = query.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        let mail = |row: &AnyRow| -> Result<Mail> {
            let recipient: String = row.try_get(2)?;
            Ok(Mail {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                recipient: recipient.parse()?,
                subject: row.try_get(3)?,
                body: row.try_get(4)?,
                created_at: moment(row.try_get(5)?),
                attempts: row.try_get(6)?,
            })
        };
        row.as_ref().map(mail).transpose()
    }

    /// Notes that a mail is on its way, with the answer of who took it over.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn mail_accepted(&self, id: i64, answer: &str) -> Result<()> {
        self.mail_over(id, "accepted", answer).await
    }

    /// Notes that a mail will never be sent, and why.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn mail_failed(&self, id: i64, answer: &str) -> Result<()> {
        self.mail_over(id, "failed", answer).await
    }

    async fn mail_over(&self, id: i64, state: &'static str, answer: &str) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE mails SET state = $1, attempts = attempts + 1, claimed_until = NULL, \
             answer = $2, body = CASE secret WHEN 1 THEN '' ELSE body END WHERE id = $3";
        let query = sqlx::query(sql).bind(state).bind(answer.to_owned()).bind(id);
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Puts a mail back, to be tried again after a while.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn mail_deferred(&self, id: i64, answer: &str, wait: Duration) -> Result<()> {
        let due = after(now(), wait);
        let mut transaction = self.write().await?;
        let sql = "UPDATE mails SET state = 'waiting', attempts = attempts + 1, \
             claimed_until = NULL, answer = $1, due_at = $2 WHERE id = $3";
        let query = sqlx::query(sql).bind(answer.to_owned()).bind(due).bind(id);
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// How many mails stand how.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn mail_counts(&self) -> Result<MailCounts> {
        let sql = "SELECT state, COUNT(*) FROM mails GROUP BY state";
        let mut counts = MailCounts::default();
        for row in sqlx::query(sql).fetch_all(self.readers()).await? {
            let (state, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            match state.as_str() {
                "accepted" => counts.accepted += count.unsigned_abs(),
                "failed" => counts.failed += count.unsigned_abs(),
                _ => counts.waiting += count.unsigned_abs(),
            }
        }
        Ok(counts)
    }
}
