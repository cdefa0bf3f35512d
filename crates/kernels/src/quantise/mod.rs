//! Quantisers, and gradients that pass straight through them.
//!
//! A quantiser is a staircase, whose derivative is 0 almost everywhere. The straight-through
//! estimator takes that of the identity instead where the input is inside of the quantiser's range,
//! and 0 outside, so that what has left the range is not driven further away.
//!
//! # Source
//! Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432;
//! with the window: Courbariaux et al., "Binarized Neural Networks", arXiv:1602.02830.

mod power;
mod sign;
mod uniform;

pub use power::PowerOfTwo;
pub use sign::{ScaleBy, Sign, Signs};
pub use uniform::Uniform;

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::{buffer, par};

/// What numbers are multiplied by, or the size of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale<'a> {
    /// One for all numbers.
    One(f32),
    /// One for each row.
    Rows(&'a [f32]),
    /// One for each column.
    Columns(&'a [f32]),
}

impl<'a> Scale<'a> {
    /// That of a row.
    fn at(self, row: usize) -> Step<'a> {
        match self {
            Self::One(one) => Step::Same(one),
            Self::Rows(rows) => Step::Same(rows[row]),
            Self::Columns(columns) => Step::Each(columns),
        }
    }
}

/// The scale of a part: the same for all of its numbers, or one for each.
enum Step<'a> {
    Same(f32),
    Each(&'a [f32]),
}

/// A result of `len` numbers from parts that have a step, or one step for each number: all, or
/// rows. `f` gets the part's place, and its row where there are rows.
fn by_parts(
    len: usize,
    cols: usize,
    scale: Scale<'_>,
    f: impl Fn(Range<usize>, usize, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    if let Scale::One(_) = scale {
        return by_pieces(len, 16, |range, out| f(range, 0, out));
    }
    let cols = cols.max(1);
    by_pieces(len, cols, |range, out| {
        for (row, out) in (range.start / cols..).zip(out.chunks_exact_mut(cols)) {
            f(row * cols..(row + 1) * cols, row, out);
        }
    })
}

/// A result as long as `x`, from pieces of it that begin at a multiple of `step`.
fn by_pieces(
    len: usize,
    step: usize,
    f: impl Fn(Range<usize>, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    // SAFETY: `f` writes every piece.
    unsafe {
        buffer::written(len, |out| {
            let outs = [par::Rows { data: out, width: 1 }];
            par::for_rows(len, step, len / 4, outs, |range, [out]| f(range, out));
        })
    }
}

/// Panics with a message if a length is wrong.
fn expect(function: &str, what: &str, len: usize, expected: usize) {
    assert!(len == expected, "{function}: {what} has {len} numbers, expected {expected}");
}

/// Rows of `cols` numbers.
fn rows_of(function: &str, len: usize, cols: usize) -> usize {
    assert!(
        if cols == 0 { len == 0 } else { len.is_multiple_of(cols) },
        "{function}: x has {len} numbers, expected rows of {cols}"
    );
    len.checked_div(cols).unwrap_or(0)
}

#[cfg(test)]
mod testing {
    /// Numbers between -1 and 1 without a pattern that the kernels could use.
    pub(super) fn wave(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.71 + 0.3).sin()).collect()
    }

    /// The result of `f` in a pool of each number of threads is the same.
    pub(super) fn same_with_any_threads<T: PartialEq + Send>(f: impl Fn() -> T + Sync) {
        let run = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&f)
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}
