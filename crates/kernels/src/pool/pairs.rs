//! Windows of two by two that stand side by side.
//!
//! Written as plain loops over a window's four numbers: within `vectorized!` the compiler turns the
//! steps of two into shuffles of the level's vectors.

use std::mem::MaybeUninit;

use crate::simd::vectorized;

vectorized! {
    /// Writes all windows of planes of this size.
    pub(super) fn forward(
        s; x: &[f32], size: [usize; 2], relu: bool, y: &mut [MaybeUninit<f32>]
    ) {
        let _ = s;
        let [height, width] = size;
        let columns = width / 2;
        let least = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (x, y) in x.chunks_exact(height * width).zip(y.chunks_exact_mut(height / 2 * columns)) {
            for (pair, y) in x.chunks_exact(2 * width).zip(y.chunks_exact_mut(columns)) {
                let (above, below) = pair.split_at(width);
                let windows = above.chunks_exact(2).zip(below.chunks_exact(2));
                for ((a, b), y) in windows.zip(y) {
                    let larger = later(later(a[0], a[1]), later(b[0], b[1]));
                    y.write(later(least, larger));
                }
            }
        }
    }
}

/// Whether a number is the largest; NaN is NaN.
#[inline(always)]
fn is(value: f32, largest: f32) -> bool {
    // Without branches, which the compiler would not turn into vectors.
    (value == largest) | (value.is_nan() & largest.is_nan())
}

/// The larger of two; NaN if one of them is.
#[inline(always)]
fn later(a: f32, b: f32) -> f32 {
    // `a` stays only if it is larger, or no number.
    if a > b || a.is_nan() { a } else { b }
}

vectorized! {
    /// Writes the gradients of the input.
    pub(super) fn backward(
        s; x: &[f32], size: [usize; 2], y: &[f32], grad: &[f32], relu: bool,
        dx: &mut [MaybeUninit<f32>],
    ) {
        let _ = s;
        let [height, width] = size;
        let (columns, pooled) = (width / 2, height / 2 * (width / 2));
        let planes = x.chunks_exact(height * width).zip(dx.chunks_exact_mut(height * width));
        for ((x, dx), at) in planes.zip((0..).step_by(pooled)) {
            let (y, grad) = (&y[at..at + pooled], &grad[at..at + pooled]);
            for i in 0..height / 2 {
                let (above, below) = x[2 * i * width..][..2 * width].split_at(width);
                let (to_above, to_below) = dx[2 * i * width..][..2 * width].split_at_mut(width);
                let (y, grad) = (&y[i * columns..][..columns], &grad[i * columns..][..columns]);
                let from = above.chunks_exact(2).zip(below.chunks_exact(2)).zip(y.iter().zip(grad));
                let to = to_above.chunks_exact_mut(2).zip(to_below.chunks_exact_mut(2));
                for (((a, b), (&y, &g)), (to_a, to_b)) in from.zip(to) {
                    let g = if relu && y <= 0.0 { 0.0 } else { g };
                    // The first that equals the largest takes it all.
                    let is = [is(a[0], y), is(a[1], y), is(b[0], y), is(b[1], y)];
                    to_a[0].write(if is[0] { g } else { 0.0 });
                    to_a[1].write(if is[1] & !is[0] { g } else { 0.0 });
                    let free = !(is[0] | is[1]);
                    to_b[0].write(if is[2] & free { g } else { 0.0 });
                    to_b[1].write(if is[3] & free & !is[2] { g } else { 0.0 });
                }
                if width % 2 == 1 {
                    to_above[width - 1].write(0.0);
                    to_below[width - 1].write(0.0);
                }
            }
            if height % 2 == 1 {
                dx[(height - 1) * width..].iter_mut().for_each(|v| _ = v.write(0.0));
            }
        }
    }
}
