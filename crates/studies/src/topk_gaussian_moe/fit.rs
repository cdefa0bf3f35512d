//! Fits to samples of growing size, and how far they are off.

use pressrun_lab::{Arm, Error, Result, Rng, stream};
use pressrun_nn::mixture::{
    Combine, EmOptions, Expert, Exponents, Gate, GaussianMoe, Grid, Inverse, Select, TopKGate,
    em_fit, mean_hellinger, voronoi_cells, voronoi_loss,
};
use rand::RngExt;
use rand_distr::StandardNormal;

/// What is fitted, and from where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// Atoms: 3 are the truth's, the fourth is a copy of the third.
    pub atoms: usize,
    /// How many are selected.
    pub selected: usize,
    /// How they are selected.
    pub select: Select,
    /// Deviation of the start from the truth.
    pub noise: f64,
}

/// How far a fit is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Mean Hellinger distance.
    pub hellinger: f64,
    /// D1.
    pub voronoi: f64,
    /// Error of gates' slopes and experts' offsets; in a fit with an atom too many that of the cell
    /// that two atoms share.
    pub gate_and_offset: f64,
    /// Largest fall of the log-likelihood from one iteration to the next.
    pub fall: f64,
}

impl Errors {
    /// The errors in the order of the study's table.
    pub fn list(&self) -> [f64; 3] {
        [self.hellinger, self.voronoi, self.gate_and_offset]
    }
}

/// Inputs at which densities are compared.
pub const XS: Grid = Grid { low: -1.0, high: 1.0, points: 60 };
/// Outputs over which they are integrated.
pub const YS: Grid = Grid { low: -6.0, high: 8.0, points: 561 };

/// The box in which the theory looks for the parameters, and the lowest variance of a start.
const BOX: (f64, f64) = (10.0, 3.0);
const LOWEST_START: f64 = 0.02;

/// Expert 3 is selected everywhere, expert 1 where x > 0 and expert 2 where x < 0.
///
/// # Errors
/// Never: the sizes fit.
pub fn truth() -> Result<GaussianMoe<TopKGate>> {
    let gate = TopKGate::new(vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0], 2).map_err(study)?;
    let expert = |a, b, variance| Expert { slope: vec![a], offset: b, variance };
    let experts = vec![expert(2.0, 1.5, 0.16), expert(-2.0, -1.5, 0.09), expert(0.5, 3.5, 0.25)];
    GaussianMoe::new(gate, experts).map_err(study)
}

/// Fits to a fresh sample of every size, all from the same start.
///
/// # Errors
/// If the run is cancelled.
pub fn at_all_sizes(
    arm: &Arm<'_, Model>,
    sizes: &[usize],
    iterations: usize,
) -> Result<Vec<Errors>> {
    let (model, truth) = (*arm.config(), truth()?);
    let start = start(&model, &truth, &mut arm.rng("start"))?;
    let mut found = Vec::with_capacity(sizes.len());
    for &n in sizes {
        arm.step()?;
        // Arms of one seed see the same samples.
        let mut rng = stream(arm.seed(), &format!("sample of {n}"));
        let x: Vec<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let y = truth.sample(&x, &mut rng);
        let errors = errors(&model, start.clone(), &truth, (&x, &y), iterations)?;
        let step = n as u64;
        arm.point("rate/hellinger", step, errors.hellinger);
        arm.point("rate/voronoi", step, errors.voronoi);
        arm.point("rate/gate_and_offset", step, errors.gate_and_offset);
        found.push(errors);
    }
    Ok(found)
}

/// The truth, the third expert twice with half the weight if there is an atom too many, with noise
/// on every free parameter. The noise does not depend on the sample.
fn start(
    model: &Model,
    truth: &GaussianMoe<TopKGate>,
    rng: &mut Rng,
) -> Result<GaussianMoe<TopKGate>> {
    let (mut beta1, mut beta0) = (vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0]);
    let mut experts = truth.experts.clone();
    if model.atoms > 3 {
        // Two atoms of weight 1 stand for one of weight 1: the others weigh twice as much.
        beta0.iter_mut().take(2).for_each(|beta| *beta += std::f64::consts::LN_2);
        beta1.push(0.0);
        beta0.push(0.0);
        experts.push(truth.experts[2].clone());
    }
    let gate = TopKGate::new(beta1, beta0, model.selected).map_err(study)?;
    let mut gate = gate.with_select(model.select).with_limits(BOX.0, BOX.1);
    let mut noise = || model.noise * rng.sample::<f64, _>(StandardNormal);
    let mut phi = vec![0.0; gate.free()];
    gate.parameters(&mut phi);
    phi.iter_mut().for_each(|phi| *phi += noise());
    gate.set_parameters(&phi);
    for expert in &mut experts {
        expert.slope[0] += noise();
        expert.offset += noise();
        expert.variance = (expert.variance + noise()).max(LOWEST_START);
    }
    GaussianMoe::new(gate, experts).map_err(study)
}

fn errors(
    model: &Model,
    start: GaussianMoe<TopKGate>,
    truth: &GaussianMoe<TopKGate>,
    (x, y): (&[f64], &[f64]),
    iterations: usize,
) -> Result<Errors> {
    let options = EmOptions {
        iterations,
        tolerance: 1e-9,
        gate_steps: 2,
        inverse: Inverse::Ridge(1e-6),
        clip: 1.0,
        variance_floor: 1e-3,
    };
    let mut fit = em_fit(start, x, y, options).map_err(study)?;
    let fall = fit.history.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0, f64::max);
    let hellinger = mean_hellinger(&fit.model, truth, &XS, &YS);
    if model.atoms > 3 {
        pin_cell(&mut fit.model);
    }
    let (fitted, atoms) = (fit.model.atoms(), truth.atoms());
    let voronoi = voronoi_loss(&fitted, &atoms, 2, Combine::Sum, |_| Exponents::ONE);
    // The error of the atoms by their share of their cell's weight.
    let cells = voronoi_cells(&fitted, &atoms);
    let watched = if model.atoms > 3 { 2..3 } else { 0..3 };
    let mut gate_and_offset = 0.0;
    for cell in watched {
        let mass: f64 = cells[cell].iter().map(|&i| fitted[i].mass).sum();
        for &i in &cells[cell] {
            let off = (fitted[i].gate[0] - atoms[cell].gate[0]).abs()
                + (fitted[i].offset - atoms[cell].offset).abs();
            gate_and_offset += fitted[i].mass / mass * off;
        }
    }
    Ok(Errors { hellinger, voronoi, gate_and_offset, fall })
}

/// Writes the gate so that the two atoms of the third expert have its weight, 1, together and its
/// slope, 0, on average: a softmax knows only differences, and the truth pins the third expert.
fn pin_cell(model: &mut GaussianMoe<TopKGate>) {
    let atoms = model.atoms();
    let mass: f64 = atoms[2..].iter().map(|a| a.mass).sum();
    let slope: f64 = atoms[2..].iter().map(|a| a.mass * a.gate[0]).sum::<f64>() / mass;
    model.gate.translate(&[-slope], -mass.ln());
}

fn study(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}
