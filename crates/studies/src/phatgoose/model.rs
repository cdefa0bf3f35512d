//! The encoder, and what may stand in the place of its linear maps.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use pressrun_lab::Rng;
use pressrun_nn::Result;
use pressrun_nn::activation::Activation;
use pressrun_nn::attention::attend;
use pressrun_nn::init::Init;
use pressrun_nn::linear::{Linear, LinearConfig};
use pressrun_nn::lora::{InputGate, InputGateConfig, LoraConfig, LoraLinear};
use pressrun_nn::norm::{LayerNorm, LayerNormConfig};

use super::data::{PATCHES, PIXELS};

/// Linear maps of a layer that experts change: q, k, v, o and the two of the feed-forward network.
pub const MAPS: usize = 6;
/// Positions of the attention's output and of the feed-forward network; q, k, v come before.
const OUT: usize = 3;
const UP: usize = 4;
const DOWN: usize = 5;
const CLASSES: usize = 10;

/// Sizes of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Width of a token.
    pub width: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// Width inside of the feed-forward network.
    pub ffn: usize,
}

impl Shape {
    /// Inputs and outputs of the maps of a layer.
    pub fn maps(&self) -> [(usize, usize); MAPS] {
        let (d, f) = (self.width, self.ffn);
        [(d, d), (d, d), (d, d), (d, d), (d, f), (f, d)]
    }
}

/// A layer of the encoder.
#[derive(Module, Debug)]
pub struct Block {
    attention_norm: LayerNorm,
    ffn_norm: LayerNorm,
    maps: Vec<Linear>,
}

/// The encoder.
///
/// ```text
/// h = patches E + positions
/// h = h + o(attend(q(n h), k(n h), v(n h)))        in each layer
/// h = h + down(gelu(up(n' h)))
/// features = mean over the patches of n'' h        logits = features H
/// ```
#[derive(Module, Debug)]
pub struct Encoder {
    embed: Linear,
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    heads: usize,
}

/// What stands in the place of the linear maps of an encoder.
pub trait Maps {
    /// Called with each batch before its maps.
    fn begin(&mut self, _: &Tensor<3>) {}

    /// The map `at`, counted through all layers, applied to `[tokens, inputs]`.
    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2>;
}

impl Encoder {
    /// An encoder with random weights.
    pub fn new(shape: &Shape, device: &Device, rng: &mut Rng) -> Result<Self> {
        let width = shape.width;
        let mut map = |(inputs, outputs)| LinearConfig::new(inputs, outputs).init(device, rng);
        let embed = map((PIXELS, width))?;
        let head = map((width, CLASSES))?;
        let norm = || LayerNormConfig::new(width).init(device);
        let mut block = || {
            let maps = shape.maps().into_iter().map(&mut map).collect::<Result<_>>()?;
            Ok(Block { attention_norm: norm()?, ffn_norm: norm()?, maps })
        };
        let blocks = (0..shape.layers).map(|_| block()).collect::<Result<_>>()?;
        let init = Init::Normal { mean: 0.0, std: 0.02 };
        let positions = init.param([PATCHES, width], (1, width), device, rng);
        Ok(Self { embed, positions, blocks, norm: norm()?, head, heads: shape.heads })
    }

    /// The maps of all layers.
    pub fn maps(&self) -> impl Iterator<Item = &Linear> {
        self.blocks.iter().flat_map(|block| &block.maps)
    }

    /// Features `[n, width]` of pictures `[n, PATCHES, PIXELS]`, with other maps.
    pub fn features(&self, x: Tensor<3>, maps: &mut dyn Maps) -> Tensor<2> {
        maps.begin(&x);
        let n = x.dims()[0];
        let mut h = self.embed.forward(x) + self.positions.val().unsqueeze::<3>();
        let width = h.dims()[2];
        let flat = |h: Tensor<3>| h.reshape([n * PATCHES, width]);
        let whole = |h: Tensor<2>| h.reshape([n, PATCHES, width]);
        for (layer, block) in self.blocks.iter().enumerate() {
            let mut apply = |map: usize, u: Tensor<2>| maps.apply(layer * MAPS + map, u);
            let u = flat(block.attention_norm.forward(h.clone()));
            let [q, k, v] = [0, 1, 2].map(|map| whole(apply(map, u.clone())));
            h = h + whole(apply(OUT, flat(attend(self.heads, q, k, v))));
            let u = apply(UP, flat(block.ffn_norm.forward(h.clone())));
            h = h + whole(apply(DOWN, Activation::Gelu.forward(u)));
        }
        self.norm.forward(h).mean_dim(1).squeeze_dim(1)
    }

    /// Logits `[n, classes]`.
    pub fn logits(&self, x: Tensor<3>, maps: &mut dyn Maps) -> Tensor<2> {
        self.head.forward(self.features(x, maps))
    }
}

/// These linear maps: the encoder's own, or merged ones.
#[derive(Debug)]
pub struct Plain(pub Vec<Linear>);

impl Plain {
    /// The maps of the encoder itself.
    pub fn of(encoder: &Encoder) -> Self {
        Self(encoder.maps().cloned().collect())
    }
}

impl Maps for Plain {
    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2> {
        self.0[at].forward(u)
    }
}

/// An expert: a change of each map.
#[derive(Module, Debug)]
pub struct Expert {
    /// The changed maps, through all layers.
    pub layers: Vec<LoraLinear>,
}

impl Expert {
    /// An expert that changes nothing yet.
    pub fn new(encoder: &Encoder, rank: usize, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config = LoraConfig::new(rank);
        let layer = |base| LoraLinear::new(base, &config, device, rng);
        Ok(Self { layers: encoder.maps().map(layer).collect::<Result<_>>()? })
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.lora.parameters()).sum()
    }
}

/// The encoder with one expert.
#[derive(Debug)]
pub struct Single<'a>(pub &'a Expert);

impl Maps for Single<'_> {
    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2> {
        self.0.layers[at].forward(u)
    }
}

/// The gates of an expert, one in front of each change.
#[derive(Module, Debug)]
pub struct Gates {
    /// Through all layers.
    pub gates: Vec<InputGate>,
}

impl Gates {
    /// Gates that are half open for every token.
    pub fn new(expert: &Expert, device: &Device) -> Result<Self> {
        let sizes = expert.layers.iter().map(|layer| layer.base.sizes().0);
        let gate = |inputs| InputGateConfig::new(inputs).init(device);
        Ok(Self { gates: sizes.map(gate).collect::<Result<_>>()? })
    }
}

/// The encoder with one expert behind its gates.
#[derive(Debug)]
pub struct Gated<'a>(pub &'a Expert, pub &'a Gates);

impl Maps for Gated<'_> {
    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2> {
        self.0.layers[at].forward_gated(u, &self.1.gates[at])
    }
}

/// The encoder with one expert, which adds up what each map is given.
#[derive(Debug)]
pub struct Listening<'a> {
    expert: &'a Expert,
    sums: Vec<Tensor<1>>,
    tokens: usize,
}

impl<'a> Listening<'a> {
    /// Nothing has been heard yet.
    pub fn new(expert: &'a Expert, device: &Device) -> Self {
        let sizes = expert.layers.iter().map(|layer| layer.base.sizes().0);
        let sums = sizes.map(|inputs| Tensor::<1>::zeros([inputs], device).inner()).collect();
        Self { expert, sums, tokens: 0 }
    }

    /// The mean over all tokens of what each map was given.
    pub fn means(self) -> Vec<Tensor<1>> {
        let tokens = self.tokens.max(1) as f64;
        self.sums.into_iter().map(|sum| sum / tokens).collect()
    }
}

impl Maps for Listening<'_> {
    fn begin(&mut self, x: &Tensor<3>) {
        self.tokens += x.dims()[0] * PATCHES;
    }

    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2> {
        self.sums[at] = self.sums[at].clone() + u.clone().sum_dim(0).squeeze_dim::<1>(0);
        self.expert.layers[at].forward(u)
    }
}
