//! Sinkhorn's normalisation: a square matrix of log-weights becomes doubly stochastic.

/// Rows and columns of `exp(x / T)` divided by their sums in turn, in logarithms and double
/// precision.
///
/// ```text
/// z_0 = x / T
/// z <- z - logsumexp(z) of its row, then the same of its column        `iterations` times
/// p = exp(z)
/// ```
///
/// As `T` falls, `p` goes to the permutation matrix of largest `sum x_ij p_ij`. Temperatures of
/// 1e-7 are usual at the end of an annealing: single precision would lose the weights entirely.
///
/// # Shapes
/// - `x` and `p`: `[n, n]`, row after row
///
/// # Source
/// Sinkhorn and Knopp 1967; as an operation of learned permutations Mena et al., arXiv:1802.08665.
///
/// # Example
/// ```
/// use pressrun_kernels::sinkhorn::Sinkhorn;
///
/// let sinkhorn = Sinkhorn { n: 2, temperature: 1.0, iterations: 50 };
/// let (p, _) = sinkhorn.forward(&[0.0, 1.0, 2.0, 0.0]);
/// // The odds of a doubly stochastic 2 x 2 matrix are exp((0 + 0 - 1 - 2) / 2).
/// let odds = (-1.5f32).exp();
/// assert!((p[0] - odds / (1.0 + odds)).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sinkhorn {
    /// Rows and columns.
    pub n: usize,
    /// T, above 0.
    pub temperature: f64,
    /// How often rows and columns are normalised.
    pub iterations: usize,
}

/// What [`Sinkhorn::backward`] needs: the matrix after each half of each iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct Halves(Vec<f64>);

/// Along which a half of an iteration normalises.
#[derive(Debug, Clone, Copy)]
enum Axis {
    Rows,
    Columns,
}

impl Axis {
    /// Positions of the entries of line `line`.
    fn line(self, n: usize, line: usize) -> impl Iterator<Item = usize> {
        let (start, stride) = match self {
            Self::Rows => (line * n, 1),
            Self::Columns => (line, n),
        };
        (0..n).map(move |i| start + i * stride)
    }
}

impl Sinkhorn {
    /// The doubly stochastic matrix, and what `backward` needs.
    ///
    /// # Panics
    /// If `x` is not `n` by `n` or the temperature is not above 0.
    pub fn forward(&self, x: &[f32]) -> (Vec<f32>, Halves) {
        let n = self.n;
        assert_eq!(x.len(), n * n, "Sinkhorn: {} values are not {n} x {n}", x.len());
        assert!(self.temperature > 0.0, "Sinkhorn: temperature {}", self.temperature);
        let mut z: Vec<f64> = x.iter().map(|&x| f64::from(x) / self.temperature).collect();
        let mut halves = Vec::with_capacity(2 * self.iterations * n * n);
        for _ in 0..self.iterations {
            for axis in [Axis::Rows, Axis::Columns] {
                for line in 0..n {
                    let most = axis.line(n, line).fold(f64::NEG_INFINITY, |m, at| m.max(z[at]));
                    let sum: f64 = axis.line(n, line).map(|at| (z[at] - most).exp()).sum();
                    let log_sum = most + sum.ln();
                    axis.line(n, line).for_each(|at| z[at] -= log_sum);
                }
                halves.extend(z.iter().map(|z| z.exp()));
            }
        }
        (z.iter().map(|z| z.exp() as f32).collect(), Halves(halves))
    }

    /// The gradient of the input by that of the output, through every iteration.
    ///
    /// ```text
    /// dz = dp p;   back through a half: dz <- dz - p_half (sum of dz over its line);   dx = dz_0 / T
    /// ```
    ///
    /// # Panics
    /// If `grad` is not `n` by `n`.
    pub fn backward(&self, p: &[f32], halves: &Halves, grad: &[f32]) -> Vec<f32> {
        let n = self.n;
        assert_eq!(grad.len(), n * n, "Sinkhorn: {} gradients are not {n} x {n}", grad.len());
        let mut dz: Vec<f64> =
            grad.iter().zip(p).map(|(&dp, &p)| f64::from(dp) * f64::from(p)).collect();
        for (half, p) in halves.0.chunks(n * n).enumerate().rev() {
            let axis = if half % 2 == 0 { Axis::Rows } else { Axis::Columns };
            for line in 0..n {
                let sum: f64 = axis.line(n, line).map(|at| dz[at]).sum();
                axis.line(n, line).for_each(|at| dz[at] -= p[at] * sum);
            }
        }
        dz.iter().map(|dz| (dz / self.temperature) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f32; 9] = [0.3, -0.2, 0.9, 0.1, 0.4, -0.5, 0.7, 0.0, 0.2];

    #[test]
    fn rows_and_columns_sum_to_1_and_a_cold_matrix_is_the_best_permutation() {
        let warm = Sinkhorn { n: 3, temperature: 0.5, iterations: 60 };
        let (p, _) = warm.forward(&X);
        for line in 0..3 {
            for axis in [Axis::Rows, Axis::Columns] {
                let sum: f32 = axis.line(3, line).map(|at| p[at]).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{axis:?} {line}: {sum}");
            }
        }
        // 0.9 + 0.4 + 0.7 is the largest sum over the six permutations.
        let (cold, _) = Sinkhorn { temperature: 1e-7, ..warm }.forward(&X);
        assert_eq!(cold, [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let sinkhorn = Sinkhorn { n: 3, temperature: 0.5, iterations: 7 };
        let weight: Vec<f32> = (0..9).map(|i| (i as f32 * 1.3).sin()).collect();
        let loss = |x: &[f32]| -> f64 {
            let (p, _) = sinkhorn.forward(x);
            p.iter().zip(&weight).map(|(p, w)| f64::from(*p) * f64::from(*w)).sum()
        };
        let (p, halves) = sinkhorn.forward(&X);
        let found = sinkhorn.backward(&p, &halves, &weight);
        for at in 0..9 {
            let (mut up, mut down) = (X, X);
            up[at] += 1e-2;
            down[at] -= 1e-2;
            let expected = (loss(&up) - loss(&down)) / 2e-2;
            assert!((f64::from(found[at]) - expected).abs() < 1e-3, "{at}: {expected}");
        }
    }

    #[test]
    #[should_panic(expected = "Sinkhorn: 3 values are not 2 x 2")]
    fn a_matrix_that_is_not_square_panics() {
        Sinkhorn { n: 2, temperature: 1.0, iterations: 1 }.forward(&[0.0; 3]);
    }
}
