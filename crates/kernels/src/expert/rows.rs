//! Rows between the order of tokens and the order of experts.

use std::mem::MaybeUninit;

use crate::gather::kernel::dot;
use crate::simd::{map, vectorized};

vectorized! {
    /// `out[i] = table[tokens[i]]`, times `weights[pairs[i]]` if there are weights.
    pub(super) fn pick(
        s;
        table: &[f32],
        width: usize,
        tokens: &[u32],
        pairs: &[u32],
        weights: Option<&[f32]>,
        out: &mut [MaybeUninit<f32>],
    ) {
        if width == 0 {
            return;
        }
        for ((token, pair), out) in tokens.iter().zip(pairs).zip(out.chunks_exact_mut(width)) {
            let row = &table[*token as usize * width..][..width];
            match weights {
                Some(weights) => {
                    let weight = s.splat(weights[*pair as usize]);
                    map(s, [row], [out], |[x]| [s.mul(weight, x)]);
                }
                None => map(s, [row], [out], |[x]| [x]),
            }
        }
    }
}

vectorized! {
    /// For each token the sum of the rows at its places, in order of choice, each times its weight
    /// if there are weights. `places` and `weights` are those of the tokens of `out`.
    pub(super) fn combine(
        s;
        rows: &[f32],
        width: usize,
        places: &[u32],
        weights: Option<&[f32]>,
        choices: usize,
        out: &mut [MaybeUninit<f32>],
    ) {
        if width == 0 {
            return;
        }
        for (token, out) in out.chunks_exact_mut(width).enumerate() {
            let pairs = token * choices..(token + 1) * choices;
            let places = &places[pairs.clone()];
            let weights = weights.map(|weights| &weights[pairs]);
            let row = |j: usize| &rows[places[j] as usize * width..][..width];
            let weight = |j: usize| s.splat(weights.map_or(1.0, |weights| weights[j]));
            match places.len() {
                1 => {
                    let w = weight(0);
                    map(s, [row(0)], [out], |[a]| [s.mul(w, a)]);
                }
                2 => {
                    let w = [weight(0), weight(1)];
                    map(s, [row(0), row(1)], [out], |[a, b]| {
                        [s.fma(w[1], b, s.mul(w[0], a))]
                    });
                }
                _ => {
                    for (v, out) in out.chunks_mut(S::LANES).enumerate() {
                        let at = v * S::LANES;
                        let mut sum = s.splat(0.0);
                        for j in 0..choices {
                            let x = s.load_first(&row(j)[at..at + out.len()], 0.0);
                            sum = s.fma(weight(j), x, sum);
                        }
                        s.store_first(out, sum);
                    }
                }
            }
        }
    }
}

vectorized! {
    /// For each pair the inner product of its token's row of `grad` with the row at its place.
    /// `places` and `grad` are those of the tokens of `out`.
    pub(super) fn pair_dots(
        s;
        rows: &[f32],
        grad: &[f32],
        width: usize,
        places: &[u32],
        choices: usize,
        out: &mut [MaybeUninit<f32>],
    ) {
        let pairs = places.chunks_exact(choices).zip(out.chunks_exact_mut(choices));
        for (token, (places, out)) in pairs.enumerate() {
            let grad = &grad[token * width..][..width];
            for (place, out) in places.iter().zip(out) {
                out.write(dot(s, grad, &rows[*place as usize * width..][..width]));
            }
        }
    }
}
