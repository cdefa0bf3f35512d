use super::*;
use crate::simd::level::at_every_level;

fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin() * 1.5).collect()
}

fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

/// Output and gradients in `[batch, heads, time, width]`, from the definition in double precision.
struct Definition {
    y: Vec<f64>,
    dq: Vec<f64>,
    dk: Vec<f64>,
    dv: Vec<f64>,
}

/// Element (b, h, t, d).
fn at(x: &Heads<'_>, [b, h, t, d]: [usize; 4]) -> f64 {
    f64::from(x.data[x.strides.start(b, h) + t * x.strides.time + d])
}

/// The row of P and the factors of dropout of a query.
fn row(a: &Attention<'_>, q: &Heads<'_>, k: &Heads<'_>, [b, h, i]: [usize; 3]) -> Vec<[f64; 2]> {
    let Shape { heads, queries, keys, width, .. } = a.shape;
    let s: Vec<f64> = (0..keys)
        .map(|j| {
            let dot: f64 = (0..width).map(|d| at(q, [b, h, i, d]) * at(k, [b, h, j, d])).sum();
            let hidden = a.causal.is_some_and(|first| j > i + first)
                || a.key_mask.is_some_and(|mask| !mask[b * keys + j]);
            let mask = a.mask.map_or(0.0, |mask| f64::from(mask[i * keys + j]));
            if hidden { f64::NEG_INFINITY } else { f64::from(a.scale) * dot + mask }
        })
        .collect();
    let max = s.iter().fold(f64::NEG_INFINITY, |m, s| m.max(*s));
    let sum: f64 = s.iter().map(|s| (s - max).exp()).sum();
    s.iter()
        .enumerate()
        .map(|(j, s)| {
            let n = ((b * heads + h) * queries + i) * keys + j;
            let z = a.dropout.map_or(1.0, |dropout| f64::from(dropout.factor(n as u64)));
            [if max == f64::NEG_INFINITY { 0.0 } else { (s - max).exp() / sum }, z]
        })
        .collect()
}

fn definition(a: &Attention<'_>, [q, k, v, grad]: [&Heads<'_>; 4]) -> Definition {
    let Shape { batch, heads, queries, keys, width } = a.shape;
    let zeros = |time| vec![0.0; batch * heads * time * width];
    let (mut y, mut dq) = (zeros(queries), zeros(queries));
    let (mut dk, mut dv) = (zeros(keys), zeros(keys));
    let items = (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h)));
    for ((b, h), i) in items.flat_map(|item| (0..queries).map(move |i| (item, i))) {
        let p = row(a, q, k, [b, h, i]);
        let query = |d| ((b * heads + h) * queries + i) * width + d;
        let key = |j, d| ((b * heads + h) * keys + j) * width + d;
        let dp = |j: usize| {
            let dot = (0..width).map(|d| at(grad, [b, h, i, d]) * at(v, [b, h, j, d]));
            dot.sum::<f64>() * p[j][1]
        };
        let total: f64 = (0..keys).map(|j| p[j][0] * dp(j)).sum();
        for j in 0..keys {
            let ds = p[j][0] * (dp(j) - total) * f64::from(a.scale);
            for d in 0..width {
                y[query(d)] += p[j][0] * p[j][1] * at(v, [b, h, j, d]);
                dq[query(d)] += ds * at(k, [b, h, j, d]);
                dk[key(j, d)] += ds * at(q, [b, h, i, d]);
                dv[key(j, d)] += p[j][0] * p[j][1] * at(grad, [b, h, i, d]);
            }
        }
    }
    Definition { y, dq, dk, dv }
}

/// Compares; longer sums have larger errors.
fn close(what: &str, values: &[f32], expected: &[f64], width: usize) {
    assert_eq!(values.len(), expected.len(), "{what}");
    for (at, (v, e)) in values.iter().zip(expected).enumerate() {
        let bound = 4e-6 * (1.0 + e.abs()) * (1.0 + width as f64 / 32.0);
        assert!((f64::from(*v) - e).abs() < bound, "{what} at {at}: {v} for {e}");
    }
}

fn shape([batch, heads, queries, keys, width]: [usize; 5]) -> Shape {
    Shape { batch, heads, queries, keys, width }
}

/// Compares with the definition, with the inputs in one order and the results in the other.
fn check(what: &str, a: &Attention<'_>) {
    let Shape { queries, keys, width, .. } = a.shape;
    let (of_queries, of_keys) = (a.shape.query_numbers(), a.shape.key_numbers());
    let (q, k) = (wave(of_queries, 1), wave(of_keys, 2));
    let (v, grad) = (wave(of_keys, 3), wave(of_queries, 4));
    let of = |data, time| Heads::new(data, Order::TimeHeads.strides(time, &a.shape));
    let (q, k, v, grad) = (of(&q, queries), of(&k, keys), of(&v, keys), of(&grad, queries));
    let expected = definition(a, [&q, &k, &v, &grad]);
    let forward = a.forward(q, k, v, Order::HeadsTime);
    let what = format!("{what} {:?}", a.shape);
    close(&format!("{what}: y"), &forward.y, &expected.y, width);
    let kept = &forward.statistics;
    let got = a.backward(q, k, v, kept, grad, Order::HeadsTime, Wanted::ALL);
    close(&format!("{what}: dq"), got.q.as_ref().unwrap(), &expected.dq, width);
    close(&format!("{what}: dk"), got.k.as_ref().unwrap(), &expected.dk, width);
    close(&format!("{what}: dv"), got.v.as_ref().unwrap(), &expected.dv, width);
    let wanted = Wanted { q: false, k: true, v: false };
    let only = a.backward(q, k, v, kept, grad, Order::HeadsTime, wanted);
    assert_eq!((only.q, only.k, only.v), (None, got.k, None));
}

const SIZES: [[usize; 5]; 9] = [
    [1, 1, 1, 1, 1],
    [2, 3, 7, 5, 3],
    [1, 2, 17, 33, 16],
    [2, 2, 49, 49, 16],
    [1, 1, 65, 130, 8],
    [1, 1, 5, 200, 64],
    [1, 1, 70, 31, 128],
    [1, 1, 90, 90, 20],
    [1, 1, 9, 600, 17],
];

#[test]
fn values_and_gradients_equal_the_definition() {
    at_every_level(|level| {
        for sizes in SIZES {
            check(&format!("{level:?}"), &Attention::new(shape(sizes)));
        }
    });
}

#[test]
fn masks_and_dropout_equal_the_definition() {
    at_every_level(|level| {
        for sizes in SIZES {
            let plain = Attention::new(shape(sizes));
            let Shape { batch, queries, keys, .. } = plain.shape;
            for first in [0, keys.saturating_sub(queries), 3] {
                let causal = Attention { causal: Some(first), ..plain };
                check(&format!("{level:?} causal {first}"), &causal);
            }
            // Queries 2, 5, .. see nothing; the others not every key.
            let hide = |n: usize| {
                let (i, j) = (n / keys, n % keys);
                i % 3 == 2 || (i + j).is_multiple_of(4)
            };
            let mut mask = wave(queries * keys, 5);
            for (n, mask) in mask.iter_mut().enumerate().filter(|(n, _)| hide(*n)) {
                *mask = if n % 2 == 0 { f32::NEG_INFINITY } else { *mask };
            }
            let key_mask: Vec<bool> = (0..batch * keys).map(|n| n % 5 != 1 && n < keys).collect();
            let (mask, key_mask) = (Some(&mask[..]), Some(&key_mask[..]));
            let dropout = Some(Dropout { probability: 0.3, seed: 9 });
            check(&format!("{level:?} mask"), &Attention { mask, ..plain });
            check(&format!("{level:?} key mask"), &Attention { key_mask, ..plain });
            check(&format!("{level:?} dropout"), &Attention { dropout, ..plain });
            let all = Attention { mask, key_mask, dropout, causal: Some(1), ..plain };
            check(&format!("{level:?} all"), &all);
        }
    });
}

#[test]
fn the_definitions_gradient_is_the_slope() {
    let sizes = shape([1, 2, 4, 5, 3]);
    let a = Attention { causal: Some(1), ..Attention::new(sizes) };
    let (of_queries, of_keys) = (sizes.query_numbers(), sizes.key_numbers());
    let data = [wave(of_queries, 1), wave(of_keys, 2), wave(of_keys, 3), wave(of_queries, 4)];
    let run = |data: &[Vec<f32>; 4]| {
        let times = [4, 5, 5, 4];
        let heads: Vec<Heads<'_>> = data
            .iter()
            .zip(times)
            .map(|(data, time)| Heads::new(data, Order::HeadsTime.strides(time, &sizes)))
            .collect();
        definition(&a, [&heads[0], &heads[1], &heads[2], &heads[3]])
    };
    let value = |data: &[Vec<f32>; 4]| -> f64 {
        run(data).y.iter().zip(&data[3]).map(|(y, g)| y * f64::from(*g)).sum()
    };
    let exact = run(&data);
    for (which, gradient) in [&exact.dq, &exact.dk, &exact.dv].into_iter().enumerate() {
        for (n, expected) in gradient.iter().enumerate() {
            let moved = |step: f32| {
                let mut data = data.clone();
                data[which][n] += step;
                (value(&data), f64::from(data[which][n]))
            };
            let ((up, a), (down, b)) = (moved(1e-3), moved(-1e-3));
            let slope = (up - down) / (a - b);
            assert!((slope - expected).abs() < 1e-5, "{which} at {n}: {expected} for {slope}");
        }
    }
}

#[test]
fn packed_layout_equals_separate_inputs() {
    at_every_level(|_| {
        let (sizes, time) = (shape([2, 3, 21, 21, 5]), 21);
        let a = Attention { causal: Some(0), ..Attention::new(sizes) };
        let (qkv, grad) = (wave(3 * sizes.query_numbers(), 1), wave(sizes.query_numbers(), 2));
        let row = 3 * 5;
        let part = |all: &[f32], part: usize| -> Vec<f32> {
            all.chunks_exact(3 * row).flat_map(|all| all[part * row..][..row].to_vec()).collect()
        };
        let parts = [0, 1, 2].map(|n| part(&qkv, n));
        let strides = Strides::time_heads(time, 3, 5);
        let [q, k, v] = [0, 1, 2].map(|n| Heads::new(&parts[n], strides));
        let separate = a.forward(q, k, v, Order::TimeHeads);
        let packed = a.forward_packed(&qkv);
        assert_eq!((&packed.y, &packed.statistics), (&separate.y, &separate.statistics));
        let kept = &packed.statistics;
        let dqkv = a.backward_packed(&qkv, kept, &grad);
        let grad = Heads::new(&grad, strides);
        let got = a.backward(q, k, v, kept, grad, Order::TimeHeads, Wanted::ALL);
        let separate = [got.q, got.k, got.v].map(Option::unwrap);
        assert_eq!([0, 1, 2].map(|n| part(&dqkv, n)), separate);
    });
}

#[test]
fn queries_that_see_nothing_give_nothing() {
    at_every_level(|_| {
        let sizes = shape([2, 1, 3, 4, 2]);
        let key_mask = [[true; 4], [false; 4]].concat();
        let a = Attention { key_mask: Some(&key_mask), ..Attention::new(sizes) };
        let (q, k, v) = (wave(12, 1), wave(16, 2), wave(16, 3));
        let heads = |data, time| Heads::new(data, Strides::time_heads(time, 1, 2));
        let (q, k, v) = (heads(&q, 3), heads(&k, 4), heads(&v, 4));
        let forward = a.forward(q, k, v, Order::TimeHeads);
        assert!(forward.y[..6].iter().all(|y| *y != 0.0));
        assert_eq!(forward.y[6..], [0.0; 6]);
        let grad = heads(&[1.0; 12], 3);
        let kept = &forward.statistics;
        let got = a.backward(q, k, v, kept, grad, Order::TimeHeads, Wanted::ALL);
        assert_eq!(got.q.unwrap()[6..], [0.0; 6]);
        assert_eq!(got.k.unwrap()[8..], [0.0; 8]);
        assert_eq!(got.v.unwrap()[8..], [0.0; 8]);
    });
}

#[test]
fn what_is_no_number_stays_in_its_query_and_large_scores_are_safe() {
    at_every_level(|_| {
        let (sizes, strides) = (shape([1, 1, 20, 20, 4]), Strides::time_heads(20, 1, 4));
        let a = Attention { scale: 100.0, ..Attention::new(sizes) };
        let (mut q, k, v) = (wave(80, 1), wave(80, 2), wave(80, 3));
        q[13] = f32::NAN;
        q[20] = 1e30;
        q[24] = 1e20;
        let (q, k, v) = (Heads::new(&q, strides), Heads::new(&k, strides), Heads::new(&v, strides));
        let forward = a.forward(q, k, v, Order::TimeHeads);
        let ones = [1.0; 80];
        let grad = Heads::new(&ones, strides);
        let kept = &forward.statistics;
        let got = a.backward(q, k, v, kept, grad, Order::TimeHeads, Wanted::ALL);
        for (n, (y, dq)) in forward.y.iter().zip(got.q.unwrap()).enumerate() {
            assert_eq!((y.is_nan(), dq.is_nan()), (n / 4 == 3, n / 4 == 3), "at {n}: {y} {dq}");
        }
    });
}

#[test]
fn nothing_at_all() {
    at_every_level(|_| {
        for sizes in [[0, 2, 3, 3, 4], [2, 0, 3, 3, 4], [2, 2, 0, 3, 4], [2, 2, 3, 0, 4], [1; 5]] {
            let sizes = shape(sizes);
            let a = Attention { causal: Some(0), ..Attention::new(sizes) };
            check("empty", &a);
            check("empty", &Attention { causal: None, ..a });
        }
        let a = Attention { scale: 1.0, ..Attention::new(shape([1, 1, 2, 2, 0])) };
        assert_eq!(a.forward_packed(&[]).y, []);
    });
}

#[test]
fn several_threads_give_the_same_bits() {
    at_every_level(|_| {
        let sizes = shape([5, 3, 70, 70, 16]);
        let dropout = Some(Dropout { probability: 0.2, seed: 1 });
        let a = Attention { causal: Some(0), dropout, ..Attention::new(sizes) };
        let (qkv, grad) = (wave(3 * sizes.query_numbers(), 1), wave(sizes.query_numbers(), 2));
        let run = |threads| {
            with_threads(threads, || {
                let forward = a.forward_packed(&qkv);
                let gradient = a.backward_packed(&qkv, &forward.statistics, &grad);
                (forward.y, forward.statistics, gradient)
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    });
}

#[test]
#[should_panic(expected = "attention::forward: k of 3 numbers, expected 4 or more")]
fn slices_must_be_long_enough() {
    let a = Attention::new(shape([1, 1, 1, 2, 2]));
    let heads = |data, time| Heads::new(data, Strides::time_heads(time, 1, 2));
    a.forward(heads(&[0.0; 2], 1), heads(&[0.0; 3], 2), heads(&[0.0; 4], 2), Order::TimeHeads);
}

#[test]
#[should_panic(expected = "attention::forward: mask of 3 numbers, expected 4")]
fn masks_must_fit() {
    let mask = Some(&[0.0; 3][..]);
    let a = Attention { mask, ..Attention::new(shape([1, 1, 2, 2, 1])) };
    a.forward_packed(&[0.0; 6]);
}
#[test]
#[should_panic(expected = "attention::forward: q of 8 numbers")]
fn strides_must_not_reach_beyond_by_overflow() {
    let a = Attention::new(shape([3, 1, 2, 2, 2]));
    // Twice this is 0 again.
    let strides = Strides { batch: usize::MAX / 2 + 1, ..Strides::time_heads(2, 1, 2) };
    let bad = Heads::new(&[0.0; 8], strides);
    a.forward(bad, bad, bad, Order::TimeHeads);
}
