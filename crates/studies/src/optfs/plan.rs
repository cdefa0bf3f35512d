//! Which trainings are run in which order, and what is reported of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use pressrun_lab::{Arm, Better, Job, Result, Run, Trial};
use pressrun_nn::device;

use super::data::Log;
use super::train::{Outcome, failed, train};
use super::{Candidate, Config, Method, NO_REWIND, Network, OPTFS, Task, setting};

/// A setting and the name of an arm.
type Place = (usize, &'static str);

/// The run with its data.
struct Plan<'a> {
    run: &'a Run<'a>,
    config: &'a Config,
    device: Device,
    /// By data and seed, in the order of the settings' data and the run's seeds.
    logs: BTreeMap<(&'static str, u64), Arc<Log>>,
    /// What the grid decided, and how many features the winner kept.
    chosen: BTreeMap<Place, (Candidate, usize)>,
}

/// Tunes on the first seed, then trains every arm under every seed.
///
/// Arms that have to keep as many features as `OptFS` wait for it, in both phases.
pub fn run(run: &Run<'_>, config: &Config) -> Result<()> {
    let device = device::named(run.device()).map_err(failed)?;
    let mut plan = Plan { run, config, device, logs: BTreeMap::new(), chosen: BTreeMap::new() };
    plan.load()?;
    let learnt: Vec<_> = config.arms.iter().copied().filter(|arm| !arm.1.waits()).collect();
    let given: Vec<_> = config.arms.iter().copied().filter(|arm| arm.1.waits()).collect();
    plan.tune(&learnt)?;
    plan.tune(&given)?;
    let kept = plan.finish(&learnt, &BTreeMap::new())?;
    plan.finish(&given, &kept)?;
    Ok(())
}

impl Method {
    /// Whether the number of features is that of `OptFS`.
    fn waits(self) -> bool {
        matches!(self, Self::Frequency | Self::Random)
    }

    /// Whether there are gates to learn.
    fn searches(self) -> bool {
        !matches!(self, Self::Backbone | Self::Frequency | Self::Random)
    }

    fn grid(self, config: &Config) -> Vec<Candidate> {
        let penalised = self.searches() && self != Self::NoPenalty;
        let lambdas: &[f64] = if penalised { &config.lambda } else { &[0.0] };
        let mut grid = Vec::new();
        for &lr in &config.lr {
            for &l2 in &config.l2 {
                grid.extend(lambdas.iter().map(|&lambda| Candidate { lr, l2, lambda }));
            }
        }
        grid
    }
}

impl Plan<'_> {
    fn load(&mut self) -> Result<()> {
        for &(source, _) in &self.config.settings {
            for &seed in self.run.seeds() {
                let key = (source.name(), seed);
                if self.logs.contains_key(&key) {
                    continue;
                }
                let log = Log::load(source, self.config, seed)?;
                self.run.data(log.data_use.clone());
                self.check_reach(&log)?;
                if let Some(truth) = &log.truth {
                    self.run.log(format!(
                        "{}, seed {seed}: Bayes AUC {:.4}, {:.1} % clicked, {} of {} features \
                         useful",
                        source.name(),
                        truth.bayes_auc,
                        100.0 * log.train.rate(),
                        truth.useful.iter().filter(|u| **u).count(),
                        log.features(),
                    ));
                }
                self.logs.insert(key, Arc::new(log));
            }
        }
        self.report_ceiling();
        Ok(())
    }

    /// The AUC of the true logits, as a row of its own: no model can do better.
    fn report_ceiling(&self) {
        for &(source, network) in &self.config.settings {
            for &seed in self.run.seeds() {
                if let Some(truth) = &self.logs[&(source.name(), seed)].truth {
                    let setting = setting(source, network);
                    self.run.result(&setting, "Bayes optimum", "test/auc", seed, truth.bayes_auc);
                }
            }
        }
    }

    /// Refuses a search too short to close any gate: it would look like nothing to prune.
    fn check_reach(&self, log: &Log) -> Result<()> {
        let steps = log.train.len().div_ceil(self.config.batch) * self.config.epochs;
        let lr = self.config.lr.iter().copied().fold(f64::INFINITY, f64::min);
        let reach = steps as f64 * lr;
        if reach > 1.0 {
            return Ok(());
        }
        Err(failed(format!("gates can move by `{reach}` in `{steps}` steps; expected more than 1")))
    }

    fn tune(&mut self, arms: &[(&'static str, Method)]) -> Result<()> {
        let seed = self.run.seeds()[0];
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for at in 0..self.config.settings.len() {
            for &(name, method) in arms.iter().filter(|arm| arm.0 != NO_REWIND) {
                let kept = self.chosen.get(&(at, OPTFS)).map(|c| c.1);
                for candidate in method.grid(self.config) {
                    places.push((at, name));
                    jobs.push(self.job(at, (name, method), seed, candidate, kept, false));
                }
            }
        }
        let outcomes = self.run.arms(jobs, |arm| {
            let outcome = train(arm, self.config, &self.device)?;
            let kept = outcome.kept.iter().filter(|k| **k).count();
            Ok((arm.config().candidate, outcome.valid_auc, kept))
        })?;
        let trial = |(place, outcome): (&Place, &(Candidate, f64, usize))| {
            let Candidate { lr, l2, lambda } = outcome.0;
            let penalty = if lambda > 0.0 { format!(", lambda {lambda:e}") } else { String::new() };
            Trial {
                setting: self.setting(place.0),
                method: place.1.into(),
                candidate: format!("lr {lr:e}, l2 {l2:e}{penalty}"),
                value: outcome.1,
            }
        };
        let trials: Vec<Trial> = places.iter().zip(&outcomes).map(trial).collect();
        let chosen = self.run.choose("validation AUC", Better::Higher, &trials);
        self.chosen.extend(chosen.into_iter().map(|at| {
            let (candidate, _, kept) = outcomes[at];
            (places[at], (candidate, kept))
        }));
        Ok(())
    }

    /// Trains the arms with what was chosen and reports them; features kept by setting and seed.
    fn finish(
        &self,
        arms: &[(&'static str, Method)],
        kept: &BTreeMap<(usize, u64), usize>,
    ) -> Result<BTreeMap<(usize, u64), usize>> {
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for at in 0..self.config.settings.len() {
            for &(name, method) in arms {
                let tuned = if name == NO_REWIND { OPTFS } else { name };
                let candidate = self.chosen[&(at, tuned)].0;
                for &seed in self.run.seeds() {
                    let kept = kept.get(&(at, seed)).copied();
                    places.push((at, name, seed));
                    jobs.push(self.job(at, (name, method), seed, candidate, kept, true));
                }
            }
        }
        let counts = self.run.arms(jobs, |arm| {
            let outcome = train(arm, self.config, &self.device)?;
            report(arm, self.config, &outcome);
            Ok(outcome.kept.iter().filter(|k| **k).count())
        })?;
        let counts = places.into_iter().zip(counts);
        Ok(counts.filter(|(p, _)| p.1 == OPTFS).map(|(p, count)| ((p.0, p.2), count)).collect())
    }

    fn job(
        &self,
        at: usize,
        (name, method): (&'static str, Method),
        seed: u64,
        candidate: Candidate,
        kept: Option<usize>,
        report: bool,
    ) -> Job<Task> {
        let (source, network) = self.config.settings[at];
        let log = Arc::clone(&self.logs[&(source.name(), seed)]);
        let search = if method.searches() { self.config.epochs } else { 0 };
        let epochs = search + self.config.retrain_epochs;
        let steps = epochs * log.train.len().div_ceil(self.config.batch);
        let task = Task { log, network, method, candidate, kept, report };
        Job::new(&setting(source, network), name, seed, steps as u64).with(task)
    }

    fn setting(&self, at: usize) -> String {
        let (source, network) = self.config.settings[at];
        setting(source, network)
    }
}

fn report(arm: &Arm<'_, Task>, config: &Config, outcome: &Outcome) {
    let task = arm.config();
    let kept = &outcome.kept;
    let count = kept.iter().filter(|k| **k).count() as f64;
    arm.result("test/auc", outcome.test_auc);
    arm.result("test/logloss", outcome.test_logloss);
    arm.result("gate/ratio", count / kept.len() as f64);
    arm.result("cost/parameters", count * config.width as f64 + outcome.dense_parameters as f64);
    arm.result("cost/multiply-adds", multiply_adds(task, config, kept));
    if let Some(change) = outcome.hardening {
        arm.result("gate/hardening", change.abs());
    }
    if task.log.truth.is_some() {
        let (recall, precision) = precision(&task.log, kept);
        let (_, base) = precision_of_all(&task.log);
        arm.result("gate/recall", recall);
        arm.result("gate/precision", precision);
        arm.result("gate/lift", precision / base);
        arm.result("gate/pair-lift", pair_lift(&task.log, kept));
    }
}

/// Share of the useful features that are kept, and share of the kept that are useful.
fn precision(log: &Log, kept: &[bool]) -> (f64, f64) {
    let useful = &log.truth.as_ref().expect("only asked of a log with ground truth").useful;
    let count = |flags: &[bool]| flags.iter().filter(|f| **f).count() as f64;
    let both = kept.iter().zip(useful).filter(|(k, u)| **k && **u).count() as f64;
    (both / count(useful), both / count(kept).max(1.0))
}

fn precision_of_all(log: &Log) -> (f64, f64) {
    precision(log, &vec![true; log.features()])
}

/// Share of planted pairs (two useful values of fields that interact) among the kept pairs of
/// values of different fields, over the same share among all pairs; 0 if no pair is kept.
pub fn pair_lift(log: &Log, kept: &[bool]) -> f64 {
    let truth = log.truth.as_ref().expect("only asked of a log with ground truth");
    let share = |kept: &[bool]| {
        let (mut all, mut useful, mut start) = (Vec::new(), Vec::new(), 0);
        for &size in &log.sizes {
            let values = start..start + size;
            all.push(values.clone().filter(|&v| kept[v]).count() as f64);
            useful.push(values.filter(|&v| kept[v] && truth.useful[v]).count() as f64);
            start += size;
        }
        // sum over i < j of n_i n_j
        let sum: f64 = all.iter().sum();
        let pairs = (sum * sum - all.iter().map(|n| n * n).sum::<f64>()) / 2.0;
        let planted: f64 = truth.pairs.iter().map(|&(i, j)| useful[i] * useful[j]).sum();
        if pairs > 0.0 { planted / pairs } else { 0.0 }
    };
    share(kept) / share(&vec![true; kept.len()])
}

/// Multiplications for one test row on average, with n features of the row kept:
/// FM `n D` squares and `D` squares of sums; the deep part `n D h1 + h1 h2 + ..`.
fn multiply_adds(task: &Task, config: &Config, kept: &[bool]) -> f64 {
    let test = &task.log.test;
    let open = test.ids.iter().filter(|&&id| kept[id as usize]).count();
    let (n, d) = (open as f64 / test.len() as f64, config.width as f64);
    let fm = n * d + d;
    match task.network {
        Network::Fm => fm,
        Network::DeepFm => {
            let sizes: Vec<f64> = config.hidden.iter().map(|&h| h as f64).chain([1.0]).collect();
            fm + n * d * sizes[0] + sizes.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>()
        }
    }
}
