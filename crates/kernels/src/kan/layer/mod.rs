//! What the layers share: blocks of features, products, threads.
//!
//! Forward, rows of the batch are divided among threads; backward, inputs are: so every number of
//! the gradients of weights and of a basis's parameters is one thread's, summed in order of rows.

mod backward;

use std::mem::MaybeUninit;
use std::ops::Range;

pub(super) use backward::{Backward, features_backward};

use super::Size;
use super::operand::{Begin, Operand, Part};
use crate::matrix::{Mat, MatMut};
use crate::simd::{Simd, transpose, vectorized};
use crate::{buffer, par};

/// Rows of a block forward: as many as keep its features in the second-level cache.
const ROWS_FORWARD: usize = 144;
/// Rows of a block backward, a multiple of a panel's columns at every level.
const ROWS: usize = 256;
/// Features of a block, roughly.
const FEATURES: usize = 256;
/// Most inputs of a block.
const MOST_INPUTS: usize = 64;
/// Numbers of the widest vector: rows of a block are filled up to a multiple.
const LANES: usize = 16;

/// Some inputs of some rows, transposed: input `j` of row `r` at `x[j * ld + r]`. Rows up to `ld`, a
/// multiple of [`LANES`], are 0.
#[derive(Clone, Copy)]
pub(in crate::kan) struct Block<'a> {
    pub(in crate::kan) x: &'a [f32],
    /// First input, their number, and that of rows.
    pub(in crate::kan) first: usize,
    pub(in crate::kan) count: usize,
    pub(in crate::kan) rows: usize,
    pub(in crate::kan) ld: usize,
}

/// Where gradients of a block go.
pub(in crate::kan) struct Folded<'a> {
    /// Of the inputs, `input_row` apart.
    pub(in crate::kan) input: Option<&'a mut [MaybeUninit<f32>]>,
    pub(in crate::kan) input_row: usize,
    /// Of the basis's parameter of each input, to add to.
    pub(in crate::kan) parameter: Option<&'a mut [f32]>,
}

/// Features of one number.
pub(in crate::kan) trait Basis: Sync {
    /// Whether [`Basis::fold`] reads the features.
    const FOLD_READS_FEATURES: bool;

    /// How many.
    fn per_input(&self) -> usize;
    /// Nanoseconds of a thread for the features of one number, roughly.
    fn cost(&self) -> usize;
    /// Writes feature `f` of input `j` and row `r` to `features[(j * per_input + f) * ld + r]`, all
    /// up to `ld`.
    fn write(&self, block: Block<'_>, features: &mut [MaybeUninit<f32>]);
    /// Gradients from those of the features, which lie `rows` apart.
    fn fold(&self, block: Block<'_>, features: &[f32], d_features: &[f32], out: Folded<'_>);
}

/// The length of a row of a block.
fn padded(rows: usize) -> usize {
    rows.next_multiple_of(LANES)
}

/// Inputs of a block.
fn inputs_of_block(basis: &impl Basis) -> usize {
    (FEATURES / basis.per_input()).clamp(1, MOST_INPUTS)
}

/// The vector of `row` at `at`, of which only lanes before its end are read.
#[inline(always)]
pub(in crate::kan) fn load<S: Simd>(s: S, row: &[f32], at: usize) -> S::F {
    s.load_first(&row[at..row.len().min(at + S::LANES)], 0.0)
}

/// Fills rows of a block of features from `first` on with 0.
#[inline(always)]
pub(in crate::kan) fn fill_rest(features: &mut [MaybeUninit<f32>], ld: usize, first: usize) {
    if first < ld {
        for row in features.chunks_exact_mut(ld) {
            row[first..].fill(MaybeUninit::new(0.0));
        }
    }
}

/// Panics with a message if a length is wrong.
pub(in crate::kan) fn expect(function: &str, what: &str, len: usize, expected: usize) {
    assert!(len == expected, "{function}: {what} has {len} numbers, expected {expected}");
}

/// A block of `x: [.., inputs]`, whose first row is `x`'s, in `xt`.
fn block<'a>(
    x: &[f32],
    inputs: usize,
    columns: Range<usize>,
    [rows, ld]: [usize; 2],
    xt: &'a mut [MaybeUninit<f32>],
) -> Block<'a> {
    let (first, count) = (columns.start, columns.len());
    let xt = &mut xt[..count * ld];
    if rows > 0 && count > 0 {
        transpose(&x[first..], inputs, [rows, count], xt, ld);
    }
    for row in xt.chunks_exact_mut(ld.max(1)) {
        row[rows..].fill(MaybeUninit::new(0.0));
    }
    // SAFETY: transposed, and the rest filled.
    Block { x: unsafe { buffer::as_written(xt) }, first, count, rows, ld }
}

/// `F(x) W + b`; the lengths have been checked.
pub(in crate::kan) fn forward(
    basis: &impl Basis,
    size: Size,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let Size { rows, inputs, outputs } = size;
    let weight = Mat::new(weight, inputs * basis.per_input(), outputs);
    let products = rows * weight.rows * outputs / 40;
    let cost = rows * inputs * basis.cost() + products;
    // SAFETY: every row is written by `forward_rows`.
    unsafe {
        buffer::written(rows * outputs, |y| {
            Operand::with(weight, |weight| {
                let y = par::Rows { data: y, width: outputs };
                par::for_rows(rows, LANES, cost, [y], |range, [y]| {
                    let x = &x[range.start * inputs..range.end * inputs];
                    forward_rows(basis, Size { rows: range.len(), ..size }, x, weight, bias, y);
                });
            });
        })
    }
}

/// A thread's rows.
fn forward_rows(
    basis: &impl Basis,
    size: Size,
    x: &[f32],
    weight: &Operand<'_>,
    bias: Option<&[f32]>,
    y: &mut [MaybeUninit<f32>],
) {
    let Size { rows, inputs, outputs } = size;
    let (per_input, step) = (basis.per_input(), inputs_of_block(basis));
    for first_row in (0..rows).step_by(ROWS_FORWARD) {
        let n = ROWS_FORWARD.min(rows - first_row);
        // An odd number of lines: a power of two would put a column of the block into few sets of
        // the cache.
        let ld = padded(n) + if (padded(n) / LANES).is_multiple_of(2) { LANES } else { 0 };
        let x = &x[first_row * inputs..];
        let y = &mut y[first_row * outputs..][..n * outputs];
        buffer::scratch(step * (1 + per_input) * ld, |memory| {
            let (xt, features) = memory.split_at_mut(step * ld);
            // Without inputs there is still the bias to write.
            for first in (0..inputs.max(1)).step_by(step) {
                let block = block(x, inputs, first..inputs.min(first + step), [n, ld], xt);
                let features = &mut features[..block.count * per_input * ld];
                basis.write(block, features);
                // SAFETY: `write` writes all of it.
                let features = unsafe { buffer::as_written(features) };
                let begin = match bias {
                    _ if first > 0 => Begin::Itself,
                    Some(bias) => Begin::Bias(bias),
                    None => Begin::Zero,
                };
                let a = Mat::strided(features, [n, block.count * per_input], [1, ld]);
                let part = Part { a, inner: first * per_input, columns: 0..outputs, begin };
                // SAFETY: the first block has written it.
                unsafe { weight.multiply(part, MatMut::strided(y, [n, outputs], outputs)) };
            }
        });
    }
}

/// All features, `[rows, inputs * per_input]`; the lengths have been checked.
pub(in crate::kan) fn features(
    basis: &impl Basis,
    rows: usize,
    inputs: usize,
    x: &[f32],
) -> Vec<f32> {
    let (per_input, all) = (basis.per_input(), inputs * basis.per_input());
    let step = inputs_of_block(basis);
    let cost = rows * inputs * 2 * basis.cost();
    let write = |x: &[f32], n: usize, out: &mut [MaybeUninit<f32>]| {
        let ld = padded(n);
        buffer::scratch(step * (1 + per_input) * ld, |memory| {
            let (xt, features) = memory.split_at_mut(step * ld);
            for first in (0..inputs).step_by(step) {
                let block = block(x, inputs, first..inputs.min(first + step), [n, ld], xt);
                let features = &mut features[..block.count * per_input * ld];
                basis.write(block, features);
                // SAFETY: `write` writes all of it.
                let features = unsafe { buffer::as_written(features) };
                let out = &mut out[first * per_input..];
                transpose(features, ld, [block.count * per_input, n], out, all);
            }
        });
    };
    // SAFETY: every row is written.
    unsafe {
        buffer::written(rows * all, |out| {
            let outs = [par::Rows { data: out, width: all }];
            par::for_rows(rows, LANES, cost, outs, |range, [out]| {
                for (block, out) in out.chunks_mut((64 * all).max(1)).enumerate() {
                    let x = &x[(range.start + block * 64) * inputs..];
                    write(x, out.len() / all, out);
                }
            });
        })
    }
}

/// The sum of each of `cols` columns: that of rows in blocks, so that many rows lose few digits.
pub(crate) fn column_sums(x: &[f32], cols: usize) -> Vec<f32> {
    vectorized! {
        fn sums(s; x: &[f32], cols: usize, first: usize, out: &mut [MaybeUninit<f32>]) {
            for (v, out) in out.chunks_mut(S::LANES).enumerate() {
                let first = first + v * S::LANES;
                let mut total = s.splat(0.0);
                for block in x.chunks(256 * cols) {
                    let mut sum = s.splat(0.0);
                    for row in block.chunks_exact(cols) {
                        sum = s.add(sum, s.load_first(&row[first..first + out.len()], 0.0));
                    }
                    total = s.add(total, sum);
                }
                s.store_first(out, total);
            }
        }
    }
    // SAFETY: every column is written.
    unsafe {
        buffer::written(cols, |out| {
            let outs = [par::Rows { data: out, width: 1 }];
            par::for_rows(cols, LANES, x.len() / 8, outs, |range, [out]| {
                sums(x, cols, range.start, out);
            });
        })
    }
}

/// Panics with a message if an input or the weights of a layer have a wrong length.
pub(in crate::kan) fn check(
    function: &str,
    basis: &impl Basis,
    size: Size,
    x: &[f32],
    weight: &[f32],
) {
    expect(function, "x", x.len(), size.rows * size.inputs);
    let weights = size.inputs * basis.per_input() * size.outputs;
    expect(function, "weight", weight.len(), weights);
}
