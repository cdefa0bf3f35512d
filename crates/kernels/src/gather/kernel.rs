//! The loops over rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::simd::{Simd, fold, map, vectorized};

vectorized! {
    /// Writes the rows that the indices name. Indices have been checked.
    pub(crate) fn gather(
        s;
        table: &[f32],
        width: usize,
        indices: &[i64],
        weights: Option<&[f32]>,
        out: &mut [MaybeUninit<f32>],
    ) {
        if width == 0 {
            return;
        }
        if width == 1 && weights.is_none() {
            // A vector with one number in it would cost several times as much.
            for (index, out) in indices.iter().zip(out) {
                out.write(table[*index as usize]);
            }
            return;
        }
        let rows = indices.iter().zip(out.chunks_exact_mut(width)).enumerate();
        for (i, (index, out)) in rows {
            let row = &table[*index as usize * width..][..width];
            match weights {
                Some(weights) => {
                    let weight = s.splat(weights[i]);
                    map(s, [row], [out], |[x]| [s.mul(weight, x)]);
                }
                None => map(s, [row], [out], |[x]| [x]),
            }
        }
    }
}

vectorized! {
    /// Writes the inner product of each row with the row of the table that its index names.
    pub(crate) fn dots(
        s;
        rows: &[f32],
        table: &[f32],
        width: usize,
        indices: &[i64],
        out: &mut [MaybeUninit<f32>],
    ) {
        for (i, (index, out)) in indices.iter().zip(out).enumerate() {
            let other = &table[*index as usize * width..][..width];
            out.write(dot(s, &rows[i * width..][..width], other));
        }
    }
}

/// The inner product of two rows.
#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let [sum] = fold(s, [a, b], [0.0; 2], [s.splat(0.0)], |[sum], [a, b]| [s.fma(a, b, sum)]);
    s.sum(sum)
}

/// Rows of a result, of which threads write different columns or rows.
pub(crate) struct Shared {
    out: *mut f32,
    len: usize,
    width: usize,
}

// SAFETY: `scatter`'s caller gives threads shares that do not overlap.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(out: &mut [MaybeUninit<f32>], width: usize) -> Self {
        Self { out: out.as_mut_ptr().cast(), len: out.len(), width }
    }
}

/// Adds the rows that go to these targets to the targets' columns.
///
/// # Safety
/// The result has been written, outlives the call, and no other thread has the same columns of the
/// same targets.
pub(crate) unsafe fn scatter(
    shared: &Shared,
    columns: Range<usize>,
    targets: Range<usize>,
    rows: &[f32],
    indices: &[i64],
    weights: Option<&[f32]>,
) {
    let width = shared.width;
    assert!(columns.end <= width && targets.end * width <= shared.len);
    assert!(rows.len() == indices.len() * width);
    assert!(weights.is_none_or(|weights| weights.len() == indices.len()));
    if !columns.is_empty() {
        scatter_checked(shared, columns, targets, rows, indices, weights);
    }
}

vectorized! {
    fn scatter_checked(
        s;
        shared: &Shared,
        columns: Range<usize>,
        targets: Range<usize>,
        rows: &[f32],
        indices: &[i64],
        weights: Option<&[f32]>,
    ) {
        let width = shared.width;
        let (full, tail) = (columns.len() / S::LANES, columns.len() % S::LANES);
        let first = columns.start;
        // SAFETY: (all of the function) the caller has checked that the targets' columns lie within
        // the result and the rows' within `rows`, and promises that they are its own; a target
        // outside of `targets` is passed over.
        unsafe {
            let many = targets.len() as u64;
            for (i, index) in indices.iter().enumerate() {
                let target = (*index as u64).wrapping_sub(targets.start as u64);
                if target >= many {
                    continue;
                }
                let mut out = shared.out.add(*index as usize * width + first);
                let mut row = rows.as_ptr().add(i * width + first);
                let weight = weights.map(|weights| s.splat(*weights.get_unchecked(i)));
                let sum = |old, x| match weight {
                    Some(weight) => s.fma(weight, x, old),
                    None => s.add(old, x),
                };
                for _ in 0..full {
                    s.store_ptr(out, sum(s.load_ptr(out), s.load_ptr(row)));
                    out = out.add(S::LANES);
                    row = row.add(S::LANES);
                }
                if tail > 0 {
                    let (old, x) = (s.load_ptr_first(out, tail), s.load_ptr_first(row, tail));
                    s.store_ptr_first(out, tail, sum(old, x));
                }
            }
        }
    }
}
