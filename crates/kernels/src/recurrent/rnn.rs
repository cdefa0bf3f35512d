//! The plain recurrent network.

use std::mem::MaybeUninit;

use super::{
    Backward, Given, Gradients, Layout, RecurrentShape, StateGradient, StepBack, Wanted, Weights,
    load,
};
use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product_into};
use crate::par::{self, Rows};
use crate::simd::math::tanh;
use crate::simd::vectorized;

/// The function that a plain recurrent network applies to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonlinearity {
    /// tanh(v).
    Tanh,
    /// max(v, 0).
    Relu,
}

/// A plain recurrent network (Elman's) over whole sequences: the state after each step.
///
/// ```text
/// h' = f(x W_i + b_i + h W_h + b_h)       h, h': state before and after the step
/// ```
///
/// Without `h0` the first state is 0 and `W_h` is not read at the first step.
///
/// # Shapes
/// - `x`: `[batch, steps, inputs]`, `h0`: `[batch, hidden]`
/// - `W_i`: `[inputs, hidden]`, `W_h`: `[hidden, hidden]`, biases: `[hidden]`
/// - output: `[batch, steps, hidden]`
///
/// # Source
/// Elman 1990, "Finding Structure in Time".
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::recurrent::{RecurrentShape, Weights, rnn};
///
/// let shape = RecurrentShape { batch: 1, steps: 3, inputs: 1, hidden: 1 };
/// let weights = Weights { w_i: &[1.0], w_h: &[2.0], b_i: None, b_h: None };
/// let states = rnn::forward(shape, &[1.0, 1.0, -9.0], None, weights, rnn::Nonlinearity::Relu);
/// assert_eq!(states, [1.0, 3.0, 0.0]);
/// ```
pub fn forward(
    shape: RecurrentShape,
    x: &[f32],
    h0: Option<&[f32]>,
    weights: Weights<'_>,
    f: Nonlinearity,
) -> Vec<f32> {
    let given = Given { shape, x, h0, weights };
    given.check("rnn::forward", 1);
    let RecurrentShape { batch, steps, hidden, .. } = shape;
    let (block, width) = (given.block(), steps * hidden);
    // SAFETY: every block writes its rows.
    unsafe {
        buffer::written(batch * width, |states| {
            let outs = [Rows { data: states, width }];
            par::for_rows(batch, block, given.cost(hidden), outs, |range, [states]| {
                for first in range.clone().step_by(block) {
                    let (at, rows) = (first - range.start, block.min(range.end - first));
                    forward_block(
                        &given,
                        first,
                        rows,
                        f,
                        &mut states[at * width..][..rows * width],
                    );
                }
            });
        })
    }
}

/// Writes all of the states of a block.
fn forward_block(
    given: &Given<'_>,
    first: usize,
    rows: usize,
    f: Nonlinearity,
    states: &mut [MaybeUninit<f32>],
) {
    let RecurrentShape { steps, inputs, hidden, .. } = given.shape;
    // The input's part goes to where the states will be.
    product_into(
        MatMut::strided(states, [rows * steps, hidden], hidden),
        given.input_rows(first, rows),
        Mat::new(given.weights.w_i, inputs, hidden),
        Start { add: None, bias: given.weights.b_i },
    );
    // SAFETY: written by the product.
    let states = unsafe { buffer::as_written_mut(states) };
    buffer::scratch(2 * rows * hidden, |memory| {
        let (h, product) = memory.split_at_mut(rows * hidden);
        let h = given.initial(first, h);
        for t in 0..steps {
            let input = states.get(t * hidden..).unwrap_or_default();
            let input = Mat::strided(input, [rows, hidden], [steps * hidden, 1]);
            given.state_product(h, t, Some(input), product, [rows, hidden]);
            // SAFETY: the product has written it.
            let v = unsafe { buffer::as_written(product) };
            activate(f, v, h, &mut *states, [steps, t, hidden]);
        }
    });
}

vectorized! {
    /// Writes `f(v)` to `h` and to the states of step `t`.
    fn activate(s; f: Nonlinearity, v: &[f32], h: &mut [f32], states: &mut [f32], sizes: [usize; 3]) {
        let [steps, t, hidden] = sizes;
        let (h, states) = (buffer::as_uninit(h), buffer::as_uninit(states));
        for (i, h) in h.chunks_exact_mut(hidden.max(1)).enumerate() {
            let v = &v[i * hidden..][..hidden];
            let state = &mut states[(i * steps + t) * hidden..][..hidden];
            // Written out: `map` has the function twice, which is then not inlined and loses the
            // instructions that this is compiled for.
            for from in (0..hidden).step_by(S::LANES) {
                let to = hidden.min(from + S::LANES);
                let v = load(s, v, from, to);
                let next = match f {
                    Nonlinearity::Tanh => tanh(s, v),
                    // Zero first, so that NaN stays.
                    Nonlinearity::Relu => s.max(s.splat(0.0), v),
                };
                s.store_first(&mut h[from..to], next);
                s.store_first(&mut state[from..to], next);
            }
        }
    }
}

/// The gradients of [`forward`], from its result.
///
/// ```text
/// dv = dh' f'(v)          f' from the state: 1 - h'^2 for tanh, 1 where h' > 0 for relu
/// dx = dv W_i^T           dW_i = sum of x^T dv
/// dh = dv W_h^T           dW_h = sum of h^T dv
/// ```
///
/// The biases' are the sums of `dv`.
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::recurrent::{RecurrentShape, StateGradient, Wanted, Weights, rnn};
///
/// let shape = RecurrentShape { batch: 1, steps: 2, inputs: 1, hidden: 1 };
/// let weights = Weights { w_i: &[1.0], w_h: &[2.0], b_i: None, b_h: None };
/// let (x, f) = ([1.0, 1.0], rnn::Nonlinearity::Relu);
/// let states = rnn::forward(shape, &x, None, weights, f);
/// let wanted = Wanted { x: true, h0: false, w_i: true, w_h: true, b_i: true, b_h: false };
/// let grad = StateGradient::Last(&[1.0]);
/// let gradients = rnn::backward(shape, &x, None, weights, f, &states, grad, wanted);
/// assert_eq!(gradients.x, Some(vec![2.0, 1.0]));
/// assert_eq!((gradients.w_i, gradients.w_h), (Some(vec![3.0]), Some(vec![1.0])));
/// ```
#[expect(clippy::too_many_arguments, reason = "what forward had, and what is new")]
pub fn backward(
    shape: RecurrentShape,
    x: &[f32],
    h0: Option<&[f32]>,
    weights: Weights<'_>,
    f: Nonlinearity,
    states: &[f32],
    grad: StateGradient<'_>,
    wanted: Wanted,
) -> Gradients {
    let RecurrentShape { steps, hidden, .. } = shape;
    let given = Given { shape, x, h0, weights };
    let layout = Layout { width: hidden, columns: hidden, input: 0, carries: false };
    given.check("rnn::backward", 1);
    let backward = Backward { given, states, grad, wanted, layout };
    backward.check("rnn::backward");
    let of_sequence = steps * hidden;
    backward.run(|step| {
        let states = &states[step.first * of_sequence..][..step.rows * of_sequence];
        step_back(step, f, states, steps, hidden);
    })
}

vectorized! {
    fn step_back(s; step: StepBack<'_>, f: Nonlinearity, states: &[f32], steps: usize, hidden: usize) {
        let StepBack { t, dh, dg, .. } = step;
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        for (i, dh) in dh.chunks_exact(hidden.max(1)).enumerate() {
            let at = (i * steps + t) * hidden;
            let (h, dv) = (&states[at..][..hidden], &mut dg[i * hidden..][..hidden]);
            for from in (0..hidden).step_by(S::LANES) {
                let to = hidden.min(from + S::LANES);
                let (h, dh) = (load(s, h, from, to), load(s, dh, from, to));
                let v = match f {
                    Nonlinearity::Tanh => s.mul(dh, s.fma(s.neg(h), h, one)),
                    Nonlinearity::Relu => s.select(s.le(h, zero), zero, dh),
                };
                s.store_first(&mut dv[from..to], v);
            }
        }
    }
}
