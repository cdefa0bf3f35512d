//! What a study gets: profile, seeds, device, arms side by side, progress, cancellation, reporting.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::results::{Better, Curve, DataUse, MetricSpec, Results, SeriesSpec, Trial, TuningRow};
use crate::rng::{Rng, stream};
use crate::{Error, Result};

/// How much of a study is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// At most 20 seconds on two cores: the idea at work.
    Quick,
    /// At most 10 minutes on two cores: what the record is made of.
    Full,
}

impl Profile {
    /// `quick` or `full`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "quick" => Ok(Self::Quick),
            "full" => Ok(Self::Full),
            other => Err(format!("unknown profile `{other}`; expected `quick` or `full`")),
        }
    }
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A switch that cancels a run at its next step.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Cancels.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One training that stands for itself: a method in a setting under a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job<T = ()> {
    /// Data set and model.
    pub setting: String,
    /// Method or baseline.
    pub method: String,
    /// Seed.
    pub seed: u64,
    /// Units of work it will report by [`Arm::step`], for the progress bar.
    pub steps: u64,
    /// What else the study needs to know in order to run it.
    pub config: T,
}

impl Job {
    /// A job without further configuration.
    pub fn new(setting: &str, method: &str, seed: u64, steps: u64) -> Self {
        Self { setting: setting.into(), method: method.into(), seed, steps, config: () }
    }

    /// The same job with a configuration of the study's own.
    pub fn with<T>(self, config: T) -> Job<T> {
        let Self { setting, method, seed, steps, .. } = self;
        Job { setting, method, seed, steps, config }
    }
}

/// Where a run's events go.
pub type Sink<'a> = &'a (dyn Fn(&Event) + Sync);

/// One execution of a study, as the study sees it.
pub struct Run<'a> {
    pub(crate) profile: Profile,
    pub(crate) seeds: Vec<u64>,
    pub(crate) threads: usize,
    pub(crate) device: String,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) cancel: Cancel,
    pub(crate) sink: Sink<'a>,
    pub(crate) series: Vec<SeriesSpec>,
    pub(crate) metrics: Vec<MetricSpec>,
    pub(crate) log: Mutex<Reported>,
    pub(crate) done: AtomicU64,
    pub(crate) total: AtomicU64,
    pub(crate) last_progress: Mutex<Instant>,
}

/// What a run has reported so far.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub results: Results,
    pub curves: Vec<Curve>,
    pub tuning: Vec<TuningRow>,
    pub data: Vec<DataUse>,
    pub lines: Vec<String>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("profile", &self.profile)
            .field("seeds", &self.seeds)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Progress lines are at least this far apart: a tiny model makes 20,000 steps a second.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

impl Run<'_> {
    /// Quick or full.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The seeds of this run.
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// Arms that run side by side.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Name of the device, e.g. `flex`.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Folder in which whole data sets may lie.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// A line for the reader, kept in the record.
    pub fn log(&self, text: impl Into<String>) {
        let text = text.into();
        (self.sink)(&Event::Log { text: text.clone() });
        self.reported().lines.push(text);
    }

    /// States which data set is used; the same one is kept once.
    pub fn data(&self, data: DataUse) {
        let mut reported = self.reported();
        if !reported.data.contains(&data) {
            (self.sink)(&Event::Data(data.clone()));
            reported.data.push(data);
        }
    }

    /// Reports a candidate of a tuning grid.
    pub fn tuning(&self, row: TuningRow) {
        (self.sink)(&Event::Tuning(row.clone()));
        self.reported().tuning.push(row);
    }

    /// Chooses the best candidate of every grid, and reports all of them.
    ///
    /// A grid is the trials of one setting and method. Gives the position of the best trial of
    /// each, in the order in which the grids first appear; of equal ones the first, and never one
    /// whose value is not a number if there is another. With [`Better::Neither`] the first counts.
    pub fn choose(&self, metric: &str, better: Better, trials: &[Trial]) -> Vec<usize> {
        let worth = |trial: &Trial| match better {
            _ if trial.value.is_nan() => f64::NEG_INFINITY,
            Better::Higher => trial.value,
            Better::Lower => -trial.value,
            Better::Neither => 0.0,
        };
        let mut chosen: Vec<usize> = Vec::new();
        for (at, trial) in trials.iter().enumerate() {
            let same = |&&mut at: &&mut usize| {
                trials[at].setting == trial.setting && trials[at].method == trial.method
            };
            match chosen.iter_mut().find(same) {
                Some(best) if worth(trial) > worth(&trials[*best]) => *best = at,
                Some(_) => {}
                None => chosen.push(at),
            }
        }
        for (at, trial) in trials.iter().enumerate() {
            self.tuning(TuningRow {
                setting: trial.setting.clone(),
                method: trial.method.clone(),
                candidate: trial.candidate.clone(),
                metric: metric.into(),
                value: trial.value,
                chosen: chosen.contains(&at),
            });
        }
        chosen
    }

    /// Reports one value of a declared metric.
    ///
    /// # Panics
    /// If the study does not declare `metric`.
    pub fn result(&self, setting: &str, method: &str, metric: &str, seed: u64, value: f64) {
        if !self.metrics.iter().any(|m| m.name == metric) {
            let known = self.metrics.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ");
            let name = metric.into();
            panic!("{}", Error::Undeclared { kind: "metrics", name, known });
        }
        (self.sink)(&Event::Result {
            setting: setting.into(),
            method: method.into(),
            metric: metric.into(),
            seed,
            value: value.is_finite().then_some(value),
        });
        self.reported().results.add(setting, method, metric, seed, value);
    }

    /// Runs the jobs side by side, one per core, and returns what each returned, in their order.
    ///
    /// Each job runs inside a rayon pool of one thread, so that tensor operations neither spread
    /// over the cores of other jobs nor change their results with the number of cores.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the run was cancelled; otherwise the first job's error in their
    /// order. After an error no further job is started.
    ///
    /// # Panics
    /// If a job panics, with that job's panic.
    pub fn arms<T: Send, C: Sync>(
        &self,
        jobs: Vec<Job<C>>,
        work: impl Fn(&Arm<'_, C>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let planned: u64 = jobs.iter().map(|j| j.steps).sum();
        self.total.fetch_add(planned, Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let slots: Vec<Mutex<Option<Result<T>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let worker = || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            let pool = pool.map_err(|e| Error::Study(format!("no thread for an arm: {e}")));
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= jobs.len() || failed.load(Ordering::Relaxed) {
                    break;
                }
                let arm = Arm { run: self, job: &jobs[index], done: AtomicU64::new(0) };
                let outcome = match &pool {
                    Ok(pool) => pool.install(|| work(&arm)),
                    Err(e) => Err(Error::Study(e.to_string())),
                };
                // Steps that an early stop saved count as done.
                let saved = jobs[index].steps.saturating_sub(arm.done.load(Ordering::Relaxed));
                self.advance(saved);
                if outcome.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                *slots[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            }
        };
        std::thread::scope(|scope| {
            let count = self.threads.min(jobs.len());
            let handles: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
            for handle in handles {
                if let Err(panic) = handle.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
        let outcomes: Vec<Option<Result<T>>> = slots
            .into_iter()
            .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect();
        self.check_cancelled()?;
        outcomes.into_iter().flatten().collect()
    }

    /// Fails if the run was cancelled; for work outside of [`Run::arms`].
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    pub(crate) fn reported(&self) -> std::sync::MutexGuard<'_, Reported> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, steps: u64) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        let Ok(mut last) = self.last_progress.try_lock() else {
            return;
        };
        if last.elapsed() >= PROGRESS_INTERVAL {
            *last = Instant::now();
            (self.sink)(&Event::Progress { done, total: self.total.load(Ordering::Relaxed) });
        }
    }

    fn point(&self, setting: &str, method: &str, seed: u64, series: &str, step: u64, value: f64) {
        if !self.series.iter().any(|s| s.name == series) {
            let known = self.series.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
            let name = series.into();
            panic!("{}", Error::Undeclared { kind: "series", name, known });
        }
        let value = value.is_finite().then_some(value);
        (self.sink)(&Event::Point {
            setting: setting.into(),
            method: method.into(),
            seed,
            series: series.into(),
            step,
            value,
        });
        let mut reported = self.reported();
        let same = |c: &&mut Curve| {
            c.setting == setting && c.method == method && c.seed == seed && c.series == series
        };
        if let Some(curve) = reported.curves.iter_mut().find(same) {
            curve.points.push((step, value));
        } else {
            reported.curves.push(Curve {
                setting: setting.into(),
                method: method.into(),
                seed,
                series: series.into(),
                points: vec![(step, value)],
            });
        }
    }
}

/// One job while it runs: where an arm reports.
#[derive(Debug)]
pub struct Arm<'a, C = ()> {
    run: &'a Run<'a>,
    job: &'a Job<C>,
    done: AtomicU64,
}

impl<C> Arm<'_, C> {
    /// The run to which the arm belongs.
    pub fn run(&self) -> &Run<'_> {
        self.run
    }

    /// The job's own configuration.
    pub fn config(&self) -> &C {
        &self.job.config
    }

    /// Setting of the job.
    pub fn setting(&self) -> &str {
        &self.job.setting
    }

    /// Method of the job.
    pub fn method(&self) -> &str {
        &self.job.method
    }

    /// Seed of the job.
    pub fn seed(&self) -> u64 {
        self.job.seed
    }

    /// The stream of random numbers for this arm's seed and a purpose; see [`stream`].
    pub fn rng(&self, purpose: &str) -> Rng {
        stream(self.job.seed, purpose)
    }

    /// Counts one unit of work, and is the place where a run is cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; pass it on with `?`.
    pub fn step(&self) -> Result<()> {
        self.run.check_cancelled()?;
        if self.done.fetch_add(1, Ordering::Relaxed) < self.job.steps {
            self.run.advance(1);
        }
        Ok(())
    }

    /// Reports a point of a declared series.
    ///
    /// # Panics
    /// If the study does not declare `series`.
    pub fn point(&self, series: &str, step: u64, value: f64) {
        self.run.point(&self.job.setting, &self.job.method, self.job.seed, series, step, value);
    }

    /// Reports this arm's value of a declared metric.
    ///
    /// # Panics
    /// If the study does not declare `metric`.
    pub fn result(&self, metric: &str, value: f64) {
        self.run.result(&self.job.setting, &self.job.method, metric, self.job.seed, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_run<T>(threads: usize, sink: Sink<'_>, test: impl FnOnce(&Run<'_>) -> T) -> T {
        let run = Run {
            profile: Profile::Quick,
            seeds: vec![0],
            threads,
            device: "flex".into(),
            data_dir: None,
            cancel: Cancel::default(),
            sink,
            series: vec![SeriesSpec::new("train/loss", "", "update", "loss")],
            metrics: vec![MetricSpec::new("x", "", Better::Higher, "x")],
            log: Mutex::new(Reported::default()),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            last_progress: Mutex::new(Instant::now()),
        };
        test(&run)
    }

    fn jobs(n: u64) -> Vec<Job> {
        (0..n).map(|seed| Job::new("s", "m", seed, 10)).collect()
    }

    #[test]
    fn arms_return_in_the_order_of_their_jobs_whatever_the_threads() {
        use rand::Rng as _;
        let numbers = |threads| {
            with_run(threads, &|_| {}, |run| {
                run.arms(jobs(9), |arm| {
                    // The later jobs are the faster ones.
                    std::thread::sleep(Duration::from_millis(9 - arm.seed()));
                    Ok(arm.rng("data").next_u64())
                })
                .unwrap()
            })
        };
        assert_eq!(numbers(1), numbers(3));
    }

    #[test]
    fn every_arm_has_a_pool_of_one_thread() {
        with_run(2, &|_| {}, |run| {
            let pools = run.arms(jobs(4), |_| Ok(rayon::current_num_threads())).unwrap();
            assert_eq!(pools, [1; 4]);
        });
    }

    #[test]
    fn the_best_of_every_grid_is_chosen_and_all_trials_are_reported() {
        let trial = |method: &str, value| Trial {
            setting: "s".into(),
            method: method.into(),
            candidate: format!("{value}"),
            value,
        };
        let trials = [trial("a", f64::NAN), trial("b", 3.0), trial("a", 2.0), trial("b", 3.0)];
        with_run(1, &|_| {}, |run| {
            assert_eq!(run.choose("loss", Better::Lower, &trials), [2, 1]);
            let log = run.reported();
            let chosen: Vec<bool> = log.tuning.iter().map(|row| row.chosen).collect();
            assert_eq!(chosen, [false, true, true, false]);
            assert_eq!(log.tuning[3].metric, "loss");
        });
        with_run(1, &|_| {}, |run| {
            let trials = [trial("a", 1.0), trial("a", 2.0), trial("a", f64::NAN)];
            assert_eq!(run.choose("accuracy", Better::Higher, &trials), [1]);
        });
    }

    #[test]
    fn cancelling_ends_all_arms_at_their_next_step() {
        let events = Mutex::new(0);
        let sink = |_: &Event| *events.lock().unwrap() += 1;
        with_run(2, &sink, |run| {
            let outcome = run.arms(jobs(8), |arm| {
                for step in 0..1_000_000 {
                    arm.step()?;
                    if step == 3 {
                        run.cancel.cancel();
                    }
                }
                Ok(())
            });
            assert!(matches!(outcome, Err(Error::Cancelled)));
        });
    }

    #[test]
    fn the_first_error_stops_the_rest() {
        let started = AtomicUsize::new(0);
        with_run(1, &|_| {}, |run| {
            let outcome: Result<Vec<()>> = run.arms(jobs(8), |arm| {
                started.fetch_add(1, Ordering::Relaxed);
                if arm.seed() == 2 { Err(Error::Study("diverged".into())) } else { Ok(()) }
            });
            assert_eq!(outcome.unwrap_err().to_string(), "diverged");
        });
        assert_eq!(started.into_inner(), 3);
    }

    #[test]
    fn progress_reaches_its_end_although_an_arm_stops_early_or_overruns() {
        with_run(2, &|_| {}, |run| {
            run.arms(jobs(4), |arm| (0..3 + 5 * arm.seed()).try_for_each(|_| arm.step())).unwrap();
            assert_eq!(run.done.load(Ordering::Relaxed), 40);
            assert_eq!(run.total.load(Ordering::Relaxed), 40);
        });
    }

    #[test]
    #[should_panic(expected = "`y` is not declared among the study's metrics; declared: x")]
    fn an_undeclared_metric_is_a_fault_of_the_study() {
        with_run(1, &|_| {}, |run| run.result("s", "m", "y", 0, 1.0));
    }

    #[test]
    #[should_panic(expected = "an arm's own words")]
    fn an_arms_panic_is_the_runs_panic() {
        with_run(2, &|_| {}, |run| {
            let _ = run.arms(jobs(2), |_| -> Result<()> { panic!("an arm's own words") });
        });
    }
}
