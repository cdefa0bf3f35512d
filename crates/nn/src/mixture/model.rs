//! The model: a gate and its Gaussian experts.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::gate::{Gate, dot, exponentiate};
use super::voronoi::Atom;
use crate::{Error, Result};

/// A linear expert with Gaussian noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Expert {
    /// `a`, one number for each input.
    pub slope: Vec<f64>,
    /// `b`.
    pub offset: f64,
    /// `nu`, a variance.
    pub variance: f64,
}

/// A Gaussian mixture of experts.
///
/// ```text
/// p(y | x) = sum_i g_i(x) N(y | a_i^T x + b_i, nu_i),    g(x) = softmax(z(x))
/// r_i(x, y) = g_i(x) N(y | ...) / p(y | x)               responsibilities
/// ```
///
/// # Shapes
/// - `x`: `[n, d]`, row by row; `y`: `[n]`
///
/// # Source
/// Jacobs et al. (1991); in this form arXiv:2309.13850 and arXiv:2401.13875.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Expert, GaussianMoe, TopKGate};
///
/// let gate = TopKGate::new(vec![1.0, 0.0], vec![0.0, 0.0], 1)?;
/// let expert = |offset| Expert { slope: vec![2.0], offset, variance: 1.0 };
/// let model = GaussianMoe::new(gate, vec![expert(1.0), expert(-1.0)])?;
/// // For x > 0 the first expert alone: N(2 | 2 * 0.5 + 1, 1).
/// let log_density = model.log_density(&[0.5], &[2.0]);
/// assert!((log_density[0] + 0.5 * (2.0 * std::f64::consts::PI).ln()).abs() < 1e-12);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMoe<G> {
    /// The gate.
    pub gate: G,
    /// The experts, as many as the gate has.
    pub experts: Vec<Expert>,
}

/// The constants of the experts' log-densities, `-ln(2 pi nu) / 2` and `1 / nu`.
pub(super) struct Constants(Vec<(f64, f64)>);

impl<G: Gate> GaussianMoe<G> {
    /// A model of these parts.
    ///
    /// # Errors
    /// If there are not as many experts as the gate has, an expert has not as many slopes as the
    /// gate has inputs, or a variance is not positive.
    pub fn new(gate: G, experts: Vec<Expert>) -> Result<Self> {
        let fits = experts.len() == gate.experts();
        Error::unless(fits, "GaussianMoe", "experts", experts.len(), "as many as the gate has")?;
        for expert in &experts {
            let (slopes, variance) = (expert.slope.len(), expert.variance);
            let fits = slopes == gate.inputs();
            Error::unless(fits, "GaussianMoe", "slope", slopes, "a number for each input")?;
            Error::unless(variance > 0.0, "GaussianMoe", "variance", variance, "above 0")?;
        }
        Ok(Self { gate, experts })
    }

    /// `ln p(y | x)` of each pair.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn log_density(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        self.check(x, y);
        let (constants, mut g) = (self.constants(), vec![0.0; self.experts.len()]);
        let pairs = x.chunks_exact(self.gate.inputs()).zip(y);
        pairs.map(|(x, &y)| self.posterior(&constants, x, y, &mut g)).collect()
    }

    /// The share of each expert in each pair's density.
    ///
    /// # Shapes
    /// - output: `[n, experts]`, each row sums to 1
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn responsibilities(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        self.check(x, y);
        let (constants, k) = (self.constants(), self.experts.len());
        let mut r = vec![0.0; y.len() * k];
        let pairs = x.chunks_exact(self.gate.inputs()).zip(y);
        for ((x, &y), r) in pairs.zip(r.chunks_exact_mut(k)) {
            self.posterior(&constants, x, y, r);
        }
        r
    }

    /// Draws a `y` for each `x`.
    ///
    /// # Panics
    /// If `x` is not a whole number of rows.
    pub fn sample(&self, x: &[f64], rng: &mut (impl Rng + ?Sized)) -> Vec<f64> {
        assert_eq!(x.len() % self.gate.inputs(), 0, "GaussianMoe: a whole number of rows");
        let mut g = vec![0.0; self.experts.len()];
        let rows = x.chunks_exact(self.gate.inputs());
        rows.map(|x| {
            self.gate.scores(x, &mut g);
            let mut left = rng.random::<f64>() * exponentiate(&mut g).0;
            // Rounding may leave a rest after the last expert: it goes to the largest.
            let largest = (0..g.len()).max_by(|&i, &j| g[i].total_cmp(&g[j])).unwrap_or(0);
            let drawn = g.iter().position(|w| {
                left -= w;
                left < 0.0
            });
            let expert = &self.experts[drawn.unwrap_or(largest)];
            let noise: f64 = rng.sample(StandardNormal);
            dot(&expert.slope, x) + expert.offset + expert.variance.sqrt() * noise
        })
        .collect()
    }

    /// The atoms of the mixing measure.
    pub fn atoms(&self) -> Vec<Atom> {
        let atom = |(i, expert): (usize, &Expert)| Atom {
            mass: self.gate.mass(i),
            gate: self.gate.slope(i).to_vec(),
            temperature: self.gate.temperature(),
            slope: expert.slope.clone(),
            offset: expert.offset,
            variance: expert.variance,
        };
        self.experts.iter().enumerate().map(atom).collect()
    }

    /// Number of free parameters: the gate's, then `a`, `b` and `nu` of each expert.
    pub fn free(&self) -> usize {
        self.gate.free() + self.experts.len() * (self.gate.inputs() + 2)
    }

    pub(super) fn check(&self, x: &[f64], y: &[f64]) {
        let d = self.gate.inputs();
        assert_eq!(x.len(), y.len() * d, "GaussianMoe: x of {} for [{}, {d}]", x.len(), y.len());
    }

    pub(super) fn constants(&self) -> Constants {
        let of = |expert: &Expert| {
            (-0.5 * (2.0 * std::f64::consts::PI * expert.variance).ln(), 1.0 / expert.variance)
        };
        Constants(self.experts.iter().map(of).collect())
    }

    /// Writes the responsibilities of a pair; gives `ln p(y | x)`.
    #[inline]
    pub(super) fn posterior(&self, constants: &Constants, x: &[f64], y: f64, r: &mut [f64]) -> f64 {
        self.gate.scores(x, r);
        let (total, _) = exponentiate(r);
        self.reweigh(constants, x, y, r) - total.ln()
    }

    /// Multiplies weights by the experts' densities and divides by the sum, whose logarithm it gives.
    #[inline]
    pub(super) fn reweigh(&self, constants: &Constants, x: &[f64], y: f64, r: &mut [f64]) -> f64 {
        let mut largest = f64::NEG_INFINITY;
        let log_density = |i: usize| {
            let expert = &self.experts[i];
            let (constant, precision) = constants.0[i];
            let off = y - dot(&expert.slope, x) - expert.offset;
            constant - 0.5 * precision * off * off
        };
        for (i, r) in r.iter().enumerate() {
            if *r > 0.0 {
                largest = largest.max(log_density(i));
            }
        }
        let mut sum = 0.0;
        for (i, r) in r.iter_mut().enumerate() {
            if *r > 0.0 {
                *r *= (log_density(i) - largest).exp();
                sum += *r;
            }
        }
        let inverse = 1.0 / sum;
        r.iter_mut().for_each(|r| *r *= inverse);
        largest + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::mixture::{Activation, TemperatureGate};

    fn model() -> GaussianMoe<TemperatureGate> {
        let gate = TemperatureGate::new(vec![2.0, 0.0], vec![-0.3, 0.0], 0.7, Activation::Identity);
        let expert = |a, b, variance| Expert { slope: vec![a], offset: b, variance };
        let experts = vec![expert(2.0, 1.0, 0.2), expert(-1.0, -1.0, 0.1)];
        GaussianMoe::new(gate.unwrap(), experts).unwrap()
    }

    /// At x = 0.5 the score is 1, so g = (e, 1) / (e + 1); both residuals are 0.1 at the y chosen
    /// for the first and 3.4 for the second expert.
    #[test]
    fn density_and_responsibilities_by_hand() {
        let (x, y) = ([0.5], [1.9]);
        let normal = |off: f64, nu: f64| {
            (-off * off / (2.0 * nu)).exp() / (2.0 * std::f64::consts::PI * nu).sqrt()
        };
        let g = 1f64.exp() / (1f64.exp() + 1.0);
        let (first, second) = (g * normal(-0.1, 0.2), (1.0 - g) * normal(3.4, 0.1));
        let density = model().log_density(&x, &y)[0].exp();
        assert!((density - first - second).abs() < 1e-14);
        let r = model().responsibilities(&x, &y);
        assert!((r[0] - first / (first + second)).abs() < 1e-14);
        assert!((r[0] + r[1] - 1.0).abs() < 1e-15);
    }

    #[test]
    fn samples_have_the_models_moments() {
        let x = vec![0.5; 40_000];
        let y = model().sample(&x, &mut ChaCha8Rng::seed_from_u64(3));
        let g = 1f64.exp() / (1f64.exp() + 1.0);
        let mean = g * 2.0 + (1.0 - g) * -1.5;
        let second = g * (4.0 + 0.2) + (1.0 - g) * (2.25 + 0.1);
        let n = y.len() as f64;
        // The standard deviation is below 1.7, so that 0.035 are four standard errors.
        assert!((y.iter().sum::<f64>() / n - mean).abs() < 0.035);
        assert!((y.iter().map(|y| y * y).sum::<f64>() / n - second).abs() < 0.1);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let gate = model().gate;
        let expert = |slopes, variance| Expert { slope: vec![0.0; slopes], offset: 0.0, variance };
        let error = |experts| GaussianMoe::new(gate.clone(), experts).unwrap_err().to_string();
        let as_many = "GaussianMoe: `experts` is `1`; expected as many as the gate has";
        assert_eq!(error(vec![expert(1, 1.0)]), as_many);
        assert!(error(vec![expert(2, 1.0), expert(1, 1.0)]).contains("slope"));
        assert!(error(vec![expert(1, 0.0), expert(1, 1.0)]).contains("variance"));
    }
}
