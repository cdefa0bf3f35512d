//! The backbone, what it costs, and its frozen features.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use pressrun_lab::Rng;
use pressrun_nn::activation::Activation;
use pressrun_nn::conv::{Conv2d, Conv2dConfig};
use pressrun_nn::gate::FEATURES;
use pressrun_nn::linear::{Linear, LinearConfig};
use pressrun_nn::norm::{GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig};
use pressrun_nn::pool::avg_pool2d;

/// Groups of channels that are normalised together.
const GROUPS: usize = 4;

/// Pooled places in each direction.
const PLACES: usize = 2;

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// x + W2 relu(W1 LN(x)).
    Mlp {
        /// Width of the residual stream.
        width: usize,
        /// Width inside of a block.
        hidden: usize,
    },
    /// x + conv(relu(GN(x))), 3 x 3, on half the picture's resolution.
    Conv {
        /// Channels of the residual stream.
        channels: usize,
    },
}

/// Sizes of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What a block is made of.
    pub kind: Kind,
    /// Blocks; there is a gate after each but the last.
    pub blocks: usize,
    /// Pixels on a side of a picture.
    pub side: usize,
    /// Classes.
    pub classes: usize,
}

/// Multiply-adds on the way to each exit, as a share of the way to the last one.
///
/// Counted are affine layers, convolutions, the softmax of a classifier and a gate's features;
/// norms, activations and pooling are not.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// With classifiers and gates; the last is 1.
    pub gated: Vec<f64>,
    /// With classifiers and without gates, which thresholds do not need.
    pub plain: Vec<f64>,
    /// Of the backbone and its head alone.
    pub backbone: f64,
}

impl Shape {
    /// Exits before the last.
    pub fn gates(&self) -> usize {
        self.blocks - 1
    }

    /// Features after a block.
    pub fn features(&self) -> usize {
        match self.kind {
            Kind::Mlp { width, .. } => width,
            Kind::Conv { channels } => channels * PLACES * PLACES,
        }
    }

    /// Multiply-adds of the stem and of a block.
    fn parts(&self) -> (usize, usize) {
        match self.kind {
            Kind::Mlp { width, hidden } => (self.side * self.side * width, 2 * width * hidden),
            Kind::Conv { channels } => {
                let places = self.side.div_ceil(2).pow(2);
                (9 * channels * places, 9 * channels * channels * places)
            }
        }
    }

    /// Multiply-adds of a classifier with its softmax, and of a gate with its features: two
    /// entropies, the squares and their normalisation.
    fn overhead(&self) -> (usize, usize) {
        let classes = self.classes;
        (self.features() * classes + classes, FEATURES * classes + FEATURES)
    }

    /// What each exit costs.
    pub fn costs(&self) -> Costs {
        let ((stem, block), (classifier, gate)) = (self.parts(), self.overhead());
        let way = |exit: usize, extra: usize| {
            let (blocks, gates) = ((exit + 1).min(self.blocks), (exit + 1).min(self.gates()));
            // The last exit has a classifier, the backbone's head, and no gate.
            let head = if exit == self.gates() { classifier } else { 0 };
            stem + blocks * block + gates * extra + head
        };
        let last = self.gates();
        let whole = way(last, classifier + gate) as f64;
        let ways = |extra| (0..=last).map(|exit| way(exit, extra) as f64 / whole).collect();
        Costs {
            gated: ways(classifier + gate),
            plain: ways(classifier),
            backbone: way(last, 0) as f64 / whole,
        }
    }
}

#[derive(Module, Debug)]
struct MlpBlock {
    norm: LayerNorm,
    inner: Linear,
    outer: Linear,
}

#[derive(Module, Debug)]
struct MlpTrunk {
    stem: Linear,
    blocks: Vec<MlpBlock>,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct ConvBlock {
    norm: GroupNorm,
    conv: Conv2d,
}

#[derive(Module, Debug)]
struct ConvTrunk {
    stem: Conv2d,
    blocks: Vec<ConvBlock>,
    norm: GroupNorm,
}

#[derive(Module, Debug)]
enum Trunk {
    Mlp(MlpTrunk),
    Conv(ConvTrunk),
}

/// Blocks with a shared final norm, and a head on the last.
#[derive(Module, Debug)]
pub struct Backbone {
    trunk: Trunk,
    /// The final head.
    pub head: Linear,
}

impl MlpTrunk {
    fn new(shape: &Shape, (width, hidden): (usize, usize), at: &mut At<'_>) -> NnResult<Self> {
        let pixels = shape.side * shape.side;
        let stem = LinearConfig::new(pixels, width).init(at.device, at.rng)?;
        let block = |_| {
            Ok(MlpBlock {
                norm: LayerNormConfig::new(width).init(at.device)?,
                inner: LinearConfig::new(width, hidden).init(at.device, at.rng)?,
                outer: LinearConfig::new(hidden, width).init(at.device, at.rng)?,
            })
        };
        let blocks = (0..shape.blocks).map(block).collect::<NnResult<_>>()?;
        Ok(Self { stem, blocks, norm: LayerNormConfig::new(width).init(at.device)? })
    }

    fn features(&self, x: Tensor<2>, every: bool) -> Vec<Tensor<2>> {
        let mut x = self.stem.forward(x);
        let mut features = Vec::new();
        for (at, block) in self.blocks.iter().enumerate() {
            let inner = block.inner.forward_activated(block.norm.forward(x.clone()), RELU);
            x = block.outer.forward_residual(inner, x);
            if every || at + 1 == self.blocks.len() {
                features.push(self.norm.forward(x.clone()));
            }
        }
        features
    }
}

impl ConvTrunk {
    fn new(shape: &Shape, channels: usize, at: &mut At<'_>) -> NnResult<Self> {
        let conv = |inputs| Conv2dConfig::new(inputs, channels, [3, 3]).with_padding([1, 1]);
        let norm = |device: &Device| GroupNormConfig::new(GROUPS, channels).init(device);
        let stem = conv(1).with_stride([2, 2]).init(at.device, at.rng)?;
        let block = |_| {
            let conv = conv(channels).init(at.device, at.rng)?;
            Ok(ConvBlock { norm: norm(at.device)?, conv })
        };
        let blocks = (0..shape.blocks).map(block).collect::<NnResult<_>>()?;
        Ok(Self { stem, blocks, norm: norm(at.device)? })
    }

    fn features(&self, x: Tensor<2>, every: bool) -> Vec<Tensor<2>> {
        let [rows, pixels] = x.dims();
        let side = pixels.isqrt();
        let mut x = self.stem.forward(x.reshape([rows, 1, side, side]));
        let mut features = Vec::new();
        for (at, block) in self.blocks.iter().enumerate() {
            x = x.clone() + block.conv.forward(RELU.forward(block.norm.forward(x)));
            if every || at + 1 == self.blocks.len() {
                let window = [x.dims()[2] / PLACES, x.dims()[3] / PLACES];
                let seen = RELU.forward(self.norm.forward(x.clone()));
                features.push(avg_pool2d(seen, window, window).flatten(1, 3));
            }
        }
        features
    }
}

const RELU: Activation = Activation::Relu;

/// Where and from which numbers layers are made.
struct At<'a> {
    device: &'a Device,
    rng: &'a mut Rng,
}

impl Backbone {
    /// A backbone with random weights.
    ///
    /// # Errors
    /// If the sizes make none.
    pub fn new(shape: &Shape, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let mut at = At { device, rng };
        let trunk = match shape.kind {
            Kind::Mlp { width, hidden } => {
                Trunk::Mlp(MlpTrunk::new(shape, (width, hidden), &mut at)?)
            }
            Kind::Conv { channels } => Trunk::Conv(ConvTrunk::new(shape, channels, &mut at)?),
        };
        let head = LinearConfig::new(shape.features(), shape.classes).init(device, at.rng)?;
        Ok(Self { trunk, head })
    }

    /// Features of pictures `[rows, pixels]` after the shared norm, one `[rows, features]` for each
    /// block, or for the last block alone.
    pub fn features(&self, x: Tensor<2>, every: bool) -> Vec<Tensor<2>> {
        match &self.trunk {
            Trunk::Mlp(trunk) => trunk.features(x, every),
            Trunk::Conv(trunk) => trunk.features(x, every),
        }
    }

    /// Logits of the final head.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.features(x, false).pop().expect("there is a block");
        self.head.forward(last)
    }
}

/// A classifier after each block but the last: the inference modules.
#[derive(Module, Debug)]
pub struct Classifiers {
    /// One for each gate.
    pub layers: Vec<Linear>,
}

impl Classifiers {
    /// Classifiers with PyTorch's default initial weights.
    ///
    /// # Errors
    /// If the sizes make none.
    pub fn new(shape: &Shape, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let layer = |_| LinearConfig::new(shape.features(), shape.classes).init(device, rng);
        Ok(Self { layers: (0..shape.gates()).map(layer).collect::<NnResult<_>>()? })
    }

    /// Logits of all exits, one below the other: `[gates * rows, classes]`.
    pub fn forward(&self, z: &[Tensor<2>]) -> Tensor<2> {
        let pairs = self.layers.iter().zip(z);
        Tensor::cat(pairs.map(|(layer, z)| layer.forward(z.clone())).collect(), 0)
    }
}

/// Result of making a layer.
pub type NnResult<T> = pressrun_nn::Result<T>;
