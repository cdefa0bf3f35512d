//! A frozen layer with many changes.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Lora;
use crate::expert::dispatch;
use crate::gate::{KeyGate, Routing};
use crate::linear::Linear;
use crate::{Error, Result};

/// A linear layer that stays as it is, with experts of low rank of which each token sees few.
///
/// ```text
/// y = x W + b + sum over chosen z of g_z x A_z B_z / r_z
/// ```
///
/// # Shapes
/// - `x`: `[tokens, inputs]`, output: `[tokens, outputs]`; `g`: `[tokens, experts]`
///
/// # Source
/// Inference of `PHATGOOSE`, arXiv:2402.05859: the experts' own gates are not applied any more,
/// they have become the keys of the [`KeyGate`].
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::KeyGateConfig, linear::LinearConfig};
/// use pressrun_nn::lora::{LoraConfig, MixedLoraLinear};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let base = LinearConfig::new(4, 3).init(&device, &mut rng)?;
/// let lora = LoraConfig::new(2);
/// let experts =
///     (0..3).map(|_| lora.init((4, 3), &device, &mut rng)).collect::<Result<Vec<_>, _>>()?;
/// let keys = Tensor::from_floats([[1., 2., 3., 4.], [4., 3., 2., 1.], [1., -1., 1., -1.]], &device);
/// let layer = MixedLoraLinear::new(&base, experts, KeyGateConfig::new(2).init(keys)?)?;
/// let (y, routing) = layer.forward(Tensor::ones([5, 4], &device));
/// assert_eq!(y.dims(), [5, 3]);
/// assert_eq!(routing.chosen.active(), [2; 5]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct MixedLoraLinear {
    /// W and b, which take no gradient.
    pub base: Linear,
    /// The experts.
    pub experts: Vec<Lora>,
    /// What chooses among them.
    pub gate: KeyGate,
}

impl MixedLoraLinear {
    /// A frozen copy of `base` with these experts.
    ///
    /// # Errors
    /// If the gate is not for so many experts.
    pub fn new(base: &Linear, experts: Vec<Lora>, gate: KeyGate) -> Result<Self> {
        let fits = experts.len() == gate.experts();
        Error::unless(fits, "MixedLoraLinear", "experts", experts.len(), "as many as keys")?;
        Ok(Self { base: base.clone().no_grad(), experts, gate })
    }

    /// The layer with the experts that its gate chooses, and what it chose.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Routing) {
        let routing = self.gate.forward(x.clone());
        (self.forward_routed(x, &routing), routing)
    }

    /// The layer with the experts of somebody else's choice.
    ///
    /// # Panics
    /// If `x`, the routing and the experts do not fit together.
    pub fn forward_routed(&self, x: Tensor<2>, routing: &Routing) -> Tensor<2> {
        let (found, expected) = (self.experts.len(), routing.chosen.experts());
        assert_eq!(found, expected, "MixedLoraLinear: {found} experts, a routing for {expected}");
        let change =
            dispatch(x.clone(), routing, |expert, rows| self.experts[expert].forward(rows));
        self.base.forward_residual(x, change)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::gate::{Chosen, KeyGateConfig};
    use crate::init::Init;
    use crate::linear::LinearConfig;
    use crate::lora::{LoraConfig, LoraLinear, merge};
    use crate::{device, testing};

    fn layer(experts: usize, k: usize, device: &Device) -> MixedLoraLinear {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let base = LinearConfig::new(4, 3).init(device, &mut rng).unwrap();
        let init = Init::Normal { mean: 0.0, std: 0.7 };
        let expert = |rng: &mut ChaCha8Rng| {
            let mut lora = LoraConfig::new(2).init((4, 3), device, rng).unwrap();
            lora.a = init.param([4, 2], (4, 2), device, rng);
            lora.b = init.param([2, 3], (2, 3), device, rng);
            lora
        };
        let lora = (0..experts).map(|_| expert(&mut rng)).collect();
        let keys = init.tensor([experts, 4], (4, 4), device, &mut rng);
        let gate = KeyGateConfig::new(k).init(keys).unwrap();
        MixedLoraLinear::new(&base, lora, gate).unwrap()
    }

    fn tokens(device: &Device) -> Tensor<2> {
        Tensor::from_floats([[0.3, -1.0, 0.5, 0.2], [1.2, 0.1, -0.7, 0.4]], device)
    }

    fn largest(x: Tensor<2>) -> f32 {
        x.abs().max().into_scalar()
    }

    /// One expert and its own choice: the expert, up to the 1e-6 of the normalisation.
    #[test]
    fn one_expert_is_that_expert() {
        let device = device::named("flex").unwrap();
        let (mixed, x) = (layer(1, 1, &device), tokens(&device));
        let single = LoraLinear { base: mixed.base.clone(), lora: mixed.experts[0].clone() };
        let expected = single.forward(x.clone());
        assert!(largest(mixed.forward(x.clone()).0 - expected.clone()) < 5e-6);
        let chosen = Chosen::one_hot(&[0, 0], 1);
        let all = Routing::new(chosen.tensor(&device), chosen);
        assert_eq!(largest(mixed.forward_routed(x, &all) - expected), 0.0);
    }

    /// Every expert for every token with the same weight is the merged change.
    #[test]
    fn a_uniform_routing_is_the_merged_layer() {
        let device = device::named("flex").unwrap();
        let (mixed, x) = (layer(3, 2, &device), tokens(&device));
        let y = mixed.forward_routed(x.clone(), &Routing::uniform(2, 3, &device));
        let merged = x.clone().matmul(merge(&mixed.experts).unwrap());
        assert!(largest(y - mixed.base.forward(x) - merged) < 1e-5);
    }

    /// Scores of the keys, their two largest, and the experts one after the other.
    #[test]
    fn two_of_three_are_the_weighted_sum() {
        let device = device::named("flex").unwrap();
        let (mixed, x) = (layer(3, 2, &device), tokens(&device));
        let (y, routing) = mixed.forward(x.clone());
        let g: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        let mut expected = mixed.base.forward(x.clone());
        for (e, expert) in mixed.experts.iter().enumerate() {
            let weight = Tensor::<2>::from_floats([[g[e]], [g[3 + e]]], &device);
            expected = expected + expert.forward(x.clone()) * weight;
        }
        assert!(largest(y - expected) < 1e-5);
        assert_eq!(g.iter().filter(|g| **g > 0.0).count(), 4);
    }

    #[test]
    fn gradients_of_the_chosen_experts() {
        let device = device::named("flex").unwrap();
        let mixed = layer(2, 2, &device);
        let x = tokens(&device);
        let routing = mixed.gate.forward(x.clone());
        testing::check_module(&mixed, |m: &MixedLoraLinear| {
            m.forward_routed(x.clone(), &routing).tanh().sum()
        });
    }

    #[test]
    fn a_gate_for_other_experts_is_refused() {
        let device = device::named("flex").unwrap();
        let mixed = layer(3, 2, &device);
        let experts = mixed.experts[..2].to_vec();
        let error = MixedLoraLinear::new(&mixed.base, experts, mixed.gate.clone()).unwrap_err();
        let expected = "MixedLoraLinear: `experts` is `2`; expected as many as keys";
        assert_eq!(error.to_string(), expected);
    }
}
