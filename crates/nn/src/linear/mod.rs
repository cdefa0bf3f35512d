//! The affine layer.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::activation::Activation;
use crate::init::Init;
use crate::{Error, Result, op};

/// Makes a [`Linear`].
#[derive(Debug, Clone)]
pub struct LinearConfig {
    inputs: usize,
    outputs: usize,
    bias: bool,
    init: Init,
    bias_init: Init,
}

impl LinearConfig {
    /// A layer with bias and PyTorch's default initial weights.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, bias: true, init: Init::FanIn, bias_init: Init::FanIn }
    }

    /// Whether there is a bias.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// How the weight is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// How the bias is drawn.
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.bias_init = init;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Linear> {
        let (i, o) = (self.inputs, self.outputs);
        Error::unless(i > 0, "Linear", "inputs", i, "at least 1")?;
        Error::unless(o > 0, "Linear", "outputs", o, "at least 1")?;
        let weight = self.init.param([i, o], (i, o), device, rng);
        let bias = self.bias.then(|| self.bias_init.param([o], (i, o), device, rng));
        Ok(Linear { weight, bias })
    }
}

/// The affine map over the last dimension.
///
/// ```text
/// y = x W + b
/// ```
///
/// # Shapes
/// - `x`: `[.., inputs]`, `W`: `[inputs, outputs]`, `b`: `[outputs]`
/// - output: `[.., outputs]`
///
/// # Source
/// Initial weights as in `torch.nn.Linear`.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, init::Init, linear::LinearConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let layer = LinearConfig::new(2, 1).with_bias(false).with_init(Init::Constant(0.5));
/// let y = layer.init(&device, &mut rng)?.forward(Tensor::<1>::from_floats([2.0, 4.0], &device));
/// assert_eq!(y.into_scalar::<f32>(), 3.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Linear {
    /// W, `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// b, `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// `x W + b`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.apply(x, Activation::Identity, None)
    }

    /// `f(x W + b)`, in one operation.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward_activated<const D: usize>(&self, x: Tensor<D>, f: Activation) -> Tensor<D> {
        self.apply(x, f, None)
    }

    /// `x W + b + r`, in one operation.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or `r` has not the shape of the output.
    pub fn forward_residual<const D: usize>(&self, x: Tensor<D>, r: Tensor<D>) -> Tensor<D> {
        self.apply(x, Activation::Identity, Some(r))
    }

    fn apply<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Activation,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        let (dims, weight) = (x.dims(), self.weight.val());
        assert_eq!(
            dims.last(),
            weight.dims().first(),
            "Linear: input {dims:?} does not fit weight {:?}",
            weight.dims()
        );
        op::linear(x, weight, self.bias.as_ref().map(Param::val), residual, activation)
    }

    /// Inputs and outputs.
    pub fn sizes(&self) -> (usize, usize) {
        let [i, o] = self.weight.dims();
        (i, o)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn layer() -> (Linear, Device) {
        let device = device::named("flex").unwrap();
        let mut layer = LinearConfig::new(2, 3).init(&device, &mut ChaCha8Rng::seed_from_u64(1));
        let layer = layer.as_mut().unwrap();
        layer.weight =
            Param::from_tensor(Tensor::from_floats([[1., 2., 3.], [4., 5., 6.]], &device));
        layer.bias = Some(Param::from_tensor(Tensor::from_floats([0.5, 0., -0.5], &device)));
        (layer.clone(), device)
    }

    #[test]
    fn values_by_hand_at_every_rank() {
        let (layer, device) = layer();
        // (1, -1) W + b = (1 - 4 + 0.5, 2 - 5, 3 - 6 - 0.5).
        let x = Tensor::<1>::from_floats([1., -1.], &device);
        let expected = vec![-2.5, -3.0, -3.5];
        let y: Vec<f32> = layer.forward(x.clone()).try_into_vec_as().unwrap();
        assert_eq!(y, expected);
        let y = layer.forward(x.reshape([1, 1, 1, 2]));
        assert_eq!(y.dims(), [1, 1, 1, 3]);
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        assert_eq!(y, expected);
    }

    #[test]
    fn gradients() {
        let (layer, device) = layer();
        let x = Tensor::<2>::from_floats([[0.1, -0.2], [0.3, 0.1]], &device);
        testing::check_module(&layer, |l: &Linear| l.forward(x.clone()).tanh().sum());
        let values = [0.1, -0.2, 0.3, 0.1];
        testing::check_input(&device, [2, 2], &values, |x| layer.forward(x).tanh().sum());
    }

    #[test]
    #[should_panic(expected = "Linear: input [1, 3] does not fit weight [2, 3]")]
    fn a_wrong_width_panics_with_both_shapes() {
        let (layer, device) = layer();
        layer.forward(Tensor::<2>::ones([1, 3], &device));
    }

    #[test]
    fn a_size_of_0_is_refused() {
        let device = device::named("flex").unwrap();
        let error = LinearConfig::new(0, 3).init(&device, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(error.unwrap_err().to_string(), "Linear: `inputs` is `0`; expected at least 1");
    }
}
