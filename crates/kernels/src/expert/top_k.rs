//! The choice of the largest scores.

use std::cmp::Ordering;
use std::mem::MaybeUninit;
use std::ops::Range;

use crate::buffer;
use crate::par;
use crate::simd::vectorized;

/// What [`top_k`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct TopK {
    /// Where the largest scores are, in falling order, `[tokens, k]`.
    pub indices: Vec<i64>,
    /// The scores there, `[tokens, k]`.
    pub values: Vec<f32>,
}

/// The `k` largest scores of every row, in falling order; of equal ones that of the lower index.
///
/// NaN counts as larger than every number, as in PyTorch, whatever its sign; -0 and 0 are equal.
///
/// # Shapes
/// - `scores`: `[tokens, experts]`
/// - outputs: `[tokens, k]`
///
/// # Panics
/// If the length does not fit or `k` is larger than `experts`.
///
/// # Example
/// ```
/// use pressrun_kernels::expert::top_k;
///
/// let found = top_k(&[0.5, 2.0, 2.0, -1.0], [1, 4], 3);
/// assert_eq!(found.indices, [1, 2, 0]);
/// assert_eq!(found.values, [2.0, 2.0, 0.5]);
/// ```
pub fn top_k(scores: &[f32], [tokens, experts]: [usize; 2], k: usize) -> TopK {
    let found = scores.len();
    assert_eq!(found, tokens * experts, "top_k: {found} scores for {tokens} x {experts}");
    assert!(k <= experts, "top_k: k is {k}, more than the {experts} experts");
    assert!(u32::try_from(experts).is_ok(), "top_k: {experts} experts are more than 2^32");
    let mut indices = vec![0; tokens * k];
    let cost = tokens * (2 + experts * k.min(8));
    // SAFETY: `choose` writes every number of its rows.
    let values = unsafe {
        buffer::written(tokens * k, |values| {
            let parts = Parts { scores, experts, k };
            parts.run(0..tokens, par::threads_for(cost), &mut indices, values);
        })
    };
    TopK { indices, values }
}

/// The gradient of the scores: that of the values, where they were chosen, else 0.
///
/// # Shapes
/// - `indices` and `grad`: `[tokens, k]`
/// - output: `[tokens, experts]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..experts`.
///
/// # Example
/// ```
/// use pressrun_kernels::expert::top_k_backward;
///
/// assert_eq!(top_k_backward(&[2, 0], &[5.0, 7.0], [1, 3], 2), [7.0, 0.0, 5.0]);
/// ```
pub fn top_k_backward(
    indices: &[i64],
    grad: &[f32],
    [tokens, experts]: [usize; 2],
    k: usize,
) -> Vec<f32> {
    for (name, found) in [("indices", indices.len()), ("gradients", grad.len())] {
        assert_eq!(found, tokens * k, "top_k_backward: {found} {name} for {tokens} x {k}");
    }
    crate::gather::check_indices("top_k_backward", indices, experts);
    let mut out = vec![0.0; tokens * experts];
    if k > 0 && experts > 0 {
        let rows = indices.chunks_exact(k).zip(grad.chunks_exact(k));
        for (out, (indices, grad)) in out.chunks_exact_mut(experts).zip(rows) {
            for (index, grad) in indices.iter().zip(grad) {
                out[*index as usize] += grad;
            }
        }
    }
    out
}

struct Parts<'a> {
    scores: &'a [f32],
    experts: usize,
    k: usize,
}

impl Parts<'_> {
    /// Two results of different types, hence not by `par::for_rows`.
    fn run(
        &self,
        tokens: Range<usize>,
        threads: usize,
        indices: &mut [i64],
        values: &mut [MaybeUninit<f32>],
    ) {
        if threads <= 1 || tokens.len() <= 1 {
            let scores = &self.scores[tokens.start * self.experts..tokens.end * self.experts];
            return choose(scores, self.experts, self.k, indices, values);
        }
        let left = threads / 2;
        let count = (tokens.len() * left / threads).max(1);
        let (a, b) = indices.split_at_mut(count * self.k);
        let (c, d) = values.split_at_mut(count * self.k);
        let middle = tokens.start + count;
        rayon::join(
            || self.run(tokens.start..middle, left, a, c),
            || self.run(middle..tokens.end, threads - left, b, d),
        );
    }
}

/// A whole number that is larger for a larger score and, for equal ones, for a lower index. All of
/// a row differ, so that no comparison has to look at two numbers.
#[inline(always)]
fn key(score: f32, index: u32) -> u64 {
    // -0 + 0 = 0.
    let bits = (score + 0.0).to_bits();
    // The sign bit inverted makes positive numbers the larger ones, all bits inverted turns the
    // order of the negative ones.
    let flip = (((bits as i32) >> 31) as u32) | 0x8000_0000;
    let order = if score.is_nan() { u32::MAX } else { bits ^ flip };
    (u64::from(order) << 32) | u64::from(!index)
}

/// The score of a key, but for the sign of 0 and the bits of NaN.
#[inline(always)]
fn value_of(key: u64) -> f32 {
    let order = (key >> 32) as u32;
    let flip = ((!(order as i32) >> 31) as u32) | 0x8000_0000;
    f32::from_bits(order ^ flip)
}

#[inline(always)]
fn index_of(key: u64) -> u32 {
    !(key as u32)
}

vectorized! {
    /// The choice for rows of scores; writes every number.
    fn choose(
        s;
        scores: &[f32],
        experts: usize,
        k: usize,
        indices: &mut [i64],
        values: &mut [MaybeUninit<f32>],
    ) {
        let _ = s;
        if k == 0 {
            return;
        }
        let rows = scores.chunks_exact(experts);
        let rows = rows.zip(indices.chunks_exact_mut(k).zip(values.chunks_exact_mut(k)));
        match k {
            1 => rows.for_each(|(scores, out)| write(scores, &best::<1>(scores, k), out)),
            2 => rows.for_each(|(scores, out)| write(scores, &best::<2>(scores, k), out)),
            3 | 4 => rows.for_each(|(scores, out)| write(scores, &best::<4>(scores, k), out)),
            5..=8 => rows.for_each(|(scores, out)| write(scores, &best::<8>(scores, k), out)),
            _ => {
                let mut keys = Vec::with_capacity(experts);
                for (scores, out) in rows {
                    keys.clear();
                    keys.extend(scores.iter().zip(0..).map(|(score, i)| !key(*score, i)));
                    keys.select_nth_unstable(k - 1);
                    keys[..k].sort_unstable();
                    keys[..k].iter_mut().for_each(|key| *key = !*key);
                    write(scores, &keys[..k], out);
                }
            }
        }
    }
}

/// The `k` largest keys of a row, in the first of `K` places.
#[inline(always)]
fn best<const K: usize>(scores: &[f32], k: usize) -> [u64; K] {
    /// Scores that are passed over together if none is large enough.
    const BLOCK: usize = 16;
    let mut best = [0; K];
    let insert = |best: &mut [u64; K], mut key: u64| {
        // Without branches: the order of a row's first scores cannot be foreseen.
        for best in best {
            (*best, key) = ((*best).max(key), (*best).min(key));
        }
    };
    let (first, rest) = scores.split_at(scores.len().min(BLOCK.max(K)));
    for (score, i) in first.iter().zip(0..) {
        insert(&mut best, key(*score, i));
    }
    let mut at = first.len() as u32;
    for scores in rest.chunks(BLOCK) {
        let least = best[k - 1];
        let value = value_of(least);
        // Not `x > value`, so that NaN is looked at. An equal score has the higher index.
        let enough =
            |x: &f32| !matches!(x.partial_cmp(&value), Some(Ordering::Less | Ordering::Equal));
        let any = match <&[f32; BLOCK]>::try_from(scores) {
            Ok(scores) => scores.iter().fold(false, |any, x| any | enough(x)),
            Err(_) => true,
        };
        if any {
            for (score, i) in scores.iter().zip(at..) {
                let key = key(*score, i);
                if key > best[k - 1] {
                    insert(&mut best, key);
                }
            }
        }
        at += scores.len() as u32;
    }
    best
}

#[inline(always)]
fn write(scores: &[f32], best: &[u64], (indices, values): (&mut [i64], &mut [MaybeUninit<f32>])) {
    for ((index, value), key) in indices.iter_mut().zip(values).zip(best) {
        let at = index_of(*key);
        *index = i64::from(at);
        value.write(scores[at as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    /// A full stable sort.
    fn by_definition(scores: &[f32], experts: usize, k: usize) -> Vec<i64> {
        let mut all = Vec::new();
        for row in scores.chunks_exact(experts) {
            let mut order: Vec<usize> = (0..experts).collect();
            order.sort_by(|a, b| {
                let (a, b) = (row[*a], row[*b]);
                b.is_nan().cmp(&a.is_nan()).then(b.partial_cmp(&a).unwrap_or(Ordering::Equal))
            });
            all.extend(order[..k].iter().map(|i| *i as i64));
        }
        all
    }

    fn check(scores: &[f32], tokens: usize, experts: usize, k: usize) {
        let found = top_k(scores, [tokens, experts], k);
        assert_eq!(found.indices, by_definition(scores, experts, k), "{tokens} {experts} {k}");
        for (at, (index, value)) in found.indices.iter().zip(&found.values).enumerate() {
            let expected = scores[at / k * experts + *index as usize];
            assert_eq!(expected.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn equals_a_stable_sort() {
        at_every_level(|_| {
            for (tokens, experts) in [(0, 4), (1, 1), (7, 8), (33, 17), (5, 100), (3, 1000)] {
                for k in [0, 1, 2, 3, 4, 5, 8, 9, 17, 100] {
                    if k <= experts {
                        let len = tokens * experts;
                        let wave: Vec<f32> =
                            (0..len).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
                        check(&wave, tokens, experts, k);
                        // Many equal ones, zeros of both signs among them.
                        let steps: Vec<f32> =
                            wave.iter().map(|x| if *x < 0.0 { -0.0 } else { x.trunc() }).collect();
                        check(&steps, tokens, experts, k);
                        let falling: Vec<f32> = (0..len).map(|i| i as f32 * -2.5).collect();
                        check(&falling, tokens, experts, k);
                        let rising: Vec<f32> = (0..len).map(|i| i as f32 - 9.5).collect();
                        check(&rising, tokens, experts, k);
                    }
                }
            }
        });
    }

    #[test]
    fn what_is_no_number_is_the_largest_and_infinities_are_numbers() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let scores = [-inf, 1.0, inf, -nan, -inf, nan, f32::MAX, -1.0, 0.0];
        at_every_level(|_| {
            for k in 1..=9 {
                let found = top_k(&scores, [1, 9], k);
                assert_eq!(found.indices, [3, 5, 2, 6, 1, 8, 7, 0, 4][..k]);
                assert!(found.values[0].is_nan());
            }
            let least = [-inf; 20];
            assert_eq!(top_k(&least, [1, 20], 3).indices, [0, 1, 2]);
        });
    }

    #[test]
    fn a_key_keeps_the_order_and_the_score() {
        let scores = [f32::NEG_INFINITY, f32::MIN, -1.5, -1e-45, 0.0, 1e-45, 1.5, f32::INFINITY];
        for pair in scores.windows(2) {
            assert!(key(pair[0], 0) < key(pair[1], 9));
            assert!(key(pair[0], 1) > key(pair[0], 2));
        }
        for score in scores {
            assert_eq!((value_of(key(score, 7)), index_of(key(score, 7))), (score, 7));
        }
        assert!(value_of(key(-f32::NAN, 0)).is_nan());
    }

    #[test]
    fn several_threads_choose_the_same() {
        let scores: Vec<f32> = (0..20_000 * 8).map(|i| (i as f32).sin()).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| top_k(&scores, [20_000, 8], 2))
        };
        let one = run(1);
        assert_eq!(one.indices, by_definition(&scores, 8, 2));
        assert_eq!(run(2), one);
        assert_eq!(run(3), one);
    }

    #[test]
    #[should_panic(expected = "top_k: k is 3, more than the 2 experts")]
    fn no_more_can_be_chosen_than_there_are() {
        top_k(&[0.0; 4], [2, 2], 3);
    }

    #[test]
    fn the_gradient_goes_where_the_values_came_from() {
        let scores: Vec<f32> = (0..5 * 7).map(|i| (i as f32 * 1.3).cos()).collect();
        let grad: Vec<f32> = (0..15).map(|i| i as f32 + 1.0).collect();
        let chosen = top_k(&scores, [5, 7], 3);
        let found = top_k_backward(&chosen.indices, &grad, [5, 7], 3);
        let mut expected = vec![0.0; 35];
        for (i, (index, grad)) in chosen.indices.iter().zip(&grad).enumerate() {
            expected[i / 3 * 7 + *index as usize] = *grad;
        }
        assert_eq!(found, expected);
    }
}
