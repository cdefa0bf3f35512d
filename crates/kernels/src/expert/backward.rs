//! The gradients of the experts' networks.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::forward::{Kept, combined};
use super::{Expert, ExpertShape, Weights, check_len, rows};
use crate::activation::{self, Activation, Needs};
use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product_into};
use crate::par::{self, Rows};

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the pairs' weights.
    pub pair_weights: bool,
    /// That of the first layers' weights.
    pub w1: bool,
    /// That of the first layers' biases.
    pub b1: bool,
    /// That of the second layers' weights.
    pub w2: bool,
    /// That of the second layers' biases.
    pub b2: bool,
}

/// The gradients that were asked for. `T` holds a parameter's gradient for all experts.
#[derive(Debug, Clone, Default)]
pub struct Gradients<T> {
    /// `[tokens, inputs]`.
    pub x: Option<Vec<f32>>,
    /// `[tokens, choices]`.
    pub pair_weights: Option<Vec<f32>>,
    /// `[inputs, hidden]` for each expert.
    pub w1: Option<T>,
    /// `[hidden]` for each expert.
    pub b1: Option<T>,
    /// `[hidden, outputs]` for each expert.
    pub w2: Option<T>,
    /// `[outputs]` for each expert.
    pub b2: Option<T>,
}

/// The gradients of [`forward`](super::forward), stacked as [`Weights::stacked`] takes the weights.
///
/// ```text
/// do = w dy          dw  = <dy, h W2 + b2>
/// dh = do W2^T       dW2 = h^T do      db2 = sum of the rows of do
/// dz = dh f'         dW1 = x^T dz      db1 = sum of the rows of dz
/// dx = sum over the token's choices of dz W1^T
/// ```
///
/// Each line for the pairs of one expert; h: its hidden layer; w: the pair's weight; dy: gradient of
/// the output of the pair's token. An expert without tokens has gradients of zero.
///
/// # Panics
/// If a length does not fit, or `kept` is of another shape.
///
/// # Example
/// ```
/// use pressrun_kernels::activation::Activation;
/// use pressrun_kernels::expert::{ExpertShape, Wanted, Weights, backward, forward};
///
/// let shape =
///     ExpertShape { tokens: 1, choices: 1, experts: 2, inputs: 1, hidden: 1, outputs: 1 };
/// let weights = Weights::stacked(shape, &[5.0, 2.0], &[0.0; 2], &[5.0, 3.0], &[0.0; 2]);
/// let (x, w, f) = ([1.0], [0.5], Activation::Identity);
/// let kept = forward(shape, &x, &[1], &w, &weights, f).kept;
/// let all =
///     Wanted { x: true, pair_weights: true, w1: true, b1: true, w2: true, b2: false };
/// let found = backward(shape, &x, &w, &weights, &kept, &[1.0], f, all);
/// assert_eq!(found.x, Some(vec![0.5 * 2.0 * 3.0]));
/// assert_eq!(found.pair_weights, Some(vec![6.0]));
/// assert_eq!(found.w2, Some(vec![0.0, 0.5 * 2.0]));
/// assert_eq!(found.b2, None);
/// ```
#[expect(clippy::too_many_arguments, reason = "what the forward pass took, kept and gave")]
pub fn backward(
    shape: ExpertShape,
    x: &[f32],
    pair_weights: &[f32],
    weights: &Weights<'_>,
    kept: &Kept,
    grad: &[f32],
    activation: Activation,
    wanted: Wanted,
) -> Gradients<Vec<f32>> {
    let pass = Pass { shape, x, pair_weights, weights, kept, grad, activation, wanted };
    let found = pass.run(true);
    let one = |results: Option<Vec<Vec<f32>>>| {
        results.map(|mut results| results.pop().expect("all experts in one"))
    };
    Gradients {
        x: found.x,
        pair_weights: found.pair_weights,
        w1: one(found.w1),
        b1: one(found.b1),
        w2: one(found.w2),
        b2: one(found.b2),
    }
}

/// As [`backward`], with one `Vec` for each parameter of each expert.
///
/// # Panics
/// As [`backward`].
#[expect(clippy::too_many_arguments, reason = "what the forward pass took, kept and gave")]
pub fn backward_per_expert(
    shape: ExpertShape,
    x: &[f32],
    pair_weights: &[f32],
    weights: &Weights<'_>,
    kept: &Kept,
    grad: &[f32],
    activation: Activation,
    wanted: Wanted,
) -> Gradients<Vec<Vec<f32>>> {
    Pass { shape, x, pair_weights, weights, kept, grad, activation, wanted }.run(false)
}

/// What the backward pass reads.
struct Pass<'a> {
    shape: ExpertShape,
    x: &'a [f32],
    pair_weights: &'a [f32],
    weights: &'a Weights<'a>,
    kept: &'a Kept,
    grad: &'a [f32],
    activation: Activation,
    wanted: Wanted,
}

type Place<'a> = &'a mut [MaybeUninit<f32>];

/// A gradient to be written: of all experts one after another, or of each.
type Results = Option<Vec<Box<[MaybeUninit<f32>]>>>;

/// Where the gradients of one expert go.
struct Task<'a> {
    expert: usize,
    /// Of `w1`, `b1`, `w2`, `b2`.
    parameters: [Option<Place<'a>>; 4],
    /// Of the gathered input; empty if not wanted.
    x: Place<'a>,
}

impl Pass<'_> {
    fn check(&self) {
        let ExpertShape { tokens, experts, inputs, hidden, outputs, .. } = self.shape;
        let (pairs, kept) = (self.shape.pairs(), self.kept);
        check_len("backward: x", self.x.len(), tokens * inputs);
        check_len("backward: pair_weights", self.pair_weights.len(), pairs);
        check_len("backward: grad", self.grad.len(), tokens * outputs);
        check_len("backward: kept hidden layer", kept.h.len(), pairs * hidden);
        check_len("backward: kept outputs", kept.out.len(), pairs * outputs);
        check_len("backward: kept sorting", kept.grouping.starts.len(), experts + 1);
        check_len("backward: kept pairs", kept.grouping.places.len(), pairs);
        let z = if self.activation.needs() == Needs::Input { pairs * hidden } else { 0 };
        check_len("backward: kept input of the activation", kept.z.len(), z);
        let found = self.weights.experts.len();
        assert_eq!(
            found, experts,
            "expert::backward: weights of {found} experts, expected {experts}"
        );
    }

    fn run(&self, stacked: bool) -> Gradients<Vec<Vec<f32>>> {
        self.check();
        let ExpertShape { tokens, choices, experts, inputs, .. } = self.shape;
        let Wanted { x, pair_weights, w1, b1, w2, b2 } = self.wanted;
        let (wanted, lens) = ([w1, b1, w2, b2], self.shape.lens());
        let mut results: [Results; 4] = std::array::from_fn(|i| {
            let (count, len) = if stacked { (1, experts * lens[i]) } else { (experts, lens[i]) };
            wanted[i].then(|| (0..count).map(|_| Box::new_uninit_slice(len)).collect())
        });
        let width = if x { inputs } else { 0 };
        let dx = buffer::scratch(self.shape.pairs() * width, |dx| {
            self.experts(&mut results, stacked, &mut *dx, width);
            // SAFETY: every expert has written its rows, which together are all.
            let dx = unsafe { buffer::as_written(dx) };
            let sizes = [tokens, choices, inputs];
            x.then(|| combined(&self.kept.grouping, dx, None, sizes))
        });
        // SAFETY: every expert has written its gradients, which together are all.
        let [w1, b1, w2, b2] = results.map(|results| unsafe {
            results.map(|results| {
                results.into_iter().map(|values| values.assume_init().into_vec()).collect()
            })
        });
        let pair_weights = pair_weights.then(|| self.pair_weights());
        Gradients { x: dx, pair_weights, w1, b1, w2, b2 }
    }

    fn pair_weights(&self) -> Vec<f32> {
        let ExpertShape { tokens, choices, outputs, .. } = self.shape;
        let cost = tokens * choices * (4 + outputs / 16);
        if choices == 0 {
            return Vec::new();
        }
        // SAFETY: `pair_dots` writes every number of its rows.
        unsafe {
            buffer::written(tokens * choices, |out| {
                let rows = Rows { data: out, width: choices };
                par::for_rows(tokens, 16, cost, [rows], |range, [out]| {
                    let grad = &self.grad[range.start * outputs..range.end * outputs];
                    let places =
                        &self.kept.grouping.places[range.start * choices..range.end * choices];
                    rows::pair_dots(&self.kept.out, grad, outputs, places, choices, out);
                });
            })
        }
    }

    /// Writes everything that is the sum over one expert's pairs, and `dx` in the experts' order.
    fn experts(&self, results: &mut [Results; 4], stacked: bool, dx: Place<'_>, width: usize) {
        let lens = self.shape.lens();
        let mut parts = [0, 1, 2, 3].map(|_| Vec::new());
        for (i, results) in results.iter_mut().enumerate() {
            let mut rest: Vec<Place<'_>> = results.iter_mut().flatten().map(|b| &mut **b).collect();
            parts[i] = match rest.pop() {
                Some(all) if stacked => split(all, self.shape.experts, |_| lens[i]),
                Some(last) => rest.into_iter().chain([last]).map(Some).collect(),
                None => (0..self.shape.experts).map(|_| None).collect(),
            };
        }
        let grouping = &self.kept.grouping;
        let dx = split(dx, self.shape.experts, |expert| grouping.of(expert).len() * width);
        let mut parts = parts.map(Vec::into_iter);
        let tasks = dx.into_iter().enumerate().map(|(expert, x)| Task {
            expert,
            parameters: parts.each_mut().map(|parts| parts.next().flatten()),
            x: x.expect("one for each expert"),
        });
        if par::threads_for(2 * self.shape.cost()) <= 1 {
            tasks.for_each(|task| self.expert(task));
        } else {
            // One expert is one task; a thread that has none left takes a part of a product of
            // another one's. Who does what changes no number.
            let tasks: Vec<_> = tasks.collect();
            tasks.into_par_iter().with_max_len(1).for_each(|task| self.expert(task));
        }
    }

    fn expert(&self, task: Task<'_>) {
        let ExpertShape { inputs, hidden, outputs, .. } = self.shape;
        let places = self.kept.grouping.of(task.expert);
        let (weights, count) = (self.weights.experts[task.expert], places.len());
        let [w1, b1, w2, b2] = task.parameters;
        let inner = self.wanted.x || w1.is_some() || b1.is_some();
        if !inner && w2.is_none() && b2.is_none() {
            return;
        }
        buffer::scratch(count * outputs, |out| {
            self.pick(self.grad, outputs, places.clone(), Some(self.pair_weights), out);
            // SAFETY: `pick` has written every number.
            let out = Mat::new(unsafe { buffer::as_written(out) }, count, outputs);
            if let Some(w2) = w2 {
                let h = &self.kept.h[places.start * hidden..places.end * hidden];
                into(w2, Mat::new(h, count, hidden).t(), out);
            }
            if let Some(b2) = b2 {
                sum_rows(b2, out);
            }
            if inner {
                buffer::scratch(count * hidden, |dz| {
                    self.hidden_gradient(weights, places.clone(), out, dz);
                    // SAFETY: `hidden_gradient` has written every number.
                    let dz = Mat::new(unsafe { buffer::as_written(dz) }, count, hidden);
                    if let Some(b1) = b1 {
                        sum_rows(b1, dz);
                    }
                    if let Some(w1) = w1 {
                        self.first_weights(places, dz, w1);
                    }
                    if self.wanted.x {
                        into(task.x, dz, Mat::new(weights.w1, inputs, hidden).t());
                    }
                });
            }
        });
    }

    /// The gradient before the activation.
    fn hidden_gradient(
        &self,
        weights: Expert<'_>,
        places: Range<usize>,
        out: Mat<'_>,
        dz: Place<'_>,
    ) {
        let ExpertShape { hidden, outputs, .. } = self.shape;
        let count = places.len();
        let w2 = Mat::new(weights.w2, hidden, outputs).t();
        if self.activation == Activation::Identity {
            return into(dz, out, w2);
        }
        let from = if self.kept.z.is_empty() { &self.kept.h } else { &self.kept.z };
        let from = &from[places.start * hidden..places.end * hidden];
        buffer::scratch(count * hidden, |dh| {
            into(&mut *dh, out, w2);
            // SAFETY: `into` has written every number.
            let dh = unsafe { buffer::as_written(dh) };
            let rows = Rows { data: dz, width: hidden };
            par::for_rows(count, 1, count * hidden / 4, [rows], |range, [dz]| {
                let range = range.start * hidden..range.end * hidden;
                activation::slope(self.activation, &from[range.clone()], &dh[range], dz);
            });
        });
    }

    fn first_weights(&self, places: Range<usize>, dz: Mat<'_>, w1: Place<'_>) {
        let (inputs, count) = (self.shape.inputs, places.len());
        buffer::scratch(count * inputs, |x| {
            self.pick(self.x, inputs, places, None, x);
            // SAFETY: `pick` has written every number.
            let x = Mat::new(unsafe { buffer::as_written(x) }, count, inputs);
            into(w1, x.t(), dz);
        });
    }

    /// Writes the rows of the tokens at these places.
    fn pick(
        &self,
        table: &[f32],
        width: usize,
        places: Range<usize>,
        weights: Option<&[f32]>,
        out: Place<'_>,
    ) {
        let (tokens, pairs) = (&self.kept.grouping.tokens, &self.kept.grouping.pairs);
        let cost = places.len() * (2 + width / 16);
        let rows = Rows { data: out, width };
        par::for_rows(places.len(), 1, cost, [rows], |range, [out]| {
            let range = places.start + range.start..places.start + range.end;
            rows::pick(table, width, &tokens[range.clone()], &pairs[range], weights, out);
        });
    }
}

/// Cuts a slice into consecutive parts.
fn split(
    mut rest: Place<'_>,
    count: usize,
    len: impl Fn(usize) -> usize,
) -> Vec<Option<Place<'_>>> {
    let part = |i| {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(len(i));
        rest = behind;
        Some(part)
    };
    (0..count).map(part).collect()
}

/// Writes a product, one row after another.
fn into(out: Place<'_>, a: Mat<'_>, b: Mat<'_>) {
    let (m, n) = (a.rows, b.cols);
    product_into(MatMut::strided(out, [m, n], n), a, b, Start::default());
}

/// Writes the sum of all rows: a row of ones times the matrix keeps the sums in registers.
fn sum_rows(out: Place<'_>, values: Mat<'_>) {
    buffer::scratch(values.rows, |ones| {
        ones.fill(MaybeUninit::new(1.0));
        // SAFETY: filled above.
        let ones = unsafe { buffer::as_written(ones) };
        into(out, Mat::new(ones, 1, values.rows), values);
    });
}
