//! Sums over the numbers of each channel, and affine maps of them.
//!
//! A shape is `[examples, channels, places]`. With one place, the channels lie side by side in rows,
//! and vectors run over channels; otherwise each channel of an example is a plane, and vectors run
//! over places.

use std::mem::MaybeUninit;

use super::{Statistics, load_vectors, store_vectors, sum_of_rows};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, map, sums, vectorized};

type Out<'a> = &'a mut [MaybeUninit<f32>];

/// Rows whose sums are made together; they stay in the cache for the second pass.
const BLOCK: usize = 64;

/// Two numbers of each channel from every part of the input: a plane, or a block of rows. Each
/// result is `[parts, channels]`.
///
/// # Safety
/// `of_rows` and `of_planes` write every number.
unsafe fn of_parts(
    [examples, channels, places]: [usize; 3],
    of_rows: impl Fn(std::ops::Range<usize>, [Out<'_>; 2]) + Sync,
    of_planes: impl Fn(std::ops::Range<usize>, [Out<'_>; 2]) + Sync,
) -> [Vec<f32>; 2] {
    let cost = examples * channels * (places / 6 + if places == 1 { 0 } else { 10 });
    let parts = if places == 1 { examples.div_ceil(BLOCK) } else { examples };
    // SAFETY: the caller's promise.
    unsafe {
        buffer::written_all([parts * channels; 2], |outs| {
            if places == 1 {
                let parts = outs.map(|data| Rows { data, width: channels });
                let cost = examples * (channels / 6 + 1);
                par::for_blocks(examples, BLOCK, cost, [], parts, |range, [], parts| {
                    of_rows(range.start * channels..range.end * channels, parts);
                });
            } else {
                let outs = outs.map(|data| Rows { data, width: 1 });
                par::for_rows(examples * channels, 1, cost, outs, &of_planes);
            }
        })
    }
}

/// Mean and biased variance of every channel; NaN if it has no number.
pub(super) fn moments(x: &[f32], shape: [usize; 3]) -> [Vec<f32>; 2] {
    let [examples, channels, places] = shape;
    // SAFETY: the kernels write every number of their parts.
    let parts = unsafe {
        of_parts(
            shape,
            |own, parts| row_moments(&x[own], channels, parts),
            |planes, parts| {
                let own = planes.start * places..planes.end * places;
                plane_moments(&x[own], places, parts);
            },
        )
    };
    // Numbers of a part, and of the last one.
    let (count, last) = if places == 1 {
        (BLOCK, examples - examples.saturating_sub(1) / BLOCK * BLOCK)
    } else {
        (places, places)
    };
    let total = examples * places;
    // SAFETY: `combine` writes every number.
    unsafe {
        buffer::written_all([channels; 2], |outs| combine(&parts, [count, last, total], outs))
    }
}

/// For every channel, the sums of dy (x - m) / sqrt(v + eps) and of dy.
pub(super) fn gradient_sums(
    x: &[f32],
    shape: [usize; 3],
    statistics: &Statistics,
    grad: &[f32],
) -> [Vec<f32>; 2] {
    let [_, channels, places] = shape;
    // SAFETY: the kernels write every number of their parts.
    let parts = unsafe {
        of_parts(
            shape,
            |own, parts| row_sums(&x[own.clone()], &grad[own], statistics, parts),
            |planes, parts| {
                let own = planes.start * places..planes.end * places;
                let first = planes.start % channels.max(1);
                plane_sums(&x[own.clone()], &grad[own], places, first, statistics, parts);
            },
        )
    };
    parts.map(|parts| sum_of_rows(true, &parts, channels, 0, channels))
}

/// `(x - mean) factor + summand`, plus `dy slope` if there are such, by channel.
pub(super) fn affine(
    x: &[f32],
    [examples, channels, places]: [usize; 3],
    of_channel: [&[f32]; 3],
    plus: Option<(&[f32], &[f32])>,
) -> Vec<f32> {
    let len = x.len();
    let (rows, width) =
        if places == 1 { (examples, channels) } else { (examples * channels, places) };
    // SAFETY: the kernels write every number.
    unsafe {
        buffer::written(len, |y| {
            let cost = len / 5 + rows;
            let outs = [Rows { data: y, width }];
            par::for_rows(rows, 1, cost, outs, |range, [y]| {
                let own = range.start * width..range.end * width;
                let plus = plus.map(|(dy, slope)| (&dy[own.clone()], slope));
                if places == 1 {
                    affine_rows(&x[own], of_channel, plus, y);
                } else {
                    affine_planes(
                        &x[own],
                        places,
                        range.start % channels.max(1),
                        of_channel,
                        plus,
                        y,
                    );
                }
            });
        })
    }
}

vectorized! {
    /// Mean of each plane, and the sum of the squares of what differs from it.
    fn plane_moments(s; x: &[f32], places: usize, parts: [Out<'_>; 2]) {
        let [mean, squares] = parts;
        let out = mean.iter_mut().zip(squares.iter_mut());
        for (i, (mean, squares)) in out.enumerate() {
            let x = &x[i * places..(i + 1) * places];
            let m = sums(s, [x], |[x]| [x])[0] / places as f32;
            mean.write(m);
            let m = s.splat(m);
            let [sum] = sums(s, [x], |[x]| {
                let x = s.sub(x, m);
                [s.mul(x, x)]
            });
            squares.write(sum);
        }
    }
}

vectorized! {
    fn plane_sums(
        s; x: &[f32], grad: &[f32], places: usize, first: usize, of: &Statistics, parts: [Out<'_>; 2]
    ) {
        let ([dgamma, dbeta], mut c) = (parts, first);
        for (i, (dgamma, dbeta)) in dgamma.iter_mut().zip(dbeta).enumerate() {
            let own = i * places..(i + 1) * places;
            let mean = s.splat(of.mean[c]);
            let [product, sum] = sums(s, [&x[own.clone()], &grad[own]], |[x, dy]| {
                [s.mul(dy, s.sub(x, mean)), dy]
            });
            dgamma.write(product * of.inv_std[c]);
            dbeta.write(sum);
            c = if c + 1 == of.mean.len() { 0 } else { c + 1 };
        }
    }
}

vectorized! {
    /// Mean of each column, and the sum of the squares of what differs from it.
    fn row_moments(s; x: &[f32], channels: usize, parts: [Out<'_>; 2]) {
        let ([mean, squares], mut at) = (parts, 0);
        while at + 4 * S::LANES <= channels {
            column_moments::<S, 4>(s, x, channels, at, mean, squares);
            at += 4 * S::LANES;
        }
        while at < channels {
            column_moments::<S, 1>(s, x, channels, at, mean, squares);
            at += S::LANES;
        }
    }
}

#[inline(always)]
fn column_moments<S: Simd, const V: usize>(
    s: S,
    x: &[f32],
    channels: usize,
    at: usize,
    mean: Out<'_>,
    squares: Out<'_>,
) {
    let end = (at + V * S::LANES).min(channels);
    let mut m = [s.splat(0.0); V];
    for x in x.chunks_exact(channels) {
        let x = load_vectors::<S, V>(s, &x[at..end]);
        for v in 0..V {
            m[v] = s.add(m[v], x[v]);
        }
    }
    let share = s.splat(1.0 / (x.len() / channels) as f32);
    let mut sum = [s.splat(0.0); V];
    for m in &mut m {
        *m = s.mul(*m, share);
    }
    for x in x.chunks_exact(channels) {
        let x = load_vectors::<S, V>(s, &x[at..end]);
        for v in 0..V {
            let x = s.sub(x[v], m[v]);
            sum[v] = s.fma(x, x, sum[v]);
        }
    }
    store_vectors(s, &mut mean[at..end], m);
    store_vectors(s, &mut squares[at..end], sum);
}

vectorized! {
    fn row_sums(s; x: &[f32], grad: &[f32], of: &Statistics, parts: [Out<'_>; 2]) {
        let ([dgamma, dbeta], channels, mut at) = (parts, of.mean.len(), 0);
        while at + 4 * S::LANES <= channels {
            column_sums::<S, 4>(s, x, grad, of, at, dgamma, dbeta);
            at += 4 * S::LANES;
        }
        while at < channels {
            column_sums::<S, 1>(s, x, grad, of, at, dgamma, dbeta);
            at += S::LANES;
        }
    }
}

#[inline(always)]
fn column_sums<S: Simd, const V: usize>(
    s: S,
    x: &[f32],
    grad: &[f32],
    of: &Statistics,
    at: usize,
    dgamma: Out<'_>,
    dbeta: Out<'_>,
) {
    let channels = of.mean.len();
    let end = (at + V * S::LANES).min(channels);
    let mean = load_vectors::<S, V>(s, &of.mean[at..end]);
    let (mut product, mut sum) = ([s.splat(0.0); V], [s.splat(0.0); V]);
    for (x, dy) in x.chunks_exact(channels).zip(grad.chunks_exact(channels)) {
        let (x, dy) = (load_vectors::<S, V>(s, &x[at..end]), load_vectors::<S, V>(s, &dy[at..end]));
        for v in 0..V {
            product[v] = s.fma(dy[v], s.sub(x[v], mean[v]), product[v]);
            sum[v] = s.add(sum[v], dy[v]);
        }
    }
    let scale = load_vectors::<S, V>(s, &of.inv_std[at..end]);
    for v in 0..V {
        product[v] = s.mul(product[v], scale[v]);
    }
    store_vectors(s, &mut dgamma[at..end], product);
    store_vectors(s, &mut dbeta[at..end], sum);
}

vectorized! {
    /// Mean and variance from those of parts, of which each has `count` numbers and the last one
    /// `last`.
    fn combine(s; parts: &[Vec<f32>; 2], sizes: [usize; 3], outs: [Out<'_>; 2]) {
        let ([mean, variance], [count, last, total]) = (outs, sizes);
        let channels = mean.len();
        let (means, squares) = (&parts[0], &parts[1]);
        let share = s.splat(1.0 / total as f32);
        let number = |first: usize| {
            let is_last = first + channels == means.len();
            s.splat(if is_last { last } else { count } as f32)
        };
        for at in (0..channels).step_by(S::LANES) {
            let end = (at + S::LANES).min(channels);
            let mut m = s.splat(0.0);
            for first in (0..means.len()).step_by(channels) {
                m = s.fma(s.load_first(&means[first + at..first + end], 0.0), number(first), m);
            }
            let m = s.mul(m, share);
            let mut v = s.splat(0.0);
            for first in (0..means.len()).step_by(channels) {
                let less = s.sub(s.load_first(&means[first + at..first + end], 0.0), m);
                v = s.fma(s.mul(less, less), number(first), v);
                v = s.add(v, s.load_first(&squares[first + at..first + end], 0.0));
            }
            s.store_first(&mut mean[at..end], m);
            s.store_first(&mut variance[at..end], s.mul(v, share));
        }
    }
}

vectorized! {
    fn affine_rows(
        s; x: &[f32], of_channel: [&[f32]; 3], plus: Option<(&[f32], &[f32])>, y: Out<'_>
    ) {
        let [mean, factor, summand] = of_channel;
        let channels = mean.len().max(1);
        let rows = x.chunks_exact(channels).zip(y.chunks_exact_mut(channels));
        for (i, (x, y)) in rows.enumerate() {
            if let Some((dy, slope)) = plus {
                let dy = &dy[i * channels..(i + 1) * channels];
                map(s, [x, mean, factor, summand, dy, slope], [y], |[x, m, f, b, dy, slope]| {
                    [s.fma(dy, slope, s.fma(s.sub(x, m), f, b))]
                });
            } else {
                map(s, [x, mean, factor, summand], [y], |[x, m, f, b]| {
                    [s.fma(s.sub(x, m), f, b)]
                });
            }
        }
    }
}

vectorized! {
    fn affine_planes(
        s; x: &[f32], places: usize, first: usize, of_channel: [&[f32]; 3],
        plus: Option<(&[f32], &[f32])>, y: Out<'_>
    ) {
        let mut c = first;
        let planes = x.chunks_exact(places.max(1)).zip(y.chunks_exact_mut(places.max(1)));
        for (i, (x, y)) in planes.enumerate() {
            let (m, f) = (s.splat(of_channel[0][c]), s.splat(of_channel[1][c]));
            let b = s.splat(of_channel[2][c]);
            if let Some((dy, slope)) = plus {
                let slope = s.splat(slope[c]);
                let dy = &dy[i * places..(i + 1) * places];
                map(s, [x, dy], [y], |[x, dy]| [s.fma(dy, slope, s.fma(s.sub(x, m), f, b))]);
            } else {
                map(s, [x], [y], |[x]| [s.fma(s.sub(x, m), f, b)]);
            }
            c = if c + 1 == of_channel[0].len() { 0 } else { c + 1 };
        }
    }
}
