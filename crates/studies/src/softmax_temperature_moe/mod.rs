//! Is Temperature Sample Efficient for Softmax Gaussian Mixture of Experts?, arXiv:2401.13875.
//!
//! The gate of a Gaussian mixture of experts is divided by a temperature that is learnt with it.
//! With linear scores the temperature and the slopes move the likelihood in the same direction, so
//! that neither is ever found, although the density is. With an activation between the linear layer
//! and the softmax that is not homogeneous the entanglement is gone, and all parameters are found
//! at the parametric rate.
//!
//! # What we run, and what the paper ran
//! A paper of theorems. We: one input, two experts, four gates (identity and ReLU, of which the
//! theory says that they fail; tanh and GELU, which work), EM from a start that does not come closer
//! with the sample; errors at sample sizes from 1,000 to 30,000, their slopes in double-logarithmic
//! axes with bootstrap intervals over seeds, and the Fisher information at the truth.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! There is nothing to tune: the estimate is a maximum. EM ends when it stands still or meets its cap,
//! which most fits with an atom too many do.
//!
//! # Series (both axes logarithmic)
//! - `rate/hellinger`: distance to the true density, mean over inputs
//! - `rate/gate`: |beta1| + |beta0| + |tau| errors
//! - `rate/experts`: sum over experts of |a|, |b| and variance errors
//! - `rate/ratios`: errors of beta1 / tau and beta0 / tau, which the standard gate determines

mod fit;
#[cfg(test)]
mod tests;

use pressrun_lab::{
    Better, DataUse, Job, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study,
};
use pressrun_nn::mixture::Activation;

use crate::rates;
use fit::{Errors, Task};

/// Setting of the fits.
const RATES: &str = "maximum likelihood, X ~ U[-2, 2]";

/// Name of the standard gate.
const IDENTITY: &str = "identity";
/// Name of the gate with the positive part, homogeneous as well.
const RELU: &str = "ReLU";
/// Name of the gate with the hyperbolic tangent.
const TANH: &str = "tanh";
/// Name of the gate with GELU.
const GELU: &str = "GELU";
/// Name of the fit with an atom too many.
const OVER: &str = "tanh, 3 atoms";

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Sample sizes.
    pub sizes: Vec<usize>,
    /// Smallest size that the slopes of GELU are taken from: below, some fits end far away.
    pub gelu_from: usize,
    /// The gates.
    pub gates: Vec<(&'static str, Activation)>,
    /// Whether the tanh gate is also fitted with an atom too many.
    pub over: bool,
    /// Most EM iterations.
    pub iterations: usize,
    /// Deviation of the start from the truth, the same at all sizes.
    pub noise: f64,
    /// Whether the noise shrinks with the sample: a habit that makes a slope of its own, for tests.
    pub shrinking: bool,
    /// Pairs from which the Fisher information is computed.
    pub fisher_sample: usize,
}

impl Config {
    /// Three sizes.
    pub fn quick() -> Self {
        Self {
            sizes: vec![1_000, 3_000, 10_000],
            over: false,
            fisher_sample: 50_000,
            ..Self::full()
        }
    }

    /// Up to 30,000.
    pub fn full() -> Self {
        Self {
            sizes: vec![1_000, 3_000, 10_000, 30_000],
            gelu_from: 3_000,
            gates: vec![
                (GELU, Activation::Gelu),
                (TANH, Activation::Tanh),
                (RELU, Activation::Relu),
                (IDENTITY, Activation::Identity),
            ],
            over: true,
            iterations: 300,
            noise: 0.2,
            shrinking: false,
            fisher_sample: 200_000,
        }
    }

    fn tasks(&self) -> Vec<(&'static str, Task)> {
        let task = |activation, atoms| Task { activation, atoms };
        let mut tasks = Vec::new();
        if self.over {
            tasks.push((OVER, task(Activation::Tanh, 3)));
        }
        tasks.extend(self.gates.iter().map(|(name, activation)| (*name, task(*activation, 2))));
        tasks
    }
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(Temperature { quick: Config::quick(), full: Config::full() })
}

struct Temperature {
    quick: Config,
    full: Config,
}

/// Names of the errors, with what they mean.
const ERRORS: [(&str, &str); 4] = [
    ("hellinger", "mean Hellinger distance to the true density; theory -1/2 up to logarithms"),
    ("gate", "errors of beta1, beta0 and tau; theory -1/2 for tanh and GELU, else no rate"),
    ("experts", "errors of the experts; theory -1/2"),
    ("ratios", "errors of beta1 / tau and beta0 / tau; theory -1/2"),
];

impl Study for Temperature {
    fn series(&self) -> Vec<SeriesSpec> {
        rates::series(&ERRORS)
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Lower, Neither};
        let mut metrics = rates::metrics(&ERRORS);
        let m = |name, better, meaning| MetricSpec::new(name, "", better, meaning);
        metrics.push(m("last/hellinger", Lower, "Hellinger distance at the largest sample"));
        metrics.push(m(
            "last/gate",
            Lower,
            "errors of the gate's parameters at the largest sample",
        ));
        metrics.push(m("em/fall", Lower, "largest fall of the mean log-likelihood in EM"));
        metrics.push(m(
            "fisher/smallest",
            Neither,
            "smallest eigenvalue of the Fisher information",
        ));
        metrics.push(m("fisher/relative", Neither, "the same over the largest, without its sign"));
        metrics.push(m(
            "fisher/null_cosine",
            Neither,
            "cosine of its eigenvector with (beta1, beta0, tau)",
        ));
        metrics
    }

    fn default_seeds(&self, profile: Profile) -> u64 {
        match profile {
            Profile::Quick => 4,
            Profile::Full => 10,
        }
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        run.data(DataUse {
            name: "Gaussian mixture of two experts under a temperature".into(),
            origin: "generated".into(),
            identity: "beta1 2, beta0 -0.3, tau 0.7, a (2, -1), b (1, -1), variances (0.2, 0.1)"
                .into(),
            part: format!("samples of {:?}, a fresh one for each seed and size", config.sizes),
        });
        let seed = run.seeds()[0];
        let fisher = config.gates.iter().map(|(name, activation)| {
            Job::new(RATES, name, seed, 1).with(Task { activation: *activation, atoms: 2 })
        });
        run.arms(fisher.collect(), |arm| fit::information(arm, config.fisher_sample))?;
        let tasks = config.tasks();
        let jobs = tasks.iter().flat_map(|(name, task)| {
            let steps = config.sizes.len() as u64;
            run.seeds().iter().map(move |&seed| Job::new(RATES, name, seed, steps).with(*task))
        });
        let found = run.arms(jobs.collect(), |arm| fit::at_all_sizes(arm, config))?;
        for ((name, task), found) in tasks.iter().zip(found.chunks(run.seeds().len())) {
            let smallest = if task.activation == Activation::Gelu { config.gelu_from } else { 0 };
            slopes(run, name, config, smallest, found);
        }
        Ok(())
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let slope =
            |method: &str, error: &str| results.stat(RATES, method, &format!("slope/{error}"));
        let stat = |method: &str, metric: &str| results.stat(RATES, method, metric);
        if !results.has(RATES, TANH, "slope/gate") {
            return Ok(());
        }
        // C1: the density, in every arm.
        for (check, method) in
            [("identity", IDENTITY), ("relu", RELU), ("tanh", TANH), ("gelu", GELU), ("over", OVER)]
        {
            if results.has(RATES, method, "slope/hellinger") {
                judge.limit("C1", check, (method, slope(method, "hellinger")?))?;
            }
        }
        // C2: no rate for the standard gate's parameters, and why; its ratios are found.
        for (name, method) in [("identity", IDENTITY), ("relu", RELU)] {
            judge.limit("C2", &format!("{name}-gate"), (method, slope(method, "gate")?))?;
            let singular = stat(method, "fisher/relative")?;
            judge.limit("C2", &format!("{name}-singular"), (method, singular))?;
            let along = stat(method, "fisher/null_cosine")?;
            judge.limit("C2", &format!("{name}-direction"), (method, along))?;
        }
        judge.limit("C2", "identity-ratios", (IDENTITY, slope(IDENTITY, "ratios")?))?;
        judge.limit("C2", "logarithmic", (IDENTITY, slope(IDENTITY, "gate")?))?;
        // C3, C5: the parametric rate with an activation that is not homogeneous.
        for claim in ["C3", "C5"] {
            judge.limit(claim, "tanh-wide", (TANH, slope(TANH, "gate")?))?;
            judge.limit(claim, "tanh", (TANH, slope(TANH, "gate")?))?;
            judge.limit(claim, "gelu", (GELU, slope(GELU, "gate")?))?;
        }
        for (check, method) in [("tanh-regular", TANH), ("gelu-regular", GELU)] {
            judge.limit("C3", check, (method, stat(method, "fisher/smallest")?))?;
        }
        for (check, method) in [("identity-fails", IDENTITY), ("relu-fails", RELU)] {
            judge.limit("C5", check, (method, slope(method, "gate")?))?;
        }
        // C4: with an atom too many the temperature's gate is slower, the density is not.
        if results.has(RATES, OVER, "slope/experts") {
            judge.limit("C4", "density", (OVER, slope(OVER, "hellinger")?))?;
            judge.limit("C4", "falls", (OVER, slope(OVER, "experts")?))?;
            judge.compare(
                "C4",
                "slower",
                (OVER, slope(OVER, "experts")?),
                (TANH, slope(TANH, "experts")?),
            )?;
        }
        Ok(())
    }
}

/// Reports the slope of each error with its interval, and the errors at the largest size.
fn slopes(run: &Run<'_>, method: &str, config: &Config, smallest: usize, found: &[Vec<Errors>]) {
    let kept: Vec<usize> =
        (0..config.sizes.len()).filter(|at| config.sizes[*at] >= smallest).collect();
    let ns: Vec<f64> = kept.iter().map(|at| config.sizes[*at] as f64).collect();
    for (which, (error, _)) in ERRORS.iter().enumerate() {
        let at_size = |&at: &usize| found.iter().map(|seed| seed[at].list()[which]).collect();
        let errors: Vec<Vec<f64>> = kept.iter().map(at_size).collect();
        rates::slope(run, (RATES, method, error), &ns, &errors);
    }
    for (errors, &seed) in found.iter().zip(run.seeds()) {
        let Some(last) = errors.last() else { continue };
        let fall = errors.iter().map(|e| e.fall).fold(0.0, f64::max);
        run.result(RATES, method, "last/hellinger", seed, last.hellinger);
        run.result(RATES, method, "last/gate", seed, last.gate);
        run.result(RATES, method, "em/fall", seed, fall);
    }
}
