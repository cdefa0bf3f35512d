//! Experts that each give one number.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::activation::Activation;
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result};

/// Makes an [`ExpertBank`].
#[derive(Debug, Clone)]
pub struct ExpertBankConfig {
    inputs: usize,
    hidden: Vec<usize>,
    experts: usize,
    activation: Activation,
}

impl ExpertBankConfig {
    /// `experts` networks of `inputs` features, each with these hidden layers and ReLU.
    pub fn new(inputs: usize, hidden: impl Into<Vec<usize>>, experts: usize) -> Self {
        Self { inputs, hidden: hidden.into(), experts, activation: Activation::Relu }
    }

    /// The nonlinearity between the layers.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Makes the experts, with PyTorch's default initial weights.
    ///
    /// # Errors
    /// If a size or the number of experts is 0, or there is no hidden layer.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<ExpertBank> {
        let k = self.experts;
        let hidden = format!("{:?}", self.hidden);
        let layers = !self.hidden.is_empty() && !self.hidden.contains(&0);
        Error::unless(k > 0, "ExpertBank", "experts", k, "at least 1")?;
        Error::unless(layers, "ExpertBank", "hidden", hidden, "one or more sizes above 0")?;
        let first = LinearConfig::new(self.inputs, k * self.hidden[0]).init(device, rng)?;
        let sizes = [&self.hidden[..], &[1]].concat();
        let rest = sizes.windows(2).map(|pair| {
            let (i, o) = (pair[0], pair[1]);
            ExpertLayer {
                weight: Init::FanIn.param([k, i, o], (i, o), device, rng),
                bias: Init::FanIn.param([k, 1, o], (i, o), device, rng),
            }
        });
        Ok(ExpertBank { first, rest: rest.collect(), experts: k, activation: self.activation })
    }
}

/// One affine layer of every expert.
#[derive(Module, Debug)]
pub struct ExpertLayer {
    /// `[experts, inputs, outputs]`.
    pub weight: Param<Tensor<3>>,
    /// `[experts, 1, outputs]`.
    pub bias: Param<Tensor<3>>,
}

/// Small networks of one shape, all evaluated on every row, each of which gives one number.
///
/// ```text
/// s_k = W_kn f(.. f(x W_k1 + b_k1) ..) + b_kn        for each expert k
/// ```
///
/// All experts are computed at once: the first layers of all are one affine layer, and each later
/// layer is one multiplication of stacked matrices.
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - output s: `[rows, experts]`
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, expert::ExpertBankConfig, gate::Routing};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let bank = ExpertBankConfig::new(5, [8, 4], 3).init(&device, &mut rng)?;
/// let s = bank.forward(Tensor::ones([7, 5], &device));
/// assert_eq!(s.dims(), [7, 3]);
/// let logits = (Routing::uniform(7, 3, &device).weights * s).sum_dim(1);
/// assert_eq!(logits.dims(), [7, 1]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct ExpertBank {
    /// The first layers, side by side: expert k has outputs `k h .. (k + 1) h` of `experts * h`.
    pub first: Linear,
    /// The layers after it.
    pub rest: Vec<ExpertLayer>,
    experts: usize,
    /// The nonlinearity between the layers.
    #[module(skip)]
    pub activation: Activation,
}

impl ExpertBank {
    /// What every expert says about every row.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = x.dims()[0];
        let hidden = self.first.sizes().1 / self.experts;
        let x = self.first.forward_activated(x, self.activation);
        let x = x.reshape([rows, self.experts, hidden]).swap_dims(0, 1);
        let last = self.rest.len() - 1;
        let s = self.rest.iter().enumerate().fold(x, |x, (index, layer)| {
            let y = x.matmul(layer.weight.val()) + layer.bias.val();
            if index < last { self.activation.forward(y) } else { y }
        });
        s.squeeze_dim::<2>(2).transpose()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::mlp::Mlp;
    use crate::{device, testing};

    fn bank(activation: Activation) -> (ExpertBank, Device) {
        let device = device::named("flex").unwrap();
        let config = ExpertBankConfig::new(3, [4, 2], 3).with_activation(activation);
        (config.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap(), device)
    }

    /// Expert `k` of the bank as a network of its own.
    fn one(bank: &ExpertBank, k: usize) -> Mlp {
        let (weight, bias) = (bank.first.weight.val(), bank.first.bias.as_ref().unwrap().val());
        let h = bank.first.sizes().1 / bank.experts;
        let linear = |weight: Tensor<2>, bias: Tensor<1>| Linear {
            weight: Param::from_tensor(weight.detach()),
            bias: Some(Param::from_tensor(bias.detach())),
        };
        let columns = k * h..(k + 1) * h;
        let mut layers = vec![linear(weight.slice([0..3, columns.clone()]), bias.slice([columns]))];
        layers.extend(bank.rest.iter().map(|layer| {
            let (weight, bias) = (layer.weight.val(), layer.bias.val());
            let weight = weight.slice_dim(0, k..k + 1).squeeze_dim::<2>(0);
            linear(weight, bias.slice_dim(0, k..k + 1).squeeze_dim::<2>(0).squeeze_dim::<1>(0))
        }));
        Mlp { layers, activation: bank.activation }
    }

    #[test]
    fn all_at_once_equals_one_network_after_the_other() {
        let (bank, device) = bank(Activation::Relu);
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        let s = bank.forward(x.clone());
        let apart = (0..3).map(|k| one(&bank, k).forward(x.clone())).collect();
        let largest = (s - Tensor::cat(apart, 1)).abs().max().into_scalar::<f32>();
        assert!(largest < 1e-6, "{largest}");
    }

    #[test]
    fn gradients() {
        let (bank, device) = bank(Activation::Tanh);
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        testing::check_module(&bank, |bank: &ExpertBank| bank.forward(x.clone()).square().sum());
    }

    #[test]
    fn no_hidden_layer_is_refused() {
        let device = device::named("flex").unwrap();
        let error = ExpertBankConfig::new(3, [], 2);
        let error = error.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
        let expected = "ExpertBank: `hidden` is `[]`; expected one or more sizes above 0";
        assert_eq!(error.to_string(), expected);
    }
}
