//! Normalisation of each channel over all examples and places: batch norm.

use std::borrow::Cow;

use super::channel::{affine, gradient_sums, moments};
use super::{Gradients, Statistics, Wanted, check_len, values_or};

/// A normalisation of channels.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// A factor for every channel; 1 if absent.
    pub gamma: Option<&'a [f32]>,
    /// A summand for every channel; 0 if absent.
    pub beta: Option<&'a [f32]>,
    /// What is added to the variance.
    pub eps: f32,
}

/// What [`Batch::forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, of the input's shape.
    pub y: Vec<f32>,
    /// The variance of every channel, biased: divided by the count of numbers.
    pub variance: Vec<f32>,
    /// What [`Batch::backward`] needs; one mean and one scale for each channel.
    pub statistics: Statistics,
}

impl Batch<'_> {
    /// Normalises with the statistics of the batch.
    ///
    /// ```text
    /// y = gamma (x - m) / sqrt(v + eps) + beta
    /// ```
    ///
    /// m, v: mean and variance of the channel over examples and places.
    ///
    /// # Shapes
    /// - `x` and output: `[examples, channels, places]` = `shape`, where `[rows, features]` has one
    ///   place and NCHW has H W
    /// - `gamma`, `beta`, `variance`, statistics: `[channels]`
    ///
    /// # Source
    /// Ioffe and Szegedy, arXiv:1502.03167.
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::batch::Batch;
    ///
    /// let norm = Batch { gamma: Some(&[1.0, 2.0]), beta: None, eps: 0.0 };
    /// let forward = norm.forward(&[1.0, 10.0, 5.0, 30.0], [2, 2, 1]);
    /// assert_eq!(forward.y, [-1.0, -2.0, 1.0, 2.0]);
    /// assert_eq!((forward.statistics.mean, forward.variance), (vec![3.0, 20.0], vec![4.0, 100.0]));
    /// ```
    pub fn forward(&self, x: &[f32], shape: [usize; 3]) -> Forward {
        let name = "norm::batch::forward";
        check_len(name, "x", x.len(), shape.iter().product());
        let [mean, variance] = moments(x, shape);
        let statistics = Statistics { inv_std: self.inv_std(&variance), mean };
        let y = self.apply(name, x, shape, &statistics);
        Forward { y, variance, statistics }
    }

    /// Normalises with given statistics, such as running means: an affine map of every channel.
    ///
    /// # Shapes
    /// - `x`, output and `shape`: as in `forward`; `mean`, `variance`: `[channels]`
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::batch::Batch;
    ///
    /// let norm = Batch { gamma: None, beta: Some(&[1.0]), eps: 0.0 };
    /// assert_eq!(norm.affine(&[5.0, 7.0], [1, 1, 2], &[3.0], &[4.0]), [2.0, 3.0]);
    /// ```
    pub fn affine(&self, x: &[f32], shape: [usize; 3], mean: &[f32], variance: &[f32]) -> Vec<f32> {
        let name = "norm::batch::affine";
        check_len(name, "x", x.len(), shape.iter().product());
        check_len(name, "mean", mean.len(), shape[1]);
        check_len(name, "variance", variance.len(), shape[1]);
        let statistics = Statistics { mean: mean.to_vec(), inv_std: self.inv_std(variance) };
        self.apply(name, x, shape, &statistics)
    }

    /// The gradients of [`Batch::forward`], also through the statistics.
    ///
    /// ```text
    /// x^ = (x - m) / sqrt(v + eps)    dbeta = sum of dy    dgamma = sum of dy x^
    /// dx = gamma (dy - dbeta / n - x^ dgamma / n) / sqrt(v + eps)
    /// ```
    ///
    /// Sums over the n numbers of a channel.
    ///
    /// # Shapes
    /// - `x`, `grad`, gradient of the input: `[examples, channels, places]` = `shape`
    /// - gradients of `gamma` and `beta`: `[channels]`
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::{Wanted, batch::Batch};
    ///
    /// let norm = Batch { gamma: None, beta: None, eps: 0.0 };
    /// let (x, shape) = ([1.0, 5.0], [2, 1, 1]);
    /// let kept = norm.forward(&x, shape).statistics;
    /// let gradients = norm.backward(&x, shape, &kept, &[1.0, 0.0], Wanted::ALL);
    /// // Two numbers become -1 and 1, whatever they are.
    /// assert_eq!(gradients.x.unwrap(), [0.0, 0.0]);
    /// assert_eq!((gradients.gamma, gradients.beta), (Some(vec![-1.0]), Some(vec![1.0])));
    /// ```
    pub fn backward(
        &self,
        x: &[f32],
        shape: [usize; 3],
        statistics: &Statistics,
        grad: &[f32],
        wanted: Wanted,
    ) -> Gradients {
        self.slopes("norm::batch::backward", x, shape, statistics, grad, wanted, true)
    }

    /// The gradients of [`Batch::affine`], where the statistics are constants.
    ///
    /// ```text
    /// dx = gamma dy / sqrt(v + eps)    dbeta = sum of dy    dgamma = sum of dy x^
    /// ```
    ///
    /// # Shapes
    /// - as in `backward`; `mean`, `variance`: `[channels]`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn affine_backward(
        &self,
        x: &[f32],
        shape: [usize; 3],
        mean: &[f32],
        variance: &[f32],
        grad: &[f32],
        wanted: Wanted,
    ) -> Gradients {
        let statistics = Statistics { mean: mean.to_vec(), inv_std: self.inv_std(variance) };
        let name = "norm::batch::affine_backward";
        self.slopes(name, x, shape, &statistics, grad, wanted, false)
    }

    fn inv_std(&self, variance: &[f32]) -> Vec<f32> {
        variance.iter().map(|v| 1.0 / (v + self.eps).sqrt()).collect()
    }

    /// gamma and beta, checked and complete.
    fn parameters(&self, name: &str, channels: usize) -> [Cow<'_, [f32]>; 2] {
        check_len(name, "gamma", self.gamma.map_or(channels, <[f32]>::len), channels);
        check_len(name, "beta", self.beta.map_or(channels, <[f32]>::len), channels);
        [values_or(self.gamma, channels, 1.0), values_or(self.beta, channels, 0.0)]
    }

    fn apply(&self, name: &str, x: &[f32], shape: [usize; 3], statistics: &Statistics) -> Vec<f32> {
        let [gamma, beta] = self.parameters(name, shape[1]);
        let scale: Vec<f32> = gamma.iter().zip(&statistics.inv_std).map(|(g, s)| g * s).collect();
        affine(x, shape, [&statistics.mean, &scale, &beta], None)
    }

    /// The gradients; `through` the statistics too if they are those of the batch.
    #[expect(clippy::too_many_arguments, reason = "those of `backward` and two more")]
    fn slopes(
        &self,
        name: &str,
        x: &[f32],
        shape: [usize; 3],
        statistics: &Statistics,
        grad: &[f32],
        wanted: Wanted,
        through: bool,
    ) -> Gradients {
        let [examples, channels, places] = shape;
        check_len(name, "x", x.len(), examples * channels * places);
        check_len(name, "grad", grad.len(), x.len());
        check_len(name, "statistics.mean", statistics.mean.len(), channels);
        check_len(name, "statistics.inv_std", statistics.inv_std.len(), channels);
        let [gamma, _] = self.parameters(name, channels);
        let Statistics { mean, inv_std } = statistics;
        let mut sums = [vec![], vec![]];
        if wanted.gamma || wanted.beta || (wanted.x && through) {
            sums = gradient_sums(x, shape, statistics, grad);
        }
        let mut dx = vec![];
        if wanted.x {
            let slope: Vec<f32> = gamma.iter().zip(inv_std).map(|(g, s)| g * s).collect();
            let (mut of_x, mut rest) = (vec![0.0; channels], vec![0.0; channels]);
            if through {
                let share = 1.0 / (examples * places) as f32;
                for c in 0..channels {
                    of_x[c] = -slope[c] * inv_std[c] * sums[0][c] * share;
                    rest[c] = -slope[c] * sums[1][c] * share;
                }
            }
            dx = affine(x, shape, [mean, &of_x, &rest], Some((grad, &slope)));
        }
        let [dgamma, dbeta] = sums;
        wanted.gradients(dx, dgamma, dbeta)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::*;
    use super::*;
    use crate::simd::level::at_every_level;

    const EPS: f32 = 1e-3;

    fn check(shape: [usize; 3], mean: f32) {
        let [examples, channels, places] = shape;
        let len = examples * channels * places;
        let (x, grad) = (wave(len, 1, mean), wave(len, 2, 0.3));
        let (gamma, beta) = (wave(channels, 3, 1.0), wave(channels, 4, 0.0));
        let norm = Batch { gamma: Some(&gamma), beta: Some(&beta), eps: EPS };
        let forward = norm.forward(&x, shape);
        let kept = &forward.statistics;
        let got = norm.backward(&x, shape, kept, &grad, Wanted::ALL);
        let channel = |i: usize| i / places % channels;
        let expected = definition(&Case {
            x: &x,
            gamma: &gamma,
            beta: &beta,
            grad: &grad,
            eps: f64::from(EPS),
            centred: true,
            set: &channel,
            sets: channels,
            channel: &channel,
        });
        // A mean of 1000 costs three of the seven digits of x itself.
        let tolerance = if mean == 0.0 { 4e-6 } else { 2e-3 };
        let what = format!("{shape:?}");
        close(&format!("{what}: y"), &forward.y, &expected.y, tolerance);
        close(&format!("{what}: dx"), &got.x.unwrap(), &expected.x, 5.0 * tolerance);
        close(&format!("{what}: dgamma"), &got.gamma.unwrap(), &expected.gamma, tolerance);
        close(&format!("{what}: dbeta"), &got.beta.unwrap(), &expected.beta, tolerance);
        let count = (examples * places) as f64;
        let variance: Vec<f64> = (0..channels)
            .map(|c| {
                let own = || (0..len).filter(|i| channel(*i) == c).map(|i| f64::from(x[i]));
                let mean = own().sum::<f64>() / count;
                own().map(|x| (x - mean).powi(2)).sum::<f64>() / count
            })
            .collect();
        close(&format!("{what}: variance"), &forward.variance, &variance, tolerance);
        // The same statistics as given ones.
        let y = norm.affine(&x, shape, &kept.mean, &forward.variance);
        assert_eq!(y, forward.y, "{what}");
    }

    const SHAPES: [[usize; 3]; 12] = [
        [1, 3, 1],
        [5, 1, 1],
        [70, 7, 1],
        [200, 33, 1],
        [3, 64, 1],
        [129, 80, 1],
        [2, 3, 4],
        [3, 5, 16],
        [4, 2, 49],
        [1, 2, 100],
        [2, 17, 63],
        [3, 2, 300],
    ];

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for shape in SHAPES {
                check(shape, 0.0);
            }
            check([100, 17, 1], 1000.0);
            check([3, 3, 49], 1000.0);
        });
    }

    #[test]
    fn given_statistics_are_constants() {
        at_every_level(|_| {
            for shape in [[70, 19, 1], [3, 2, 21]] {
                let [examples, channels, places] = shape;
                let len = examples * channels * places;
                let (x, grad) = (wave(len, 1, 0.0), wave(len, 2, 0.0));
                let (mean, gamma) = (wave(channels, 5, 0.0), wave(channels, 3, 1.0));
                let variance = wave(channels, 6, 2.0);
                let norm = Batch { gamma: Some(&gamma), beta: None, eps: EPS };
                let run = |wanted| norm.affine_backward(&x, shape, &mean, &variance, &grad, wanted);
                let (mut y, mut dx) = (vec![], vec![]);
                let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
                for i in 0..len {
                    let c = i / places % channels;
                    let scale = 1.0 / (f64::from(variance[c]) + f64::from(EPS)).sqrt();
                    let hat = (f64::from(x[i]) - f64::from(mean[c])) * scale;
                    y.push(hat * f64::from(gamma[c]));
                    dx.push(f64::from(grad[i]) * f64::from(gamma[c]) * scale);
                    dgamma[c] += f64::from(grad[i]) * hat;
                    dbeta[c] += f64::from(grad[i]);
                }
                close("y", &norm.affine(&x, shape, &mean, &variance), &y, 2e-6);
                let got = run(Wanted::ALL);
                close("dx", got.x.as_ref().unwrap(), &dx, 2e-6);
                close("dgamma", &got.gamma.unwrap(), &dgamma, 2e-6);
                close("dbeta", &got.beta.unwrap(), &dbeta, 2e-6);
                let only = run(Wanted { x: true, gamma: false, beta: false });
                assert_eq!((only.x, only.gamma, only.beta), (got.x, None, None));
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_channel() {
        at_every_level(|_| {
            for shape in [[70, 19, 1], [3, 4, 21]] {
                let [examples, channels, places] = shape;
                let mut x = wave(examples * channels * places, 1, 0.0);
                x[places] = f32::NAN;
                let norm = Batch { gamma: None, beta: None, eps: EPS };
                let forward = norm.forward(&x, shape);
                let grad = vec![1.0; x.len()];
                let got = norm.backward(&x, shape, &forward.statistics, &grad, Wanted::ALL);
                for (i, (y, dx)) in forward.y.iter().zip(got.x.unwrap()).enumerate() {
                    let bad = i / places % channels == 1;
                    assert_eq!((y.is_nan(), dx.is_nan()), (bad, bad), "{shape:?} {i}");
                }
            }
        });
    }

    #[test]
    fn nothing_at_all() {
        let norm = Batch { gamma: None, beta: None, eps: EPS };
        for shape in [[0, 3, 1], [0, 3, 5], [2, 0, 1], [2, 0, 5], [2, 3, 0]] {
            let forward = norm.forward(&[], shape);
            // A mean of nothing.
            assert_eq!(forward.variance.len(), shape[1]);
            assert!(forward.variance.iter().all(|v| v.is_nan()));
            let got = norm.backward(&[], shape, &forward.statistics, &[], Wanted::ALL);
            assert_eq!((got.x, got.beta), (Some(vec![]), Some(vec![0.0; shape[1]])));
        }
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            for shape in [[9001, 33, 1], [13, 37, 401]] {
                let len = shape.iter().product();
                let (x, grad) = (wave(len, 1, 0.5), wave(len, 2, 0.0));
                let norm = Batch { gamma: None, beta: None, eps: EPS };
                let run = |threads| {
                    with_threads(threads, || {
                        let forward = norm.forward(&x, shape);
                        let kept = &forward.statistics;
                        let got = norm.backward(&x, shape, kept, &grad, Wanted::ALL);
                        (forward.y, forward.statistics, got)
                    })
                };
                let one = run(1);
                assert!(one == run(2) && one == run(3));
            }
        });
    }

    #[test]
    #[should_panic(expected = "norm::batch::forward: x of 5 numbers, expected 6")]
    fn lengths_must_fit() {
        Batch { gamma: None, beta: None, eps: EPS }.forward(&[0.0; 5], [1, 2, 3]);
    }
}
