//! The backward pass.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::forward::{Block, Rows, key_bias, scaled_transpose, scores};
use super::product::{product, row_of, rows_together};
use super::{Attention, Heads, Order, Shape, Statistics, Strides};
use crate::buffer;
use crate::matrix::tile::Tile;
use crate::par::{self, Shared};
use crate::simd::{Simd, Token, map_in_place, math, transpose, vectorized};

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the queries.
    pub q: bool,
    /// That of the keys.
    pub k: bool,
    /// That of the values.
    pub v: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { q: true, k: true, v: true };
}

/// The gradients that were asked for, in the order that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// That of the queries.
    pub q: Option<Vec<f32>>,
    /// That of the keys.
    pub k: Option<Vec<f32>>,
    /// That of the values.
    pub v: Option<Vec<f32>>,
}

/// Where a gradient goes; null if it is not wanted.
#[derive(Clone, Copy)]
struct To {
    data: *mut f32,
    strides: Strides,
}

/// A backward pass whose sizes have been checked.
struct Job<'a> {
    of: &'a Attention<'a>,
    token: Token,
    q: Heads<'a>,
    k: Heads<'a>,
    v: Heads<'a>,
    /// Times log2(e).
    mask: Option<&'a [f32]>,
    statistics: &'a Statistics,
    grad: Heads<'a>,
    dq: To,
    dk: To,
    dv: To,
}

impl Attention<'_> {
    /// The gradients of [`Attention::forward`].
    ///
    /// ```text
    /// dV = (Z * P)^T dY                            dP = Z * (dY V^T)
    /// dS = P * (dP - rowsum(P * dP))               dQ = scale dS K        dK = scale dS^T Q
    /// ```
    ///
    /// # Shapes
    /// - `q`, `k`, `v`: as in `forward`; `grad`: `queries` rows for every example and head
    /// - gradients: `[batch, time, heads, width]` or `[batch, heads, time, width]`
    ///
    /// # Panics
    /// If a slice is too short for its strides, or a mask or the statistics do not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::attention::{Attention, Heads, Order, Shape, Strides, Wanted};
    ///
    /// let shape = Shape { batch: 1, heads: 1, queries: 1, keys: 2, width: 1 };
    /// let attention = Attention::new(shape);
    /// let q = Heads::new(&[0.0], Strides::time_heads(1, 1, 1));
    /// let keys = |data| Heads::new(data, Strides::time_heads(2, 1, 1));
    /// let (k, v) = (keys(&[1.0, 2.0]), keys(&[4.0, 6.0]));
    /// let kept = attention.forward(q, k, v, Order::TimeHeads).statistics;
    /// let grad = Heads::new(&[1.0], Strides::time_heads(1, 1, 1));
    /// let got = attention.backward(q, k, v, &kept, grad, Order::TimeHeads, Wanted::ALL);
    /// assert_eq!(got.v.unwrap(), [0.5, 0.5]);
    /// assert_eq!(got.q.unwrap(), [0.5]);
    /// ```
    #[expect(clippy::too_many_arguments, reason = "three inputs and their gradients")]
    pub fn backward(
        &self,
        q: Heads<'_>,
        k: Heads<'_>,
        v: Heads<'_>,
        statistics: &Statistics,
        grad: Heads<'_>,
        order: Order,
        wanted: Wanted,
    ) -> Gradients {
        let Shape { queries, keys, .. } = self.shape;
        let len = |wanted, len| if wanted { len } else { 0 };
        let (of_queries, of_keys) = (self.shape.query_numbers(), self.shape.key_numbers());
        let mask = self.scaled_mask();
        let lens = [len(wanted.q, of_queries), len(wanted.k, of_keys), len(wanted.v, of_keys)];
        // SAFETY: `run` writes every number of a gradient that is not null.
        let [dq, dk, dv] = unsafe {
            buffer::written_all(lens, |[dq, dk, dv]| {
                let to = |wanted, data: &mut [MaybeUninit<f32>], time| To {
                    data: if wanted { data.as_mut_ptr().cast() } else { std::ptr::null_mut() },
                    strides: order.strides(time, &self.shape),
                };
                let dq = to(wanted.q, dq, queries);
                let (dk, dv) = (to(wanted.k, dk, keys), to(wanted.v, dv, keys));
                let (of, token, mask) = (self, Token::current(), mask.as_deref());
                run(Job { of, token, q, k, v, mask, statistics, grad, dq, dk, dv });
            })
        };
        Gradients {
            q: wanted.q.then_some(dq),
            k: wanted.k.then_some(dk),
            v: wanted.v.then_some(dv),
        }
    }

    /// The output for queries, keys and values that lie side by side, in `[batch, time, heads,
    /// width]`.
    ///
    /// # Shapes
    /// - `qkv`: `[batch, time, 3, heads, width]`, where `queries` = `keys` = time
    /// - output: `[batch, time, heads, width]`
    ///
    /// # Panics
    /// If a length does not fit.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::attention::{Attention, Shape};
    ///
    /// let shape = Shape { batch: 1, heads: 1, queries: 2, keys: 2, width: 1 };
    /// let qkv = [0.0, 1.0, 4.0, 0.0, 2.0, 6.0];
    /// let attention = Attention::new(shape);
    /// let forward = attention.forward_packed(&qkv);
    /// assert_eq!(forward.y, [5.0, 5.0]);
    /// let gradient = attention.backward_packed(&qkv, &forward.statistics, &[1.0, 0.0]);
    /// assert_eq!(gradient, [0.5, 0.0, 0.5, 0.0, 0.0, 0.5]);
    /// ```
    pub fn forward_packed(&self, qkv: &[f32]) -> super::Forward {
        let [q, k, v] = self.packed("attention::forward_packed", qkv);
        self.forward(q, k, v, Order::TimeHeads)
    }

    /// The gradient of [`Attention::forward_packed`], as `qkv` itself lies; `grad` as its output.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn backward_packed(&self, qkv: &[f32], statistics: &Statistics, grad: &[f32]) -> Vec<f32> {
        let [q, k, v] = self.packed("attention::backward_packed", qkv);
        let (len, all) = (grad.len(), self.shape.query_numbers());
        assert!(len == all, "attention::backward_packed: grad of {len} numbers, expected {all}");
        let mask = self.scaled_mask();
        let grad = Heads::new(grad, Order::TimeHeads.strides(self.shape.queries, &self.shape));
        // SAFETY: `run` writes every number of the three parts, which are all numbers.
        unsafe {
            buffer::written(qkv.len(), |to| {
                let data = to.as_mut_ptr().cast();
                let [dq, dk, dv] = [q, k, v].map(|part| To { data, strides: part.strides });
                let (of, token, mask) = (self, Token::current(), mask.as_deref());
                run(Job { of, token, q, k, v, mask, statistics, grad, dq, dk, dv });
            })
        }
    }

    /// The parts of `[batch, time, 3, heads, width]`.
    fn packed<'a>(&self, function: &str, qkv: &'a [f32]) -> [Heads<'a>; 3] {
        let Shape { heads, queries, keys, width, .. } = self.shape;
        assert!(queries == keys, "{function}: {queries} queries and {keys} keys");
        let (len, all) = (qkv.len(), 3 * self.shape.query_numbers());
        assert!(len == all, "{function}: qkv of {len} numbers, expected {all}");
        [0, 1, 2].map(|part| Heads::new(qkv, Strides::packed(part, 3, keys, heads, width)))
    }
}

/// Checks the inputs and writes every number of the gradients. The job's pointers are to as many
/// numbers as its strides reach.
fn run(job: Job<'_>) {
    let (of, name) = (job.of, "attention::backward");
    let Shape { batch, heads, queries, keys, width } = of.shape;
    of.check(name);
    job.q.check("attention::backward: q", queries, &of.shape);
    job.k.check("attention::backward: k", keys, &of.shape);
    job.v.check("attention::backward: v", keys, &of.shape);
    job.grad.check("attention::backward: grad", queries, &of.shape);
    let rows = batch * heads * queries;
    for len in [job.statistics.max.len(), job.statistics.inv_sum.len()] {
        assert!(len == rows, "{name}: statistics of {len} rows, expected {rows}");
    }
    let cost = rows * keys * (5 * width + 24) / 32;
    // SAFETY: threads write to different heads, and only read the rest.
    let job = unsafe { Shared::new(job) };
    par::for_ranges(batch * heads, cost, |range| {
        let job = job.get();
        let row = row_of(keys);
        let together = rows_together(2 * row, job.of.causal.is_some());
        buffer::scratch((2 * width + 2 * together + 2) * row, |scratch| {
            backward_heads(job, range, scratch);
        });
    });
}

vectorized! {
    /// The heads of one thread.
    fn backward_heads(s; job: &Job<'_>, range: Range<usize>, scratch: &mut [MaybeUninit<f32>]) {
        let (of, row) = (job.of, row_of(job.of.shape.keys));
        let Shape { heads, queries, keys, width, .. } = of.shape;
        let (kt, rest) = scratch.split_at_mut(width * row);
        let (vt, rest) = rest.split_at_mut(width * row);
        let (bias, rest) = rest.split_at_mut(row);
        let (factors, rest) = rest.split_at_mut(row);
        let together = rest.len() / (2 * row);
        let (weights, slopes) = rest.split_at_mut(together * row);
        for item in range {
            let (b, h) = (item / heads, item % heads);
            scaled_transpose(&job.k, [b, h], of, kt);
            transpose(job.v.head(b, h), job.v.strides.time, [keys, width], vt, row);
            let bias = key_bias(of, b, bias);
            // Keys whose gradients have been written so far.
            let mut seen = 0;
            for first in (0..queries).step_by(together) {
                let last = queries.min(first + together);
                let block = Block { item, queries: first..last, keys: of.visible(last - 1) };
                let rows_of = |from: &Heads<'_>| Rows {
                    data: from.head(b, h)[first * from.strides.time..].as_ptr(),
                    row: from.strides.time,
                };
                let (q, dy) = (rows_of(&job.q), rows_of(&job.grad));
                // SAFETY: the sizes have been checked, and no other thread has this head.
                unsafe {
                    scores(job.token, of, &block, q, kt, [job.mask, bias], weights);
                    slopes_of_weights(job, &block, dy, vt, slopes);
                    weights_and_slopes(s, job, &block, weights, slopes, factors);
                    let weights = Rows { data: weights.as_ptr().cast(), row };
                    let slopes = Rows { data: slopes.as_ptr().cast(), row };
                    of_queries(job, &block, slopes);
                    of_keys(job, &job.dk, &block, slopes, q, seen);
                    of_keys(job, &job.dv, &block, weights, dy, seen);
                }
                seen = block.keys;
            }
            for to in [&job.dk, &job.dv] {
                // SAFETY: as above.
                unsafe { fill(job, to, [b, h], seen..keys) };
            }
        }
    }
}

/// Writes dY V^T.
///
/// # Safety
/// The sizes have been checked.
unsafe fn slopes_of_weights(
    job: &Job<'_>,
    block: &Block,
    dy: Rows,
    vt: &[MaybeUninit<f32>],
    to: &mut [MaybeUninit<f32>],
) {
    let row = row_of(job.of.shape.keys);
    let whole = Tile {
        a: dy.data,
        a_row: dy.row,
        a_col: 1,
        b: vt.as_ptr().cast(),
        b_row: row,
        k: job.of.shape.width,
        c: to.as_mut_ptr().cast(),
        c_row: row,
        cols: block.keys,
        ..Tile::EMPTY
    };
    // SAFETY: the caller's promise.
    unsafe { product(job.token, whole, block.queries.len()) }
}

/// dQ = dS K of a block.
///
/// # Safety
/// The sizes have been checked.
unsafe fn of_queries(job: &Job<'_>, block: &Block, slopes: Rows) {
    let (To { data, strides }, heads) = (job.dq, job.of.shape.heads);
    if data.is_null() {
        return;
    }
    let (b, h) = (block.item / heads, block.item % heads);
    // SAFETY: the caller's promise.
    unsafe {
        let whole = Tile {
            a: slopes.data,
            a_row: slopes.row,
            a_col: 1,
            b: job.k.head(b, h).as_ptr(),
            b_row: job.k.strides.time,
            k: block.keys,
            c: data.add(strides.start(b, h) + block.queries.start * strides.time),
            c_row: strides.time,
            cols: job.of.shape.width,
            ..Tile::EMPTY
        };
        product(job.token, whole, block.queries.len());
    }
}

/// Adds A^T B to a gradient of keys: to the rows that have been written before, `seen` of them, and
/// writes the rest of the block's.
///
/// # Safety
/// The sizes have been checked.
unsafe fn of_keys(job: &Job<'_>, to: &To, block: &Block, a: Rows, b: Rows, seen: usize) {
    let heads = job.of.shape.heads;
    if to.data.is_null() {
        return;
    }
    for keys in [0..seen, seen..block.keys] {
        let start = to.strides.start(block.item / heads, block.item % heads);
        // SAFETY: the caller's promise.
        unsafe {
            let c = to.data.wrapping_add(start + keys.start * to.strides.time);
            let whole = Tile {
                a: a.data.add(keys.start),
                a_row: 1,
                a_col: a.row,
                b: b.data,
                b_row: b.row,
                k: block.queries.len(),
                from: if keys.start == 0 && seen > 0 { c } else { std::ptr::null() },
                from_row: to.strides.time,
                c,
                c_row: to.strides.time,
                cols: job.of.shape.width,
                ..Tile::EMPTY
            };
            product(job.token, whole, keys.len());
        }
    }
}

/// Writes 0 to keys that no query sees.
///
/// # Safety
/// The sizes have been checked.
unsafe fn fill(job: &Job<'_>, to: &To, [b, h]: [usize; 2], keys: Range<usize>) {
    if to.data.is_null() {
        return;
    }
    for j in keys {
        // SAFETY: the caller's promise.
        unsafe {
            let row = to.data.add(to.strides.start(b, h) + j * to.strides.time);
            row.write_bytes(0, job.of.shape.width);
        }
    }
}

/// Replaces the rows of S log2(e) by those of Z * P, and those of dY V^T by those of scale dS.
///
/// # Safety
/// The rows have been written.
#[inline(always)]
unsafe fn weights_and_slopes<S: Simd>(
    s: S,
    job: &Job<'_>,
    block: &Block,
    weights: &mut [MaybeUninit<f32>],
    slopes: &mut [MaybeUninit<f32>],
    factors: &mut [MaybeUninit<f32>],
) {
    let Shape { queries, keys, .. } = job.of.shape;
    let row = row_of(keys);
    let rows = weights.chunks_exact_mut(row).zip(slopes.chunks_exact_mut(row));
    for (i, (weights, slopes)) in block.queries.clone().zip(rows) {
        // SAFETY: the caller's promise.
        let (weights, slopes) = unsafe {
            let cols = block.keys;
            let weights = buffer::as_written_mut(&mut weights[..cols]);
            (weights, buffer::as_written_mut(&mut slopes[..cols]))
        };
        let (weights, hidden) = weights.split_at_mut(job.of.visible(i));
        hidden.fill(0.0);
        let (slopes, hidden) = slopes.split_at_mut(weights.len());
        hidden.fill(0.0);
        let at = block.item * queries + i;
        let statistics = [job.statistics.max[at], job.statistics.inv_sum[at]];
        if let Some(dropout) = job.of.dropout {
            let factors = dropout.factors(at * keys, &mut factors[..weights.len()]);
            map_in_place(s, [&mut *slopes], [factors], |[dp], [z]| [s.mul(dp, z)]);
            weights_and_slope(s, weights, slopes, statistics, job.of.scale);
            map_in_place(s, [weights], [factors], |[p], [z]| [s.mul(p, z)]);
        } else {
            weights_and_slope(s, weights, slopes, statistics, job.of.scale);
        }
    }
}

/// Replaces a row of S log2(e) by P, and one of dP by scale dS.
#[inline(always)]
fn weights_and_slope<S: Simd>(
    s: S,
    weights: &mut [f32],
    slopes: &mut [f32],
    [max, inv_sum]: [f32; 2],
    scale: f32,
) {
    let (max, inv_sum, scale) = (s.splat(max), s.splat(inv_sum), s.splat(scale));
    let mut total = s.splat(0.0);
    for (weights, slopes) in weights.chunks_mut(S::LANES).zip(slopes.chunks(S::LANES)) {
        let x = s.load_first(weights, f32::NEG_INFINITY);
        let p = s.mul(math::exp2(s, s.sub(x, max)), inv_sum);
        total = s.fma(p, s.load_first(slopes, 0.0), total);
        s.store_first(buffer::as_uninit(weights), p);
    }
    let total = s.splat(s.sum(total));
    map_in_place(s, [slopes], [weights], |[dp], [p]| [s.mul(s.mul(p, scale), s.sub(dp, total))]);
}
