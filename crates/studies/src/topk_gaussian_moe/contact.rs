//! What needs no sample: a split expert under too few and enough selected, and orders of contact.

use std::f64::consts::{LN_2, PI};

use pressrun_lab::{Error, Result, Run};
use pressrun_nn::mixture::{
    Expert, Gate, GaussianMoe, Grid, TopKGate, fit_slope, hellinger, mean_hellinger,
};

use super::LOCAL;
use super::fit::{YS, truth};

/// Expert 3, selected everywhere, split, and one atom too few selected.
pub const TOO_FEW: &str = "expert 3 split, 2 selected";
/// The same with as many selected as there are atoms.
pub const ENOUGH: &str = "expert 3 split, 3 selected";
/// Expert 1, selected on one side only, split: outside of the theory's condition.
const ELSEWHERE: [(&str, usize); 2] =
    [("expert 1 split, 2 selected", 2), ("expert 1 split, 3 selected", 3)];

/// One atom moved.
pub const ONE: &str = "one atom";
/// Two atoms moved apart.
pub const TWO: &str = "two atoms";
/// Two atoms moved apart and made narrower: order r(2) = 4.
pub const TWO_NARROW: &str = "two atoms, narrower";
/// Three atoms likewise: order r(3) = 6.
pub const THREE: &str = "three atoms, narrower";

/// How far apart the halves of an expert are put.
const SPLITS: [f64; 4] = [0.3, 0.1, 0.03, 0.01];

/// Reports both.
///
/// # Errors
/// If the run is cancelled.
pub fn report(run: &Run<'_>) -> Result<()> {
    run.check_cancelled()?;
    let seed = run.seeds()[0];
    let mut cases = vec![(TOO_FEW, 2, 2), (ENOUGH, 2, 3)];
    cases.extend(ELSEWHERE.map(|(name, selected)| (name, 0, selected)));
    let jobs = cases.iter().map(|(name, ..)| pressrun_lab::Job::new(LOCAL, name, seed, 1));
    let jobs = jobs.zip(&cases).map(|(job, case)| job.with(*case)).collect();
    run.arms(jobs, |arm| {
        arm.step()?;
        let (_, which, selected) = *arm.config();
        for eps in SPLITS {
            let distance = split_distance(which, eps, selected)?;
            arm.point("local/hellinger", (1.0 / eps).round() as u64, distance);
            if eps == 0.01 {
                arm.result("local/hellinger", distance);
            }
        }
        Ok(())
    })?;
    for (name, order) in orders() {
        run.result(LOCAL, name, "contact/order", seed, order);
    }
    Ok(())
}

/// The distance to the truth of the truth with expert `which` written as two of half the weight,
/// their parameters `eps` apart, when `selected` are selected.
fn split_distance(which: usize, eps: f64, selected: usize) -> Result<f64> {
    let truth = truth()?;
    let (mut beta1, mut beta0, mut experts) = (Vec::new(), Vec::new(), Vec::new());
    for (i, expert) in truth.experts.iter().enumerate() {
        let (shifts, lighter) =
            if i == which { (vec![0.5 * eps, -0.5 * eps], LN_2) } else { (vec![0.0], 0.0) };
        for shift in shifts {
            beta1.push(truth.gate.slope(i)[0] + shift);
            beta0.push(truth.gate.biases()[i] - lighter);
            experts.push(Expert {
                slope: vec![expert.slope[0] + shift],
                offset: expert.offset + shift,
                variance: expert.variance,
            });
        }
    }
    let gate = TopKGate::new(beta1, beta0, selected).map_err(study)?;
    let split = GaussianMoe::new(gate, experts).map_err(study)?;
    let xs = Grid { low: -1.0, high: 1.0, points: 200 };
    Ok(mean_hellinger(&split, &truth, &xs, &YS))
}

/// The power of eps with which each mixture departs from N(0, 1).
///
/// ```text
/// one atom              N(e, 1)                                        1
/// two atoms             1/2 N(e, 1) + 1/2 N(-e, 1)                     2
/// two atoms, narrower   1/2 N(e, 1 - e^2) + 1/2 N(-e, 1 - e^2)         4 = r(2)
/// three atoms           1/6, 2/3, 1/6 at -sqrt(3) e, 0, sqrt(3) e,
///                       variance 1 - e^2                               6 = r(3)
/// ```
fn orders() -> [(&'static str, f64); 4] {
    let order = |es: [f64; 2], components: &dyn Fn(f64) -> Vec<(f64, f64, f64)>| {
        let distances = es.map(|e| distance_to_normal(&components(e)).ln());
        fit_slope(&es.map(f64::ln), &distances)
    };
    let far = 3f64.sqrt();
    [
        (ONE, order([0.2, 0.1], &|e| vec![(1.0, e, 1.0)])),
        (TWO, order([0.2, 0.1], &|e| vec![(0.5, e, 1.0), (0.5, -e, 1.0)])),
        (TWO_NARROW, order([0.2, 0.1], &|e| vec![(0.5, e, 1.0 - e * e), (0.5, -e, 1.0 - e * e)])),
        (
            THREE,
            order([0.4, 0.3], &|e| {
                let nu = 1.0 - e * e;
                vec![(1.0 / 6.0, -far * e, nu), (2.0 / 3.0, 0.0, nu), (1.0 / 6.0, far * e, nu)]
            }),
        ),
    ]
}

/// Hellinger distance of a normal mixture of (weight, mean, variance) to N(0, 1).
fn distance_to_normal(components: &[(f64, f64, f64)]) -> f64 {
    let normal =
        |y: f64, m: f64, nu: f64| (-(y - m).powi(2) / (2.0 * nu)).exp() / (2.0 * PI * nu).sqrt();
    let mixture = |y| components.iter().map(|&(w, m, nu)| w * normal(y, m, nu)).sum::<f64>();
    let grid = Grid { low: -12.0, high: 12.0, points: 2401 };
    hellinger(mixture, |y| normal(y, 0.0, 1.0), &grid)
}

fn study(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}
