//! The gate that takes the k best.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Chosen, Routing, balance};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, op};

/// Makes a [`TopKGate`].
#[derive(Debug, Clone)]
pub struct TopKGateConfig {
    d_model: usize,
    experts: usize,
    k: usize,
    bias: bool,
    init: Init,
}

impl TopKGateConfig {
    /// A gate on `d_model` features for `experts` experts, of which a token sees two.
    pub fn new(d_model: usize, experts: usize) -> Self {
        Self { d_model, experts, k: 2, bias: false, init: Init::FanIn }
    }

    /// How many experts a token sees.
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Whether the logits have a bias; they have none at first.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// How the weight is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If a size is 0, or k is 0 or above the number of experts.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<TopKGate> {
        let (k, experts) = (self.k, self.experts);
        let fits = k > 0 && k <= experts;
        Error::unless(fits, "TopKGate", "k", k, "1 or more, and at most the experts")?;
        let config = LinearConfig::new(self.d_model, experts).with_bias(self.bias);
        let weight = config.with_init(self.init).init(device, rng)?;
        Ok(TopKGate { weight, k })
    }
}

/// The k largest of a softmax, which then add up to 1.
///
/// ```text
/// p = softmax(x W)
/// g = p where p is one of the k largest of its row, else 0; divided by its sum
/// ```
///
/// The k largest of equal ones are the first ones.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, `W`: `[d_model, experts]`
/// - output `g`: `[tokens, experts]`, each row sums to 1
///
/// # Source
/// Shazeer et al., arXiv:1701.06538, without noise; normalised as in `GShard`, arXiv:2006.16668.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::TopKGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = TopKGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let routing = gate.forward(Tensor::ones([3, 4], &device));
/// assert_eq!(routing.chosen.active(), [2, 2, 2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct TopKGate {
    /// W.
    pub weight: Linear,
    k: usize,
}

impl TopKGate {
    /// Routes the tokens.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        self.route(self.weight.forward(x))
    }

    /// Routes tokens of which the logits are known.
    pub fn route(&self, logits: Tensor<2>) -> Routing {
        top_k(logits, self.k)
    }
}

/// The routing of the `k` largest logits of each row: see [`TopKGate`].
///
/// # Panics
/// If `k` is 0 or above the number of experts.
pub fn top_k(logits: Tensor<2>, k: usize) -> Routing {
    let [_, experts] = logits.dims();
    assert!(k > 0 && k <= experts, "top_k: `{k}` of {experts} experts");
    let p = op::softmax(logits);
    let chosen = Chosen::top(&p, k);
    let kept = p.clone() * chosen.tensor(&p.device());
    let weights = kept.clone() / kept.sum_dim(1);
    let balance = balance::load_times_importance(p, &chosen);
    Routing::new(weights, chosen).with_balance(balance)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn values_by_hand_ties_and_gradients() {
        let device = device::named("flex").unwrap();
        // The two largest of (1, 0, -1, 0.5) are 1 and 0.5: e^0.5 = 1.648721 times as much.
        let logits = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5], [0.0; 4]], &device);
        let routing = top_k(logits, 2);
        let g: Vec<f32> = routing.weights.clone().try_into_vec_as().unwrap();
        let expected = [0.622_459, 0.0, 0.0, 0.377_541, 0.5, 0.5, 0.0, 0.0];
        assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{g:?}");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gate = TopKGateConfig::new(3, 4).init(&device, &mut rng).unwrap();
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        testing::check_module(&gate, |gate: &TopKGate| {
            let routing = gate.forward(x.clone());
            routing.weights.square().sum() + routing.balance.expect("a learned gate")
        });
    }

    #[test]
    fn one_of_all_is_switch_with_weight_1_and_too_many_are_refused() {
        let device = device::named("flex").unwrap();
        let logits = Tensor::<2>::from_floats([[1.0, 3.0, 2.0]], &device);
        let routing = top_k(logits.clone(), 1);
        assert_eq!(routing.chosen, Chosen::largest(&logits));
        assert_eq!(routing.weights.sum().into_scalar::<f32>(), 1.0);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let error = TopKGateConfig::new(3, 2).with_k(3).init(&device, &mut rng).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TopKGate: `k` is `3`; expected 1 or more, and at most the experts"
        );
    }
}
