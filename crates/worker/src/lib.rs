#![doc = include_str!("../README.md")]

use std::path::PathBuf;
use std::time::Duration;

use pressrun_catalog::{Catalog, Error, RunEnd, RunRow, RunSignal};
use pressrun_lab::{Cancel, Child, ChildSpec, Ended, Event, Limits};
use tokio::sync::mpsc;

/// How long a run stays claimed without a heartbeat.
const LEASE: Duration = Duration::from_secs(20);
/// Between two batches of events, which also carry the heartbeat.
const FLUSH: Duration = Duration::from_millis(250);
/// Between two looks at an empty queue.
const IDLE: Duration = Duration::from_millis(300);
/// Events in memory between the child and the database; a child that is faster waits.
const BUFFER: usize = 4096;
/// Attempts to write the end of a run before the lease is left to expire.
const FINISH_ATTEMPTS: u32 = 5;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Name under which runs are claimed; stable for one data directory or machine, so that after
    /// a crash the worker finds what it left running.
    pub name: String,
    /// The program that runs a study.
    pub program: PathBuf,
    /// Its arguments before the study's own.
    pub arguments: Vec<String>,
    /// Folder in which whole data sets may lie.
    pub data_dir: Option<PathBuf>,
    /// What one run may use.
    pub limits: Limits,
}

/// Takes runs from the queue, one at a time: a run already uses every core.
#[derive(Debug)]
pub struct Worker {
    catalog: Catalog,
    config: WorkerConfig,
}

impl Worker {
    /// A worker on this catalogue.
    pub fn new(catalog: Catalog, config: WorkerConfig) -> Self {
        Self { catalog, config }
    }

    /// Works until `stop` is cancelled; a run under way is then cancelled and marked interrupted.
    pub async fn run(&self, stop: Cancel) {
        match self.catalog.interrupt_worker(&self.config.name).await {
            Ok(left) if !left.is_empty() => {
                tracing::warn!(runs = left.join(" "), "runs were interrupted by an earlier stop");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "interrupted runs could not be marked"),
        }
        while !stop.is_cancelled() {
            if let Err(error) = self.catalog.interrupt_expired().await {
                tracing::error!(%error, "expired runs could not be marked");
            }
            match self.catalog.claim(&self.config.name, LEASE).await {
                Ok(Some(run)) => self.carry_out(&run, &stop).await,
                Ok(None) => tokio::time::sleep(IDLE).await,
                Err(error) => {
                    tracing::error!(%error, "the queue could not be read");
                    tokio::time::sleep(IDLE * 10).await;
                }
            }
        }
    }

    /// Carries out one claimed run.
    async fn carry_out(&self, run: &RunRow, stop: &Cancel) {
        tracing::info!(run = run.id, study = run.slug, profile = run.profile.name(), "run started");
        let spec = ChildSpec {
            program: self.config.program.clone(),
            arguments: self.config.arguments.clone(),
            slug: run.slug.clone(),
            profile: run.profile,
            seeds: run.seeds,
            run_id: run.id.clone(),
            data_dir: self.config.data_dir.clone(),
            limits: self.config.limits,
        };
        let cancel = Cancel::default();
        let ended = match Child::spawn(&spec, &cancel) {
            Ok(child) => self.follow(run, child, &cancel, stop).await,
            Err(error) => Some(Ended::Failed(format!("the run could not be started: {error}"))),
        };
        let Some(ended) = ended else {
            tracing::warn!(run = run.id, "the run was taken over by another worker");
            return;
        };
        if stop.is_cancelled() && ended == Ended::Cancelled {
            // Not the user's wish: the server is stopping, and the run can be restarted.
            if let Err(error) = self.catalog.interrupt_worker(&self.config.name).await {
                tracing::error!(run = run.id, %error, "the run could not be marked interrupted");
            }
            return;
        }
        self.finish(run, &ended).await;
    }

    /// Writes the child's events as they come; `None` if the run is no longer ours.
    async fn follow(
        &self,
        run: &RunRow,
        child: Child,
        cancel: &Cancel,
        stop: &Cancel,
    ) -> Option<Ended> {
        let (sender, mut receiver) = mpsc::channel::<Event>(BUFFER);
        let reader = tokio::task::spawn_blocking(move || {
            child.follow(|event| {
                // The record has a place of its own; in the stream it would be stored twice.
                if !matches!(event, Event::Finished { .. }) {
                    // A closed channel means that the run is no longer ours; the child is
                    // cancelled by then and its last events are of no use.
                    let _ = sender.blocking_send(event.clone());
                }
            })
        });
        let mut seq = 0;
        let mut batch = Vec::new();
        let mut ours = true;
        loop {
            let open = collect(&mut receiver, &mut batch).await;
            if !batch.is_empty() {
                match self.catalog.append_events(&run.id, seq, &batch).await {
                    Ok(()) => {
                        seq += i64::try_from(batch.len()).unwrap_or(i64::MAX);
                        batch.clear();
                    }
                    // Kept for the next turn: numbering makes a repeated batch harmless.
                    Err(error) => tracing::error!(run = run.id, %error, "events not stored yet"),
                }
            }
            if stop.is_cancelled() {
                cancel.cancel();
            }
            match self.catalog.heartbeat(&run.id, &self.config.name, LEASE).await {
                Ok(RunSignal::Continue) => {}
                Ok(RunSignal::Cancel) => cancel.cancel(),
                Ok(RunSignal::Lost) => {
                    cancel.cancel();
                    ours = false;
                    break;
                }
                Err(error) => tracing::error!(run = run.id, %error, "heartbeat failed"),
            }
            if !open {
                break;
            }
        }
        drop(receiver);
        let ended = reader.await.unwrap_or_else(|e| Ended::Failed(format!("the reader: {e}")));
        ours.then_some(ended)
    }

    async fn finish(&self, run: &RunRow, ended: &Ended) {
        for attempt in 1..=FINISH_ATTEMPTS {
            let end = match ended {
                Ended::Finished(record) => RunEnd::Finished(record),
                Ended::Failed(text) => RunEnd::Failed(text.clone()),
                Ended::Cancelled => RunEnd::Cancelled,
            };
            match self.catalog.finish(&run.id, end).await {
                Ok(()) => {
                    let how = match ended {
                        Ended::Finished(_) => "finished",
                        Ended::Failed(_) => "failed",
                        Ended::Cancelled => "cancelled",
                    };
                    tracing::info!(run = run.id, study = run.slug, how, "run ended");
                    return;
                }
                Err(Error::RunOver { state, .. }) => {
                    tracing::warn!(
                        run = run.id,
                        state = state.as_str(),
                        "the run had ended already"
                    );
                    return;
                }
                Err(error) => {
                    tracing::error!(run = run.id, attempt, %error, "the run's end was not stored");
                    tokio::time::sleep(IDLE * attempt).await;
                }
            }
        }
    }
}

/// Gathers events for one interval; `false` once the channel is closed and empty.
async fn collect(receiver: &mut mpsc::Receiver<Event>, batch: &mut Vec<Event>) -> bool {
    let until = tokio::time::Instant::now() + FLUSH;
    loop {
        match tokio::time::timeout_at(until, receiver.recv()).await {
            Ok(Some(event)) => batch.push(event),
            Ok(None) => return false,
            Err(_elapsed) => return true,
        }
        if batch.len() >= BUFFER {
            return true;
        }
    }
}
