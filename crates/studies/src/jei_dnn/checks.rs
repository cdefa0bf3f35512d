//! The checks of each claim, from the results alone.

use pressrun_lab::{Judge, Result, Results, Stat};

use super::plan::accuracy_at;
use super::{ATTACHED, COSTS, DECOUPLED, JEI, LONG, THRESHOLDS};

/// Fills in the checks whose numbers the run has.
///
/// # Errors
/// If a check is not declared.
pub fn fill(results: &Results, judge: &mut Judge<'_>, setting: &str) -> Result<()> {
    let mut checks = Checks { results, judge, setting };
    // C1: accuracy at the same cost, and no arm above what is possible.
    checks.accuracy(THRESHOLDS, ["thresholds", "thresholds-close"])?;
    checks.accuracy(LONG, ["same-updates", "same-updates-close"])?;
    checks.least("C1", "oracle", "oracle/slack")?;
    checks.least("C1", "oracle-loss", "oracle/gap")?;
    // C2 and C3: calibration error and set sizes at the same costs.
    for (claim, metric) in [("C2", "matched/ece"), ("C3", "matched/size")] {
        for check in ["thresholds", "thresholds-sign"] {
            checks.compare(claim, check, THRESHOLDS, metric)?;
        }
        checks.compare(claim, "same-updates", LONG, metric)?;
    }
    checks.own("C2", "own-costs", "own/ece")?;
    checks.own("C2", "own-costs-same-updates", "own-long/ece")?;
    checks.limit("C3", "coverage", JEI, "matched/coverage")?;
    checks.limit("C3", "coverage-thresholds", THRESHOLDS, "matched/coverage")?;
    // C4: the area under the curve.
    for check in ["decoupled", "decoupled-sign"] {
        checks.compare("C4", check, DECOUPLED, "test/area")?;
    }
    checks.compare("C4", "attached", ATTACHED, "test/area")?;
    // C5: the weight of the cost.
    checks.limit("C5", "monotone", JEI, "curve/spearman")?;
    checks.limit("C5", "span", JEI, "curve/span")
}

struct Checks<'a, 'm> {
    results: &'a Results,
    judge: &'a mut Judge<'m>,
    setting: &'a str,
}

impl Checks<'_, '_> {
    /// The differences of the method from another, seed by seed.
    fn differences(&self, other: &str, metric: &str) -> Option<Stat> {
        let row = |method| self.results.row(self.setting, method, metric).ok();
        let (own, other) = (row(JEI)?, row(other)?);
        let pairs = own.values.iter().zip(&other.values);
        let same = own.seeds == other.seeds;
        same.then(|| Stat::of(&pairs.map(|(own, other)| own - other).collect::<Vec<_>>()))
    }

    /// Against a difference of 0 under as many seeds.
    fn against_0(&mut self, claim: &str, check: &str, label: &str, stat: Stat) -> Result<()> {
        let none = Stat { mean: 0.0, sd: 0.0, n: stat.n };
        self.judge.compare(claim, check, (label, stat), ("no difference", none))
    }

    fn compare(&mut self, claim: &str, check: &str, other: &str, metric: &str) -> Result<()> {
        match self.differences(other, metric) {
            Some(stat) => self.against_0(claim, check, &format!("{JEI} less {other}"), stat),
            None => Ok(()),
        }
    }

    /// Differences that the run has taken itself, seed by seed.
    fn own(&mut self, claim: &str, check: &str, metric: &str) -> Result<()> {
        match self.results.stat(self.setting, JEI, metric) {
            Ok(stat) => self.against_0(claim, check, &format!("{JEI} less thresholds"), stat),
            Err(_) => Ok(()),
        }
    }

    /// The cost at which the method does second best of the three decides: what holds there holds
    /// at two of them.
    fn accuracy(&mut self, other: &str, checks: [&str; 2]) -> Result<()> {
        let at = |&cost: &f64| Some((cost, self.differences(other, &accuracy_at(cost))?));
        let mut stats: Vec<(f64, Stat)> = COSTS.iter().filter_map(at).collect();
        stats.sort_by(|(_, a), (_, b)| errors(b).total_cmp(&errors(a)));
        let Some(&(cost, stat)) = stats.get(1) else { return Ok(()) };
        for check in checks {
            self.against_0("C1", check, &format!("{JEI} less {other}, cost {cost}"), stat)?;
        }
        Ok(())
    }

    fn limit(&mut self, claim: &str, check: &str, method: &str, metric: &str) -> Result<()> {
        match self.results.stat(self.setting, method, metric) {
            Ok(stat) => self.judge.limit(claim, check, (method, stat)),
            Err(_) => Ok(()),
        }
    }

    /// The least value of a metric in all settings, methods and seeds.
    fn least(&mut self, claim: &str, check: &str, metric: &str) -> Result<()> {
        let rows = self.results.rows().iter().filter(|row| row.metric == metric);
        let values: Vec<f64> = rows.flat_map(|row| row.values.iter().copied()).collect();
        if values.is_empty() {
            return Ok(());
        }
        // A value that is not a number is the least of all.
        let worse = |a: f64, b: f64| if a.is_nan() || a < b { a } else { b };
        let least = values.into_iter().fold(f64::INFINITY, worse);
        self.judge.limit(claim, check, ("all arms together", Stat::exact(least)))
    }
}

/// A mean in standard errors; with one seed the mean itself.
fn errors(stat: &Stat) -> f64 {
    match stat.standard_error() {
        _ if stat.mean == 0.0 => 0.0,
        se if stat.n > 1 => stat.mean / se,
        _ => stat.mean,
    }
}
