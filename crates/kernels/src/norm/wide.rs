//! Rows of many vectors, which the first pass over a row brings into the cache.

use std::mem::MaybeUninit;

use super::layer::{Job, Kind, Normalised, Out};
use super::{load_vectors, store_vectors};
use crate::buffer;
use crate::simd::{Simd, map, sums};

/// Numbers of the rows whose gradients are worked on together: few enough to stay in the
/// first-level cache from pass to pass.
const CHUNK: usize = 2048;

/// Most rows that are worked on together.
const ROWS: usize = 16;

/// Writes the outputs and the statistics of rows, one at a time.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    s: S,
    job: &Job<'_>,
    x: &[f32],
    residual: Option<&[f32]>,
    [y, sum, mean, inv_std]: [Out<'_>; 4],
) {
    let (width, share) = (job.width, 1.0 / job.width as f32);
    for (i, inv_std) in inv_std.iter_mut().enumerate() {
        let own = i * width..(i + 1) * width;
        let mut z = &x[own.clone()];
        if let Some(residual) = residual {
            let sum = &mut sum[own.clone()];
            map(s, [z, &residual[own.clone()]], [&mut *sum], |[x, r]| [s.add(x, r)]);
            // SAFETY: just written.
            z = unsafe { buffer::as_written(sum) };
        }
        let mut m = 0.0;
        if job.kind == Kind::Layer {
            m = sums(s, [z], |[z]| [z])[0] * share;
            mean[i].write(m);
        }
        let m = s.splat(m);
        let [squares] = sums(s, [z], |[z]| {
            let z = s.sub(z, m);
            [s.mul(z, z)]
        });
        let scale = 1.0 / (squares * share + job.eps).sqrt();
        inv_std.write(scale);
        let scale = s.splat(scale);
        map(s, [z, job.gamma, job.beta], [&mut y[own]], |[z, gamma, beta]| {
            [s.fma(s.mul(s.sub(z, m), scale), gamma, beta)]
        });
    }
}

/// Writes the gradients of the rows, and adds those of gamma and beta to sums; what is empty is not
/// wanted.
#[inline(always)]
pub(super) fn backward<S: Simd>(
    s: S,
    job: &Job<'_>,
    rows: &Normalised<'_>,
    dx: Out<'_>,
    sums_out: Out<'_>,
) {
    let (width, share) = (job.width, 1.0 / job.width as f32);
    sums_out.fill(MaybeUninit::new(0.0));
    // SAFETY: just written.
    let sums_out = unsafe { buffer::as_written_mut(sums_out) };
    let (dgamma, dbeta) = sums_out.split_at_mut(sums_out.len() / 2);
    let mut to = Gradient { dx, dgamma, dbeta };
    let step = (CHUNK / width.max(1)).clamp(1, ROWS);
    let mut of_row = [RowOf::default(); ROWS];
    for first in (0..rows.inv_std.len()).step_by(step) {
        let count = step.min(rows.inv_std.len() - first);
        for (i, of_row) in (first..).zip(&mut of_row[..count]) {
            let own = i * width..(i + 1) * width;
            let (mean, scale) = (rows.mean.get(i).copied().unwrap_or(0.0), rows.inv_std[i]);
            let (m, factor) = (s.splat(mean), s.splat(scale));
            let ins = [&rows.z[own.clone()], &rows.grad[own], job.gamma];
            let [g, product] = sums(s, ins, |[z, dy, gamma]| {
                let g = s.mul(dy, gamma);
                [g, s.mul(g, s.mul(s.sub(z, m), factor))]
            });
            let g = if job.kind == Kind::Layer { g * share } else { 0.0 };
            *of_row = RowOf { mean, scale, g, product: -product * share };
        }
        let chunk = Chunk { job, rows, of_row: &of_row[..count], base: first * width };
        let mut at = 0;
        while at + 4 * S::LANES <= width {
            columns::<S, 4>(s, &chunk, at, &mut to);
            at += 4 * S::LANES;
        }
        while at < width {
            columns::<S, 1>(s, &chunk, at, &mut to);
            at += S::LANES;
        }
    }
}

/// The numbers of a row in its gradient.
#[derive(Clone, Copy, Default)]
struct RowOf {
    mean: f32,
    scale: f32,
    /// mean(g)
    g: f32,
    /// -mean(g z^)
    product: f32,
}

/// Rows of a chunk, whose first number is at `base`.
struct Chunk<'a> {
    job: &'a Job<'a>,
    rows: &'a Normalised<'a>,
    of_row: &'a [RowOf],
    base: usize,
}

/// Where gradients go; what is empty is not wanted.
struct Gradient<'a> {
    dx: Out<'a>,
    dgamma: &'a mut [f32],
    dbeta: &'a mut [f32],
}

/// V vectors of columns from `at` on, over the rows of a chunk: their sums stay in registers.
#[inline(always)]
fn columns<S: Simd, const V: usize>(s: S, chunk: &Chunk<'_>, at: usize, to: &mut Gradient<'_>) {
    let Chunk { job, rows, of_row, base } = *chunk;
    let (zero, end) = (s.splat(0.0), (at + V * S::LANES).min(job.width));
    let gamma = load_vectors::<S, V>(s, &job.gamma[at..end]);
    let (mut dgamma, mut dbeta) = ([zero; V], [zero; V]);
    for (i, of) in of_row.iter().enumerate() {
        let own = base + i * job.width + at..base + i * job.width + end;
        let (mean, scale) = (s.splat(of.mean), s.splat(of.scale));
        let mut z = load_vectors::<S, V>(s, &rows.z[own.clone()]);
        let dy = load_vectors::<S, V>(s, &rows.grad[own.clone()]);
        for v in 0..V {
            z[v] = s.mul(s.sub(z[v], mean), scale);
            dgamma[v] = s.fma(dy[v], z[v], dgamma[v]);
            dbeta[v] = s.add(dbeta[v], dy[v]);
        }
        if to.dx.is_empty() {
            continue;
        }
        let (first, second) = (s.splat(of.g), s.splat(of.product));
        let mut out = [zero; V];
        if let Some(grad_sum) = rows.grad_sum {
            out = load_vectors::<S, V>(s, &grad_sum[own.clone()]);
        }
        for v in 0..V {
            let g = s.sub(s.mul(dy[v], gamma[v]), first);
            out[v] = s.fma(s.fma(z[v], second, g), scale, out[v]);
        }
        store_vectors::<S, V>(s, &mut to.dx[own], out);
    }
    for (mut sums, to) in [(dgamma, &mut *to.dgamma), (dbeta, &mut *to.dbeta)] {
        if !to.is_empty() {
            let before = load_vectors::<S, V>(s, &to[at..end]);
            for v in 0..V {
                sums[v] = s.add(before[v], sums[v]);
            }
            store_vectors::<S, V>(s, buffer::as_uninit(&mut to[at..end]), sums);
        }
    }
}
