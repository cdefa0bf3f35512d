//! The experts' networks.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::Grouping;
use super::rows;
use super::{ExpertShape, Weights, check_len};
use crate::activation::{self, Activation, Needs};
use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product_into};
use crate::par::{self, Rows};

/// Rows that go through both layers together, so that what lies between stays in the cache.
const BLOCK: usize = 384;
/// Rows of a thread's share begin at multiples of this, so that full tiles fit.
const ROW_STEP: usize = 24;

/// What [`forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, `[tokens, outputs]`.
    pub y: Vec<f32>,
    /// What the backward pass needs.
    pub kept: Kept,
}

/// What the backward pass needs beside the inputs: the sorting of the pairs and, in its order, the
/// hidden layer and the experts' outputs.
#[derive(Debug, Clone)]
pub struct Kept {
    pub(super) grouping: Grouping,
    /// The hidden layer before activation, if the activation's gradient needs it; else empty.
    pub(super) z: Vec<f32>,
    pub(super) h: Vec<f32>,
    pub(super) out: Vec<f32>,
}

/// The experts' networks on the tokens that chose them, summed with the pairs' weights.
///
/// ```text
/// h[t, j] = f(x[t] W1[e] + b1[e]) W2[e] + b2[e]       e = chosen[t, j]
/// y[t]    = sum over j of w[t, j] h[t, j]
/// ```
///
/// t: token; j: choice; f: activation. The sum runs in order of choice; a token may choose an expert
/// more than once.
///
/// # Shapes
/// - `x`: `[tokens, inputs]`
/// - `chosen` and `pair_weights`: `[tokens, choices]`
/// - output: `[tokens, outputs]`
///
/// # Source
/// Shazeer et al., arXiv:1701.06538, equation 1, without its noise and its gate.
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..experts`.
///
/// # Example
/// ```
/// use pressrun_kernels::activation::Activation;
/// use pressrun_kernels::expert::{ExpertShape, Weights, forward};
///
/// let shape =
///     ExpertShape { tokens: 1, choices: 2, experts: 2, inputs: 1, hidden: 1, outputs: 1 };
/// let weights = Weights::stacked(shape, &[1.0, -1.0], &[0.0; 2], &[10.0, 20.0], &[1.0, 2.0]);
/// // Expert 1: relu(-3) 20 + 2 = 2; expert 0: relu(3) 10 + 1 = 31.
/// let y = forward(shape, &[3.0], &[1, 0], &[0.5, 1.0], &weights, Activation::Relu).y;
/// assert_eq!(y, [32.0]);
/// ```
pub fn forward(
    shape: ExpertShape,
    x: &[f32],
    chosen: &[i64],
    pair_weights: &[f32],
    weights: &Weights<'_>,
    activation: Activation,
) -> Forward {
    let ExpertShape { tokens, choices, experts, inputs, hidden, outputs } = shape;
    let pairs = shape.pairs();
    check_len("forward: x", x.len(), tokens * inputs);
    check_len("forward: chosen", chosen.len(), pairs);
    check_len("forward: pair_weights", pair_weights.len(), pairs);
    let found = weights.experts.len();
    assert_eq!(found, experts, "expert::forward: weights of {found} experts, expected {experts}");
    let grouping = Grouping::new("expert::forward", chosen, choices, experts);
    let layers = Layers { shape, x, weights, activation, grouping: &grouping };
    let kept_z = if activation.needs() == Needs::Input { hidden } else { 0 };
    // SAFETY: `run` writes every number of its rows.
    let [z, h, out] = unsafe {
        buffer::written_all([pairs * kept_z, pairs * hidden, pairs * outputs], |[z, h, out]| {
            let rows = [
                Rows { data: z, width: kept_z },
                Rows { data: h, width: hidden },
                Rows { data: out, width: outputs },
            ];
            // By rows whatever their expert: threads have the same to do when the load has not.
            par::for_rows(pairs, ROW_STEP, shape.cost(), rows, |range, parts| {
                layers.run(range, parts);
            });
        })
    };
    let y = combined(&grouping, &out, Some(pair_weights), [tokens, choices, outputs]);
    Forward { y, kept: Kept { grouping, z, h, out } }
}

/// For each token the sum of its rows, which are in the order of experts.
pub(super) fn combined(
    grouping: &Grouping,
    from: &[f32],
    weights: Option<&[f32]>,
    [tokens, choices, width]: [usize; 3],
) -> Vec<f32> {
    let cost = tokens * choices * (2 + width / 16);
    // SAFETY: `combine` writes every number of its rows.
    unsafe {
        buffer::written(tokens * width, |y| {
            par::for_rows(tokens, 1, cost, [Rows { data: y, width }], |range, [y]| {
                let pairs = range.start * choices..range.end * choices;
                let weights = weights.map(|weights| &weights[pairs.clone()]);
                rows::combine(from, width, &grouping.places[pairs], weights, choices, y);
            });
        })
    }
}

/// Both layers of all experts.
struct Layers<'a> {
    shape: ExpertShape,
    x: &'a [f32],
    weights: &'a Weights<'a>,
    activation: Activation,
    grouping: &'a Grouping,
}

impl Layers<'_> {
    /// Writes the rows of a range of places; `z` may be empty.
    fn run(&self, range: Range<usize>, [z, h, out]: [&mut [MaybeUninit<f32>]; 3]) {
        let ExpertShape { hidden, outputs, .. } = self.shape;
        let first = range.start;
        for (expert, places) in self.grouping.within(range) {
            for start in places.clone().step_by(BLOCK) {
                let block = start..places.end.min(start + BLOCK);
                let (from, to) = (block.start - first, block.end - first);
                let h = &mut h[from * hidden..to * hidden];
                let out = &mut out[from * outputs..to * outputs];
                if z.is_empty() {
                    buffer::scratch(block.len() * hidden, |z| self.block(expert, block, z, h, out));
                } else {
                    self.block(expert, block, &mut z[from * hidden..to * hidden], h, out);
                }
            }
        }
    }

    /// Writes the rows of a few places of one expert.
    fn block(
        &self,
        expert: usize,
        places: Range<usize>,
        z: &mut [MaybeUninit<f32>],
        h: &mut [MaybeUninit<f32>],
        out: &mut [MaybeUninit<f32>],
    ) {
        let ExpertShape { inputs, hidden, outputs, .. } = self.shape;
        let (count, expert) = (places.len(), self.weights.experts[expert]);
        let (tokens, pairs) = (&self.grouping.tokens[places.clone()], &self.grouping.pairs[places]);
        let start = |bias| Start { add: None, bias: Some(bias) };
        // SAFETY: `pick`, `product_into` and `apply` write every number before it is read.
        unsafe {
            buffer::scratch(count * inputs, |x| {
                rows::pick(self.x, inputs, tokens, pairs, None, x);
                let x = Mat::new(buffer::as_written(x), count, inputs);
                let w1 = Mat::new(expert.w1, inputs, hidden);
                product_into(MatMut::strided(z, [count, hidden], hidden), x, w1, start(expert.b1));
            });
            activation::apply(self.activation, buffer::as_written(z), h);
            let h = Mat::new(buffer::as_written(h), count, hidden);
            let w2 = Mat::new(expert.w2, hidden, outputs);
            product_into(MatMut::strided(out, [count, outputs], outputs), h, w2, start(expert.b2));
        }
    }
}
