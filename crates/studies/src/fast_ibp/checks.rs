//! The checks of each claim, from the results alone.

use pressrun_lab::{Judge, Result, Results, Stat};

use super::plan::{self, worse};
use super::{BN, BN_INIT, FAST, VANILLA, VANILLA_LONG};

/// Fills in the checks whose numbers the run has.
pub fn fill(results: &Results, judge: &mut Judge<'_>) -> Result<()> {
    Checks { results, judge }.all()
}

struct Checks<'a, 'm> {
    results: &'a Results,
    judge: &'a mut Judge<'m>,
}

impl Checks<'_, '_> {
    fn all(&mut self) -> Result<()> {
        for claim in ["C1", "C2", "C3", "C4"] {
            self.gate(claim)?;
        }
        let settings = |part: &str| {
            let names = self.results.rows().iter().map(|row| row.setting.clone());
            names.filter(|name| name.contains(part) && !name.ends_with(plan::AT_INIT)).min()
        };
        let (mlp, cnn) = (settings("MLP"), settings("CNN"));
        if let Some(mlp) = mlp {
            self.gains(&mlp)?;
            self.balance(&mlp)?;
            for claim in ["C3", "C4"] {
                self.errors(claim, "vanilla", &mlp, VANILLA)?;
                self.errors(claim, "vanilla-clear", &mlp, VANILLA)?;
            }
            self.errors("C3", "vanilla-long", &mlp, VANILLA_LONG)?;
            self.errors("C4", "bn", &mlp, BN)?;
            self.errors("C4", "bn-init", &mlp, BN_INIT)?;
            self.pair("C4", "order-bn", &mlp, (BN, VANILLA))?;
            self.pair("C4", "order-init", &mlp, (BN_INIT, BN))?;
        }
        if let Some(cnn) = cnn {
            self.errors("C3", "cnn", &cnn, VANILLA)?;
        }
        Ok(())
    }

    /// Violations of all networks together.
    fn gate(&mut self, claim: &str) -> Result<()> {
        let rows = self.results.rows().iter().filter(|row| row.metric == "gate/violations");
        let values: Vec<f64> = rows.flat_map(|row| row.values.iter().copied()).collect();
        if values.is_empty() {
            return Ok(());
        }
        let sum = Stat::exact(values.iter().sum());
        self.judge.limit(claim, "gate", ("all networks together", sum))
    }

    /// The layer and seed whose gain is farthest from the theory's.
    fn gains(&mut self, mlp: &str) -> Result<()> {
        let setting = plan::at_init(mlp);
        for (method, check) in plan::INITS.iter().map(|(name, _, check)| (name, check)) {
            if self.results.has(&setting, method, "init/gain-error") {
                let row = self.results.row(&setting, method, "init/gain-error")?;
                let worst = row.values.iter().copied().fold(0.0, worse);
                self.judge.limit("C1", check, (method, Stat::exact(worst)))?;
            }
        }
        Ok(())
    }

    /// Share of the seeds on which the method is nearer to balance than the baseline.
    fn balance(&mut self, mlp: &str) -> Result<()> {
        let metric = "relu/balance";
        let [Ok(fast), Ok(vanilla)] =
            [FAST, VANILLA].map(|method| self.results.row(mlp, method, metric))
        else {
            return Ok(());
        };
        let pairs = fast.values.iter().zip(&vanilla.values);
        let nearer = pairs.filter(|(fast, vanilla)| fast > vanilla).count();
        let share = Stat::exact(nearer as f64 / fast.values.len() as f64);
        self.judge.limit("C2", "balance", ("seeds on which fast IBP is nearer", share))?;
        let [measured, against] = [fast, vanilla].map(|row| Stat::of(&row.values));
        self.judge.compare("C2", "balance-mean", (FAST, measured), (VANILLA, against))
    }

    /// Verified error of the method against another arm.
    fn errors(&mut self, claim: &str, check: &str, setting: &str, other: &str) -> Result<()> {
        self.pair(claim, check, setting, (FAST, other))
    }

    /// Verified error of one arm against another.
    fn pair(
        &mut self,
        claim: &str,
        check: &str,
        setting: &str,
        (one, other): (&str, &str),
    ) -> Result<()> {
        let metric = "test/verified-error";
        let results = self.results;
        if !results.has(setting, one, metric) || !results.has(setting, other, metric) {
            return Ok(());
        }
        let measured = (one, results.stat(setting, one, metric)?);
        self.judge.compare(claim, check, measured, (other, results.stat(setting, other, metric)?))
    }
}
