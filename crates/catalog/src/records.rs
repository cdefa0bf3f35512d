//! Records: append-only, the newest full one speaks for its paper.

use std::collections::HashMap;

use jiff::Timestamp;
use pressrun_lab::{Profile, Record};
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::changes::last_revision;
use crate::sql::{count, now};
use crate::{Catalog, Error, Result, VerdictCounts, sql};

/// A record without its numbers, as lists of records show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordHead {
    /// The run that it is of.
    pub run: String,
    /// Profile of that run.
    pub profile: Profile,
    /// Start of that run, RFC 3339 in UTC.
    pub started: String,
    /// Outcomes of its claims.
    pub verdicts: VerdictCounts,
    /// Why it was made.
    pub reason: Option<String>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// A record by which what a paper's page says of its claims became something else.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictChange {
    /// Id of the paper.
    pub paper: String,
    /// Its title.
    pub title: String,
    /// The record that speaks for the paper since then.
    pub head: RecordHead,
    /// When it came into the catalogue.
    pub added_at: Timestamp,
    /// What the record before it said; `None` for the first one.
    pub before: Option<VerdictCounts>,
}

/// Heads of records that came to speak for their paper, each with the outcomes before: a full record
/// does, and a quick one as long as there is no full one.
const CHANGES: &str = "WITH speaking AS ( \
       SELECT run, profile, started, reproduced, partly, not_at_this_scale, not_tested, reason, \
       seconds, slug, started_at, added_at FROM records r WHERE ($1 = '' OR slug = $1) \
       AND (profile = 'full' OR NOT EXISTS (SELECT 1 FROM records f WHERE f.slug = r.slug \
       AND f.profile = 'full' AND f.started_at < r.started_at)) \
     ), followed AS ( \
       SELECT speaking.*, \
       LAG(reproduced, 1, -1) OVER (PARTITION BY slug ORDER BY started_at, run) AS was_reproduced, \
       LAG(partly, 1, -1) OVER (PARTITION BY slug ORDER BY started_at, run) AS was_partly, \
       LAG(not_at_this_scale, 1, -1) OVER (PARTITION BY slug ORDER BY started_at, run) AS was_not, \
       LAG(not_tested, 1, -1) OVER (PARTITION BY slug ORDER BY started_at, run) AS was_untested \
       FROM speaking \
     ) SELECT f.run, f.profile, f.started, f.reproduced, f.partly, f.not_at_this_scale, \
     f.not_tested, f.reason, f.seconds, f.was_reproduced, f.was_partly, f.was_not, f.was_untested, \
     p.id, p.title, f.added_at FROM followed f JOIN papers p ON p.slug = f.slug \
     WHERE f.reproduced <> f.was_reproduced OR f.partly <> f.was_partly \
     OR f.not_at_this_scale <> f.was_not OR f.not_tested <> f.was_untested \
     ORDER BY f.started_at DESC, f.run DESC LIMIT $2";

impl Catalog {
    /// The newest records by which the outcomes of a study's claims changed, or those of all
    /// studies; the newest first.
    ///
    /// # Errors
    /// [`Error::Stored`] if one cannot be read back.
    pub async fn verdict_changes(
        &self,
        slug: Option<&str>,
        limit: u32,
    ) -> Result<Vec<VerdictChange>> {
        let query = sqlx::query(CHANGES).bind(slug.unwrap_or_default().to_owned());
        let rows = query.bind(i64::from(limit)).fetch_all(self.readers()).await?;
        rows.iter().map(change).collect()
    }

    /// When the newest record of each of these studies came into the catalogue; studies without one
    /// are left out.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn recorded_at(&self, slugs: &[String]) -> Result<HashMap<String, Timestamp>> {
        let mut found = HashMap::with_capacity(slugs.len());
        for slugs in sql::chunks(slugs, 1) {
            let sql = format!(
                "SELECT slug, MAX(added_at) FROM records WHERE slug IN {} GROUP BY slug",
                sql::rows(1, slugs.len())
            );
            let query = slugs
                .iter()
                .fold(sqlx::query(AssertSqlSafe(sql)), |query, slug| query.bind(slug.clone()));
            for row in query.fetch_all(self.readers()).await? {
                found.insert(row.try_get(0)?, sql::moment(row.try_get(1)?));
            }
        }
        Ok(found)
    }

    /// Adds a record and lets the newest one speak for its paper. `false` if there is one of that
    /// run already, which stays as it is.
    ///
    /// # Errors
    /// [`Error::UnknownStudy`] if no paper has the record's slug, [`Error::Invalid`] if its start is
    /// no moment.
    pub async fn add_record(&self, record: &Record) -> Result<bool> {
        let mut transaction = self.write().await?;
        let added = add(&mut transaction, record).await?;
        transaction.commit().await?;
        Ok(added)
    }

    /// The record of a run.
    ///
    /// # Errors
    /// [`Error::Stored`] if it cannot be read back.
    pub async fn record(&self, run: &str) -> Result<Option<Record>> {
        let query = sqlx::query("SELECT run, record FROM records WHERE run = $1");
        let row = query.bind(run.to_owned()).fetch_optional(self.readers()).await?;
        row.as_ref().map(whole).transpose()
    }

    /// The newest full record of a study, else its newest quick one.
    ///
    /// # Errors
    /// [`Error::Stored`] if it cannot be read back.
    pub async fn latest_record(&self, slug: &str) -> Result<Option<Record>> {
        let query = sqlx::query(
            "SELECT run, record FROM records WHERE slug = $1 \
             ORDER BY profile, started_at DESC, run DESC LIMIT 1",
        );
        let row = query.bind(slug.to_owned()).fetch_optional(self.readers()).await?;
        row.as_ref().map(whole).transpose()
    }

    /// Heads of all records of a study, newest first.
    ///
    /// # Errors
    /// [`Error::Stored`] if one cannot be read back.
    pub async fn records(&self, slug: &str) -> Result<Vec<RecordHead>> {
        let query = sqlx::query(
            "SELECT run, profile, started, reproduced, partly, not_at_this_scale, not_tested, \
             reason, seconds FROM records WHERE slug = $1 ORDER BY started_at DESC, run DESC",
        );
        let rows = query.bind(slug.to_owned()).fetch_all(self.readers()).await?;
        rows.iter().map(head).collect()
    }
}

/// Adds a record within a transaction.
pub(crate) async fn add(transaction: &mut Transaction<'_, Any>, record: &Record) -> Result<bool> {
    let started: Timestamp = record.started.parse().map_err(|_| Error::Invalid {
        what: "start of the record",
        value: record.started.clone(),
        expected: "a moment like `2025-09-09T12:00:00Z`",
    })?;
    let papers = sqlx::query("SELECT COUNT(*) FROM papers WHERE slug = $1");
    let papers = papers.bind(record.slug.clone());
    if papers.fetch_one(&mut **transaction).await?.try_get::<i64, _>(0)? == 0 {
        return Err(Error::UnknownStudy { slug: record.slug.clone() });
    }
    let json = serde_json::to_string(record).map_err(|error| stored(&record.run, &error))?;
    let counts = VerdictCounts::of(record);
    let query = sqlx::query(
        "INSERT INTO records (started_at, added_at, reproduced, partly, not_at_this_scale, \
         not_tested, seconds, run, slug, profile, started, reason, record) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (run) DO NOTHING",
    );
    let query = query
        .bind(started.as_microsecond())
        .bind(now())
        .bind(i64::from(counts.reproduced))
        .bind(i64::from(counts.partly))
        .bind(i64::from(counts.not_at_this_scale))
        .bind(i64::from(counts.not_tested))
        .bind(record.seconds)
        .bind(record.run.clone())
        .bind(record.slug.clone())
        .bind(record.profile.name())
        .bind(record.started.clone())
        .bind(record.reason.clone())
        .bind(json);
    if query.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    speak(transaction, &record.slug).await?;
    Ok(true)
}

/// Sets a paper's verdict counts to those of the record that speaks for it.
async fn speak(transaction: &mut Transaction<'_, Any>, slug: &str) -> Result<()> {
    let query = sqlx::query(
        "SELECT reproduced, partly, not_at_this_scale, not_tested FROM records WHERE slug = $1 \
         ORDER BY profile, started_at DESC, run DESC LIMIT 1",
    );
    let row = query.bind(slug.to_owned()).fetch_one(&mut **transaction).await?;
    let counts = VerdictCounts {
        reproduced: count(&row, 0)?,
        partly: count(&row, 1)?,
        not_at_this_scale: count(&row, 2)?,
        not_tested: count(&row, 3)?,
    };
    let query = sqlx::query(
        "UPDATE papers SET verdict_rank = $1, reproduced = $2, partly = $3, \
         not_at_this_scale = $4, not_tested = $5, revision = $6 WHERE slug = $7",
    );
    let revision = last_revision(transaction).await? + 1;
    let query = query
        .bind(counts.rank())
        .bind(i64::from(counts.reproduced))
        .bind(i64::from(counts.partly))
        .bind(i64::from(counts.not_at_this_scale))
        .bind(i64::from(counts.not_tested))
        .bind(revision)
        .bind(slug.to_owned());
    query.execute(&mut **transaction).await?;
    Ok(())
}

fn whole(row: &AnyRow) -> Result<Record> {
    let (run, json): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    serde_json::from_str(json).map_err(|error| stored(run, &error))
}

fn head(row: &AnyRow) -> Result<RecordHead> {
    let profile: &str = row.try_get(1)?;
    Ok(RecordHead {
        run: row.try_get(0)?,
        profile: profile.parse().map_err(|message| Error::Stored {
            what: "profile",
            key: profile.to_owned(),
            message,
        })?,
        started: row.try_get(2)?,
        verdicts: VerdictCounts {
            reproduced: count(row, 3)?,
            partly: count(row, 4)?,
            not_at_this_scale: count(row, 5)?,
            not_tested: count(row, 6)?,
        },
        reason: row.try_get(7)?,
        seconds: row.try_get(8)?,
    })
}

fn change(row: &AnyRow) -> Result<VerdictChange> {
    let first = row.try_get::<i64, _>(9)? < 0;
    let before = |column| if first { Ok(0) } else { count(row, column) };
    let before = VerdictCounts {
        reproduced: before(9)?,
        partly: before(10)?,
        not_at_this_scale: before(11)?,
        not_tested: before(12)?,
    };
    Ok(VerdictChange {
        head: head(row)?,
        before: (!first).then_some(before),
        paper: row.try_get(13)?,
        title: row.try_get(14)?,
        added_at: sql::moment(row.try_get(15)?),
    })
}

fn stored(run: &str, error: &serde_json::Error) -> Error {
    Error::Stored { what: "record", key: run.to_owned(), message: error.to_string() }
}
