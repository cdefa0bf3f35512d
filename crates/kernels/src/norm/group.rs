//! Normalisation of groups of channels of each example: group norm, and instance norm with one
//! channel in a group.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::{Gradients, Statistics, Wanted, check_len, sum_of_rows, values_or};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, map, sums, vectorized};

/// A normalisation of groups of channels.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Groups of equally many channels; as many as channels for instance norm.
    pub groups: usize,
    /// A factor for every channel; 1 if absent.
    pub gamma: Option<&'a [f32]>,
    /// A summand for every channel; 0 if absent.
    pub beta: Option<&'a [f32]>,
    /// What is added to the variance.
    pub eps: f32,
}

/// What [`Group::forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, of the input's shape.
    pub y: Vec<f32>,
    /// What [`Group::backward`] needs; one mean and one scale for each group of each example.
    pub statistics: Statistics,
}

type Out<'a> = &'a mut [MaybeUninit<f32>];

/// Sizes of a normalisation that has been checked.
struct Job<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    /// Channels of a group.
    members: usize,
    places: usize,
    eps: f32,
}

impl Job<'_> {
    /// Numbers of a group of an example.
    fn width(&self) -> usize {
        self.members * self.places
    }
}

impl Group<'_> {
    /// Normalises every group of every example.
    ///
    /// ```text
    /// y = gamma (x - m) / sqrt(v + eps) + beta
    /// ```
    ///
    /// m, v: mean and variance over the channels and places of the group.
    ///
    /// # Shapes
    /// - `x` and output: `[examples, channels, places]` = `shape`; the places of NCHW are H W
    /// - `gamma`, `beta`: `[channels]`; statistics: `[examples, groups]`
    ///
    /// # Source
    /// Wu and He, arXiv:1803.08494; instance norm: Ulyanov et al., arXiv:1607.08022.
    ///
    /// # Panics
    /// If a length does not fit, or the groups do not divide the channels.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::group::Group;
    ///
    /// let norm = Group { groups: 1, gamma: Some(&[1.0, 2.0]), beta: None, eps: 0.0 };
    /// assert_eq!(norm.forward(&[1.0, 1.0, 5.0, 5.0], [1, 2, 2]).y, [-1.0, -1.0, 2.0, 2.0]);
    /// ```
    pub fn forward(&self, x: &[f32], shape: [usize; 3]) -> Forward {
        let name = "norm::group::forward";
        let [gamma, beta] = self.parameters(name, x, shape);
        let job = self.job(&gamma, &beta, shape);
        let (rows, width) = (shape[0] * self.groups, job.width());
        // SAFETY: `normalise` writes every number of its groups.
        let [y, mean, inv_std] = unsafe {
            buffer::written_all([x.len(), rows, rows], |[y, mean, inv_std]| {
                let outs = [
                    Rows { data: y, width },
                    Rows { data: mean, width: 1 },
                    Rows { data: inv_std, width: 1 },
                ];
                let cost = x.len() / 4 + rows * 8 + shape[0] * shape[1] * 3;
                par::for_rows(rows, 1, cost, outs, |range, outs| {
                    let own = range.start * width..range.end * width;
                    normalise(&job, &x[own], range.start % self.groups, outs);
                });
            })
        };
        Forward { y, statistics: Statistics { mean, inv_std } }
    }

    /// The gradients of [`Group::forward`], also through the statistics.
    ///
    /// ```text
    /// x^ = (x - m) / sqrt(v + eps)    g = gamma dy
    /// dx = (g - mean(g) - x^ mean(g x^)) / sqrt(v + eps)
    /// dgamma = sum of dy x^    dbeta = sum of dy
    /// ```
    ///
    /// Means over the group; sums over examples and places.
    ///
    /// # Shapes
    /// - `x`, `grad`, gradient of the input: `[examples, channels, places]` = `shape`
    /// - gradients of `gamma` and `beta`: `[channels]`
    ///
    /// # Panics
    /// As `forward`.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::norm::{Wanted, group::Group};
    ///
    /// let norm = Group { groups: 1, gamma: None, beta: None, eps: 0.0 };
    /// let (x, shape) = ([1.0, 5.0], [1, 2, 1]);
    /// let kept = norm.forward(&x, shape).statistics;
    /// let gradients = norm.backward(&x, shape, &kept, &[1.0, 0.0], Wanted::ALL);
    /// // Two numbers become -1 and 1, whatever they are.
    /// assert_eq!(gradients.x.unwrap(), [0.0, 0.0]);
    /// assert_eq!(gradients.gamma.unwrap(), [-1.0, 0.0]);
    /// ```
    pub fn backward(
        &self,
        x: &[f32],
        shape: [usize; 3],
        statistics: &Statistics,
        grad: &[f32],
        wanted: Wanted,
    ) -> Gradients {
        let name = "norm::group::backward";
        let [gamma, beta] = self.parameters(name, x, shape);
        let job = self.job(&gamma, &beta, shape);
        let [examples, channels, _] = shape;
        let (rows, width) = (examples * self.groups, job.width());
        check_len(name, "grad", grad.len(), x.len());
        check_len(name, "statistics.mean", statistics.mean.len(), rows);
        check_len(name, "statistics.inv_std", statistics.inv_std.len(), rows);
        let x_width = if wanted.x { width } else { 0 };
        let lens = [rows * x_width, examples * channels, examples * channels];
        // SAFETY: `slopes` writes every number of its groups.
        let [dx, dgamma, dbeta] = unsafe {
            buffer::written_all(lens, |[dx, dgamma, dbeta]| {
                let outs = [
                    Rows { data: dx, width: x_width },
                    Rows { data: dgamma, width: job.members },
                    Rows { data: dbeta, width: job.members },
                ];
                let cost = x.len() / 3 + rows * 8 + examples * channels * 6;
                par::for_rows(rows, 1, cost, outs, |range, outs| {
                    let own = range.start * width..range.end * width;
                    let kept = [&statistics.mean, &statistics.inv_std].map(|v| &v[range.clone()]);
                    let ins = [&x[own.clone()], &grad[own]];
                    slopes(&job, ins, range.start % self.groups, kept, outs);
                });
            })
        };
        let sum = |wanted, parts: &[f32]| sum_of_rows(wanted, parts, channels, 0, channels);
        wanted.gradients(dx, sum(wanted.gamma, &dgamma), sum(wanted.beta, &dbeta))
    }

    /// gamma and beta, complete; checks them and the input.
    fn parameters(&self, name: &str, x: &[f32], shape: [usize; 3]) -> [Cow<'_, [f32]>; 2] {
        let ([_, channels, _], groups) = (shape, self.groups);
        let divide = groups > 0 && channels.is_multiple_of(groups);
        assert!(divide, "{name}: {groups} groups of {channels} channels");
        check_len(name, "x", x.len(), shape.iter().product());
        check_len(name, "gamma", self.gamma.map_or(channels, <[f32]>::len), channels);
        check_len(name, "beta", self.beta.map_or(channels, <[f32]>::len), channels);
        [values_or(self.gamma, channels, 1.0), values_or(self.beta, channels, 0.0)]
    }

    fn job<'a>(&self, gamma: &'a [f32], beta: &'a [f32], shape: [usize; 3]) -> Job<'a> {
        let members = shape[1] / self.groups;
        Job { gamma, beta, members, places: shape[2], eps: self.eps }
    }
}

vectorized! {
    /// Writes the outputs of groups, of which the first is number `group` of its example.
    fn normalise(s; job: &Job<'_>, x: &[f32], group: usize, outs: [Out<'_>; 3]) {
        let [y, mean, inv_std] = outs;
        let (width, places) = (job.width(), job.places);
        let mut first = group * job.members;
        for (i, (mean, inv_std)) in mean.iter_mut().zip(inv_std).enumerate() {
            let own = i * width..(i + 1) * width;
            let (x, y) = (&x[own.clone()], &mut y[own]);
            let m = sums(s, [x], |[x]| [x])[0] / width as f32;
            mean.write(m);
            let m = s.splat(m);
            let [squares] = sums(s, [x], |[x]| {
                let x = s.sub(x, m);
                [s.mul(x, x)]
            });
            let scale = 1.0 / (squares / width as f32 + job.eps).sqrt();
            inv_std.write(scale);
            let members = first..first + job.members;
            if places == 1 {
                let scale = s.splat(scale);
                let ins = [x, &job.gamma[members.clone()], &job.beta[members]];
                map(s, ins, [y], |[x, gamma, beta]| {
                    [s.fma(s.mul(s.sub(x, m), scale), gamma, beta)]
                });
            } else {
                let planes = x.chunks_exact(places.max(1)).zip(y.chunks_exact_mut(places.max(1)));
                for ((x, y), c) in planes.zip(members) {
                    let (factor, beta) = (s.splat(scale * job.gamma[c]), s.splat(job.beta[c]));
                    map(s, [x], [y], |[x]| [s.fma(s.sub(x, m), factor, beta)]);
                }
            }
            first = next(first, job);
        }
    }
}

/// The first channel of the next group.
fn next(first: usize, job: &Job<'_>) -> usize {
    let next = first + job.members;
    if next == job.gamma.len() { 0 } else { next }
}

vectorized! {
    /// Writes the gradients of groups, and of each of their channels the sums of dy x^ and dy.
    fn slopes(s; job: &Job<'_>, ins: [&[f32]; 2], group: usize, kept: [&[f32]; 2], outs: [Out<'_>; 3]) {
        let ([x, grad], [dx, dgamma, dbeta], width) = (ins, outs, job.width());
        let mut first = group * job.members;
        for (i, (mean, scale)) in kept[0].iter().zip(kept[1]).enumerate() {
            let (own, channels) = (i * width..(i + 1) * width, i * job.members..(i + 1) * job.members);
            let (x, dy) = (&x[own.clone()], &grad[own.clone()]);
            let (dgamma, dbeta) = (&mut dgamma[channels.clone()], &mut dbeta[channels]);
            let gamma = &job.gamma[first..first + job.members];
            channel_sums(s, job, [x, dy], [*mean, *scale], [&mut *dgamma, &mut *dbeta]);
            first = next(first, job);
            if dx.is_empty() {
                continue;
            }
            // SAFETY: just written.
            let (dgamma, dbeta) = unsafe { (buffer::as_written(dgamma), buffer::as_written(dbeta)) };
            let [product, sum] = sums(s, [gamma, dgamma, dbeta], |[gamma, dgamma, dbeta]| {
                [s.mul(gamma, dgamma), s.mul(gamma, dbeta)]
            });
            let share = scale / width as f32;
            let (m, of_x) = (s.splat(*mean), s.splat(-product * share * scale));
            let (rest, scale) = (s.splat(-sum * share), s.splat(*scale));
            let dx = &mut dx[own];
            if job.places == 1 {
                map(s, [x, dy, gamma], [dx], |[x, dy, gamma]| {
                    let rest = s.fma(s.sub(x, m), of_x, rest);
                    [s.fma(s.mul(dy, gamma), scale, rest)]
                });
                continue;
            }
            let places = job.places.max(1);
            let planes = x.chunks_exact(places).zip(dy.chunks_exact(places));
            for (((x, dy), dx), gamma) in planes.zip(dx.chunks_exact_mut(places)).zip(gamma) {
                let slope = s.mul(scale, s.splat(*gamma));
                map(s, [x, dy], [dx], |[x, dy]| {
                    [s.fma(dy, slope, s.fma(s.sub(x, m), of_x, rest))]
                });
            }
        }
    }
}

/// The sums of dy x^ and of dy over the places of each channel.
#[inline(always)]
fn channel_sums<S: Simd>(
    s: S,
    job: &Job<'_>,
    [x, dy]: [&[f32]; 2],
    [mean, scale]: [f32; 2],
    [dgamma, dbeta]: [Out<'_>; 2],
) {
    let m = s.splat(mean);
    if job.places == 1 {
        let scale = s.splat(scale);
        map(s, [x, dy], [dgamma, dbeta], |[x, dy]| [s.mul(dy, s.mul(s.sub(x, m), scale)), dy]);
        return;
    }
    for (c, (dgamma, dbeta)) in dgamma.iter_mut().zip(dbeta).enumerate() {
        let own = c * job.places..(c + 1) * job.places;
        let [product, sum] =
            sums(s, [&x[own.clone()], &dy[own]], |[x, dy]| [s.mul(dy, s.sub(x, m)), dy]);
        dgamma.write(product * scale);
        dbeta.write(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::*;
    use super::*;
    use crate::simd::level::at_every_level;

    const EPS: f32 = 1e-3;

    fn check(groups: usize, shape: [usize; 3], mean: f32) {
        let [examples, channels, places] = shape;
        let len = examples * channels * places;
        let (x, grad) = (wave(len, 1, mean), wave(len, 2, 0.3));
        let (gamma, beta) = (wave(channels, 3, 1.0), wave(channels, 4, 0.0));
        let norm = Group { groups, gamma: Some(&gamma), beta: Some(&beta), eps: EPS };
        let forward = norm.forward(&x, shape);
        let got = norm.backward(&x, shape, &forward.statistics, &grad, Wanted::ALL);
        let expected = definition(&Case {
            x: &x,
            gamma: &gamma,
            beta: &beta,
            grad: &grad,
            eps: f64::from(EPS),
            centred: true,
            set: &|i| i / (channels / groups * places),
            sets: examples * groups,
            channel: &|i| i / places % channels,
        });
        // A mean of 1000 costs three of the seven digits of x itself.
        let tolerance = if mean == 0.0 { 4e-6 } else { 2e-3 };
        let what = format!("{groups} groups of {shape:?}");
        close(&format!("{what}: y"), &forward.y, &expected.y, tolerance);
        close(&format!("{what}: dx"), got.x.as_ref().unwrap(), &expected.x, 5.0 * tolerance);
        close(&format!("{what}: dgamma"), got.gamma.as_ref().unwrap(), &expected.gamma, tolerance);
        close(&format!("{what}: dbeta"), &got.beta.unwrap(), &expected.beta, tolerance);
        let wanted = Wanted { x: false, gamma: true, beta: false };
        let only = norm.backward(&x, shape, &forward.statistics, &grad, wanted);
        assert_eq!((only.x, only.gamma, only.beta), (None, got.gamma, None));
        let wanted = Wanted { x: true, gamma: false, beta: false };
        let only = norm.backward(&x, shape, &forward.statistics, &grad, wanted);
        assert_eq!((only.x, only.gamma, only.beta), (got.x, None, None));
    }

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for (groups, shape) in [
                (1, [2, 3, 1]),
                (2, [3, 34, 1]),
                (1, [1, 1, 7]),
                (3, [3, 6, 4]),
                (4, [2, 8, 16]),
                (2, [2, 4, 49]),
                (5, [2, 5, 33]),
                (2, [1, 6, 100]),
            ] {
                check(groups, shape, 0.0);
            }
            check(2, [2, 4, 49], 1000.0);
        });
    }

    #[test]
    fn one_group_of_one_place_is_layer_norm() {
        use super::super::layer::{Kind, Layer};
        at_every_level(|_| {
            let (x, shape) = (wave(6 * 40, 1, 0.0), [6, 40, 1]);
            let gamma = wave(40, 2, 1.0);
            let group = Group { groups: 1, gamma: Some(&gamma), beta: None, eps: EPS };
            let layer = Layer { kind: Kind::Layer, gamma: Some(&gamma), beta: None, eps: EPS };
            let (a, b) = (group.forward(&x, shape), layer.forward(&x, None, [6, 40]));
            for (a, b) in a.y.iter().zip(&b.y) {
                assert!((a - b).abs() < 1e-6);
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_group() {
        at_every_level(|_| {
            let (shape, width) = ([2, 4, 21], 42);
            let mut x = wave(2 * 4 * 21, 1, 0.0);
            x[width + 3] = f32::NAN;
            let norm = Group { groups: 2, gamma: None, beta: None, eps: EPS };
            let forward = norm.forward(&x, shape);
            let grad = vec![1.0; x.len()];
            let got = norm.backward(&x, shape, &forward.statistics, &grad, Wanted::ALL);
            for (i, (y, dx)) in forward.y.iter().zip(got.x.unwrap()).enumerate() {
                let bad = i / width == 1;
                assert_eq!((y.is_nan(), dx.is_nan()), (bad, bad), "{i}");
            }
        });
    }

    #[test]
    fn nothing_at_all() {
        let norm = Group { groups: 2, gamma: None, beta: None, eps: EPS };
        for shape in [[0, 4, 1], [0, 4, 5], [2, 0, 1], [2, 4, 0]] {
            let forward = norm.forward(&[], shape);
            let got = norm.backward(&[], shape, &forward.statistics, &[], Wanted::ALL);
            assert_eq!((got.x, got.beta), (Some(vec![]), Some(vec![0.0; shape[1]])), "{shape:?}");
        }
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            let shape = [13, 36, 601];
            let len = shape.iter().product();
            let (x, grad) = (wave(len, 1, 0.5), wave(len, 2, 0.0));
            // Threads begin within an example.
            let (gamma, beta) = (wave(36, 3, 1.0), wave(36, 4, 0.0));
            let norm = Group { groups: 9, gamma: Some(&gamma), beta: Some(&beta), eps: EPS };
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
        });
    }

    #[test]
    #[should_panic(expected = "norm::group::forward: 2 groups of 3 channels")]
    fn groups_divide_the_channels() {
        Group { groups: 2, gamma: None, beta: None, eps: EPS }.forward(&[0.0; 3], [1, 3, 1]);
    }
}
