//! What a gate of a Gaussian mixture of experts has to tell.

/// The gate of a [`super::GaussianMoe`]: scores of the experts, and their derivatives.
///
/// ```text
/// weights(x) = softmax(z(x)),    z_i(x) = -inf for an expert that is not selected
/// J(x)[i, p] = d z_i(x) / d phi_p
/// ```
///
/// `phi` are the free parameters: of all experts but the last, which is pinned so that the softmax
/// determines the others.
pub trait Gate: Clone {
    /// Number of experts.
    fn experts(&self) -> usize;

    /// Number of inputs, `d`.
    fn inputs(&self) -> usize;

    /// Number of free parameters.
    fn free(&self) -> usize;

    /// Writes the free parameters.
    fn parameters(&self, phi: &mut [f64]);

    /// Takes over free parameters, moved into the gate's box if they lie outside.
    fn set_parameters(&mut self, phi: &[f64]);

    /// Writes `z(x)`; `-inf` stands for an expert that is not selected.
    fn scores(&self, x: &[f64], z: &mut [f64]);

    /// Writes `J(x)`, row by row; the selection counts as constant.
    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]);

    /// `beta1_i`.
    fn slope(&self, expert: usize) -> &[f64];

    /// Mass of the expert's atom in the mixing measure.
    fn mass(&self, expert: usize) -> f64;

    /// The temperature, for gates that have one; else 0.
    fn temperature(&self) -> f64 {
        0.0
    }

    /// Weights of the experts for each of `n` inputs, exactly 0 for those not selected.
    ///
    /// # Shapes
    /// - `x`: `[n, d]`; output `[n, experts]`, each row sums to 1
    fn weights(&self, x: &[f64]) -> Vec<f64> {
        let k = self.experts();
        let mut weights = vec![0.0; x.len() / self.inputs() * k];
        for (x, row) in x.chunks_exact(self.inputs()).zip(weights.chunks_exact_mut(k)) {
            self.scores(x, row);
            let sum = exponentiate(row).0;
            row.iter_mut().for_each(|w| *w /= sum);
        }
        weights
    }

    /// The experts selected for an input.
    fn selected(&self, x: &[f64]) -> Vec<usize> {
        let mut z = vec![0.0; self.experts()];
        self.scores(x, &mut z);
        (0..z.len()).filter(|&i| z[i] > f64::NEG_INFINITY).collect()
    }

    /// The different selections that occur at `xs`, in order of appearance: one for each region.
    fn regions(&self, xs: &[f64]) -> Vec<Vec<usize>> {
        let mut regions = Vec::new();
        for x in xs.chunks_exact(self.inputs()) {
            let selected = self.selected(x);
            if !regions.contains(&selected) {
                regions.push(selected);
            }
        }
        regions
    }
}

/// Replaces scores by `exp(z - max z)`; gives their sum and `max z`.
pub(super) fn exponentiate(z: &mut [f64]) -> (f64, f64) {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for z in z {
        *z = (*z - largest).exp();
        sum += *z;
    }
    (sum, largest)
}

/// `beta^T x`.
#[inline]
pub(super) fn dot(beta: &[f64], x: &[f64]) -> f64 {
    beta.iter().zip(x).map(|(b, x)| b * x).sum()
}
