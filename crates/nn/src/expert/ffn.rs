//! Feed-forward experts.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use std::sync::Arc;

use super::dispatch;
use crate::activation::Activation;
use crate::gate::Routing;
use crate::mlp::{Mlp, MlpConfig};
use crate::{Error, Result, op};

/// Makes a [`MoeFfn`].
#[derive(Debug, Clone)]
pub struct MoeFfnConfig {
    d_model: usize,
    d_ff: usize,
    experts: usize,
    activation: Activation,
}

impl MoeFfnConfig {
    /// Independent experts with ReLU and PyTorch's default initial weights.
    pub fn new(d_model: usize, d_ff: usize, experts: usize) -> Self {
        Self { d_model, d_ff, experts, activation: Activation::Relu }
    }

    /// The nonlinearity of the experts.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Makes the experts.
    ///
    /// # Errors
    /// If a size or the number of experts is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<MoeFfn> {
        let one = MlpConfig::new([self.d_model, self.d_ff, self.d_model]);
        let one = one.with_activation(self.activation);
        let experts = (0..self.experts).map(|_| one.init(device, rng)).collect::<Result<_>>()?;
        MoeFfn::new(experts)
    }
}

/// Feed-forward networks of one shape, of which each token sees those that a gate has chosen.
///
/// ```text
/// y = sum over chosen e of g_e (W2_e s(W1_e x + b1_e) + b2_e)
/// ```
///
/// # Shapes
/// - `x` and output: `[tokens, d_model]`; `W1`: `[d_model, d_ff]`, `W2`: `[d_ff, d_model]`
///
/// # Panics
/// `forward` if `x`, the routing and the experts do not fit together.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, expert::MoeFfnConfig, gate::SwitchGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = SwitchGateConfig::new(4, 8).init(&device, &mut rng)?;
/// let experts = MoeFfnConfig::new(4, 16, 8).init(&device, &mut rng)?;
/// let x = Tensor::ones([3, 4], &device);
/// let routing = gate.forward(x.clone());
/// assert_eq!(experts.forward(x, &routing).dims(), [3, 4]);
/// assert_eq!(routing.chosen.evaluations() * experts.flops(), 3 * 2 * (4 * 16 + 16 * 4));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct MoeFfn {
    /// The experts.
    pub experts: Vec<Mlp>,
}

impl MoeFfn {
    /// These experts.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(experts: Vec<Mlp>) -> Result<Self> {
        Error::unless(!experts.is_empty(), "MoeFfn", "experts", experts.len(), "at least 1")?;
        Ok(Self { experts })
    }

    /// Applies the chosen experts.
    ///
    /// # Panics
    /// If `x`, the routing and the experts do not fit together.
    pub fn forward(&self, x: Tensor<2>, routing: &Routing) -> Tensor<2> {
        let (found, expected) = (self.experts.len(), routing.chosen.experts());
        assert_eq!(found, expected, "MoeFfn: {found} experts, a routing for {expected}");
        self.at_once(&x, routing).unwrap_or_else(|| {
            dispatch(x, routing, |expert, rows| self.experts[expert].forward(rows))
        })
    }

    /// All experts in one operation, if each token has the same number of them and each is a
    /// network of two layers with biases.
    fn at_once(&self, x: &Tensor<2>, routing: &Routing) -> Option<Tensor<2>> {
        let chosen = &routing.chosen;
        let (tokens, experts) = (chosen.tokens(), chosen.experts());
        let choices = chosen.choices().filter(|k| *k > 0)?;
        if experts > op::MOST_EXPERTS || x.dims()[0] != tokens {
            return None;
        }
        let weights = self.experts.iter().map(|expert| match &expert.layers[..] {
            [first, second] => Some(op::ExpertWeights {
                w1: first.weight.val(),
                b1: first.bias.as_ref()?.val(),
                w2: second.weight.val(),
                b2: second.bias.as_ref()?.val(),
            }),
            _ => None,
        });
        let weights = weights.collect::<Option<Vec<_>>>()?;
        let list = chosen.by_token();
        let entries = list.iter().enumerate();
        let entries: Arc<[i64]> =
            entries.map(|(pair, e)| (pair / choices * experts) as i64 + e).collect();
        let g = routing.weights.clone().reshape([tokens * experts, 1]);
        let g = op::gather(g, &entries).reshape([tokens, choices]);
        op::experts(x.clone(), g, list.into(), weights, self.experts[0].activation)
    }

    /// Multiplications and additions of one expert for one token, forwards.
    pub fn flops(&self) -> u64 {
        let sizes = self.experts[0].layers.iter().map(|layer| layer.sizes());
        sizes.map(|(i, o)| 2 * (i * o) as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::expert::spawn_experts;
    use crate::gate::{DtsGateConfig, gumbel_noise};
    use crate::schedule::Schedule;
    use crate::{device, testing};

    fn largest(x: Tensor<2>) -> f32 {
        x.abs().max().into_scalar()
    }

    /// A very hot gate averages; identical experts are one expert times the sum of the weights.
    #[test]
    fn limits_of_the_mixture() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let gate = DtsGateConfig::new(3, 4, Schedule::Constant(1.0), 9).init(&device, &mut rng);
        let gate = gate.unwrap();
        let moe = MoeFfnConfig::new(3, 5, 4).init(&device, &mut rng).unwrap();
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        let h = gate.weight.forward(x.clone());
        let noise = gumbel_noise([2, 4], &device, &mut rng);
        let hot = gate.route(h.clone(), 1e6, Some(noise.clone()), false);
        let outputs = moe.experts.iter().map(|e| e.forward(x.clone()));
        let mean = outputs.reduce(|a, b| a + b).unwrap() / 4.0;
        assert!(largest(moe.forward(x.clone(), &hot) - mean) < 1e-5);

        let same = spawn_experts(&moe.experts[0], 4, 0.0, &mut rng).unwrap();
        let same = MoeFfn::new(same).unwrap();
        let cool = gate.route(h, 0.2, Some(noise), false);
        let expected = moe.experts[0].forward(x.clone()) * cool.weights.clone().sum_dim(1);
        assert!(largest(same.forward(x, &cool) - expected) < 1e-5);
    }

    /// The one operation against the sum over experts, with an expert that nobody sees.
    #[test]
    fn at_once_equals_one_after_the_other() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let config = MoeFfnConfig::new(3, 5, 4).with_activation(Activation::Gelu);
        let moe = config.init(&device, &mut rng).unwrap();
        let values: Vec<f32> = (0..21).map(|i| (i as f32 * 0.7).sin()).collect();
        let make = || Tensor::<1>::from_floats(&values[..], &device).reshape([7, 3]).require_grad();
        let logits: Vec<f32> =
            (0..28).map(|i| if i % 4 == 2 { -9.0 } else { (i as f32).sin() }).collect();
        let logits =
            || Tensor::<1>::from_floats(&logits[..], &device).reshape([7, 4]).require_grad();
        let (a, b, la, lb) = (make(), make(), logits(), logits());
        let routing = crate::gate::top_k(la.clone(), 2);
        let mine = moe.at_once(&a, &routing).expect("two each");
        let plain = crate::gate::top_k(lb.clone(), 2);
        let apart = dispatch(b.clone(), &plain, |e, rows| moe.experts[e].forward(rows));
        assert!(largest(mine.clone() - apart.clone()) < 1e-5);
        let (ga, gb) = (mine.square().sum().backward(), apart.square().sum().backward());
        assert!(largest(a.grad(&ga).unwrap() - b.grad(&gb).unwrap()) < 1e-5);
        assert!(largest(la.grad(&ga).unwrap() - lb.grad(&gb).unwrap()) < 1e-5);
        for (e, expert) in moe.experts.iter().enumerate() {
            for layer in &expert.layers {
                let w = layer.weight.val();
                match (w.grad(&ga), w.grad(&gb)) {
                    (Some(mine), Some(apart)) => assert!(largest(mine - apart) < 1e-5),
                    (mine, apart) => assert!(e == 2 && mine.is_none() && apart.is_none(), "{e}"),
                }
            }
        }
    }

    #[test]
    fn gradients_of_experts_that_were_chosen() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let moe = MoeFfnConfig::new(2, 3, 2).with_activation(Activation::Tanh);
        let moe = moe.init(&device, &mut rng).unwrap();
        let x = Tensor::<2>::from_floats([[0.3, -1.0], [1.2, 0.1]], &device);
        let routing = Routing::uniform(2, 2, &device);
        testing::check_module(&moe, |moe: &MoeFfn| moe.forward(x.clone(), &routing).square().sum());
    }

    #[test]
    #[should_panic(expected = "MoeFfn: 2 experts, a routing for 3")]
    fn a_routing_for_other_experts_panics() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let moe = MoeFfnConfig::new(2, 3, 2).init(&device, &mut rng).unwrap();
        moe.forward(Tensor::ones([1, 2], &device), &Routing::uniform(1, 3, &device));
    }
}
