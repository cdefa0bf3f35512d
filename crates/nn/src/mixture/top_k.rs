//! The softmax gate of the K largest linear scores.

use super::gate::{Gate, dot};
use crate::{Error, Result};

/// What a [`TopKGate`] compares when it selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// `beta1^T x`, without the bias.
    Linear,
    /// The whole logit `beta1^T x + beta0`.
    Full,
}

/// A softmax over the K experts with the largest linear scores.
///
/// ```text
/// v_i = beta1_i^T x
/// z_i = v_i + beta0_i where v_i is one of the K largest of v, else -inf
/// ```
///
/// The last expert is pinned: its parameters are not free. With [`Select::Full`] the K largest are
/// those of `v + beta0`, so that the regions move with the bias. Of equal ones the first is taken.
/// The mass of an atom is `exp(beta0_i)`.
///
/// # Shapes
/// - `beta1`: `[experts, d]`, row by row; `beta0`: `[experts]`
/// - free parameters: `(beta1_i, beta0_i)` for every expert but the last
///
/// # Source
/// Nguyen et al., arXiv:2309.13850. Selection by the full logit is not the paper's.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Gate, TopKGate};
///
/// let gate = TopKGate::new(vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0], 2)?;
/// assert_eq!(gate.selected(&[0.5]), [0, 2]);
/// assert_eq!(gate.selected(&[-0.5]), [1, 2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TopKGate {
    beta1: Vec<f64>,
    beta0: Vec<f64>,
    inputs: usize,
    k: usize,
    select: Select,
    limits: (f64, f64),
}

impl TopKGate {
    /// A gate that selects `k` experts by their linear scores.
    ///
    /// # Errors
    /// If there is no expert or more than 64, `beta1` has not the same number of entries for each,
    /// or `k` is 0 or above the number of experts.
    pub fn new(beta1: Vec<f64>, beta0: Vec<f64>, k: usize) -> Result<Self> {
        let experts = beta0.len();
        let some = (1..=64).contains(&experts);
        Error::unless(some, "TopKGate", "beta0", experts, "1 to 64 experts")?;
        let even = !beta1.is_empty() && beta1.len().is_multiple_of(experts);
        Error::unless(even, "TopKGate", "beta1", beta1.len(), "d numbers for each expert")?;
        let fits = k > 0 && k <= experts;
        Error::unless(fits, "TopKGate", "k", k, "1 or more, and at most the experts")?;
        let inputs = beta1.len() / experts;
        let limits = (f64::INFINITY, f64::INFINITY);
        Ok(Self { beta1, beta0, inputs, k, select: Select::Linear, limits })
    }

    /// What is compared when experts are selected.
    pub fn with_select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }

    /// Keeps free parameters in a box: `|beta1| <= slope` for each entry, `|beta0| <= bias`.
    pub fn with_limits(mut self, slope: f64, bias: f64) -> Self {
        self.limits = (slope, bias);
        self
    }

    /// How many experts are selected.
    pub fn k(&self) -> usize {
        self.k
    }

    /// `beta0`.
    pub fn biases(&self) -> &[f64] {
        &self.beta0
    }

    /// Adds the same to the parameters of all experts, the pinned one too: the same gate, written
    /// otherwise.
    ///
    /// # Panics
    /// If `slope` has not one number for each input.
    pub fn translate(&mut self, slope: &[f64], bias: f64) {
        assert_eq!(slope.len(), self.inputs, "TopKGate: one slope for each of the inputs");
        for (at, beta) in self.beta1.iter_mut().enumerate() {
            *beta += slope[at % self.inputs];
        }
        self.beta0.iter_mut().for_each(|beta| *beta += bias);
    }
}

impl Gate for TopKGate {
    fn experts(&self) -> usize {
        self.beta0.len()
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn free(&self) -> usize {
        (self.beta0.len() - 1) * (self.inputs + 1)
    }

    fn parameters(&self, phi: &mut [f64]) {
        let (d, block) = (self.inputs, self.inputs + 1);
        for (i, phi) in phi.chunks_exact_mut(block).enumerate() {
            phi[..d].copy_from_slice(&self.beta1[i * d..(i + 1) * d]);
            phi[d] = self.beta0[i];
        }
    }

    fn set_parameters(&mut self, phi: &[f64]) {
        let (d, (slope, bias)) = (self.inputs, self.limits);
        for (i, phi) in phi.chunks_exact(d + 1).enumerate() {
            for (beta, phi) in self.beta1[i * d..(i + 1) * d].iter_mut().zip(phi) {
                *beta = phi.clamp(-slope, slope);
            }
            self.beta0[i] = phi[d].clamp(-bias, bias);
        }
    }

    #[inline]
    fn scores(&self, x: &[f64], z: &mut [f64]) {
        let d = self.inputs;
        for (i, z) in z.iter_mut().enumerate() {
            let bias = if self.select == Select::Full { self.beta0[i] } else { 0.0 };
            *z = dot(&self.beta1[i * d..(i + 1) * d], x) + bias;
        }
        let mut selected = 0u64;
        for i in 0..z.len() {
            let ahead = (0..z.len()).filter(|&j| z[j] > z[i] || (z[j] == z[i] && j < i)).count();
            selected |= u64::from(ahead < self.k) << i;
        }
        for (i, z) in z.iter_mut().enumerate() {
            if selected >> i & 1 == 0 {
                *z = f64::NEG_INFINITY;
            } else if self.select == Select::Linear {
                *z += self.beta0[i];
            }
        }
    }

    #[inline]
    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        let (free, block) = (self.free(), self.inputs + 1);
        jacobian.fill(0.0);
        for i in 0..self.beta0.len() - 1 {
            let row = &mut jacobian[i * free + i * block..i * free + (i + 1) * block];
            row[..block - 1].copy_from_slice(x);
            row[block - 1] = 1.0;
        }
    }

    fn slope(&self, expert: usize) -> &[f64] {
        &self.beta1[expert * self.inputs..(expert + 1) * self.inputs]
    }

    fn mass(&self, expert: usize) -> f64 {
        self.beta0[expert].exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(k: usize) -> TopKGate {
        TopKGate::new(vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0], k).unwrap()
    }

    /// At x = 0.5: v = (1.5, -1, 0), so the experts 0 and 2 with logits 1.8 and 0; e^1.8 = 6.049647.
    #[test]
    fn weights_by_hand() {
        let weights = gate(2).weights(&[0.5, -0.5]);
        let p = 6.049_647_464_412_945 / 7.049_647_464_412_945;
        assert!((weights[0] - p).abs() < 1e-14 && weights[1] == 0.0);
        assert!((weights[2] - (1.0 - p)).abs() < 1e-14);
        // At -0.5 the second has v = 1 and logit 0.7; the first, with logit -1.2, is not selected.
        let q = 1.0 / (1.0 + (-0.7f64).exp());
        assert!(weights[3] == 0.0 && (weights[4] - q).abs() < 1e-14);
    }

    #[test]
    fn rows_sum_to_1_with_exactly_k_positive_entries() {
        let x: Vec<f64> = (0..101).map(|i| -1.0 + 0.02 * f64::from(i)).collect();
        for k in 1..=3 {
            for select in [Select::Linear, Select::Full] {
                for row in gate(k).with_select(select).weights(&x).chunks(3) {
                    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-14);
                    assert_eq!(row.iter().filter(|w| **w > 0.0).count(), k);
                }
            }
        }
    }

    /// At x = 0.05: v = (0.15, -0.1, 0) but logits (0.45, -0.4, 0); at x = -0.05 v = (-0.15, 0.1, 0)
    /// selects 1 and 2, and logits (0.15, -0.2, 0) select 0 and 2.
    #[test]
    fn the_bias_moves_regions_only_if_the_full_logit_selects() {
        assert_eq!(gate(2).selected(&[-0.05]), [1, 2]);
        assert_eq!(gate(2).with_select(Select::Full).selected(&[-0.05]), [0, 2]);
        let xs: Vec<f64> = (0..200).map(|i| -1.0 + 2.0 / 199.0 * f64::from(i)).collect();
        assert_eq!(gate(2).regions(&xs), [vec![1, 2], vec![0, 2]]);
        assert_eq!(gate(1).weights(&xs).iter().filter(|w| **w == 1.0).count(), 200);
    }

    #[test]
    fn a_translation_is_the_same_gate() {
        let mut moved = gate(2);
        moved.translate(&[0.7], -0.4);
        let xs = [-0.8, -0.1, 0.3, 0.9];
        let pairs = moved.weights(&xs).into_iter().zip(gate(2).weights(&xs)).collect::<Vec<_>>();
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn the_box_holds_and_wrong_values_are_refused() {
        let mut gate = gate(2).with_limits(10.0, 3.0);
        gate.set_parameters(&[12.0, -4.0, 1.0, 2.0]);
        let mut phi = [0.0; 4];
        gate.parameters(&mut phi);
        assert_eq!(phi, [10.0, -3.0, 1.0, 2.0]);
        let error = TopKGate::new(vec![1.0, 0.0], vec![0.0, 0.0], 3).unwrap_err().to_string();
        assert_eq!(error, "TopKGate: `k` is `3`; expected 1 or more, and at most the experts");
        assert!(TopKGate::new(vec![1.0, 0.0, 1.0], vec![0.0, 0.0], 1).is_err());
    }
}
