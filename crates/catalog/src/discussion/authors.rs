//! Who says to be an author of a paper, and what curators find.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{checked, checked_reason};
use crate::sql::{moment, now};
use crate::{Catalog, Error, Result};

/// How a claim of authorship stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// No curator has looked at it.
    Claimed,
    /// A curator has found it true.
    Confirmed,
    /// A curator has not.
    Refused,
}

impl ClaimState {
    /// The name in the database and in interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for ClaimState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ClaimState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Claimed, Self::Confirmed, Self::Refused];
        all.into_iter().find(|state| state.name() == text).ok_or_else(|| Error::Invalid {
            what: "state of a claim",
            value: text.to_owned(),
            expected: "`claimed`, `confirmed` or `refused`",
        })
    }
}

/// A claim to be an author of a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorClaim {
    /// Id of the paper.
    pub paper: String,
    /// Its title.
    pub title: String,
    /// Number of who claims it.
    pub person: i64,
    /// Their name in addresses.
    pub handle: String,
    /// Their name.
    pub name: String,
    /// The author's name, as they gave it.
    pub author: String,
    /// By what a curator can see it.
    pub proof: String,
    /// When it was made.
    pub at: Timestamp,
    /// How it stands.
    pub state: ClaimState,
}

const CLAIMS: &str = "SELECT a.paper, papers.title, a.person, people.handle, people.name, a.author, \
     a.proof, a.at, a.state FROM author_claims a JOIN papers ON papers.id = a.paper \
     JOIN people ON people.id = a.person";

fn claim(row: &AnyRow) -> Result<AuthorClaim> {
    let state: String = row.try_get(8)?;
    Ok(AuthorClaim {
        paper: row.try_get(0)?,
        title: row.try_get(1)?,
        person: row.try_get(2)?,
        handle: row.try_get(3)?,
        name: row.try_get(4)?,
        author: row.try_get(5)?,
        proof: row.try_get(6)?,
        at: moment(row.try_get(7)?),
        state: state.parse()?,
    })
}

impl Catalog {
    /// Claims to be an author of a paper. One that no curator has looked at may be changed; one that is
    /// decided stays as it is, and is returned so.
    ///
    /// # Errors
    /// [`Error::UnknownPaper`], [`Error::Invalid`] for a name or a proof out of its bounds.
    pub async fn claim_paper(
        &self,
        paper: &str,
        person: i64,
        author: &str,
        proof: &str,
    ) -> Result<ClaimState> {
        let author = checked(author, "author", 200, "a name of 1 to 200 characters")?;
        let proof = if proof.trim().is_empty() { String::new() } else { checked_reason(proof)? };
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO author_claims (at, person, paper, state, author, proof) \
             SELECT $1, $2, id, 'claimed', $3, $4 FROM papers WHERE id = $5 \
             ON CONFLICT (paper, person) DO UPDATE SET at = excluded.at, author = excluded.author, \
             proof = excluded.proof WHERE author_claims.state = 'claimed'";
        sqlx::query(sql)
            .bind(now())
            .bind(person)
            .bind(author)
            .bind(proof)
            .bind(paper.to_owned())
            .execute(&mut *transaction)
            .await?;
        let sql = "SELECT state FROM author_claims WHERE paper = $1 AND person = $2";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(person);
        let row = query.fetch_optional(&mut *transaction).await?;
        let row = row.ok_or_else(|| Error::UnknownPaper { paper: paper.to_owned() })?;
        let state: String = row.try_get(0)?;
        transaction.commit().await?;
        state.parse()
    }

    /// Confirms or refuses a claim, whatever was decided before.
    ///
    /// # Errors
    /// [`Error::UnknownClaim`] if there is none, [`Error::NotTheirs`] for a curator's own.
    pub async fn decide_claim(
        &self,
        paper: &str,
        person: i64,
        curator: i64,
        confirmed: bool,
    ) -> Result<()> {
        if person == curator {
            return Err(Error::NotTheirs);
        }
        let state = if confirmed { ClaimState::Confirmed } else { ClaimState::Refused };
        let mut transaction = self.write().await?;
        let sql = "UPDATE author_claims SET state = $1, decided_at = $2, decided_by = $3 \
             WHERE paper = $4 AND person = $5";
        let query = sqlx::query(sql)
            .bind(state.name())
            .bind(now())
            .bind(curator)
            .bind(paper.to_owned())
            .bind(person);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(Error::UnknownClaim { paper: paper.to_owned(), person });
        }
        Ok(transaction.commit().await?)
    }

    /// Claims that no curator has looked at, the oldest first; at most a hundred.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn open_claims(&self) -> Result<Vec<AuthorClaim>> {
        let sql = format!("{CLAIMS} WHERE a.state = 'claimed' ORDER BY a.at LIMIT 100");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(self.readers()).await?;
        rows.iter().map(claim).collect()
    }

    /// What a person claims to have written, the newest claim first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn claims_of(&self, person: i64) -> Result<Vec<AuthorClaim>> {
        let sql = format!("{CLAIMS} WHERE a.person = $1 ORDER BY a.at DESC, a.paper");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(person).fetch_all(self.readers()).await?;
        rows.iter().map(claim).collect()
    }

    /// A person's claim to a paper.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn claim_to(&self, paper: &str, person: i64) -> Result<Option<AuthorClaim>> {
        let sql = format!("{CLAIMS} WHERE a.paper = $1 AND a.person = $2");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(paper.to_owned()).bind(person);
        query.fetch_optional(self.readers()).await?.as_ref().map(claim).transpose()
    }

    /// The confirmed authors of a paper, as short name and name.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn authors_here(&self, paper: &str) -> Result<Vec<(String, String)>> {
        let sql = "SELECT people.handle, people.name FROM author_claims a \
             JOIN people ON people.id = a.person \
             WHERE a.paper = $1 AND a.state = 'confirmed' ORDER BY a.at, people.handle";
        let rows = sqlx::query(sql).bind(paper.to_owned()).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
