//! Stacks of affine layers.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::activation::Activation;
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result};

/// Makes an [`Mlp`].
#[derive(Debug, Clone)]
pub struct MlpConfig {
    sizes: Vec<usize>,
    activation: Activation,
    init: Init,
}

impl MlpConfig {
    /// Layers between these sizes, inputs first and outputs last, with ReLU between them and
    /// PyTorch's default initial weights.
    pub fn new(sizes: impl Into<Vec<usize>>) -> Self {
        Self { sizes: sizes.into(), activation: Activation::Relu, init: Init::FanIn }
    }

    /// The nonlinearity between the layers.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// How the weights are drawn; biases keep PyTorch's default.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the stack.
    ///
    /// # Errors
    /// With fewer than two sizes, or if one is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Mlp> {
        let n = self.sizes.len();
        Error::unless(n >= 2, "Mlp", "sizes", format!("{:?}", self.sizes), "inputs and outputs")?;
        let layer = |pair: &[usize]| {
            LinearConfig::new(pair[0], pair[1]).with_init(self.init).init(device, rng)
        };
        let layers = self.sizes.windows(2).map(layer).collect::<Result<Vec<_>>>()?;
        Ok(Mlp { layers, activation: self.activation })
    }
}

/// Affine layers with a nonlinearity between them, and none after the last.
///
/// ```text
/// y = W_n s(.. s(x W_1 + b_1) ..) + b_n       s = the nonlinearity
/// ```
///
/// # Shapes
/// - `x`: `[.., sizes[0]]`
/// - output: `[.., sizes[n]]`
///
/// # Panics
/// `forward` if the last dimension of `x` is not `sizes[0]`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, mlp::MlpConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let mlp = MlpConfig::new([3, 16, 2]).init(&device, &mut rng)?;
/// assert_eq!(mlp.forward(Tensor::<2>::zeros([5, 3], &device)).dims(), [5, 2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Mlp {
    /// The affine layers, in order.
    pub layers: Vec<Linear>,
    /// The nonlinearity between them.
    #[module(skip)]
    pub activation: Activation,
}

impl Mlp {
    /// Applies the stack.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the first size.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |x, (index, layer)| {
            let f = if index < last { self.activation } else { Activation::Identity };
            layer.forward_activated(x, f)
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn the_nonlinearity_stands_between_the_layers_only() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let config = MlpConfig::new([1, 1, 1]).with_init(Init::Constant(-1.0));
        let mut mlp = config.init(&device, &mut rng).unwrap();
        for layer in &mut mlp.layers {
            layer.bias = None;
        }
        // 2 -> -2 -> relu 0 -> 0;  -2 -> 2 -> relu 2 -> -2, which is not cut.
        let x = Tensor::<2>::from_floats([[2.0], [-2.0]], &device);
        let y: Vec<f32> = mlp.forward(x).try_into_vec_as().unwrap();
        assert_eq!(y, [0.0, -2.0]);
    }

    #[test]
    fn gradients() {
        let device = device::named("flex").unwrap();
        let config = MlpConfig::new([2, 4, 3]).with_activation(Activation::Tanh);
        let mlp = config.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let x = Tensor::<2>::from_floats([[0.4, -0.9], [1.0, 0.2]], &device);
        testing::check_module(&mlp, |m: &Mlp| m.forward(x.clone()).square().sum());
    }

    #[test]
    fn one_size_is_refused() {
        let device = device::named("flex").unwrap();
        let error = MlpConfig::new([3]).init(&device, &mut ChaCha8Rng::seed_from_u64(1));
        let expected = "Mlp: `sizes` is `[3]`; expected inputs and outputs";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}
