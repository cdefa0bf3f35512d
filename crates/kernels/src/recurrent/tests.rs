//! Both networks against their definitions in double precision; the gradients against central
//! differences of those.

use super::*;
use crate::simd::level::at_every_level;

/// The cells, as the tests go through them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Net {
    Gru,
    Rnn(rnn::Nonlinearity),
}

const NETS: [Net; 3] =
    [Net::Gru, Net::Rnn(rnn::Nonlinearity::Tanh), Net::Rnn(rnn::Nonlinearity::Relu)];

const ALL: Wanted = Wanted { x: true, h0: true, w_i: true, w_h: true, b_i: true, b_h: true };

/// `x`, `h0`, `W_i`, `W_h`, `b_i`, `b_h`.
type Params<T> = [Vec<T>; 6];

fn params(net: Net, shape: RecurrentShape) -> Params<f32> {
    let RecurrentShape { batch, steps, inputs, hidden } = shape;
    let columns = hidden * if net == Net::Gru { 3 } else { 1 };
    let wave = |len: usize, seed: usize, size: f32| {
        (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin() * size).collect()
    };
    let size = 1.5 / (hidden as f32).sqrt();
    [
        wave(batch * steps * inputs, 1, 1.0),
        wave(batch * hidden, 2, 1.0),
        wave(inputs * columns, 3, size),
        wave(hidden * columns, 4, size),
        wave(columns, 5, 0.4),
        wave(columns, 6, 0.6),
    ]
}

fn weights(params: &Params<f32>) -> Weights<'_> {
    let [_, _, w_i, w_h, b_i, b_h] = params;
    Weights { w_i, w_h, b_i: Some(b_i), b_h: Some(b_h) }
}

fn both(
    net: Net,
    shape: RecurrentShape,
    params: &Params<f32>,
    h0: bool,
    grad: StateGradient<'_>,
    wanted: Wanted,
) -> (Vec<f32>, Gradients) {
    let (x, h0, weights) = (&params[0], h0.then_some(&*params[1]), weights(params));
    match net {
        Net::Gru => {
            let forward = gru::forward(shape, x, h0, weights, true);
            let gradients = gru::backward(
                shape,
                x,
                h0,
                weights,
                (&forward.states, &forward.kept),
                grad,
                wanted,
            );
            (forward.states, gradients)
        }
        Net::Rnn(f) => {
            let states = rnn::forward(shape, x, h0, weights, f);
            let gradients = rnn::backward(shape, x, h0, weights, f, &states, grad, wanted);
            (states, gradients)
        }
    }
}

/// The states by the definition.
fn by_definition(net: Net, shape: RecurrentShape, params: &Params<f64>) -> Vec<f64> {
    let RecurrentShape { batch, steps, inputs, hidden } = shape;
    let [x, h0, w_i, w_h, b_i, b_h] = params;
    let columns = b_i.len();
    let affine = |v: &[f64], w: &[f64], b: &[f64], j: usize| -> f64 {
        b[j] + v.iter().enumerate().map(|(i, v)| v * w[i * columns + j]).sum::<f64>()
    };
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    let mut states = Vec::new();
    for row in 0..batch {
        let mut h = h0[row * hidden..][..hidden].to_vec();
        for t in 0..steps {
            let x = &x[(row * steps + t) * inputs..][..inputs];
            let of_x = |j| affine(x, w_i, b_i, j);
            let of_h = |j| affine(&h, w_h, b_h, j);
            let next = (0..hidden).map(|j| match net {
                Net::Gru => {
                    let r = sigmoid(of_x(j) + of_h(j));
                    let z = sigmoid(of_x(hidden + j) + of_h(hidden + j));
                    let n = (of_x(2 * hidden + j) + r * of_h(2 * hidden + j)).tanh();
                    (1.0 - z) * n + z * h[j]
                }
                Net::Rnn(rnn::Nonlinearity::Tanh) => (of_x(j) + of_h(j)).tanh(),
                Net::Rnn(rnn::Nonlinearity::Relu) => (of_x(j) + of_h(j)).max(0.0),
            });
            h = next.collect();
            states.extend_from_slice(&h);
        }
    }
    states
}

/// The gradient of every state, from what arrives.
fn spread(shape: RecurrentShape, grad: StateGradient<'_>) -> Vec<f32> {
    let RecurrentShape { batch, steps, hidden, .. } = shape;
    match grad {
        StateGradient::All(grad) => grad.to_vec(),
        StateGradient::Last(grad) => {
            let mut all = vec![0.0; batch * steps * hidden];
            for row in 0..batch {
                let last = ((row + 1) * steps - 1) * hidden;
                all[last..][..hidden].copy_from_slice(&grad[row * hidden..][..hidden]);
            }
            all
        }
    }
}

/// Values, and one of every `every` gradients.
fn check(net: Net, shape: RecurrentShape, with_h0: bool, grad: StateGradient<'_>, every: usize) {
    let single = params(net, shape);
    let (states, gradients) = both(net, shape, &single, with_h0, grad, ALL);
    let mut double = single.each_ref().map(|p| p.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
    if !with_h0 {
        double[1].fill(0.0);
    }
    let expected = by_definition(net, shape, &double);
    assert_eq!(states.len(), expected.len());
    for (at, (y, e)) in states.iter().zip(&expected).enumerate() {
        let error = (f64::from(*y) - e).abs();
        assert!(error < 2e-5 * (1.0 + e.abs()), "{net:?} {shape:?} {at}: {y} for {e}");
    }
    let weights = spread(shape, grad);
    let loss = |p: &Params<f64>| -> f64 {
        by_definition(net, shape, p).iter().zip(&weights).map(|(y, g)| y * f64::from(*g)).sum()
    };
    let Gradients { x, h0, w_i, w_h, b_i, b_h } = gradients;
    for (which, gradient) in [x, h0, w_i, w_h, b_i, b_h].into_iter().enumerate() {
        let gradient = gradient.unwrap();
        assert_eq!(gradient.len(), double[which].len());
        for at in (0..gradient.len()).step_by(every) {
            let (old, step) = (double[which][at], 1e-6);
            let mut with = |value| {
                double[which][at] = value;
                loss(&double)
            };
            let expected = (with(old + step) - with(old - step)) / (2.0 * step);
            with(old);
            let error = (f64::from(gradient[at]) - expected).abs();
            let bound = 1e-4 * (1.0 + expected.abs());
            assert!(error < bound, "{net:?} {shape:?} {which} {at}: {} {expected}", gradient[at]);
        }
    }
}

fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 1.3).cos()).collect()
}

fn shape_of([batch, steps, inputs, hidden]: [usize; 4]) -> RecurrentShape {
    RecurrentShape { batch, steps, inputs, hidden }
}

#[test]
fn values_and_gradients_equal_the_definition() {
    let sizes = [
        ([1, 1, 1, 1], 1),
        ([2, 3, 1, 7], 3),
        ([3, 5, 4, 17], 29),
        ([7, 2, 17, 16], 31),
        ([1, 9, 3, 33], 101),
        // More than one block, of uneven sizes.
        ([67, 2, 3, 5], 23),
    ];
    at_every_level(|_| {
        for (sizes, every) in sizes {
            let shape = shape_of(sizes);
            let RecurrentShape { batch, steps, hidden, .. } = shape;
            let (all, last) = (wave(batch * steps * hidden), wave(batch * hidden));
            for net in NETS {
                check(net, shape, true, StateGradient::All(&all), every);
                check(net, shape, false, StateGradient::Last(&last), every);
            }
        }
    });
}

#[test]
fn only_what_is_wanted_is_given_and_equals_the_rest() {
    let shape = shape_of([5, 4, 3, 9]);
    let grad = wave(5 * 9);
    for net in NETS {
        let params = params(net, shape);
        let run = |wanted| both(net, shape, &params, true, StateGradient::Last(&grad), wanted).1;
        let Gradients { x, h0, w_i, w_h, b_i, b_h } = run(ALL);
        let none = Wanted { x: false, h0: false, w_i: false, w_h: false, b_i: false, b_h: false };
        let no = Gradients::default;
        assert_eq!(run(none), no());
        assert_eq!(run(Wanted { x: true, ..none }), Gradients { x, ..no() });
        assert_eq!(run(Wanted { h0: true, ..none }), Gradients { h0, ..no() });
        assert_eq!(run(Wanted { w_i: true, ..none }), Gradients { w_i, ..no() });
        assert_eq!(run(Wanted { w_h: true, ..none }), Gradients { w_h, ..no() });
        assert_eq!(run(Wanted { b_i: true, ..none }), Gradients { b_i, ..no() });
        assert_eq!(run(Wanted { b_h: true, ..none }), Gradients { b_h, ..no() });
    }
}

#[test]
fn absent_biases_are_zeros_and_nothing_need_be_kept() {
    let shape = shape_of([3, 4, 2, 5]);
    for net in NETS {
        let mut params = params(net, shape);
        params[4].fill(0.0);
        params[5].fill(0.0);
        let grad = wave(3 * 5);
        let expected = both(net, shape, &params, false, StateGradient::Last(&grad), ALL).0;
        let none = Weights { b_i: None, b_h: None, ..weights(&params) };
        let states = match net {
            Net::Gru => {
                let forward = gru::forward(shape, &params[0], None, none, false);
                assert!(forward.kept.is_empty());
                forward.states
            }
            Net::Rnn(f) => rnn::forward(shape, &params[0], None, none, f),
        };
        assert_eq!(states, expected);
    }
}

#[test]
fn several_threads_give_the_same_bits() {
    // More blocks than groups, and a block whose products are worth a division.
    for sizes in [[520, 3, 4, 24], [16, 2, 40, 200]] {
        let shape = shape_of(sizes);
        let RecurrentShape { batch, steps, hidden, .. } = shape;
        let grad = wave(batch * steps * hidden);
        for net in NETS {
            let params = params(net, shape);
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| both(net, shape, &params, true, StateGradient::All(&grad), ALL))
            };
            at_every_level(|_| {
                let one = run(1);
                assert_eq!(one, run(2));
                assert_eq!(one, run(3));
            });
        }
    }
}

#[test]
fn sizes_of_zero() {
    at_every_level(|_| {
        for net in NETS {
            let of = |sizes: [usize; 4]| {
                let shape = shape_of(sizes);
                let grad = wave(shape.batch * shape.hidden);
                let params = params(net, shape);
                both(net, shape, &params, true, StateGradient::Last(&grad), ALL)
            };
            // No sequences, no steps: the weights' gradients are zeros.
            for (sizes, h0) in [([0, 3, 2, 4], vec![]), ([3, 0, 2, 4], wave(12))] {
                let (states, gradients) = of(sizes);
                assert!(states.is_empty() && gradients.x == Some(vec![]));
                // The initial state is the last one, too.
                assert_eq!(gradients.h0, Some(h0));
                for gradient in [gradients.w_i, gradients.w_h, gradients.b_i, gradients.b_h] {
                    assert!(gradient.unwrap().iter().all(|g| *g == 0.0));
                }
            }
            // No inputs: only the state acts.
            let (states, gradients) = of([2, 3, 0, 4]);
            assert_eq!((states.len(), gradients.w_i), (24, Some(vec![])));
            assert!(gradients.w_h.unwrap().iter().any(|g| *g != 0.0));
            // No state.
            let (states, gradients) = of([2, 3, 4, 0]);
            assert_eq!((states.len(), gradients.x), (0, Some(vec![0.0; 24])));
        }
    });
}

#[test]
fn what_is_no_number_stays_in_its_sequence() {
    let shape = shape_of([40, 3, 2, 17]);
    let (of_x, of_h) = (3 * 2, 3 * 17);
    let grad = wave(40 * of_h);
    at_every_level(|_| {
        for net in NETS {
            let mut params = params(net, shape);
            let grad = StateGradient::All(&grad);
            let clean = both(net, shape, &params, true, grad, ALL);
            // The second step of the sequence 5.
            params[0][5 * of_x + 2] = f32::NAN;
            let (states, gradients) = both(net, shape, &params, true, grad, ALL);
            let same = |a: &[f32], b: &[f32], width: usize| {
                for row in (0..40).filter(|row| *row != 5) {
                    assert_eq!(a[row * width..][..width], b[row * width..][..width]);
                }
            };
            same(&states, &clean.0, of_h);
            same(&gradients.x.unwrap(), &clean.1.x.unwrap(), of_x);
            same(&gradients.h0.unwrap(), &clean.1.h0.unwrap(), 17);
            let own = &states[5 * of_h..][..of_h];
            assert_eq!(own[..17], clean.0[5 * of_h..][..17]);
            assert!(own[17..].iter().all(|h| h.is_nan()));
            assert!(gradients.w_i.unwrap().iter().any(|g| g.is_nan()));
            assert!(gradients.w_h.unwrap().iter().any(|g| g.is_nan()));
        }
    });
}

#[test]
fn gates_saturate_at_infinity() {
    let shape = shape_of([1, 1, 1, 2]);
    let infinite = [f32::INFINITY, f32::NEG_INFINITY];
    // z = 1: the state stays; z = 0: it becomes n.
    let b_i = [0.0, 0.0, infinite[0], infinite[1], 0.0, 0.5];
    let weights = Weights { w_i: &[0.0; 6], w_h: &[0.0; 12], b_i: Some(&b_i), b_h: None };
    at_every_level(|_| {
        let states = gru::forward(shape, &[1.0], Some(&[3.0, 3.0]), weights, false).states;
        assert_eq!(states[0], 3.0);
        assert!((states[1] - 0.5f32.tanh()).abs() < 1e-6);
    });
}

#[test]
#[should_panic(expected = "gru::forward: length of W_h")]
fn lengths_must_fit() {
    let weights = Weights { w_i: &[0.0; 3], w_h: &[0.0; 4], b_i: None, b_h: None };
    let _ = gru::forward(shape_of([1, 1, 1, 1]), &[0.0], None, weights, false);
}

#[test]
#[should_panic(expected = "gru::backward: length of what forward kept")]
fn the_gates_must_have_been_kept() {
    let shape = shape_of([1, 1, 1, 1]);
    let weights = Weights { w_i: &[0.0; 3], w_h: &[0.0; 3], b_i: None, b_h: None };
    let forward = gru::forward(shape, &[0.0], None, weights, false);
    let grad = StateGradient::Last(&[1.0]);
    let _ =
        gru::backward(shape, &[0.0], None, weights, (&forward.states, &forward.kept), grad, ALL);
}
