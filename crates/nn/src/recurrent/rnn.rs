//! The simple recurrent layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::Weights;
use crate::init::Init;
use crate::{Error, Result, op};

/// The nonlinearity of an [`Rnn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nonlinearity {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
}

impl Nonlinearity {
    fn cell(self) -> op::Cell {
        match self {
            Self::Tanh => op::Cell::Tanh,
            Self::Relu => op::Cell::Relu,
        }
    }
}

/// Makes an [`Rnn`].
#[derive(Debug, Clone)]
pub struct RnnConfig {
    inputs: usize,
    hidden: usize,
    nonlinearity: Nonlinearity,
    init: Option<Init>,
}

impl RnnConfig {
    /// From `inputs` numbers a step to a state of `hidden`, with PyTorch's default initial weights:
    /// uniform within plus and minus `hidden^-1/2`.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Self { inputs, hidden, nonlinearity: Nonlinearity::Tanh, init: None }
    }

    /// f; tanh if not chosen.
    pub fn with_nonlinearity(mut self, nonlinearity: Nonlinearity) -> Self {
        self.nonlinearity = nonlinearity;
        self
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
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Rnn> {
        let (i, h) = (self.inputs, self.hidden);
        Error::unless(i > 0, "Rnn", "inputs", i, "at least 1")?;
        Error::unless(h > 0, "Rnn", "hidden", h, "at least 1")?;
        Ok(Rnn {
            weights: Weights::draw((i, h), 1, self.init, device, rng),
            nonlinearity: self.nonlinearity,
        })
    }
}

/// Simple (Elman) recurrent layer over a sequence.
///
/// ```text
/// h' = f(x W + b + h V + c)
/// ```
///
/// # Shapes
/// - `x`: `[batch, steps, inputs]`, `W`: `[inputs, hidden]`, `V`: `[hidden, hidden]`
/// - `b`, `c`: `[hidden]`, first state: `[batch, hidden]`
/// - output: `[batch, steps, hidden]`, or the last state `[batch, hidden]`
///
/// # Source
/// Elman 1990, in the form of `torch.nn.RNN`.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`, or there is no step.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, recurrent::RnnConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let rnn = RnnConfig::new(3, 8).init(&device, &mut rng)?;
/// let x = Tensor::ones([2, 5, 3], &device);
/// assert_eq!(rnn.forward(x.clone(), None).dims(), [2, 5, 8]);
/// assert_eq!(rnn.forward_last(x, None).dims(), [2, 8]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Rnn {
    /// W, V, b and c.
    pub weights: Weights,
    /// f.
    #[module(skip)]
    pub nonlinearity: Nonlinearity,
}

impl Rnn {
    /// All states. The first state is 0 if not given.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or there is no step.
    pub fn forward(&self, x: Tensor<3>, state: Option<Tensor<2>>) -> Tensor<3> {
        self.weights.check("Rnn", &x);
        op::recurrent(self.nonlinearity.cell(), x, state, self.weights.values())
    }

    /// The last state alone, which spares the gradients of the others.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`, or there is no step.
    pub fn forward_last(&self, x: Tensor<3>, state: Option<Tensor<2>>) -> Tensor<2> {
        self.weights.check("Rnn", &x);
        op::recurrent_last(self.nonlinearity.cell(), x, state, self.weights.values())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    /// Weights 1, biases 0, x = (1, -3), h = 0.5. Tanh: tanh(1.5) = 0.905148, then
    /// tanh(-3 + 0.905148) = -0.970160. ReLU: 1.5, then 0.
    #[test]
    fn two_steps_by_hand() {
        let device = device::named("flex").unwrap();
        let expected =
            [(Nonlinearity::Tanh, [0.905_148, -0.970_16]), (Nonlinearity::Relu, [1.5, 0.0])];
        for (nonlinearity, expected) in expected {
            let config = RnnConfig::new(1, 1).with_init(Init::Constant(1.0));
            let config = config.with_nonlinearity(nonlinearity);
            let mut rnn = config.init(&device, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
            rnn.weights.bias_input = rnn.weights.bias_input.map(|b| b.zeros_like());
            rnn.weights.bias_hidden = rnn.weights.bias_hidden.map(|b| b.zeros_like());
            let x = Tensor::from_floats([[[1.0], [-3.0]]], &device);
            let y = rnn.forward(x, Some(Tensor::from_floats([[0.5]], &device)));
            let y: Vec<f32> = y.try_into_vec_as().unwrap();
            assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{y:?}");
        }
    }

    #[test]
    fn gradients_of_all_states_and_of_the_last() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let rnn = RnnConfig::new(2, 3).init(&device, &mut rng).unwrap();
        let values: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([2, 3, 2]);
        testing::check_module(&rnn, |r: &Rnn| r.forward(x.clone(), None).square().sum());
        testing::check_module(&rnn, |r: &Rnn| r.forward_last(x.clone(), None).square().sum());
        testing::check_input(&device, [2, 3, 2], &values, |x| rnn.forward(x, None).square().sum());
    }
}
