//! What a run says while it goes on: one JSON object per line.

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::results::{DataUse, MetricSpec, SeriesSpec, TuningRow};

/// One line of a run's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    Started {
        /// Slug of the study.
        slug: String,
        /// `quick` or `full`.
        profile: String,
        /// Seeds of this run.
        seeds: Vec<u64>,
        /// Arms that run side by side.
        threads: usize,
        /// Declared series.
        series: Vec<SeriesSpec>,
        /// Declared metrics.
        metrics: Vec<MetricSpec>,
    },
    /// Work done so far, in the study's own units of work.
    Progress {
        /// Units done.
        done: u64,
        /// Units planned so far; grows if the study plans more.
        total: u64,
    },
    /// One point of a series.
    Point {
        /// Setting.
        setting: String,
        /// Method.
        method: String,
        /// Seed.
        seed: u64,
        /// Name of a declared series.
        series: String,
        /// Step.
        step: u64,
        /// Value; `null` if not finite.
        value: Option<f64>,
    },
    /// One value of a metric.
    Result {
        /// Setting.
        setting: String,
        /// Method.
        method: String,
        /// Name of a declared metric.
        metric: String,
        /// Seed.
        seed: u64,
        /// Value; `null` if not finite.
        value: Option<f64>,
    },
    /// A candidate of a tuning grid.
    Tuning(TuningRow),
    /// A data set that the run uses.
    Data(DataUse),
    /// A line for the reader.
    Log {
        /// The text.
        text: String,
    },
    /// The last line of a run that went through.
    Finished {
        /// The complete result.
        record: Box<Record>,
    },
    /// The last line of a run that failed.
    Failed {
        /// What went wrong.
        error: String,
    },
    /// The last line of a run that was cancelled.
    Cancelled,
}

impl Event {
    /// Whether nothing comes after this event.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed { .. } | Self::Cancelled)
    }
}
