//! Steps of optimisers, in place.

use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{map_in_place, vectorized};

/// The numbers of one step of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the first and of the second moment.
    pub betas: (f32, f32),
    /// What is added to the root of the second moment.
    pub eps: f32,
    /// Coupled decay: this times the weight is added to the gradient.
    pub l2: f32,
    /// Decoupled decay: the weight is multiplied by 1 minus this times the learning rate.
    pub decay: f32,
    /// The factor of the gradient (of clipping; else 1).
    pub scale: f32,
    /// The number of this step, from 1.
    pub step: u32,
}

/// One step of Adam or `AdamW`.
///
/// ```text
/// g <- scale g + l2 w
/// m <- b1 m + (1 - b1) g               v <- b2 v + (1 - b2) g^2
/// w <- w (1 - lr decay) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// ```
///
/// # Source
/// Kingma and Ba, arXiv:1412.6980; decoupled decay: Loshchilov and Hutter, arXiv:1711.05101.
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::optim::{AdamStep, adam};
///
/// let step = AdamStep {
///     lr: 0.1, betas: (0.9, 0.999), eps: 1e-8, l2: 0.0, decay: 0.0, scale: 1.0, step: 1,
/// };
/// let (mut w, mut m, mut v) = ([1.0], [0.0], [0.0]);
/// adam(step, &mut w, &mut m, &mut v, &[3.0]);
/// assert!((w[0] - 0.9).abs() < 1e-6);
/// ```
pub fn adam(step: AdamStep, w: &mut [f32], m: &mut [f32], v: &mut [f32], grad: &[f32]) {
    let (len, of) = (w.len(), grad.len());
    assert_eq!(len, of, "adam: {len} weights and {of} gradients");
    assert!(m.len() == len && v.len() == len, "adam: {len} weights and other moments");
    let rows = |data| Rows { data: buffer::as_uninit(data), width: 1 };
    par::for_rows(len, 64, len / 4, [rows(w), rows(m), rows(v)], |range, [w, m, v]| {
        // SAFETY: they are slices of numbers that were divided.
        let [w, m, v] = [w, m, v].map(|part| unsafe { buffer::as_written_mut(part) });
        adam_part(step, w, m, v, &grad[range]);
    });
}

/// One step of [`adam`] for those rows of a table that have a gradient; the others, and their
/// moments, stay as they are.
///
/// A row that is seldom used moves by the learning rate when it is, as one that is used in every
/// step does. By [`adam`] it moves further the more seldom that is: its second moment decays all
/// the time, and its first goes on moving it.
///
/// # Source
/// `torch.optim.SparseAdam`.
///
/// # Panics
/// If the lengths differ, or `width` does not divide them.
///
/// # Example
/// ```
/// use pressrun_kernels::optim::{AdamStep, adam_rows};
///
/// let step = AdamStep {
///     lr: 0.1, betas: (0.9, 0.999), eps: 1e-8, l2: 0.0, decay: 0.0, scale: 1.0, step: 1,
/// };
/// let (mut w, mut m, mut v) = ([1.0; 4], [0.5; 4], [0.0; 4]);
/// adam_rows(step, 2, &mut w, &mut m, &mut v, &[3.0, 3.0, 0.0, 0.0]);
/// assert!(w[0] < 1.0 && w[2..] == [1.0; 2] && m[2..] == [0.5; 2]);
/// ```
pub fn adam_rows(
    step: AdamStep,
    width: usize,
    w: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    grad: &[f32],
) {
    let (len, of) = (w.len(), grad.len());
    assert_eq!(len, of, "adam_rows: {len} weights and {of} gradients");
    assert!(m.len() == len && v.len() == len, "adam_rows: {len} weights and other moments");
    assert!(width > 0 && len.is_multiple_of(width), "adam_rows: {len} weights in rows of {width}");
    let rows = |data| Rows { data: buffer::as_uninit(data), width };
    par::for_rows(len / width, 1, len / 4, [rows(w), rows(m), rows(v)], |range, [w, m, v]| {
        // SAFETY: they are slices of numbers that were divided.
        let [w, m, v] = [w, m, v].map(|part| unsafe { buffer::as_written_mut(part) });
        let grad = grad[range.start * width..range.end * width].chunks_exact(width);
        let parts = w.chunks_exact_mut(width).zip(m.chunks_exact_mut(width));
        for (((w, m), v), grad) in parts.zip(v.chunks_exact_mut(width)).zip(grad) {
            if grad.iter().any(|g| *g != 0.0) {
                adam_part(step, w, m, v, grad);
            }
        }
    });
}

vectorized! {
    fn adam_part(s; step: AdamStep, w: &mut [f32], m: &mut [f32], v: &mut [f32], grad: &[f32]) {
        let AdamStep { lr, betas: (b1, b2), eps, l2, decay, scale, step } = step;
        let bias = |b: f32| 1.0 - f64::from(b).powi(step as i32);
        // lr / (1 - b1^t) and 1 / sqrt(1 - b2^t) once for all.
        let rate = s.splat((f64::from(lr) / bias(b1)) as f32);
        let root = s.splat((1.0 / bias(b2).sqrt()) as f32);
        let (b1, rest1) = (s.splat(b1), s.splat(1.0 - b1));
        let (b2, rest2) = (s.splat(b2), s.splat(1.0 - b2));
        let (eps, l2, scale) = (s.splat(eps), s.splat(l2), s.splat(scale));
        let kept = s.splat(1.0 - lr * decay);
        map_in_place(s, [w, m, v], [grad], |[w, m, v], [g]| {
            let g = s.fma(l2, w, s.mul(scale, g));
            let m = s.fma(b1, m, s.mul(rest1, g));
            let v = s.fma(b2, v, s.mul(rest2, s.mul(g, g)));
            let divisor = s.fma(s.sqrt(v), root, eps);
            let moved = s.div(s.mul(rate, m), divisor);
            [s.sub(s.mul(w, kept), moved), m, v]
        });
    }
}

/// The numbers of one step of gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f32,
    /// Share of the last movement that is kept.
    pub momentum: f32,
    /// Whether the gradient is looked up ahead (Nesterov).
    pub nesterov: bool,
    /// Coupled decay: this times the weight is added to the gradient.
    pub l2: f32,
    /// The factor of the gradient (of clipping; else 1).
    pub scale: f32,
}

/// One step of gradient descent with momentum, as `torch.optim.SGD` without dampening.
///
/// ```text
/// g <- scale g + l2 w        m <- momentum m + g
/// w <- w - lr m              (Nesterov: w - lr (g + momentum m))
/// ```
///
/// # Panics
/// If the lengths differ. Without momentum `m` is not read and may be empty.
///
/// # Example
/// ```
/// use pressrun_kernels::optim::{SgdStep, sgd};
///
/// let step = SgdStep { lr: 0.1, momentum: 0.0, nesterov: false, l2: 0.0, scale: 1.0 };
/// let mut w = [1.0];
/// sgd(step, &mut w, &mut [], &[2.0]);
/// assert!((w[0] - 0.8).abs() < 1e-6);
/// ```
pub fn sgd(step: SgdStep, w: &mut [f32], m: &mut [f32], grad: &[f32]) {
    let (len, of) = (w.len(), grad.len());
    assert_eq!(len, of, "sgd: {len} weights and {of} gradients");
    if step.momentum == 0.0 {
        return sgd_plain(step, w, grad);
    }
    assert!(m.len() == len, "sgd: {len} weights and {} moments", m.len());
    sgd_momentum(step, w, m, grad);
}

vectorized! {
    fn sgd_plain(s; step: SgdStep, w: &mut [f32], grad: &[f32]) {
        let (lr, l2, scale) = (s.splat(step.lr), s.splat(step.l2), s.splat(step.scale));
        map_in_place(s, [w], [grad], |[w], [g]| {
            let g = s.fma(l2, w, s.mul(scale, g));
            [s.sub(w, s.mul(lr, g))]
        });
    }
}

vectorized! {
    fn sgd_momentum(s; step: SgdStep, w: &mut [f32], m: &mut [f32], grad: &[f32]) {
        let (lr, l2, scale) = (s.splat(step.lr), s.splat(step.l2), s.splat(step.scale));
        let momentum = s.splat(step.momentum);
        map_in_place(s, [w, m], [grad], |[w, m], [g]| {
            let g = s.fma(l2, w, s.mul(scale, g));
            let m = s.fma(momentum, m, g);
            let by = if step.nesterov { s.fma(momentum, m, g) } else { m };
            [s.sub(w, s.mul(lr, by)), m]
        });
    }
}

/// The sum of squares, in double precision over blocks.
///
/// # Example
/// ```
/// assert_eq!(pressrun_kernels::optim::sum_of_squares(&[3.0, 4.0]), 25.0);
/// ```
pub fn sum_of_squares(values: &[f32]) -> f64 {
    vectorized! {
        fn block(s; values: &[f32]) -> f32 {
            let [sum] = crate::simd::fold(s, [values], [0.0], [s.splat(0.0)], |[sum], [x]| [s.fma(x, x, sum)]);
            s.sum(sum)
        }
    }
    values.chunks(512).map(|part| f64::from(block(part))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    fn wave(len: usize, seed: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
    }

    #[test]
    fn rows_without_a_gradient_stay() {
        at_every_level(|level| {
            let (n, width) = (40, 21);
            let step = AdamStep {
                lr: 0.1,
                betas: (0.9, 0.99),
                eps: 1e-6,
                l2: 0.1,
                decay: 0.0,
                scale: 0.5,
                step: 3,
            };
            let mut grad = wave(n * width, 1.0);
            (0..n).step_by(3).for_each(|i| grad[i * width..(i + 1) * width].fill(0.0));
            let before = [wave(n * width, 0.0), wave(n * width, 2.0), vec![0.5; n * width]];
            let [mut w, mut m, mut v] = before.clone();
            adam_rows(step, width, &mut w, &mut m, &mut v, &grad);
            let [mut all_w, mut all_m, mut all_v] = before.clone();
            adam(step, &mut all_w, &mut all_m, &mut all_v, &grad);
            for i in 0..n {
                let row = i * width..(i + 1) * width;
                let found = [&w, &m, &v].map(|x| &x[row.clone()]);
                let expected = if i % 3 == 0 {
                    before.each_ref().map(|x| &x[row.clone()])
                } else {
                    [&all_w, &all_m, &all_v].map(|x| &x[row.clone()])
                };
                let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
                for (found, expected) in found.iter().zip(expected) {
                    assert!(found.iter().zip(expected).all(near), "{level:?} {i}");
                }
            }
        });
    }

    /// Three steps of the definition in double precision.
    #[test]
    fn adam_equals_the_definition() {
        at_every_level(|level| {
            for (len, l2, decay, scale) in
                [(1, 0.0, 0.0, 1.0), (37, 0.3, 0.0, 0.5), (64, 0.0, 0.2, 1.0)]
            {
                let (mut w, mut m, mut v) = (wave(len, 0.0), vec![0.0; len], vec![0.0; len]);
                let mut exact: Vec<[f64; 3]> =
                    w.iter().map(|w| [f64::from(*w), 0.0, 0.0]).collect();
                for t in 1..=3u32 {
                    let grad = wave(len, t as f32);
                    let (betas, lr, eps) = ((0.9, 0.99), 0.05, 1e-6);
                    let step = AdamStep { lr, betas, eps, l2, decay, scale, step: t };
                    adam(step, &mut w, &mut m, &mut v, &grad);
                    for (e, g) in exact.iter_mut().zip(&grad) {
                        let [w, m, v] = *e;
                        let g = f64::from(*g) * f64::from(scale) + f64::from(l2) * w;
                        let (m, v) = (0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g);
                        let (mh, vh) =
                            (m / (1.0 - 0.9f64.powi(t as i32)), v / (1.0 - 0.99f64.powi(t as i32)));
                        let w =
                            w * (1.0 - 0.05 * f64::from(decay)) - 0.05 * mh / (vh.sqrt() + 1e-6);
                        *e = [w, m, v];
                    }
                }
                for (i, [e, ..]) in exact.iter().enumerate() {
                    assert!(
                        (f64::from(w[i]) - e).abs() < 2e-5,
                        "{level:?} {len} {i}: {} {e}",
                        w[i]
                    );
                }
            }
        });
    }

    #[test]
    fn descent_equals_the_definition() {
        at_every_level(|_| {
            for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
                let (mut w, mut m) = (wave(21, 0.0), vec![0.0; 21]);
                let (mut we, mut me) = (w.clone(), m.clone());
                for t in 0..3 {
                    let grad = wave(21, 1.0 + t as f32);
                    sgd(
                        SgdStep { lr: 0.1, momentum, nesterov, l2: 0.01, scale: 2.0 },
                        &mut w,
                        &mut m,
                        &grad,
                    );
                    for ((w, m), g) in we.iter_mut().zip(&mut me).zip(&grad) {
                        let g = 2.0 * g + 0.01 * *w;
                        *m = momentum * *m + g;
                        *w -= 0.1 * if nesterov { g + momentum * *m } else { *m };
                    }
                }
                assert!(w.iter().zip(&we).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        });
    }

    #[test]
    fn a_large_sum_of_squares_keeps_its_digits() {
        at_every_level(|_| {
            let sum = sum_of_squares(&vec![0.1; 3_000_001]);
            assert!((sum / (3_000_001.0 * f64::from(0.1f32).powi(2)) - 1.0).abs() < 1e-6, "{sum}");
            assert_eq!(sum_of_squares(&[]), 0.0);
        });
    }
}
