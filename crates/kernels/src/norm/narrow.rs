//! Rows of a few vectors, which stay in registers from the first sum to the result.

use super::layer::{Job, Kind, Normalised, Out};
use crate::simd::{Simd, first_lanes};

/// A row of at most V vectors, the last of them partial; 0 beyond the end.
#[inline(always)]
fn load_row<S: Simd, const V: usize>(s: S, x: &[f32]) -> [S::F; V] {
    let mut row = [s.splat(0.0); V];
    for v in 0..V - 1 {
        row[v] = s.load(&x[v * S::LANES..]);
    }
    row[V - 1] = s.load_first(&x[(V - 1) * S::LANES..], 0.0);
    row
}

/// Writes as `load_row` reads.
#[inline(always)]
fn store_row<S: Simd, const V: usize>(s: S, to: Out<'_>, row: [S::F; V]) {
    for (v, value) in row.into_iter().enumerate() {
        if v + 1 < V {
            s.store(&mut to[v * S::LANES..], value);
        } else {
            s.store_first(&mut to[v * S::LANES..], value);
        }
    }
}

/// The sum of the vectors, pairwise.
#[inline(always)]
fn total<S: Simd, const V: usize>(s: S, mut row: [S::F; V]) -> f32 {
    let mut len = V;
    while len > 1 {
        let half = len.div_ceil(2);
        for v in 0..len / 2 {
            row[v] = s.add(row[v], row[v + half]);
        }
        len = half;
    }
    s.sum(row[0])
}

/// Writes the outputs and the statistics of rows of V vectors, of which the last may be partial.
#[inline(always)]
pub(super) fn forward<S: Simd, const V: usize>(
    s: S,
    job: &Job<'_>,
    x: &[f32],
    residual: Option<&[f32]>,
    [y, sum, mean, inv_std]: [Out<'_>; 4],
) {
    let (width, zero, share) = (job.width, s.splat(0.0), 1.0 / job.width as f32);
    let last = first_lanes(s, width - (V - 1) * S::LANES);
    let gamma = load_row::<S, V>(s, job.gamma);
    let beta = load_row::<S, V>(s, job.beta);
    for (i, inv_std) in inv_std.iter_mut().enumerate() {
        let own = i * width..(i + 1) * width;
        let mut z = load_row::<S, V>(s, &x[own.clone()]);
        if let Some(residual) = residual {
            let r = load_row::<S, V>(s, &residual[own.clone()]);
            for v in 0..V {
                z[v] = s.add(z[v], r[v]);
            }
            store_row(s, &mut sum[own.clone()], z);
        }
        if job.kind == Kind::Layer {
            let m = total(s, z) * share;
            mean[i].write(m);
            let m = s.splat(m);
            for z in &mut z {
                *z = s.sub(*z, m);
            }
            z[V - 1] = s.select(last, z[V - 1], zero);
        }
        let mut squares = z;
        for square in &mut squares {
            *square = s.mul(*square, *square);
        }
        let scale = 1.0 / (total(s, squares) * share + job.eps).sqrt();
        inv_std.write(scale);
        let scale = s.splat(scale);
        for v in 0..V {
            z[v] = s.fma(s.mul(z[v], scale), gamma[v], beta[v]);
        }
        store_row(s, &mut y[own], z);
    }
}

/// Writes the gradients of rows of V vectors, and the sums of those of gamma and beta.
#[inline(always)]
pub(super) fn backward<S: Simd, const V: usize>(
    s: S,
    job: &Job<'_>,
    rows: &Normalised<'_>,
    dx: Out<'_>,
    sums: Out<'_>,
) {
    let (width, zero, share) = (job.width, s.splat(0.0), 1.0 / job.width as f32);
    let gamma = load_row::<S, V>(s, job.gamma);
    let (mut dgamma, mut dbeta) = ([zero; V], [zero; V]);
    for (i, scale) in rows.inv_std.iter().enumerate() {
        let own = i * width..(i + 1) * width;
        let (mean, scale) = (s.splat(rows.mean.get(i).copied().unwrap_or(0.0)), s.splat(*scale));
        let mut z = load_row::<S, V>(s, &rows.z[own.clone()]);
        // 0 beyond the end, and so is every product with it.
        let dy = load_row::<S, V>(s, &rows.grad[own.clone()]);
        for v in 0..V {
            z[v] = s.mul(s.sub(z[v], mean), scale);
            dgamma[v] = s.fma(dy[v], z[v], dgamma[v]);
            dbeta[v] = s.add(dbeta[v], dy[v]);
        }
        if dx.is_empty() {
            continue;
        }
        let (mut g, mut product) = (dy, dy);
        for v in 0..V {
            g[v] = s.mul(dy[v], gamma[v]);
            product[v] = s.mul(g[v], z[v]);
        }
        let first = if job.kind == Kind::Layer { total(s, g) * share } else { 0.0 };
        let second = -total(s, product) * share;
        let (first, second) = (s.splat(first), s.splat(second));
        let mut out = [zero; V];
        if let Some(grad_sum) = rows.grad_sum {
            out = load_row::<S, V>(s, &grad_sum[own.clone()]);
        }
        for v in 0..V {
            out[v] = s.fma(s.fma(z[v], second, s.sub(g[v], first)), scale, out[v]);
        }
        store_row(s, &mut dx[own], out);
    }
    if !sums.is_empty() {
        store_row(s, &mut sums[..width], dgamma);
        store_row(s, &mut sums[width..], dbeta);
    }
}
