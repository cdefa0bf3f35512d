//! The gate that adds up a vector of weights over a sequence.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Chosen, Routing};
use crate::activation::Activation;
use crate::init::Init;
use crate::mlp::{Mlp, MlpConfig};
use crate::sequence::{ActivationUnit, ActivationUnitConfig, at_each_place, check, weighted_sum};
use crate::{Error, Result};

/// Makes an [`AttentionWeightedGate`].
#[derive(Debug, Clone)]
pub struct AttentionWeightedGateConfig {
    width: usize,
    experts: usize,
    hidden: Vec<usize>,
    gate_unit: bool,
    activation_unit: bool,
    activation: Activation,
}

impl AttentionWeightedGateConfig {
    /// A gate for `experts` experts on sequences of vectors of this width, both units with one
    /// hidden layer of 16 and ReLU.
    pub fn new(width: usize, experts: usize) -> Self {
        Self {
            width,
            experts,
            hidden: vec![16],
            gate_unit: true,
            activation_unit: true,
            activation: Activation::Relu,
        }
    }

    /// The hidden layers of both units.
    pub fn with_hidden(mut self, hidden: impl Into<Vec<usize>>) -> Self {
        self.hidden = hidden.into();
        self
    }

    /// The nonlinearity of the hidden layers.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Whether each behaviour has a vector of its own; without it all share a learnt one.
    pub fn with_gate_unit(mut self, own: bool) -> Self {
        self.gate_unit = own;
        self
    }

    /// Whether each behaviour has a weight of its own; without it the weight is 1.
    pub fn with_activation_unit(mut self, own: bool) -> Self {
        self.activation_unit = own;
        self
    }

    /// Makes the gate; the default vector starts with `1 / experts`.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(
        &self,
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<AttentionWeightedGate> {
        let (width, k) = (self.width, self.experts);
        Error::unless(width > 0, "AttentionWeightedGate", "width", width, "at least 1")?;
        Error::unless(k > 0, "AttentionWeightedGate", "experts", k, "at least 1")?;
        let sizes = [&[2 * width], &self.hidden[..], &[k]].concat();
        let gate_unit = match self.gate_unit {
            true => {
                let config = MlpConfig::new(sizes).with_activation(self.activation);
                GateUnit::Own(config.init(device, rng)?)
            }
            false => GateUnit::Shared(Init::FanIn.param([1, k], (1, k), device, rng)),
        };
        let unit = ActivationUnitConfig::new(width).with_hidden(self.hidden.clone());
        let unit = unit.with_activation(self.activation);
        let activation_unit = self.activation_unit.then(|| unit.init(device, rng)).transpose()?;
        let default = Init::Constant(1.0 / k as f64).param([1, k], (1, k), device, rng);
        Ok(AttentionWeightedGate { gate_unit, activation_unit, default })
    }
}

/// Where the vectors `a_j` of an [`AttentionWeightedGate`] come from.
#[derive(Module, Debug)]
pub enum GateUnit {
    /// A network of behaviour and key.
    Own(Mlp),
    /// One learnt vector for all behaviours, `[1, experts]`.
    Shared(Param<Tensor<2>>),
}

/// A weight for each expert, added up over a sequence of behaviours; all experts are chosen.
///
/// ```text
/// a_j = GateUnit([h_j, k])                       a vector of experts
/// c_j = ActivationUnit(h_j, k)                   a number
/// g   = g_0 + sum over j of m_j c_j a_j
/// ```
///
/// There is no softmax, neither over the experts nor over the sequence: weights may be negative,
/// and a longer sequence moves them further from the learnt default `g_0`, which is what an empty
/// sequence gets. Without the gate unit all `a_j` are one learnt vector, without the activation unit
/// all `c_j` are 1.
///
/// # Shapes
/// - `seq` h: `[rows, places, width]`, `key` k: `[rows, width]`, `mask` m: `[rows, places]`
/// - output `g`: `[rows, experts]`
///
/// # Source
/// Gong et al., `AW-MoE`, arXiv:2306.05011: gate unit and activation unit over the sequence, in the
/// abstract. The equations, and `g_0`, are a reconstruction.
///
/// # Panics
/// `forward` if the shapes do not fit together.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::AttentionWeightedGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = AttentionWeightedGateConfig::new(4, 2).init(&device, &mut rng)?;
/// let (seq, key) = (Tensor::ones([1, 3, 4], &device), Tensor::ones([1, 4], &device));
/// let routing = gate.forward(seq, key, Tensor::zeros([1, 3], &device));
/// assert_eq!(routing.weights.try_into_vec_as::<f32>().unwrap(), [0.5, 0.5]);
/// assert_eq!(routing.chosen.mean_active(), 2.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct AttentionWeightedGate {
    /// Gives each behaviour its vector.
    pub gate_unit: GateUnit,
    /// Gives each behaviour its weight, if it has one of its own.
    pub activation_unit: Option<ActivationUnit>,
    /// `g_0`, `[1, experts]`.
    pub default: Param<Tensor<2>>,
}

impl AttentionWeightedGate {
    /// Routes by these sequences.
    ///
    /// # Panics
    /// If the shapes do not fit together.
    pub fn forward(&self, seq: Tensor<3>, key: Tensor<2>, mask: Tensor<2>) -> Routing {
        check("AttentionWeightedGate", &seq, Some(&key), &mask);
        let [rows, places, _] = seq.dims();
        let c = match &self.activation_unit {
            Some(unit) => unit.weights(seq.clone(), key.clone(), mask),
            None => mask,
        };
        let sum = match &self.gate_unit {
            GateUnit::Own(mlp) => {
                let a = mlp.forward(Tensor::cat(vec![seq, at_each_place(key, places)], 2));
                weighted_sum(a, c)
            }
            GateUnit::Shared(a) => c.sum_dim(1) * a.val(),
        };
        let weights = self.default.val() + sum;
        let chosen = Chosen::all(rows, weights.dims()[1]);
        Routing::new(weights, chosen)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::device;
    use crate::linear::LinearConfig;
    use crate::testing;

    fn gate(own: (bool, bool)) -> (AttentionWeightedGate, Device) {
        let device = device::named("flex").unwrap();
        let config = AttentionWeightedGateConfig::new(2, 3).with_hidden([4]);
        let config = config.with_activation(Activation::Tanh);
        let config = config.with_gate_unit(own.0).with_activation_unit(own.1);
        (config.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap(), device)
    }

    fn host(gate: &AttentionWeightedGate, seq: &[f32], mask: &[f32], device: &Device) -> Vec<f32> {
        let seq = Tensor::<1>::from_floats(seq, device).reshape([1, mask.len(), 2]);
        let mask = Tensor::<1>::from_floats(mask, device).reshape([1, mask.len()]);
        let key = Tensor::from_floats([[0.5, -0.3]], device);
        gate.forward(seq, key, mask).weights.try_into_vec_as().unwrap()
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    /// a = [[1, 0], [0, 2]], c = (0.5, -1): g = (0.5, -2), with a default of 0.
    #[test]
    fn values_by_hand() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut gate = AttentionWeightedGateConfig::new(2, 2).init(&device, &mut rng).unwrap();
        let linear = |weight: Tensor<2>, rng: &mut ChaCha8Rng| {
            let [inputs, outputs] = weight.dims();
            let config = LinearConfig::new(inputs, outputs).with_bias(false);
            let mut layer = config.init(&device, rng).unwrap();
            layer.weight = Param::from_tensor(weight);
            layer
        };
        // h_1 = (1, 0), h_2 = (0, 2): the gate unit copies h, the activation unit gives
        // 0.5 h[0] - 0.5 h[1]; both ignore the key.
        let copy = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]];
        let copy = Tensor::from_floats(copy, &device);
        let mut weigh = [0.0f32; 8];
        (weigh[0], weigh[1]) = (0.5, -0.5);
        let weigh = Tensor::<1>::from_floats(&weigh[..], &device).reshape([8, 1]);
        let activation = Activation::Identity;
        gate.gate_unit = GateUnit::Own(Mlp { layers: vec![linear(copy, &mut rng)], activation });
        let mlp = Mlp { layers: vec![linear(weigh, &mut rng)], activation };
        gate.activation_unit = Some(ActivationUnit { mlp });
        gate.default = Param::from_tensor(Tensor::zeros([1, 2], &device));
        assert_eq!(host(&gate, &[1.0, 0.0, 0.0, 2.0], &[1.0, 1.0], &device), [0.5, -2.0]);
        assert_eq!(host(&gate, &[1.0, 0.0, 0.0, 2.0], &[1.0, 0.0], &device), [0.5, 0.0]);
    }

    #[test]
    fn order_and_padding_have_no_influence_and_parts_add_up() {
        for own in [(true, true), (true, false), (false, true)] {
            let (gate, device) = gate(own);
            let g = |seq: &[f32], mask: &[f32]| host(&gate, seq, mask, &device);
            let both = g(&[0.3, -1.0, 1.2, 0.1], &[1.0, 1.0]);
            assert!(close(&both, &g(&[1.2, 0.1, 0.3, -1.0], &[1.0, 1.0])), "{own:?}");
            let padded = [0.3, -1.0, 9.0, 9.0, 1.2, 0.1, -7.0, 3.0];
            assert!(close(&both, &g(&padded, &[1.0, 0.0, 1.0, 0.0])), "{own:?}");
            // g(both) - g_0 = (g(first) - g_0) + (g(second) - g_0), as no softmax would have it.
            let first = g(&[0.3, -1.0], &[1.0]);
            let second = g(&[1.2, 0.1], &[1.0]);
            let sum: Vec<f32> = (0..3).map(|e| first[e] + second[e] - 1.0 / 3.0).collect();
            assert!(close(&both, &sum), "{own:?}: {both:?}, {sum:?}");
        }
    }

    #[test]
    fn gradients_of_every_form() {
        for own in [(true, true), (true, false), (false, true)] {
            let (gate, device) = gate(own);
            let seq = Tensor::<1>::from_floats([0.3, -1.0, 1.2, 0.1], &device);
            let seq = seq.reshape([1, 2, 2]);
            let key = Tensor::<2>::from_floats([[0.5, -0.3]], &device);
            let mask = Tensor::<2>::ones([1, 2], &device);
            testing::check_module(&gate, |gate: &AttentionWeightedGate| {
                gate.forward(seq.clone(), key.clone(), mask.clone()).weights.square().sum()
            });
        }
    }

    #[test]
    #[should_panic(expected = "AttentionWeightedGate: mask [1, 3] does not fit sequence [1, 2, 2]")]
    fn a_mask_of_another_length_panics() {
        let (gate, device) = gate((true, true));
        let (seq, key) = (Tensor::ones([1, 2, 2], &device), Tensor::ones([1, 2], &device));
        gate.forward(seq, key, Tensor::ones([1, 3], &device));
    }

    #[test]
    fn no_experts_are_refused() {
        let device = device::named("flex").unwrap();
        let error = AttentionWeightedGateConfig::new(2, 0);
        let error = error.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
        let expected = "AttentionWeightedGate: `experts` is `0`; expected at least 1";
        assert_eq!(error.to_string(), expected);
    }
}
