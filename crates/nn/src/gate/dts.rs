//! All experts at first, fewer and fewer later.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

use super::{Chosen, Routing, balance};
use crate::init::{self, Init};
use crate::linear::{Linear, LinearConfig};
use crate::schedule::Schedule;
use crate::{Error, Result, op};

/// What a [`DtsGate`] multiplies the experts' outputs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateWeights {
    /// The softmax with noise and temperature that also decides which experts stay: the paper.
    #[default]
    Gumbel,
    /// The plain softmax of the logits: the default flags of the authors' code.
    Softmax,
}

/// Makes a [`DtsGate`].
#[derive(Debug, Clone)]
pub struct DtsGateConfig {
    d_model: usize,
    experts: usize,
    temperature: Schedule,
    hard_from: usize,
    threshold: f64,
    weights: GateWeights,
    init: Init,
}

impl DtsGateConfig {
    /// A gate whose temperature follows `temperature` and that keeps one expert from step
    /// `hard_from` on; threshold 0.001 and PyTorch's default initial weights.
    pub fn new(d_model: usize, experts: usize, temperature: Schedule, hard_from: usize) -> Self {
        let (threshold, weights, init) = (0.001, GateWeights::Gumbel, Init::FanIn);
        Self { d_model, experts, temperature, hard_from, threshold, weights, init }
    }

    /// Weight below which an expert is not evaluated.
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// What the experts' outputs are multiplied by.
    pub fn with_weights(mut self, weights: GateWeights) -> Self {
        self.weights = weights;
        self
    }

    /// How W is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the gate.
    ///
    /// # Errors
    /// If a size is 0, the temperature is not positive at step 0 and at `hard_from`, or the
    /// threshold is so high that no expert might stay.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<DtsGate> {
        for step in [0, self.hard_from] {
            let t = self.temperature.at(step);
            Error::unless(t > 0.0, "DtsGate", "temperature", t, "more than 0")?;
        }
        let most = 1.0 / self.experts.max(1) as f64;
        let within = (0.0..most).contains(&self.threshold);
        Error::unless(within, "DtsGate", "threshold", self.threshold, "below 1 / experts")?;
        let linear = LinearConfig::new(self.d_model, self.experts).with_bias(false);
        Ok(DtsGate {
            weight: linear.with_init(self.init).init(device, rng)?,
            temperature: self.temperature.clone(),
            hard_from: self.hard_from,
            threshold: self.threshold,
            weights: self.weights,
        })
    }
}

/// Dense-to-sparse gate: all experts at first, fewer per token as the temperature falls.
///
/// ```text
/// h = x W
/// y = softmax((h + G) / T)          G ~ Gumbel(0, 1), fresh for each token and expert
/// c = 1 where y > threshold         from `hard_from` on: c = one-hot(argmax y)
/// g = c y                           not renormalised; `GateWeights::Softmax`: g = c softmax(h)
/// balance = E sum_e me_e ce_e       me, ce = means over tokens of g and c
/// ```
///
/// `T`: temperature at the step. Gradients flow through `y` (or the softmax of `h`); `c` is
/// constant. How many experts a token keeps is its own matter: there is no fixed number.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, `W`: `[d_model, experts]`
/// - weights `g`: `[tokens, experts]`, each row sums to at most 1
///
/// # Source
/// `EvoMoE`, arXiv:2112.14397; threshold and order of operations as in the authors'
/// `fairseq/modules/moe/topkgate.py`.
///
/// # Panics
/// `forward`, `forward_train` and `forward_mixture` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::DtsGateConfig, schedule::Schedule};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let cooling = Schedule::Exponential { from: 2.0, to: 0.1, steps: 100 };
/// let gate = DtsGateConfig::new(4, 8, cooling, 150).init(&device, &mut rng)?;
/// let x = Tensor::ones([64, 4], &device);
/// let mut active = |step| gate.forward_train(x.clone(), step, &mut rng).chosen.mean_active();
/// assert_eq!(active(0), 8.0);
/// assert!(active(100) < 6.0);
/// assert_eq!(active(150), 1.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct DtsGate {
    /// W.
    pub weight: Linear,
    #[module(skip)]
    temperature: Schedule,
    hard_from: usize,
    threshold: f64,
    #[module(skip)]
    weights: GateWeights,
}

impl DtsGate {
    /// Routes the tokens of training step `step`, with noise.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward_train(
        &self,
        x: Tensor<2>,
        step: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Routing {
        let h = self.weight.forward(x);
        let noise = gumbel_noise(h.dims(), &h.device(), rng);
        self.route(h, self.temperature.at(step), Some(noise), step >= self.hard_from)
    }

    /// Routes as in training at `step`, without noise, and to all experts above the threshold.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward_mixture(&self, x: Tensor<2>, step: usize) -> Routing {
        self.route(self.weight.forward(x), self.temperature.at(step), None, false)
    }

    /// Routes each token to one expert, without noise: the sparse model.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>, step: usize) -> Routing {
        self.route(self.weight.forward(x), self.temperature.at(step), None, true)
    }

    /// The temperature at a step.
    pub fn temperature(&self, step: usize) -> f64 {
        self.temperature.at(step)
    }

    /// Routes tokens of which logits, temperature and noise are known; `hard` keeps one expert.
    pub fn route(
        &self,
        h: Tensor<2>,
        temperature: f64,
        noise: Option<Tensor<2>>,
        hard: bool,
    ) -> Routing {
        let noisy = match noise {
            Some(noise) => h.clone() + noise,
            None => h.clone(),
        };
        let y = op::softmax(noisy / temperature);
        let chosen =
            if hard { Chosen::largest(&y) } else { Chosen::above(&y, self.threshold as f32) };
        let full = match self.weights {
            GateWeights::Gumbel => y,
            GateWeights::Softmax => op::softmax(h),
        };
        let weights = full * chosen.tensor(&self.weight.weight.device());
        let balance = balance::load_times_importance(weights.clone(), &chosen);
        Routing::new(weights, chosen).with_balance(balance)
    }
}

/// Standard Gumbel noise.
pub fn gumbel_noise(
    shape: [usize; 2],
    device: &Device,
    rng: &mut (impl Rng + ?Sized),
) -> Tensor<2> {
    Tensor::from_data(TensorData::new(init::gumbel(shape[0] * shape[1], rng), shape), device)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn gate(experts: usize, weights: GateWeights) -> (DtsGate, Device, ChaCha8Rng) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let cooling = Schedule::Exponential { from: 2.0, to: 0.3, steps: 100 };
        let config = DtsGateConfig::new(3, experts, cooling, 150).with_weights(weights);
        (config.init(&device, &mut rng).unwrap(), device, rng)
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.try_into_vec_as().unwrap()
    }

    /// Expected: `exp(h / T) / sum` with Python's `math`, e.g. for T = 0.1
    /// `[exp(v/.1)/sum(exp(u/.1) for u in h) for v in h]` = 0.993262, 0.000045, 2e-9, 0.006693.
    #[test]
    fn thresholding_at_three_temperatures() {
        let (gate, device, _) = gate(4, GateWeights::Gumbel);
        let h = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5]], &device);
        let expected = [
            (2.0, [0.363212, 0.220299, 0.133618, 0.282870], 4),
            (0.3, [0.815779, 0.029102, 0.001038, 0.154081], 4),
            (0.1, [0.993262, 0.0, 0.0, 0.006693], 2),
        ];
        for (temperature, g, active) in expected {
            let routing = gate.route(h.clone(), temperature, None, false);
            assert_eq!(routing.chosen.active(), [active], "T = {temperature}");
            for (a, b) in values(routing.weights).iter().zip(g) {
                assert!((a - b).abs() < 1e-5, "T = {temperature}: {a} for {b}");
            }
        }
    }

    #[test]
    fn hard_mode_keeps_the_largest_with_its_own_weight() {
        let (gate, device, _) = gate(4, GateWeights::Gumbel);
        let h = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5]], &device);
        let routing = gate.route(h, 0.3, None, true);
        let g = values(routing.weights);
        assert!((g[0] - 0.815779).abs() < 1e-5 && g[1..] == [0.0; 3], "{g:?}");
    }

    #[test]
    fn the_code_weighs_by_the_plain_softmax() {
        let (gate, device, _) = gate(4, GateWeights::Softmax);
        let h = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5]], &device);
        // softmax(h) = 0.473991, 0.174372, 0.064148, 0.287490; at T = 0.1 two experts stay.
        let g = values(gate.route(h, 0.1, None, false).weights);
        for (a, b) in g.iter().zip([0.473991, 0.0, 0.0, 0.287490]) {
            assert!((a - b).abs() < 1e-5, "{g:?}");
        }
    }

    /// The Gumbel-max law: argmax(h + G) is distributed as softmax(h).
    #[test]
    fn the_noise_draws_from_the_softmax() {
        let (gate, device, mut rng) = gate(4, GateWeights::Gumbel);
        let draws = 100_000;
        let h = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5]], &device).repeat(&[draws, 1]);
        let noise = gumbel_noise([draws, 4], &device, &mut rng);
        let load = gate.route(h, 1.0, Some(noise), true).chosen.load();
        let p = [0.473_991, 0.174_372, 0.064_148, 0.287_490];
        let expected = p.map(|p| p * draws as f64);
        let chi2: f64 = load.iter().zip(expected).map(|(&n, e)| (n as f64 - e).powi(2) / e).sum();
        // 99.9 % of the chi-square distribution with 3 degrees of freedom.
        assert!(chi2 < 16.27, "chi-square {chi2}, load {load:?}");
    }

    #[test]
    fn noise_differs_between_tokens_and_rows_sum_to_at_most_1() {
        let (gate, device, mut rng) = gate(6, GateWeights::Gumbel);
        let x = Tensor::<2>::ones([200, 3], &device);
        for step in [0, 50, 100, 120] {
            let routing = gate.forward_train(x.clone(), step, &mut rng);
            let sums = values(routing.weights.clone().sum_dim(1));
            assert!(sums.iter().all(|s| *s <= 1.0 + 1e-5 && *s > 0.99), "step {step}");
            let g = values(routing.weights);
            assert_ne!(g[..6], g[6..12], "step {step}");
        }
        let spread = gate.forward_train(x.clone(), 60, &mut rng).chosen.sd_active();
        assert!(spread > 0.1, "a fixed number of experts: {spread}");
        assert_eq!(gate.forward_train(x, 150, &mut rng).chosen.mean_active(), 1.0);
    }

    #[test]
    fn gradients_flow_through_the_weights_and_not_through_the_choice() {
        for weights in [GateWeights::Gumbel, GateWeights::Softmax] {
            let (gate, device, mut rng) = gate(3, weights);
            let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
            let noise = gumbel_noise([2, 3], &device, &mut rng);
            testing::check_module(&gate, |gate: &DtsGate| {
                let h = gate.weight.forward(x.clone());
                let routing = gate.route(h, 0.7, Some(noise.clone()), false);
                routing.weights.square().sum() + routing.balance.expect("a learned gate")
            });
        }
    }

    #[test]
    fn a_threshold_that_could_drop_all_experts_is_refused() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let config = DtsGateConfig::new(3, 4, Schedule::Constant(1.0), 1).with_threshold(0.25);
        let error = config.init(&device, &mut rng).unwrap_err().to_string();
        assert_eq!(error, "DtsGate: `threshold` is `0.25`; expected below 1 / experts");
    }
}
