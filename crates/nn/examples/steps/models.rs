//! The models of the workloads.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use pressrun_nn::activation::Activation;
use pressrun_nn::attention::{SelfAttention, SelfAttentionConfig};
use pressrun_nn::conv::{Conv2d, Conv2dConfig};
use pressrun_nn::expert::MoeFfn;
use pressrun_nn::gate::top_k;
use pressrun_nn::init::Init;
use pressrun_nn::kan::{Basis, Kan, KanConfig};
use pressrun_nn::linear::{Linear, LinearConfig};
use pressrun_nn::mlp::{Mlp, MlpConfig};
use pressrun_nn::norm::{LayerNorm, LayerNormConfig};
use pressrun_nn::pool;
use pressrun_nn::recurrent::{Gru, GruConfig};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::values::Parameters;

/// What draws the weights that are replaced.
fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

/// A layer whose weight is the next parameter, with a bias of zeros.
pub fn linear(p: &mut Parameters, inputs: usize, outputs: usize) -> Linear {
    let config = LinearConfig::new(inputs, outputs).with_bias_init(Init::Constant(0.0));
    let mut layer = config.init(p.device(), &mut rng()).expect("sizes");
    layer.weight = p.next([inputs, outputs], (inputs as f64).powf(-0.5));
    layer
}

/// Layers with ReLU between them.
pub fn mlp(p: &mut Parameters, sizes: &[usize]) -> Mlp {
    let config = MlpConfig::new(sizes);
    let mut mlp = config.init(p.device(), &mut rng()).expect("sizes");
    for (layer, pair) in mlp.layers.iter_mut().zip(sizes.windows(2)) {
        *layer = linear(p, pair[0], pair[1]);
    }
    mlp
}

/// 3 x 3 convolutions to 16 and 32 channels, each with ReLU and pooling, and a linear map.
#[derive(Module, Debug)]
pub struct Cnn {
    first: Conv2d,
    second: Conv2d,
    out: Linear,
}

impl Cnn {
    pub fn new(p: &mut Parameters) -> Self {
        let mut conv = |inputs: usize, outputs: usize| {
            let config = Conv2dConfig::new(inputs, outputs, [3, 3]).with_padding([1, 1]);
            let config = config.with_bias_init(Init::Constant(0.0));
            let mut layer = config.init(p.device(), &mut rng()).expect("sizes");
            layer.weight = p.next([outputs, inputs, 3, 3], 1.0 / ((inputs * 9) as f64).sqrt());
            layer
        };
        let (first, second) = (conv(1, 16), conv(16, 32));
        Self { first, second, out: linear(p, 1568, 10) }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = pool::relu_max_pool2d(self.first.forward(x), [2, 2]);
        let x = pool::relu_max_pool2d(self.second.forward(x), [2, 2]);
        self.out.forward(x.flatten(1, 3))
    }
}

/// A block of the Transformer.
#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    attention: SelfAttention,
    norm_2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(p: &mut Parameters) -> Self {
        // Not a clone: that would be the same parameter.
        let norm = |p: &Parameters| LayerNormConfig::new(64).init(p.device()).expect("sizes");
        let (first, second) = (norm(p), norm(p));
        let config = SelfAttentionConfig::new(64, 4);
        let mut attention = config.init(p.device(), &mut rng()).expect("sizes");
        attention.qkv = linear(p, 64, 192);
        attention.out = linear(p, 64, 64);
        let (up, down) = (linear(p, 64, 128), linear(p, 128, 64));
        Self { norm: first, attention, norm_2: second, up, down }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.attention.forward_residual(self.norm.forward(x.clone()), x);
        let h = self.up.forward_activated(self.norm_2.forward(x.clone()), Activation::Gelu);
        self.down.forward_residual(h, x)
    }
}

/// Four blocks on 49 patches.
#[derive(Module, Debug)]
pub struct ViT {
    embed: Linear,
    position: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl ViT {
    pub fn new(p: &mut Parameters) -> Self {
        let embed = linear(p, 16, 64);
        let position = p.next([1, 49, 64], 0.1);
        let blocks = (0..4).map(|_| Block::new(p)).collect();
        let norm = LayerNormConfig::new(64).init(p.device()).expect("sizes");
        Self { embed, position, blocks, norm, head: linear(p, 64, 10) }
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let x = self.embed.forward(x) + self.position.val();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(self.norm.forward(x).mean_dim(1).squeeze_dim(1))
    }
}

/// Eight experts, of which each token sees the two best.
#[derive(Module, Debug)]
pub struct Mixture {
    gate: Linear,
    experts: MoeFfn,
}

impl Mixture {
    pub fn new(p: &mut Parameters) -> Self {
        let gate = linear(p, 64, 8);
        let experts = (0..8).map(|_| mlp(p, &[64, 128, 64])).collect();
        Self { gate, experts: MoeFfn::new(experts).expect("eight") }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let routing = top_k(self.gate.forward(x.clone()), 2);
        self.experts.forward(x, &routing)
    }
}

/// Sines and cosines of every input, twice.
#[derive(Module, Debug)]
pub struct Fourier {
    first: Kan,
    second: Kan,
}

impl Fourier {
    pub fn new(p: &mut Parameters) -> Self {
        let mut layer = |inputs: usize, outputs: usize| {
            let config = KanConfig::new(inputs, outputs, Basis::Fourier { grid: 5 });
            let mut layer = config.init(p.device(), &mut rng()).expect("sizes");
            let features = inputs * 10;
            layer.weight = p.next([features, outputs], (features as f64).powf(-0.5));
            layer
        };
        Self { first: layer(784, 64), second: layer(64, 10) }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(self.first.forward(x))
    }
}

/// A recurrent layer and a linear map of its last state.
#[derive(Module, Debug)]
pub struct Recurrent {
    gru: Gru,
    out: Linear,
}

impl Recurrent {
    pub fn new(p: &mut Parameters) -> Self {
        let (input, hidden, out) = (linear(p, 28, 192), linear(p, 64, 192), linear(p, 64, 10));
        let mut gru = GruConfig::new(28, 64).init(p.device(), &mut rng()).expect("sizes");
        gru.weights.input = input.weight;
        gru.weights.hidden = hidden.weight;
        gru.weights.bias_input = input.bias.expect("with bias");
        gru.weights.bias_hidden = hidden.bias.expect("with bias");
        Self { gru, out }
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        self.out.forward(self.gru.forward_last(x, None))
    }
}
