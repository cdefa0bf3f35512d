//! People: who they are and what they may do.

mod secret;
mod sign_in;
mod tokens;
mod votes;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

pub use self::secret::Secret;
pub use self::sign_in::{LINK_LIFE, Link, SESSION_LIFE, Session};
pub use self::tokens::{Scope, Token};
pub use self::votes::Voted;

pub(crate) use self::secret::{hex, random_id};

use crate::discussion::remove_comments;
use crate::sql::{moment, now};
use crate::{Catalog, Error, Result, submissions};

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Number.
    pub id: i64,
    /// Address, in lower case; only the person and administrators see it.
    pub email: String,
    /// The name in addresses.
    pub handle: String,
    /// The name as it is shown.
    pub name: String,
    /// What they say about themselves.
    pub about: String,
    /// What they may do.
    pub role: Role,
    /// When they came.
    pub joined_at: Timestamp,
    /// Whether they may only read.
    pub blocked: bool,
}

/// What a person may do; each role may do what the ones before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Vote, comment, keep a library, submit papers.
    #[default]
    Reader,
    /// Put papers on lists, confirm authors, moderate.
    Curator,
    /// Everything.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Curator, Self::Administrator];

    /// The name in the database, in forms and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Curator => "curator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| Error::Invalid {
            what: "role",
            value: text.to_owned(),
            expected: "`reader`, `curator` or `administrator`",
        })
    }
}

/// An e-mail address in the form in which it is stored: without space around it, in lower case.
///
/// The part before the `@` could by the standard differ in case, and does not on any server that
/// people use; one person with two accounts would be the greater harm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = Error;

    /// # Errors
    /// [`Error::Invalid`] for what is no address, or none that mail can be sent to.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        // A server in the same house may have a name without a dot.
        let options = email_address::Options::default()
            .with_no_minimum_sub_domains()
            .without_domain_literal()
            .without_display_text();
        // A name in quotation marks is allowed, and known to no server that people use.
        email_address::EmailAddress::parse_with_options(text, options)
            .ok()
            .filter(|address| !address.local_part().contains('"'))
            .map(|address| Self(address.as_str().to_lowercase()))
            .ok_or_else(|| Error::Invalid {
                what: "e-mail address",
                value: text.chars().take(100).collect(),
                expected: "a form like `ada@example.org`",
            })
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person can change about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name in addresses: 3 to 30 small letters, digits and dashes, a letter or digit at its ends.
    pub handle: String,
    /// The name as it is shown: 1 to 80 characters, one line.
    pub name: String,
    /// At most 1,000 characters.
    pub about: String,
}

impl Profile {
    fn check(&self) -> Result<()> {
        let invalid = |what, value: &str, expected| {
            Err(Error::Invalid { what, value: value.chars().take(100).collect(), expected })
        };
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let handle = &self.handle;
        let form = (3..=30).contains(&handle.len()) && handle.bytes().all(plain);
        if !form || handle.starts_with('-') || handle.ends_with('-') {
            let expected = "3 to 30 of the letters a to z, digits and dashes, no dash at its ends";
            return invalid("short name", handle, expected);
        }
        let line = |text: &str| !text.chars().any(char::is_control);
        let long = self.name.chars().count();
        if self.name.trim().is_empty() || long > 80 || !line(&self.name) {
            return invalid("name", &self.name, "1 to 80 characters on one line");
        }
        if self.about.chars().count() > 1000 {
            return invalid("text about you", &self.about, "at most 1,000 characters");
        }
        Ok(())
    }
}

/// With the table, as some statements join others with columns of these names.
const COLUMNS: &str = "people.id, people.email, people.handle, people.name, people.about, \
     people.role, people.joined_at, people.blocked_at";

fn person(row: &AnyRow) -> Result<Person> {
    let role: String = row.try_get(5)?;
    let blocked: Option<i64> = row.try_get(7)?;
    Ok(Person {
        id: row.try_get(0)?,
        email: row.try_get(1)?,
        handle: row.try_get(2)?,
        name: row.try_get(3)?,
        about: row.try_get(4)?,
        role: role.parse()?,
        joined_at: moment(row.try_get(6)?),
        blocked: blocked.is_some(),
    })
}

impl Catalog {
    /// The person of that number.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn person(&self, id: i64) -> Result<Option<Person>> {
        let sql = format!("SELECT {COLUMNS} FROM people WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(self.readers()).await?;
        row.as_ref().map(person).transpose()
    }

    /// The person of that short name.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn person_called(&self, handle: &str) -> Result<Option<Person>> {
        let sql = format!("SELECT {COLUMNS} FROM people WHERE handle = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(handle.to_owned());
        query.fetch_optional(self.readers()).await?.as_ref().map(person).transpose()
    }

    /// Whether there is an administrator.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn has_administrator(&self) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM people WHERE role = 'administrator'";
        let count: i64 = sqlx::query(sql).fetch_one(self.readers()).await?.try_get(0)?;
        Ok(count > 0)
    }

    /// Makes an account, or gives the one that has this address at least this role.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn add_person(&self, email: &Email, role: Role) -> Result<Person> {
        let mut transaction = self.write().await?;
        let person = find_or_add(&mut transaction, email, role).await?;
        transaction.commit().await?;
        Ok(person)
    }

    /// Changes what a person says about themselves.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value out of its form, [`Error::Constraint`] if somebody else has the
    /// short name.
    pub async fn edit_profile(&self, id: i64, profile: &Profile) -> Result<()> {
        profile.check()?;
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE people SET handle = $1, name = $2, about = $3 WHERE id = $4")
            .bind(profile.handle.clone())
            .bind(profile.name.trim().to_owned())
            .bind(profile.about.trim().to_owned())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Blocks a person, or lets them write again.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn set_blocked(&self, id: i64, blocked: bool) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE people SET blocked_at = $1 WHERE id = $2")
            .bind(blocked.then(now))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a person with all that is theirs. Their votes no longer count; of their comments the
    /// places stay that replies by others hang on.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written; nothing is removed then.
    pub async fn delete_person(&self, id: i64) -> Result<()> {
        let mut transaction = self.write().await?;
        votes::withdraw_all(&mut transaction, id).await?;
        submissions::remove_open(&mut transaction, id).await?;
        remove_comments(&mut transaction, id).await?;
        let sql =
            "DELETE FROM sign_in_links WHERE email = (SELECT email FROM people WHERE id = $1)";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        let sql = "DELETE FROM mails WHERE recipient = (SELECT email FROM people WHERE id = $1)";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        let sql =
            "DELETE FROM subscriptions WHERE email = (SELECT email FROM people WHERE id = $1)";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        let sql = "DELETE FROM people WHERE id = $1";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// The person with that address, with at least that role.
async fn find_or_add(
    transaction: &mut Transaction<'_, Any>,
    email: &Email,
    role: Role,
) -> Result<Person> {
    let sql = format!("SELECT {COLUMNS} FROM people WHERE email = $1");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(email.as_str().to_owned());
    if let Some(row) = query.fetch_optional(&mut **transaction).await? {
        let mut known = person(&row)?;
        if role > known.role {
            known.role = role;
            let sql = "UPDATE people SET role = $1 WHERE id = $2";
            let query = sqlx::query(sql).bind(role.name()).bind(known.id);
            query.execute(&mut **transaction).await?;
        }
        return Ok(known);
    }
    let (id, joined_at) = (random_id(), now());
    // Nothing of the address: it is nobody's business. They choose another one.
    let handle = format!("reader-{:06x}", random_id() & 0xff_ffff);
    let new = Person {
        id,
        email: email.as_str().to_owned(),
        name: handle.replace('-', " "),
        handle,
        about: String::new(),
        role,
        joined_at: moment(joined_at),
        blocked: false,
    };
    let sql = "INSERT INTO people (joined_at, id, email, handle, name, role) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(joined_at)
        .bind(id)
        .bind(new.email.clone())
        .bind(new.handle.clone())
        .bind(new.name.clone())
        .bind(role.name())
        .execute(&mut **transaction)
        .await?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        let read = |text: &str| text.parse::<Email>().map(|email| email.to_string());
        assert_eq!(read(" Ada.King@Example.ORG\n").unwrap(), "ada.king@example.org");
        assert_eq!(read("ada+papers@localhost").unwrap(), "ada+papers@localhost");
        for none in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "\"a b\"@example.org",
            "Ada <ada@example.org>",
            "a@b@c",
        ] {
            assert!(read(none).is_err(), "{none}");
        }
        for hostile in
            ["ada@example.org\r\nBcc: all@example.org", "a\0@example.org", "a@[127.0.0.1]"]
        {
            assert!(read(hostile).is_err(), "{hostile:?}");
        }
        assert!(read(&format!("{}@example.org", "a".repeat(100))).is_err());
    }

    #[test]
    fn roles_have_an_order() {
        assert!(Role::Reader < Role::Curator && Role::Curator < Role::Administrator);
        assert!(Role::ALL.iter().all(|role| role.name().parse::<Role>().unwrap() == *role));
        assert!("owner".parse::<Role>().is_err());
    }
}
