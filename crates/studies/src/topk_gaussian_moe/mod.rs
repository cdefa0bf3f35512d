//! Statistical Perspective of Top-K Sparse Softmax Gating Mixture of Experts, arXiv:2309.13850.
//!
//! The maximum likelihood estimate of a Gaussian mixture of experts whose gate keeps the K largest
//! of its linear scores. With the right number of experts density and parameters are found at the
//! parametric rate; with too many, the density still is if enough experts are selected, and the
//! parameters of an expert that several atoms share are found far more slowly.
//!
//! # What we run, and what the paper ran
//! A paper of theorems. We: one input, three true experts of which two are selected, EM from a start
//! that does not come closer with the sample; errors at sample sizes from 300 to 30,000 and their
//! slope in double-logarithmic axes, with a bootstrap interval over seeds. What can be computed
//! without a sample (the condition on the selection, the orders of contact) is computed.
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
//! - `rate/voronoi`: the paper's loss D1 of the parameters
//! - `rate/gate_and_offset`: sum over atoms of |beta1 - beta1*| + |b - b*|, by weight in its cell
//! - `local/hellinger`: distance of the truth with one expert split into two, 1 / eps apart

mod contact;
mod fit;
#[cfg(test)]
mod tests;

use pressrun_lab::{
    Better, DataUse, Job, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Stat, Study,
};
use pressrun_nn::mixture::Select;

use crate::rates;
use fit::{Errors, Model};

/// The right number of experts, two selected: the paper's exact-specified setting.
const EXACT: &str = "exact: 3 atoms, 2 selected";
/// One atom too many, three selected: the paper's over-specified setting.
const OVER: &str = "over-specified: 4 atoms, 3 selected";
/// The right number, but selected by the whole logit: a control.
const FULL_LOGIT: &str = "exact, selected by the full logit";

/// Setting of the fits.
const RATES: &str = "maximum likelihood, X ~ U[-1, 1]";
/// Setting of what needs no sample.
const LOCAL: &str = "without a sample";

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Sample sizes of the exact arm and of its control.
    pub sizes: Vec<usize>,
    /// Sample sizes of the over-specified arm.
    pub over_sizes: Vec<usize>,
    /// Most EM iterations.
    pub iterations: usize,
    /// Deviation of the start from the truth, exact and over-specified, the same at all sizes.
    pub noise: (f64, f64),
    /// Whether the control is fitted.
    pub control: bool,
    /// How the method selects: linearly, as in the paper.
    pub select: Select,
    /// How many experts the over-specified fit selects.
    pub over_selected: usize,
}

impl Config {
    /// Three sizes.
    pub fn quick() -> Self {
        Self {
            sizes: vec![300, 1_000, 3_000],
            over_sizes: vec![300, 1_000, 3_000],
            iterations: 300,
            control: false,
            ..Self::full()
        }
    }

    /// Up to 30,000, and 10,000 over-specified.
    pub fn full() -> Self {
        Self {
            sizes: vec![300, 1_000, 3_000, 10_000, 30_000],
            over_sizes: vec![300, 1_000, 3_000, 10_000],
            iterations: 500,
            noise: (0.1, 0.15),
            control: true,
            select: Select::Linear,
            over_selected: 3,
        }
    }

    fn models(&self) -> Vec<(&'static str, Model)> {
        let exact = Model { atoms: 3, selected: 2, select: self.select, noise: self.noise.0 };
        let selected = self.over_selected;
        let over = Model { atoms: 4, selected, select: self.select, noise: self.noise.1 };
        let mut models = vec![(OVER, over), (EXACT, exact)];
        if self.control {
            models.push((FULL_LOGIT, Model { select: Select::Full, ..exact }));
        }
        models
    }

    fn sizes_of(&self, model: &Model) -> &[usize] {
        if model.atoms > 3 { &self.over_sizes } else { &self.sizes }
    }
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(TopKGaussian { quick: Config::quick(), full: Config::full() })
}

struct TopKGaussian {
    quick: Config,
    full: Config,
}

/// Names of the errors, with what they mean and the exponent of the theory.
const ERRORS: [(&str, &str); 3] = [
    ("hellinger", "mean Hellinger distance to the true density; theory -1/2 up to logarithms"),
    ("voronoi", "loss D1 of the parameters; theory -1/2 with the right number of experts"),
    ("gate_and_offset", "|beta1| and |b| errors, weighted in cells; theory -1/8 in a cell of two"),
];

impl Study for TopKGaussian {
    fn series(&self) -> Vec<SeriesSpec> {
        let mut series = rates::series(&ERRORS);
        let meaning = "distance of the truth with an expert split in two, eps apart, to the truth";
        series.push(SeriesSpec::new("local/hellinger", "", "1 / eps", meaning).log_log());
        series
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Lower, Neither};
        let mut metrics = rates::metrics(&ERRORS);
        let m = MetricSpec::new;
        metrics.push(m("last/hellinger", "", Lower, "Hellinger distance at the largest sample"));
        metrics.push(m("last/voronoi", "", Lower, "loss D1 at the largest sample"));
        metrics.push(m("em/fall", "", Lower, "largest fall of the mean log-likelihood in EM"));
        metrics.push(m("local/hellinger", "", Lower, "distance at eps = 0.01"));
        metrics.push(m("contact/order", "", Neither, "power of eps with which a density departs"));
        metrics
    }

    fn default_seeds(&self, profile: Profile) -> u64 {
        match profile {
            Profile::Quick => 4,
            Profile::Full => 8,
        }
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        run.data(DataUse {
            name: "Gaussian mixture of three experts".into(),
            origin: "generated".into(),
            identity:
                "beta1 (3, -2, 0), beta0 (0.3, -0.3, 0), a (2, -2, 0.5), b (1.5, -1.5, 3.5), \
                       variances (0.16, 0.09, 0.25), 2 selected"
                    .into(),
            part: format!("samples of {:?}, a fresh one for each seed and size", config.sizes),
        });
        contact::report(run)?;
        let models = config.models();
        let jobs = models.iter().flat_map(|(name, model)| {
            let sizes = config.sizes_of(model);
            let steps = sizes.len() as u64;
            run.seeds().iter().map(move |&seed| Job::new(RATES, name, seed, steps).with(*model))
        });
        let found = run.arms(jobs.collect(), |arm| {
            fit::at_all_sizes(arm, config.sizes_of(arm.config()), config.iterations)
        })?;
        for ((name, model), found) in models.iter().zip(found.chunks(run.seeds().len())) {
            slopes(run, name, config.sizes_of(model), found);
        }
        Ok(())
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let slope =
            |method: &str, error: &str| results.stat(RATES, method, &format!("slope/{error}"));
        if !results.has(RATES, EXACT, "slope/hellinger") {
            return Ok(());
        }
        // C1, C2, C4: the parametric rate, n^(-1/2).
        for (claim, method, error) in
            [("C1", EXACT, "hellinger"), ("C2", EXACT, "voronoi"), ("C4", OVER, "hellinger")]
        {
            for check in ["slope-wide", "slope"] {
                judge.limit(claim, check, (method, slope(method, error)?))?;
            }
        }
        // C3: an expert split in two, with too few selected and with enough.
        for (check, method) in [("too-few", contact::TOO_FEW), ("enough", contact::ENOUGH)] {
            judge.limit("C3", check, (method, results.stat(LOCAL, method, "local/hellinger")?))?;
        }
        // C5: the orders of contact, and the slope in the cell of two atoms.
        for (check, method) in [
            ("one-atom", contact::ONE),
            ("two-atoms", contact::TWO),
            ("two-atoms-narrow", contact::TWO_NARROW),
            ("three-atoms", contact::THREE),
        ] {
            judge.limit("C5", check, (method, results.stat(LOCAL, method, "contact/order")?))?;
        }
        let shallower =
            slope(OVER, "gate_and_offset")?.mean - slope(EXACT, "gate_and_offset")?.mean;
        judge.limit("C5", "shallower", (OVER, Stat::exact(shallower)))
    }
}

/// Reports the slope of each error with its interval, and the errors at the largest size.
fn slopes(run: &Run<'_>, method: &str, sizes: &[usize], found: &[Vec<Errors>]) {
    let ns: Vec<f64> = sizes.iter().map(|n| *n as f64).collect();
    for (at, (error, _)) in ERRORS.iter().enumerate() {
        let at_size = |size: usize| found.iter().map(|seed| seed[size].list()[at]).collect();
        let errors: Vec<Vec<f64>> = (0..sizes.len()).map(at_size).collect();
        rates::slope(run, (RATES, method, error), &ns, &errors);
    }
    for (errors, &seed) in found.iter().zip(run.seeds()) {
        let Some(last) = errors.last() else { continue };
        let fall = errors.iter().map(|e| e.fall).fold(0.0, f64::max);
        run.result(RATES, method, "last/hellinger", seed, last.hellinger);
        run.result(RATES, method, "last/voronoi", seed, last.voronoi);
        run.result(RATES, method, "em/fall", seed, fall);
    }
}
