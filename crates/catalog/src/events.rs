//! What a run says while it goes on, kept so that a page can be opened in the middle of it.

use pressrun_lab::Event;
use sqlx::{AssertSqlSafe, Row};

use crate::runs::state;
use crate::sql::{chunks, rows};
use crate::{Catalog, Error, Result};

impl Catalog {
    /// Adds events of a run; the first has number `first_seq`, the next the next. Numbers that are
    /// there already stay as they are, so that the same batch twice is harmless.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] if there is no such run.
    pub async fn append_events(&self, run: &str, first_seq: i64, events: &[Event]) -> Result<()> {
        let numbered: Vec<(i64, String)> = (first_seq..)
            .zip(events)
            .map(|(seq, event)| Ok((seq, json(run, seq, event)?)))
            .collect::<Result<_>>()?;
        let mut transaction = self.write().await?;
        state(&mut transaction, run).await?;
        for chunk in chunks(&numbered, 3) {
            let sql = format!(
                "INSERT INTO run_events (seq, run, event) VALUES {} ON CONFLICT DO NOTHING",
                rows(chunk.len(), 3)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (seq, event) in chunk {
                query = query.bind(*seq).bind(run.to_owned()).bind(event.clone());
            }
            query.execute(&mut *transaction).await?;
        }
        let progress = events.iter().rev().find_map(|event| match event {
            Event::Progress { done, total } => Some((*done, *total)),
            _ => None,
        });
        if let Some((done, total)) = progress {
            let number = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
            // Work done only grows: a batch that comes a second time, or late, takes nothing back.
            let query =
                sqlx::query("UPDATE runs SET done = $1, total = $2 WHERE id = $3 AND done <= $1");
            let query = query.bind(number(done)).bind(number(total));
            query.bind(run.to_owned()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// At most `limit` events of a run, with their numbers, from the one after `after_seq` on.
    ///
    /// # Errors
    /// [`Error::Stored`] if one cannot be read back.
    pub async fn events(&self, run: &str, after_seq: i64, limit: u32) -> Result<Vec<(i64, Event)>> {
        let query = sqlx::query(
            "SELECT seq, event FROM run_events WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        );
        let query = query.bind(run.to_owned()).bind(after_seq);
        let rows = query.bind(i64::from(limit)).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let (seq, text): (i64, &str) = (row.try_get(0)?, row.try_get(1)?);
                let event = serde_json::from_str(text);
                Ok((seq, event.map_err(|error| stored_event(run, seq, &error))?))
            })
            .collect()
    }
}

fn json(run: &str, seq: i64, event: &Event) -> Result<String> {
    serde_json::to_string(event).map_err(|error| stored_event(run, seq, &error))
}

fn stored_event(run: &str, seq: i64, error: &serde_json::Error) -> Error {
    Error::Stored { what: "event", key: format!("{run}/{seq}"), message: error.to_string() }
}
