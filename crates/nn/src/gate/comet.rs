//! At most k experts for each token, by k soft trees that harden.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::path::{Paths, entropy, smooth_step};
use super::{Chosen, Routing};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, op};

/// A logit that no softmax gives a weight to, and that overflows nowhere.
const RULED_OUT: f32 = -1e30;

/// Makes a [`CometGate`].
#[derive(Debug, Clone)]
pub struct CometGateConfig {
    d_model: usize,
    experts: usize,
    k: usize,
    gamma: f64,
    lambda: f64,
}

impl CometGateConfig {
    /// A gate of two trees with steps of width 1 and entropy factor 0.1.
    pub fn new(d_model: usize, experts: usize) -> Self {
        Self { d_model, experts, k: 2, gamma: 1.0, lambda: 0.1 }
    }

    /// Number of trees, and of experts that a token sees in the end, at most.
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Width of the step: the smaller, the sooner a split is decided.
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Factor of the entropy of the trees' paths.
    pub fn with_lambda(mut self, lambda: f64) -> Self {
        self.lambda = lambda;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If there are fewer than 2 experts, k or a size is 0, gamma is not above 0, or lambda is
    /// below 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<CometGate> {
        let Self { d_model, experts, k, gamma, lambda } = *self;
        Error::unless(experts > 1, "CometGate", "experts", experts, "at least 2")?;
        Error::unless(k > 0, "CometGate", "k", k, "at least 1")?;
        Error::unless(gamma > 0.0, "CometGate", "gamma", gamma, "more than 0")?;
        Error::unless(lambda >= 0.0, "CometGate", "lambda", lambda, "0 or more")?;
        let linear = |outputs: usize, limit: f64| {
            let draw = Init::Uniform { low: -limit, high: limit };
            LinearConfig::new(d_model, outputs).with_init(draw).with_bias_init(draw)
        };
        Ok(CometGate {
            split: linear(k * (experts - 1), gamma / 100.0).init(device, rng)?,
            leaf: linear(k * experts, 0.05).init(device, rng)?,
            experts,
            k,
            gamma,
            lambda,
        })
    }
}

/// k soft decision trees with a leaf for each expert; the paths harden until each tree has one.
///
/// ```text
/// P_q = S(x w_q + b_q)                     smooth step at split q; left with P_q, right with 1 - P_q
/// prob_l = product along the path to leaf l
/// s_l = x a_l + c_l + ln(prob_l + 1e-8)    ruled out where prob_l = 0
/// r = softmax(s)                           one softmax over the leaves of all trees
/// g_e = sum over trees of r_e              c = 1 where g > 0
/// penalty = lambda mean_tokens sum_trees sum_leaves -prob ln(prob + 1e-6)
/// ```
///
/// Everything is differentiable. As long as splits are undecided a token sees all experts; when
/// every path is decided k leaves remain, and at most k experts, since two trees may agree.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`
/// - weights `g`: `[tokens, experts]`, each row sums to 1
///
/// # Source
/// COMET, arXiv:2306.02824; any number of experts by a tree in heap order.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::CometGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = CometGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let routing = gate.forward(Tensor::ones([3, 4], &device));
/// assert_eq!(routing.chosen.mean_active(), 8.0, "nothing is decided yet");
/// assert!((routing.weights.sum().into_scalar::<f32>() - 3.0).abs() < 1e-5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct CometGate {
    /// Splits, tree after tree: w, b.
    pub split: Linear,
    /// Leaves, tree after tree: a, c.
    pub leaf: Linear,
    experts: usize,
    k: usize,
    gamma: f64,
    lambda: f64,
}

impl CometGate {
    /// Routes the tokens.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let p = smooth_step(self.split.forward(x.clone()), self.gamma);
        self.route(p, self.leaf.forward(x))
    }

    /// The probability of each path, `[tokens * k, experts]`: whether the trees have decided.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn paths(&self, x: Tensor<2>) -> Tensor<2> {
        self.probabilities(smooth_step(self.split.forward(x), self.gamma))
    }

    fn probabilities(&self, p: Tensor<2>) -> Tensor<2> {
        let rows = p.dims()[0] * self.k;
        Paths::tree(self.experts).probabilities(p.reshape([rows, self.experts - 1]))
    }

    /// Routes tokens of which the split probabilities and the leaves' logits are known.
    fn route(&self, p: Tensor<2>, leaves: Tensor<2>) -> Routing {
        let (tokens, leaf_count) = (p.dims()[0], self.k * self.experts);
        let prob = self.probabilities(p);
        let penalty = entropy(prob.clone(), tokens) * self.lambda;
        let prob = prob.reshape([tokens, leaf_count]);
        // The floor of the logarithm keeps its derivative finite where the mask takes it away.
        let ruled_out = prob.clone().lower_equal_scalar(0.0);
        let scores = (leaves + (prob.clamp_min(0.0) + 1e-8).log()).mask_fill(ruled_out, RULED_OUT);
        let r = op::softmax(scores).reshape([tokens, self.k, self.experts]);
        let weights = r.sum_dim(1).squeeze_dim::<2>(1);
        let chosen = Chosen::above(&weights, 0.0);
        Routing::new(weights, chosen).with_penalty(penalty)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn gate(experts: usize, k: usize) -> (CometGate, Device) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let config = CometGateConfig::new(3, experts).with_k(k).with_lambda(1.0);
        (config.init(&device, &mut rng).unwrap(), device)
    }

    /// By hand, e.g. the first leaf of tree 1: 0.45 e^0.1 = 0.497327 of a sum of 2.649455 (the four
    /// leaves that are not ruled out); the entropy is 2 * 0.45 ln(1/0.45) + 0.1 ln 10.
    #[test]
    fn two_trees_of_four_leaves_by_hand() {
        let (gate, device) = gate(4, 2);
        let p = Tensor::<2>::from_floats([[0.9, 0.5, 1.0, 1.0, 0.0, 0.25]], &device);
        let leaves = [[0.1, -0.2, 0.3, 0.0, 0.0, 0.5, 0.2, -0.1]];
        let routing = gate.route(p, Tensor::from_floats(leaves, &device));
        let g: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        let expected = [0.187_709, 0.761_343, 0.050_948, 0.0];
        assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{g:?}");
        assert_eq!((g[3], routing.chosen.active()[0]), (0.0, 3));
        let entropy = routing.penalty.unwrap().into_scalar::<f32>();
        assert!((entropy - 0.948_911).abs() < 1e-5, "{entropy}");
    }

    /// A softmax of each tree for itself, averaged, is another gate.
    #[test]
    fn the_softmax_is_one_over_all_trees() {
        let (gate, device) = gate(2, 2);
        let p = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
        let leaves = Tensor::<2>::from_floats([[2.0, 0.0, 0.0, 1.0]], &device);
        let g: Vec<f32> = gate.route(p, leaves).weights.try_into_vec_as().unwrap();
        // e^2 against e^1, not one half each.
        assert!((g[0] - 0.731_059).abs() < 1e-5 && (g[1] - 0.268_941).abs() < 1e-5, "{g:?}");
    }

    #[test]
    fn decided_paths_leave_at_most_k_experts_and_weights_sum_to_1() {
        for (experts, k) in [(4, 1), (5, 2), (8, 3)] {
            let (mut gate, device) = gate(experts, k);
            let x: Vec<f32> = (0..60).map(|i| (i as f32 * 1.7).sin()).collect();
            let x = Tensor::<1>::from_floats(&x[..], &device).reshape([20, 3]);
            let undecided = gate.forward(x.clone());
            assert_eq!(undecided.chosen.mean_active(), experts as f64);
            // Hyperplanes that are steep against gamma decide every sample.
            gate.split.weight = gate.split.weight.map(|w| w * 1e9);
            let decided = gate.forward(x.clone());
            assert!(decided.chosen.active().iter().all(|n| (1..=k).contains(n)), "{experts}, {k}");
            assert!(decided.penalty.unwrap().into_scalar::<f32>() < 1e-4);
            for routing in [undecided.weights, decided.weights] {
                let sums: Vec<f32> = routing.sum_dim(1).try_into_vec_as().unwrap();
                assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn gradients_also_where_a_path_is_ruled_out() {
        let (mut gate, device) = gate(4, 2);
        gate.split.weight = gate.split.weight.map(|w| w * 30.0);
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        let loss = |gate: &CometGate| {
            let routing = gate.forward(x.clone());
            routing.weights.square().sum() + routing.penalty.expect("it has an entropy")
        };
        testing::check_module(&gate, loss);
        // Where everything is decided the gradient of the splits is 0 and not NaN.
        let weight = gate.split.weight.val().detach() * 1e4;
        gate.split.weight = Param::from_tensor(weight);
        let grads = loss(&gate).backward();
        let split = gate.split.weight.val().grad(&grads).unwrap();
        assert_eq!(split.abs().max().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn a_tree_needs_two_leaves() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let error = CometGateConfig::new(3, 1).init(&device, &mut rng).unwrap_err().to_string();
        assert_eq!(error, "CometGate: `experts` is `1`; expected at least 2");
    }
}
