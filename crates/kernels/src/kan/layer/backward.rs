//! The backward pass.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::operand::{Begin, Operand, Part};
use super::super::{Gradients, Size, Wanted};
use super::{
    Basis, Block, Folded, LANES, MOST_INPUTS, ROWS, block, column_sums, inputs_of_block, padded,
};
use crate::matrix::{Mat, MatMut};
use crate::simd::transpose;
use crate::{buffer, par};

/// A layer's backward pass, whose lengths have been checked.
pub(in crate::kan) struct Backward<'a, B> {
    pub(in crate::kan) basis: &'a B,
    pub(in crate::kan) size: Size,
    pub(in crate::kan) x: &'a [f32],
    pub(in crate::kan) weight: &'a [f32],
    pub(in crate::kan) d_output: &'a [f32],
    /// Whether the gradient of the basis's parameter is wanted.
    pub(in crate::kan) parameter: bool,
    pub(in crate::kan) wanted: Wanted,
}

impl<B: Basis> Backward<'_, B> {
    /// The gradients, and that of the parameter.
    pub(in crate::kan) fn run(&self) -> (Gradients, Option<Vec<f32>>) {
        let Size { rows, inputs, outputs } = self.size;
        let Wanted { input, weight, bias } = self.wanted;
        let bias = bias.then(|| column_sums(self.d_output, outputs));
        let folded = input || self.parameter;
        if !(weight || folded) {
            return (Gradients { bias, ..Gradients::default() }, None);
        }
        let (d_y, none) = (Mat::new(self.d_output, rows, outputs), Mat::new(&[], 0, 0));
        let (d_y, d_y_t) = (if weight { d_y } else { none }, if folded { d_y.t() } else { none });
        let per_input = self.basis.per_input();
        let out = ByInputs {
            widths: [if weight { per_input * outputs } else { 0 }, self.parameter.into()],
            input,
            step: inputs_of_block(self.basis),
            cost: rows * inputs * (2 * self.basis.cost() + 2 * per_input * outputs / 40),
        };
        let [weights, parameter, d_x] = Operand::with(d_y, |d_y| {
            Operand::with(d_y_t, |d_y_t| {
                out.fill(rows, inputs, |range, outs| self.block(d_y, d_y_t, range, outs))
            })
        });
        let weight = weight.then_some(weights);
        (
            Gradients { input: input.then_some(d_x), weight, bias },
            self.parameter.then_some(parameter),
        )
    }

    /// One block of inputs.
    fn block(
        &self,
        d_y: &Operand<'_>,
        d_y_t: &Operand<'_>,
        range: Range<usize>,
        [d_weight, parameter, d_x]: [&mut [MaybeUninit<f32>]; 3],
    ) {
        let Size { rows, inputs, outputs } = self.size;
        let of_block = range.len() * self.basis.per_input();
        let first_weight = range.start * self.basis.per_input() * outputs;
        let weight =
            Mat::new(&self.weight[first_weight..][..of_block * outputs], of_block, outputs);
        let mut fold = Fold::new(self.basis, rows, d_x, parameter);
        scratch_of_block(range.len(), of_block, rows, |xt, features, d_features| {
            // Without rows there is still a gradient of 0 to write.
            for first in (0..rows.max(1)).step_by(ROWS) {
                let n = ROWS.min(rows - first);
                let x = &self.x[first * inputs..];
                let block = block(x, inputs, range.clone(), [n, padded(n)], xt);
                let made = fold.features(block, self.wanted.weight, features);
                if self.wanted.weight {
                    let a = Mat::strided(made, [of_block, n], [block.ld, 1]);
                    let begin = if first == 0 { Begin::Zero } else { Begin::Itself };
                    let part = Part { a, inner: first, columns: 0..outputs, begin };
                    let c = MatMut::strided(d_weight, [of_block, outputs], outputs);
                    // SAFETY: the first rows have written it.
                    unsafe { d_y.multiply(part, c) };
                }
                if fold.is_wanted() {
                    let d_features = &mut d_features[..of_block * n];
                    let columns = first..first + n;
                    let part = Part { a: weight, inner: 0, columns, begin: Begin::Zero };
                    // SAFETY: begins with zeros, and is written by the product.
                    let d_features = unsafe {
                        d_y_t.multiply(part, MatMut::strided(d_features, [of_block, n], n));
                        buffer::as_written(d_features)
                    };
                    fold.add(block, first, made, d_features);
                }
            }
        });
        fold.finish();
    }
}

/// Gradients of `x` and of the basis's parameter from those of its features,
/// `[rows, inputs * per_input]`; the lengths have been checked.
pub(in crate::kan) fn features_backward<B: Basis>(
    basis: &B,
    [rows, inputs]: [usize; 2],
    x: &[f32],
    d_features: &[f32],
    [input, parameter]: [bool; 2],
) -> [Option<Vec<f32>>; 2] {
    if !(input || parameter) {
        return [None, None];
    }
    let (per_input, all) = (basis.per_input(), inputs * basis.per_input());
    let out = ByInputs {
        widths: [0, parameter.into()],
        input,
        step: inputs_of_block(basis),
        cost: rows * inputs * 2 * basis.cost(),
    };
    let [_, d_parameter, d_x] = out.fill(rows, inputs, |range, [_, parameter, d_x]| {
        let of_block = range.len() * per_input;
        let mut fold = Fold::new(basis, rows, d_x, parameter);
        scratch_of_block(range.len(), of_block, rows, |xt, features, transposed| {
            for first in (0..rows).step_by(ROWS) {
                let n = ROWS.min(rows - first);
                let block = block(&x[first * inputs..], inputs, range.clone(), [n, padded(n)], xt);
                let made = fold.features(block, false, features);
                let d_features = &d_features[first * all + range.start * per_input..];
                let transposed = &mut transposed[..of_block * n];
                transpose(d_features, all, [n, of_block], transposed, n);
                // SAFETY: the transpose fills it.
                fold.add(block, first, made, unsafe { buffer::as_written(transposed) });
            }
        });
        fold.finish();
    });
    [input.then_some(d_x), parameter.then_some(d_parameter)]
}

/// Calls `f` with scratch for a block's inputs, its features and their gradients.
fn scratch_of_block(
    count: usize,
    features: usize,
    rows: usize,
    f: impl FnOnce(&mut [MaybeUninit<f32>], &mut [MaybeUninit<f32>], &mut [MaybeUninit<f32>]),
) {
    let most = padded(rows.min(ROWS));
    buffer::scratch((count + 2 * features) * most, |memory| {
        let (xt, memory) = memory.split_at_mut(count * most);
        let (features, d_features) = memory.split_at_mut(features * most);
        f(xt, features, d_features);
    });
}

/// A block's gradients of inputs and of the basis's parameter, row block after row block.
struct Fold<'a, B> {
    basis: &'a B,
    rows: usize,
    d_x: &'a mut [MaybeUninit<f32>],
    parameter: &'a mut [MaybeUninit<f32>],
    sums: [f32; MOST_INPUTS],
}

impl<'a, B: Basis> Fold<'a, B> {
    /// Slices that are empty are not wanted.
    fn new(
        basis: &'a B,
        rows: usize,
        d_x: &'a mut [MaybeUninit<f32>],
        parameter: &'a mut [MaybeUninit<f32>],
    ) -> Self {
        Self { basis, rows, d_x, parameter, sums: [0.0; MOST_INPUTS] }
    }

    fn is_wanted(&self) -> bool {
        !(self.d_x.is_empty() && self.parameter.is_empty())
    }

    /// The block's features, if they are needed.
    fn features<'m>(
        &self,
        block: Block<'_>,
        needed: bool,
        to: &'m mut [MaybeUninit<f32>],
    ) -> &'m [f32] {
        if !(needed || B::FOLD_READS_FEATURES && self.is_wanted()) {
            return &[];
        }
        let to = &mut to[..block.count * self.basis.per_input() * block.ld];
        self.basis.write(block, to);
        // SAFETY: `write` writes all of it.
        unsafe { buffer::as_written(to) }
    }

    /// Adds what rows from `first` on give.
    fn add(&mut self, block: Block<'_>, first: usize, features: &[f32], d_features: &[f32]) {
        let wanted = !self.d_x.is_empty();
        let input = wanted.then(|| &mut self.d_x[first..]);
        let parameter = (!self.parameter.is_empty()).then_some(&mut self.sums[..block.count]);
        let out = Folded { input, input_row: self.rows, parameter };
        self.basis.fold(block, features, d_features, out);
    }

    fn finish(self) {
        for (to, sum) in self.parameter.iter_mut().zip(self.sums) {
            to.write(sum);
        }
    }
}

/// Gradients of which each input has its rows: of weights, of the parameter, and of the input.
struct ByInputs {
    widths: [usize; 2],
    input: bool,
    /// Inputs of a block.
    step: usize,
    cost: usize,
}

impl ByInputs {
    /// Makes them from what `f` writes for blocks of inputs, the last one transposed.
    fn fill(
        &self,
        rows: usize,
        inputs: usize,
        f: impl Fn(Range<usize>, [&mut [MaybeUninit<f32>]; 3]) + Sync,
    ) -> [Vec<f32>; 3] {
        let [weight, parameter] = self.widths;
        let widths = [weight, parameter, if self.input { rows } else { 0 }];
        let mut d_x = Vec::new();
        // SAFETY: `f` writes all blocks, which are all rows.
        let [weight, parameter] = unsafe {
            buffer::written_all([inputs * weight, inputs * parameter], |[weight, parameter]| {
                buffer::scratch(inputs * widths[2], |transposed| {
                    let outs = [weight, parameter, &mut *transposed];
                    let mut widths_of = widths.into_iter();
                    let outs = outs.map(|data| par::Rows {
                        data,
                        width: widths_of.next().expect("as many widths as outputs"),
                    });
                    par::for_rows(inputs, 1, self.cost, outs, |range, mut outs| {
                        for first in range.clone().step_by(self.step) {
                            let end = range.end.min(first + self.step);
                            let parts = std::array::from_fn(|i| {
                                let len = (end - first) * widths[i];
                                outs[i].split_off_mut(..len).expect("a part of each block")
                            });
                            f(first..end, parts);
                        }
                    });
                    if self.input {
                        d_x = transposed_back(buffer::as_written(transposed), rows, inputs);
                    }
                });
            })
        };
        [weight, parameter, d_x]
    }
}

/// `[inputs, rows]` as `[rows, inputs]`.
fn transposed_back(x: &[f32], rows: usize, inputs: usize) -> Vec<f32> {
    // SAFETY: every row is written.
    unsafe {
        buffer::written(rows * inputs, |out| {
            let outs = [par::Rows { data: out, width: inputs }];
            par::for_rows(rows, LANES, rows * inputs / 4, outs, |range, [out]| {
                // Few rows at a time: lines of the result stay in the cache until they are full.
                for (block, out) in out.chunks_mut((64 * inputs).max(1)).enumerate() {
                    let from = &x[range.start + block * 64..];
                    transpose(from, rows, [inputs, out.len() / inputs], out, inputs);
                }
            });
        })
    }
}
