//! The gate that takes the k best of noisy logits.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

use super::{Chosen, Routing, balance};
use crate::init::{self, Init};
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, op};

/// Makes a [`NoisyTopKGate`].
#[derive(Debug, Clone)]
pub struct NoisyTopKGateConfig {
    d_model: usize,
    experts: usize,
    k: usize,
}

impl NoisyTopKGateConfig {
    /// A gate of which a token sees two experts.
    pub fn new(d_model: usize, experts: usize) -> Self {
        Self { d_model, experts, k: 2 }
    }

    /// How many experts a token sees.
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Makes the gate; both weights begin at 0, so that at first the noise alone decides.
    ///
    /// # Errors
    /// If a size is 0, or k is 0 or not below the number of experts.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<NoisyTopKGate> {
        let (k, experts) = (self.k, self.experts);
        let fits = k > 0 && k < experts;
        Error::unless(fits, "NoisyTopKGate", "k", k, "1 or more, and fewer than the experts")?;
        let linear = LinearConfig::new(self.d_model, experts).with_bias(false);
        let linear = linear.with_init(Init::Constant(0.0));
        Ok(NoisyTopKGate { weight: linear.init(device, rng)?, noise: linear.init(device, rng)?, k })
    }
}

/// The k largest of noisy logits, whose softmax adds up to 1; the noise is learned.
///
/// ```text
/// h = x W + G softplus(x V)                  G ~ N(0, 1), only in training
/// g = softmax over the k largest of h, else 0
/// balance = CV^2(sum_tokens g) + CV^2(sum_tokens P)
/// P_te = Phi((x W - kth largest of h without e) / softplus(x V))
/// ```
///
/// `CV^2`: variance over the experts divided by the squared mean; `P`: the probability that a token
/// would still choose the expert if its noise were drawn again, a count that has a gradient. Without
/// noise the second term is left out.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, `W` and `V`: `[d_model, experts]`
/// - weights `g`: `[tokens, experts]`, k entries in each row, which sum to 1
///
/// # Source
/// Shazeer et al., arXiv:1701.06538, section 2.1 and appendix A.
///
/// # Panics
/// `forward` and `forward_train` if the last dimension of `x` is not `d_model`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::NoisyTopKGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = NoisyTopKGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let routing = gate.forward_train(Tensor::ones([64, 4], &device), &mut rng);
/// assert_eq!(routing.chosen.mean_active(), 2.0);
/// assert!(routing.chosen.load().iter().all(|n| *n > 0), "the noise explores");
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct NoisyTopKGate {
    /// W.
    pub weight: Linear,
    /// V.
    pub noise: Linear,
    k: usize,
}

impl NoisyTopKGate {
    /// Routes the tokens without noise.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let (weights, chosen) = kept(self.weight.forward(x), self.k);
        let balance = balance::cv_squared(weights.clone().sum_dim(0).squeeze_dim(0));
        Routing::new(weights, chosen).with_balance(balance)
    }

    /// Routes the tokens with fresh noise.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward_train(&self, x: Tensor<2>, rng: &mut (impl Rng + ?Sized)) -> Routing {
        let (h, deviation) = (self.weight.forward(x.clone()), softplus(self.noise.forward(x)));
        let [tokens, experts] = h.dims();
        let draws = init::normal(tokens * experts, 0.0, 1.0, rng);
        let draws = Tensor::from_data(TensorData::new(draws, [tokens, experts]), &h.device());
        self.route(h, deviation, draws)
    }

    /// Routes tokens of which logits, deviations of the noise and its draws are known.
    fn route(&self, h: Tensor<2>, deviation: Tensor<2>, draws: Tensor<2>) -> Routing {
        let noisy = h.clone() + deviation.clone() * draws;
        let (weights, chosen) = kept(noisy.clone(), self.k);
        let again = self.chosen_again(&noisy, h, deviation);
        let cv = |table: Tensor<2>| balance::cv_squared(table.sum_dim(0).squeeze_dim(0));
        let balance = cv(weights.clone()) + cv(again);
        Routing::new(weights, chosen).with_balance(balance)
    }

    /// P: how likely each expert were chosen if its noise alone were drawn again.
    fn chosen_again(&self, noisy: &Tensor<2>, h: Tensor<2>, deviation: Tensor<2>) -> Tensor<2> {
        let [tokens, experts] = noisy.dims();
        let values: Vec<f32> = noisy.clone().try_into_vec_as().expect("floats");
        let mut places = Vec::with_capacity(tokens * experts);
        for (token, row) in values.chunks(experts).enumerate() {
            let mut order: Vec<usize> = (0..experts).collect();
            order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
            // Without an expert among the k largest the k-th largest is the one after them.
            places.extend((0..experts).map(|e| {
                let within = order[..self.k].contains(&e);
                (token * experts + order[if within { self.k } else { self.k - 1 }]) as i64
            }));
        }
        let flat = noisy.clone().reshape([tokens * experts, 1]);
        let rival = op::gather(flat, &places.into()).reshape([tokens, experts]);
        let z = (h - rival) / deviation;
        ((z / 2f64.sqrt()).erf() + 1.0) * 0.5
    }
}

/// The softmax over the k largest of each row; 0 elsewhere.
fn kept(h: Tensor<2>, k: usize) -> (Tensor<2>, Chosen) {
    let chosen = Chosen::top(&h, k);
    let mask = chosen.tensor(&h.device());
    let p = op::softmax(h) * mask;
    (p.clone() / p.sum_dim(1), chosen)
}

/// `ln(1 + e^x)`, and a little more than 0.
fn softplus(x: Tensor<2>) -> Tensor<2> {
    x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p() + 1e-6
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn gate() -> (NoisyTopKGate, Device, ChaCha8Rng) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let gate = NoisyTopKGateConfig::new(3, 4).init(&device, &mut rng).unwrap();
        (gate, device, rng)
    }

    /// Noisy logits 1, 0.5, 0, -1: the two largest have e^0.5 = 1.648721 between them. P by hand:
    /// expert 0 loses to 0 (the third), expert 2 has to beat 0.5, all with deviation 1, e.g.
    /// Phi(1 - 0) = 0.841345 and Phi(0 - 0.5) = 0.308538.
    #[test]
    fn weights_and_probabilities_by_hand() {
        let (gate, device, _) = gate();
        let h = Tensor::<2>::from_floats([[1.0, 0.5, 0.0, -1.0]], &device);
        let (ones, zeros) = (Tensor::ones([1, 4], &device), Tensor::zeros([1, 4], &device));
        let g: Vec<f32> =
            gate.route(h.clone(), ones.clone(), zeros).weights.try_into_vec_as().unwrap();
        let expected = [0.622_459, 0.377_541, 0.0, 0.0];
        assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{g:?}");
        let p: Vec<f32> = gate.chosen_again(&h, h.clone(), ones).try_into_vec_as().unwrap();
        let expected = [0.841_345, 0.691_462, 0.308_538, 0.066_807];
        assert!(p.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{p:?}");
    }

    #[test]
    fn at_first_the_noise_decides_evenly_and_without_it_the_first_are_taken() {
        let (gate, device, mut rng) = gate();
        let x = Tensor::<2>::ones([4000, 3], &device);
        let load = gate.forward_train(x.clone(), &mut rng).chosen.load();
        // 2000 expected, standard deviation sqrt(4000 / 4) = 32 or less: within 4 of them.
        assert!(load.iter().all(|n| n.abs_diff(2000) < 128), "{load:?}");
        assert_eq!(gate.forward(x).chosen.load(), [4000, 4000, 0, 0]);
    }

    #[test]
    fn gradients() {
        let (mut gate, device, mut rng) = gate();
        let draw = |rng: &mut ChaCha8Rng| Init::FanIn.param([3, 4], (3, 4), &device, rng);
        (gate.weight.weight, gate.noise.weight) = (draw(&mut rng), draw(&mut rng));
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        // Far apart, so that no difference changes which logits are the largest.
        let draws =
            Tensor::<2>::from_floats([[3.0, -2.0, 0.2, 1.4], [-1.5, 1.6, -3.0, 0.2]], &device);
        testing::check_module(&gate, |gate: &NoisyTopKGate| {
            let (h, v) = (gate.weight.forward(x.clone()), gate.noise.forward(x.clone()));
            let routing = gate.route(h, softplus(v), draws.clone());
            routing.weights.square().sum() + routing.balance.expect("a learned gate") * 0.2
        });
    }

    #[test]
    fn all_experts_are_no_choice() {
        let (_, device, mut rng) = gate();
        let error = NoisyTopKGateConfig::new(3, 2).with_k(2).init(&device, &mut rng).unwrap_err();
        let expected = "NoisyTopKGate: `k` is `2`; expected 1 or more, and fewer than the experts";
        assert_eq!(error.to_string(), expected);
    }
}
