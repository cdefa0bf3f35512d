//! The complete result of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::results::{Curve, DataUse, MetricSpec, Results, Row, SeriesSpec, TuningRow};
use crate::run::Profile;
use crate::verdict::{Outcome, Verdict};

/// Version of the record's form; raised when a field changes its meaning.
pub const RECORD_SCHEMA: u32 = 1;

/// Everything a run measured, and everything needed to do it again.
///
/// Records are append-only: a new one supersedes an older one and says why. The published JSON
/// Schema is `docs/record.schema.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// [`RECORD_SCHEMA`].
    pub schema: u32,
    /// Identifier of the run.
    pub run: String,
    /// Slug of the study.
    pub slug: String,
    /// Profile.
    pub profile: Profile,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// The command that repeats the run.
    pub command: String,
    /// Identifier of the run that this one supersedes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// Why this record was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Wall time.
    pub seconds: f64,
    /// Arms that ran side by side.
    pub threads: usize,
    /// Device.
    pub device: String,
    /// Where it ran.
    pub machine: Machine,
    /// What ran.
    pub software: Software,
    /// Data sets used.
    pub data: Vec<DataUse>,
    /// One verdict per claim.
    pub verdicts: Vec<Verdict>,
    /// Declared metrics.
    pub metrics: Vec<MetricSpec>,
    /// Results, method by method.
    pub rows: Vec<Row>,
    /// Tuning grids.
    pub tuning: Vec<TuningRow>,
    /// Declared series.
    pub series: Vec<SeriesSpec>,
    /// Curves, thinned.
    pub curves: Vec<Curve>,
    /// Lines that the study logged.
    pub log: Vec<String>,
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Processor as the system names it.
    pub processor: String,
    /// Cores available to the process.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// Memory of the machine in GiB, where known.
    pub memory_gib: Option<f64>,
}

/// The software of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// Version of Pressrun.
    pub pressrun: String,
    /// Commit, with `-dirty` if the tree had changes; `unknown` outside a checkout.
    pub commit: String,
    /// Numeric crates and their versions.
    pub crates: Vec<String>,
    /// Compiler.
    pub rustc: String,
}

impl Record {
    /// The rows as [`Results`], from which the verdicts can be computed again.
    pub fn results(&self) -> Results {
        Results::new(self.rows.clone())
    }

    /// How many claims have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.verdicts.iter().filter(|v| v.outcome == outcome).count()
    }

    /// The badge: "3/4 claims reproduced".
    pub fn badge(&self) -> String {
        let (n, of) = (self.count(Outcome::Reproduced), self.verdicts.len());
        format!("{n}/{of} claims reproduced")
    }

    /// The JSON Schema of a record.
    pub fn json_schema() -> serde_json::Value {
        serde_json::Value::from(schemars::schema_for!(Self))
    }
}

impl Machine {
    /// Describes the machine on which this process runs.
    pub fn current() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|l| l.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let processor = field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".into());
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_gib = field(&meminfo, "MemTotal")
            .and_then(|v| v.split_whitespace().next()?.parse::<f64>().ok())
            .map(|kib| (kib / 1024.0 / 1024.0 * 10.0).round() / 10.0);
        Self {
            processor,
            cores: crate::run::cores(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            memory_gib,
        }
    }
}
