//! The forward pass.

use std::f32::consts::LOG2_E;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::product::{product, row_of, rows_together};
use super::{Attention, Heads, Order, Shape, Strides};
use crate::buffer;
use crate::matrix::tile::Tile;
use crate::par::{self, Shared};
use crate::simd::{Simd, Token, map_in_place, transpose, vectorized};
use crate::softmax::row;

/// What a backward pass needs of each row of S, `[batch, heads, queries]`: its log-sum-exp, in two
/// parts because one number would lose digits where S is large. S is kept as S log2(e): powers of
/// two are cheaper.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The largest S log2(e) of the row; 0 if the query sees no key.
    pub max: Vec<f32>,
    /// 1 / sum of 2^(S log2(e) - max); 0 if the query sees no key.
    pub inv_sum: Vec<f32>,
}

/// What [`Attention::forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, in the order that was asked for.
    pub y: Vec<f32>,
    /// What [`Attention::backward`] needs.
    pub statistics: Statistics,
}

/// A forward pass whose sizes have been checked.
struct Job<'a> {
    of: &'a Attention<'a>,
    token: Token,
    q: Heads<'a>,
    k: Heads<'a>,
    v: Heads<'a>,
    /// Times log2(e).
    mask: Option<&'a [f32]>,
    y: *mut f32,
    strides: Strides,
    max: *mut f32,
    inv_sum: *mut f32,
}

impl Attention<'_> {
    /// The output for queries, keys and values in any layout.
    ///
    /// # Shapes
    /// - `q`: `queries` rows, `k` and `v`: `keys` rows, for every example and head
    /// - output: `[batch, queries, heads, width]` or `[batch, heads, queries, width]`
    ///
    /// # Panics
    /// If a slice is too short for its strides, or a mask does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::attention::{Attention, Heads, Order, Shape, Strides};
    ///
    /// let shape = Shape { batch: 1, heads: 1, queries: 2, keys: 2, width: 1 };
    /// let attention = Attention { causal: Some(0), ..Attention::new(shape) };
    /// let rows = |data| Heads::new(data, Strides::time_heads(2, 1, 1));
    /// // Equal products: the mean of the values seen.
    /// let (q, k, v) = (rows(&[0.0, 0.0]), rows(&[1.0, 2.0]), rows(&[4.0, 6.0]));
    /// assert_eq!(attention.forward(q, k, v, Order::TimeHeads).y, [4.0, 5.0]);
    /// ```
    pub fn forward(&self, q: Heads<'_>, k: Heads<'_>, v: Heads<'_>, order: Order) -> Forward {
        let Shape { batch, heads, queries, keys, width } = self.shape;
        self.check("attention::forward");
        q.check("attention::forward: q", queries, &self.shape);
        k.check("attention::forward: k", keys, &self.shape);
        v.check("attention::forward: v", keys, &self.shape);
        let mask = self.scaled_mask();
        let rows = batch * heads * queries;
        let lens = [self.shape.query_numbers(), rows, rows];
        // SAFETY: `heads` writes every number of its heads, and the ranges are all heads. Threads
        // write to different ones, and only read the rest.
        let [y, max, inv_sum] = unsafe {
            buffer::written_all(lens, |[y, max, inv_sum]| {
                let job = Shared::new(Job {
                    of: self,
                    token: Token::current(),
                    q,
                    k,
                    v,
                    mask: mask.as_deref(),
                    y: y.as_mut_ptr().cast(),
                    strides: order.strides(queries, &self.shape),
                    max: max.as_mut_ptr().cast(),
                    inv_sum: inv_sum.as_mut_ptr().cast(),
                });
                let cost = rows * keys * (width + 8) / 16;
                par::for_ranges(batch * heads, cost, |range| {
                    let row = row_of(keys);
                    let together = rows_together(row, self.causal.is_some());
                    buffer::scratch((width + together + 2) * row, |scratch| {
                        forward_heads(job.get(), range, scratch);
                    });
                });
            })
        };
        Forward { y, statistics: Statistics { max, inv_sum } }
    }
}

impl Attention<'_> {
    /// The additive mask in the base of the powers.
    pub(super) fn scaled_mask(&self) -> Option<Vec<f32>> {
        Some(self.mask?.iter().map(|x| x * LOG2_E).collect())
    }
}

vectorized! {
    /// The heads of one thread.
    fn forward_heads(s; job: &Job<'_>, range: Range<usize>, scratch: &mut [MaybeUninit<f32>]) {
        let (of, row) = (job.of, row_of(job.of.shape.keys));
        let Shape { heads, queries, width, .. } = of.shape;
        let (kt, rest) = scratch.split_at_mut(width * row);
        let (bias, rest) = rest.split_at_mut(row);
        let (factors, weights) = rest.split_at_mut(row);
        let together = weights.len() / row;
        for item in range {
            let (b, h) = (item / heads, item % heads);
            scaled_transpose(&job.k, [b, h], of, kt);
            let bias = key_bias(of, b, bias);
            for first in (0..queries).step_by(together) {
                let last = queries.min(first + together);
                let block = Block { item, queries: first..last, keys: of.visible(last - 1) };
                let row_of_q = job.q.strides.time;
                let q = job.q.head(b, h)[first * row_of_q..].as_ptr();
                let q = Rows { data: q, row: row_of_q };
                // SAFETY: the sizes have been checked, and no other thread has this head.
                unsafe {
                    scores(job.token, of, &block, q, kt, [job.mask, bias], weights);
                    weights_of(s, job, &block, weights, factors);
                    let time = job.strides.time;
                    let y = job.y.add(job.strides.start(b, h) + first * time);
                    let values = Tile {
                        a: weights.as_ptr().cast(),
                        a_row: row,
                        a_col: 1,
                        b: job.v.head(b, h).as_ptr(),
                        b_row: job.v.strides.time,
                        k: block.keys,
                        c: y,
                        c_row: time,
                        cols: width,
                        ..Tile::EMPTY
                    };
                    product(job.token, values, last - first);
                    // The weights have not been divided by their sums; the outputs are fewer.
                    for i in first..last {
                        let inv_sum = s.splat(job.inv_sum.add(item * queries + i).read());
                        let y = std::slice::from_raw_parts_mut(y.add((i - first) * time), width);
                        map_in_place(s, [y], [], |[y], []| [s.mul(y, inv_sum)]);
                    }
                }
            }
        }
    }
}

/// Queries of a head that are worked on together.
pub(super) struct Block {
    /// The head, counted through all examples.
    pub(super) item: usize,
    pub(super) queries: Range<usize>,
    /// Keys that the last query sees.
    pub(super) keys: usize,
}

/// Rows in memory that has been checked.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) data: *const f32,
    pub(super) row: usize,
}

/// Replaces the rows of S log2(e) by those of Z * P times their sums, and keeps the statistics.
///
/// # Safety
/// The rows have been written, and no other thread has this head.
#[inline(always)]
unsafe fn weights_of<S: Simd>(
    s: S,
    job: &Job<'_>,
    block: &Block,
    weights: &mut [MaybeUninit<f32>],
    factors: &mut [MaybeUninit<f32>],
) {
    let Shape { queries, keys, .. } = job.of.shape;
    let rows = weights.chunks_exact_mut(row_of(keys));
    for (i, weights) in block.queries.clone().zip(rows) {
        // SAFETY: the caller's promise.
        let weights = unsafe { buffer::as_written_mut(&mut weights[..block.keys]) };
        let (own, hidden) = weights.split_at_mut(job.of.visible(i));
        let max = row::largest(s, own);
        // Of a query that sees nothing: minus infinity less itself would be no number.
        let max = if max == f32::NEG_INFINITY { 0.0 } else { max };
        let sum = row::exp2_in_place(s, own, max);
        hidden.fill(0.0);
        let at = block.item * queries + i;
        // SAFETY: the caller's promise.
        unsafe {
            job.max.add(at).write(max);
            job.inv_sum.add(at).write(if sum == 0.0 { 0.0 } else { 1.0 / sum });
        }
        if let Some(dropout) = job.of.dropout {
            let factors = dropout.factors(at * keys, &mut factors[..own.len()]);
            map_in_place(s, [own], [factors], |[p], [z]| [s.mul(p, z)]);
        }
    }
}

/// Writes scale log2(e) K^T of a head, rows of [`row_of`] numbers.
pub(super) fn scaled_transpose(
    k: &Heads<'_>,
    [b, h]: [usize; 2],
    of: &Attention<'_>,
    to: &mut [MaybeUninit<f32>],
) {
    vectorized! {
        fn scale(s; rows: &mut [MaybeUninit<f32>], row: usize, cols: usize, factor: f32) {
            let factor = s.splat(factor);
            for to in rows.chunks_exact_mut(row) {
                // SAFETY: written by `transpose` below.
                let values = unsafe { buffer::as_written_mut(&mut to[..cols]) };
                map_in_place(s, [values], [], |[x], []| [s.mul(x, factor)]);
            }
        }
    }
    let Shape { keys, width, .. } = of.shape;
    let row = row_of(keys);
    transpose(k.head(b, h), k.strides.time, [keys, width], to, row);
    scale(to, row, keys, of.scale * LOG2_E);
}

/// 0 for the keys that can be seen and minus infinity for the others, if there is such a mask.
pub(super) fn key_bias<'a>(
    of: &Attention<'_>,
    b: usize,
    bias: &'a mut [MaybeUninit<f32>],
) -> Option<&'a [f32]> {
    let keys = of.shape.keys;
    let mask = &of.key_mask?[b * keys..(b + 1) * keys];
    for (bias, seen) in bias.iter_mut().zip(mask) {
        bias.write(if *seen { 0.0 } else { f32::NEG_INFINITY });
    }
    // SAFETY: just written.
    Some(unsafe { buffer::as_written(&bias[..keys]) })
}

/// Writes the rows of S log2(e) of a block, as many columns as the last query sees.
///
/// # Safety
/// `q` has the queries, `kt` the keys, and `to` rows for as many queries.
pub(super) unsafe fn scores(
    token: Token,
    of: &Attention<'_>,
    block: &Block,
    q: Rows,
    kt: &[MaybeUninit<f32>],
    [mask, bias]: [Option<&[f32]>; 2],
    to: &mut [MaybeUninit<f32>],
) {
    let keys = of.shape.keys;
    let null = std::ptr::null();
    let scores = Tile {
        a: q.data,
        a_row: q.row,
        a_col: 1,
        b: kt.as_ptr().cast(),
        b_row: row_of(keys),
        k: of.shape.width,
        from: mask.map_or(null, |mask| mask[block.queries.start * keys..].as_ptr()),
        from_row: keys,
        bias: bias.map_or(null, <[f32]>::as_ptr),
        c: to.as_mut_ptr().cast(),
        c_row: row_of(keys),
        cols: block.keys,
    };
    // SAFETY: the caller's promise.
    unsafe { product(token, scores, block.queries.len()) }
}
