//! Recurrent networks over whole sequences, forward and backward through time.
//!
//! The batch is divided into blocks of rows. A block runs through all steps on one thread, with
//! its state in the cache, so that threads do not wait for each other at every step. The size of
//! a block depends on the batch only: results have the same bits with any number of threads.

pub mod gru;
pub mod rnn;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product, product_into};
use crate::par::{self, Rows};
use crate::simd::{Simd, map_in_place, vectorized};

/// Most rows of a block: enough for full tiles of a product, few enough to stay in the cache and
/// for a product to read the weights where they are.
const BLOCK: usize = 32;
/// Most sums of weight gradients that are kept side by side.
const GROUPS: usize = 16;

/// The sizes of a recurrent network and its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecurrentShape {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub steps: usize,
    /// Numbers of an input at one step.
    pub inputs: usize,
    /// Numbers of a state.
    pub hidden: usize,
}

/// Weights and biases; `gates` is 3 for a GRU and 1 for a plain network.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Input to hidden, `[inputs, gates * hidden]`.
    pub w_i: &'a [f32],
    /// Hidden to hidden, `[hidden, gates * hidden]`.
    pub w_h: &'a [f32],
    /// Added to the input's product, `[gates * hidden]`.
    pub b_i: Option<&'a [f32]>,
    /// Added to the state's product, `[gates * hidden]`.
    pub b_h: Option<&'a [f32]>,
}

/// The gradient that arrives at the states.
#[derive(Debug, Clone, Copy)]
pub enum StateGradient<'a> {
    /// That of every state, `[batch, steps, hidden]`.
    All(&'a [f32]),
    /// That of the last state, `[batch, hidden]`; the others have none of their own.
    Last(&'a [f32]),
}

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the initial state, also where it was not given.
    pub h0: bool,
    /// That of the input's weight.
    pub w_i: bool,
    /// That of the state's weight.
    pub w_h: bool,
    /// That of the input's bias.
    pub b_i: bool,
    /// That of the state's bias.
    pub b_h: bool,
}

/// The gradients that were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    /// `[batch, steps, inputs]`.
    pub x: Option<Vec<f32>>,
    /// `[batch, hidden]`.
    pub h0: Option<Vec<f32>>,
    /// `[inputs, gates * hidden]`.
    pub w_i: Option<Vec<f32>>,
    /// `[hidden, gates * hidden]`.
    pub w_h: Option<Vec<f32>>,
    /// `[gates * hidden]`.
    pub b_i: Option<Vec<f32>>,
    /// `[gates * hidden]`.
    pub b_h: Option<Vec<f32>>,
}

/// Panics with the function's name and both lengths if they differ.
fn check_len(function: &str, what: &str, len: usize, expected: usize) {
    assert_eq!(len, expected, "{function}: length of {what}");
}

/// Input, initial state and weights of a call.
#[derive(Clone, Copy)]
struct Given<'a> {
    shape: RecurrentShape,
    x: &'a [f32],
    h0: Option<&'a [f32]>,
    weights: Weights<'a>,
}

impl<'a> Given<'a> {
    fn check(&self, function: &str, gates: usize) {
        let RecurrentShape { batch, steps, inputs, hidden } = self.shape;
        let Weights { w_i, w_h, b_i, b_h } = self.weights;
        let check = |what, len, expected| check_len(function, what, len, expected);
        check("x", self.x.len(), batch * steps * inputs);
        check("W_i", w_i.len(), inputs * gates * hidden);
        check("W_h", w_h.len(), hidden * gates * hidden);
        for (what, given, expected) in [
            ("h0", self.h0, batch * hidden),
            ("b_i", b_i, gates * hidden),
            ("b_h", b_h, gates * hidden),
        ] {
            if let Some(given) = given {
                check(what, given.len(), expected);
            }
        }
    }

    /// Rows of a block: as even as possible.
    fn block(&self) -> usize {
        let blocks = self.shape.batch.div_ceil(BLOCK).max(1);
        self.shape.batch.div_ceil(blocks).max(1)
    }

    /// Nanoseconds of a pass through time, roughly.
    fn cost(&self, columns: usize) -> usize {
        let RecurrentShape { batch, steps, inputs, hidden } = self.shape;
        batch * steps * columns * ((inputs + hidden) / 40 + 1)
    }

    /// The inputs of these sequences, a row for each step.
    fn input_rows(&self, first: usize, rows: usize) -> Mat<'a> {
        let RecurrentShape { steps, inputs, .. } = self.shape;
        Mat::new(&self.x[first * steps * inputs..][..rows * steps * inputs], rows * steps, inputs)
    }

    /// `h W_h + b_h + add` for the state `h` before step `t`.
    fn state_product(
        &self,
        h: &[f32],
        t: usize,
        add: Option<Mat<'_>>,
        out: &mut [MaybeUninit<f32>],
        [rows, columns]: [usize; 2],
    ) {
        let hidden = self.shape.hidden;
        // A state of zeros contributes nothing: the inner length is 0.
        let inner = if t == 0 && self.h0.is_none() { 0 } else { hidden };
        product_into(
            MatMut::strided(out, [rows, columns], columns),
            Mat::strided(h, [rows, inner], [hidden, 1]),
            Mat::strided(self.weights.w_h, [inner, columns], [columns, 1]),
            Start { add, bias: self.weights.b_h },
        );
    }

    /// Writes the initial states of these sequences.
    fn initial<'b>(&self, first: usize, to: &'b mut [MaybeUninit<f32>]) -> &'b mut [f32] {
        let len = to.len();
        copy_or_zero(self.h0.map(|h0| &h0[first * self.shape.hidden..][..len]), to)
    }
}

/// Writes these numbers, or zeros.
fn copy_or_zero<'a>(from: Option<&[f32]>, to: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    if let Some(from) = from {
        return to.write_copy_of_slice(from);
    }
    to.fill(MaybeUninit::new(0.0));
    // SAFETY: written.
    unsafe { buffer::as_written_mut(to) }
}

/// How a row of a cell's gate gradients is laid out.
///
/// Those on the state's side are the first `columns`, rotated right by `input` against the order
/// of the weight's columns; those on the input's side are the `columns` from `input` on, in order.
/// So both sides are matrices, although they share some of their columns.
#[derive(Clone, Copy)]
struct Layout {
    width: usize,
    columns: usize,
    input: usize,
    /// Whether a state also reaches the next one past the gates.
    carries: bool,
}

/// One step back in time of a block.
struct StepBack<'a> {
    /// First sequence of the block, and their number.
    first: usize,
    rows: usize,
    t: usize,
    /// The state before the step, `[rows, hidden]`.
    before: &'a [f32],
    /// The gradient of the state after the step, `[rows, hidden]`.
    dh: &'a [f32],
    /// Where the layout carries: the step writes what reaches the state before it past the gates.
    past: &'a mut [MaybeUninit<f32>],
    /// `[rows, width]`: the step writes the gradients of its gates.
    dg: &'a mut [MaybeUninit<f32>],
}

/// A pass back through time.
struct Backward<'a> {
    given: Given<'a>,
    states: &'a [f32],
    grad: StateGradient<'a>,
    wanted: Wanted,
    layout: Layout,
}

impl Backward<'_> {
    fn check(&self, function: &str) {
        let RecurrentShape { batch, steps, hidden, .. } = self.given.shape;
        check_len(function, "states", self.states.len(), batch * steps * hidden);
        match self.grad {
            StateGradient::All(grad) => {
                check_len(function, "the gradient", grad.len(), batch * steps * hidden);
            }
            StateGradient::Last(grad) => {
                check_len(function, "the gradient", grad.len(), batch * hidden);
            }
        }
    }

    /// The gradients; `step` does the cell's part of a step, and writes all that it is lent.
    fn run(&self, step: impl Fn(StepBack<'_>) + Sync) -> Gradients {
        let RecurrentShape { batch, steps, inputs, hidden } = self.given.shape;
        let Layout { columns, .. } = self.layout;
        let block = self.given.block();
        let group = block * batch.div_ceil(block).div_ceil(GROUPS).max(1);
        let sums: Vec<_> = (0..batch.div_ceil(group)).map(|_| OnceLock::new()).collect();
        let widths = [
            if self.wanted.x { steps * inputs } else { 0 },
            if self.wanted.h0 { hidden } else { 0 },
        ];
        let run = |w_t: &[f32], dx: &mut [MaybeUninit<f32>], dh0: &mut [MaybeUninit<f32>]| {
            let outs = [Rows { data: dx, width: widths[0] }, Rows { data: dh0, width: widths[1] }];
            let cost = 2 * self.given.cost(columns);
            par::for_rows(batch, group, cost, outs, |range, [dx, dh0]| {
                for start in range.clone().step_by(group) {
                    let mut sum = Gradients::default();
                    let end = range.end.min(start + group);
                    for first in (start..end).step_by(block) {
                        let rows = block.min(end - first);
                        let at = first - range.start;
                        let dx = &mut dx[at * widths[0]..][..rows * widths[0]];
                        let dh0 = &mut dh0[at * widths[1]..][..rows * widths[1]];
                        sum.add(self.block(first, rows, w_t, [dx, dh0], &step));
                    }
                    let _ = sums[start / group].set(sum);
                }
            });
        };
        // SAFETY: every block writes its rows of both.
        let [dx, dh0] = unsafe {
            buffer::written_all(widths.map(|width| batch * width), |[dx, dh0]| {
                buffer::scratch(hidden * columns, |w_t| run(self.transposed(w_t), dx, dh0));
            })
        };
        let mut total = self.zeros_if_empty();
        for sum in sums.into_iter().filter_map(OnceLock::into_inner) {
            total.add(sum);
        }
        for side in [&mut total.w_h, &mut total.b_h].into_iter().flatten() {
            for row in side.chunks_exact_mut(columns.max(1)) {
                row.rotate_left(self.layout.input);
            }
        }
        total.x = self.wanted.x.then_some(dx);
        total.h0 = self.wanted.h0.then_some(dh0);
        total
    }

    /// Without sequences there is no block to give the gradients of the weights.
    fn zeros_if_empty(&self) -> Gradients {
        let Given { shape: RecurrentShape { batch, inputs, hidden, .. }, .. } = self.given;
        let Wanted { w_i, w_h, b_i, b_h, .. } = self.wanted;
        let zeros =
            |wanted, rows| (wanted && batch == 0).then(|| vec![0.0; rows * self.layout.columns]);
        Gradients {
            w_i: zeros(w_i, inputs),
            w_h: zeros(w_h, hidden),
            b_i: zeros(b_i, 1),
            b_h: zeros(b_h, 1),
            ..Gradients::default()
        }
    }

    /// `W_h^T` with its rows in the order of the layout.
    fn transposed<'b>(&self, to: &'b mut [MaybeUninit<f32>]) -> &'b [f32] {
        let (hidden, columns) = (self.given.shape.hidden, self.layout.columns);
        for column in 0..columns {
            let rotated = column + self.layout.input;
            let row = if rotated < columns { rotated } else { rotated - columns };
            let from = &self.given.weights.w_h[column..];
            for (i, to) in to[row * hidden..][..hidden].iter_mut().enumerate() {
                to.write(from[i * columns]);
            }
        }
        // SAFETY: a rotation of the columns is all of them.
        unsafe { buffer::as_written(to) }
    }

    /// All steps of a block, then the gradients over all of its steps.
    fn block(
        &self,
        first: usize,
        rows: usize,
        w_t: &[f32],
        [dx, dh0]: [&mut [MaybeUninit<f32>]; 2],
        step: &impl Fn(StepBack<'_>),
    ) -> Gradients {
        let RecurrentShape { steps, hidden, .. } = self.given.shape;
        let Layout { width, columns, carries, .. } = self.layout;
        let (cells, states) = (rows * steps, rows * hidden);
        buffer::scratch(cells * (hidden + width) + 2 * states, |memory| {
            let (dg, memory) = memory.split_at_mut(cells * width);
            let (before, memory) = memory.split_at_mut(cells * hidden);
            let (dh, past) = memory.split_at_mut(states);
            let before = self.states_before(first, rows, before);
            let last = match self.grad {
                StateGradient::Last(grad) => Some(&grad[first * hidden..][..states]),
                StateGradient::All(_) => None,
            };
            let dh = copy_or_zero(last, dh);
            for t in (0..steps).rev() {
                if let StateGradient::All(grad) = self.grad {
                    add_at_step(&grad[first * steps * hidden..], steps, t, hidden, dh);
                }
                let dg = &mut dg[t * rows * width..][..rows * width];
                let before = &before[t * states..][..states];
                step(StepBack { first, rows, t, before, dh, past, dg });
                if t == 0 && !self.wanted.h0 {
                    break;
                }
                // SAFETY: the step has written both, the second if anything goes past the gates.
                let (dg, past) =
                    unsafe { (buffer::as_written(dg), carries.then(|| buffer::as_written(past))) };
                product_into(
                    MatMut::strided(buffer::as_uninit(dh), [rows, hidden], hidden),
                    Mat::strided(dg, [rows, columns], [width, 1]),
                    Mat::new(w_t, columns, hidden),
                    Start { add: past.map(|past| Mat::new(past, rows, hidden)), bias: None },
                );
            }
            if self.wanted.h0 {
                dh0.write_copy_of_slice(dh);
            }
            // SAFETY: every step has written its rows.
            self.over_steps(first, rows, before, unsafe { buffer::as_written(dg) }, dx)
        })
    }

    /// Copies the states before each step, `[steps, rows, hidden]`.
    fn states_before<'b>(
        &self,
        first: usize,
        rows: usize,
        to: &'b mut [MaybeUninit<f32>],
    ) -> &'b [f32] {
        let RecurrentShape { steps, hidden, .. } = self.given.shape;
        if steps > 0 {
            let (initial, later) = to.split_at_mut(rows * hidden);
            self.given.initial(first, initial);
            let states = &self.states[first * steps * hidden..];
            by_steps(states, [rows, steps, hidden], later);
        }
        // SAFETY: the initial states and those after every step but the last, which is all.
        unsafe { buffer::as_written(to) }
    }

    /// The products that take all steps of a block at once. The gradients on the state's side
    /// remain in the order of the layout.
    fn over_steps(
        &self,
        first: usize,
        rows: usize,
        before: &[f32],
        dg: &[f32],
        dx: &mut [MaybeUninit<f32>],
    ) -> Gradients {
        let RecurrentShape { steps, inputs, hidden, .. } = self.given.shape;
        let Layout { width, columns, input, .. } = self.layout;
        let (cells, wanted) = (rows * steps, self.wanted);
        let side = |from: usize| {
            let data = dg.get(from..).unwrap_or_default();
            Mat::strided(data, [cells, columns], [width, 1])
        };
        let (of_input, of_state) = (side(input), side(0));
        let ones = Mat::strided(&[1.0], [1, cells], [0, 0]);
        if wanted.x {
            self.input_gradient(of_input, rows, dx);
        }
        let before = Mat::new(before, cells, hidden);
        Gradients {
            x: None,
            h0: None,
            w_i: wanted.w_i.then(|| {
                buffer::scratch(cells * inputs, |x| {
                    let from = &self.given.x[first * steps * inputs..];
                    let x = by_steps(from, [rows, steps, inputs], x);
                    product(Mat::new(x, cells, inputs).t(), of_input)
                })
            }),
            w_h: wanted.w_h.then(|| product(before.t(), of_state)),
            b_i: wanted.b_i.then(|| product(ones, of_input)),
            b_h: wanted.b_h.then(|| product(ones, of_state)),
        }
    }

    /// The inputs' gradient, whose rows go from the order of steps to that of sequences.
    fn input_gradient(&self, of_input: Mat<'_>, rows: usize, dx: &mut [MaybeUninit<f32>]) {
        let RecurrentShape { steps, inputs, .. } = self.given.shape;
        let columns = self.layout.columns;
        let w_t = Mat::new(self.given.weights.w_i, inputs, columns).t();
        buffer::scratch(rows * steps * inputs, |by_steps| {
            let to = MatMut::strided(by_steps, [rows * steps, inputs], inputs);
            product_into(to, of_input, w_t, Start::default());
            for (at, to) in dx.chunks_exact_mut(inputs.max(1)).enumerate() {
                let (row, t) = (at / steps, at % steps);
                to.copy_from_slice(&by_steps[(t * rows + row) * inputs..][..inputs]);
            }
        });
    }
}

/// Copies rows from the order of sequences to that of steps; as many steps as `to` holds.
fn by_steps<'a>(
    from: &[f32],
    [rows, steps, width]: [usize; 3],
    to: &'a mut [MaybeUninit<f32>],
) -> &'a [f32] {
    if rows * width > 0 {
        for (t, to) in to.chunks_exact_mut(rows * width).enumerate() {
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                to.write_copy_of_slice(&from[(row * steps + t) * width..][..width]);
            }
        }
    }
    // SAFETY: `to` is a whole number of steps, all of which are written.
    unsafe { buffer::as_written(to) }
}

impl Gradients {
    /// Adds those of the weights.
    fn add(&mut self, other: Self) {
        let sides = [
            (&mut self.w_i, other.w_i),
            (&mut self.w_h, other.w_h),
            (&mut self.b_i, other.b_i),
            (&mut self.b_h, other.b_h),
        ];
        for (sum, term) in sides {
            match (&mut *sum, term) {
                (Some(sum), Some(term)) => add(sum, &term),
                (None, term) => *sum = term,
                (Some(_), None) => {}
            }
        }
    }
}

/// A vector of the numbers in a range, which is not longer.
#[inline(always)]
fn load<S: Simd>(s: S, values: &[f32], from: usize, to: usize) -> S::F {
    s.load_first(&values[from..to], 0.0)
}

vectorized! {
    /// `to += from`.
    fn add(s; to: &mut [f32], from: &[f32]) {
        map_in_place(s, [to], [from], |[a], [b]| [s.add(a, b)]);
    }
}

vectorized! {
    /// Adds row `t` of each sequence.
    fn add_at_step(s; from: &[f32], steps: usize, t: usize, hidden: usize, to: &mut [f32]) {
        for (i, to) in to.chunks_exact_mut(hidden.max(1)).enumerate() {
            let from = &from[(i * steps + t) * hidden..][..hidden];
            map_in_place(s, [to], [from], |[a], [b]| [s.add(a, b)]);
        }
    }
}
