//! One expert for each token, all experts equally many.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use rand::Rng;

use super::{Chosen, Routing, assignment};
use crate::Result;
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};

/// Makes a [`BaseGate`].
#[derive(Debug, Clone)]
pub struct BaseGateConfig {
    d_model: usize,
    experts: usize,
    init: Init,
}

impl BaseGateConfig {
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
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<BaseGate> {
        let linear = LinearConfig::new(self.d_model, self.experts).with_bias(false);
        Ok(BaseGate { weight: linear.with_init(self.init).init(device, rng)? })
    }
}

/// In training the balanced assignment of largest score; afterwards each token's best expert.
///
/// ```text
/// h = x W
/// a = argmax over assignments with equal loads of sum_t h[t, a(t)]        (training)
/// a(t) = argmax_e h[t, e]                                                (afterwards)
/// c = one-hot(a)        g = c sigmoid(h)
/// ```
///
/// No balance loss is needed: the assignment is balanced by itself, and takes no gradient.
///
/// # Shapes
/// - `x`: `[tokens, d_model]`, `W`: `[d_model, experts]`
/// - weights `g`: `[tokens, experts]`, one entry in each row
///
/// # Source
/// BASE Layers, arXiv:2103.16716. The assignment is over the tokens of one call.
///
/// # Panics
/// `forward` and `forward_train` if the last dimension of `x` is not `d_model`; `forward_train` if
/// a logit is not finite.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::BaseGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = BaseGateConfig::new(4, 8).init(&device, &mut rng)?;
/// // Equal tokens would all go to one expert; in training each expert has its share of them.
/// let x = Tensor::ones([24, 4], &device);
/// assert_eq!(gate.forward_train(x.clone()).chosen.load(), [3; 8]);
/// assert_eq!(gate.forward(x).chosen.load().iter().max(), Some(&24));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct BaseGate {
    /// W.
    pub weight: Linear,
}

impl BaseGate {
    /// Routes each token to its best expert.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let h = self.weight.forward(x);
        let chosen = Chosen::largest(&h);
        weigh(h, chosen)
    }

    /// Routes the tokens so that all experts see equally many.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `d_model`, or a logit is not finite.
    pub fn forward_train(&self, x: Tensor<2>) -> Routing {
        let h = self.weight.forward(x);
        let experts = h.dims()[1];
        let values: Vec<f32> = h.clone().try_into_vec_as().expect("floats");
        let chosen = Chosen::one_hot(&assignment::balanced(&values, experts), experts);
        weigh(h, chosen)
    }
}

fn weigh(h: Tensor<2>, chosen: Chosen) -> Routing {
    let mask = chosen.tensor(&h.device());
    Routing::new(activation::sigmoid(h) * mask, chosen)
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    /// Three tokens prefer expert 0; the one that loses least by it goes to expert 1.
    #[test]
    fn values_by_hand_and_gradients() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut gate = BaseGateConfig::new(2, 2).init(&device, &mut rng).unwrap();
        gate.weight.weight = Param::from_tensor(Tensor::eye(2, &device));
        let x = Tensor::<2>::from_floats([[1.0, 0.0], [1.0, 0.8], [1.0, 0.5], [0.0, 0.1]], &device);
        let routing = gate.forward_train(x.clone());
        assert_eq!(routing.chosen, Chosen::one_hot(&[0, 1, 0, 1], 2));
        let g: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        // sigmoid(1), sigmoid(0.8), sigmoid(1), sigmoid(0.1).
        let expected = [0.731_059, 0.0, 0.0, 0.689_974, 0.731_059, 0.0, 0.0, 0.524_979];
        assert!(g.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{g:?}");
        assert_eq!(gate.forward(x.clone()).chosen, Chosen::one_hot(&[0, 0, 0, 1], 2));
        testing::check_module(&gate, |gate: &BaseGate| {
            gate.forward_train(x.clone()).weights.square().sum()
        });
    }
}
