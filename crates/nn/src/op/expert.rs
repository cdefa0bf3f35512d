//! Networks of which each token sees some.

use std::sync::Arc;

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;
use pressrun_kernels::expert::{self, ExpertShape, Kept, Wanted, Weights};

use super::{Array, Fused, Grad, Saved, kernel_of, run};
use crate::activation::Activation;

/// The parameters of an expert of two affine layers.
#[derive(Debug, Clone)]
pub(crate) struct ExpertWeights {
    pub(crate) w1: Tensor<2>,
    pub(crate) b1: Tensor<1>,
    pub(crate) w2: Tensor<2>,
    pub(crate) b2: Tensor<1>,
}

/// Most experts that one operation takes: the number of inputs of a node is part of its type.
pub(crate) const MOST_EXPERTS: usize = 16;

/// The weighted sum of what each token's experts make of it; nothing if another device or more
/// than [`MOST_EXPERTS`] are asked for.
///
/// ```text
/// y_s = sum over c of g_sc (f(x_s W1_e + b1_e) W2_e + b2_e)        e = chosen_sc
/// ```
///
/// # Shapes
/// - `x`: `[tokens, inputs]`, `weights`: `[tokens, choices]`, `chosen`: tokens * choices experts
/// - output: `[tokens, outputs]`
pub(crate) fn experts(
    x: Tensor<2>,
    weights: Tensor<2>,
    chosen: Arc<[i64]>,
    all: Vec<ExpertWeights>,
    activation: Activation,
) -> Option<Tensor<2>> {
    let op = Experts { chosen, activation: kernel_of(activation) };
    let count = all.len();
    let mut inputs = vec![Some(x.into_dispatch()), Some(weights.into_dispatch())];
    for e in all {
        inputs.extend([e.w1.into_dispatch(), e.b1.into_dispatch()].map(Some));
        inputs.extend([e.w2.into_dispatch(), e.b2.into_dispatch()].map(Some));
    }
    macro_rules! of {
        ($($experts:literal)*) => {
            match count {
                $($experts => go::<{ 2 + 4 * $experts }>(op, inputs),)*
                _ => None,
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

fn go<const N: usize>(op: Experts, inputs: Vec<Option<DispatchTensor>>) -> Option<Tensor<2>> {
    let inputs: [Option<DispatchTensor>; N] = inputs.try_into().expect("four for each expert");
    run(op, inputs).ok().map(Tensor::from_dispatch)
}

#[derive(Debug, Clone)]
struct Experts {
    chosen: Arc<[i64]>,
    activation: pressrun_kernels::activation::Activation,
}

impl Experts {
    fn shape<const N: usize>(inputs: &[&Array; N]) -> ExpertShape {
        let [x, weights, w1, _, w2, ..] = &inputs[..] else { unreachable!("an expert at least") };
        ExpertShape {
            tokens: x.dims()[0],
            choices: weights.dims()[1],
            experts: (N - 2) / 4,
            inputs: x.dims()[1],
            hidden: w1.dims()[1],
            outputs: w2.dims()[1],
        }
    }

    /// W1 of all experts, then b1, W2 and b2.
    fn lists<'a, const N: usize>(inputs: &[&'a Array; N]) -> [Vec<&'a [f32]>; 4] {
        std::array::from_fn(|part| {
            inputs[2..].iter().skip(part).step_by(4).map(|array| array.values()).collect()
        })
    }
}

impl<const N: usize> Fused<N> for Experts {
    type Kept = Kept;
    const READS: [bool; N] = [true; N];
    const READS_OUTPUT: bool = false;

    fn forward(&self, inputs: [&Array; N]) -> (Array, Kept) {
        let (shape, lists) = (Self::shape(&inputs), Self::lists(&inputs));
        let weights = Weights::per_expert(shape, &lists[0], &lists[1], &lists[2], &lists[3]);
        let (x, g) = (inputs[0].values(), inputs[1].values());
        let found = expert::forward(shape, x, &self.chosen, g, &weights, self.activation);
        (Array::new(found.y, [shape.tokens, shape.outputs]), found.kept)
    }

    fn backward(
        &self,
        saved: &Saved<N, Kept>,
        grad: &Array,
        wanted: [bool; N],
    ) -> [Option<Grad>; N] {
        let inputs = saved.inputs.each_ref();
        let (shape, lists) = (Self::shape(&inputs), Self::lists(&inputs));
        let weights = Weights::per_expert(shape, &lists[0], &lists[1], &lists[2], &lists[3]);
        let any = |part: usize| wanted[2..].iter().skip(part).step_by(4).any(|w| *w);
        let of = Wanted {
            x: wanted[0],
            pair_weights: wanted[1],
            w1: any(0),
            b1: any(1),
            w2: any(2),
            b2: any(3),
        };
        let (x, g, dy) = (inputs[0].values(), inputs[1].values(), grad.values());
        let (kept, f) = (&saved.kept, self.activation);
        let found = expert::backward_per_expert(shape, x, g, &weights, kept, dy, f, of);
        let mut all: [Option<Grad>; N] = std::array::from_fn(|_| None);
        all[0] = found.x.map(Grad::from);
        all[1] = found.pair_weights.map(Grad::from);
        // An expert that nobody sees has no gradient, and not one of zeros: an optimiser leaves it
        // alone, as when it is not evaluated.
        let seen = |e: usize| self.chosen.contains(&(e as i64));
        for (part, list) in [found.w1, found.b1, found.w2, found.b2].into_iter().enumerate() {
            for (e, values) in list.into_iter().flatten().enumerate() {
                all[2 + 4 * e + part] = seen(e).then(|| values.into());
            }
        }
        all
    }
}
