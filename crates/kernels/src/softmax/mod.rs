//! Softmax, its logarithm, and the losses that contain them.
//!
//! Each row is read once from memory: what follows the first pass finds it in the cache. The
//! largest number of a row is taken away before the exponential, so that large numbers are safe.

pub mod binary_cross_entropy;
pub mod cross_entropy;
pub(crate) mod row;

use std::mem::MaybeUninit;

use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{fold, map, map_in_place, math, vectorized};

/// Rows whose logarithms are taken together.
const ROWS: usize = 16;

/// Nanoseconds of a core for so many rows with exponentials, roughly.
fn cost([rows, width]: [usize; 2]) -> usize {
    rows * (8 + width / 3)
}

/// Panics unless a slice has the length that the shape asks for.
fn check_len(function: &str, what: &str, len: usize, expected: usize) {
    assert!(len == expected, "{function}: {what} of {len} numbers, expected {expected}");
}

/// Softmax of every row.
///
/// ```text
/// y[j] = exp(x[j]) / sum over k of exp(x[k])
/// ```
///
/// A row that has NaN or plus infinity, or nothing but minus infinity, becomes NaN.
///
/// # Shapes
/// - `x` and output: `[rows, width]` = `shape`
///
/// # Panics
/// If the length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax;
///
/// assert_eq!(softmax::forward(&[1000.0, 1000.0, 0.0], [1, 3]), [0.5, 0.5, 0.0]);
/// ```
pub fn forward(x: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let [rows, width] = shape;
    check_len("softmax::forward", "x", x.len(), rows * width);
    by_rows(shape, cost(shape), |own, y| softmax_rows(&x[own], width, y))
}

/// The gradient of [`forward`] from its output `y`.
///
/// ```text
/// dx[j] = y[j] (dy[j] - sum over k of y[k] dy[k])
/// ```
///
/// # Shapes
/// - `y`, `grad` and output: `[rows, width]` = `shape`
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax;
///
/// assert_eq!(softmax::backward(&[0.5, 0.5], &[1.0, 0.0], [1, 2]), [0.25, -0.25]);
/// ```
pub fn backward(y: &[f32], grad: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let [rows, width] = shape;
    check_len("softmax::backward", "y", y.len(), rows * width);
    check_len("softmax::backward", "grad", grad.len(), rows * width);
    by_rows(shape, cost(shape) / 4, |own, dx| {
        softmax_slopes(&y[own.clone()], &grad[own], width, dx);
    })
}

/// The logarithm of the softmax of every row.
///
/// ```text
/// y[j] = x[j] - ln(sum over k of exp(x[k]))
/// ```
///
/// A row that has NaN or plus infinity, or nothing but minus infinity, becomes NaN.
///
/// # Shapes
/// - `x` and output: `[rows, width]` = `shape`
///
/// # Panics
/// If the length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax;
///
/// let y = softmax::log_forward(&[1000.0, 1000.0], [1, 2]);
/// assert!((y[0] + 2f32.ln()).abs() < 1e-6);
/// ```
pub fn log_forward(x: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let [rows, width] = shape;
    check_len("softmax::log_forward", "x", x.len(), rows * width);
    by_rows(shape, cost(shape), |own, y| log_rows(&x[own], width, y))
}

/// The gradient of [`log_forward`] from its output `y`.
///
/// ```text
/// dx[j] = dy[j] - exp(y[j]) sum over k of dy[k]
/// ```
///
/// # Shapes
/// - `y`, `grad` and output: `[rows, width]` = `shape`
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax;
///
/// let y = softmax::log_forward(&[0.0, 0.0], [1, 2]);
/// assert_eq!(softmax::log_backward(&y, &[1.0, 0.0], [1, 2]), [0.5, -0.5]);
/// ```
pub fn log_backward(y: &[f32], grad: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let [rows, width] = shape;
    check_len("softmax::log_backward", "y", y.len(), rows * width);
    check_len("softmax::log_backward", "grad", grad.len(), rows * width);
    by_rows(shape, cost(shape), |own, dx| {
        log_slopes(&y[own.clone()], &grad[own], width, dx);
    })
}

/// The logarithm of the sum of the exponentials of every row. Its gradient is the gradient of the
/// row's number times the row's softmax.
///
/// ```text
/// y = ln(sum over k of exp(x[k]))
/// ```
///
/// Minus infinity for an empty row and one of nothing but minus infinity; infinity for a row with
/// infinity, NaN for one with NaN.
///
/// # Shapes
/// - `x`: `[rows, width]` = `shape`
/// - output: `[rows]`
///
/// # Panics
/// If the length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax::log_sum_exp;
///
/// assert_eq!(log_sum_exp(&[-1000.0, 0.0, 1000.0, 0.0], [2, 2]), [0.0, 1000.0]);
/// ```
pub fn log_sum_exp(x: &[f32], shape: [usize; 2]) -> Vec<f32> {
    let [rows, width] = shape;
    check_len("softmax::log_sum_exp", "x", x.len(), rows * width);
    // SAFETY: `log_sums` writes every number.
    unsafe {
        buffer::written(rows, |y| {
            let outs = [Rows { data: y, width: 1 }];
            par::for_rows(rows, ROWS, cost(shape), outs, |range, [y]| {
                log_sums(&x[range.start * width..range.end * width], width, y);
            });
        })
    }
}

/// A result of rows that `f` writes, given the range of their numbers.
fn by_rows(
    [rows, width]: [usize; 2],
    cost: usize,
    f: impl Fn(std::ops::Range<usize>, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    // SAFETY: the functions in this module that are given for `f` write every number.
    unsafe {
        buffer::written(rows * width, |y| {
            let outs = [Rows { data: y, width }];
            par::for_rows(rows, ROWS, cost, outs, |range, [y]| {
                f(range.start * width..range.end * width, y);
            });
        })
    }
}

vectorized! {
    fn softmax_rows(s; x: &[f32], width: usize, y: &mut [MaybeUninit<f32>]) {
        for (x, y) in x.chunks_exact(width.max(1)).zip(y.chunks_exact_mut(width.max(1))) {
            let sum = row::exp(s, x, row::largest(s, x), y);
            let factor = s.splat(1.0 / sum);
            // SAFETY: just written.
            let y = unsafe { buffer::as_written_mut(y) };
            map_in_place(s, [y], [], |[y], []| [s.mul(y, factor)]);
        }
    }
}

vectorized! {
    fn softmax_slopes(s; y: &[f32], grad: &[f32], width: usize, dx: &mut [MaybeUninit<f32>]) {
        let width = width.max(1);
        let ins = y.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((y, grad), dx) in ins.zip(dx.chunks_exact_mut(width)) {
            let zero = s.splat(0.0);
            let [sum] = fold(s, [y, grad], [0.0; 2], [zero], |[sum], [y, g]| [s.fma(y, g, sum)]);
            let sum = s.splat(s.sum(sum));
            map(s, [y, grad], [dx], |[y, g]| [s.mul(y, s.sub(g, sum))]);
        }
    }
}

vectorized! {
    fn log_rows(s; x: &[f32], width: usize, y: &mut [MaybeUninit<f32>]) {
        let width = width.max(1);
        for (x, y) in x.chunks(ROWS * width).zip(y.chunks_mut(ROWS * width)) {
            let (mut max, mut log) = ([0.0; ROWS], [1.0; ROWS]);
            for (i, x) in x.chunks_exact(width).enumerate() {
                max[i] = row::largest(s, x);
                log[i] = row::sum_exp(s, x, max[i]);
            }
            map_in_place(s, [&mut log], [], |[sum], []| [math::ln(s, sum)]);
            let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
            for ((x, y), (max, log)) in rows.zip(max.into_iter().zip(log)) {
                // One after the other: their sum would lose digits where the row is large.
                let (max, log) = (s.splat(max), s.splat(log));
                map(s, [x], [y], |[x]| [s.sub(s.sub(x, max), log)]);
            }
        }
    }
}

vectorized! {
    fn log_slopes(s; y: &[f32], grad: &[f32], width: usize, dx: &mut [MaybeUninit<f32>]) {
        let width = width.max(1);
        let ins = y.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((y, grad), dx) in ins.zip(dx.chunks_exact_mut(width)) {
            let [sum] = fold(s, [grad], [0.0], [s.splat(0.0)], |[sum], [g]| [s.add(sum, g)]);
            let sum = s.splat(-s.sum(sum));
            map(s, [y, grad], [dx], |[y, g]| [s.fma(math::exp(s, y), sum, g)]);
        }
    }
}

vectorized! {
    fn log_sums(s; x: &[f32], width: usize, y: &mut [MaybeUninit<f32>]) {
        for (chunk, y) in y.chunks_mut(ROWS).enumerate() {
            let (mut max, mut sum) = ([0.0; ROWS], [1.0; ROWS]);
            for i in 0..y.len() {
                let x = &x[(chunk * ROWS + i) * width..][..width];
                max[i] = row::largest(s, x);
                // Infinite: the numbers less infinity would be none.
                let finite = if max[i].is_finite() { max[i] } else { 0.0 };
                sum[i] = row::sum_exp(s, x, finite);
                max[i] = finite;
            }
            let (max, sum) = (&max[..y.len()], &sum[..y.len()]);
            map(s, [max, sum], [y], |[max, sum]| [s.add(math::ln(s, sum), max)]);
        }
    }
}

#[cfg(test)]
pub(crate) mod check {
    //! What the tests of this module share.

    /// Numbers that look drawn.
    pub(crate) fn wave(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin() * 4.0).collect()
    }

    /// ln of the sum of the exponentials, in double precision.
    pub(crate) fn log_sum_exp(x: &[f32]) -> f64 {
        let max = x.iter().fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(*x)));
        max + x.iter().map(|x| (f64::from(*x) - max).exp()).sum::<f64>().ln()
    }

    /// Compares.
    pub(crate) fn close(what: &str, values: &[f32], expected: &[f64]) {
        assert_eq!(values.len(), expected.len(), "{what}");
        for (at, (v, e)) in values.iter().zip(expected).enumerate() {
            let error = (f64::from(*v) - e).abs();
            assert!(error <= 2e-6 * (1.0 + e.abs()), "{what} at {at}: {v} for {e}");
        }
    }

    /// Runs with so many threads.
    pub(crate) fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
    }
}

#[cfg(test)]
mod tests {
    use super::check::{close, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    const SIZES: [[usize; 2]; 9] =
        [[1, 1], [3, 2], [17, 7], [2, 8], [33, 10], [5, 17], [2, 64], [40, 49], [2, 1000]];

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|level| {
            for [rows, width] in SIZES {
                let shape = [rows, width];
                let (x, grad) = (wave(rows * width, 1), wave(rows * width, 2));
                let (mut soft, mut log, mut sums) = (vec![], vec![], vec![]);
                let (mut of_soft, mut of_log) = (vec![], vec![]);
                for (x, g) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
                    let sum = check::log_sum_exp(x);
                    let y: Vec<f64> = x.iter().map(|x| f64::from(*x) - sum).collect();
                    let p: Vec<f64> = y.iter().map(|y| y.exp()).collect();
                    let dot: f64 = p.iter().zip(g).map(|(p, g)| p * f64::from(*g)).sum();
                    let all: f64 = g.iter().map(|g| f64::from(*g)).sum();
                    of_soft.extend(p.iter().zip(g).map(|(p, g)| p * (f64::from(*g) - dot)));
                    of_log.extend(p.iter().zip(g).map(|(p, g)| f64::from(*g) - p * all));
                    sums.push(sum);
                    soft.extend(p);
                    log.extend(y);
                }
                let what = format!("{level:?} {shape:?}");
                let y = forward(&x, shape);
                close(&format!("{what}: softmax"), &y, &soft);
                close(&format!("{what}: its gradient"), &backward(&y, &grad, shape), &of_soft);
                let y = log_forward(&x, shape);
                close(&format!("{what}: logarithm"), &y, &log);
                // Its sum of gradients is large beside the single ones.
                let got: Vec<f32> =
                    log_backward(&y, &grad, shape).iter().map(|g| g / 9.0).collect();
                let of_log: Vec<f64> = of_log.iter().map(|g| g / 9.0).collect();
                close(&format!("{what}: its gradient"), &got, &of_log);
                close(&format!("{what}: sums"), &log_sum_exp(&x, shape), &sums);
            }
        });
    }

    #[test]
    fn rows_of_what_is_no_number_and_of_infinities() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        at_every_level(|_| {
            for width in [3, 8, 20, 35] {
                let mut x = wave(6 * width, 1);
                x[width + width / 2] = nan;
                x[2 * width..3 * width].fill(-inf);
                x[3 * width + 1] = inf;
                x[4 * width] = -inf;
                x[5 * width..].fill(3e38);
                let shape = [6, width];
                for y in [forward(&x, shape), log_forward(&x, shape)] {
                    for (at, y) in y.iter().enumerate() {
                        assert_eq!(y.is_nan(), (1..4).contains(&(at / width)), "{width}: {at} {y}");
                    }
                }
                let share = 1.0 / width as f32;
                assert!(forward(&x, shape)[5 * width..].iter().all(|y| (y - share).abs() < 1e-7));
                assert_eq!(forward(&x, shape)[4 * width], 0.0);
                assert_eq!(log_forward(&x, shape)[4 * width], -inf);
                let sums = log_sum_exp(&x, shape);
                assert!(sums[0].is_finite() && sums[1].is_nan() && sums[4].is_finite());
                assert_eq!((sums[2], sums[3], sums[5]), (-inf, inf, 3e38));
            }
        });
    }

    #[test]
    fn large_numbers_keep_the_digits_of_their_differences() {
        at_every_level(|_| {
            let near: Vec<f32> = (0..20).map(|i| i as f32 * 0.25).collect();
            let far: Vec<f32> = near.iter().map(|x| x + 65536.0).collect();
            assert_eq!(forward(&near, [1, 20]), forward(&far, [1, 20]));
            assert_eq!(log_forward(&near, [1, 20]), log_forward(&far, [1, 20]));
        });
    }

    #[test]
    fn nothing_at_all() {
        assert_eq!(forward(&[], [0, 3]), []);
        assert_eq!(log_forward(&[], [2, 0]), []);
        assert_eq!(backward(&[], &[], [3, 0]), []);
        assert_eq!(log_backward(&[], &[], [0, 0]), []);
        assert_eq!(log_sum_exp(&[], [2, 0]), [f32::NEG_INFINITY; 2]);
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            let shape = [4001, 37];
            let (x, grad) = (wave(4001 * 37, 1), wave(4001 * 37, 2));
            let run = |threads| {
                with_threads(threads, || {
                    let (y, log) = (forward(&x, shape), log_forward(&x, shape));
                    let (a, b) = (backward(&y, &grad, shape), log_backward(&log, &grad, shape));
                    [y, log, a, b, log_sum_exp(&x, shape)]
                })
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3));
        });
    }

    #[test]
    #[should_panic(expected = "softmax::forward: x of 5 numbers, expected 6")]
    fn lengths_must_fit() {
        forward(&[0.0; 5], [2, 3]);
    }
}
