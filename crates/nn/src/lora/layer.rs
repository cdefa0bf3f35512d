//! A frozen layer with one change, and the gate in front of the change.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Lora, LoraConfig};
use crate::activation::Activation;
use crate::linear::Linear;
use crate::{Error, Result};

/// A linear layer that stays as it is, with a [`Lora`] beside it that learns.
///
/// ```text
/// y = x W + b + x A B / r                       forward
/// y = x W + b + (s x) A B / r,  s = gate(x)     forward_gated
/// ```
///
/// # Shapes
/// - `x`: `[tokens, inputs]`, output: `[tokens, outputs]`
///
/// # Source
/// Hu et al., arXiv:2106.09685; the gate: `PHATGOOSE`, arXiv:2402.05859.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, linear::LinearConfig, lora::{LoraConfig, LoraLinear}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let base = LinearConfig::new(4, 3).init(&device, &mut rng)?;
/// let layer = LoraLinear::new(&base, &LoraConfig::new(2), &device, &mut rng)?;
/// let x = Tensor::<2>::ones([5, 4], &device);
/// let difference = layer.forward(x.clone()) - base.forward(x);
/// assert_eq!(difference.abs().max().into_scalar::<f32>(), 0.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct LoraLinear {
    /// W and b, which take no gradient.
    pub base: Linear,
    /// A and B.
    pub lora: Lora,
}

impl LoraLinear {
    /// A frozen copy of `base` with a change that begins at 0.
    ///
    /// # Errors
    /// As [`LoraConfig::init`].
    pub fn new(
        base: &Linear,
        config: &LoraConfig,
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let lora = config.init(base.sizes(), device, rng)?;
        Ok(Self { base: base.clone().no_grad(), lora })
    }

    /// The layer with its change.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let change = self.lora.forward(x.clone());
        self.base.forward_residual(x, change)
    }

    /// The layer with its change behind a gate; the gate is in front of the change alone.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or the gate has another width.
    pub fn forward_gated(&self, x: Tensor<2>, gate: &InputGate) -> Tensor<2> {
        let change = self.lora.forward(gate.forward(x.clone()));
        self.base.forward_residual(x, change)
    }
}

/// Makes an [`InputGate`].
#[derive(Debug, Clone)]
pub struct InputGateConfig {
    inputs: usize,
}

impl InputGateConfig {
    /// A gate on so many features.
    pub fn new(inputs: usize) -> Self {
        Self { inputs }
    }

    /// Makes the gate, with `v = 0`: half open for every token.
    ///
    /// # Errors
    /// If there are no features.
    pub fn init(&self, device: &Device) -> Result<InputGate> {
        Error::unless(self.inputs > 0, "InputGate", "inputs", self.inputs, "at least 1")?;
        Ok(InputGate { v: Param::from_tensor(Tensor::zeros([self.inputs], device)) })
    }
}

/// Lets each token through by how well it agrees with a learned direction.
///
/// ```text
/// s = sigmoid(v . x)
/// y = s x
/// ```
///
/// # Shapes
/// - `x` and output: `[tokens, inputs]`; `v`: `[inputs]`, `s`: `[tokens]`
///
/// # Source
/// `PHATGOOSE`, arXiv:2402.05859: trained in front of a finished expert on the expert's own data.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, lora::InputGateConfig};
///
/// let device = device::named("flex")?;
/// let gate = InputGateConfig::new(3).init(&device)?;
/// let y = gate.forward(Tensor::ones([2, 3], &device));
/// assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [0.5; 6]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct InputGate {
    /// v.
    pub v: Param<Tensor<1>>,
}

impl InputGate {
    /// `s x`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (dims, v) = (x.dims(), self.v.val());
        let [inputs] = v.dims();
        assert_eq!(dims[1], inputs, "InputGate: input {dims:?} does not fit v [{inputs}]");
        let agreement = (x.clone() * v.reshape([1, inputs])).sum_dim(1);
        x * Activation::Sigmoid.forward(agreement)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::init::Init;
    use crate::linear::LinearConfig;
    use crate::optim::AdamConfig;
    use crate::{device, testing};

    fn layer(device: &Device) -> LoraLinear {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let base = LinearConfig::new(4, 3).init(device, &mut rng).unwrap();
        let mut layer = LoraLinear::new(&base, &LoraConfig::new(2), device, &mut rng).unwrap();
        let init = Init::Normal { mean: 0.0, std: 0.7 };
        layer.lora.a = init.param([4, 2], (4, 2), device, &mut rng);
        layer.lora.b = init.param([2, 3], (2, 3), device, &mut rng);
        layer
    }

    fn tokens(device: &Device) -> Tensor<2> {
        Tensor::from_floats([[0.3, -1.0, 0.5, 0.2], [1.2, 0.1, -0.7, 0.4]], device)
    }

    fn gate(v: [f32; 4], device: &Device) -> InputGate {
        InputGate { v: Param::from_tensor(Tensor::from_floats(v, device)) }
    }

    fn largest(x: Tensor<2>) -> f32 {
        x.abs().max().into_scalar()
    }

    /// v . x = 0.3 - 2 + 0.5 + 0.6 = -0.6 of the first token: s = 1 / (1 + e^0.6) = 0.354344.
    #[test]
    fn a_gate_by_hand() {
        let device = device::named("flex").unwrap();
        let y = gate([1.0, 2.0, 1.0, 3.0], &device).forward(tokens(&device));
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        for (y, x) in y.iter().zip([0.3, -1.0, 0.5, 0.2]) {
            assert!((y - 0.354_344 * x).abs() < 1e-6, "{y} for {x}");
        }
    }

    /// Shut, the layer is its base; wide open, it is the layer without a gate. The base is never
    /// gated.
    #[test]
    fn the_gate_is_on_the_change_alone() {
        let device = device::named("flex").unwrap();
        let (layer, x) = (layer(&device), Tensor::ones([1, 4], &device));
        let shut = layer.forward_gated(x.clone(), &gate([-50.0; 4], &device));
        assert!(largest(shut - layer.base.forward(x.clone())) < 1e-6);
        let open = layer.forward_gated(x.clone(), &gate([50.0; 4], &device));
        assert!(largest(open - layer.forward(x)) < 1e-6);
    }

    /// With B = 0 the output is the base's for any gate.
    #[test]
    fn a_change_that_has_not_begun_is_none_for_any_gate() {
        let device = device::named("flex").unwrap();
        let (mut layer, x) = (layer(&device), tokens(&device));
        layer.lora.b = Param::from_tensor(Tensor::zeros([2, 3], &device));
        let expected = layer.base.forward(x.clone());
        for v in [[0.0; 4], [3.0, -1.0, 0.2, 9.0]] {
            let y = layer.forward_gated(x.clone(), &gate(v, &device));
            assert_eq!(largest(y - expected.clone()), 0.0);
        }
    }

    /// The gradient of v at 0 is 0.25 x times that of s: sigmoid'(0) = 0.25.
    #[test]
    fn gradient_of_the_gate_at_0() {
        let device = device::named("flex").unwrap();
        let layer = layer(&device);
        let x = tokens(&device).slice([0..1, 0..4]);
        let loss = |y: Tensor<2>| y.tanh().sum();
        let gate = gate([0.0; 4], &device);
        let grads = loss(layer.forward_gated(x.clone(), &gate)).backward();
        let found: Vec<f32> = gate.v.val().grad(&grads).unwrap().try_into_vec_as().unwrap();
        let at = |s: f64| {
            let change = layer.lora.forward(x.clone() * s);
            loss(layer.base.forward_residual(x.clone(), change)).into_scalar::<f32>()
        };
        let slope = (at(0.51) - at(0.49)) / 0.02;
        let host: Vec<f32> = x.clone().try_into_vec_as().unwrap();
        for (found, x) in found.iter().zip(host) {
            assert!((found - 0.25 * x * slope).abs() < 2e-3, "{found}: {x}, {slope}");
        }
        testing::check_module(&gate, |gate: &InputGate| loss(layer.forward_gated(x.clone(), gate)));
    }

    #[test]
    fn only_the_change_learns() {
        let device = device::named("flex").unwrap();
        let layer = layer(&device);
        let x = tokens(&device);
        testing::check_module(&layer, |l: &LoraLinear| l.forward(x.clone()).tanh().sum());
        let mut adam = AdamConfig::new().init().unwrap();
        let grads = layer.forward(x).square().sum().backward();
        let after = adam.step(0.1, layer.clone(), grads);
        assert_eq!(largest(after.base.weight.val() - layer.base.weight.val()), 0.0);
        assert!(largest(after.lora.a.val() - layer.lora.a.val()) > 0.05);
    }

    #[test]
    #[should_panic(expected = "InputGate: input [2, 4] does not fit v [3]")]
    fn a_gate_of_another_width_panics() {
        let device = device::named("flex").unwrap();
        let gate = InputGateConfig::new(3).init(&device).unwrap();
        gate.forward(tokens(&device));
    }
}
