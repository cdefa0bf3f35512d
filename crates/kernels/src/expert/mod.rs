//! Mixture of experts: the choice of the largest scores, and the network of every expert on the
//! tokens that chose it.
//!
//! ```text
//! h[t, j] = f(x[t] W1[e] + b1[e]) W2[e] + b2[e]       e = chosen[t, j]
//! y[t]    = sum over j of w[t, j] h[t, j]
//! ```
//!
//! t: token; j: choice; f: activation; w: weight of the pair of a token and a choice.
//!
//! Pairs are sorted by expert, so that each expert works on consecutive rows: a few large products
//! in place of many small ones. No token is dropped, whatever the load of an expert.
//!
//! # Source
//! Shazeer et al., arXiv:1701.06538.

mod backward;
mod forward;
mod group;
mod rows;
mod top_k;

pub use backward::{Gradients, Wanted, backward, backward_per_expert};
pub use forward::{Forward, Kept, forward};
pub use top_k::{TopK, top_k, top_k_backward};

/// The sizes of the experts' networks and of what they work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpertShape {
    /// Rows of the input.
    pub tokens: usize,
    /// Experts that each token chooses.
    pub choices: usize,
    /// Experts that there are.
    pub experts: usize,
    /// Numbers in a row of the input.
    pub inputs: usize,
    /// Numbers in the hidden layer of an expert.
    pub hidden: usize,
    /// Numbers in a row of the output.
    pub outputs: usize,
}

impl ExpertShape {
    fn pairs(self) -> usize {
        self.tokens * self.choices
    }

    /// Lengths of an expert's `w1`, `b1`, `w2`, `b2`.
    fn lens(self) -> [usize; 4] {
        [self.inputs * self.hidden, self.hidden, self.hidden * self.outputs, self.outputs]
    }

    /// Multiplications and additions of both layers in a core's nanoseconds, roughly.
    fn cost(self) -> usize {
        self.pairs() * self.hidden * (self.inputs + self.outputs) / 40
    }
}

/// The parameters of one expert.
#[derive(Debug, Clone, Copy)]
struct Expert<'a> {
    w1: &'a [f32],
    b1: &'a [f32],
    w2: &'a [f32],
    b2: &'a [f32],
}

/// The parameters of all experts.
#[derive(Debug, Clone)]
pub struct Weights<'a> {
    experts: Vec<Expert<'a>>,
}

const NAMES: [&str; 4] = ["w1", "b1", "w2", "b2"];

impl<'a> Weights<'a> {
    /// From one slice for each parameter, with the experts one after another.
    ///
    /// # Shapes
    /// - `w1`: `[experts, inputs, hidden]`, `b1`: `[experts, hidden]`
    /// - `w2`: `[experts, hidden, outputs]`, `b2`: `[experts, outputs]`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn stacked(
        shape: ExpertShape,
        w1: &'a [f32],
        b1: &'a [f32],
        w2: &'a [f32],
        b2: &'a [f32],
    ) -> Self {
        let lens = shape.lens();
        for ((name, values), len) in NAMES.iter().zip([w1, b1, w2, b2]).zip(lens) {
            let (found, expected) = (values.len(), shape.experts * len);
            assert_eq!(found, expected, "expert: {name}: {found} numbers, expected {expected}");
        }
        let of = |values: &'a [f32], i: usize, e: usize| &values[e * lens[i]..][..lens[i]];
        let expert =
            |e| Expert { w1: of(w1, 0, e), b1: of(b1, 1, e), w2: of(w2, 2, e), b2: of(b2, 3, e) };
        Self { experts: (0..shape.experts).map(expert).collect() }
    }

    /// From one slice for each parameter of each expert.
    ///
    /// # Shapes
    /// For each of the `experts`: `w1`: `[inputs, hidden]`, `b1`: `[hidden]`,
    /// `w2`: `[hidden, outputs]`, `b2`: `[outputs]`.
    ///
    /// # Panics
    /// If a number of slices or a length does not fit.
    pub fn per_expert(
        shape: ExpertShape,
        w1: &[&'a [f32]],
        b1: &[&'a [f32]],
        w2: &[&'a [f32]],
        b2: &[&'a [f32]],
    ) -> Self {
        for ((name, slices), len) in NAMES.iter().zip([w1, b1, w2, b2]).zip(shape.lens()) {
            let (found, experts) = (slices.len(), shape.experts);
            assert_eq!(found, experts, "expert: {name}: {found} slices for {experts} experts");
            for (e, slice) in slices.iter().enumerate() {
                let found = slice.len();
                assert_eq!(found, len, "expert: {name} of {e}: {found} numbers, expected {len}");
            }
        }
        let expert = |e: usize| Expert { w1: w1[e], b1: b1[e], w2: w2[e], b2: b2[e] };
        Self { experts: (0..shape.experts).map(expert).collect() }
    }
}

fn check_len(what: &str, found: usize, expected: usize) {
    assert_eq!(found, expected, "expert::{what}: {found} numbers, expected {expected}");
}

#[cfg(test)]
mod tests;
