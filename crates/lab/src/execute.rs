//! Running a study in this process.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use jiff::Timestamp;

use crate::event::Event;
use crate::record::{Machine, RECORD_SCHEMA, Record, Software};
use crate::run::{Cancel, Profile, Reported, Run, Sink, cores};
use crate::study::Entry;
use crate::{Error, Result};

/// How a study is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Quick or full.
    pub profile: Profile,
    /// Number of seeds; the study's default if absent.
    pub seeds: Option<u64>,
    /// Arms side by side; one per core if absent.
    pub threads: Option<usize>,
    /// Device.
    pub device: String,
    /// Folder in which whole data sets may lie.
    pub data_dir: Option<PathBuf>,
    /// Switch that cancels the run.
    pub cancel: Cancel,
    /// Identifier of the run.
    pub run_id: String,
    /// What ran; filled in by whoever knows the build.
    pub software: Software,
}

impl Options {
    /// The defaults for a profile.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            seeds: None,
            threads: None,
            device: "flex".into(),
            data_dir: None,
            cancel: Cancel::default(),
            run_id: new_run_id(),
            software: Software {
                pressrun: env!("CARGO_PKG_VERSION").into(),
                commit: "unknown".into(),
                crates: Vec::new(),
                rustc: "unknown".into(),
            },
        }
    }
}

/// A new identifier of a run: the time to the microsecond and the process, sortable by time.
pub fn new_run_id() -> String {
    let micros = Timestamp::now().as_microsecond();
    format!("{micros:013x}-{:x}", std::process::id())
}

/// Runs the study of `entry` here and now, hands every event to `sink`, and returns the record.
///
/// # Errors
/// [`Error::UnknownStudy`] if the paper has no study, [`Error::Cancelled`] if the run was
/// cancelled, otherwise what the study returned. A study's panic is not caught: the run's process
/// ends with it, and its parent tells.
pub fn execute(entry: &Entry, options: &Options, sink: Sink<'_>) -> Result<Record> {
    let slug = entry.manifest.slug.clone();
    let study = entry.study.as_ref().ok_or_else(|| Error::UnknownStudy { slug: slug.clone() })?;
    let started = Timestamp::now();
    let clock = Instant::now();
    let seeds: Vec<u64> =
        (0..options.seeds.unwrap_or_else(|| study.default_seeds(options.profile))).collect();
    if seeds.is_empty() {
        return Err(Error::Study("`0` seeds: at least 1 is needed".into()));
    }
    let run = Run {
        profile: options.profile,
        seeds: seeds.clone(),
        threads: options.threads.unwrap_or_else(cores).max(1),
        device: options.device.clone(),
        data_dir: options.data_dir.clone(),
        cancel: options.cancel.clone(),
        sink,
        series: study.series(),
        metrics: study.metrics(),
        log: Mutex::new(Reported::default()),
        done: AtomicU64::new(0),
        total: AtomicU64::new(0),
        last_progress: Mutex::new(clock),
    };
    sink(&Event::Started {
        slug: slug.clone(),
        profile: options.profile.name().into(),
        seeds: seeds.clone(),
        threads: run.threads,
        series: run.series.clone(),
        metrics: run.metrics.clone(),
    });
    study.run(&run)?;
    let total = run.total.load(std::sync::atomic::Ordering::Relaxed);
    sink(&Event::Progress { done: total, total });
    let reported = std::mem::take(&mut *run.reported());
    let verdicts = entry.judge(&reported.results)?;
    let record = assemble(&run, entry, options, reported, verdicts, started, clock);
    sink(&Event::Finished { record: Box::new(record.clone()) });
    Ok(record)
}

fn assemble(
    run: &Run<'_>,
    entry: &Entry,
    options: &Options,
    reported: Reported,
    verdicts: Vec<crate::Verdict>,
    started: Timestamp,
    clock: Instant,
) -> Record {
    let slug = &entry.manifest.slug;
    let Reported { results, mut curves, mut tuning, data, lines } = reported;
    // Arms finish in any order; a record does not.
    curves.sort_by(|a, b| {
        (&a.series, &a.setting, &a.method, a.seed).cmp(&(&b.series, &b.setting, &b.method, b.seed))
    });
    for curve in &mut curves {
        curve.thin();
    }
    tuning.sort_by(|a, b| (&a.setting, &a.method).cmp(&(&b.setting, &b.method)));
    let mut rows = results.into_rows();
    rows.sort_by(|a, b| {
        (&a.setting, &a.metric, &a.method).cmp(&(&b.setting, &b.metric, &b.method))
    });
    let seeds = options.seeds.map(|n| format!(" --seeds {n}")).unwrap_or_default();
    Record {
        schema: RECORD_SCHEMA,
        run: options.run_id.clone(),
        slug: slug.clone(),
        profile: options.profile,
        seeds: run.seeds.clone(),
        command: format!("pressrun run {slug} --profile {}{seeds}", options.profile.name()),
        supersedes: None,
        reason: None,
        started: started.to_string(),
        seconds: (clock.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        threads: run.threads,
        device: run.device.clone(),
        machine: Machine::current(),
        software: options.software.clone(),
        data,
        verdicts,
        metrics: run.metrics.clone(),
        rows,
        tuning,
        series: run.series.clone(),
        curves,
        log: lines,
    }
}
