//! A run's events as they come, by Server-Sent Events.
//!
//! ```text
//! id: 17
//! event: point
//! data: {"event":"point","setting":"digits","method":"MLP","seed":0, ...}
//! ```
//!
//! Besides the run's own events there is `state`, whenever the state of the run has changed, and at
//! the end one `end`. Both carry the state as it stands in the queue. A reader that was cut off
//! says by `Last-Event-ID`, or by `?after=`, which event it had last.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use pressrun_catalog::RunRow;
use pressrun_lab::Event;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::site::Shared;
use crate::{Error, Result};

/// A number below that of every event.
pub(super) const BEFORE_ALL: i64 = -1;

/// Events sent at once.
const BATCH: u32 = 1000;
/// Comments that keep a silent connection open through proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Pairs = Vec<(String, String)>;

pub(super) async fn stream(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    let after = after(&headers, &query)?;
    site.catalog.run(&id).await?.ok_or_else(|| Error::no_run(&id))?;
    let permit = site.streams.clone().try_acquire_owned().map_err(|_| Error::TooManyStreams)?;
    let closing = site.closing.subscribe();
    let reader = Reader { site, run: id, after, state: None, caught_up: false, closing, permit };
    Ok(Sse::new(messages(reader)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The last event that the reader had. The header wins: a browser that reconnects by itself sends
/// it along with the address that it was first given.
fn after(headers: &HeaderMap, query: &Pairs) -> Result<i64> {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let given = query.iter().find(|(name, _)| name == "after").map(|(_, value)| value.as_str());
    let Some(text) = header.or(given) else {
        return Ok(BEFORE_ALL);
    };
    text.parse().map_err(|_| Error::Invalid {
        what: "number of an event",
        value: text.to_owned(),
        expected: "the `id` of the last event received",
    })
}

/// One open stream.
struct Reader {
    site: Shared,
    run: String,
    after: i64,
    /// The state that was last told.
    state: Option<&'static str>,
    /// Nothing was left to send at the last look.
    caught_up: bool,
    closing: watch::Receiver<bool>,
    /// Held until the stream ends.
    permit: OwnedSemaphorePermit,
}

fn messages(reader: Reader) -> impl Stream<Item = Result<Message, Infallible>> {
    let batches = stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some((messages, true))) => Some((messages, None)),
            Ok(Some((messages, false))) => Some((messages, Some(reader))),
            Ok(None) => None,
            Err(error) => {
                // The head of the answer is long gone; the reader comes back and resumes.
                tracing::error!(run = reader.run, %error, "a live stream broke off");
                None
            }
        }
    });
    batches.flat_map(stream::iter).map(Ok)
}

impl Reader {
    /// The next messages, and whether they are the last; `None` if the site is closing.
    async fn next(&mut self) -> Result<Option<(Vec<Message>, bool)>> {
        loop {
            if *self.closing.borrow_and_update() {
                return Ok(None);
            }
            if self.caught_up {
                tokio::select! {
                    () = tokio::time::sleep(self.site.settings.poll) => {}
                    _ = self.closing.changed() => continue,
                }
            }
            let (messages, last) = self.look().await?;
            if last || !messages.is_empty() {
                return Ok(Some((messages, last)));
            }
        }
    }

    async fn look(&mut self) -> Result<(Vec<Message>, bool)> {
        // The state first: if it is over then, all of its events are there.
        let row = self.site.catalog.run(&self.run).await?;
        let row = row.ok_or_else(|| Error::no_run(&self.run))?;
        let events = self.site.catalog.events(&self.run, self.after, BATCH).await?;
        self.caught_up = events.len() < BATCH as usize;
        let last = row.state.is_over() && self.caught_up;
        let mut messages = Vec::with_capacity(events.len() + 2);
        if self.state != Some(row.state.as_str()) {
            self.state = Some(row.state.as_str());
            messages.push(Message::default().event("state").data(state(&row)));
        }
        for (seq, event) in events {
            self.after = seq;
            // The end is told from the queue; a record is too large for a line and has an address.
            if !event.is_last() {
                let data = serde_json::to_string(&event)?;
                messages
                    .push(Message::default().id(seq.to_string()).event(name(&event)).data(data));
            }
        }
        if last {
            messages.push(Message::default().event("end").data(state(&row)));
        }
        Ok((messages, last))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        tracing::debug!(run = self.run, permit = ?self.permit, "a live stream ended");
    }
}

fn state(row: &RunRow) -> String {
    json!({
        "state": row.state.as_str(),
        "done": row.done,
        "total": row.total,
        "error": row.error,
    })
    .to_string()
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Started { .. } => "started",
        Event::Progress { .. } => "progress",
        Event::Point { .. } => "point",
        Event::Result { .. } => "result",
        Event::Tuning(_) => "tuning",
        Event::Data(_) => "data",
        Event::Log { .. } => "log",
        Event::Finished { .. } => "finished",
        Event::Failed { .. } => "failed",
        Event::Cancelled => "cancelled",
    }
}
