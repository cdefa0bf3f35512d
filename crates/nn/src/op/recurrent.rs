//! Recurrent layers over whole sequences.

use burn::backend::DispatchTensor;
use burn::tensor::{Tensor, activation, module};
use pressrun_kernels::recurrent::{RecurrentShape, StateGradient, Wanted, Weights, gru, rnn};

use super::{Array, Fused, Grad, Saved, run};

/// The cell of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Gated recurrent unit.
    Gru,
    /// Hyperbolic tangent.
    Tanh,
    /// ReLU.
    Relu,
}

/// The weights of a recurrent layer.
#[derive(Debug, Clone)]
pub(crate) struct RecurrentWeights {
    pub(crate) input: Tensor<2>,
    pub(crate) hidden: Tensor<2>,
    pub(crate) bias_input: Tensor<1>,
    pub(crate) bias_hidden: Tensor<1>,
}

/// All states, `[batch, steps, hidden]`.
pub(crate) fn recurrent(
    cell: Cell,
    x: Tensor<3>,
    state: Option<Tensor<2>>,
    weights: RecurrentWeights,
) -> Tensor<3> {
    match run(Sequence { cell, last: false }, inputs(x, state, weights)) {
        Ok(y) => Tensor::from_dispatch(y),
        Err(given) => Tensor::stack(plain_of(cell, given), 1),
    }
}

/// The last state, `[batch, hidden]`.
pub(crate) fn recurrent_last(
    cell: Cell,
    x: Tensor<3>,
    state: Option<Tensor<2>>,
    weights: RecurrentWeights,
) -> Tensor<2> {
    match run(Sequence { cell, last: true }, inputs(x, state, weights)) {
        Ok(y) => Tensor::from_dispatch(y),
        Err(given) => plain_of(cell, given).pop().expect("at least one step"),
    }
}

/// x, first state, then the weights.
type Inputs = [Option<DispatchTensor>; 6];

fn inputs(x: Tensor<3>, state: Option<Tensor<2>>, w: RecurrentWeights) -> Inputs {
    [
        Some(x.into_dispatch()),
        state.map(Tensor::into_dispatch),
        Some(w.input.into_dispatch()),
        Some(w.hidden.into_dispatch()),
        Some(w.bias_input.into_dispatch()),
        Some(w.bias_hidden.into_dispatch()),
    ]
}

fn plain_of(
    cell: Cell,
    [x, state, input, hidden, bias_input, bias_hidden]: Inputs,
) -> Vec<Tensor<2>> {
    let given = |tensor: Option<DispatchTensor>| tensor.expect("always given");
    let weights = RecurrentWeights {
        input: Tensor::from_dispatch(given(input)),
        hidden: Tensor::from_dispatch(given(hidden)),
        bias_input: Tensor::from_dispatch(given(bias_input)),
        bias_hidden: Tensor::from_dispatch(given(bias_hidden)),
    };
    plain(cell, Tensor::from_dispatch(given(x)), state.map(Tensor::from_dispatch), weights)
}

/// The states, one after the other, in tensor operations.
fn plain(
    cell: Cell,
    x: Tensor<3>,
    state: Option<Tensor<2>>,
    w: RecurrentWeights,
) -> Vec<Tensor<2>> {
    let [batch, steps, inputs] = x.dims();
    let hidden = w.hidden.dims()[0];
    let mut h = state.unwrap_or_else(|| Tensor::zeros([batch, hidden], &x.device()));
    let part = |t: &Tensor<2>, i: usize| t.clone().slice([0..batch, i * hidden..(i + 1) * hidden]);
    let mut states = Vec::with_capacity(steps);
    for t in 0..steps {
        let now = x.clone().slice([0..batch, t..t + 1, 0..inputs]).reshape([batch, inputs]);
        let a = module::linear(now, w.input.clone(), Some(w.bias_input.clone()));
        let b = module::linear(h.clone(), w.hidden.clone(), Some(w.bias_hidden.clone()));
        h = match cell {
            Cell::Tanh => activation::tanh(a + b),
            Cell::Relu => activation::relu(a + b),
            Cell::Gru => {
                let r = activation::sigmoid(part(&a, 0) + part(&b, 0));
                let z = activation::sigmoid(part(&a, 1) + part(&b, 1));
                let n = activation::tanh(part(&a, 2) + r * part(&b, 2));
                n.clone() + z * (h - n)
            }
        };
        states.push(h.clone());
    }
    states
}

/// All states or the last one.
#[derive(Debug, Clone)]
struct Sequence {
    cell: Cell,
    last: bool,
}

impl Sequence {
    fn shape(x: &Array, hidden: &Array) -> RecurrentShape {
        let [batch, steps, inputs] = x.dims().try_into().expect("three dimensions");
        RecurrentShape { batch, steps, inputs, hidden: hidden.dims()[0] }
    }

    fn nonlinearity(&self) -> rnn::Nonlinearity {
        if self.cell == Cell::Relu { rnn::Nonlinearity::Relu } else { rnn::Nonlinearity::Tanh }
    }
}

/// What the way forwards leaves: all states, if the output is only the last, and the gates.
#[derive(Debug, Clone)]
struct Way {
    states: Vec<f32>,
    gates: Vec<f32>,
}

impl Fused<6> for Sequence {
    type Kept = Way;
    const READS: [bool; 6] = [true; 6];
    const READS_OUTPUT: bool = true;

    fn forward(&self, [x, state, input, hidden, bias_i, bias_h]: [&Array; 6]) -> (Array, Way) {
        let shape = Self::shape(x, hidden);
        let (b_i, b_h) = (bias_i.given(), bias_h.given());
        let weights = Weights { w_i: input.values(), w_h: hidden.values(), b_i, b_h };
        let (states, gates) = if self.cell == Cell::Gru {
            let found = gru::forward(shape, x.values(), state.given(), weights, true);
            (found.states, found.kept)
        } else {
            let f = self.nonlinearity();
            (rnn::forward(shape, x.values(), state.given(), weights, f), Vec::new())
        };
        let RecurrentShape { batch, steps, hidden, .. } = shape;
        if !self.last {
            let y = Array::new(states, [batch, steps, hidden]);
            return (y, Way { states: Vec::new(), gates });
        }
        let ends = states.chunks_exact(steps * hidden).flat_map(|row| &row[(steps - 1) * hidden..]);
        let y = Array::new(ends.copied().collect(), [batch, hidden]);
        (y, Way { states, gates })
    }

    fn backward(
        &self,
        saved: &Saved<6, Way>,
        grad: &Array,
        [x_w, h0, w_i, w_h, b_i, b_h]: [bool; 6],
    ) -> [Option<Grad>; 6] {
        let [x, state, input, hidden, bias_i, bias_h] = &saved.inputs;
        let shape = Self::shape(x, hidden);
        let biases = (bias_i.given(), bias_h.given());
        let weights =
            Weights { w_i: input.values(), w_h: hidden.values(), b_i: biases.0, b_h: biases.1 };
        let wanted = Wanted { x: x_w, h0, w_i, w_h, b_i, b_h };
        let (states, grad) = if self.last {
            (&saved.kept.states[..], StateGradient::Last(grad.values()))
        } else {
            (saved.output.values(), StateGradient::All(grad.values()))
        };
        let (x, state) = (x.values(), state.given());
        let found = if self.cell == Cell::Gru {
            gru::backward(shape, x, state, weights, (states, &saved.kept.gates), grad, wanted)
        } else {
            rnn::backward(shape, x, state, weights, self.nonlinearity(), states, grad, wanted)
        };
        [found.x, found.h0, found.w_i, found.w_h, found.b_i, found.b_h].map(|g| g.map(Grad::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn wave<const D: usize>(shape: [usize; D], seed: f32) -> Tensor<D> {
        let device = device::named("flex").unwrap();
        let len: usize = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i| 0.6 * (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape(shape).require_grad()
    }

    fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn every_cell_equals_its_plain_form() {
        for (cell, last) in
            [Cell::Gru, Cell::Tanh, Cell::Relu].map(|cell| [(cell, false), (cell, true)]).concat()
        {
            let gates = if cell == Cell::Gru { 3 } else { 1 };
            let make = || {
                let weights = RecurrentWeights {
                    input: wave([4, gates * 5], 1.0),
                    hidden: wave([5, gates * 5], 2.0),
                    bias_input: wave([gates * 5], 3.0),
                    bias_hidden: wave([gates * 5], 4.0),
                };
                (wave([3, 6, 4], 0.0), wave([3, 5], 5.0), weights)
            };
            let weigh = wave([3, 6, 5], 6.0);
            let sum = |states: Tensor<3>, end: Tensor<2>| {
                if last { end.square().sum() } else { (states * weigh.clone()).sum() }
            };
            let (x, h, w) = make();
            let loss = if last {
                sum(weigh.clone(), recurrent_last(cell, x.clone(), Some(h.clone()), w.clone()))
            } else {
                sum(recurrent(cell, x.clone(), Some(h.clone()), w.clone()), h.clone())
            };
            let grads = loss.backward();
            let (px, ph, pw) = make();
            let states = plain(cell, px.clone(), Some(ph.clone()), pw.clone());
            let end = states.last().unwrap().clone();
            let expected = sum(Tensor::stack(states, 1), end);
            assert!(difference(loss, expected.clone()) < 1e-5, "{cell:?} {last}");
            let plain_grads = expected.backward();
            assert!(difference(x.grad(&grads).unwrap(), px.grad(&plain_grads).unwrap()) < 1e-5);
            let pairs = [(h, ph), (w.input, pw.input), (w.hidden, pw.hidden)];
            for (mine, theirs) in pairs {
                let (mine, theirs) =
                    (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!(difference(mine, theirs) < 2e-5, "{cell:?} {last}");
            }
            for (mine, theirs) in [(w.bias_input, pw.bias_input), (w.bias_hidden, pw.bias_hidden)] {
                let (mine, theirs) =
                    (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!(difference(mine, theirs) < 2e-5, "{cell:?} {last}");
            }
        }
    }
}
