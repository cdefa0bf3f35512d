//! Loops over slices, with a last vector that is not full.

use std::mem::MaybeUninit;

use super::Simd;

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
    let mut at = 0;
    while at + S::LANES <= len {
        let y = f(ins.map(|x| s.load(&x[at..at + S::LANES])));
        for (out, y) in outs.iter_mut().zip(y) {
            s.store(&mut out[at..at + S::LANES], y);
        }
        at += S::LANES;
    }
    if at < len {
        let y = f(ins.map(|x| s.load_first(&x[at..], 0.0)));
        for (out, y) in outs.iter_mut().zip(y) {
            s.store_first(&mut out[at..], y);
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
    let mut at = 0;
    while at < len {
        let end = (at + S::LANES).min(len);
        let old = std::array::from_fn(|i| s.load_first(&values[i][at..end], 0.0));
        let new = f(old, ins.map(|x| s.load_first(&x[at..end], 0.0)));
        for (value, new) in values.iter_mut().zip(new) {
            s.store_first(crate::buffer::as_uninit(&mut value[at..end]), new);
        }
        at = end;
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
    let (mut at, mut state) = (0, start);
    while at + S::LANES <= len {
        state = f(state, ins.map(|x| s.load(&x[at..at + S::LANES])));
        at += S::LANES;
    }
    if at < len {
        state = f(state, std::array::from_fn(|i| s.load_first(&ins[i][at..], fill[i])));
    }
    state
}
