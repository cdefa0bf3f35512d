//! Mail that waits to be sent, in the same database as what it tells of.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Transaction};

use crate::people::random_id;
use crate::sql::{after, moment, now};
use crate::subscriptions::delivered;
use crate::{Catalog, Email, Result, dialect};

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
    /// Plain text; of an issue of the digest, what it is made of.
    pub body: String,
    /// When it was composed.
    pub created_at: Timestamp,
    /// Attempts before this one.
    pub attempts: i64,
}

/// What became of an attempt to hand over a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken over; with the server's answer.
    Accepted(String),
    /// It was not, and may be later; with the answer, and how long to wait.
    Deferred(String, Duration),
    /// It never will be; with the answer.
    Failed(String),
    /// It was not tried.
    Untried,
}

/// How many mails of the last month stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailCounts {
    /// Composed, and not tried yet.
    pub composed: u64,
    /// In the hands of a sender.
    pub claimed: u64,
    /// Tried, and to be tried again.
    pub deferred: u64,
    /// Taken over by a server, or written to disk.
    pub accepted: u64,
    /// Given up.
    pub failed: u64,
    /// When the oldest was composed that is not sent.
    pub oldest: Option<Timestamp>,
}

impl MailCounts {
    /// Mails that are not sent and not given up.
    pub fn unsent(&self) -> u64 {
        self.composed + self.claimed + self.deferred
    }
}

/// A mail that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedMail {
    /// Its number.
    pub id: i64,
    /// What it was.
    pub kind: String,
    /// Whom it was for.
    pub recipient: String,
    /// When it was given up.
    pub ended_at: Timestamp,
    /// What the server answered.
    pub answer: String,
}

/// How long a sender that says nothing keeps a mail: longer than a mail can be under way, with a server
/// that answers at the last moment each time and a rate that lets one mail go a minute.
const CLAIM: Duration = Duration::from_secs(6 * 3600);

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

    /// Takes the mail that is due longest, if there is one: for six hours nobody else gets it.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn claim_mail(&self) -> Result<Option<Mail>> {
        Ok(self.exchange_mails(&[], 1).await?.pop())
    }

    /// Notes what became of mails and takes others, at most `more`, in one transaction: what a sender
    /// has in its hands and has not noted is never more than what it takes at once. What somebody waits
    /// for comes first, then the longest due. For six hours nobody else gets them.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written; nothing is noted
    /// and nothing taken then.
    pub async fn exchange_mails(&self, ended: &[(i64, Delivery)], more: u32) -> Result<Vec<Mail>> {
        let now = now();
        let mut transaction = self.write().await?;
        for (id, delivery) in ended {
            note(&mut transaction, *id, delivery, now).await?;
        }
        let mut mails = Vec::new();
        for bulk in [0, 1] {
            let left = i64::from(more) - mails.len() as i64;
            if left > 0 {
                mails.extend(claim(&mut transaction, bulk, left, now).await?);
            }
        }
        transaction.commit().await?;
        Ok(mails)
    }

    /// Gives back what a sender had taken that is no more. Only for who knows that no other one runs.
    /// Returns how many there were.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn release_mails(&self) -> Result<u64> {
        let mut transaction = self.write().await?;
        let sql =
            "UPDATE mails SET state = 'waiting', claimed_until = NULL WHERE state = 'claimed'";
        let released = sqlx::query(sql).execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(released)
    }

    /// How many mails stand how.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn mail_counts(&self) -> Result<MailCounts> {
        let mut counts = self.unsent_mails().await?;
        let sql = "SELECT state, COUNT(*) FROM mails WHERE ended_at IS NOT NULL GROUP BY state";
        for row in sqlx::query(sql).fetch_all(self.readers()).await? {
            let (state, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            match state.as_str() {
                "failed" => counts.failed += count.unsigned_abs(),
                _ => counts.accepted += count.unsigned_abs(),
            }
        }
        Ok(counts)
    }

    /// How many mails are not sent, and the oldest of them; what is over is not counted.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn unsent_mails(&self) -> Result<MailCounts> {
        let sql = "SELECT CASE WHEN state = 'claimed' THEN 'claimed' WHEN attempts > 0 THEN 'deferred' \
                 ELSE 'composed' END, COUNT(*), MIN(created_at) \
             FROM mails WHERE state IN ('waiting', 'claimed') GROUP BY 1";
        let mut counts = MailCounts::default();
        for row in sqlx::query(sql).fetch_all(self.readers()).await? {
            let (standing, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let oldest = moment(row.try_get(2)?);
            counts.oldest = Some(counts.oldest.map_or(oldest, |known| known.min(oldest)));
            match standing.as_str() {
                "claimed" => counts.claimed = count.unsigned_abs(),
                "deferred" => counts.deferred = count.unsigned_abs(),
                _ => counts.composed = count.unsigned_abs(),
            }
        }
        Ok(counts)
    }

    /// Mails that were given up, the last first; at most so many.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn failed_mails(&self, limit: u32) -> Result<Vec<FailedMail>> {
        let sql = "SELECT id, kind, recipient, ended_at, COALESCE(answer, '') FROM mails \
             WHERE ended_at IS NOT NULL AND state = 'failed' ORDER BY ended_at DESC, id LIMIT $1";
        let rows = sqlx::query(sql).bind(i64::from(limit)).fetch_all(self.readers()).await?;
        let failed = |row: &AnyRow| {
            Ok(FailedMail {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                recipient: row.try_get(2)?,
                ended_at: moment(row.try_get(3)?),
                answer: row.try_get(4)?,
            })
        };
        rows.iter().map(failed).collect()
    }
}

async fn claim(
    transaction: &mut Transaction<'_, Any>,
    bulk: i64,
    most: i64,
    now: i64,
) -> Result<Vec<Mail>> {
    let sql = format!(
        "UPDATE mails SET state = 'claimed', claimed_until = $1 WHERE id IN ( \
             SELECT id FROM mails WHERE state IN ('waiting', 'claimed') AND bulk = $2 \
                 AND due_at <= $3 AND (state = 'waiting' OR claimed_until <= $3) \
             ORDER BY due_at, id LIMIT $4 {}) \
         RETURNING id, kind, recipient, subject, body, created_at, attempts",
        dialect::SKIP_LOCKED
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(after(now, CLAIM)).bind(bulk);
    let rows = query.bind(now).bind(most).fetch_all(&mut **transaction).await?;
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
    rows.iter().map(mail).collect()
}

/// Writes down what became of a mail. One that is gone meanwhile stays gone.
async fn note(
    transaction: &mut Transaction<'_, Any>,
    id: i64,
    delivery: &Delivery,
    now: i64,
) -> Result<()> {
    let over = "UPDATE mails SET state = $1, attempts = attempts + 1, claimed_until = NULL, \
         answer = $2, ended_at = $3, body = CASE secret WHEN 1 THEN '' ELSE body END WHERE id = $4";
    match delivery {
        Delivery::Accepted(answer) | Delivery::Failed(answer) => {
            let accepted = matches!(delivery, Delivery::Accepted(_));
            let state = if accepted { "accepted" } else { "failed" };
            let query = sqlx::query(over).bind(state).bind(answer.clone()).bind(now).bind(id);
            query.execute(&mut **transaction).await?;
            delivered(transaction, id, accepted, now).await
        }
        Delivery::Deferred(answer, wait) => {
            let sql = "UPDATE mails SET state = 'waiting', attempts = attempts + 1, \
                 claimed_until = NULL, answer = $1, due_at = $2 WHERE id = $3";
            let query = sqlx::query(sql).bind(answer.clone()).bind(after(now, *wait)).bind(id);
            query.execute(&mut **transaction).await?;
            Ok(())
        }
        Delivery::Untried => {
            let sql = "UPDATE mails SET state = 'waiting', claimed_until = NULL WHERE id = $1";
            sqlx::query(sql).bind(id).execute(&mut **transaction).await?;
            Ok(())
        }
    }
}
