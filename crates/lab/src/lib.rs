#![doc = include_str!("../README.md")]

mod error;
mod event;
mod execute;
pub mod manifest;
mod record;
mod results;
mod rng;
mod run;
mod study;
mod supervise;
mod verdict;

pub use error::{Error, Result};
pub use event::Event;
pub use execute::{Options, execute, new_run_id};
pub use manifest::Manifest;
pub use record::{Machine, RECORD_SCHEMA, Record, Software};
pub use results::{
    Axes, Better, Curve, DataUse, MetricSpec, Results, Row, SeriesSpec, Stat, Trial, TuningRow,
};
pub use rng::{Rng, stream};
pub use run::{Arm, Cancel, Job, Profile, Run, cores};
pub use study::{Entry, Library, Source, Study};
pub use supervise::{Child, ChildSpec, Ended, Limits};
pub use verdict::{Comparison, Judge, Outcome, Verdict};
