//! Language models whose last feed-forward layer is dense, or a mixture of experts.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use pressrun_data::text::SYMBOLS;
use pressrun_lab::Rng;
use pressrun_nn::attention::{CausalSelfAttention, CausalSelfAttentionConfig};
use pressrun_nn::embedding::{Embedding, EmbeddingConfig};
use pressrun_nn::expert::{MoeFfn, MoeFfnConfig, spawn_experts};
use pressrun_nn::gate::{
    BaseGateConfig, CometGateConfig, DSelectKGateConfig, DtsGateConfig, GateWeights,
    HashGateConfig, LocalSearchConfig, NoisyTopKGateConfig, Pass, Router, Routing,
    StableGateConfig, SwitchGateConfig, Tokens, TopKGateConfig,
};
use pressrun_nn::init::Init;
use pressrun_nn::linear::{Linear, LinearConfig};
use pressrun_nn::mlp::{Mlp, MlpConfig};
use pressrun_nn::norm::{LayerNorm, LayerNormConfig};
use pressrun_nn::schedule::Schedule;

use super::data::Batch;

/// How the characters before a place are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// One affine layer over the embeddings of the whole window.
    Window {
        /// Width of a character's embedding.
        embedding: usize,
    },
    /// A causal Transformer block, then the attention of a second one.
    Transformer {
        /// Heads of each attention.
        heads: usize,
    },
}

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How the context is read.
    pub reader: Reader,
    /// Characters of context.
    pub context: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a feed-forward layer, dense or expert.
    pub d_ff: usize,
    /// Experts.
    pub experts: usize,
}

/// What decides about the experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// Dense at first, sparse later: the method, with these weights.
    Dts(GateWeights),
    /// One expert from the start, whose temperature falls: a Switch gate with a temperature, which
    /// the method must not be.
    AnnealedTop1,
    /// One expert from the start.
    Switch,
    /// One fixed expert for each character.
    Hash,
    /// One expert, in training all experts equally many.
    Base,
    /// One expert, learned first and then fixed for each character.
    Stable,
    /// The k best, for comparison across papers.
    TopK(usize),
    /// The k best of noisy logits, likewise.
    NoisyTopK(usize),
    /// At most two by trees, likewise; with a permutation that is learned early, if wanted.
    Comet {
        /// Whether there is one.
        search: bool,
    },
    /// At most two by binary codes, likewise.
    DSelectK,
    /// All experts alike, always: the control of the copies.
    Uniform,
}

/// Factor of the entropy of the gates that have one: of the range of COMET's own settings a value
/// that leaves them time to find experts before the paths harden.
const ENTROPY: f64 = 0.01;

/// When a gate does what, counted from its own first step.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Temperature of a dense-to-sparse gate.
    pub temperature: Schedule,
    /// First step at which a dense-to-sparse gate keeps one expert for each token.
    pub hard_from: usize,
    /// First step at which the routing of `StableMoE` is fixed.
    pub frozen_from: usize,
    /// Steps in which a permutation of the experts is learned.
    pub search_for: usize,
}

/// Experts and what decides about them.
#[derive(Module, Debug)]
pub struct Sparse {
    /// The experts.
    pub experts: MoeFfn,
    /// The gate.
    pub router: Router,
}

/// The last feed-forward layer.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per model, and modules cannot be boxed")]
pub enum Ffn {
    /// One network for every token.
    Dense(Mlp),
    /// Experts.
    Sparse(Sparse),
}

#[derive(Module, Debug)]
struct Window {
    embedding: Embedding,
    mix: Linear,
}

#[derive(Module, Debug)]
struct Transformer {
    embedding: Embedding,
    position: Embedding,
    norm1: LayerNorm,
    attention1: CausalSelfAttention,
    norm2: LayerNorm,
    ffn: Mlp,
    norm3: LayerNorm,
    attention2: CausalSelfAttention,
}

#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per training, and modules cannot be boxed")]
enum Trunk {
    Window(Window),
    Transformer(Transformer),
}

/// A language model over characters.
#[derive(Module, Debug)]
pub struct Model {
    trunk: Trunk,
    norm: LayerNorm,
    /// The layer that the arms differ in.
    pub ffn: Ffn,
    out_norm: LayerNorm,
    head: Linear,
}

impl Window {
    fn new(shape: &Shape, embedding: usize, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        Ok(Self {
            embedding: EmbeddingConfig::new(SYMBOLS, embedding).init(device, rng)?,
            mix: LinearConfig::new(shape.context * embedding, shape.d_model).init(device, rng)?,
        })
    }

    fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        self.mix.forward(self.embedding.forward(ids).flatten(1, 2))
    }
}

impl Transformer {
    fn new(shape: &Shape, heads: usize, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let d = shape.d_model;
        let small = Init::Normal { mean: 0.0, std: (d as f64).powf(-0.5) };
        let norm = || LayerNormConfig::new(d).init(device);
        let attention = CausalSelfAttentionConfig::new(d, heads);
        Ok(Self {
            embedding: EmbeddingConfig::new(SYMBOLS, d).with_init(small).init(device, rng)?,
            position: EmbeddingConfig::new(shape.context, d).with_init(small).init(device, rng)?,
            norm1: norm()?,
            attention1: attention.init(device, rng)?,
            norm2: norm()?,
            ffn: MlpConfig::new([d, shape.d_ff, d]).init(device, rng)?,
            norm3: norm()?,
            attention2: attention.init(device, rng)?,
        })
    }

    fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let x = self.embedding.forward(ids) + self.position.weight.val().unsqueeze();
        let x = x.clone() + self.attention1.forward(self.norm1.forward(x));
        let x = x.clone() + self.ffn.forward(self.norm2.forward(x));
        let x = x.clone() + self.attention2.forward(self.norm3.forward(x));
        x.flatten(0, 1)
    }
}

impl GateKind {
    /// A gate of that kind for a model of this shape.
    ///
    /// # Errors
    /// If the sizes or the temperature make no gate.
    pub fn init(
        self,
        shape: &Shape,
        timing: &Timing,
        device: &Device,
        rng: &mut Rng,
    ) -> NnResult<Router> {
        let (d, experts) = (shape.d_model, shape.experts);
        let dts = |hard_from, weights| {
            let config = DtsGateConfig::new(d, experts, timing.temperature.clone(), hard_from);
            config.with_weights(weights)
        };
        Ok(match self {
            Self::Dts(weights) => dts(timing.hard_from, weights).init(device, rng)?.into(),
            Self::AnnealedTop1 => dts(0, GateWeights::Gumbel).init(device, rng)?.into(),
            Self::Switch => SwitchGateConfig::new(d, experts).init(device, rng)?.into(),
            Self::Hash => HashGateConfig::new(SYMBOLS, experts).init(rng)?.into(),
            Self::Base => BaseGateConfig::new(d, experts).init(device, rng)?.into(),
            Self::Stable => {
                let config = StableGateConfig::new(d, SYMBOLS, experts, timing.frozen_from);
                config.init(device, rng)?.into()
            }
            Self::TopK(k) => TopKGateConfig::new(d, experts).with_k(k).init(device, rng)?.into(),
            Self::NoisyTopK(k) => {
                NoisyTopKGateConfig::new(d, experts).with_k(k).init(device, rng)?.into()
            }
            Self::Comet { search } => {
                let gate = CometGateConfig::new(d, experts).with_lambda(ENTROPY);
                let router = Router::from(gate.init(device, rng)?);
                if !search {
                    return Ok(router);
                }
                let search = LocalSearchConfig::new(experts, timing.search_for);
                router.with_search(search.init(device, rng)?)
            }
            Self::DSelectK => {
                let gate = DSelectKGateConfig::new(d, experts).with_lambda(ENTROPY);
                gate.init(device, rng)?.into()
            }
            Self::Uniform => Router::uniform(experts),
        })
    }
}

impl Sparse {
    /// Experts that were drawn at random, one by one.
    ///
    /// # Errors
    /// If the sizes make no experts.
    pub fn random(router: Router, shape: &Shape, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let experts = MoeFfnConfig::new(shape.d_model, shape.d_ff, shape.experts);
        Ok(Self { experts: experts.init(device, rng)?, router })
    }

    /// Experts that were spawned from a trained one.
    ///
    /// # Errors
    /// If `rho` is no share.
    pub fn spawned(
        router: Router,
        base: &Mlp,
        shape: &Shape,
        rho: f64,
        rng: &mut Rng,
    ) -> NnResult<Self> {
        let experts = MoeFfn::new(spawn_experts(base, shape.experts, rho, rng)?)?;
        Ok(Self { experts, router })
    }
}

impl Model {
    /// A model with one dense network in the last layer.
    ///
    /// # Errors
    /// If the sizes make no model.
    pub fn new(shape: &Shape, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let d = shape.d_model;
        let trunk = match shape.reader {
            Reader::Window { embedding } => {
                Trunk::Window(Window::new(shape, embedding, device, rng)?)
            }
            Reader::Transformer { heads } => {
                Trunk::Transformer(Transformer::new(shape, heads, device, rng)?)
            }
        };
        Ok(Self {
            trunk,
            norm: LayerNormConfig::new(d).init(device)?,
            out_norm: LayerNormConfig::new(d).init(device)?,
            head: LinearConfig::new(d, SYMBOLS).init(device, rng)?,
            ffn: Ffn::Dense(MlpConfig::new([d, shape.d_ff, d]).init(device, rng)?),
        })
    }

    /// Logits of the next character, `[tokens, symbols]`, and what the gate decided.
    pub fn forward(&self, batch: &Batch, pass: Pass<'_>) -> (Tensor<2>, Option<Routing>) {
        let x = match &self.trunk {
            Trunk::Window(trunk) => trunk.forward(batch.inputs.clone()),
            Trunk::Transformer(trunk) => trunk.forward(batch.inputs.clone()),
        };
        let inner = self.norm.forward(x.clone());
        let (y, routing) = match &self.ffn {
            Ffn::Dense(ffn) => (ffn.forward(inner), None),
            Ffn::Sparse(sparse) => {
                let tokens = Tokens { x: inner.clone(), symbols: &batch.symbols };
                let routing = sparse.router.forward(tokens, pass);
                (sparse.experts.forward(inner, &routing), Some(routing))
            }
        };
        (self.head.forward(self.out_norm.forward(x + y)), routing)
    }
}

impl Shape {
    /// Multiplications and additions of one expert for one token, forwards.
    pub fn expert_flops(&self) -> u64 {
        4 * (self.d_model * self.d_ff) as u64
    }

    /// Those of everything but the last feed-forward layer and its gate.
    pub fn trunk_flops(&self) -> u64 {
        let d = self.d_model;
        let reader = match self.reader {
            Reader::Window { embedding } => 2 * self.context * embedding * d,
            // Two attentions over the whole context and a dense feed-forward layer.
            Reader::Transformer { .. } => {
                2 * (8 * d * d + 4 * self.context * d) + 4 * d * self.d_ff
            }
        };
        (reader + 2 * d * SYMBOLS) as u64
    }
}

/// Result of making a layer.
pub type NnResult<T> = pressrun_nn::Result<T>;
