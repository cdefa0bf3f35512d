//! The loops over bags.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::Bags;
use crate::simd::{Simd, vectorized};

/// Vectors of a row that are summed at a time: they stay in registers over a whole bag.
const TILE: usize = 8;

vectorized! {
    /// Writes the sum of each bag. Indices have been checked.
    pub(super) fn sums(
        s;
        table: &[f32],
        width: usize,
        bags: Bags<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        if width == 0 {
            return;
        }
        for (ends, out) in bags.offsets.windows(2).zip(out.chunks_exact_mut(width)) {
            let indices = &bags.indices[ends[0]..ends[1]];
            let weights = &bags.weights[ends[0]..ends[1]];
            let mut at = 0;
            while width - at >= TILE * S::LANES {
                sum::<S, TILE>(s, table, width, at, indices, weights, &mut out[at..]);
                at += TILE * S::LANES;
            }
            while at < width {
                sum::<S, 1>(s, table, width, at, indices, weights, &mut out[at..]);
                at += S::LANES;
            }
        }
    }
}

/// The sum of `K` vectors of the rows, from a column on; one may reach beyond the row's end.
#[inline(always)]
fn sum<S: Simd, const K: usize>(
    s: S,
    table: &[f32],
    width: usize,
    at: usize,
    indices: &[u32],
    weights: &[f32],
    out: &mut [MaybeUninit<f32>],
) {
    let mut sums = [s.splat(0.0); K];
    let many = width - at >= K * S::LANES;
    for (index, weight) in indices.iter().zip(weights) {
        let row = &table[*index as usize * width + at..(*index as usize + 1) * width];
        let weight = s.splat(*weight);
        for (j, sum) in sums.iter_mut().enumerate() {
            let x = if many { s.load(&row[j * S::LANES..]) } else { s.load_first(row, 0.0) };
            *sum = s.fma(weight, x, *sum);
        }
    }
    for (j, sum) in sums.into_iter().enumerate() {
        s.store_first(&mut out[j * S::LANES..], sum);
    }
}

vectorized! {
    /// Adds a row times a factor. The compiler makes vectors of the loop.
    pub(super) fn add_bytes(_s; sum: &mut [f32], row: &[i8], factor: f32) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += factor * f32::from(*x);
        }
    }
}

/// Adds each bag's gradient, times the weights, to the columns of its rows of the table.
///
/// # Safety
/// The table has been written, has a row for every index, outlives the call, and no other thread
/// has the same columns of it.
pub(super) unsafe fn scatter(
    table: *mut f32,
    width: usize,
    columns: Range<usize>,
    grad: &[f32],
    bags: Bags<'_>,
) {
    assert!(columns.end <= width && grad.len() == bags.len() * width);
    scatter_checked(table, width, columns, grad, bags);
}

vectorized! {
    fn scatter_checked(
        s;
        table: *mut f32,
        width: usize,
        columns: Range<usize>,
        grad: &[f32],
        bags: Bags<'_>,
    ) {
        for (b, ends) in bags.offsets.windows(2).enumerate() {
            let indices = &bags.indices[ends[0]..ends[1]];
            let weights = &bags.weights[ends[0]..ends[1]];
            let grad = &grad[b * width..(b + 1) * width];
            let mut at = columns.start;
            // SAFETY: the promises of `scatter`.
            unsafe {
                while columns.end - at >= TILE * S::LANES {
                    add::<S, TILE>(s, table.add(at), width, &grad[at..], indices, weights);
                    at += TILE * S::LANES;
                }
                while at < columns.end {
                    let grad = &grad[at..columns.end];
                    add::<S, 1>(s, table.add(at), width, grad, indices, weights);
                    at += S::LANES;
                }
            }
        }
    }
}

/// Adds `K` vectors to the rows; one may reach beyond the end of `grad`.
///
/// # Safety
/// `table` points to a column of the first row; the indices are rows of it.
#[inline(always)]
unsafe fn add<S: Simd, const K: usize>(
    s: S,
    table: *mut f32,
    width: usize,
    grad: &[f32],
    indices: &[u32],
    weights: &[f32],
) {
    let many = grad.len() >= K * S::LANES;
    let mut parts = [s.splat(0.0); K];
    for (j, part) in parts.iter_mut().enumerate() {
        *part = s.load_first(&grad[j * S::LANES..], 0.0);
    }
    for (index, weight) in indices.iter().zip(weights) {
        let weight = s.splat(*weight);
        // SAFETY: the caller's promise.
        unsafe {
            let row = table.add(*index as usize * width);
            for (j, part) in parts.iter().enumerate() {
                let to = row.add(j * S::LANES);
                if many {
                    s.store_ptr(to, s.fma(weight, *part, s.load_ptr(to)));
                } else {
                    let sum = s.fma(weight, *part, s.load_ptr_first(to, grad.len()));
                    s.store_ptr_first(to, grad.len(), sum);
                }
            }
        }
    }
}
