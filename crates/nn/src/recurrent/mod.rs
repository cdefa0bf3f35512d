//! Recurrent layers over whole sequences.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::op;

mod gru;
mod rnn;

pub use gru::{Gru, GruConfig};
pub use rnn::{Nonlinearity, Rnn, RnnConfig};

/// The weights of a recurrent layer; its gates stand side by side.
#[derive(Module, Debug)]
pub struct Weights {
    /// W, `[inputs, gates * hidden]`.
    pub input: Param<Tensor<2>>,
    /// V, `[hidden, gates * hidden]`.
    pub hidden: Param<Tensor<2>>,
    /// b, `[gates * hidden]`.
    pub bias_input: Param<Tensor<1>>,
    /// c, `[gates * hidden]`.
    pub bias_hidden: Param<Tensor<1>>,
}

impl Weights {
    /// Without a rule, all are uniform within the root of 1 / hidden, as PyTorch has it.
    fn draw(
        (inputs, hidden): (usize, usize),
        gates: usize,
        rule: Option<Init>,
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let width = gates * hidden;
        let fan = rule.map_or(hidden, |_| inputs);
        let rule = rule.unwrap_or(Init::FanIn);
        Self {
            input: rule.param([inputs, width], (fan, width), device, rng),
            hidden: rule.param([hidden, width], (hidden, width), device, rng),
            bias_input: Init::FanIn.param([width], (hidden, width), device, rng),
            bias_hidden: Init::FanIn.param([width], (hidden, width), device, rng),
        }
    }

    fn check(&self, layer: &str, x: &Tensor<3>) {
        let (dims, weight) = (x.dims(), self.input.dims());
        assert!(
            dims[2] == weight[0] && dims[1] > 0,
            "{layer}: input {dims:?} does not fit weight {weight:?}"
        );
    }

    fn values(&self) -> op::RecurrentWeights {
        op::RecurrentWeights {
            input: self.input.val(),
            hidden: self.hidden.val(),
            bias_input: self.bias_input.val(),
            bias_hidden: self.bias_hidden.val(),
        }
    }
}
