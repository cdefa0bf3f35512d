//! One expert for each token, learned from the start.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Chosen, Routing, balance};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Result, op};

/// Makes a [`SwitchGate`].
#[derive(Debug, Clone)]
pub struct SwitchGateConfig {
    d_model: usize,
    experts: usize,
    init: Init,
}

impl SwitchGateConfig {
    /// A gate with PyTorch's default initial weights.
    pub fn new(d_model: usize, experts: usize) -> Self {
        Self { d_model, experts, init: Init::FanIn }
    }

    /// How W is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<SwitchGate> {
        let linear = LinearConfig::new(self.d_model, self.experts).with_bias(false);
        Ok(SwitchGate { weight: linear.with_init(self.init).init(device, rng)? })
    }
}

/// Sends each token to the expert of the largest probability.
///
/// ```text
/// p = softmax(x W)
/// c = one-hot(argmax p)        g = c p
/// balance = E sum_e f_e P_e    f = share of tokens, P = mean probability
/// ```
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, `W`: `[d_model, experts]`
/// - weights: `[tokens, experts]`, one entry in each row
///
/// # Source
/// Switch Transformer, arXiv:2101.03961; without noise and without a limit of capacity.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::SwitchGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = SwitchGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let routing = gate.forward(Tensor::ones([3, 4], &device));
/// assert_eq!(routing.chosen.active(), [1, 1, 1]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct SwitchGate {
    /// W.
    pub weight: Linear,
}

impl SwitchGate {
    /// Routes the tokens.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        self.route(self.weight.forward(x))
    }

    /// Routes tokens of which the logits are known.
    pub fn route(&self, logits: Tensor<2>) -> Routing {
        let p = op::softmax(logits);
        let chosen = Chosen::largest(&p);
        let weights = p.clone() * chosen.tensor(&p.device());
        let balance = balance::load_times_importance(p, &chosen);
        Routing::new(weights, chosen).with_balance(balance)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn values_by_hand_and_gradients() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gate = SwitchGateConfig::new(3, 4).init(&device, &mut rng).unwrap();
        // softmax(1, 0, -1, 0.5): e = 2.71828, 1, 0.36788, 1.64872; sum 5.73488.
        let logits = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5]], &device);
        let routing = gate.route(logits);
        let g: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        assert!((g[0] - 0.473_991).abs() < 1e-5 && g[1..].iter().all(|v| *v == 0.0), "{g:?}");
        // f = (1, 0, 0, 0): balance = 4 * 0.473991.
        let balance = routing.balance.unwrap().into_scalar::<f32>();
        assert!((balance - 1.895_964).abs() < 1e-5, "{balance}");

        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        testing::check_module(&gate, |gate: &SwitchGate| {
            let routing = gate.forward(x.clone());
            routing.weights.square().sum() + routing.balance.expect("a learned gate")
        });
    }
}
