//! Which numbers each check reads. Differences are those of one market, so that what one seed's
//! market adds to all arms alike is no noise.

use pressrun_lab::{Judge, Result, Results, Stat};

use super::{AW, BAYES, CATEGORY, CL, CONTROL, DIN, DNN, NO_ACTIVATION_UNIT, NO_GATE_UNIT, USER};

/// Fills in every check whose numbers these results have.
///
/// # Errors
/// If `paper.toml` does not declare a check.
pub fn fill(setting: &str, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
    let mut checks = Checks { setting, results, judge };
    for (baseline, check) in
        [(DNN, "dnn"), (DIN, "din"), (USER, "user-moe"), (CATEGORY, "category-moe")]
    {
        checks.difference("C1", check, baseline, "lead/session_auc")?;
        checks.difference("C1", &format!("{check}-sign"), baseline, "lead/session_auc")?;
    }
    checks.bound()?;
    checks.difference("C1", "control-smaller", DIN, "lead/personal")?;
    let mut control = Checks { setting: CONTROL, results, judge: &mut *checks.judge };
    control.difference("C1", "control", DIN, "lead/session_auc")?;

    checks.difference("C2", "all", CL, "gain/all")?;
    checks.difference("C2", "all-close", CL, "gain/all")?;
    checks.difference("C3", "tail", CL, "gain/tail_minus_head")?;
    checks.difference("C3", "tail-sign", CL, "gain/tail_minus_head")?;
    checks.difference("C3", "tail-gain", CL, "gain/tail")?;

    for (ablation, check) in [(NO_GATE_UNIT, "gate-unit"), (NO_ACTIVATION_UNIT, "activation-unit")]
    {
        checks.difference("C4", check, ablation, "lead/session_auc")?;
        checks.difference("C4", &format!("{check}-sign"), ablation, "lead/session_auc")?;
    }
    checks.limit("C4", "additive", "gate/additivity")?;
    checks.limit("C4", "probe-chance", "probe/gate")?;
    checks.compare("C4", "probe-pooled", (AW, "probe/gate"), (AW, "probe/pooled"))?;
    checks.compare("C4", "cosine", (CL, "gate/cosine"), (AW, "gate/cosine"))
}

struct Checks<'a, 'j, 'm> {
    setting: &'a str,
    results: &'a Results,
    judge: &'j mut Judge<'m>,
}

impl Checks<'_, '_, '_> {
    fn stat(&self, method: &str, metric: &str) -> Result<Option<Stat>> {
        let has = self.results.has(self.setting, method, metric);
        has.then(|| self.results.stat(self.setting, method, metric)).transpose()
    }

    /// A difference between two arms against 0, in the standard error of the difference.
    fn difference(&mut self, claim: &str, check: &str, method: &str, metric: &str) -> Result<()> {
        let Some(stat) = self.stat(method, metric)? else { return Ok(()) };
        let zero = Stat { mean: 0.0, sd: 0.0, n: stat.n };
        let label = format!("{method}, {metric}");
        self.judge.compare(claim, check, (&label, stat), ("no difference", zero))
    }

    fn limit(&mut self, claim: &str, check: &str, metric: &str) -> Result<()> {
        let Some(stat) = self.stat(AW, metric)? else { return Ok(()) };
        self.judge.limit(claim, check, (AW, stat))
    }

    fn compare(
        &mut self,
        claim: &str,
        check: &str,
        (method, metric): (&str, &str),
        (other, against): (&str, &str),
    ) -> Result<()> {
        let (Some(stat), Some(zero)) = (self.stat(method, metric)?, self.stat(other, against)?)
        else {
            return Ok(());
        };
        let labels = (format!("{method}, {metric}"), format!("{other}, {against}"));
        self.judge.compare(claim, check, (&labels.0, stat), (&labels.1, zero))
    }

    /// The arm that comes closest to the true utility; none may lie above it.
    fn bound(&mut self) -> Result<()> {
        let rows = self.results.rows();
        let headroom = rows.iter().filter(|row| {
            row.setting == self.setting && row.metric == "bayes/headroom" && row.method != BAYES
        });
        let closest =
            headroom.min_by(|a, b| Stat::of(&a.values).mean.total_cmp(&Stat::of(&b.values).mean));
        let Some(row) = closest else { return Ok(()) };
        self.judge.limit("C1", "bound", (&row.method, Stat::of(&row.values)))
    }
}
