use super::*;
use crate::simd::level::at_every_level;

fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
}

/// Indices with repetitions, in bags of 0, 1, 2, ... indices and over again.
fn some(k: usize, n: usize) -> (Vec<u32>, Vec<f32>, Vec<usize>) {
    let indices = (0..k).map(|i| ((i * 31 + i * i * 7 + 3) % n) as u32).collect();
    let mut offsets = vec![0, 0];
    while offsets[offsets.len() - 1] < k {
        offsets.push((offsets[offsets.len() - 1] + offsets.len() % 7).min(k));
    }
    (indices, wave(k, 5), offsets)
}

#[test]
fn values_equal_the_definition() {
    at_every_level(|level| {
        for (n, width, k) in
            [(1, 1, 1), (5, 7, 3), (3, 0, 4), (4, 17, 0), (40, 16, 33), (9, 300, 50), (6, 256, 21)]
        {
            let (indices, weights, offsets) = some(k, n);
            let bags = Bags { indices: &indices, weights: &weights, offsets: &offsets };
            let (table, grad) = (wave(n * width, 1), wave(bags.len() * width, 2));
            let mut sums = vec![0.0f64; bags.len() * width];
            let mut back = vec![0.0f64; n * width];
            for b in 0..bags.len() {
                for i in offsets[b]..offsets[b + 1] {
                    for j in 0..width {
                        let at = indices[i] as usize * width + j;
                        let w = f64::from(weights[i]);
                        sums[b * width + j] += w * f64::from(table[at]);
                        back[at] += w * f64::from(grad[b * width + j]);
                    }
                }
            }
            let near = |found: Vec<f32>, expected: &[f64]| {
                assert_eq!(found.len(), expected.len());
                let error = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs());
                let worst = error.fold(0.0, f64::max);
                assert!(worst < 1e-5, "{level:?} {n} {width} {k}: {worst}");
            };
            near(bag_sums(&table, [n, width], bags), &sums);
            near(bag_sums_backward(&grad, [n, width], bags), &back);
        }
    });
}

#[test]
fn several_threads_give_the_same_bits() {
    let (indices, weights, offsets) = some(9000, 500);
    let bags = Bags { indices: &indices, weights: &weights, offsets: &offsets };
    let (table, grad) = (wave(500 * 70, 1), wave(bags.len() * 70, 2));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            (bag_sums(&table, [500, 70], bags), bag_sums_backward(&grad, [500, 70], bags))
        })
    };
    at_every_level(|_| {
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    });
}

#[test]
fn what_does_not_fit_is_named() {
    let message = |indices: &[u32], weights: &[f32], offsets: &[usize]| {
        let bags = Bags { indices, weights, offsets };
        let run = std::panic::AssertUnwindSafe(|| bag_sums(&[0.0; 3], [3, 1], bags));
        let panic = std::panic::catch_unwind(run).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert_eq!(message(&[0, 3], &[1.0; 2], &[0, 2]), "bag_sums: index 3, expected 0..3");
    let found = message(&[0, 2], &[1.0], &[0, 2]);
    assert!(found.contains("bag_sums: 1 weights for 2 indices"), "{found}");
    for offsets in [&[][..], &[0, 1], &[1, 2], &[0, 2, 1, 2]] {
        assert!(message(&[0, 2], &[1.0; 2], offsets).contains("expected to rise from 0 to 2"));
    }
}
