//! Loops over slices, with a last vector that is not full.
//!
//! A function given to one of these must be compiled into the loop: a call would pass every vector
//! through memory, with the instructions of the plainest processor. So each loop has one place that
//! calls it, and arrays are filled by loops and not by `<[T; N]>::map` or `array::from_fn`, which
//! are not always compiled in either.

use std::mem::MaybeUninit;

use super::Simd;

/// A vector of each slice, from `at` on; lanes beyond the end are `fill`.
#[inline(always)]
fn load<S: Simd, const N: usize>(s: S, ins: [&[f32]; N], at: usize, fill: [f32; N]) -> [S::F; N] {
    let mut values = [s.splat(0.0); N];
    if at + S::LANES <= ins.first().map_or(0, |x| x.len()) {
        for (value, x) in values.iter_mut().zip(ins) {
            *value = s.load(&x[at..at + S::LANES]);
        }
    } else {
        for ((value, x), fill) in values.iter_mut().zip(ins).zip(fill) {
            *value = s.load_first(&x[at..], fill);
        }
    }
    values
}

/// `outs[..][i] = f(ins[..][i])` for every `i`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn map<S: Simd, const N: usize, const K: usize>(
    s: S,
    ins: [&[f32]; N],
    mut outs: [&mut [MaybeUninit<f32>]; K],
    f: impl Fn([S::F; N]) -> [S::F; K],
) {
    let len = outs[0].len();
    assert!(ins.iter().all(|x| x.len() == len) && outs.iter().all(|y| y.len() == len));
    for at in (0..len).step_by(S::LANES) {
        let y = f(load(s, ins, at, [0.0; N]));
        if at + S::LANES <= len {
            for (out, y) in outs.iter_mut().zip(y) {
                s.store(&mut out[at..at + S::LANES], y);
            }
        } else {
            for (out, y) in outs.iter_mut().zip(y) {
                s.store_first(&mut out[at..], y);
            }
        }
    }
}

/// `values[..][i] = f(values[..][i], ins[..][i])` for every `i`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn map_in_place<S: Simd, const N: usize, const K: usize>(
    s: S,
    mut values: [&mut [f32]; K],
    ins: [&[f32]; N],
    f: impl Fn([S::F; K], [S::F; N]) -> [S::F; K],
) {
    let len = values[0].len();
    assert!(ins.iter().all(|x| x.len() == len) && values.iter().all(|y| y.len() == len));
    for at in (0..len).step_by(S::LANES) {
        let end = (at + S::LANES).min(len);
        let mut old = [s.splat(0.0); K];
        for (old, value) in old.iter_mut().zip(&values) {
            *old = s.load_first(&value[at..end], 0.0);
        }
        let new = f(old, load(s, ins, at, [0.0; N]));
        for (value, new) in values.iter_mut().zip(new) {
            s.store_first(crate::buffer::as_uninit(&mut value[at..end]), new);
        }
    }
}

/// Folds every vector of the slices into the accumulators. Lanes beyond the end read `fill`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn fold<S: Simd, const N: usize, const K: usize>(
    s: S,
    ins: [&[f32]; N],
    fill: [f32; N],
    start: [S::F; K],
    f: impl Fn([S::F; K], [S::F; N]) -> [S::F; K],
) -> [S::F; K] {
    let len = ins[0].len();
    assert!(ins.iter().all(|x| x.len() == len));
    let mut state = start;
    for at in (0..len).step_by(S::LANES) {
        state = f(state, load(s, ins, at, fill));
    }
    state
}

/// The mask of the first `n` lanes.
#[inline(always)]
pub(crate) fn first_lanes<S: Simd>(s: S, n: usize) -> S::M {
    const LANE: [f32; 16] = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];
    s.lt(s.load(&LANE), s.splat(n as f32))
}

/// Sums of `f` over the slices, in four chains of additions; lanes beyond the end do not count.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub(crate) fn sums<S: Simd, const N: usize, const K: usize>(
    s: S,
    ins: [&[f32]; N],
    f: impl Fn([S::F; N]) -> [S::F; K],
) -> [f32; K] {
    let (zero, len) = (s.splat(0.0), ins[0].len());
    assert!(ins.iter().all(|x| x.len() == len));
    let mut chains = [[zero; K]; 4];
    for first in (0..len).step_by(4 * S::LANES) {
        for (c, chain) in chains.iter_mut().enumerate() {
            let at = first + c * S::LANES;
            let (full, mut x) = (at + S::LANES <= len, [zero; N]);
            for (x, from) in x.iter_mut().zip(ins) {
                *x = if full {
                    s.load(&from[at..at + S::LANES])
                } else {
                    s.load_first(&from[at.min(len)..], 0.0)
                };
            }
            // The only call, so that it is compiled in.
            let terms = f(x);
            for (sum, term) in chain.iter_mut().zip(terms) {
                *sum = if full {
                    s.add(*sum, term)
                } else {
                    let mask = first_lanes(s, len.saturating_sub(at));
                    s.add(*sum, s.select(mask, term, zero))
                };
            }
        }
    }
    let [mut total, b, c, d] = chains;
    let mut out = [0.0; K];
    for (k, out) in out.iter_mut().enumerate() {
        total[k] = s.add(s.add(total[k], b[k]), s.add(c[k], d[k]));
        *out = s.sum(total[k]);
    }
    out
}
