//! One expert for each token: learned first, then distilled into a table that stays.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use rand::Rng;

use super::{Chosen, Routing, balance};
use crate::embedding::{Embedding, EmbeddingConfig};
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, loss};

/// Makes a [`StableGate`].
#[derive(Debug, Clone)]
pub struct StableGateConfig {
    d_model: usize,
    symbols: usize,
    experts: usize,
    width: usize,
    frozen_from: usize,
}

impl StableGateConfig {
    /// A gate for tokens of `symbols` kinds, whose routing is fixed from step `frozen_from` on; the
    /// distilled router's embeddings have width 50.
    pub fn new(d_model: usize, symbols: usize, experts: usize, frozen_from: usize) -> Self {
        Self { d_model, symbols, experts, width: 50, frozen_from }
    }

    /// Width of the distilled router's embeddings.
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<StableGate> {
        Error::unless(self.symbols > 0, "StableGate", "symbols", self.symbols, "at least 1")?;
        let linear = |inputs| LinearConfig::new(inputs, self.experts).with_bias(false);
        Ok(StableGate {
            weight: linear(self.d_model).init(device, rng)?,
            embedding: EmbeddingConfig::new(self.symbols, self.width).init(device, rng)?,
            distilled: linear(self.width).init(device, rng)?,
            frozen_from: self.frozen_from,
        })
    }
}

/// A learned router whose choices a second router, which sees only the symbols, learns to imitate;
/// from a step on the second one decides alone and does not change any more.
///
/// ```text
/// s = x W                              scores;  d = D[symbol] V: scores of the distilled router
/// a = argmax s  before `frozen_from`,  argmax d  from then on
/// c = one-hot(a)        g = c sigmoid(s)
/// balance = excess load of g           before `frozen_from`
/// penalty = cross-entropy of d at a    before `frozen_from`
/// ```
///
/// W goes on learning through `g`; D and V take no gradient once they decide.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, symbols: `[tokens]`
/// - weights `g`: `[tokens, experts]`, one entry in each row
///
/// # Source
/// `StableMoE`, arXiv:2204.08396.
///
/// # Panics
/// `forward` if `x`, the symbols and the layer do not fit together.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::StableGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = StableGateConfig::new(4, 100, 8, 50).init(&device, &mut rng)?;
/// let x = Tensor::from_floats([[1.0, 0.0, 0.0, 0.0], [-9.0, 3.0, 2.0, 5.0]], &device);
/// let frozen = gate.forward(x, &[7, 7], 50);
/// assert_eq!(frozen.chosen.load().iter().max(), Some(&2), "one expert for a symbol");
/// assert!(frozen.penalty.is_none());
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct StableGate {
    /// W.
    pub weight: Linear,
    /// D.
    pub embedding: Embedding,
    /// V.
    pub distilled: Linear,
    frozen_from: usize,
}

impl StableGate {
    /// Routes the tokens of training step `step`, or as it stands after that step.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`, or there are not as many symbols as tokens.
    pub fn forward(&self, x: Tensor<2>, symbols: &[u32], step: usize) -> Routing {
        let tokens = x.dims()[0];
        assert_eq!(tokens, symbols.len(), "StableGate: {tokens} tokens, {} symbols", symbols.len());
        let s = self.weight.forward(x);
        let device = s.device();
        let list: Vec<i64> = symbols.iter().map(|&symbol| i64::from(symbol)).collect();
        let list = Tensor::<1, Int>::from_data(TensorData::new(list, [tokens]), &device);
        let d = self.distilled.forward(self.embedding.rows(list));
        let frozen = step >= self.frozen_from;
        let chosen = Chosen::largest(if frozen { &d } else { &s });
        let weights = activation::sigmoid(s) * chosen.tensor(&device);
        if frozen {
            return Routing::new(weights, chosen);
        }
        let teacher = Tensor::from_data(TensorData::new(chosen.by_token(), [tokens]), &device);
        let balance = balance::excess_load(weights.clone(), &chosen);
        let penalty = loss::cross_entropy(d, teacher);
        Routing::new(weights, chosen).with_balance(balance).with_penalty(penalty)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::optim::AdamConfig;
    use crate::{device, testing};

    fn gate() -> (StableGate, Device, Tensor<2>) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let config = StableGateConfig::new(2, 5, 3, 40).with_width(4);
        let x = [[0.9, -1.0], [1.2, 0.6], [-0.4, 0.8], [0.9, -1.0]];
        (config.init(&device, &mut rng).unwrap(), device.clone(), Tensor::from_floats(x, &device))
    }

    #[test]
    fn gradients_of_both_stages() {
        let (gate, _, x) = gate();
        testing::check_module(&gate, |gate: &StableGate| {
            let routing = gate.forward(x.clone(), &[0, 1, 2, 0], 0);
            let losses = routing.balance.unwrap() + routing.penalty.unwrap();
            routing.weights.square().sum() + losses
        });
        let loss = gate.forward(x.clone(), &[0, 1, 2, 0], 40).weights.square().sum();
        let grads = loss.backward();
        assert!(gate.weight.weight.val().grad(&grads).is_some());
        assert!(gate.distilled.weight.val().grad(&grads).is_none(), "the table stays");
    }

    /// Tokens that a symbol tells apart are routed by the symbol as they were by the scores.
    #[test]
    fn the_second_router_learns_the_choices_of_the_first() {
        let (mut gate, _, x) = gate();
        let symbols = [0, 1, 2, 0];
        let taught = gate.forward(x.clone(), &symbols, 0).chosen;
        let mut adam = AdamConfig::new().init().unwrap();
        for step in 0..40 {
            let penalty = gate.forward(x.clone(), &symbols, step).penalty.unwrap();
            gate = adam.step(0.05, gate, penalty.backward());
        }
        assert_eq!(gate.forward(x, &symbols, 40).chosen, taught);
    }

    #[test]
    #[should_panic(expected = "StableGate: 4 tokens, 1 symbols")]
    fn tokens_without_symbols_panic() {
        let (gate, _, x) = gate();
        gate.forward(x, &[0], 0);
    }
}
