//! What a study measures: declared series and metrics, rows over seeds, curves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Whether more or less of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: a description.
    Neither,
}

/// A scalar that a study reports while it runs, declared once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesSpec {
    /// `group/name`, e.g. `train/loss`.
    pub name: String,
    /// Unit of the value, e.g. `nats`; empty for a pure number.
    pub unit: String,
    /// What the horizontal axis counts, e.g. `update`.
    pub step: String,
    /// What it means, in a sentence.
    pub meaning: String,
    /// How it is drawn.
    #[serde(default, skip_serializing_if = "Axes::is_linear")]
    pub axes: Axes,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Axes {
    /// Against the step.
    #[default]
    Linear,
    /// Both logarithmic: a power of the step is a straight line, its exponent the slope.
    LogLog,
}

impl Axes {
    fn is_linear(&self) -> bool {
        *self == Self::Linear
    }
}

impl SeriesSpec {
    /// Declares a series.
    pub fn new(name: &str, unit: &str, step: &str, meaning: &str) -> Self {
        let [name, unit, step, meaning] = [name, unit, step, meaning].map(str::to_owned);
        Self { name, unit, step, meaning, axes: Axes::Linear }
    }

    /// The same, drawn with both axes logarithmic.
    pub fn log_log(self) -> Self {
        Self { axes: Axes::LogLog, ..self }
    }
}

/// A number that a study reports once per method, setting and seed, declared once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSpec {
    /// `group/name`, e.g. `test/auc`.
    pub name: String,
    /// Unit; empty for a pure number.
    pub unit: String,
    /// Direction of improvement.
    pub better: Better,
    /// What it means, in a sentence.
    pub meaning: String,
}

impl MetricSpec {
    /// Declares a metric.
    pub fn new(name: &str, unit: &str, better: Better, meaning: &str) -> Self {
        Self { name: name.into(), unit: unit.into(), better, meaning: meaning.into() }
    }
}

/// One metric of one method in one setting, over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Data set and model, e.g. `planted log, FM`.
    pub setting: String,
    /// The method or baseline.
    pub method: String,
    /// Name of a declared metric.
    pub metric: String,
    /// Seeds, in the order of the values.
    pub seeds: Vec<u64>,
    /// One value per seed; `null` in JSON where a run produced no finite number.
    #[serde(with = "finite_vec")]
    #[schemars(with = "Vec<Option<f64>>")]
    pub values: Vec<f64>,
}

/// Mean and spread of one metric over the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stat {
    /// Mean over the seeds.
    #[serde(with = "finite")]
    #[schemars(with = "Option<f64>")]
    pub mean: f64,
    /// Sample standard deviation over the seeds (n - 1); 0 for one seed.
    #[serde(with = "finite")]
    #[schemars(with = "Option<f64>")]
    pub sd: f64,
    /// How many seeds.
    pub n: usize,
}

impl Stat {
    /// Mean and sample standard deviation of `values`; a NaN among them makes the mean NaN.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        if n == 0 {
            return Self { mean: f64::NAN, sd: f64::NAN, n: 0 };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        // Equal values have no spread; their mean may be off in its last digit.
        let sd = if values.iter().all(|v| *v == values[0]) {
            0.0
        } else {
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt()
        };
        Self { mean, sd, n }
    }

    /// A single exact number: a limit, or a theoretical value.
    pub fn exact(value: f64) -> Self {
        Self { mean: value, sd: 0.0, n: 1 }
    }

    /// The spread to show: `sd`, or 0 where it is nothing but rounding.
    pub fn spread(&self) -> f64 {
        if self.sd <= 1e-12 * self.mean.abs() { 0.0 } else { self.sd }
    }

    /// Standard error of the mean, `sd / sqrt(n)`.
    pub fn standard_error(&self) -> f64 {
        self.sd / (self.n.max(1) as f64).sqrt()
    }
}

/// A reported series of one method, setting and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// Setting, as in [`Row`].
    pub setting: String,
    /// Method, as in [`Row`].
    pub method: String,
    /// Seed.
    pub seed: u64,
    /// Name of a declared series.
    pub series: String,
    /// `(step, value)`, in order of steps; at most [`Curve::MAX_POINTS`] in a record.
    pub points: Vec<(u64, Option<f64>)>,
}

impl Curve {
    /// Points kept per curve in a record; more are thinned evenly, keeping both ends.
    pub const MAX_POINTS: usize = 120;

    /// Keeps at most [`Self::MAX_POINTS`] points, evenly spaced by index, with both ends.
    pub fn thin(&mut self) {
        let n = self.points.len();
        if n > Self::MAX_POINTS {
            let last = Self::MAX_POINTS - 1;
            self.points = (0..=last).map(|i| self.points[i * (n - 1) / last]).collect();
        }
    }
}

/// A candidate of a grid that has been tried: see [`crate::Run::choose`].
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Setting of the results.
    pub setting: String,
    /// Method that is tuned.
    pub method: String,
    /// What was tried, e.g. `lr 1e-3`.
    pub candidate: String,
    /// What it scored.
    pub value: f64,
}

/// One candidate of a hyperparameter grid and how it did: the evidence of equal tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TuningRow {
    /// Setting, as in [`Row`].
    pub setting: String,
    /// Method, as in [`Row`].
    pub method: String,
    /// The candidate, e.g. `lr 0.002, l2 1e-5`.
    pub candidate: String,
    /// What it was chosen by, e.g. `validation AUC`.
    pub metric: String,
    /// Its value.
    #[serde(with = "finite")]
    #[schemars(with = "Option<f64>")]
    pub value: f64,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// A data set as a run used it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataUse {
    /// Name of the data set's card.
    pub name: String,
    /// Where it came from: `embedded`, `generated`, or a path.
    pub origin: String,
    /// SHA-256 of the bytes, or the generator's parameters.
    pub identity: String,
    /// Which part was used, e.g. `3000 train, 2000 test`.
    pub part: String,
}

/// All rows of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    rows: Vec<Row>,
}

impl Results {
    /// Results of these rows.
    pub fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// The rows, in the order in which they were first reported.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows, in the order in which they were first reported; a record sorts them.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Adds one value; values of one row are kept in order of their seeds.
    pub fn add(&mut self, setting: &str, method: &str, metric: &str, seed: u64, value: f64) {
        let same = |r: &&mut Row| r.setting == setting && r.method == method && r.metric == metric;
        if let Some(row) = self.rows.iter_mut().find(same) {
            let at = row.seeds.partition_point(|&s| s < seed);
            row.seeds.insert(at, seed);
            row.values.insert(at, value);
        } else {
            self.rows.push(Row {
                setting: setting.into(),
                method: method.into(),
                metric: metric.into(),
                seeds: vec![seed],
                values: vec![value],
            });
        }
    }

    /// The row of that setting, method and metric.
    ///
    /// # Errors
    /// [`Error::MissingResult`] if nothing was reported for it.
    pub fn row(&self, setting: &str, method: &str, metric: &str) -> Result<&Row> {
        self.rows
            .iter()
            .find(|r| r.setting == setting && r.method == method && r.metric == metric)
            .ok_or_else(|| Error::MissingResult {
                setting: setting.into(),
                method: method.into(),
                metric: metric.into(),
            })
    }

    /// Mean and spread of that row.
    ///
    /// # Errors
    /// [`Error::MissingResult`] if nothing was reported for it.
    pub fn stat(&self, setting: &str, method: &str, metric: &str) -> Result<Stat> {
        Ok(Stat::of(&self.row(setting, method, metric)?.values))
    }

    /// Whether anything was reported for that row.
    pub fn has(&self, setting: &str, method: &str, metric: &str) -> bool {
        self.row(setting, method, metric).is_ok()
    }
}

/// JSON has no NaN: a number that is not finite is `null`.
pub(crate) mod finite {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { s.serialize_f64(*value) } else { s.serialize_none() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

mod finite_vec {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(values: &[f64], s: S) -> Result<S::Ok, S::Error> {
        let values: Vec<Option<f64>> = values.iter().map(|v| v.is_finite().then_some(*v)).collect();
        values.serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<Option<f64>>::deserialize(d)?;
        Ok(values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        // 1, 2, 6: mean 3, squared deviations 4 + 1 + 9 = 14, / 2 = 7.
        let stat = Stat::of(&[1.0, 2.0, 6.0]);
        assert_eq!((stat.mean, stat.n), (3.0, 3));
        assert!((stat.sd - 7f64.sqrt()).abs() < 1e-12);
        assert!((stat.standard_error() - (7f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(Stat::of(&[1.0, f64::NAN]).mean.is_nan());
        assert_eq!(Stat::of(&[240.0 / 4240.0; 3]).sd, 0.0);
    }

    #[test]
    fn rows_do_not_depend_on_the_order_of_arrival() {
        let mut a = Results::default();
        let mut b = Results::default();
        for seed in [0, 1, 2] {
            a.add("s", "m", "x", seed, seed as f64);
        }
        for seed in [2, 0, 1] {
            b.add("s", "m", "x", seed, seed as f64);
        }
        assert_eq!(a, b);
        assert!(a.stat("s", "m", "y").unwrap_err().to_string().contains("`y`"));
    }

    #[test]
    fn a_number_that_is_not_finite_survives_json_as_null() {
        let mut results = Results::default();
        results.add("s", "m", "x", 0, f64::NAN);
        let json = serde_json::to_string(results.rows()).unwrap();
        assert!(json.contains("[null]"), "{json}");
        let back: Vec<Row> = serde_json::from_str(&json).unwrap();
        assert!(back[0].values[0].is_nan());
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let mut curve = Curve {
            setting: "s".into(),
            method: "m".into(),
            seed: 0,
            series: "x".into(),
            points: (0..1000).map(|i| (i, Some(0.0))).collect(),
        };
        curve.thin();
        assert_eq!(curve.points.len(), Curve::MAX_POINTS);
        assert_eq!((curve.points[0].0, curve.points[119].0), (0, 999));
    }
}
