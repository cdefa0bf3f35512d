//! Multi-gate mixtures: shared experts, and for each task a gate and a head.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use pressrun_lab::Rng;
use pressrun_nn::activation::Activation;
use pressrun_nn::embedding::{Embedding, EmbeddingConfig};
use pressrun_nn::expert::dispatch;
use pressrun_nn::gate::{
    CometGateConfig, DSelectKGateConfig, HashGateConfig, LocalSearchConfig, Pass, Router, Routing,
    Tokens, TopKGateConfig,
};
use pressrun_nn::init::Init;
use pressrun_nn::linear::{Linear, LinearConfig};
use pressrun_nn::mlp::{Mlp, MlpConfig};

use super::data::{Batch, Data, FACTORS, Source};

/// What decides about the experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// A fixed expert for each user, or picture.
    Hash,
    /// The k best logits.
    TopK,
    /// k binary selectors.
    DSelectK,
    /// k trees: the method.
    Comet,
}

/// What a trial draws; every gate is given the same numbers, and uses those that it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Learning rate.
    pub lr: f64,
    /// Width of the smooth step.
    pub gamma: f64,
    /// Factor of the entropy.
    pub lambda: f64,
    /// Epochs in which the permutation is learned.
    pub search_epochs: usize,
}

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Width of a user's and of an item's embedding.
    pub embedding: usize,
    /// Width of an expert, and of a head's hidden layer.
    pub width: usize,
    /// Experts.
    pub experts: usize,
    /// Experts of a row, at most, in the end.
    pub k: usize,
}

#[derive(Module, Debug)]
struct Tables {
    users: Embedding,
    items: Embedding,
}

/// A gate and what is made of the mixture.
#[derive(Module, Debug)]
pub struct Task {
    /// The gate.
    pub router: Router,
    head: Mlp,
}

/// The model.
#[derive(Module, Debug)]
pub struct Model {
    /// Absent where a batch is pixels.
    tables: Option<Tables>,
    /// One layer each, with ReLU.
    pub experts: Vec<Linear>,
    /// Watched and rating, or the class.
    pub tasks: Vec<Task>,
}

impl Model {
    /// A model for this data; gates are drawn from another stream than the rest, so that the arms
    /// of a trial share everything else.
    ///
    /// # Errors
    /// If a size or a setting makes no layer.
    pub fn new(
        data: &Data,
        source: Source,
        shape: &Shape,
        (kind, search_steps): (GateKind, Option<usize>),
        setting: &Setting,
        device: &Device,
        (rng, gate_rng): (&mut Rng, &mut Rng),
    ) -> pressrun_nn::Result<Self> {
        let (tables, inputs, heads) = match source {
            Source::Ratings => {
                let draw = Init::Normal { mean: 0.0, std: 0.3 };
                let mut table = |count| {
                    EmbeddingConfig::new(count, shape.embedding).with_init(draw).init(device, rng)
                };
                let (users, items) = (table(data.widths.0)?, table(data.widths.1)?);
                let head = vec![shape.width, shape.width, 1];
                (
                    Some(Tables { users, items }),
                    2 * (shape.embedding + FACTORS),
                    vec![head.clone(), head],
                )
            }
            Source::Pictures => (None, data.widths.0, vec![vec![shape.width, 10]]),
        };
        let expert = LinearConfig::new(inputs, shape.width);
        let experts = (0..shape.experts).map(|_| expert.init(device, rng));
        let experts = experts.collect::<pressrun_nn::Result<_>>()?;
        let mut tasks = Vec::new();
        for sizes in heads {
            let head = MlpConfig::new(sizes).init(device, rng)?;
            let router = kind.init(inputs, data.symbols, shape, setting, device, gate_rng)?;
            let router = match search_steps {
                Some(steps) => {
                    let search = LocalSearchConfig::new(shape.experts, steps);
                    router.with_search(search.init(device, gate_rng)?)
                }
                None => router,
            };
            tasks.push(Task { router, head });
        }
        Ok(Self { tables, experts, tasks })
    }

    /// What the gates and the experts see, `[rows, inputs]`.
    pub fn features(&self, batch: &Batch) -> Tensor<2> {
        match (&self.tables, batch) {
            (Some(Tables { users, items }), Batch::Pairs(user, item, z)) => {
                let (user, item) = (users.rows(user.clone()), items.rows(item.clone()));
                Tensor::cat(vec![user, item, z.clone()], 1)
            }
            (None, Batch::Pixels(pixels)) => pixels.clone(),
            _ => panic!("Model: a batch of the other data set"),
        }
    }

    /// The output of each task, and what its gate decided: in training step `step` if there is a
    /// source of noise, else as the model stands after it.
    pub fn forward(
        &self,
        x: &Tensor<2>,
        symbols: &[u32],
        step: usize,
        mut rng: Option<&mut Rng>,
    ) -> Vec<(Tensor<2>, Routing)> {
        let mut outputs = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let pass = match &mut rng {
                Some(rng) => Pass::Train { step, rng: &mut **rng },
                None => Pass::Infer { step },
            };
            let routing = task.router.forward(Tokens { x: x.clone(), symbols }, pass);
            outputs.push((task.head.forward(self.mix(x, &routing)), routing));
        }
        outputs
    }

    fn mix(&self, x: &Tensor<2>, routing: &Routing) -> Tensor<2> {
        dispatch(x.clone(), routing, |expert, rows| {
            self.experts[expert].forward_activated(rows, Activation::Relu)
        })
    }
}

impl GateKind {
    fn init(
        self,
        inputs: usize,
        symbols: usize,
        shape: &Shape,
        setting: &Setting,
        device: &Device,
        rng: &mut Rng,
    ) -> pressrun_nn::Result<Router> {
        let Shape { experts, k, .. } = *shape;
        let (gamma, lambda) = (setting.gamma, setting.lambda);
        Ok(match self {
            Self::Hash => HashGateConfig::new(symbols, experts).init(rng)?.into(),
            Self::TopK => {
                let config = TopKGateConfig::new(inputs, experts).with_k(k).with_bias(true);
                config.init(device, rng)?.into()
            }
            Self::DSelectK => {
                let config = DSelectKGateConfig::new(inputs, experts).with_k(k);
                config.with_gamma(gamma).with_lambda(lambda).init(device, rng)?.into()
            }
            Self::Comet => {
                let config = CometGateConfig::new(inputs, experts).with_k(k);
                config.with_gamma(gamma).with_lambda(lambda).init(device, rng)?.into()
            }
        })
    }
}
