use super::*;
use crate::simd::level::at_every_level;

fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
}

/// Indices with repetitions, in no order.
fn some(k: usize, n: usize) -> Vec<i64> {
    (0..k).map(|i| ((i * 31 + i * i * 7 + 3) % n) as i64).collect()
}

const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (5, 7, 3),
    (3, 0, 4),
    (4, 17, 0),
    (2, 33, 40),
    (40, 16, 33),
    (9, 64, 17),
    (7, 8, 21),
    (6, 100, 12),
];

#[test]
fn values_equal_the_definition() {
    at_every_level(|level| {
        for (n, width, k) in SIZES {
            let (table, rows, w) = (wave(n * width, 1), wave(k * width, 2), wave(k, 3));
            let indices = some(k, n);
            for weights in [None, Some(&w[..])] {
                let weight = |i: usize| weights.map_or(1.0, |w: &[f32]| f64::from(w[i]));
                let found = gather_rows(&table, [n, width], &indices, weights);
                assert_eq!(found.len(), k * width);
                let mut sums = vec![0.0f64; n * width];
                for i in 0..k {
                    for j in 0..width {
                        let at = indices[i] as usize * width + j;
                        let expected = weight(i) * f64::from(table[at]);
                        let error = f64::from(found[i * width + j]) - expected;
                        assert!(error.abs() < 1e-6, "{level:?} {n} {width} {k} {i} {j}");
                        sums[at] += weight(i) * f64::from(rows[i * width + j]);
                    }
                }
                let found = scatter_add_rows(&rows, [n, width], &indices, weights);
                assert_eq!(found.len(), n * width);
                for (found, expected) in found.iter().zip(&sums) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 1e-5, "{level:?} {n} {width} {k}: {found} for {expected}");
                }
            }
            let dots = row_dots(&rows, &table, [n, width], &indices);
            assert_eq!(dots.len(), k);
            for i in 0..k {
                let of = |j: usize| {
                    let at = indices[i] as usize * width + j;
                    f64::from(rows[i * width + j]) * f64::from(table[at])
                };
                let expected: f64 = (0..width).map(of).sum();
                assert!((f64::from(dots[i]) - expected).abs() < 1e-5, "{level:?} {width} {i}");
            }
        }
    });
}

#[test]
fn rows_are_added_in_order_of_position() {
    at_every_level(|_| {
        // 1e8 swallows a 1 that comes after it, and not one that comes when it is gone.
        let (rows, n) = ([1.0, 1e8, -1e8, 1.0], 3);
        assert_eq!(scatter_add_rows(&rows, [n, 1], &[1; 4], None), [0.0, 1.0, 0.0]);
        assert_eq!(scatter_add_rows(&rows, [n, 1], &[0, 0, 0, 2], None), [0.0, 0.0, 1.0]);
    });
}

#[test]
fn several_threads_give_the_same_bits() {
    // Divided by columns, and (width 3) by targets.
    for (n, width, k) in [(1000, 70, 4000), (500, 3, 100_000)] {
        let (table, rows, w) = (wave(n * width, 1), wave(k * width, 2), wave(k, 3));
        let indices = some(k, n);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let gathered = gather_rows(&table, [n, width], &indices, Some(&w));
                let added = scatter_add_rows(&rows, [n, width], &indices, Some(&w));
                (gathered, added, row_dots(&rows, &table, [n, width], &indices))
            })
        };
        at_every_level(|_| {
            let one = run(1);
            assert!(one == run(2) && one == run(3));
        });
    }
}

#[test]
fn what_is_no_number_stays_in_its_row() {
    at_every_level(|_| {
        let mut table = wave(5 * 9, 1);
        table[9 + 4] = f32::NAN;
        table[18] = f32::INFINITY;
        let found = gather_rows(&table, [5, 9], &[1, 2, 3], None);
        assert!(found[4].is_nan() && found[9] == f32::INFINITY);
        assert_eq!(found.iter().filter(|x| x.is_finite()).count(), 25);
        let added = scatter_add_rows(&table, [3, 9], &[0, 1, 2, 0, 0], Some(&[1.0; 5]));
        assert!(added[13].is_nan() && added[18] == f32::INFINITY);
        assert_eq!(added.iter().filter(|x| x.is_finite()).count(), 25);
        let dots = row_dots(&table, &[1.0; 9], [1, 9], &[0; 5]);
        assert!(dots[1].is_nan() && dots[2] == f32::INFINITY && dots[3].is_finite());
    });
}

#[test]
fn an_index_outside_is_named_with_its_position() {
    let message = |f: &dyn Fn() -> Vec<f32>| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let mut indices = vec![0; 1030];
    indices[1027] = 3;
    indices[1029] = -1;
    let rows = vec![0.0; 1030];
    let found = message(&|| gather_rows(&[0.0; 3], [3, 1], &indices, None));
    assert_eq!(found, "gather_rows: index 3 at position 1027, expected 0..3");
    let found = message(&|| scatter_add_rows(&rows[..1], [3, 1], &indices[1029..], None));
    assert_eq!(found, "scatter_add_rows: index -1 at position 0, expected 0..3");
    let found = message(&|| row_dots(&rows[..1], &[], [0, 1], &[i64::MIN]));
    assert!(found.starts_with("row_dots: index -9223372036854775808 at position 0"));
    let found = message(&|| gather_rows(&[0.0; 3], [3, 1], &[0, 1], Some(&[1.0])));
    assert!(found.contains("gather_rows: 1 weights for 2 indices"), "{found}");
    let found = message(&|| scatter_add_rows(&[0.0; 3], [3, 1], &[0, 1], None));
    assert!(found.contains("scatter_add_rows: rows: 3 numbers, expected 2"), "{found}");
}
