use super::*;
use crate::activation::{self, Activation, Needs};
use crate::simd::level::at_every_level;

fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
}

struct Case {
    shape: ExpertShape,
    x: Vec<f32>,
    chosen: Vec<i64>,
    w: Vec<f32>,
    parameters: [Vec<f32>; 4],
    grad: Vec<f32>,
}

const ALL: Wanted = Wanted { x: true, pair_weights: true, w1: true, b1: true, w2: true, b2: true };

impl Case {
    /// `used`: experts that are chosen, the others have no tokens.
    fn new(shape: ExpertShape, used: usize) -> Self {
        let lens = shape.lens();
        let pick = |i: usize| (((i * 2_654_435_761) >> 7) % used.max(1)) as i64;
        Self {
            shape,
            x: wave(shape.tokens * shape.inputs, 1),
            chosen: (0..shape.pairs()).map(pick).collect(),
            w: wave(shape.pairs(), 2),
            parameters: [0, 1, 2, 3].map(|i| wave(shape.experts * lens[i], 3 + i)),
            grad: wave(shape.tokens * shape.outputs, 8),
        }
    }

    fn weights(&self) -> Weights<'_> {
        let [w1, b1, w2, b2] = &self.parameters;
        Weights::stacked(self.shape, w1, b1, w2, b2)
    }

    fn forward(&self, f: Activation) -> Forward {
        forward(self.shape, &self.x, &self.chosen, &self.w, &self.weights(), f)
    }

    fn backward(&self, f: Activation, kept: &Kept, wanted: Wanted) -> Gradients<Vec<f32>> {
        backward(self.shape, &self.x, &self.w, &self.weights(), kept, &self.grad, f, wanted)
    }
}

/// In double precision: y, and the gradients of x, pair weights, w1, b1, w2, b2. The activation is
/// the module's own.
fn by_definition(case: &Case, f: Activation) -> (Vec<f64>, [Vec<f64>; 6]) {
    let Case { shape, x, chosen, w, parameters, grad } = case;
    let ExpertShape { tokens, choices, experts, inputs, hidden, outputs } = *shape;
    let [w1, b1, w2, b2] = parameters.each_ref().map(|p| move |i: usize| f64::from(p[i]));
    let mut y = vec![0.0; tokens * outputs];
    let (mut dx, mut dw) = (vec![0.0; tokens * inputs], vec![0.0; tokens * choices]);
    let mut d = shape.lens().map(|len| vec![0.0; experts * len]);
    for pair in 0..tokens * choices {
        let (t, e, weight) = (pair / choices, chosen[pair] as usize, f64::from(w[pair]));
        let at1 = |i: usize, j: usize| (e * inputs + i) * hidden + j;
        let at2 = |j: usize, o: usize| (e * hidden + j) * outputs + o;
        let x = |i: usize| f64::from(x[t * inputs + i]);
        let dy = |o: usize| f64::from(grad[t * outputs + o]);
        let mut h = vec![0.0; hidden];
        for j in 0..hidden {
            let z = b1(e * hidden + j) + (0..inputs).map(|i| x(i) * w1(at1(i, j))).sum::<f64>();
            let value = activation::forward(f, &[z as f32])[0];
            h[j] = f64::from(value);
            let from = if f.needs() == Needs::Input { z as f32 } else { value };
            let dh: f64 = (0..outputs).map(|o| weight * dy(o) * w2(at2(j, o))).sum();
            let dz = f64::from(activation::backward(f, &[from], &[dh as f32])[0]);
            d[1][e * hidden + j] += dz;
            for i in 0..inputs {
                d[0][at1(i, j)] += dz * x(i);
                dx[t * inputs + i] += dz * w1(at1(i, j));
            }
        }
        for o in 0..outputs {
            let out = b2(e * outputs + o) + (0..hidden).map(|j| h[j] * w2(at2(j, o))).sum::<f64>();
            y[t * outputs + o] += weight * out;
            dw[pair] += dy(o) * out;
            d[3][e * outputs + o] += weight * dy(o);
            for j in 0..hidden {
                d[2][at2(j, o)] += weight * dy(o) * h[j];
            }
        }
    }
    let [w1, b1, w2, b2] = d;
    (y, [dx, dw, w1, b1, w2, b2])
}

fn shape(sizes: [usize; 6]) -> ExpertShape {
    let [tokens, choices, experts, inputs, hidden, outputs] = sizes;
    ExpertShape { tokens, choices, experts, inputs, hidden, outputs }
}

fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*a) - b).abs();
        assert!(error < 3e-5 * (1.0 + b.abs()), "{what} at {at}: {a} for {b}");
    }
}

#[test]
fn values_and_gradients_equal_the_definition() {
    let cases = [
        ([1, 1, 1, 1, 1, 1], 1),
        ([17, 2, 3, 5, 7, 9], 3),
        ([33, 3, 4, 16, 33, 17], 3),
        ([60, 1, 5, 8, 16, 1], 2),
        ([9, 4, 2, 33, 20, 40], 2),
        ([7, 0, 2, 3, 4, 5], 0),
        ([0, 2, 3, 3, 4, 5], 0),
        ([5, 2, 3, 0, 4, 5], 3),
        ([5, 2, 3, 2, 0, 5], 3),
        ([5, 2, 3, 2, 4, 0], 3),
        ([500, 1, 2, 3, 4, 5], 1),
    ];
    at_every_level(|level| {
        for (sizes, used) in cases {
            for f in [Activation::Identity, Activation::Relu, Activation::Gelu, Activation::Tanh] {
                let case = Case::new(shape(sizes), used);
                let forward = case.forward(f);
                let (y, gradients) = by_definition(&case, f);
                let what = format!("{level:?} {sizes:?} {f:?}");
                close(&forward.y, &y, &what);
                let found = case.backward(f, &forward.kept, ALL);
                let found = [found.x, found.pair_weights, found.w1, found.b1, found.w2, found.b2];
                for (i, (found, expected)) in found.iter().zip(&gradients).enumerate() {
                    close(found.as_ref().unwrap(), expected, &format!("{what}, gradient {i}"));
                }
            }
        }
    });
}

#[test]
fn several_threads_give_the_same_bits() {
    for used in [1, 8] {
        let case = Case::new(shape([700, 2, 8, 40, 72, 48]), used);
        for f in [Activation::Relu, Activation::Gelu] {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let forward = case.forward(f);
                    let d = case.backward(f, &forward.kept, ALL);
                    [Some(forward.y), d.x, d.pair_weights, d.w1, d.b1, d.w2, d.b2]
                })
            };
            at_every_level(|_| {
                let one = run(1);
                assert!(one == run(2) && one == run(3));
            });
        }
    }
}

#[test]
fn slices_per_expert_are_the_same_as_stacked_ones() {
    let case = Case::new(shape([19, 2, 3, 5, 7, 4]), 2);
    let lens = case.shape.lens();
    let slices = [0, 1, 2, 3].map(|i| case.parameters[i].chunks_exact(lens[i]).collect::<Vec<_>>());
    let [w1, b1, w2, b2] = &slices;
    let weights = Weights::per_expert(case.shape, w1, b1, w2, b2);
    let f = Activation::Silu;
    let stacked = case.forward(f);
    let forward = forward(case.shape, &case.x, &case.chosen, &case.w, &weights, f);
    assert_eq!(forward.y, stacked.y);
    let kept = &forward.kept;
    let found =
        backward_per_expert(case.shape, &case.x, &case.w, &weights, kept, &case.grad, f, ALL);
    let expected = case.backward(f, kept, ALL);
    assert_eq!((found.x, found.pair_weights), (expected.x, expected.pair_weights));
    let found = [found.w1, found.b1, found.w2, found.b2].map(Option::unwrap);
    let expected = [expected.w1, expected.b1, expected.w2, expected.b2];
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), 3);
        assert_eq!(found.concat(), expected.unwrap());
        // The third expert has no tokens.
        assert!(found[2].iter().all(|x| *x == 0.0) && found[1].iter().any(|x| *x != 0.0));
    }
}

#[test]
fn only_what_is_wanted_is_computed_and_it_is_the_same() {
    let case = Case::new(shape([19, 2, 3, 5, 7, 4]), 3);
    let kept = case.forward(Activation::Relu).kept;
    let list = |d: Gradients<Vec<f32>>| [d.x, d.pair_weights, d.w1, d.b1, d.w2, d.b2];
    let all = list(case.backward(Activation::Relu, &kept, ALL));
    for bits in 0..64 {
        let bit = |i: usize| bits >> i & 1 == 1;
        let wanted = Wanted {
            x: bit(0),
            pair_weights: bit(1),
            w1: bit(2),
            b1: bit(3),
            w2: bit(4),
            b2: bit(5),
        };
        let some = list(case.backward(Activation::Relu, &kept, wanted));
        for (i, (some, all)) in some.iter().zip(&all).enumerate() {
            assert_eq!(some.as_ref(), all.as_ref().filter(|_| bit(i)), "{wanted:?} {i}");
        }
    }
}

#[test]
fn what_is_no_number_stays_with_its_token_and_expert() {
    let mut case = Case::new(shape([40, 1, 2, 5, 7, 4]), 2);
    let token = case.chosen.iter().position(|e| *e == 1).unwrap();
    case.x[token * 5] = f32::NAN;
    at_every_level(|_| {
        let forward = case.forward(Activation::Gelu);
        let d = case.backward(Activation::Gelu, &forward.kept, ALL);
        for (values, width) in [(&forward.y, 4), (&d.pair_weights.unwrap(), 1), (&d.x.unwrap(), 5)]
        {
            for (at, row) in values.chunks_exact(width).enumerate() {
                let nan = at == token;
                assert!(row.iter().all(|x| x.is_nan() == nan), "{at} {row:?}");
            }
        }
        let w1 = d.w1.unwrap();
        assert!(w1[..35].iter().all(|x| x.is_finite()) && w1[35..].iter().all(|x| x.is_nan()));
    });
}

#[test]
fn what_does_not_fit_is_named() {
    let case = Case::new(shape([3, 2, 2, 1, 1, 1]), 2);
    let f = Activation::Relu;
    let message = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let weights = case.weights();
    let run = |x: &[f32], chosen: &[i64], w: &[f32]| {
        forward(case.shape, x, chosen, w, &weights, f);
    };
    let found = message(&|| run(&case.x[1..], &case.chosen, &case.w));
    assert!(found.contains("expert::forward: x: 2 numbers, expected 3"), "{found}");
    let found = message(&|| run(&case.x, &[0, 1, 1, 0, 2, 0], &case.w));
    assert!(found.contains("expert::forward: index 2 at position 4, expected 0..2"), "{found}");
    let found = message(&|| run(&case.x, &case.chosen, &[]));
    assert!(found.contains("pair_weights: 0 numbers, expected 6"), "{found}");
    let found = message(&|| drop(Weights::stacked(case.shape, &[1.0], &[], &[], &[])));
    assert!(found.contains("expert: w1: 1 numbers, expected 2"), "{found}");
    let kept = Case::new(shape([4, 2, 2, 1, 1, 1]), 2).forward(f).kept;
    let found = message(&|| drop(case.backward(f, &kept, ALL)));
    assert!(found.contains("kept hidden layer: 8 numbers, expected 6"), "{found}");
}
