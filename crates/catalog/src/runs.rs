//! Runs: a queue in the database, so that it survives the program.
//!
//! ```text
//!            claim               finish
//! queued  ----------> running ----------> finished | failed | cancelled
//!    |                   |
//!    | request_cancel    | lease over, or its worker started again
//!    v                   v
//! cancelled          interrupted          (enqueue with restart_of does it again)
//! ```

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use pressrun_lab::{Profile, Record, new_run_id};
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::sql::{after, moment, now};
use crate::{Catalog, Error, Result, dialect, records};

/// A run as the queue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// Slug of the study.
    pub slug: String,
    /// Profile.
    pub profile: Profile,
    /// Number of seeds, where not the profile's own.
    pub seeds: Option<u64>,
    /// How it stands.
    pub state: RunState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// Work done, in the study's own units.
    pub done: i64,
    /// Work planned so far.
    pub total: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// The run that this one does again.
    pub restart_of: Option<String>,
    /// Somebody wants it to stop.
    pub cancel_requested: bool,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Waiting for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// It went through, and its record is there.
    Finished,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its worker vanished.
    Interrupted,
}

impl RunState {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The name in the database, in URLs and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a worker learns when it shows that it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunSignal {
    /// Go on.
    Continue,
    /// Stop and finish as cancelled.
    Cancel,
    /// The run is not this worker's any more; stop and forget it.
    Lost,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEnd<'a> {
    /// With a record, which is added in the same transaction.
    Finished(&'a Record),
    /// With an error.
    Failed(String),
    /// By request.
    Cancelled,
}

const COLUMNS: &str = "id, slug, profile, seeds, state, created_at, started_at, finished_at, done, \
     total, error, restart_of, cancel_requested";

impl Catalog {
    /// Puts a run in the queue. `seeds` replaces the profile's own number of seeds, `restart_of`
    /// names the run that is done again.
    ///
    /// # Errors
    /// [`Error::UnknownStudy`] if no paper has that slug, [`Error::UnknownRun`] if there is no run
    /// `restart_of`, [`Error::Invalid`] for no seeds.
    pub async fn enqueue(
        &self,
        slug: &str,
        profile: Profile,
        seeds: Option<u64>,
        restart_of: Option<&str>,
    ) -> Result<RunRow> {
        let number = seeds.map(i64::try_from).transpose().ok().flatten();
        if seeds.is_some() && number.is_none_or(|n| n < 1) {
            return Err(Error::Invalid {
                what: "number of seeds",
                value: seeds.unwrap_or_default().to_string(),
                expected: "at least 1",
            });
        }
        let mut transaction = self.write().await?;
        let papers = sqlx::query("SELECT COUNT(*) FROM papers WHERE slug = $1");
        let papers = papers.bind(slug.to_owned());
        if papers.fetch_one(&mut *transaction).await?.try_get::<i64, _>(0)? == 0 {
            return Err(Error::UnknownStudy { slug: slug.to_owned() });
        }
        if let Some(run) = restart_of {
            state(&mut transaction, run).await?;
        }
        // An id is the time and the process: a second one of the same microsecond is asked for again.
        let row = loop {
            let sql = format!(
                "INSERT INTO runs (created_at, seeds, id, slug, profile, state, restart_of) \
                 VALUES ($1, $2, $3, $4, $5, 'queued', $6) \
                 ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}"
            );
            let query = sqlx::query(AssertSqlSafe(sql))
                .bind(now())
                .bind(number)
                .bind(new_run_id())
                .bind(slug.to_owned())
                .bind(profile.name())
                .bind(restart_of.map(str::to_owned));
            if let Some(row) = query.fetch_optional(&mut *transaction).await? {
                break row;
            }
        };
        transaction.commit().await?;
        run_row(&row)
    }

    /// A run.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn run(&self, id: &str) -> Result<Option<RunRow>> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(id.to_owned());
        let row = query.fetch_optional(self.readers()).await?;
        row.as_ref().map(run_row).transpose()
    }

    /// The newest runs of a study, or of all.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn runs(&self, slug: Option<&str>, limit: u32) -> Result<Vec<RunRow>> {
        let only = if slug.is_some() { "WHERE slug = $2" } else { "" };
        let sql =
            format!("SELECT {COLUMNS} FROM runs {only} ORDER BY created_at DESC, id DESC LIMIT $1");
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit));
        if let Some(slug) = slug {
            query = query.bind(slug.to_owned());
        }
        let rows = query.fetch_all(self.readers()).await?;
        rows.iter().map(run_row).collect()
    }

    /// Takes the oldest run of the queue, for as long as `lease`; `None` if none waits.
    ///
    /// One statement: no two workers ever get the same run.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn claim(&self, worker: &str, lease: Duration) -> Result<Option<RunRow>> {
        // Most of the time nothing waits: an idle worker does not take the writers' lock to see it.
        let waiting = sqlx::query("SELECT COUNT(*) FROM runs WHERE state = 'queued'");
        if waiting.fetch_one(self.readers()).await?.try_get::<i64, _>(0)? == 0 {
            return Ok(None);
        }
        let mut transaction = self.write().await?;
        let now = now();
        let sql = format!(
            "UPDATE runs SET state = 'running', worker = $1, started_at = $2, lease_until = $3 \
             WHERE state = 'queued' AND id = (SELECT id FROM runs WHERE state = 'queued' \
             ORDER BY created_at, id LIMIT 1 {}) RETURNING {COLUMNS}",
            dialect::SKIP_LOCKED
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(worker.to_owned())
            .bind(now)
            .bind(after(now, lease));
        let row = query.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        row.as_ref().map(run_row).transpose()
    }

    /// Shows that a worker is alive: its claim holds for another `lease` from now.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn heartbeat(&self, run: &str, worker: &str, lease: Duration) -> Result<RunSignal> {
        let mut transaction = self.write().await?;
        let query = sqlx::query(
            "UPDATE runs SET lease_until = $1 WHERE id = $2 AND worker = $3 AND state = 'running' \
             RETURNING cancel_requested",
        );
        let query = query.bind(after(now(), lease)).bind(run.to_owned()).bind(worker.to_owned());
        let row = query.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(match row.map(|row| row.try_get::<i64, _>(0)).transpose()? {
            None => RunSignal::Lost,
            Some(0) => RunSignal::Continue,
            Some(_) => RunSignal::Cancel,
        })
    }

    /// Ends a run. The same end twice is harmless.
    ///
    /// A worker that was taken for vanished may still finish: what it measured is measured.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] if there is no such run, [`Error::RunOver`] if it has ended otherwise,
    /// [`Error::ForeignRecord`] if the record is another run's.
    pub async fn finish(&self, run: &str, end: RunEnd<'_>) -> Result<()> {
        let mut transaction = self.write().await?;
        let (target, error) = match &end {
            RunEnd::Finished(record) if record.run != run => {
                return Err(Error::ForeignRecord {
                    run: run.to_owned(),
                    record: record.run.clone(),
                });
            }
            RunEnd::Finished(_) => (RunState::Finished, None),
            RunEnd::Failed(error) => (RunState::Failed, Some(error.clone())),
            RunEnd::Cancelled => (RunState::Cancelled, None),
        };
        let state = state(&mut transaction, run).await?;
        if state == target {
            return Ok(());
        }
        if state.is_over() && state != RunState::Interrupted {
            return Err(Error::RunOver { run: run.to_owned(), state });
        }
        if let RunEnd::Finished(record) = end {
            records::add(&mut transaction, record).await?;
        }
        let query = sqlx::query(
            "UPDATE runs SET state = $1, error = $2, finished_at = $3, lease_until = NULL \
             WHERE id = $4",
        );
        let query = query.bind(target.as_str()).bind(error);
        let query = query.bind(now()).bind(run.to_owned());
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Asks a run to stop: one that waits is cancelled at once, one that runs learns it at its next
    /// heartbeat. `false` if it is over already.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] if there is no such run.
    pub async fn request_cancel(&self, run: &str) -> Result<bool> {
        let mut transaction = self.write().await?;
        let state = state(&mut transaction, run).await?;
        if state.is_over() {
            return Ok(false);
        }
        let query = if state == RunState::Queued {
            sqlx::query(
                "UPDATE runs SET cancel_requested = 1, state = 'cancelled', finished_at = $2 \
                 WHERE id = $1",
            )
            .bind(run.to_owned())
            .bind(now())
        } else {
            sqlx::query("UPDATE runs SET cancel_requested = 1 WHERE id = $1").bind(run.to_owned())
        };
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Marks every run whose lease is over as interrupted; returns their ids.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn interrupt_expired(&self) -> Result<Vec<String>> {
        let mut transaction = self.write().await?;
        let query = sqlx::query(
            "UPDATE runs SET state = 'interrupted', finished_at = $1, lease_until = NULL \
             WHERE state = 'running' AND lease_until < $1 RETURNING id",
        );
        let rows = query.bind(now()).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        ids(&rows)
    }

    /// Marks every run that a worker of this name left running as interrupted; returns their ids.
    /// Called when that worker starts: what it ran before it cannot be running now.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn interrupt_worker(&self, worker: &str) -> Result<Vec<String>> {
        let mut transaction = self.write().await?;
        let query = sqlx::query(
            "UPDATE runs SET state = 'interrupted', finished_at = $1, lease_until = NULL \
             WHERE state = 'running' AND worker = $2 RETURNING id",
        );
        let query = query.bind(now()).bind(worker.to_owned());
        let rows = query.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        ids(&rows)
    }
}

/// How a run stands, read within a transaction.
pub(crate) async fn state(transaction: &mut Transaction<'_, Any>, run: &str) -> Result<RunState> {
    let query = sqlx::query("SELECT state FROM runs WHERE id = $1").bind(run.to_owned());
    let row = query.fetch_optional(&mut **transaction).await?;
    let row = row.ok_or_else(|| Error::UnknownRun { run: run.to_owned() })?;
    parse_state(run, row.try_get(0)?)
}

fn parse_state(run: &str, text: &str) -> Result<RunState> {
    let found = RunState::ALL.into_iter().find(|s| s.as_str() == text);
    found.ok_or_else(|| Error::Stored {
        what: "state",
        key: run.to_owned(),
        message: format!("unknown state `{text}`"),
    })
}

fn ids(rows: &[AnyRow]) -> Result<Vec<String>> {
    let mut ids = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<String>>>()?;
    ids.sort();
    Ok(ids)
}

fn run_row(row: &AnyRow) -> Result<RunRow> {
    let id: String = row.try_get(0)?;
    let profile: &str = row.try_get(2)?;
    let seeds: Option<i64> = row.try_get(3)?;
    let time = |column| row.try_get::<Option<i64>, _>(column).map(|t| t.map(moment));
    Ok(RunRow {
        slug: row.try_get(1)?,
        profile: profile.parse().map_err(|message| Error::Stored {
            what: "profile",
            key: id.clone(),
            message,
        })?,
        seeds: seeds.map(i64::unsigned_abs),
        state: parse_state(&id, row.try_get(4)?)?,
        created_at: moment(row.try_get(5)?),
        started_at: time(6)?,
        finished_at: time(7)?,
        done: row.try_get(8)?,
        total: row.try_get(9)?,
        error: row.try_get(10)?,
        restart_of: row.try_get(11)?,
        cancel_requested: row.try_get::<i64, _>(12)? != 0,
        id,
    })
}
