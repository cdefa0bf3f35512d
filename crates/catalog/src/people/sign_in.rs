//! Signing in: a link that works once, then a session.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::Any;
use sqlx::{AssertSqlSafe, Row, Transaction};

use super::{COLUMNS, Email, Person, Role, Secret, find_or_add, person};
use crate::mails::{self, NewMail};
use crate::sql::{after, micros, moment, now};
use crate::{Catalog, Result};

/// How long a sign-in link works.
pub const LINK_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts after it was last used.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often the use of a session is noted: not at every page.
const NOTED: Duration = Duration::from_secs(3600);

/// What a sign-in link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whom it signs in; `None` for a set-up link, which asks.
    pub email: Option<Email>,
    /// The role that it gives.
    pub role: Role,
    /// Where on the site it leads.
    pub return_to: String,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Tells it from the person's other sessions, and opens none.
    pub key: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the hour.
    pub seen_at: Timestamp,
    /// What the browser says it is.
    pub agent: String,
}

impl Catalog {
    /// Stores a link and, in the same transaction, the mail that brings it.
    ///
    /// Does the same whether or not somebody with that address has an account.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn offer_sign_in(
        &self,
        secret: &Secret,
        link: &Link,
        mail: Option<&NewMail>,
    ) -> Result<()> {
        let now = now();
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM sign_in_links WHERE expires_at <= $1")
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        let sql = "INSERT INTO sign_in_links (expires_at, hash, email, role, return_to) \
             VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(sql)
            .bind(after(now, LINK_LIFE))
            .bind(secret.hash())
            .bind(link.email.as_ref().map(|email| email.as_str().to_owned()))
            .bind((link.role > Role::Reader).then(|| link.role.name()))
            .bind(link.return_to.clone())
            .execute(&mut *transaction)
            .await?;
        if let Some(mail) = mail {
            mails::add(&mut transaction, mail, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// What a link is for, if it still works. It goes on working.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn sign_in_link(&self, secret: &Secret) -> Result<Option<Link>> {
        let sql = "SELECT email, role, return_to FROM sign_in_links \
             WHERE hash = $1 AND expires_at > $2";
        let query = sqlx::query(sql).bind(secret.hash()).bind(now());
        let row = query.fetch_optional(self.readers()).await?;
        let link = |row: &sqlx::any::AnyRow| -> Result<Link> {
            let (email, role): (Option<String>, Option<String>) =
                (row.try_get(0)?, row.try_get(1)?);
            Ok(Link {
                email: email.map(|email| email.parse()).transpose()?,
                role: role.map_or(Ok(Role::Reader), |role| role.parse())?,
                return_to: row.try_get(2)?,
            })
        };
        row.as_ref().map(link).transpose()
    }

    /// Uses a link up: makes a session, and an account for who has none. `None` if the link does not
    /// work any more. Of several at once one succeeds.
    ///
    /// `asked` is the address that a link without one asks for.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn sign_in(
        &self,
        secret: &Secret,
        asked: Option<&Email>,
        agent: &str,
    ) -> Result<Option<(Secret, Person, String)>> {
        let Some(link) = self.sign_in_link(secret).await? else { return Ok(None) };
        let Some(email) = link.email.as_ref().or(asked) else { return Ok(None) };
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM sign_in_links WHERE hash = $1 AND expires_at > $2";
        let query = sqlx::query(sql).bind(secret.hash()).bind(now());
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let person = find_or_add(&mut transaction, email, link.role).await?;
        let session = begin(&mut transaction, person.id, agent).await?;
        transaction.commit().await?;
        Ok(Some((session, person, link.return_to)))
    }

    /// Who has the session; its life begins anew.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn session(&self, secret: &Secret) -> Result<Option<Person>> {
        let (hash, now) = (secret.hash(), now());
        let sql = format!(
            "SELECT {COLUMNS}, seen_at FROM sessions JOIN people ON people.id = person \
             WHERE hash = $1 AND expires_at > $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(hash.clone()).bind(now);
        let Some(row) = query.fetch_optional(self.readers()).await? else { return Ok(None) };
        let seen_at: i64 = row.try_get(8)?;
        if now.saturating_sub(seen_at) > micros(NOTED) {
            let mut transaction = self.write().await?;
            sqlx::query("UPDATE sessions SET seen_at = $1, expires_at = $2 WHERE hash = $3")
                .bind(now)
                .bind(after(now, SESSION_LIFE))
                .bind(hash)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
        }
        Ok(Some(person(&row)?))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn sign_out(&self, secret: &Secret) -> Result<()> {
        let mut transaction = self.write().await?;
        let query = sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(secret.hash());
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The sessions of a person, the last used first.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn sessions(&self, person: i64) -> Result<Vec<Session>> {
        let sql = "SELECT hash, created_at, seen_at, agent FROM sessions \
             WHERE person = $1 AND expires_at > $2 ORDER BY seen_at DESC, hash";
        let rows = sqlx::query(sql).bind(person).bind(now()).fetch_all(self.readers()).await?;
        let session = |row: &sqlx::any::AnyRow| {
            Ok(Session {
                key: row.try_get(0)?,
                created_at: moment(row.try_get(1)?),
                seen_at: moment(row.try_get(2)?),
                agent: row.try_get(3)?,
            })
        };
        rows.iter().map(session).collect()
    }

    /// Ends all sessions of a person but this one. Returns how many.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be written.
    pub async fn sign_out_elsewhere(&self, person: i64, but: &Secret) -> Result<u64> {
        let mut transaction = self.write().await?;
        let query = sqlx::query("DELETE FROM sessions WHERE person = $1 AND hash <> $2");
        let ended = query.bind(person).bind(but.hash()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(ended.rows_affected())
    }
}

/// Most characters that are kept of what a browser says it is.
const AGENT: usize = 200;

async fn begin(transaction: &mut Transaction<'_, Any>, person: i64, agent: &str) -> Result<Secret> {
    let (secret, now) = (Secret::new(), now());
    let sql = "DELETE FROM sessions WHERE expires_at <= $1";
    sqlx::query(sql).bind(now).execute(&mut **transaction).await?;
    let sql = "INSERT INTO sessions (created_at, seen_at, expires_at, person, hash, agent) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(now)
        .bind(now)
        .bind(after(now, SESSION_LIFE))
        .bind(person)
        .bind(secret.hash())
        .bind(agent.chars().take(AGENT).collect::<String>())
        .execute(&mut **transaction)
        .await?;
    Ok(secret)
}
