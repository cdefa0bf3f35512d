//! Cross-entropy of logits with class indices.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{ROWS, check_len, cost, row};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{map, math, vectorized};

/// The cross-entropy of logits with class indices.
///
/// ```text
/// loss = ln(sum over k of exp(x[k])) - (1 - e) x[t] - e mean(x)
/// ```
///
/// x: a row of logits; t: its class; e: smoothing.
///
/// # Source
/// Smoothing: Szegedy et al., arXiv:1512.00567.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CrossEntropy {
    /// Probability that is spread over all classes.
    pub smoothing: f32,
    /// A target whose row does not count: its loss and gradient are 0.
    pub ignore: Option<i64>,
}

/// What a gradient needs of each row: its log-sum-exp, in two parts because one number would lose
/// digits where the logits are large.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The largest number of the row.
    pub max: Vec<f32>,
    /// 1 / sum of exp(x - max).
    pub inv_sum: Vec<f32>,
}

/// What [`CrossEntropy::forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The loss of every row.
    pub loss: Vec<f32>,
    /// What [`CrossEntropy::backward`] needs.
    pub statistics: Statistics,
}

/// What [`CrossEntropy::mean`] gives.
#[derive(Debug, Clone)]
pub struct Mean {
    /// The mean loss of the rows that count.
    pub loss: f32,
    /// Rows that count.
    pub count: usize,
    /// What [`CrossEntropy::mean_backward`] needs.
    pub statistics: Statistics,
}

/// The gradient of every row's loss.
#[derive(Clone, Copy)]
enum Grad<'a> {
    Rows(&'a [f32]),
    All(f32),
}

/// Logits and classes, checked.
#[derive(Clone, Copy)]
struct Job<'a> {
    of: CrossEntropy,
    x: &'a [f32],
    targets: &'a [i64],
    classes: usize,
}

type Out<'a> = &'a mut [MaybeUninit<f32>];

impl CrossEntropy {
    /// The loss of every row. A row that has NaN has loss NaN.
    ///
    /// # Shapes
    /// - `logits`: `[rows, classes]` = `shape`, `targets`: `[rows]`
    /// - loss: `[rows]`
    ///
    /// # Panics
    /// If a length does not fit, or a target is neither a class nor the one to ignore.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::softmax::cross_entropy::CrossEntropy;
    ///
    /// let logits = [0.0, 0.0, 1000.0, 0.0];
    /// let loss = CrossEntropy::default().forward(&logits, &[0, 1], [2, 2]).loss;
    /// assert!((loss[0] - 2f32.ln()).abs() < 1e-6);
    /// assert_eq!(loss[1], 1000.0);
    /// ```
    pub fn forward(&self, logits: &[f32], targets: &[i64], shape: [usize; 2]) -> Forward {
        let name = "cross_entropy::forward";
        let (job, rows) = (self.job(name, logits, targets, shape), shape[0]);
        // SAFETY: `losses` writes every number of its rows.
        let [loss, max, inv_sum] = unsafe {
            buffer::written_all([rows; 3], |outs| {
                let outs = outs.map(|data| Rows { data, width: 1 });
                par::for_rows(rows, ROWS, cost(shape), outs, |range, outs| {
                    losses(&job.rows(range), outs);
                });
            })
        };
        Forward { loss, statistics: Statistics { max, inv_sum } }
    }

    /// The gradient of the logits, where `grad` is the gradient of every row's loss.
    ///
    /// ```text
    /// dx[k] = g (softmax(x)[k] - (1 - e) [k = t] - e / classes)
    /// ```
    ///
    /// # Shapes
    /// - `logits`, `targets`: as in `forward`; `grad`: `[rows]`
    /// - output: `[rows, classes]`
    ///
    /// # Panics
    /// As `forward`.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::softmax::cross_entropy::CrossEntropy;
    ///
    /// let (loss, logits) = (CrossEntropy::default(), [0.0, 0.0]);
    /// let kept = loss.forward(&logits, &[1], [1, 2]).statistics;
    /// assert_eq!(loss.backward(&logits, &[1], [1, 2], &kept, &[3.0]), [1.5, -1.5]);
    /// ```
    pub fn backward(
        &self,
        logits: &[f32],
        targets: &[i64],
        shape: [usize; 2],
        statistics: &Statistics,
        grad: &[f32],
    ) -> Vec<f32> {
        let name = "cross_entropy::backward";
        check_len(name, "grad", grad.len(), shape[0]);
        let job = self.job(name, logits, targets, shape);
        job.slopes(name, statistics, Grad::Rows(grad))
    }

    /// The mean loss of the rows that count; NaN if there is none, as a mean of nothing is.
    ///
    /// # Shapes
    /// - `logits`: `[rows, classes]` = `shape`, `targets`: `[rows]`
    ///
    /// # Panics
    /// As `forward`.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::softmax::cross_entropy::CrossEntropy;
    ///
    /// let loss = CrossEntropy { ignore: Some(-100), ..CrossEntropy::default() };
    /// let (logits, targets) = ([0.0, 8.0, 5.0, 5.0], [0, -100]);
    /// let mean = loss.mean(&logits, &targets, [2, 2]);
    /// assert!((mean.loss - 8.000336).abs() < 1e-5);
    /// let gradient = loss.mean_backward(&logits, &targets, [2, 2], &mean, 1.0);
    /// assert_eq!(gradient[2..], [0.0, 0.0]);
    /// ```
    pub fn mean(&self, logits: &[f32], targets: &[i64], shape: [usize; 2]) -> Mean {
        let Forward { loss, statistics } = self.forward(logits, targets, shape);
        let ignored = targets.iter().filter(|t| self.ignore == Some(**t)).count();
        let count = shape[0] - ignored;
        // In order, and in double precision: an ignored row adds 0.
        let sum: f64 = loss.iter().map(|loss| f64::from(*loss)).sum();
        Mean { loss: (sum / count as f64) as f32, count, statistics }
    }

    /// The gradient of the logits, where `grad` is the gradient of the mean.
    ///
    /// # Shapes
    /// - `logits`, `targets`: as in `mean`
    /// - output: `[rows, classes]`
    ///
    /// # Panics
    /// As `forward`.
    pub fn mean_backward(
        &self,
        logits: &[f32],
        targets: &[i64],
        shape: [usize; 2],
        mean: &Mean,
        grad: f32,
    ) -> Vec<f32> {
        let name = "cross_entropy::mean_backward";
        let job = self.job(name, logits, targets, shape);
        job.slopes(name, &mean.statistics, Grad::All(grad / mean.count as f32))
    }

    /// Checks logits and targets.
    fn job<'a>(
        &self,
        name: &str,
        x: &'a [f32],
        targets: &'a [i64],
        [rows, classes]: [usize; 2],
    ) -> Job<'a> {
        check_len(name, "logits", x.len(), rows * classes);
        check_len(name, "targets", targets.len(), rows);
        let known = |t: i64| (0..classes as i64).contains(&t) || self.ignore == Some(t);
        if let Some(at) = targets.iter().position(|t| !known(*t)) {
            panic!("{name}: target {at} is {}, expected 0 to {classes} exclusive", targets[at]);
        }
        Job { of: *self, x, targets, classes }
    }
}

impl Job<'_> {
    fn rows(&self, range: Range<usize>) -> Self {
        let x = &self.x[range.start * self.classes..range.end * self.classes];
        Self { x, targets: &self.targets[range], ..*self }
    }

    fn slopes(&self, name: &str, statistics: &Statistics, grad: Grad<'_>) -> Vec<f32> {
        let (rows, width) = (self.targets.len(), self.classes);
        check_len(name, "statistics.max", statistics.max.len(), rows);
        check_len(name, "statistics.inv_sum", statistics.inv_sum.len(), rows);
        // SAFETY: `slope_rows` writes every number of its rows.
        unsafe {
            buffer::written(rows * width, |dx| {
                let outs = [Rows { data: dx, width }];
                par::for_rows(rows, ROWS, cost([rows, width]), outs, |range, [dx]| {
                    let kept = [&statistics.max[range.clone()], &statistics.inv_sum[range.clone()]];
                    let grad = match grad {
                        Grad::Rows(grad) => Grad::Rows(&grad[range.clone()]),
                        all @ Grad::All(_) => all,
                    };
                    slope_rows(&self.rows(range), kept, grad, dx);
                });
            })
        }
    }
}

vectorized! {
    fn losses(s; job: &Job<'_>, outs: [Out<'_>; 3]) {
        let [loss, max, inv_sum] = outs;
        let (smoothing, one) = (job.of.smoothing, s.splat(1.0));
        let chunks = loss.chunks_mut(ROWS).zip(max.chunks_mut(ROWS).zip(inv_sum.chunks_mut(ROWS)));
        for (chunk, (loss, (max, inv_sum))) in chunks.enumerate() {
            // Of an ignored row: ln(1) - 0.
            let (mut sums, mut less) = ([1.0; ROWS], [0.0; ROWS]);
            for (i, max) in max.iter_mut().enumerate() {
                let at = chunk * ROWS + i;
                max.write(0.0);
                if job.of.ignore == Some(job.targets[at]) {
                    continue;
                }
                let x = &job.x[at * job.classes..(at + 1) * job.classes];
                let most = row::largest(s, x);
                max.write(most);
                let own = x[job.targets[at] as usize] - most;
                // Without smoothing the others are left out: 0 times infinity is no number.
                if smoothing == 0.0 {
                    sums[i] = row::sum_exp(s, x, most);
                    less[i] = own;
                } else {
                    let [sum, all] = row::sum_exp_and_sum(s, x, most);
                    sums[i] = sum;
                    less[i] = (1.0 - smoothing) * own + smoothing * all / job.classes as f32;
                }
            }
            let (sums, less) = (&sums[..loss.len()], &less[..loss.len()]);
            map(s, [sums, less], [loss, inv_sum], |[sum, less]| {
                [s.sub(math::ln(s, sum), less), s.div(one, sum)]
            });
        }
    }
}

vectorized! {
    fn slope_rows(s; job: &Job<'_>, kept: [&[f32]; 2], grad: Grad<'_>, dx: Out<'_>) {
        let (smoothing, classes) = (job.of.smoothing, job.classes);
        for (i, dx) in dx.chunks_exact_mut(classes.max(1)).enumerate() {
            if job.of.ignore == Some(job.targets[i]) {
                dx.fill(MaybeUninit::new(0.0));
                continue;
            }
            let g = match grad {
                Grad::Rows(grad) => grad[i],
                Grad::All(g) => g,
            };
            let (max, factor) = (s.splat(kept[0][i]), s.splat(g * kept[1][i]));
            let share = s.splat(-g * smoothing / classes as f32);
            map(s, [&job.x[i * classes..(i + 1) * classes]], [&mut *dx], |[x]| {
                [s.fma(math::exp(s, s.sub(x, max)), factor, share)]
            });
            // SAFETY: just written.
            let dx = unsafe { buffer::as_written_mut(dx) };
            dx[job.targets[i] as usize] -= g * (1.0 - smoothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{close, log_sum_exp, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    fn targets(rows: usize, classes: usize) -> Vec<i64> {
        (0..rows).map(|i| ((i * 5 + 2) % classes) as i64).collect()
    }

    fn check(of: CrossEntropy, rows: usize, classes: usize) {
        let (x, grad) = (wave(rows * classes, 1), wave(rows, 2));
        let targets = targets(rows, classes);
        let e = f64::from(of.smoothing);
        let counts = |t: i64| of.ignore != Some(t);
        let (mut losses, mut slopes) = (vec![], vec![]);
        for ((x, g), t) in x.chunks_exact(classes).zip(&grad).zip(&targets) {
            let (sum, count) = (log_sum_exp(x), classes as f64);
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
            let loss = sum - (1.0 - e) * f64::from(x[*t as usize]) - e * mean;
            losses.push(if counts(*t) { loss } else { 0.0 });
            for (k, x) in x.iter().enumerate() {
                let hot = if k as i64 == *t { 1.0 - e } else { 0.0 };
                let slope = (f64::from(*x) - sum).exp() - hot - e / count;
                slopes.push(if counts(*t) { slope * f64::from(*g) } else { 0.0 });
            }
        }
        let (what, shape) = (format!("{of:?} {rows} x {classes}"), [rows, classes]);
        let forward = of.forward(&x, &targets, shape);
        close(&format!("{what}: loss"), &forward.loss, &losses);
        let got = of.backward(&x, &targets, shape, &forward.statistics, &grad);
        close(&format!("{what}: gradient"), &got, &slopes);
        let mean = of.mean(&x, &targets, shape);
        let count = targets.iter().filter(|t| counts(**t)).count();
        close(&what, &[mean.loss], &[losses.iter().sum::<f64>() / count as f64]);
        assert_eq!(mean.count, count);
        let got = of.mean_backward(&x, &targets, shape, &mean, 2.0);
        let same = vec![2.0 / count as f32; rows];
        assert_eq!(got, of.backward(&x, &targets, shape, &forward.statistics, &same));
    }

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for [rows, classes] in [[1, 1], [3, 2], [20, 10], [33, 7], [5, 17], [2, 100], [9, 64]] {
                for smoothing in [0.0, 0.1] {
                    check(CrossEntropy { smoothing, ignore: None }, rows, classes);
                    if rows > 1 {
                        check(CrossEntropy { smoothing, ignore: Some(0) }, rows, classes);
                    }
                }
            }
        });
    }

    #[test]
    fn rows_of_what_is_no_number_and_ignored_rows() {
        at_every_level(|_| {
            let mut x = wave(4 * 20, 1);
            x[20] = f32::NAN;
            x[40] = f32::NAN;
            // A class that cannot be, and a row whose target is it.
            x[61] = f32::NEG_INFINITY;
            let of = CrossEntropy { smoothing: 0.0, ignore: Some(-1) };
            let (targets, shape) = ([3, 3, -1, 1], [4, 20]);
            let forward = of.forward(&x, &targets, shape);
            assert!(forward.loss[0].is_finite() && forward.loss[1].is_nan());
            assert_eq!(forward.loss[2..], [0.0, f32::INFINITY]);
            let got = of.backward(&x, &targets, shape, &forward.statistics, &[1.0; 4]);
            for (at, g) in got.iter().enumerate() {
                assert_eq!(g.is_nan(), at / 20 == 1, "at {at}: {g}");
            }
            assert_eq!((&got[40..60], got[61]), (&[0.0; 20][..], -1.0));
            let none = of.mean(&x[..20], &[-1], [1, 20]);
            assert!(none.loss.is_nan() && none.count == 0);
            // What cannot be does not matter where it is not the target.
            assert!(of.forward(&x, &[3, 3, 3, 4], shape).loss[3].is_finite());
        });
    }

    #[test]
    fn large_logits_are_safe() {
        let loss = CrossEntropy::default().mean(&[1e30, -1e30], &[1], [1, 2]);
        assert_eq!(loss.loss, 2e30);
        let got = CrossEntropy::default().mean_backward(&[1e30, -1e30], &[1], [1, 2], &loss, 1.0);
        assert_eq!(got, [1.0, -1.0]);
    }

    #[test]
    fn nothing_at_all() {
        let of = CrossEntropy::default();
        let forward = of.forward(&[], &[], [0, 3]);
        assert_eq!(of.backward(&[], &[], [0, 3], &forward.statistics, &[]), []);
        assert!(of.mean(&[], &[], [0, 3]).loss.is_nan());
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            let (rows, classes) = (9001, 10);
            let (x, targets) = (wave(rows * classes, 1), targets(rows, classes));
            let of = CrossEntropy { smoothing: 0.1, ignore: None };
            let run = |threads| {
                with_threads(threads, || {
                    let mean = of.mean(&x, &targets, [rows, classes]);
                    let got = of.mean_backward(&x, &targets, [rows, classes], &mean, 1.0);
                    (mean.loss, mean.statistics, got)
                })
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3));
        });
    }

    #[test]
    #[should_panic(expected = "target 1 is 3, expected 0 to 3 exclusive")]
    fn targets_are_classes() {
        CrossEntropy::default().forward(&[0.0; 6], &[2, 3], [2, 3]);
    }

    #[test]
    #[should_panic(expected = "target 0 is -100, expected 0 to 3 exclusive")]
    fn negative_targets_are_none() {
        CrossEntropy::default().mean(&[0.0; 3], &[-100], [1, 3]);
    }
}
