//! The softmax gate with a learnt temperature.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::gate::{Gate, dot};
use crate::{Error, Result};

/// The function between the linear scores and the softmax of a [`TemperatureGate`].
///
/// ```text
/// Identity  s(z) = z                s'(z) = 1
/// Relu      s(z) = max(z, 0)        s'(z) = 1 for z > 0, else 0
/// Tanh      s(z) = tanh(z)          s'(z) = 1 - tanh(z)^2
/// Gelu      s(z) = z Phi(z)         s'(z) = Phi(z) + z phi(z)
/// ```
///
/// # Example
/// ```
/// use pressrun_nn::mixture::Activation;
///
/// // Only a homogeneous function is z s'(z) / p: the temperature then hides in the scores.
/// let (s, slope) = Activation::Relu.value_and_slope(1.5);
/// assert_eq!(s, 1.5 * slope);
/// let (s, slope) = Activation::Tanh.value_and_slope(1.5);
/// assert!((s - 1.5 * slope).abs() > 0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// No activation: the standard gate.
    Identity,
    /// The positive part, homogeneous as well.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// The Gaussian error linear unit, with the exact normal distribution function.
    Gelu,
}

impl Activation {
    /// `s(z)` and `s'(z)`.
    #[inline]
    pub fn value_and_slope(self, z: f64) -> (f64, f64) {
        match self {
            Self::Identity => (z, 1.0),
            Self::Relu => (z.max(0.0), f64::from(u8::from(z > 0.0))),
            Self::Tanh => {
                let s = z.tanh();
                (s, 1.0 - s * s)
            }
            Self::Gelu => {
                let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
                let below = 0.5 * (1.0 + erf(z * FRAC_1_SQRT_2));
                (z * below, below + z * density)
            }
        }
    }
}

/// `erf(z)`, by its series of positive terms; from |z| = 6 on it is 1 to the last digit.
///
/// ```text
/// erf(z) = 2 / sqrt(pi) exp(-z^2) sum_n 2^n z^(2n+1) / (2n + 1)!!
/// ```
fn erf(z: f64) -> f64 {
    if z.abs() >= 6.0 {
        return z.signum();
    }
    let square = 2.0 * z * z;
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= square / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-z * z).exp() * sum
}

/// A softmax whose scores are divided by a learnt temperature, through an activation.
///
/// ```text
/// z_i = (s(beta1_i^T x) - s(0) + beta0_i) / tau
/// ```
///
/// With [`Activation::Identity`] this is the standard dense-to-sparse gate, which `c beta1`,
/// `c beta0`, `c tau` leave the same for every `c > 0`. `s(0)` is what an expert with `beta1 = 0`
/// scores, so that the last one, pinned at 0, has score 0. The mass of an atom is
/// `exp(beta0_i / tau)`.
///
/// # Shapes
/// - `beta1`: `[experts, d]`, row by row; `beta0`: `[experts]`
/// - free parameters: `(beta1_i, beta0_i)` for every expert but the last, then `tau`
///
/// # Source
/// Nguyen et al., arXiv:2401.13875; the gate itself: Nie et al., arXiv:2112.14397.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Activation, Gate, TemperatureGate};
///
/// let gate = |c: f64| {
///     let (beta1, beta0) = (vec![2.0 * c, 0.0], vec![-0.3 * c, 0.0]);
///     TemperatureGate::new(beta1, beta0, 0.7 * c, Activation::Identity)
/// };
/// let (a, b) = (gate(1.0)?.weights(&[0.5]), gate(3.0)?.weights(&[0.5]));
/// assert!((a[0] - b[0]).abs() < 1e-15);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TemperatureGate {
    beta1: Vec<f64>,
    beta0: Vec<f64>,
    tau: f64,
    inputs: usize,
    activation: Activation,
    lowest_tau: f64,
    at_zero: f64,
}

impl TemperatureGate {
    /// A gate at the temperature `tau`.
    ///
    /// # Errors
    /// If there is no expert, `beta1` has not the same number of entries for each, or `tau` is not
    /// positive.
    pub fn new(beta1: Vec<f64>, beta0: Vec<f64>, tau: f64, activation: Activation) -> Result<Self> {
        let experts = beta0.len();
        Error::unless(experts > 0, "TemperatureGate", "beta0", experts, "1 expert or more")?;
        let even = !beta1.is_empty() && beta1.len().is_multiple_of(experts);
        Error::unless(even, "TemperatureGate", "beta1", beta1.len(), "d numbers for each expert")?;
        Error::unless(tau > 0.0, "TemperatureGate", "tau", tau, "a number above 0")?;
        let (inputs, at_zero) = (beta1.len() / experts, activation.value_and_slope(0.0).0);
        Ok(Self { beta1, beta0, tau, inputs, activation, lowest_tau: 0.05, at_zero })
    }

    /// The lowest temperature that [`Gate::set_parameters`] sets; 0.05 unless chosen.
    pub fn with_lowest_tau(mut self, lowest: f64) -> Self {
        self.lowest_tau = lowest;
        self
    }

    /// The activation.
    pub fn activation(&self) -> Activation {
        self.activation
    }
}

impl Gate for TemperatureGate {
    fn experts(&self) -> usize {
        self.beta0.len()
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn free(&self) -> usize {
        (self.beta0.len() - 1) * (self.inputs + 1) + 1
    }

    fn parameters(&self, phi: &mut [f64]) {
        let (d, last) = (self.inputs, self.free() - 1);
        for (i, phi) in phi[..last].chunks_exact_mut(d + 1).enumerate() {
            phi[..d].copy_from_slice(&self.beta1[i * d..(i + 1) * d]);
            phi[d] = self.beta0[i];
        }
        phi[last] = self.tau;
    }

    fn set_parameters(&mut self, phi: &[f64]) {
        let (d, last) = (self.inputs, self.free() - 1);
        for (i, phi) in phi[..last].chunks_exact(d + 1).enumerate() {
            self.beta1[i * d..(i + 1) * d].copy_from_slice(&phi[..d]);
            self.beta0[i] = phi[d];
        }
        self.tau = phi[last].max(self.lowest_tau);
    }

    #[inline]
    fn scores(&self, x: &[f64], z: &mut [f64]) {
        let d = self.inputs;
        for (i, z) in z.iter_mut().enumerate() {
            let linear = dot(&self.beta1[i * d..(i + 1) * d], x);
            let (s, _) = self.activation.value_and_slope(linear);
            *z = (s - self.at_zero + self.beta0[i]) / self.tau;
        }
    }

    #[inline]
    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        let (d, free) = (self.inputs, self.free());
        jacobian.fill(0.0);
        for (i, row) in jacobian.chunks_exact_mut(free).enumerate() {
            let linear = dot(&self.beta1[i * d..(i + 1) * d], x);
            let (s, slope) = self.activation.value_and_slope(linear);
            // The last expert has no block of its own, but the temperature divides its score, too.
            if i + 1 < self.beta0.len() {
                let block = &mut row[i * (d + 1)..(i + 1) * (d + 1)];
                for (entry, x) in block.iter_mut().zip(x) {
                    *entry = x * slope / self.tau;
                }
                block[d] = 1.0 / self.tau;
            }
            row[free - 1] = -(s - self.at_zero + self.beta0[i]) / (self.tau * self.tau);
        }
    }

    fn slope(&self, expert: usize) -> &[f64] {
        &self.beta1[expert * self.inputs..(expert + 1) * self.inputs]
    }

    fn mass(&self, expert: usize) -> f64 {
        (self.beta0[expert] / self.tau).exp()
    }

    fn temperature(&self) -> f64 {
        self.tau
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Activation; 4] =
        [Activation::Identity, Activation::Relu, Activation::Tanh, Activation::Gelu];

    /// `erf` from Python's `math`; `gelu(1) = Phi(1) = 0.8413447460685429`.
    #[test]
    fn erf_and_gelu_by_table() {
        for (z, expected) in [
            (0.1, 0.112_462_916_018_284_9),
            (1.0, 0.842_700_792_949_714_9),
            (-2.5, -0.999_593_047_982_555),
            (5.0, 0.999_999_999_998_462_5),
        ] {
            assert!((erf(z) - expected).abs() < 1e-14, "{z}");
        }
        let (value, slope) = Activation::Gelu.value_and_slope(1.0);
        assert!((value - 0.841_344_746_068_542_9).abs() < 1e-14);
        // Phi(1) + phi(1), phi(1) = 0.24197072451914337
        assert!((slope - 1.083_315_470_587_686_3).abs() < 1e-14);
        assert_eq!(erf(7.0), 1.0);
    }

    #[test]
    fn slopes_are_the_derivatives() {
        for activation in ALL {
            for z in [-3.1, -0.7, 0.4, 1.9] {
                let h = 1e-6;
                let (up, down) =
                    (activation.value_and_slope(z + h).0, activation.value_and_slope(z - h).0);
                let slope = activation.value_and_slope(z).1;
                assert!(((up - down) / (2.0 * h) - slope).abs() < 1e-9, "{activation:?} {z}");
            }
        }
    }

    /// The condition that fails for homogeneous functions only, `s = z s' / p`: Euler.
    #[test]
    fn homogeneous_activations_are_told_from_the_others() {
        let residual = |activation: Activation| {
            // The best p over a grid of z, by least squares of s against z s'.
            let points = (0..200).map(|i| -2.0 + 0.02 * f64::from(i) + 0.005);
            let (mut cross, mut own, mut total) = (0.0, 0.0, 0.0);
            for z in points {
                let (s, slope) = activation.value_and_slope(z);
                cross += s * z * slope;
                own += (z * slope).powi(2);
                total += s * s;
            }
            1.0 - cross * cross / (own * total)
        };
        assert!(residual(Activation::Identity) < 1e-12 && residual(Activation::Relu) < 1e-12);
        assert!(residual(Activation::Tanh) > 0.01 && residual(Activation::Gelu) > 0.001);
    }

    /// Score by hand at x = 0.5, beta1 = 2: (1 - 0.3) / 0.7 = 1 and (tanh 1 - 0.3) / 0.7.
    #[test]
    fn scores_by_hand() {
        let gate = |activation| {
            TemperatureGate::new(vec![2.0, 0.0], vec![-0.3, 0.0], 0.7, activation).unwrap()
        };
        let mut z = [9.0; 2];
        gate(Activation::Identity).scores(&[0.5], &mut z);
        assert!((z[0] - 1.0).abs() < 1e-15 && z[1] == 0.0);
        gate(Activation::Tanh).scores(&[0.5], &mut z);
        assert!((z[0] - 0.659_420_222_793_949_9).abs() < 1e-15);
        assert!((gate(Activation::Tanh).mass(0) - (-0.3f64 / 0.7).exp()).abs() < 1e-15);
    }

    #[test]
    fn the_temperature_stays_positive() {
        let gate =
            |tau| TemperatureGate::new(vec![2.0, 0.0], vec![-0.3, 0.0], tau, Activation::Tanh);
        let mut low = gate(0.7).unwrap();
        low.set_parameters(&[1.0, 0.5, -1.0]);
        assert_eq!(low.temperature(), 0.05);
        let error = gate(0.0).unwrap_err().to_string();
        assert_eq!(error, "TemperatureGate: `tau` is `0`; expected a number above 0");
    }
}
