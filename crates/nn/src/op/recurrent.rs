//! Recurrent layers over whole sequences.

use burn::tensor::{Tensor, activation, module};

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
    let states = plain(cell, x, state, weights);
    Tensor::stack(states, 1)
}

/// The last state, `[batch, hidden]`.
pub(crate) fn recurrent_last(
    cell: Cell,
    x: Tensor<3>,
    state: Option<Tensor<2>>,
    weights: RecurrentWeights,
) -> Tensor<2> {
    plain(cell, x, state, weights).pop().expect("at least one step")
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
