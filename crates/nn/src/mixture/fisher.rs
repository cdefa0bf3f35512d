//! What a sample says about the parameters.

use super::gate::{Gate, dot, exponentiate};
use super::model::GaussianMoe;

/// The empirical Fisher information of a model.
///
/// ```text
/// I = mean_n s_n s_n^T,    s_n = d ln p(y_n | x_n) / d theta
/// d/d phi  = sum_i (r_i - g_i) d z_i / d phi
/// d/d a_i  = r_i e_i x / nu_i,   d/d b_i = r_i e_i / nu_i,   e_i = y - a_i^T x - b_i
/// d/d nu_i = r_i (e_i^2 / nu_i - 1) / (2 nu_i)
/// ```
///
/// At the model from which the pairs were drawn it estimates the information; an eigenvalue 0 is a
/// direction in which the density does not change to first order.
///
/// # Shapes
/// - output: `[p, p]`, row by row, `p = GaussianMoe::free`; the gate's free parameters, then
///   `(a_i, b_i, nu_i)` of each expert
///
/// # Panics
/// If the lengths of `x` and `y` do not fit.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Expert, GaussianMoe, TopKGate, fisher_information};
///
/// // A single expert: the gate has no free parameter, theta = (a, b, nu).
/// let gate = TopKGate::new(vec![0.0], vec![0.0], 1)?;
/// let expert = Expert { slope: vec![1.0], offset: 0.0, variance: 2.0 };
/// let model = GaussianMoe::new(gate, vec![expert])?;
/// // Residual 2 at x = 3: s = (2 * 3 / 2, 2 / 2, (2 - 1) / 4).
/// let information = fisher_information(&model, &[3.0], &[5.0]);
/// assert_eq!(information, [9.0, 3.0, 0.75, 3.0, 1.0, 0.25, 0.75, 0.25, 0.0625]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn fisher_information<G: Gate>(model: &GaussianMoe<G>, x: &[f64], y: &[f64]) -> Vec<f64> {
    let p = model.free();
    let mut information = vec![0.0; p * p];
    each_score(model, x, y, |score| {
        for a in 0..p {
            for b in 0..=a {
                information[a * p + b] += score[a] * score[b];
            }
        }
    });
    for a in 0..p {
        for b in 0..=a {
            information[a * p + b] /= y.len() as f64;
            information[b * p + a] = information[a * p + b];
        }
    }
    information
}

/// The gradient of the mean log-likelihood: 0 at the maximum likelihood estimate.
///
/// # Panics
/// If the lengths of `x` and `y` do not fit.
pub fn mean_score<G: Gate>(model: &GaussianMoe<G>, x: &[f64], y: &[f64]) -> Vec<f64> {
    let mut mean = vec![0.0; model.free()];
    each_score(model, x, y, |score| {
        mean.iter_mut().zip(score).for_each(|(mean, score)| *mean += score);
    });
    mean.iter_mut().for_each(|mean| *mean /= y.len() as f64);
    mean
}

fn each_score<G: Gate>(
    model: &GaussianMoe<G>,
    x: &[f64],
    y: &[f64],
    mut visit: impl FnMut(&[f64]),
) {
    model.check(x, y);
    let (d, k, free) = (model.gate.inputs(), model.experts.len(), model.gate.free());
    let constants = model.constants();
    let (mut g, mut r, mut jacobian) = (vec![0.0; k], vec![0.0; k], vec![0.0; k * free]);
    let mut score = vec![0.0; model.free()];
    for (x, &y) in x.chunks_exact(d).zip(y) {
        model.gate.scores(x, &mut g);
        let inverse = 1.0 / exponentiate(&mut g).0;
        r.copy_from_slice(&g);
        model.reweigh(&constants, x, y, &mut r);
        model.gate.jacobian(x, &mut jacobian);
        score.fill(0.0);
        for i in 0..k {
            let off = r[i] - g[i] * inverse;
            for a in 0..free {
                score[a] += off * jacobian[i * free + a];
            }
            let expert = &model.experts[i];
            let own = &mut score[free + i * (d + 2)..free + (i + 1) * (d + 2)];
            let residual = y - dot(&expert.slope, x) - expert.offset;
            let pull = r[i] * residual / expert.variance;
            for (own, x) in own.iter_mut().zip(x) {
                *own = pull * x;
            }
            own[d] = pull;
            let spread = residual * residual / expert.variance - 1.0;
            own[d + 1] = r[i] * spread / (2.0 * expert.variance);
        }
        visit(&score);
    }
}
