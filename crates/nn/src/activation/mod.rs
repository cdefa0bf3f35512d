//! Elementwise nonlinearities.

use burn::tensor::Tensor;

use crate::op;

/// Softmax over the last dimension.
///
/// ```text
/// y_j = exp(x_j) / sum over k of exp(x_k)
/// ```
///
/// # Shapes
/// Any; the output has the shape of the input.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{activation::softmax, device};
///
/// let x = Tensor::<2>::from_floats([[0.0, 0.0]], &device::named("flex")?);
/// assert_eq!(softmax(x).try_into_vec_as::<f32>().unwrap(), [0.5, 0.5]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    op::softmax(x)
}

/// An elementwise nonlinearity without parameters.
///
/// ```text
/// Relu       max(x, 0)
/// LeakyRelu  max(x, a x)
/// Gelu       x Phi(x)                 Phi = distribution function of N(0, 1)
/// Silu       x / (1 + exp(-x))
/// Tanh, Sigmoid, Identity
/// ```
///
/// # Shapes
/// Any; the output has the shape of the input.
///
/// # Source
/// GELU: Hendrycks and Gimpel, arXiv:1606.08415 (exact form); `SiLU`: arXiv:1702.03118.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{activation::Activation, device};
///
/// let x = Tensor::<1>::from_floats([-2.0, 3.0], &device::named("flex")?);
/// assert_eq!(Activation::Relu.forward(x).sum().into_scalar::<f32>(), 3.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// max(x, a x) with 0 < a < 1.
    LeakyRelu(f64),
    /// x Phi(x).
    Gelu,
    /// x times its logistic function.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// x itself.
    Identity,
}

impl Activation {
    /// Applies it.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        op::activate(self, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    /// Expected at -1.5 and 0.8, with Python's `math`: `x*0.5*(1+erf(x/sqrt(2)))`, `x/(1+exp(-x))`,
    /// `tanh(x)`, `1/(1+exp(-x))`.
    const CASES: [(Activation, [f32; 2]); 7] = [
        (Activation::Relu, [0.0, 0.8]),
        (Activation::LeakyRelu(0.1), [-0.15, 0.8]),
        (Activation::Gelu, [-0.100_211, 0.630_516]),
        (Activation::Silu, [-0.273_638, 0.551_979]),
        (Activation::Tanh, [-0.905_148, 0.664_037]),
        (Activation::Sigmoid, [0.182_426, 0.689_974]),
        (Activation::Identity, [-1.5, 0.8]),
    ];

    #[test]
    fn values_and_gradients() {
        let device = device::named("flex").unwrap();
        for (activation, expected) in CASES {
            let x = Tensor::<1>::from_floats([-1.5, 0.8], &device);
            let y: Vec<f32> = activation.forward(x).try_into_vec_as().unwrap();
            for (a, b) in y.iter().zip(expected) {
                assert!((a - b).abs() < 1e-5, "{activation:?}: {a} for {b}");
            }
            let values = [-1.5, -0.3, 0.8];
            testing::check_input(&device, [3], &values, |x| activation.forward(x).sum());
        }
    }
}
