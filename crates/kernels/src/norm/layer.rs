//! Normalisation of each row: layer norm and RMS norm.

use std::mem::MaybeUninit;

use super::{Gradients, Statistics, Wanted, check_len, narrow, values_or, wide};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::vectorized;

/// What is taken from a row before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its mean.
    Layer,
    /// Nothing: the row is divided by its root mean square.
    Rms,
}

/// A normalisation of rows.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// What is taken away first.
    pub kind: Kind,
    /// A factor for every column; 1 if absent.
    pub gamma: Option<&'a [f32]>,
    /// A summand for every column; 0 if absent.
    pub beta: Option<&'a [f32]>,
    /// What is added to the variance.
    pub eps: f32,
}

/// What [`Layer::forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, `[rows, width]`.
    pub y: Vec<f32>,
    /// `x` + `residual`, if there is a residual: what was normalised.
    pub sum: Option<Vec<f32>>,
    /// What [`Layer::backward`] needs; one mean and one scale for each row.
    pub statistics: Statistics,
}

/// Sizes and values, complete.
pub(super) struct Job<'a> {
    pub(super) kind: Kind,
    pub(super) width: usize,
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) eps: f32,
}

/// Where numbers are written to.
pub(super) type Out<'a> = &'a mut [MaybeUninit<f32>];

impl Layer<'_> {
    /// Normalises every row, after adding `residual` if there is one.
    ///
    /// ```text
    /// z = x + r    m = mean(z), or 0 for Kind::Rms    v = mean((z - m)^2)
    /// y = gamma (z - m) / sqrt(v + eps) + beta
    /// ```
    ///
    /// r: residual; means over the row.
    ///
    /// # Shapes
    /// - `x`, `residual`, output: `[rows, width]` = `shape`
    /// - `gamma`, `beta`: `[width]`
    ///
    /// # Source
    /// Ba et al., arXiv:1607.06450; RMS norm: Zhang and Sennrich, arXiv:1910.07467.
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::layer::{Kind, Layer};
    ///
    /// let norm = Layer { kind: Kind::Layer, gamma: None, beta: Some(&[0.0, 10.0]), eps: 0.0 };
    /// let forward = norm.forward(&[1.0, 5.0], None, [1, 2]);
    /// assert_eq!(forward.y, [-1.0, 11.0]);
    /// assert_eq!(forward.statistics.mean, [3.0]);
    /// ```
    pub fn forward(&self, x: &[f32], residual: Option<&[f32]>, shape: [usize; 2]) -> Forward {
        let [rows, width] = shape;
        let name = "norm::layer::forward";
        check_len(name, "x", x.len(), rows * width);
        check_len(name, "residual", residual.map_or(x.len(), <[f32]>::len), x.len());
        let [gamma, beta] = self.affine(name, width);
        let job = Job { kind: self.kind, width, gamma: &gamma, beta: &beta, eps: self.eps };
        let sum_width = if residual.is_some() { width } else { 0 };
        let mean_width = usize::from(self.kind == Kind::Layer);
        let lens = [rows * width, rows * sum_width, rows * mean_width, rows];
        // SAFETY: `forward_rows` writes every number of its rows.
        let [y, sum, mean, inv_std] = unsafe {
            buffer::written_all(lens, |[y, sum, mean, inv_std]| {
                let outs = [
                    Rows { data: y, width },
                    Rows { data: sum, width: sum_width },
                    Rows { data: mean, width: mean_width },
                    Rows { data: inv_std, width: 1 },
                ];
                let cost = rows * (4 + width / 8);
                par::for_rows(rows, 1, cost, outs, |range, outs| {
                    let own = range.start * width..range.end * width;
                    forward_rows(&job, &x[own.clone()], residual.map(|r| &r[own]), outs);
                });
            })
        };
        let statistics = Statistics { mean, inv_std };
        Forward { y, sum: residual.is_some().then_some(sum), statistics }
    }

    /// The gradients of [`Layer::forward`].
    ///
    /// `z` is what was normalised: `x`, or the sum that `forward` gave. Its gradient is that of `x`
    /// and that of `residual`. `grad_sum` is added to it: the gradient that the sum has from
    /// elsewhere, as in a block that normalises its residual stream.
    ///
    /// ```text
    /// z^ = (z - m) / sqrt(v + eps)    g = gamma dy
    /// dz = (g - mean(g) - z^ mean(g z^)) / sqrt(v + eps) + dsum    without mean(g) for Kind::Rms
    /// dgamma = sum over rows of dy z^    dbeta = sum over rows of dy
    /// ```
    ///
    /// # Shapes
    /// - `z`, `grad`, `grad_sum`, gradient of the input: `[rows, width]` = `shape`
    /// - gradients of `gamma` and `beta`: `[width]`
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::{Wanted, layer::{Kind, Layer}};
    ///
    /// let norm = Layer { kind: Kind::Layer, gamma: None, beta: None, eps: 0.0 };
    /// let x = [1.0, 5.0];
    /// let forward = norm.forward(&x, None, [1, 2]);
    /// let gradients =
    ///     norm.backward(&x, [1, 2], &forward.statistics, &[1.0, 0.0], None, Wanted::ALL);
    /// // Two numbers become -1 and 1, whatever they are.
    /// assert_eq!(gradients.x.unwrap(), [0.0, 0.0]);
    /// assert_eq!(gradients.gamma.unwrap(), [-1.0, 0.0]);
    /// ```
    pub fn backward(
        &self,
        z: &[f32],
        shape: [usize; 2],
        statistics: &Statistics,
        grad: &[f32],
        grad_sum: Option<&[f32]>,
        wanted: Wanted,
    ) -> Gradients {
        let [rows, width] = shape;
        let name = "norm::layer::backward";
        check_len(name, "z", z.len(), rows * width);
        check_len(name, "grad", grad.len(), rows * width);
        check_len(name, "grad_sum", grad_sum.map_or(z.len(), <[f32]>::len), z.len());
        let means = if self.kind == Kind::Layer { rows } else { 0 };
        check_len(name, "statistics.mean", statistics.mean.len(), means);
        check_len(name, "statistics.inv_std", statistics.inv_std.len(), rows);
        let [gamma, beta] = self.affine(name, width);
        let job = Job { kind: self.kind, width, gamma: &gamma, beta: &beta, eps: self.eps };
        let block = rows.div_ceil(32).max(64);
        let sum_width = if wanted.gamma || wanted.beta { 2 * width } else { 0 };
        let x_width = if wanted.x { width } else { 0 };
        // SAFETY: `backward_rows` writes every number of its rows.
        let [dx, sums] = unsafe {
            let lens = [rows * x_width, rows.div_ceil(block) * sum_width];
            buffer::written_all(lens, |[dx, sums]| {
                let outs = [Rows { data: dx, width: x_width }];
                let parts = [Rows { data: sums, width: sum_width }];
                let cost = rows * (4 + width / 6);
                par::for_blocks(rows, block, cost, outs, parts, |range, [dx], [sums]| {
                    let own = range.start * width..range.end * width;
                    let rows = Normalised {
                        z: &z[own.clone()],
                        mean: statistics.mean.get(range.clone()).unwrap_or_default(),
                        inv_std: &statistics.inv_std[range],
                        grad: &grad[own.clone()],
                        grad_sum: grad_sum.map(|g| &g[own]),
                    };
                    backward_rows(&job, &rows, dx, sums);
                });
            })
        };
        let of = |wanted, first| super::sum_of_rows(wanted, &sums, sum_width, first, width);
        wanted.gradients(dx, of(wanted.gamma, 0), of(wanted.beta, width))
    }

    /// gamma and beta, checked and complete.
    fn affine(&self, name: &str, width: usize) -> [std::borrow::Cow<'_, [f32]>; 2] {
        check_len(name, "gamma", self.gamma.map_or(width, <[f32]>::len), width);
        check_len(name, "beta", self.beta.map_or(width, <[f32]>::len), width);
        [values_or(self.gamma, width, 1.0), values_or(self.beta, width, 0.0)]
    }
}

vectorized! {
    fn forward_rows(s; job: &Job<'_>, x: &[f32], residual: Option<&[f32]>, outs: [Out<'_>; 4]) {
        match job.width.div_ceil(S::LANES) {
            1 => narrow::forward::<S, 1>(s, job, x, residual, outs),
            2 => narrow::forward::<S, 2>(s, job, x, residual, outs),
            3 => narrow::forward::<S, 3>(s, job, x, residual, outs),
            4 => narrow::forward::<S, 4>(s, job, x, residual, outs),
            _ => wide::forward(s, job, x, residual, outs),
        }
    }
}

/// Rows and what their gradients come from.
pub(super) struct Normalised<'a> {
    pub(super) z: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) inv_std: &'a [f32],
    pub(super) grad: &'a [f32],
    pub(super) grad_sum: Option<&'a [f32]>,
}

vectorized! {
    /// Writes the gradients of the rows, and the sums of those of gamma and beta; an output that is
    /// empty is not wanted.
    fn backward_rows(s; job: &Job<'_>, rows: &Normalised<'_>, dx: Out<'_>, sums: Out<'_>) {
        match job.width.div_ceil(S::LANES) {
            1 => narrow::backward::<S, 1>(s, job, rows, dx, sums),
            2 => narrow::backward::<S, 2>(s, job, rows, dx, sums),
            3 => narrow::backward::<S, 3>(s, job, rows, dx, sums),
            4 => narrow::backward::<S, 4>(s, job, rows, dx, sums),
            _ => wide::backward(s, job, rows, dx, sums),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::*;
    use super::*;
    use crate::simd::level::at_every_level;

    const EPS: f32 = 1e-3;

    fn check(kind: Kind, rows: usize, width: usize, mean: f32) {
        let (x, grad) = (wave(rows * width, 1, mean), wave(rows * width, 2, 0.3));
        let (gamma, beta) = (wave(width, 3, 1.0), wave(width, 4, 0.0));
        let norm = Layer { kind, gamma: Some(&gamma), beta: Some(&beta), eps: EPS };
        let forward = norm.forward(&x, None, [rows, width]);
        let statistics = &forward.statistics;
        let got = norm.backward(&x, [rows, width], statistics, &grad, None, Wanted::ALL);
        let expected = definition(&Case {
            x: &x,
            gamma: &gamma,
            beta: &beta,
            grad: &grad,
            eps: f64::from(EPS),
            centred: kind == Kind::Layer,
            set: &|i| i / width,
            sets: rows,
            channel: &|i| i % width,
        });
        let what = format!("{kind:?} {rows} x {width}");
        // A mean of 1000 costs three of the seven digits of x itself.
        let tolerance = if mean == 0.0 { 3e-6 } else { 2e-3 };
        close(&format!("{what}: y"), &forward.y, &expected.y, tolerance);
        // With one number in a row or nearly so, the gradient is a difference of large numbers.
        close(&format!("{what}: dx"), &got.x.unwrap(), &expected.x, 5.0 * tolerance);
        close(&format!("{what}: dgamma"), &got.gamma.unwrap(), &expected.gamma, tolerance);
        close(&format!("{what}: dbeta"), &got.beta.unwrap(), &expected.beta, tolerance);
    }

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for kind in [Kind::Layer, Kind::Rms] {
                for width in [1, 2, 7, 8, 15, 16, 17, 31, 33, 48, 49, 64, 65, 100, 300] {
                    for rows in [1, 3, 150] {
                        check(kind, rows, width, 0.0);
                    }
                }
                for width in [49, 64, 200] {
                    check(kind, 5, width, 1000.0);
                }
            }
        });
    }

    #[test]
    fn residual_and_absent_parameters() {
        at_every_level(|_| {
            for (kind, width) in [(Kind::Layer, 33), (Kind::Rms, 33), (Kind::Layer, 150)] {
                let rows = 4;
                let (x, r) = (wave(rows * width, 1, 0.0), wave(rows * width, 5, 0.5));
                let (grad, more) = (wave(rows * width, 2, 0.0), wave(rows * width, 6, 0.0));
                let ones = vec![1.0; width];
                let bare = Layer { kind, gamma: None, beta: None, eps: EPS };
                let forward = bare.forward(&x, Some(&r), [rows, width]);
                let sum: Vec<f32> = x.iter().zip(&r).map(|(x, r)| x + r).collect();
                assert_eq!(forward.sum.as_ref(), Some(&sum));
                let full = Layer { gamma: Some(&ones), ..bare };
                let alone = full.forward(&sum, None, [rows, width]);
                assert_eq!((&forward.y, &forward.statistics), (&alone.y, &alone.statistics));
                let run = |layer: &Layer<'_>, more, wanted| {
                    let statistics = &alone.statistics;
                    layer.backward(&sum, [rows, width], statistics, &grad, more, wanted)
                };
                let plain = run(&full, None, Wanted::ALL);
                assert_eq!(run(&bare, None, Wanted::ALL), plain);
                let added = run(&bare, Some(&more), Wanted::ALL).x.unwrap();
                for ((a, p), m) in added.iter().zip(plain.x.as_ref().unwrap()).zip(&more) {
                    assert!((a - p - m).abs() < 1e-6);
                }
                let only = run(&bare, None, Wanted { x: true, gamma: false, beta: false });
                assert_eq!((only.x, only.gamma, only.beta), (plain.x, None, None));
                let only = run(&bare, None, Wanted { x: false, gamma: true, beta: false });
                assert_eq!((only.x, only.gamma, only.beta), (None, plain.gamma, None));
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_row() {
        at_every_level(|_| {
            for (width, bad) in [(5, f32::NAN), (64, f32::INFINITY), (130, f32::NAN)] {
                let mut x = wave(3 * width, 1, 0.0);
                x[width + width / 2] = bad;
                let norm = Layer { kind: Kind::Layer, gamma: None, beta: None, eps: EPS };
                let forward = norm.forward(&x, None, [3, width]);
                let grad = vec![1.0; 3 * width];
                let statistics = &forward.statistics;
                let dx = norm.backward(&x, [3, width], statistics, &grad, None, Wanted::ALL).x;
                for (i, (y, dx)) in forward.y.iter().zip(dx.unwrap()).enumerate() {
                    assert_eq!(y.is_nan(), i / width == 1, "{width}: {i}");
                    assert_eq!(dx.is_nan(), i / width == 1, "{width}: {i}");
                }
            }
        });
    }

    #[test]
    fn nothing_at_all() {
        let norm = Layer { kind: Kind::Layer, gamma: None, beta: None, eps: EPS };
        let forward = norm.forward(&[], None, [0, 3]);
        let got = norm.backward(&[], [0, 3], &forward.statistics, &[], None, Wanted::ALL);
        assert_eq!((forward.y.len(), got.gamma), (0, Some(vec![0.0; 3])));
        let forward = norm.forward(&[], Some(&[]), [2, 0]);
        assert_eq!(forward.statistics.inv_std.len(), 2);
        let got = norm.backward(&[], [2, 0], &forward.statistics, &[], None, Wanted::ALL);
        assert_eq!((got.x, got.beta), (Some(vec![]), Some(vec![])));
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            for (rows, width) in [(9001, 33), (2503, 201)] {
                let (x, grad) = (wave(rows * width, 1, 0.0), wave(rows * width, 2, 0.0));
                let gamma = wave(width, 3, 1.0);
                let norm = Layer { kind: Kind::Layer, gamma: Some(&gamma), beta: None, eps: EPS };
                let run = |threads| {
                    with_threads(threads, || {
                        let forward = norm.forward(&x, Some(&grad), [rows, width]);
                        let (z, statistics) = (forward.sum.as_ref().unwrap(), &forward.statistics);
                        let wanted = Wanted::ALL;
                        let got = norm.backward(z, [rows, width], statistics, &grad, None, wanted);
                        (forward.y, got)
                    })
                };
                let one = run(1);
                assert!(one == run(2) && one == run(3));
            }
        });
    }

    #[test]
    #[should_panic(expected = "norm::layer::forward: gamma of 3 numbers, expected 2")]
    fn lengths_must_fit() {
        let gamma = Some(&[1.0; 3][..]);
        let norm = Layer { kind: Kind::Layer, gamma, beta: None, eps: EPS };
        norm.forward(&[1.0, 2.0], None, [1, 2]);
    }
}
