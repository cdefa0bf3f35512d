//! Passes over one row.
//!
//! Loops are written out: a closure in a function that several kernels call is not always compiled
//! into them.

use std::mem::MaybeUninit;

use crate::buffer;
use crate::simd::{Simd, first_lanes, math};

/// The largest number that is one; minus infinity if there is none.
#[inline(always)]
pub(crate) fn largest<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut most = s.splat(f32::NEG_INFINITY);
    for x in x.chunks(S::LANES) {
        // `max` gives its second argument where the first is NaN.
        most = s.max(s.load_first(x, f32::NEG_INFINITY), most);
    }
    s.largest(most)
}

/// The sum of exp(x - max).
#[inline(always)]
pub(crate) fn sum_exp<S: Simd>(s: S, x: &[f32], max: f32) -> f32 {
    let (max, mut sum) = (s.splat(max), s.splat(0.0));
    for x in x.chunks(S::LANES) {
        sum = s.add(sum, math::exp(s, s.sub(s.load_first(x, f32::NEG_INFINITY), max)));
    }
    s.sum(sum)
}

/// The sums of exp(x - max) and of x - max.
#[inline(always)]
pub(crate) fn sum_exp_and_sum<S: Simd>(s: S, x: &[f32], max: f32) -> [f32; 2] {
    let (max, zero) = (s.splat(max), s.splat(0.0));
    let (mut sum, mut all) = (zero, zero);
    for x in x.chunks(S::LANES) {
        let less = s.sub(s.load_first(x, f32::NEG_INFINITY), max);
        sum = s.add(sum, math::exp(s, less));
        all = s.add(all, s.select(first_lanes(s, x.len()), less, zero));
    }
    [s.sum(sum), s.sum(all)]
}

/// Writes exp(x - max) and gives the sum.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: &[f32], max: f32, y: &mut [MaybeUninit<f32>]) -> f32 {
    let (max, mut sum) = (s.splat(max), s.splat(0.0));
    for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
        let e = math::exp(s, s.sub(s.load_first(x, f32::NEG_INFINITY), max));
        sum = s.add(sum, e);
        s.store_first(y, e);
    }
    s.sum(sum)
}

/// Replaces x by 2^(x - max) and gives the sum.
#[inline(always)]
pub(crate) fn exp2_in_place<S: Simd>(s: S, x: &mut [f32], max: f32) -> f32 {
    let (max, mut sum) = (s.splat(max), s.splat(0.0));
    for part in x.chunks_mut(S::LANES) {
        let e = math::exp2(s, s.sub(s.load_first(part, f32::NEG_INFINITY), max));
        sum = s.add(sum, e);
        s.store_first(buffer::as_uninit(part), e);
    }
    s.sum(sum)
}
