//! At most k experts for each token, by k selectors that write an expert's number in binary.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::path::{Paths, entropy, smooth_step};
use super::{Chosen, Routing};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, op};

/// Makes a [`DSelectKGate`].
#[derive(Debug, Clone)]
pub struct DSelectKGateConfig {
    d_model: usize,
    experts: usize,
    k: usize,
    gamma: f64,
    lambda: f64,
}

impl DSelectKGateConfig {
    /// A gate of two selectors with steps of width 1 and entropy factor 0.1.
    pub fn new(d_model: usize, experts: usize) -> Self {
        Self { d_model, experts, k: 2, gamma: 1.0, lambda: 0.1 }
    }

    /// Number of selectors, and of experts that a token sees in the end, at most.
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Width of the step: the smaller, the sooner a digit is decided.
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Factor of the selectors' entropy.
    pub fn with_lambda(mut self, lambda: f64) -> Self {
        self.lambda = lambda;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If there are fewer than 2 experts, k or a size is 0, gamma is not above 0, or lambda is
    /// below 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<DSelectKGate> {
        let Self { d_model, experts, k, gamma, lambda } = *self;
        Error::unless(experts > 1, "DSelectKGate", "experts", experts, "at least 2")?;
        Error::unless(k > 0, "DSelectKGate", "k", k, "at least 1")?;
        Error::unless(gamma > 0.0, "DSelectKGate", "gamma", gamma, "more than 0")?;
        Error::unless(lambda >= 0.0, "DSelectKGate", "lambda", lambda, "0 or more")?;
        let bits = Paths::codes(experts).decisions();
        let draw = Init::Uniform { low: -gamma / 100.0, high: gamma / 100.0 };
        let code = LinearConfig::new(d_model, k * bits).with_init(draw).with_bias_init(draw);
        Ok(DSelectKGate {
            code: code.init(device, rng)?,
            mix: LinearConfig::new(d_model, k).init(device, rng)?,
            experts,
            k,
            gamma,
            lambda,
        })
    }
}

/// k selectors, each a binary number whose digits are smooth steps, mixed by a softmax.
///
/// ```text
/// d_tb = S(x w_tb + b_tb)                   digit b of selector t
/// r_t,j = prod_b d_tb if digit b of j is 1, else 1 - d_tb
/// g = sum_t softmax(x V)_t r_t              c = 1 where g > 0
/// penalty = lambda mean_tokens sum_t ( sum_j -r_tj ln(r_tj + 1e-6) + 1 / sum_j r_tj )
/// ```
///
/// The last term stands only if the number of experts is not a power of 2: then some numbers have
/// no expert, and it keeps the selectors away from them.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`
/// - weights `g`: `[tokens, experts]`, each row sums to 1 (to less while a selector gives weight to
///   a number without an expert)
///
/// # Source
/// `DSelect-k`, arXiv:2106.03760, per-token form; the digits' step as in COMET, arXiv:2306.02824.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::DSelectKGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = DSelectKGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let routing = gate.forward(Tensor::ones([3, 4], &device));
/// assert!((routing.weights.sum().into_scalar::<f32>() - 3.0).abs() < 1e-5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct DSelectKGate {
    /// Digits, selector after selector: w, b.
    pub code: Linear,
    /// V.
    pub mix: Linear,
    experts: usize,
    k: usize,
    gamma: f64,
    lambda: f64,
}

impl DSelectKGate {
    /// Routes the tokens.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let digits = smooth_step(self.code.forward(x.clone()), self.gamma);
        self.route(digits, self.mix.forward(x))
    }

    /// Routes tokens of which the digits and the logits of the selectors are known.
    fn route(&self, digits: Tensor<2>, mix: Tensor<2>) -> Routing {
        let tokens = digits.dims()[0];
        let codes = Paths::codes(self.experts);
        let digits = digits.reshape([tokens * self.k, codes.decisions()]);
        let r = codes.probabilities(digits).clamp_min(0.0);
        let mut penalty = entropy(r.clone(), tokens);
        if !self.experts.is_power_of_two() {
            let missing = (r.clone().sum_dim(1) + 1e-6).recip().sum() / tokens as f64;
            penalty = penalty + missing;
        }
        let r = r.reshape([tokens, self.k, self.experts]);
        let mix: Tensor<3> = op::softmax(mix).unsqueeze_dim(2);
        let weights = (r * mix).sum_dim(1).squeeze_dim::<2>(1);
        let chosen = Chosen::above(&weights, 0.0);
        Routing::new(weights, chosen).with_penalty(penalty * self.lambda)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn gate(experts: usize) -> (DSelectKGate, Device) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let config = DSelectKGateConfig::new(3, experts).with_lambda(1.0);
        (config.init(&device, &mut rng).unwrap(), device)
    }

    /// Selector 1 writes 2 (digits 0, 1); selector 2 lies half-way between 0 and 1 (0.5, 0). Mixed
    /// 3 : 1 they give 0.75 to expert 2 and 0.125 to experts 0 and 1; the entropy is ln 2.
    #[test]
    fn two_selectors_by_hand() {
        let (gate, device) = gate(4);
        let digits = Tensor::<2>::from_floats([[0.0, 1.0, 0.5, 0.0]], &device);
        let mix = Tensor::<2>::from_floats([[3f32.ln(), 0.0]], &device);
        let routing = gate.route(digits, mix);
        let g: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        let expected = [0.125, 0.125, 0.75, 0.0];
        assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{g:?}");
        assert_eq!(routing.chosen.active(), [3]);
        let penalty = routing.penalty.unwrap().into_scalar::<f32>();
        assert!((penalty - 2f32.ln()).abs() < 1e-4, "{penalty}");
    }

    /// With 3 experts the number 3 has none: a selector on it has weight 0 and the largest penalty.
    #[test]
    fn a_number_without_an_expert_is_punished() {
        let (gate, device) = gate(3);
        let mix = || Tensor::<2>::zeros([1, 2], &device);
        let route = |digits| gate.route(Tensor::from_floats([digits], &device), mix());
        let (missing, whole) = (route([1.0, 1.0, 1.0, 0.0]), route([0.0, 1.0, 1.0, 0.0]));
        let sum = |routing: &Routing| routing.weights.clone().sum().into_scalar::<f32>();
        assert!((sum(&missing) - 0.5).abs() < 1e-6 && (sum(&whole) - 1.0).abs() < 1e-6);
        let penalty = |routing: Routing| routing.penalty.unwrap().into_scalar::<f32>();
        assert!((penalty(whole) - 2.0).abs() < 1e-3 && penalty(missing) > 1e5);
    }

    #[test]
    fn decided_digits_leave_at_most_k_experts() {
        for experts in [2, 4, 8] {
            let (mut gate, device) = gate(experts);
            gate.code.weight = gate.code.weight.map(|w| w * 1e9);
            let x: Vec<f32> = (0..60).map(|i| (i as f32 * 1.7).sin()).collect();
            let x = Tensor::<1>::from_floats(&x[..], &device).reshape([20, 3]);
            let routing = gate.forward(x);
            assert!(routing.chosen.active().iter().all(|n| (1..=2).contains(n)), "{experts}");
            let sums: Vec<f32> = routing.weights.sum_dim(1).try_into_vec_as().unwrap();
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
        }
    }

    #[test]
    fn gradients() {
        for experts in [3, 4] {
            let (mut gate, device) = gate(experts);
            gate.code.weight = gate.code.weight.map(|w| w * 20.0);
            let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
            testing::check_module(&gate, |gate: &DSelectKGate| {
                let routing = gate.forward(x.clone());
                routing.weights.square().sum() + routing.penalty.expect("it has an entropy")
            });
        }
    }
}
