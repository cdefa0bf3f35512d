//! Fits to samples of growing size, how far they are off, and the information at the truth.

use pressrun_lab::{Arm, Error, Result, Rng, stream};
use pressrun_nn::mixture::{
    Activation, EmOptions, Expert, Gate, GaussianMoe, Grid, Inverse, TemperatureGate, em_fit,
    fisher_information, mean_hellinger, sym_eig, voronoi_cells,
};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::Config;

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// Between the gate's linear layer and its softmax.
    pub activation: Activation,
    /// Atoms: 2 are the truth's, a third is a copy of the second.
    pub atoms: usize,
}

/// How far a fit is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Mean Hellinger distance.
    pub hellinger: f64,
    /// `|beta1| + |beta0| + |tau|` of what is free.
    pub gate: f64,
    /// `|a| + |b| + |nu|`, by weight in a cell.
    pub experts: f64,
    /// `|beta1 / tau| + |beta0 / tau|`.
    pub ratios: f64,
    /// Largest fall of the log-likelihood from one iteration to the next.
    pub fall: f64,
}

impl Errors {
    /// The errors in the order of the study's table.
    pub fn list(&self) -> [f64; 4] {
        [self.hellinger, self.gate, self.experts, self.ratios]
    }
}

/// `(beta1, beta0, tau)` of the truth; the second expert is pinned at 0.
const GATE: [f64; 3] = [2.0, -0.3, 0.7];
/// The temperature is kept above this.
const LOWEST_TAU: f64 = 0.05;
/// Lowest variance of a start.
const LOWEST_START: f64 = 0.02;

/// Inputs at which densities are compared.
const XS: Grid = Grid { low: -2.0, high: 2.0, points: 60 };
/// Outputs over which they are integrated.
const YS: Grid = Grid { low: -7.0, high: 8.0, points: 601 };

fn truth(activation: Activation) -> Result<GaussianMoe<TemperatureGate>> {
    let [beta1, beta0, tau] = GATE;
    let gate = TemperatureGate::new(vec![beta1, 0.0], vec![beta0, 0.0], tau, activation);
    let expert = |a, b, variance| Expert { slope: vec![a], offset: b, variance };
    let experts = vec![expert(2.0, 1.0, 0.2), expert(-1.0, -1.0, 0.1)];
    GaussianMoe::new(gate.map_err(study)?, experts).map_err(study)
}

/// Fits to a fresh sample of every size, all from the same start.
///
/// # Errors
/// If the run is cancelled.
pub fn at_all_sizes(arm: &Arm<'_, Task>, config: &Config) -> Result<Vec<Errors>> {
    let task = *arm.config();
    let truth = truth(task.activation)?;
    let mut found = Vec::with_capacity(config.sizes.len());
    for &n in &config.sizes {
        arm.step()?;
        let shrink = if config.shrinking { (n as f64).powf(-0.5) * 30.0 } else { 1.0 };
        let start = start(&task, &truth, shrink * config.noise, &mut arm.rng("start"))?;
        let mut rng = stream(arm.seed(), &format!("sample of {n}"));
        let x: Vec<f64> = (0..n).map(|_| rng.random_range(-2.0..2.0)).collect();
        let y = truth.sample(&x, &mut rng);
        let errors = errors(&task, start, &truth, (&x, &y), config.iterations)?;
        for ((name, _), error) in super::ERRORS.iter().zip(errors.list()) {
            arm.point(&format!("rate/{name}"), n as u64, error);
        }
        found.push(errors);
    }
    Ok(found)
}

/// The truth, with noise on every free parameter that does not depend on the sample; with an atom
/// too many the last expert twice, each with half its weight.
fn start(
    task: &Task,
    truth: &GaussianMoe<TemperatureGate>,
    noise: f64,
    rng: &mut Rng,
) -> Result<GaussianMoe<TemperatureGate>> {
    let (mut beta1, mut beta0) = (vec![GATE[0], 0.0], vec![GATE[1], 0.0]);
    let mut experts = truth.experts.clone();
    if task.atoms > 2 {
        // Two atoms of weight 1 in place of one: the first weighs twice as much.
        beta0[0] += GATE[2] * std::f64::consts::LN_2;
        beta1.push(0.0);
        beta0.push(0.0);
        experts.push(experts[1].clone());
    }
    let gate = TemperatureGate::new(beta1, beta0, GATE[2], task.activation).map_err(study)?;
    let mut gate = gate.with_lowest_tau(LOWEST_TAU);
    let mut draw = || noise * rng.sample::<f64, _>(StandardNormal);
    let mut phi = vec![0.0; gate.free()];
    gate.parameters(&mut phi);
    phi.iter_mut().for_each(|phi| *phi += draw());
    gate.set_parameters(&phi);
    for expert in &mut experts {
        expert.slope[0] += draw();
        expert.offset += draw();
        expert.variance = (expert.variance + draw()).max(LOWEST_START);
    }
    GaussianMoe::new(gate, experts).map_err(study)
}

fn errors(
    task: &Task,
    start: GaussianMoe<TemperatureGate>,
    truth: &GaussianMoe<TemperatureGate>,
    (x, y): (&[f64], &[f64]),
    iterations: usize,
) -> Result<Errors> {
    let options = EmOptions {
        iterations,
        tolerance: 1e-10,
        gate_steps: 3,
        inverse: Inverse::Pseudo(1e-9),
        clip: 0.3,
        variance_floor: 1e-3,
    };
    let fit = em_fit(start, x, y, options).map_err(study)?;
    let fall = fit.history.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0, f64::max);
    let hellinger = mean_hellinger(&fit.model, truth, &XS, &YS);
    let mut phi = vec![0.0; fit.model.gate.free()];
    fit.model.gate.parameters(&mut phi);
    let [beta1, beta0, tau] = GATE;
    let own = phi[phi.len() - 1];
    // With an atom too many the first expert's weight is relative to two atoms.
    let doubled = if task.atoms > 2 { own * std::f64::consts::LN_2 } else { 0.0 };
    let (first, bias) = (phi[0], phi[1] - doubled);
    let gate = (first - beta1).abs() + (bias - beta0).abs() + (own - tau).abs();
    let ratios = (first / own - beta1 / tau).abs() + (bias / own - beta0 / tau).abs();
    // The error of the atoms by their share of their cell's weight.
    let (fitted, atoms) = (fit.model.atoms(), truth.atoms());
    let mut experts = 0.0;
    for (cell, atom) in voronoi_cells(&fitted, &atoms).iter().zip(&atoms) {
        let mass: f64 = cell.iter().map(|&i| fitted[i].mass).sum();
        for &i in cell {
            let off = (fitted[i].slope[0] - atom.slope[0]).abs()
                + (fitted[i].offset - atom.offset).abs()
                + (fitted[i].variance - atom.variance).abs();
            experts += fitted[i].mass / mass * off;
        }
    }
    Ok(Errors { hellinger, gate, experts, ratios, fall })
}

/// Reports what a large sample says at the truth: the smallest eigenvalue of the information, and
/// how far its eigenvector lies along `(beta1, beta0, tau)`.
///
/// # Errors
/// If the run is cancelled.
pub fn information(arm: &Arm<'_, Task>, n: usize) -> Result<()> {
    arm.step()?;
    let truth = truth(arm.config().activation)?;
    let mut rng = arm.rng("information");
    let x: Vec<f64> = (0..n).map(|_| rng.random_range(-2.0..2.0)).collect();
    let y = truth.sample(&x, &mut rng);
    let eig = sym_eig(&fisher_information(&truth, &x, &y), truth.free());
    let (smallest, largest) = (eig.values[0], eig.values[eig.values.len() - 1]);
    let length = GATE.iter().map(|g| g * g).sum::<f64>().sqrt();
    let along: f64 = GATE.iter().zip(&eig.vectors[0]).map(|(g, v)| g * v / length).sum();
    arm.result("fisher/smallest", smallest);
    arm.result("fisher/relative", smallest.abs() / largest);
    arm.result("fisher/null_cosine", along.abs());
    Ok(())
}

fn study(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}
