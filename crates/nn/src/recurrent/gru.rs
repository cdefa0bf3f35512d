//! The gated recurrent unit.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::Weights;
use crate::init::Init;
use crate::{Error, Result, op};

/// Makes a [`Gru`].
#[derive(Debug, Clone)]
pub struct GruConfig {
    inputs: usize,
    hidden: usize,
    init: Option<Init>,
}

impl GruConfig {
    /// From `inputs` numbers a step to a state of `hidden`, with PyTorch's default initial weights:
    /// uniform within plus and minus `hidden^-1/2`.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Self { inputs, hidden, init: None }
    }

    /// How the two weights are drawn; the biases keep PyTorch's default.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = Some(init);
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Gru> {
        let (i, h) = (self.inputs, self.hidden);
        Error::unless(i > 0, "Gru", "inputs", i, "at least 1")?;
        Error::unless(h > 0, "Gru", "hidden", h, "at least 1")?;
        Ok(Gru { weights: Weights::draw((i, h), 3, self.init, device, rng) })
    }
}

/// Gated recurrent unit over a sequence.
///
/// ```text
/// r = sigma(x W_r + b_r + h V_r + c_r)        z = sigma(x W_z + b_z + h V_z + c_z)
/// n = tanh(x W_n + b_n + r * (h V_n + c_n))
/// h' = (1 - z) * n + z * h
/// ```
///
/// `W`, `b` and `V`, `c` stand side by side in the order r, z, n; `*` is by element.
///
/// # Shapes
/// - `x`: `[batch, steps, inputs]`, `W`: `[inputs, 3 hidden]`, `V`: `[hidden, 3 hidden]`
/// - `b`, `c`: `[3 hidden]`, first state: `[batch, hidden]`
/// - output: `[batch, steps, hidden]`, or the last state `[batch, hidden]`
///
/// # Source
/// Cho et al., arXiv:1406.1078, in the form of `torch.nn.GRU`.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`, or there is no step.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, recurrent::GruConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gru = GruConfig::new(3, 8).init(&device, &mut rng)?;
/// let x = Tensor::ones([2, 5, 3], &device);
/// assert_eq!(gru.forward(x.clone(), None).dims(), [2, 5, 8]);
/// assert_eq!(gru.forward_last(x, None).dims(), [2, 8]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Gru {
    /// W, V, b and c.
    pub weights: Weights,
}

impl Gru {
    /// All states. The first state is 0 if not given.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or there is no step.
    pub fn forward(&self, x: Tensor<3>, state: Option<Tensor<2>>) -> Tensor<3> {
        self.weights.check("Gru", &x);
        op::recurrent(op::Cell::Gru, x, state, self.weights.values())
    }

    /// The last state alone, which spares the gradients of the others.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or there is no step.
    pub fn forward_last(&self, x: Tensor<3>, state: Option<Tensor<2>>) -> Tensor<2> {
        self.weights.check("Gru", &x);
        op::recurrent_last(op::Cell::Gru, x, state, self.weights.values())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    /// One step with every weight 1 and every bias 0, x = 1 and h = 0.5: all sums are 1 + 0.5.
    /// r = z = sigma(1.5) = 0.817574, n = tanh(1 + 0.817574 * 0.5) = tanh(1.408787) = 0.887259,
    /// h' = 0.182426 * 0.887259 + 0.817574 * 0.5 = 0.570646.
    #[test]
    fn one_step_by_hand() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let config = GruConfig::new(1, 1).with_init(Init::Constant(1.0));
        let mut gru = config.init(&device, &mut rng).unwrap();
        gru.weights.bias_input = gru.weights.bias_input.map(|b| b.zeros_like());
        gru.weights.bias_hidden = gru.weights.bias_hidden.map(|b| b.zeros_like());
        let state = Tensor::from_floats([[0.5]], &device);
        let y = gru.forward(Tensor::ones([1, 1, 1], &device), Some(state)).into_scalar::<f32>();
        assert!((y - 0.570_646).abs() < 1e-5, "{y}");
    }

    #[test]
    fn gradients_of_all_states_and_of_the_last() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gru = GruConfig::new(2, 3).init(&device, &mut rng).unwrap();
        let values: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([2, 3, 2]);
        testing::check_module(&gru, |g: &Gru| g.forward(x.clone(), None).square().sum());
        testing::check_module(&gru, |g: &Gru| g.forward_last(x.clone(), None).square().sum());
        testing::check_input(&device, [2, 3, 2], &values, |x| gru.forward(x, None).square().sum());
        let state = [0.3, -0.2, 0.5, 0.1, 0.9, -0.4];
        testing::check_input(&device, [2, 3], &state, |h| {
            gru.forward_last(x.clone(), Some(h)).square().sum()
        });
    }

    #[test]
    fn the_last_state_is_the_end_of_all() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let gru = GruConfig::new(2, 5).init(&device, &mut rng).unwrap();
        let bound = gru.weights.input.val().abs().max().into_scalar::<f32>();
        assert!(bound <= 5f32.powf(-0.5) && bound > 0.3, "{bound}");
        let x = Tensor::ones([3, 4, 2], &device);
        let all = gru.forward(x.clone(), None).slice([0..3, 3..4, 0..5]).reshape([3, 5]);
        let last = gru.forward_last(x, None);
        assert!((all - last).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    #[should_panic(expected = "Gru: input [1, 2, 4] does not fit weight [3, 6]")]
    fn a_wrong_width_panics_with_both_shapes() {
        let device = device::named("flex").unwrap();
        let gru = GruConfig::new(3, 2).init(&device, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        gru.forward(Tensor::ones([1, 2, 4], &device), None);
    }
}
