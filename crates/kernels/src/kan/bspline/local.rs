//! The few bases of an interval, spread to their places among all.

use std::array::from_fn;
use std::mem::MaybeUninit;

use super::super::layer::{self, Block};
use super::{Grid, MOST};
use crate::simd::{Simd, vectorized};

/// The interval that `x` is in, counted from `low`, and where in it, from 0 to 1.
#[inline(always)]
fn interval<S: Simd>(s: S, grid: &Grid, x: S::F) -> (S::F, S::F) {
    let at = s.mul(s.sub(x, s.splat(grid.low)), s.splat(grid.density()));
    // Far out is outside too, and infinity has no place within its interval. `at` second, so that
    // NaN stays.
    let most = (grid.size + grid.order + 2) as f32;
    let at = s.max(s.splat(-most), s.min(s.splat(most), at));
    let nearest = s.round(at);
    let below = s.sub(nearest, s.splat(1.0));
    let cell = s.select(s.lt(at, nearest), below, nearest);
    (cell, s.sub(at, cell))
}

/// 0, but NaN where the interval is.
#[inline(always)]
fn zero_or_nan<S: Simd>(s: S, cell: S::F) -> S::F {
    s.mul(s.abs(cell), s.splat(0.0))
}

/// The bases of order `values.len() - 1` that are not 0, where `t` is within its interval.
#[inline(always)]
fn local<S: Simd>(s: S, t: S::F, values: &mut [S::F]) {
    values[0] = s.splat(1.0);
    for d in 1..values.len() {
        let share = s.splat(1.0 / d as f32);
        // From the last on, since each needs its own old value and the one before.
        values[d] = s.mul(s.mul(t, share), values[d - 1]);
        for j in (1..d).rev() {
            let rising = s.mul(s.add(t, s.splat((d - j) as f32)), values[j - 1]);
            let falling = s.sub(s.splat((j + 1) as f32), t);
            values[j] = s.mul(s.fma(falling, values[j], rising), share);
        }
        values[0] = s.mul(s.mul(s.sub(s.splat(1.0), t), share), values[0]);
    }
}

/// The derivatives by `t` of the bases of order `slopes.len() - 1`.
#[inline(always)]
fn local_slopes<S: Simd>(s: S, t: S::F, slopes: &mut [S::F]) {
    let p = slopes.len() - 1;
    if p == 0 {
        slopes[0] = s.splat(0.0);
        return;
    }
    local(s, t, &mut slopes[..p]);
    slopes[p] = slopes[p - 1];
    for j in (1..p).rev() {
        slopes[j] = s.sub(slopes[j - 1], slopes[j]);
    }
    slopes[0] = s.neg(slopes[0]);
}

/// Calls `$f::<S, order + 1>`, so that the vectors stay in registers where the order is a common one.
macro_rules! by_order {
    ($order:expr, $f:ident($($arg:expr),*)) => {
        match $order {
            0 => $f::<S, 1>($($arg),*),
            1 => $f::<S, 2>($($arg),*),
            2 => $f::<S, 3>($($arg),*),
            3 => $f::<S, 4>($($arg),*),
            _ => $f::<S, { MOST + 1 }>($($arg),*),
        }
    };
}

vectorized! {
    pub(super) fn write(s; grid: &Grid, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        let Block { x, rows, ld, .. } = block;
        if ld == 0 {
            return;
        }
        let inputs = x.chunks_exact(ld).zip(features.chunks_exact_mut(grid.bases() * ld));
        for (x, features) in inputs {
            for at in (0..rows).step_by(S::LANES) {
                by_order!(grid.order, spread(s, grid, s.load(&x[at..]), &mut features[at..], ld));
            }
            layer::fill_rest(features, ld, rows.next_multiple_of(S::LANES));
        }
    }
}

/// Writes all bases of a vector of inputs, each `ld` after the one before.
///
/// Interval after interval, a window holds the bases that are not 0 there; lanes whose input is in
/// it take their values. No later interval has the first base of the window, which is complete.
#[inline(always)]
fn spread<S: Simd, const N: usize>(
    s: S,
    grid: &Grid,
    x: S::F,
    features: &mut [MaybeUninit<f32>],
    ld: usize,
) {
    let p = if N == MOST + 1 { grid.order } else { N - 1 };
    let (cell, t) = interval(s, grid, x);
    let mut values = [s.splat(0.0); N];
    local(s, t, &mut values[..=p]);
    let empty = zero_or_nan(s, cell);
    let mut window = [empty; N];
    for c in 0..grid.size + 2 * p {
        let here = s.eq(cell, s.splat(c as f32 - p as f32));
        window = from_fn(|j| s.select(here, values[j], window[j]));
        if c >= p {
            s.store(&mut features[(c - p) * ld..], window[0]);
        }
        window = from_fn(|j| if j + 1 < N { window[j + 1] } else { empty });
    }
}

vectorized! {
    pub(super) fn fold(
        s; grid: &Grid, block: Block<'_>, d_features: &[f32], input: &mut [MaybeUninit<f32>],
        input_row: usize
    ) {
        let Block { x, rows, ld, .. } = block;
        if rows == 0 {
            return;
        }
        let density = s.splat(grid.density());
        let inputs = x.chunks_exact(ld).zip(d_features.chunks_exact(grid.bases() * rows));
        for (j, (x, d_features)) in inputs.enumerate() {
            for at in (0..rows).step_by(S::LANES) {
                let x = s.load(&x[at..]);
                let d = by_order!(grid.order, gather(s, grid, x, d_features, [at, rows]));
                let n = S::LANES.min(rows - at);
                s.store_first(&mut input[j * input_row + at..][..n], s.mul(d, density));
            }
        }
    }
}

/// The gradient of a vector of inputs, in units of an interval: the reverse of [`spread`].
#[inline(always)]
fn gather<S: Simd, const N: usize>(
    s: S,
    grid: &Grid,
    x: S::F,
    d_features: &[f32],
    [at, rows]: [usize; 2],
) -> S::F {
    let p = if N == MOST + 1 { grid.order } else { N - 1 };
    let (cell, t) = interval(s, grid, x);
    let mut slopes = [s.splat(0.0); N];
    local_slopes(s, t, &mut slopes[..=p]);
    let mut window = [s.splat(0.0); N];
    let mut taken = [s.splat(0.0); N];
    for c in 0..grid.size + 2 * p {
        let last = match d_features.get(c * rows..(c + 1) * rows) {
            Some(row) => layer::load(s, row, at),
            None => s.splat(0.0),
        };
        window = from_fn(|j| if j < p { window[j + 1] } else { last });
        let here = s.eq(cell, s.splat(c as f32 - p as f32));
        taken = from_fn(|j| s.select(here, window[j], taken[j]));
    }
    let mut sum = zero_or_nan(s, cell);
    for (slope, taken) in slopes.into_iter().zip(taken).take(p + 1) {
        sum = s.fma(slope, taken, sum);
    }
    sum
}
