//! Normalisation: by row, by channel, by group of channels.
//!
//! ```text
//! m = mean(x)    v = mean((x - m)^2)    x^ = (x - m) / sqrt(v + eps)    y = gamma x^ + beta
//! ```
//!
//! What the mean runs over is what tells the normalisations apart. The mean is taken away before
//! the squares are summed: mean(x^2) - m^2 would lose its digits where the mean is large.
//!
//! Sums over rows are made by blocks of rows that depend on the shape alone, and the blocks are
//! added in order: the bits of a gradient do not depend on the number of threads.

pub mod batch;
mod channel;
pub mod group;
pub mod layer;
mod narrow;
mod wide;

use std::mem::MaybeUninit;

use crate::simd::{Simd, vectorized};

/// What a normalisation keeps for its gradient: a mean and a scale for each set that is
/// normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The means; empty if no mean is taken away.
    pub mean: Vec<f32>,
    /// The factors 1 / sqrt(v + eps).
    pub inv_std: Vec<f32>,
}

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the factor.
    pub gamma: bool,
    /// That of the summand.
    pub beta: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { x: true, gamma: true, beta: true };

    fn gradients(self, x: Vec<f32>, gamma: Vec<f32>, beta: Vec<f32>) -> Gradients {
        Gradients {
            x: self.x.then_some(x),
            gamma: self.gamma.then_some(gamma),
            beta: self.beta.then_some(beta),
        }
    }
}

/// The gradients that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// That of the input.
    pub x: Option<Vec<f32>>,
    /// That of the factor.
    pub gamma: Option<Vec<f32>>,
    /// That of the summand.
    pub beta: Option<Vec<f32>>,
}

/// Panics unless a slice has the length that the shape asks for.
fn check_len(function: &str, what: &str, len: usize, expected: usize) {
    assert!(len == expected, "{function}: {what} of {len} numbers, expected {expected}");
}

/// The values, or as many of `default`.
fn values_or(values: Option<&[f32]>, len: usize, default: f32) -> std::borrow::Cow<'_, [f32]> {
    values.map_or_else(|| vec![default; len].into(), Into::into)
}

/// V full vectors, or a partial one.
#[inline(always)]
fn load_vectors<S: Simd, const V: usize>(s: S, from: &[f32]) -> [S::F; V] {
    let mut values = [s.splat(0.0); V];
    if V == 1 {
        values[0] = s.load_first(from, 0.0);
    } else {
        for (v, value) in values.iter_mut().enumerate() {
            *value = s.load(&from[v * S::LANES..]);
        }
    }
    values
}

/// V full vectors, or a partial one.
#[inline(always)]
fn store_vectors<S: Simd, const V: usize>(s: S, to: &mut [MaybeUninit<f32>], values: [S::F; V]) {
    if V == 1 {
        s.store_first(to, values[0]);
    } else {
        for (v, value) in values.into_iter().enumerate() {
            s.store(&mut to[v * S::LANES..], value);
        }
    }
}

vectorized! {
    /// `out[j] = sum over i of parts[i * row + first + j]`, in the order of i.
    fn add_rows(s; parts: &[f32], row: usize, first: usize, out: &mut [MaybeUninit<f32>]) {
        let mut at = 0;
        while at < out.len() {
            let end = (at + S::LANES).min(out.len());
            let mut sum = s.splat(0.0);
            for part in parts.chunks_exact(row) {
                sum = s.add(sum, s.load_first(&part[first + at..first + end], 0.0));
            }
            s.store_first(&mut out[at..end], sum);
            at = end;
        }
    }
}

/// The sum of the rows `parts[i * row..][first..first + len]`, or nothing if it is not wanted.
fn sum_of_rows(wanted: bool, parts: &[f32], row: usize, first: usize, len: usize) -> Vec<f32> {
    if !wanted || row == 0 {
        return Vec::new();
    }
    // SAFETY: `add_rows` writes every number.
    unsafe { crate::buffer::written(len, |out| add_rows(parts, row, first, out)) }
}

#[cfg(test)]
mod check {
    //! What the tests of the normalisations share.

    /// Numbers that look drawn, around a mean.
    pub(super) fn wave(len: usize, seed: usize, mean: f32) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin() + mean).collect()
    }

    /// The definition in double precision, with the gradient of <y, grad>: over sets of indices,
    /// each normalised by itself, with the channel of every index.
    pub(super) struct Definition {
        pub(super) y: Vec<f64>,
        pub(super) x: Vec<f64>,
        pub(super) gamma: Vec<f64>,
        pub(super) beta: Vec<f64>,
    }

    pub(super) struct Case<'a> {
        pub(super) x: &'a [f32],
        pub(super) gamma: &'a [f32],
        pub(super) beta: &'a [f32],
        pub(super) grad: &'a [f32],
        pub(super) eps: f64,
        pub(super) centred: bool,
        /// The set of an index, below `sets`.
        pub(super) set: &'a dyn Fn(usize) -> usize,
        pub(super) sets: usize,
        pub(super) channel: &'a dyn Fn(usize) -> usize,
    }

    pub(super) fn definition(case: &Case<'_>) -> Definition {
        let n = case.x.len();
        let x: Vec<f64> = case.x.iter().map(|x| f64::from(*x)).collect();
        let mut out = Definition {
            y: vec![0.0; n],
            x: vec![0.0; n],
            gamma: vec![0.0; case.gamma.len()],
            beta: vec![0.0; case.beta.len()],
        };
        for set in 0..case.sets {
            let own: Vec<usize> = (0..n).filter(|i| (case.set)(*i) == set).collect();
            let count = own.len() as f64;
            let mean = |f: &dyn Fn(usize) -> f64| own.iter().map(|i| f(*i)).sum::<f64>() / count;
            let m = if case.centred { mean(&|i| x[i]) } else { 0.0 };
            let scale = 1.0 / (mean(&|i| (x[i] - m).powi(2)) + case.eps).sqrt();
            let hat = |i: usize| (x[i] - m) * scale;
            let gamma = |i: usize| f64::from(case.gamma[(case.channel)(i)]);
            let g = |i: usize| f64::from(case.grad[i]) * gamma(i);
            let first = if case.centred { mean(&g) } else { 0.0 };
            let second = mean(&|i| g(i) * hat(i));
            for i in own.iter().copied() {
                let channel = (case.channel)(i);
                out.y[i] = hat(i) * gamma(i) + f64::from(case.beta[channel]);
                out.x[i] = scale * (g(i) - first - hat(i) * second);
                out.gamma[channel] += f64::from(case.grad[i]) * hat(i);
                out.beta[channel] += f64::from(case.grad[i]);
            }
        }
        out
    }

    /// Compares with the definition, with an error relative to the largest value.
    pub(super) fn close(what: &str, values: &[f32], expected: &[f64], tolerance: f64) {
        assert_eq!(values.len(), expected.len(), "{what}");
        let size = expected.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        for (at, (v, e)) in values.iter().zip(expected).enumerate() {
            let error = (f64::from(*v) - e).abs();
            assert!(error <= tolerance * size, "{what} at {at}: {v} for {e}");
        }
    }

    /// Runs with so many threads.
    pub(super) fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
    }
}
