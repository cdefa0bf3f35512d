//! What confirmed authors say about verdicts.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Audience, Hidden, Speaker, checked_text, speaker};
use crate::people::random_id;
use crate::sql::{moment, now};
use crate::{Catalog, Error, Result};

/// A reply to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVerdictReply {
    /// Id of the paper.
    pub paper: String,
    /// The run whose record has the verdict.
    pub run: String,
    /// The claim, as the record names it.
    pub claim: String,
    /// Who replies: a confirmed author.
    pub person: i64,
    /// Whether they hold the verdict to be wrong.
    pub disputed: bool,
    /// What they say, as Markdown.
    pub text: String,
}

/// An author's reply to a verdict, as its audience may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictReply {
    /// Number.
    pub id: i64,
    /// Id of the paper.
    pub paper: String,
    /// The run whose record has the verdict.
    pub run: String,
    /// The claim.
    pub claim: String,
    /// Who wrote it; `None` where it is hidden from this audience.
    pub by: Option<Speaker>,
    /// Whether it disputes the verdict; not where it is hidden.
    pub disputed: bool,
    /// What it says, as Markdown; empty where it is hidden from this audience.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
    /// Whether and why it is hidden.
    pub hidden: Option<Hidden>,
    /// Whether the same author has said something newer about the same verdict.
    pub superseded: bool,
}

const REPLIES: &str = "SELECT r.id, r.paper, r.run, r.claim, r.disputed, r.text, r.at, r.hidden_at, \
     r.hidden_reason, r.person, p.handle, p.name, p.role, a.state FROM verdict_replies r \
     JOIN people p ON p.id = r.person \
     LEFT JOIN author_claims a ON a.paper = r.paper AND a.person = r.person AND a.state = 'confirmed'";

fn reply(row: &AnyRow, audience: Audience) -> Result<VerdictReply> {
    let hidden_at: Option<i64> = row.try_get(7)?;
    let reason: Option<String> = row.try_get(8)?;
    let readable = hidden_at.is_none() || audience.may_read(Some(row.try_get(9)?));
    Ok(VerdictReply {
        id: row.try_get(0)?,
        paper: row.try_get(1)?,
        run: row.try_get(2)?,
        claim: row.try_get(3)?,
        by: if readable { speaker(row, 9)? } else { None },
        disputed: hidden_at.is_none() && row.try_get::<i64, _>(4)? != 0,
        text: if readable { row.try_get(5)? } else { String::new() },
        at: moment(row.try_get(6)?),
        hidden: hidden_at.map(|at| Hidden { at: moment(at), reason: reason.unwrap_or_default() }),
        superseded: false,
    })
}

/// Replies, the newest first, with those marked that a newer one takes the place of.
fn in_order(rows: &[AnyRow], audience: Audience) -> Result<Vec<VerdictReply>> {
    let mut seen = HashSet::new();
    let mut replies = Vec::with_capacity(rows.len());
    for row in rows {
        let mut reply = reply(row, audience)?;
        // Hidden ones as well: what was said before does not come back by hiding what followed.
        let person: i64 = row.try_get(9)?;
        reply.superseded = !seen.insert((reply.run.clone(), reply.claim.clone(), person));
        replies.push(reply);
    }
    Ok(replies)
}

impl Catalog {
    /// Adds an author's reply to a verdict. Returns its number.
    ///
    /// # Errors
    /// [`Error::NotAnAuthor`] unless a curator has confirmed that the person is one, [`Error::Invalid`]
    /// for a text out of its bounds or a claim that the record has no verdict of,
    /// [`Error::UnknownRun`] if the paper has no record of that run.
    pub async fn reply_to_verdict(&self, new: &NewVerdictReply) -> Result<i64> {
        let text = checked_text(&new.text)?;
        let record = self.record(&new.run).await?;
        let record = record.ok_or_else(|| Error::UnknownRun { run: new.run.clone() })?;
        if !record.verdicts.iter().any(|verdict| verdict.claim == new.claim) {
            return Err(Error::Invalid {
                what: "claim",
                value: new.claim.chars().take(40).collect(),
                expected: "a claim that the record has a verdict of",
            });
        }
        let mut transaction = self.write().await?;
        let sql = "SELECT (SELECT COUNT(*) FROM author_claims \
             WHERE paper = $1 AND person = $2 AND state = 'confirmed'), \
             (SELECT COUNT(*) FROM papers WHERE id = $1 AND slug = $3)";
        let query = sqlx::query(sql).bind(new.paper.clone()).bind(new.person).bind(record.slug);
        let row = query.fetch_one(&mut *transaction).await?;
        if row.try_get::<i64, _>(1)? == 0 {
            return Err(Error::UnknownRun { run: new.run.clone() });
        }
        if row.try_get::<i64, _>(0)? == 0 {
            return Err(Error::NotAnAuthor);
        }
        let id = random_id();
        let sql = "INSERT INTO verdict_replies (at, id, person, disputed, paper, run, claim, text) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(now())
            .bind(id)
            .bind(new.person)
            .bind(i64::from(new.disputed))
            .bind(new.paper.clone())
            .bind(new.run.clone())
            .bind(new.claim.clone())
            .bind(text)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Replies to the verdicts of a record, the newest first, those included that are superseded.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn verdict_replies(
        &self,
        run: &str,
        audience: Audience,
    ) -> Result<Vec<VerdictReply>> {
        let sql = format!("{REPLIES} WHERE r.run = $1 ORDER BY r.at DESC, r.id LIMIT 1000");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(run.to_owned());
        in_order(&query.fetch_all(self.readers()).await?, audience)
    }

    /// The newest replies to verdicts of a paper that everybody can read, the newest first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn recent_verdict_replies(
        &self,
        paper: &str,
        limit: u32,
    ) -> Result<Vec<VerdictReply>> {
        let sql = format!(
            "{REPLIES} WHERE r.paper = $1 AND r.hidden_at IS NULL ORDER BY r.at DESC, r.id LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(paper.to_owned()).bind(i64::from(limit));
        in_order(&query.fetch_all(self.readers()).await?, Audience::Public)
    }

    /// Hidden replies to verdicts, the last one hidden first; at most a hundred.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn hidden_verdict_replies(&self) -> Result<Vec<VerdictReply>> {
        let sql = format!(
            "{REPLIES} WHERE r.hidden_at IS NOT NULL ORDER BY r.hidden_at DESC, r.id LIMIT 100"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(self.readers()).await?;
        rows.iter().map(|row| reply(row, Audience::Curators)).collect()
    }

    /// All replies of a person, the newest first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn verdict_replies_of(&self, person: i64) -> Result<Vec<VerdictReply>> {
        let sql = format!("{REPLIES} WHERE r.person = $1 ORDER BY r.at DESC, r.id");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(person);
        in_order(&query.fetch_all(self.readers()).await?, Audience::Person(person))
    }
}
