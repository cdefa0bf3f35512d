//! Binary cross-entropy of logits.

use std::mem::MaybeUninit;

use super::check_len;
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{fold, map, math, vectorized};

/// Numbers whose losses are summed in single precision.
const BLOCK: usize = 4096;

/// The mean binary cross-entropy of logits with probabilities; NaN if there is none, as a mean of
/// nothing is.
///
/// ```text
/// mean of max(x, 0) - x t + ln(1 + exp(-|x|))    = -t ln(p) - (1 - t) ln(1 - p), p = sigmoid(x)
/// ```
///
/// x: logit; t: target, as a rule 0 or 1.
///
/// # Shapes
/// - `logits`, `targets`: of one length
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::softmax::binary_cross_entropy::{mean, mean_backward};
///
/// let (logits, targets) = ([0.0, 1000.0], [1.0, 1.0]);
/// assert!((mean(&logits, &targets) - 0.5 * 2f32.ln()).abs() < 1e-6);
/// assert_eq!(mean_backward(&logits, &targets, 1.0), [-0.25, 0.0]);
/// ```
pub fn mean(logits: &[f32], targets: &[f32]) -> f32 {
    let len = logits.len();
    check_len("binary_cross_entropy::mean", "targets", targets.len(), len);
    let blocks = len.div_ceil(BLOCK);
    // SAFETY: `sum` is called for every block, and its value written.
    let sums = unsafe {
        buffer::written(blocks, |sums| {
            let parts = [Rows { data: sums, width: 1 }];
            par::for_blocks(len, BLOCK, len / 2, [], parts, |range, [], [part]| {
                part[0].write(sum(&logits[range.clone()], &targets[range]));
            });
        })
    };
    let total: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
    (total / len as f64) as f32
}

/// The gradient of the logits of [`mean`], where `grad` is the gradient of the mean.
///
/// ```text
/// dx = g (sigmoid(x) - t) / n
/// ```
///
/// n: number of logits.
///
/// # Shapes
/// - `logits`, `targets`, output: of one length
///
/// # Panics
/// If the lengths differ.
pub fn mean_backward(logits: &[f32], targets: &[f32], grad: f32) -> Vec<f32> {
    let len = logits.len();
    check_len("binary_cross_entropy::mean_backward", "targets", targets.len(), len);
    // SAFETY: `slopes` writes every number.
    unsafe {
        buffer::written(len, |dx| {
            let outs = [Rows { data: dx, width: 1 }];
            par::for_rows(len, 64, len / 2, outs, |range, [dx]| {
                slopes(&logits[range.clone()], &targets[range], grad / len as f32, dx);
            });
        })
    }
}

vectorized! {
    fn sum(s; logits: &[f32], targets: &[f32]) -> f32 {
        let zero = s.splat(0.0);
        // Beyond the end a logit whose loss is 0. Minus infinity times 0 would be no number.
        let [sum] = fold(s, [logits, targets], [-200.0, 0.0], [zero], |[sum], [x, t]| {
            let tail = math::ln_1p(s, math::exp(s, s.neg(s.abs(x))));
            // `x` second: NaN stays. The tail last: it may be small beside the other two.
            let loss = s.add(s.sub(s.max(zero, x), s.mul(x, t)), tail);
            [s.add(sum, loss)]
        });
        s.sum(sum)
    }
}

vectorized! {
    fn slopes(s; logits: &[f32], targets: &[f32], factor: f32, dx: &mut [MaybeUninit<f32>]) {
        let factor = s.splat(factor);
        map(s, [logits, targets], [dx], |[x, t]| {
            [s.mul(s.sub(math::sigmoid(s, x), t), factor)]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{close, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for len in [1, 7, 16, 33, 5000] {
                let x: Vec<f32> = wave(len, 1).iter().map(|x| x * 3.0).collect();
                let t: Vec<f32> = wave(len, 2).iter().map(|x| (x / 8.0 + 0.5).round()).collect();
                let (mut total, mut slopes) = (0.0, vec![]);
                for (x, t) in x.iter().zip(&t) {
                    let p = 1.0 / (1.0 + (-f64::from(*x)).exp());
                    let t = f64::from(*t);
                    total += if t == 1.0 { -p.ln() } else { (f64::from(*x).exp()).ln_1p() };
                    slopes.push(1.5 * (p - t) / len as f64);
                }
                close(&format!("mean of {len}"), &[mean(&x, &t)], &[total / len as f64]);
                let got = mean_backward(&x, &t, 1.5);
                close(&format!("gradient of {len}"), &got, &slopes);
            }
        });
    }

    #[test]
    fn extremes() {
        at_every_level(|_| {
            assert_eq!(mean(&[1e30, -1e30], &[1.0, 0.0]), 0.0);
            assert_eq!(mean(&[1e30], &[0.0]), 1e30);
            // The tail is not lost: exp(-50).
            assert!((mean(&[50.0], &[1.0]) / 1.928_75e-22 - 1.0).abs() < 1e-5);
            assert_eq!(mean_backward(&[1e30, -1e30], &[0.0, 1.0], 2.0), [1.0, -1.0]);
            assert!(mean(&[f32::NAN, 0.0], &[1.0, 0.0]).is_nan());
            let got = mean_backward(&[f32::NAN, 0.0], &[1.0, 0.0], 1.0);
            assert!(got[0].is_nan() && got[1] == 0.25);
            assert!(mean(&[], &[]).is_nan() && mean_backward(&[], &[], 1.0).is_empty());
        });
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        at_every_level(|_| {
            let (x, t) = (wave(200_003, 1), vec![0.25; 200_003]);
            let run =
                |threads| with_threads(threads, || (mean(&x, &t), mean_backward(&x, &t, 1.0)));
            let one = run(1);
            assert!(one == run(2) && one == run(3));
        });
    }

    #[test]
    #[should_panic(expected = "binary_cross_entropy::mean: targets of 1 numbers, expected 2")]
    fn lengths_must_fit() {
        mean(&[0.0; 2], &[0.0]);
    }
}
