//! Elementwise functions.

use burn::tensor::{Tensor, activation};
use pressrun_kernels::activation::{self as kernel, Activation as Kernel, Needs};

use super::{Array, Fused, Grad, Saved, run};
use crate::activation::Activation;

/// The kernel of an activation.
pub(crate) fn kernel_of(activation: Activation) -> Kernel {
    match activation {
        Activation::Relu => Kernel::Relu,
        Activation::LeakyRelu(a) => Kernel::LeakyRelu(a as f32),
        Activation::Gelu => Kernel::Gelu,
        Activation::Silu => Kernel::Silu,
        Activation::Tanh => Kernel::Tanh,
        Activation::Sigmoid => Kernel::Sigmoid,
        Activation::Identity => Kernel::Identity,
    }
}

/// Applies an activation.
pub(crate) fn activate<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    if activation == Activation::Identity {
        return x;
    }
    elementwise(kernel_of(activation), x, |x| plain(activation, x))
}

/// The plain form.
pub(crate) fn plain<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu(a) => activation::leaky_relu(x, a),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Identity => x,
    }
}

/// Applies a function of each number, or its plain form.
pub(crate) fn elementwise<const D: usize>(
    function: Kernel,
    x: Tensor<D>,
    plain: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    match run(Elementwise(function), [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => plain(Tensor::from_dispatch(x.expect("given above"))),
    }
}

#[derive(Debug, Clone)]
struct Elementwise(Kernel);

impl Fused<1> for Elementwise {
    /// What the gradient is computed from.
    type Kept = Array;
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, Array) {
        let y = x.like(kernel::forward(self.0, x.values()));
        let kept = if self.0.needs() == Needs::Input { x.clone() } else { y.clone() };
        (y, kept)
    }

    fn backward(&self, saved: &Saved<1, Array>, grad: &Array, _: [bool; 1]) -> [Option<Grad>; 1] {
        [Some(kernel::backward(self.0, saved.kept.values(), grad.values()).into())]
    }
}
