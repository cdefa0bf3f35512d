//! The gated recurrent unit.

use std::mem::MaybeUninit;

use super::{
    Backward, Given, Gradients, Layout, RecurrentShape, StateGradient, StepBack, Wanted, Weights,
    check_len, load,
};
use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product_into};
use crate::par::{self, Rows};
use crate::simd::math::{sigmoid, tanh};
use crate::simd::vectorized;

/// What [`forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The state after each step, `[batch, steps, hidden]`.
    pub states: Vec<f32>,
    /// What [`backward`] needs: `r`, `z`, `n` and `h_n` of each step, `[batch, steps, 4, hidden]`;
    /// empty if it was not to be kept.
    pub kept: Vec<f32>,
}

/// A gated recurrent unit over whole sequences.
///
/// ```text
/// r  = s(x_r + h_r)           x_r, x_z, x_n: the thirds of x W_i + b_i
/// z  = s(x_z + h_z)           h_r, h_z, h_n: the thirds of h W_h + b_h
/// n  = tanh(x_n + r h_n)      s: 1 / (1 + exp(-v))
/// h' = n + z (h - n)          h, h': state before and after the step
/// ```
///
/// Without `h0` the first state is 0 and `W_h` is not read at the first step. `keep` says whether
/// [`backward`] is to follow.
///
/// # Shapes
/// - `x`: `[batch, steps, inputs]`, `h0`: `[batch, hidden]`
/// - `W_i`: `[inputs, 3 hidden]`, `W_h`: `[hidden, 3 hidden]`, biases: `[3 hidden]`, gates in the
///   order r, z, n
/// - states: `[batch, steps, hidden]`
///
/// # Source
/// Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
/// Machine Translation", with the reset gate after the product, as cuDNN and PyTorch have it.
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::recurrent::{RecurrentShape, Weights, gru};
///
/// let shape = RecurrentShape { batch: 1, steps: 2, inputs: 1, hidden: 1 };
/// let (w_i, w_h) = ([0.0, 0.0, 100.0], [0.0; 3]);
/// let weights = Weights { w_i: &w_i, w_h: &w_h, b_i: None, b_h: None };
/// // The update gate is one half and the new value 1: each step goes half of the way.
/// let states = gru::forward(shape, &[1.0, 1.0], None, weights, false).states;
/// assert!((states[0] - 0.5).abs() < 1e-6 && (states[1] - 0.75).abs() < 1e-6);
/// ```
pub fn forward(
    shape: RecurrentShape,
    x: &[f32],
    h0: Option<&[f32]>,
    weights: Weights<'_>,
    keep: bool,
) -> Forward {
    let given = Given { shape, x, h0, weights };
    given.check("gru::forward", 3);
    let RecurrentShape { batch, steps, hidden, .. } = shape;
    let (block, of_states) = (given.block(), steps * hidden);
    let of_kept = if keep { 4 * of_states } else { 0 };
    // SAFETY: every block writes its rows of both.
    let [states, kept] = unsafe {
        buffer::written_all([batch * of_states, batch * of_kept], |[states, kept]| {
            let outs =
                [Rows { data: states, width: of_states }, Rows { data: kept, width: of_kept }];
            par::for_rows(batch, block, given.cost(3 * hidden), outs, |range, [states, kept]| {
                for first in range.clone().step_by(block) {
                    let (at, rows) = (first - range.start, block.min(range.end - first));
                    let states = &mut states[at * of_states..][..rows * of_states];
                    let kept = &mut kept[at * of_kept..][..rows * of_kept];
                    if keep {
                        forward_block(&given, first, rows, kept, states);
                    } else {
                        buffer::scratch(4 * rows * of_states, |gates| {
                            forward_block(&given, first, rows, gates, states);
                        });
                    }
                }
            });
        })
    };
    Forward { states, kept }
}

/// Writes all of the gates and states of a block.
fn forward_block(
    given: &Given<'_>,
    first: usize,
    rows: usize,
    gates: &mut [MaybeUninit<f32>],
    states: &mut [MaybeUninit<f32>],
) {
    let RecurrentShape { steps, inputs, hidden, .. } = given.shape;
    let columns = 3 * hidden;
    // The input's part of r, z and n goes to where the gates will be.
    product_into(
        MatMut::strided(gates, [rows * steps, columns], 4 * hidden),
        given.input_rows(first, rows),
        Mat::new(given.weights.w_i, inputs, columns),
        Start { add: None, bias: given.weights.b_i },
    );
    buffer::scratch(rows * (hidden + columns), |memory| {
        let (h, product) = memory.split_at_mut(rows * hidden);
        let h = given.initial(first, h);
        for t in 0..steps {
            given.state_product(h, t, None, product, [rows, columns]);
            // SAFETY: the product has written it.
            let product = unsafe { buffer::as_written(product) };
            step(Step { steps, t, hidden, product, h, gates, states });
        }
    });
}

/// One step of a block.
struct Step<'a> {
    steps: usize,
    t: usize,
    hidden: usize,
    /// `h W_h + b_h`, `[rows, 3, hidden]`.
    product: &'a [f32],
    /// The state, `[rows, hidden]`.
    h: &'a mut [f32],
    /// `[rows, steps, 4, hidden]`; of the first three, the input's part has been written.
    gates: &'a mut [MaybeUninit<f32>],
    /// `[rows, steps, hidden]`.
    states: &'a mut [MaybeUninit<f32>],
}

vectorized! {
    fn step(s; step: Step<'_>) {
        let Step { steps, t, hidden, product, h, gates, states } = step;
        for (i, h) in h.chunks_exact_mut(hidden.max(1)).enumerate() {
            let at = (i * steps + t) * hidden;
            let [h_r, h_z, h_n] = parts(&product[i * 3 * hidden..][..3 * hidden]);
            let state = &mut states[at..][..hidden];
            let (inputs, kept) = gates[4 * at..][..4 * hidden].split_at_mut(3 * hidden);
            // SAFETY: the product of the inputs has written it.
            let inputs = unsafe { buffer::as_written_mut(inputs) };
            let (r, inputs) = inputs.split_at_mut(hidden);
            let (z, n) = inputs.split_at_mut(hidden);
            // Written out: a closure over so many slices is not inlined, and would then lose the
            // instructions that this function is compiled for.
            for from in (0..hidden).step_by(S::LANES) {
                let to = hidden.min(from + S::LANES);
                let (h_n, h_v) = (load(s, h_n, from, to), load(s, h, from, to));
                let r_v = sigmoid(s, s.add(load(s, r, from, to), load(s, h_r, from, to)));
                let z_v = sigmoid(s, s.add(load(s, z, from, to), load(s, h_z, from, to)));
                let n_v = tanh(s, s.fma(r_v, h_n, load(s, n, from, to)));
                let next = s.fma(z_v, s.sub(h_v, n_v), n_v);
                s.store_first(&mut buffer::as_uninit(r)[from..to], r_v);
                s.store_first(&mut buffer::as_uninit(z)[from..to], z_v);
                s.store_first(&mut buffer::as_uninit(n)[from..to], n_v);
                s.store_first(&mut kept[from..to], h_n);
                s.store_first(&mut buffer::as_uninit(h)[from..to], next);
                s.store_first(&mut state[from..to], next);
            }
        }
    }
}

/// Equal parts of a slice.
#[inline(always)]
fn parts<const N: usize>(values: &[f32]) -> [&[f32]; N] {
    let len = values.len() / N;
    std::array::from_fn(|i| &values[i * len..][..len])
}

/// The gradients of [`forward`].
///
/// ```text
/// dn = dh' (1 - z) (1 - n^2)      dr = dn h_n r (1 - r)      dz = dh' (h - n) z (1 - z)
/// dx = [dr, dz, dn] W_i^T         dh = z dh' + [dr, dz, r dn] W_h^T
/// dW_i = sum of x^T [dr, dz, dn]  dW_h = sum of h^T [dr, dz, r dn]
/// ```
///
/// `dr`, `dz`, `dn` are the gradients before sigmoid and tanh; the biases' are their sums. Beside the
/// inputs, the states and what [`forward`] kept are needed.
///
/// # Panics
/// If a length does not fit, or if nothing was kept.
///
/// # Example
/// ```
/// use pressrun_kernels::recurrent::{RecurrentShape, StateGradient, Wanted, Weights, gru};
///
/// let shape = RecurrentShape { batch: 1, steps: 3, inputs: 1, hidden: 1 };
/// let weights = Weights { w_i: &[0.0; 3], w_h: &[0.0; 3], b_i: None, b_h: None };
/// let (x, h0) = ([0.0; 3], [1.0]);
/// let forward = gru::forward(shape, &x, Some(&h0), weights, true);
/// let wanted = Wanted { x: false, h0: true, w_i: false, w_h: false, b_i: false, b_h: false };
/// let grad = StateGradient::Last(&[1.0]);
/// let way = (&forward.states[..], &forward.kept[..]);
/// let gradients = gru::backward(shape, &x, Some(&h0), weights, way, grad, wanted);
/// // The update gate keeps one half of the state at each step.
/// assert_eq!(gradients.h0, Some(vec![0.125]));
/// assert_eq!(gradients.x, None);
/// ```
pub fn backward(
    shape: RecurrentShape,
    x: &[f32],
    h0: Option<&[f32]>,
    weights: Weights<'_>,
    (states, kept): (&[f32], &[f32]),
    grad: StateGradient<'_>,
    wanted: Wanted,
) -> Gradients {
    let RecurrentShape { batch, steps, hidden, .. } = shape;
    let given = Given { shape, x, h0, weights };
    let layout = Layout { width: 4 * hidden, columns: 3 * hidden, input: hidden, carries: true };
    let backward = Backward { given, states, grad, wanted, layout };
    given.check("gru::backward", 3);
    backward.check("gru::backward");
    check_len("gru::backward", "what forward kept", kept.len(), 4 * batch * steps * hidden);
    backward.run(|step| {
        let kept = &kept[4 * step.first * steps * hidden..][..4 * step.rows * steps * hidden];
        step_back(step, kept, steps, hidden);
    })
}

vectorized! {
    /// Writes r dn, dr, dz, dn (see [`Layout`]) and `z dh'`.
    fn step_back(s; step: StepBack<'_>, kept: &[f32], steps: usize, hidden: usize) {
        let StepBack { t, before, dh, past, dg, .. } = step;
        let one = s.splat(1.0);
        for (i, dh) in dh.chunks_exact(hidden.max(1)).enumerate() {
            let at = (i * steps + t) * hidden;
            let before = &before[i * hidden..][..hidden];
            let [r, z, n, h_n] = parts(&kept[4 * at..][..4 * hidden]);
            let (d_hn, rest) = dg[4 * i * hidden..][..4 * hidden].split_at_mut(hidden);
            let (dr, rest) = rest.split_at_mut(hidden);
            let (dz, dn) = rest.split_at_mut(hidden);
            let past = &mut past[i * hidden..][..hidden];
            // Written out, as in `step`.
            for from in (0..hidden).step_by(S::LANES) {
                let to = hidden.min(from + S::LANES);
                let (dh_v, h_v) = (load(s, dh, from, to), load(s, before, from, to));
                let (r, z) = (load(s, r, from, to), load(s, z, from, to));
                let (n, h_n) = (load(s, n, from, to), load(s, h_n, from, to));
                let past_v = s.mul(z, dh_v);
                let dn_v = s.mul(s.sub(dh_v, past_v), s.fma(s.neg(n), n, one));
                let dr_v = s.mul(s.mul(dn_v, h_n), s.fma(s.neg(r), r, r));
                let dz_v = s.mul(s.mul(dh_v, s.sub(h_v, n)), s.fma(s.neg(z), z, z));
                s.store_first(&mut d_hn[from..to], s.mul(r, dn_v));
                s.store_first(&mut dr[from..to], dr_v);
                s.store_first(&mut dz[from..to], dz_v);
                s.store_first(&mut dn[from..to], dn_v);
                s.store_first(&mut past[from..to], past_v);
            }
        }
    }
}
