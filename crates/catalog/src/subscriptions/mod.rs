//! Subscriptions to the digest: who gets it, and when.

mod issues;
mod schedule;
mod token;

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

pub use self::issues::{Issue, IssueState, NewIssue, NoPapers};
pub use self::schedule::{Frequency, Schedule, Slot};
pub use self::token::{Purpose, SigningKey};
use crate::mails::add as add_mail;
use crate::people::random_id;
use crate::sql::{after, count, day, micros, moment, now};
use crate::{Catalog, Email, Error, NewMail, Result};

/// How long an address that nobody confirmed is kept.
pub const CONFIRM_LIFE: Duration = Duration::from_secs(48 * 3600);
/// How soon the same address gets a second mail because somebody asked to subscribe it.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Issues in a row that cannot be delivered until no more are tried.
const FAILURES: i64 = 3;
/// How far ahead the next issue can lie: what lies further was reckoned by a clock that went wrong.
const AHEAD: Duration = Duration::from_secs(9 * 24 * 3600);

/// What a subscriber wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// When issues come.
    pub schedule: Schedule,
    /// A search whose every word a paper must have; empty for all papers. At most 500 characters.
    pub query: String,
    /// Votes that a paper must have, at most 1,000,000.
    pub min_votes: u32,
    /// Most papers of an issue, 1 to [`Preferences::MOST`].
    pub most: u32,
    /// Whether an issue comes when there is no paper for it, to say so.
    pub send_empty: bool,
}

impl Preferences {
    /// Most papers that an issue can have.
    pub const MOST: u32 = 50;

    /// Fails unless every value is within its bounds. The search is not read.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn check(&self) -> Result<()> {
        self.schedule.check()?;
        let invalid = |what, value: String, expected| Err(Error::Invalid { what, value, expected });
        if self.query.chars().count() > 500 || self.query.chars().any(char::is_control) {
            let value = self.query.chars().take(100).collect();
            return invalid("search", value, "at most 500 characters on one line");
        }
        if !(1..=Self::MOST).contains(&self.most) {
            return invalid("number of papers", self.most.to_string(), "from 1 to 50");
        }
        if self.min_votes > 1_000_000 {
            return invalid("number of votes", self.min_votes.to_string(), "at most 1,000,000");
        }
        Ok(())
    }
}

impl Default for Preferences {
    /// Weekdays at seven in UTC, all papers, at most twelve.
    fn default() -> Self {
        let schedule = Schedule { frequency: Frequency::Weekdays, hour: 7, zone: "UTC".into() };
        Self { schedule, query: String::new(), min_votes: 0, most: 12, send_empty: false }
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its number; random, and nowhere shown without a signature.
    pub id: i64,
    /// Whom it goes to.
    pub email: Email,
    /// What they want.
    pub preferences: Preferences,
    /// When somebody first asked for it.
    pub created_at: Timestamp,
    /// When its address was last sent a mail because somebody asked for it.
    pub asked_at: Timestamp,
    /// When the address was confirmed; `None` until then.
    pub confirmed_at: Option<Timestamp>,
    /// The day before which nothing is sent.
    pub paused_until: Option<Date>,
    /// When the next issue is due.
    pub next_at: Option<Timestamp>,
    /// Since when nothing is sent because issues could not be delivered.
    pub suspended_at: Option<Timestamp>,
    /// Issues in a row that could not be delivered.
    pub failures: u32,
}

/// How many subscriptions stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscriptionCounts {
    /// Confirmed, and getting issues.
    pub active: u64,
    /// Paused.
    pub paused: u64,
    /// Suspended.
    pub suspended: u64,
    /// Not confirmed.
    pub open: u64,
}

const COLUMNS: &str = "id, email, hour, zone, frequency, query, min_votes, most, send_empty, \
     created_at, confirmed_at, paused_until, next_at, suspended_at, failures, asked_at";

fn subscription(row: &AnyRow) -> Result<Subscription> {
    let optional = |column: usize| -> Result<Option<Timestamp>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(moment))
    };
    let email: String = row.try_get(1)?;
    let frequency: String = row.try_get(4)?;
    let hour = i8::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
    let schedule = Schedule { frequency: frequency.parse()?, hour, zone: row.try_get(3)? };
    Ok(Subscription {
        id: row.try_get(0)?,
        email: email.parse()?,
        preferences: Preferences {
            schedule,
            query: row.try_get(5)?,
            min_votes: count(row, 6)?,
            most: count(row, 7)?,
            send_empty: row.try_get::<i64, _>(8)? != 0,
        },
        created_at: moment(row.try_get(9)?),
        asked_at: moment(row.try_get(15)?),
        confirmed_at: optional(10)?,
        paused_until: day(row, 11)?,
        next_at: optional(12)?,
        suspended_at: optional(13)?,
        failures: count(row, 14)?,
    })
}

impl Subscription {
    /// Whether nobody confirmed it in time: its link is over.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        let asked = self.asked_at.as_microsecond();
        self.confirmed_at.is_none() && asked < now.as_microsecond() - micros(CONFIRM_LIFE)
    }

    /// When the next issue is due, as reckoned anew.
    fn reckon(&self, now: Timestamp) -> Option<Timestamp> {
        if self.confirmed_at.is_none() || self.suspended_at.is_some() {
            return None;
        }
        let paused = |at| {
            let day = self.preferences.schedule.time_zone().to_datetime(at).date();
            self.paused_until.is_some_and(|until| day < until)
        };
        match self.next_at {
            // It is due and about to be published: a change does not take it away.
            Some(due) if due <= now && !paused(due) => Some(due),
            _ => self.preferences.schedule.next(now, self.paused_until).map(|slot| slot.at),
        }
    }
}

impl Catalog {
    /// Notes that somebody wants an address to be subscribed, and puts the mail that `mail` makes of the
    /// subscription into the outbox. Nothing else is sent until the address is confirmed.
    ///
    /// A subscription that is confirmed stays as it is, because anybody can ask: `mail` then has to say
    /// that there is one. An address that was asked less than a quarter of an hour ago gets no second
    /// mail. The caller learns nothing of all that.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a preference out of its bounds.
    pub async fn subscribe(
        &self,
        email: &Email,
        preferences: &Preferences,
        mail: impl FnOnce(&Subscription) -> NewMail + Send,
    ) -> Result<()> {
        preferences.check()?;
        let now = now();
        let mut transaction = self.write().await?;
        let query = sqlx::query("SELECT asked_at FROM subscriptions WHERE email = $1");
        let asked = query.bind(email.as_str().to_owned()).fetch_optional(&mut *transaction).await?;
        let asked: Option<i64> = asked.map(|row| row.try_get(0)).transpose()?;
        let again = asked.is_none_or(|asked| after(asked, ASK_AGAIN) <= now || asked > now);
        let sql = "INSERT INTO subscriptions (created_at, asked_at, hour, min_votes, most, \
                 send_empty, id, frequency, zone, email, query) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (email) DO UPDATE SET hour = excluded.hour, \
                 min_votes = excluded.min_votes, most = excluded.most, \
                 send_empty = excluded.send_empty, frequency = excluded.frequency, \
                 zone = excluded.zone, query = excluded.query \
             WHERE subscriptions.confirmed_at IS NULL";
        let schedule = &preferences.schedule;
        sqlx::query(sql)
            .bind(now)
            .bind(now)
            .bind(i64::from(schedule.hour))
            .bind(i64::from(preferences.min_votes))
            .bind(i64::from(preferences.most))
            .bind(i64::from(preferences.send_empty))
            .bind(random_id())
            .bind(schedule.frequency.name())
            .bind(schedule.zone.clone())
            .bind(email.as_str().to_owned())
            .bind(preferences.query.clone())
            .execute(&mut *transaction)
            .await?;
        if again {
            let sql = format!(
                "UPDATE subscriptions SET asked_at = $1 WHERE email = $2 RETURNING {COLUMNS}"
            );
            let query = sqlx::query(AssertSqlSafe(sql)).bind(now).bind(email.as_str().to_owned());
            let row = query.fetch_one(&mut *transaction).await?;
            add_mail(&mut transaction, &mail(&subscription(&row)?), now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Confirms a subscription, once or again. `None` if there is none, or none any more.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn confirm_subscription(
        &self,
        id: i64,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let oldest = now.as_microsecond() - micros(CONFIRM_LIFE);
        let Some((mut transaction, known)) = self.to_change(id).await? else { return Ok(None) };
        if known.confirmed_at.is_none() {
            let sql = "UPDATE subscriptions SET confirmed_at = $1 WHERE id = $2 AND asked_at >= $3";
            let query = sqlx::query(sql).bind(now.as_microsecond()).bind(id).bind(oldest);
            query.execute(&mut *transaction).await?;
        }
        let found = changed(transaction, id, now).await?;
        Ok(found.filter(|subscription| subscription.confirmed_at.is_some()))
    }

    /// Changes what a subscriber wants. `None` if there is no such subscription.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a preference out of its bounds.
    pub async fn save_subscription(
        &self,
        id: i64,
        preferences: &Preferences,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        preferences.check()?;
        let Some((mut transaction, _)) = self.to_change(id).await? else { return Ok(None) };
        let sql = "UPDATE subscriptions SET hour = $1, min_votes = $2, most = $3, \
             send_empty = $4, frequency = $5, zone = $6, query = $7 WHERE id = $8";
        let schedule = &preferences.schedule;
        sqlx::query(sql)
            .bind(i64::from(schedule.hour))
            .bind(i64::from(preferences.min_votes))
            .bind(i64::from(preferences.most))
            .bind(i64::from(preferences.send_empty))
            .bind(schedule.frequency.name())
            .bind(schedule.zone.clone())
            .bind(preferences.query.clone())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        changed(transaction, id, now).await
    }

    /// Sends nothing before a day, or lets issues come again. `None` if there is no such subscription.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn pause_subscription(
        &self,
        id: i64,
        until: Option<Date>,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let Some((mut transaction, _)) = self.to_change(id).await? else { return Ok(None) };
        let sql = "UPDATE subscriptions SET paused_until = $1 WHERE id = $2";
        let query = sqlx::query(sql).bind(until.map(|day| day.to_string())).bind(id);
        query.execute(&mut *transaction).await?;
        changed(transaction, id, now).await
    }

    /// Lets issues go to a suspended subscription again. `None` if there is no such subscription.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn resume_subscription(
        &self,
        id: i64,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let Some((mut transaction, _)) = self.to_change(id).await? else { return Ok(None) };
        let sql = "UPDATE subscriptions SET suspended_at = NULL, failures = 0, told = 0 \
             WHERE id = $1";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        changed(transaction, id, now).await
    }

    /// A transaction that changes a subscription, which [`changed`] ends.
    async fn to_change(
        &self,
        id: i64,
    ) -> Result<Option<(Transaction<'static, Any>, Subscription)>> {
        let mut transaction = self.write().await?;
        let known = read(&mut transaction, id).await?;
        Ok(known.map(|known| (transaction, known)))
    }

    /// Ends a subscription: nothing of it remains, and no mail that waits is sent. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written; nothing has happened then.
    pub async fn unsubscribe(&self, id: i64) -> Result<bool> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM mails WHERE state IN ('waiting', 'claimed') AND bulk = 1 \
             AND recipient = (SELECT email FROM subscriptions WHERE id = $1)";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        let query = sqlx::query("DELETE FROM subscriptions WHERE id = $1").bind(id);
        let gone = query.execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(gone > 0)
    }

    /// A subscription; `None` if there is none of that number.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn subscription(&self, id: i64) -> Result<Option<Subscription>> {
        let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(self.readers()).await?;
        row.as_ref().map(subscription).transpose()
    }

    /// The confirmed subscription of an address.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn subscription_of(&self, email: &Email) -> Result<Option<Subscription>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE email = $1 AND confirmed_at IS NOT NULL"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(email.as_str().to_owned());
        query.fetch_optional(self.readers()).await?.as_ref().map(subscription).transpose()
    }

    /// Subscriptions that are suspended, the last suspended first; at most so many.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn suspended_subscriptions(&self, limit: u32) -> Result<Vec<Subscription>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE suspended_at IS NOT NULL \
             ORDER BY suspended_at DESC, id LIMIT $1"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(subscription).collect()
    }

    /// How many subscriptions stand how on a day.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn subscription_counts(&self, today: Date) -> Result<SubscriptionCounts> {
        let sql = "SELECT CASE WHEN confirmed_at IS NULL THEN 'open' \
                 WHEN suspended_at IS NOT NULL THEN 'suspended' \
                 WHEN paused_until > $1 THEN 'paused' ELSE 'active' END AS standing, COUNT(*) \
             FROM subscriptions GROUP BY 1";
        let query = sqlx::query(sql).bind(today.to_string());
        let mut counts = SubscriptionCounts::default();
        for row in query.fetch_all(self.readers()).await? {
            let (standing, number): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let number = number.unsigned_abs();
            match standing.as_str() {
                "open" => counts.open = number,
                "suspended" => counts.suspended = number,
                "paused" => counts.paused = number,
                _ => counts.active = number,
            }
        }
        Ok(counts)
    }

    /// Has `mail` tell every administrator of suspensions that they have not heard of: it gets the
    /// administrator's address, how many there are, and the addresses of the first of them. Returns how
    /// many there were. Where there is no administrator they stay untold.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn tell_suspensions(
        &self,
        mail: impl Fn(Email, u64, &[Email]) -> NewMail + Send + Sync,
    ) -> Result<u64> {
        const NAMED: usize = 20;
        let sql = "SELECT email FROM subscriptions WHERE suspended_at IS NOT NULL AND told = 0 \
             ORDER BY suspended_at, id";
        let rows = sqlx::query(sql).fetch_all(self.readers()).await?;
        let addresses = |rows: &[AnyRow]| -> Result<Vec<Email>> {
            rows.iter().map(|row| row.try_get::<String, _>(0)?.parse()).collect()
        };
        let suspended = addresses(&rows)?;
        if suspended.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.write().await?;
        let sql = "SELECT email FROM people WHERE role = 'administrator' ORDER BY id";
        let administrators = addresses(&sqlx::query(sql).fetch_all(&mut *transaction).await?)?;
        if administrators.is_empty() {
            return Ok(0);
        }
        let named = &suspended[..suspended.len().min(NAMED)];
        for administrator in administrators {
            let mail = mail(administrator, suspended.len() as u64, named);
            add_mail(&mut transaction, &mail, now()).await?;
        }
        let sql = "UPDATE subscriptions SET told = 1 WHERE suspended_at IS NOT NULL AND told = 0 \
             AND email = $1";
        for email in &suspended {
            let query = sqlx::query(sql).bind(email.as_str().to_owned());
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(suspended.len() as u64)
    }

    /// Reckons anew when issues and mails are due that lie further ahead than any can: a clock had gone
    /// wrong. Returns how many issues there were.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn reckon_subscriptions(&self, now: Timestamp) -> Result<u64> {
        let sql = format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE next_at > $1 \
             AND (paused_until IS NULL OR paused_until <= $2)"
        );
        let ahead = after(now.as_microsecond(), AHEAD);
        let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
        let query = sqlx::query(AssertSqlSafe(sql)).bind(ahead).bind(today.to_string());
        let rows = query.fetch_all(self.readers()).await?;
        for row in &rows {
            let id = row.try_get(0)?;
            if let Some((transaction, _)) = self.to_change(id).await? {
                changed(transaction, id, now).await?;
            }
        }
        let mut transaction = self.write().await?;
        let sql =
            "UPDATE mails SET due_at = $1 WHERE due_at > $2 AND state IN ('waiting', 'claimed')";
        let query = sqlx::query(sql).bind(now.as_microsecond()).bind(ahead);
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Forgets addresses that nobody confirmed, old issues, and mails that were sent or given up a month
    /// ago.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn forget_old_mail(&self, now: Timestamp) -> Result<()> {
        const DAY: i64 = 24 * 3600 * 1_000_000;
        let now = now.as_microsecond();
        let mut transaction = self.write().await?;
        for (sql, before) in [
            (
                "DELETE FROM subscriptions WHERE confirmed_at IS NULL AND asked_at < $1",
                now - micros(CONFIRM_LIFE),
            ),
            // Well beyond the lists from which any issue takes its papers.
            ("DELETE FROM issues WHERE due_at < $1", now - 60 * DAY),
            ("DELETE FROM mails WHERE ended_at < $1", now - 30 * DAY),
        ] {
            sqlx::query(sql).bind(before).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// Reckons anew when the next issue of a changed subscription is due, and commits.
async fn changed(
    mut transaction: Transaction<'static, Any>,
    id: i64,
    now: Timestamp,
) -> Result<Option<Subscription>> {
    let Some(mut changed) = read(&mut transaction, id).await? else { return Ok(None) };
    changed.next_at = changed.reckon(now);
    let query = sqlx::query("UPDATE subscriptions SET next_at = $1 WHERE id = $2");
    let query = query.bind(changed.next_at.map(Timestamp::as_microsecond)).bind(id);
    query.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Some(changed))
}

async fn read(transaction: &mut Transaction<'_, Any>, id: i64) -> Result<Option<Subscription>> {
    let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE id = $1");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(id);
    query.fetch_optional(&mut **transaction).await?.as_ref().map(subscription).transpose()
}

/// Notes in the transaction in which a mail ends how the subscription of its issue fares.
pub(crate) async fn delivered(
    transaction: &mut Transaction<'_, Any>,
    mail: i64,
    accepted: bool,
    now: i64,
) -> Result<()> {
    let of = "id = (SELECT subscription FROM issues WHERE id = $1)";
    if accepted {
        let sql = format!("UPDATE subscriptions SET failures = 0 WHERE {of} AND failures > 0");
        sqlx::query(AssertSqlSafe(sql)).bind(mail).execute(&mut **transaction).await?;
        return Ok(());
    }
    let sql = format!("UPDATE subscriptions SET failures = failures + 1 WHERE {of}");
    sqlx::query(AssertSqlSafe(sql)).bind(mail).execute(&mut **transaction).await?;
    let sql = format!(
        "UPDATE subscriptions SET suspended_at = $2, next_at = NULL, told = 0 \
         WHERE {of} AND failures >= $3 AND suspended_at IS NULL"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(mail).bind(now).bind(FAILURES);
    query.execute(&mut **transaction).await?;
    Ok(())
}
