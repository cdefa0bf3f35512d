//! The checks of each claim, from the results alone.

use pressrun_lab::{Judge, Result, Results, Stat};

use super::{COIN, FINE, GLOBAL, METHOD, REPLAY};

/// Fills in the checks of one data set, whose ids end with `suffix`.
///
/// # Errors
/// If a check is not declared.
pub fn fill(results: &Results, judge: &mut Judge<'_>, setting: &str, suffix: &str) -> Result<()> {
    let mut checks = Checks { results, judge, setting, suffix };
    checks.users()?;
    checks.generic()?;
    checks.gate()?;
    checks.cost()
}

struct Checks<'a, 'm> {
    results: &'a Results,
    judge: &'a mut Judge<'m>,
    setting: &'a str,
    suffix: &'a str,
}

impl Checks<'_, '_> {
    /// C1: the users' styles cost the global expert something, and the method brings it back.
    fn users(&mut self) -> Result<()> {
        self.mean("C1", "style", GLOBAL, "user/style-cost")?;
        self.mean("C1", "gain", METHOD, "user/gain")?;
        self.largest("C1", "t-test", METHOD, "user/p-t")?;
        self.largest("C1", "mcnemar", METHOD, "user/p-mcnemar")?;
        self.largest("C1", "oracle", METHOD, "gate/above-oracle")
    }

    /// C2: generic pictures are answered as well as before, other than by fine-tuning.
    fn generic(&mut self) -> Result<()> {
        self.mean("C2", "drop", METHOD, "generic/drop")?;
        self.largest("C2", "every-user", METHOD, "generic/drop-worst")?;
        let metric = "generic/drop";
        if let Some((fine, method)) = self.paired(FINE, METHOD, metric)? {
            let id = self.id("forgetting");
            self.judge.compare("C2", &id, (FINE, fine), (METHOD, method))?;
        }
        Ok(())
    }

    /// C2: the gate decides, and a coin in its place does not do.
    fn gate(&mut self) -> Result<()> {
        self.mean("C2", "selective", METHOD, "gate/selectivity")?;
        self.largest("C2", "coin", COIN, "gate/keeps-both")
    }

    /// C3 and C4: size, multiply-adds, and what the training took.
    fn cost(&mut self) -> Result<()> {
        self.largest("C3", "parameters", METHOD, "cost/parameters")?;
        self.largest("C3", "multiply-adds", METHOD, "cost/multiply-adds")?;
        self.mean("C4", "same-passes", METHOD, "train/share")?;
        if let Some((method, replay)) = self.paired(METHOD, REPLAY, "train/multiply-adds")? {
            let id = self.id("as-run");
            let share = Stat::exact(method.mean / replay.mean);
            self.judge.limit(
                "C4",
                &id,
                ("training of LE and GN over fine-tuning as run", share),
            )?;
        }
        if let Some((method, replay)) = self.paired(METHOD, REPLAY, "user/accuracy")? {
            let id = self.id("close");
            self.judge.compare("C4", &id, (METHOD, method), (REPLAY, replay))?;
        }
        Ok(())
    }

    fn id(&self, check: &str) -> String {
        format!("{check}-{}", self.suffix)
    }

    /// The mean over seeds against the limit.
    fn mean(&mut self, claim: &str, check: &str, method: &str, metric: &str) -> Result<()> {
        if !self.results.has(self.setting, method, metric) {
            return Ok(());
        }
        let stat = self.results.stat(self.setting, method, metric)?;
        self.judge.limit(claim, &self.id(check), (method, stat))
    }

    /// The largest value of all seeds against the limit.
    fn largest(&mut self, claim: &str, check: &str, method: &str, metric: &str) -> Result<()> {
        if !self.results.has(self.setting, method, metric) {
            return Ok(());
        }
        let row = self.results.row(self.setting, method, metric)?;
        // A number that is none must not be passed over.
        let worse = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
        let largest = row.values.iter().copied().fold(f64::NEG_INFINITY, worse);
        self.judge.limit(claim, &self.id(check), (method, Stat::exact(largest)))
    }

    /// Two arms on the seeds that both have.
    fn paired(&self, one: &str, other: &str, metric: &str) -> Result<Option<(Stat, Stat)>> {
        if [one, other].iter().any(|arm| !self.results.has(self.setting, arm, metric)) {
            return Ok(None);
        }
        let one = self.results.row(self.setting, one, metric)?;
        let other = self.results.row(self.setting, other, metric)?;
        let common = |row: &pressrun_lab::Row, with: &pressrun_lab::Row| {
            let rows = row.seeds.iter().zip(&row.values);
            let values: Vec<f64> =
                rows.filter(|(seed, _)| with.seeds.contains(seed)).map(|(_, &v)| v).collect();
            Stat::of(&values)
        };
        Ok(Some((common(one, other), common(other, one))))
    }
}
