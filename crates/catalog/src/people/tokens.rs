//! Tokens, by which programs act for a person.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{COLUMNS, Person, Secret, person, random_id};
use crate::sql::{moment, now};
use crate::{Catalog, Error, Result};

/// What a token may be used for, besides reading what everybody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read the person's library, votes and profile.
    Read,
    /// Vote, comment, keep the library, submit papers.
    Write,
    /// Start and cancel runs.
    Run,
    /// What curators and administrators do, where the person is one.
    Manage,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Run, Self::Manage];

    /// The name in the database, in forms and in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Run => "run",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| Error::Invalid {
            what: "scope",
            value: text.to_owned(),
            expected: "`read`, `write`, `run` or `manage`",
        })
    }
}

/// A token as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Number.
    pub id: i64,
    /// What the owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the hour.
    pub used_at: Option<Timestamp>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// Most tokens of a person.
const MOST: i64 = 50;
/// How often the use of a token is noted, in microseconds.
const NOTED: i64 = 3_600_000_000;

fn scopes(text: &str) -> Result<Vec<Scope>> {
    text.split_whitespace().map(str::parse).collect()
}

impl Catalog {
    /// Makes a token. Its secret is shown once; the database has a hash.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is empty or longer than 80 characters, no scope, and beyond
    /// fifty tokens.
    pub async fn add_token(
        &self,
        person: i64,
        name: &str,
        scopes: &[Scope],
        expires_at: Option<Timestamp>,
    ) -> Result<Secret> {
        let invalid = |what, value: &str, expected| Error::Invalid {
            what,
            value: value.chars().take(100).collect(),
            expected,
        };
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
            return Err(invalid("name of the token", name, "1 to 80 characters on one line"));
        }
        if scopes.is_empty() {
            return Err(invalid("scopes", "", "at least one of `read`, `write`, `run`, `manage`"));
        }
        let mut sorted = scopes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let names: Vec<&str> = sorted.iter().map(|scope| scope.name()).collect();
        let secret = Secret::new();
        let mut transaction = self.write().await?;
        let query = sqlx::query("SELECT COUNT(*) FROM tokens WHERE person = $1").bind(person);
        let count: i64 = query.fetch_one(&mut *transaction).await?.try_get(0)?;
        if count >= MOST {
            return Err(invalid("number of tokens", &count.to_string(), "fewer than 50"));
        }
        let sql = "INSERT INTO tokens (created_at, expires_at, id, person, hash, name, scopes) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(now())
            .bind(expires_at.map(Timestamp::as_microsecond))
            .bind(random_id())
            .bind(person)
            .bind(secret.hash())
            .bind(name.to_owned())
            .bind(names.join(" "))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(secret)
    }

    /// Whose token it is and what it may be used for, if it works.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn token(&self, secret: &Secret) -> Result<Option<(Person, Vec<Scope>)>> {
        let (hash, now) = (secret.hash(), now());
        let sql = format!(
            "SELECT {COLUMNS}, scopes, used_at FROM tokens JOIN people ON people.id = person \
             WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(hash.clone()).bind(now);
        let Some(row) = query.fetch_optional(self.readers()).await? else { return Ok(None) };
        let used_at: Option<i64> = row.try_get(9)?;
        if used_at.is_none_or(|used_at| now.saturating_sub(used_at) > NOTED) {
            let mut transaction = self.write().await?;
            let query = sqlx::query("UPDATE tokens SET used_at = $1 WHERE hash = $2");
            query.bind(now).bind(hash).execute(&mut *transaction).await?;
            transaction.commit().await?;
        }
        let text: String = row.try_get(8)?;
        Ok(Some((person(&row)?, scopes(&text)?)))
    }

    /// The tokens of a person, the newest first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn tokens(&self, person: i64) -> Result<Vec<Token>> {
        let sql = "SELECT id, name, scopes, created_at, used_at, expires_at FROM tokens \
             WHERE person = $1 ORDER BY created_at DESC, id";
        let rows = sqlx::query(sql).bind(person).fetch_all(self.readers()).await?;
        let token = |row: &AnyRow| -> Result<Token> {
            let text: String = row.try_get(2)?;
            let (used, expires): (Option<i64>, Option<i64>) = (row.try_get(4)?, row.try_get(5)?);
            Ok(Token {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                scopes: scopes(&text)?,
                created_at: moment(row.try_get(3)?),
                used_at: used.map(moment),
                expires_at: expires.map(moment),
            })
        };
        rows.iter().map(token).collect()
    }

    /// Removes a token of this person; `false` if they have none of that number.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn remove_token(&self, person: i64, id: i64) -> Result<bool> {
        let mut transaction = self.write().await?;
        let query = sqlx::query("DELETE FROM tokens WHERE person = $1 AND id = $2");
        let removed = query.bind(person).bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(removed.rows_affected() > 0)
    }
}
