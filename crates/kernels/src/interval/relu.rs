//! The rectifier, which is monotone: ends map to ends.

use std::mem::MaybeUninit;

use super::{Bounds, Ends, expect};
use crate::simd::{Simd, map, vectorized};
use crate::{buffer, par};

/// `max(x, 0)` of a box in centre and radius form.
///
/// ```text
/// l = max(c - r, 0),  u = max(c + r, 0)
/// c' = (u + l) / 2,   r' = (u - l) / 2
/// ```
///
/// # Shapes
/// - `center`, `radius`, output: the same
///
/// # Source
/// See the module.
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::relu;
///
/// let bounds = relu(&[0.0, 3.0, -3.0], &[2.0, 1.0, 1.0]);
/// assert_eq!(bounds.center, [1.0, 3.0, 0.0]);
/// assert_eq!(bounds.radius, [1.0, 1.0, 0.0]);
/// ```
pub fn relu(center: &[f32], radius: &[f32]) -> Bounds {
    expect("interval::relu", "radius", radius.len(), center.len());
    let [center, radius] = two(center.len(), |range, outs| {
        forward(&center[range.clone()], &radius[range], outs);
    });
    Bounds { center, radius }
}

/// The gradients of centres and radii from those of the output of [`relu`].
///
/// ```text
/// g_l = (dL/dc' - dL/dr') / 2 where c - r > 0, else 0
/// g_u = (dL/dc' + dL/dr') / 2 where c + r > 0, else 0
/// dL/dc = g_u + g_l,  dL/dr = g_u - g_l
/// ```
///
/// # Shapes
/// - all the same
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::relu_backward;
///
/// // Only the upper end is above 0.
/// let g = relu_backward(&[0.0], &[2.0], &[1.0], &[3.0]);
/// assert_eq!((g.center, g.radius), (vec![2.0], vec![2.0]));
/// ```
pub fn relu_backward(center: &[f32], radius: &[f32], d_center: &[f32], d_radius: &[f32]) -> Bounds {
    const NAME: &str = "interval::relu_backward";
    expect(NAME, "radius", radius.len(), center.len());
    expect(NAME, "d_center", d_center.len(), center.len());
    expect(NAME, "d_radius", d_radius.len(), center.len());
    let [center, radius] = two(center.len(), |range, outs| {
        let [c, r, d_c, d_r] =
            [center, radius, d_center, d_radius].map(|values| &values[range.clone()]);
        backward(c, r, d_c, d_r, outs);
    });
    Bounds { center, radius }
}

/// `max(x, 0)` of lower and upper ends.
///
/// ```text
/// l' = max(l, 0),  u' = max(u, 0)
/// ```
///
/// # Shapes
/// - `lower`, `upper`, output: the same
///
/// # Source
/// See the module.
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::relu_ends;
///
/// let ends = relu_ends(&[-1.0, 2.0], &[1.0, 3.0]);
/// assert_eq!((ends.lower, ends.upper), (vec![0.0, 2.0], vec![1.0, 3.0]));
/// ```
pub fn relu_ends(lower: &[f32], upper: &[f32]) -> Ends {
    expect("interval::relu_ends", "upper", upper.len(), lower.len());
    let [lower, upper] = two(lower.len(), |range, outs| {
        ends(&lower[range.clone()], &upper[range], outs);
    });
    Ends { lower, upper }
}

/// The gradients of lower and upper ends from those of the output of [`relu_ends`].
///
/// ```text
/// dL/dl = dL/dl' where l > 0, else 0,  dL/du = dL/du' where u > 0, else 0
/// ```
///
/// # Shapes
/// - all the same
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::relu_ends_backward;
///
/// let g = relu_ends_backward(&[-1.0], &[1.0], &[5.0], &[7.0]);
/// assert_eq!((g.lower, g.upper), (vec![0.0], vec![7.0]));
/// ```
pub fn relu_ends_backward(lower: &[f32], upper: &[f32], d_lower: &[f32], d_upper: &[f32]) -> Ends {
    const NAME: &str = "interval::relu_ends_backward";
    expect(NAME, "upper", upper.len(), lower.len());
    expect(NAME, "d_lower", d_lower.len(), lower.len());
    expect(NAME, "d_upper", d_upper.len(), lower.len());
    let [lower, upper] = two(lower.len(), |range, outs| {
        let [l, u, d_l, d_u] =
            [lower, upper, d_lower, d_upper].map(|values| &values[range.clone()]);
        ends_backward(l, u, d_l, d_u, outs);
    });
    Ends { lower, upper }
}

/// Two results of `len` numbers, which `f` writes part after part.
fn two(
    len: usize,
    f: impl Fn(std::ops::Range<usize>, [&mut [MaybeUninit<f32>]; 2]) + Sync,
) -> [Vec<f32>; 2] {
    // SAFETY: `f` writes every part.
    unsafe {
        buffer::written_all([len; 2], |outs| {
            let outs = outs.map(|data| par::Rows { data, width: 1 });
            par::for_rows(len, 16, len / 2, outs, |range, outs| f(range, outs));
        })
    }
}

/// `d` where `x > 0`, or is NaN, else 0.
#[inline(always)]
fn gate<S: Simd>(s: S, x: S::F, d: S::F) -> S::F {
    let zero = s.splat(0.0);
    s.select(s.le(x, zero), zero, d)
}

vectorized! {
    fn forward(s; center: &[f32], radius: &[f32], outs: [&mut [MaybeUninit<f32>]; 2]) {
        let (zero, half) = (s.splat(0.0), s.splat(0.5));
        map(s, [center, radius], outs, |[c, r]| {
            // 0 first, so that NaN stays.
            let (l, u) = (s.max(zero, s.sub(c, r)), s.max(zero, s.add(c, r)));
            [s.mul(half, s.add(u, l)), s.mul(half, s.sub(u, l))]
        });
    }
}

vectorized! {
    fn backward(
        s; center: &[f32], radius: &[f32], d_center: &[f32], d_radius: &[f32],
        outs: [&mut [MaybeUninit<f32>]; 2]
    ) {
        let half = s.splat(0.5);
        map(s, [center, radius, d_center, d_radius], outs, |[c, r, d_c, d_r]| {
            let lower = gate(s, s.sub(c, r), s.mul(half, s.sub(d_c, d_r)));
            let upper = gate(s, s.add(c, r), s.mul(half, s.add(d_c, d_r)));
            [s.add(upper, lower), s.sub(upper, lower)]
        });
    }
}

vectorized! {
    fn ends(s; lower: &[f32], upper: &[f32], outs: [&mut [MaybeUninit<f32>]; 2]) {
        let zero = s.splat(0.0);
        map(s, [lower, upper], outs, |[l, u]| [s.max(zero, l), s.max(zero, u)]);
    }
}

vectorized! {
    fn ends_backward(
        s; lower: &[f32], upper: &[f32], d_lower: &[f32], d_upper: &[f32],
        outs: [&mut [MaybeUninit<f32>]; 2]
    ) {
        map(s, [lower, upper, d_lower, d_upper], outs, |[l, u, d_l, d_u]| {
            [gate(s, l, d_l), gate(s, u, d_u)]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    #[test]
    fn equals_the_definition() {
        at_every_level(|_| {
            for len in [0, 1, 7, 17, 33, 1000] {
                let (mut c, d_c) = (wave(len, 1), wave(len, 3));
                let r: Vec<f32> = wave(len, 2).iter().map(|r| r.abs()).collect();
                // An end at 0 exactly.
                c.iter_mut().zip(&r).step_by(5).for_each(|(c, r)| *c = *r);
                let d_r = wave(len, 4);
                let (y, g) = (relu(&c, &r), relu_backward(&c, &r, &d_c, &d_r));
                for at in 0..len {
                    let (l, u) = (c[at] - r[at], c[at] + r[at]);
                    assert_eq!(y.center[at], 0.5 * (u.max(0.0) + l.max(0.0)));
                    assert_eq!(y.radius[at], 0.5 * (u.max(0.0) - l.max(0.0)));
                    let (on_l, on_u) = (f32::from(l > 0.0), f32::from(u > 0.0));
                    let g_l = on_l * 0.5 * (d_c[at] - d_r[at]);
                    let g_u = on_u * 0.5 * (d_c[at] + d_r[at]);
                    assert_eq!((g.center[at], g.radius[at]), (g_u + g_l, g_u - g_l));
                }
                let (ends, g) = (relu_ends(&c, &r), relu_ends_backward(&c, &r, &d_c, &d_r));
                for at in 0..len {
                    assert_eq!((ends.lower[at], ends.upper[at]), (c[at].max(0.0), r[at].max(0.0)));
                    assert_eq!(g.lower[at], if c[at] > 0.0 { d_c[at] } else { 0.0 });
                    assert_eq!(g.upper[at], if r[at] > 0.0 { d_r[at] } else { 0.0 });
                }
            }
        });
    }

    #[test]
    fn what_is_no_number_stays() {
        at_every_level(|_| {
            let y = relu(&[f32::NAN, 1.0, 1.0], &[1.0, f32::INFINITY, 0.5]);
            assert!(y.center[0].is_nan() && y.radius[0].is_nan());
            assert_eq!((y.center[1], y.radius[1]), (f32::INFINITY, f32::INFINITY));
            assert_eq!((y.center[2], y.radius[2]), (1.0, 0.5));
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let x: Vec<Vec<f32>> = (0..4).map(|seed| wave(300_001, seed)).collect();
        at_every_level(|_| {
            same_with_any_threads(|| relu(&x[0], &x[1]));
            same_with_any_threads(|| relu_backward(&x[0], &x[1], &x[2], &x[3]));
        });
    }

    #[test]
    #[should_panic(expected = "interval::relu: radius has 1 numbers, expected 2")]
    fn lengths_must_fit() {
        relu(&[0.0; 2], &[0.0]);
    }
}
