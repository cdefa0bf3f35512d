//! The rankers: one tower for items and queries, a user vector, and one network or many.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use pressrun_lab::Rng;
use pressrun_nn::Result as NnResult;
use pressrun_nn::activation::softmax;
use pressrun_nn::embedding::{Embedding, EmbeddingConfig};
use pressrun_nn::expert::{ExpertBank, ExpertBankConfig};
use pressrun_nn::gate::{AttentionWeightedGate, AttentionWeightedGateConfig};
use pressrun_nn::init::Init;
use pressrun_nn::mlp::{Mlp, MlpConfig};
use pressrun_nn::sequence::{ActivationUnit, ActivationUnitConfig, weighted_sum};

use super::data::{BRANDS, Batch, Items, MarketConfig, PRICES, QUALITY, symbols};

/// What a ranker does with the behaviours and with its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A weight for each expert, added up over the sequence: the method.
    Aw {
        /// Each behaviour has a vector of its own.
        gate_unit: bool,
        /// Each behaviour has a weight of its own.
        activation_unit: bool,
    },
    /// The method with a softmax over the experts, which it must not have.
    AwSoftmax,
    /// The method with weights over the sequence that do not grow with it, as those of a softmax
    /// would, which it must not have.
    AwMean,
    /// Experts under a softmax of the user vector.
    UserMoe,
    /// Experts under a softmax of the query alone.
    CategoryMoe,
    /// One network over a user vector of an activation unit.
    Din,
    /// One network over the plain sum of the behaviours.
    Dnn,
}

/// Sizes of a ranker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Width of an embedding.
    pub embedding: usize,
    /// Width of a projected item or query.
    pub width: usize,
    /// Hidden layer of the projection.
    pub projection: usize,
    /// Hidden layer of gate unit, activation units and gates.
    pub unit: usize,
    /// Hidden layers of an expert.
    pub expert: [usize; 2],
    /// Experts.
    pub experts: usize,
}

/// Items and queries as vectors.
#[derive(Module, Debug)]
pub struct Tower {
    id: Embedding,
    category: Embedding,
    price: Embedding,
    brand: Embedding,
    project: Mlp,
}

/// What decides about the experts.
#[derive(Module, Debug)]
pub enum Gate {
    /// Behaviours under the query.
    Sequence(AttentionWeightedGate),
    /// The same, then a softmax over the experts.
    SequenceSoftmax(AttentionWeightedGate),
    /// The same with the mean over the sequence instead of the sum.
    SequenceMean(AttentionWeightedGate),
    /// The user vector and the query.
    User(Mlp),
    /// The query.
    Query(Mlp),
}

/// Experts and their gate.
#[derive(Module, Debug)]
pub struct Mixture {
    /// The experts.
    pub experts: ExpertBank,
    /// The gate.
    pub gate: Gate,
}

/// What gives the logit.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per training, and modules cannot be boxed")]
pub enum Head {
    /// One network.
    One(Mlp),
    /// Several.
    Mixture(Mixture),
}

/// A ranker.
#[derive(Module, Debug)]
pub struct Ranker {
    tower: Tower,
    pool: Option<ActivationUnit>,
    /// The network or the experts.
    pub head: Head,
}

/// A batch after the tower.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Behaviours, `[sessions, places, width]`.
    pub behaviours: Tensor<3>,
    /// Candidates, `[rows, width]`.
    pub target: Tensor<2>,
    /// Queries, `[sessions, width]`.
    pub query: Tensor<2>,
}

impl Tower {
    fn new(shape: &Shape, market: &MarketConfig, device: &Device, rng: &mut Rng) -> NnResult<Self> {
        let d = shape.embedding;
        let small = Init::Normal { mean: 0.0, std: 0.1 };
        let mut table =
            |symbols| EmbeddingConfig::new(symbols, d).with_init(small).init(device, rng);
        Ok(Self {
            id: table(market.items)?,
            category: table(market.categories)?,
            price: table(PRICES)?,
            brand: table(BRANDS)?,
            project: MlpConfig::new([4 * d + QUALITY, shape.projection, shape.width])
                .init(device, rng)?,
        })
    }

    fn items(&self, of: &[usize], items: &Items, device: &Device) -> Tensor<2> {
        let rows = |table: &Embedding, field: &[usize]| {
            table.rows(symbols(of.iter().map(|&item| field[item]), device))
        };
        let quality: Vec<f32> = of.iter().flat_map(|&item| items.quality[item]).collect();
        let inputs = vec![
            self.id.rows(symbols(of.iter().copied(), device)),
            rows(&self.category, &items.category),
            rows(&self.price, &items.price),
            rows(&self.brand, &items.brand),
            Tensor::from_data(TensorData::new(quality, [of.len(), QUALITY]), device),
        ];
        self.project.forward(Tensor::cat(inputs, 1))
    }

    /// A query is an item of which the category alone is known.
    fn queries(&self, of: &[usize], device: &Device) -> Tensor<2> {
        let category = self.category.rows(symbols(of.iter().copied(), device));
        let [n, d] = category.dims();
        let unknown = |width| Tensor::<2>::zeros([n, width], device);
        let inputs = vec![unknown(d), category, unknown(2 * d + QUALITY)];
        self.project.forward(Tensor::cat(inputs, 1))
    }
}

impl Gate {
    fn new(kind: Kind, shape: &Shape, device: &Device, rng: &mut Rng) -> NnResult<Option<Self>> {
        let (h, k) = (shape.width, shape.experts);
        let mlp = |inputs, rng: &mut Rng| MlpConfig::new([inputs, shape.unit, k]).init(device, rng);
        let sequence = AttentionWeightedGateConfig::new(h, k).with_hidden([shape.unit]);
        Ok(Some(match kind {
            Kind::Aw { gate_unit, activation_unit } => {
                let gate = sequence.with_gate_unit(gate_unit);
                Self::Sequence(gate.with_activation_unit(activation_unit).init(device, rng)?)
            }
            Kind::AwSoftmax => Self::SequenceSoftmax(sequence.init(device, rng)?),
            Kind::AwMean => Self::SequenceMean(sequence.init(device, rng)?),
            Kind::UserMoe => Self::User(mlp(2 * h, rng)?),
            Kind::CategoryMoe => Self::Query(mlp(h, rng)?),
            Kind::Din | Kind::Dnn => return Ok(None),
        }))
    }

    /// Weights of the experts, `[sessions, experts]`, or `[rows, experts]` if they hang on the
    /// user vector, which hangs on the target.
    fn weights(&self, encoded: &Encoded, mask: Tensor<2>, user: &Tensor<2>) -> Tensor<2> {
        let (seq, query) = (encoded.behaviours.clone(), encoded.query.clone());
        match self {
            Self::Sequence(gate) => gate.forward(seq, query, mask).weights,
            Self::SequenceSoftmax(gate) => softmax(gate.forward(seq, query, mask).weights),
            Self::SequenceMean(gate) => {
                let mean = mask.clone() / mask.sum_dim(1).clamp_min(1.0);
                gate.forward(seq, query, mean).weights
            }
            Self::User(mlp) => {
                let query = each(query.clone(), user.dims()[0] / query.dims()[0]);
                softmax(mlp.forward(Tensor::cat(vec![user.clone(), query], 1)))
            }
            Self::Query(mlp) => softmax(mlp.forward(query)),
        }
    }
}

impl Ranker {
    /// A ranker of that kind, with about as many numbers as the method has.
    ///
    /// # Errors
    /// If the sizes make no ranker.
    pub fn new(
        kind: Kind,
        shape: &Shape,
        market: &MarketConfig,
        device: &Device,
        rng: &mut Rng,
    ) -> NnResult<Self> {
        let tower = Tower::new(shape, market, device, rng)?;
        let pool = match kind {
            Kind::Dnn => None,
            _ => Some(unit(shape).init(device, rng)?),
        };
        let z = shape.features();
        let head = match Gate::new(kind, shape, device, rng)? {
            Some(gate) => {
                let experts = ExpertBankConfig::new(z, shape.expert, shape.experts);
                Head::Mixture(Mixture { experts: experts.init(device, rng)?, gate })
            }
            None => {
                let w = shape.one_network(pool.is_some());
                Head::One(MlpConfig::new([z, w, w / 2, 1]).init(device, rng)?)
            }
        };
        Ok(Self { tower, pool, head })
    }

    /// Behaviours, candidates and queries as vectors.
    pub fn encode(&self, batch: &Batch, items: &Items) -> Encoded {
        let device = batch.clicks.device();
        let (s, m) = (batch.sessions(), batch.places);
        let all = self.tower.items(&batch.items, items, &device);
        let [rows, width] = all.dims();
        Encoded {
            behaviours: all.clone().slice_dim(0, 0..s * m).reshape([s, m, width]),
            target: all.slice_dim(0, s * m..rows),
            query: self.tower.queries(&batch.query, &device),
        }
    }

    /// The user vector of each row, `[rows, width]`.
    fn user(&self, encoded: &Encoded, mask: Tensor<2>) -> Tensor<2> {
        let [s, m, h] = encoded.behaviours.dims();
        let c = encoded.target.dims()[0] / s;
        let Some(pool) = &self.pool else {
            return each(weighted_sum(encoded.behaviours.clone(), mask), c);
        };
        let seq = encoded.behaviours.clone().unsqueeze_dim::<4>(1);
        let seq = seq.expand([s, c, m, h]).reshape([s * c, m, h]);
        let w = pool.weights(seq.clone(), encoded.target.clone(), each(mask, c));
        weighted_sum(seq, w)
    }

    /// The weights of the experts under a mask, if there are experts; for rankers whose weights
    /// hang on the target, one row for each candidate, else one for each session.
    pub fn weights(&self, encoded: &Encoded, mask: Tensor<2>) -> Option<Tensor<2>> {
        let Head::Mixture(Mixture { gate, .. }) = &self.head else { return None };
        let user = match gate {
            Gate::User(_) => self.user(encoded, mask.clone()),
            _ => encoded.target.clone(),
        };
        Some(gate.weights(encoded, mask, &user))
    }

    /// Logits of the candidates, `[rows]`, and the weights of the experts where there are any.
    /// Experts and gate read the whole sequence.
    pub fn forward(&self, batch: &Batch, encoded: &Encoded) -> (Tensor<1>, Option<Tensor<2>>) {
        let (c, mask) = (batch.candidates(), batch.numbers(&batch.mask));
        let (target, user) = (encoded.target.clone(), self.user(encoded, mask.clone()));
        let query = each(encoded.query.clone(), c);
        let length = each(batch.length.clone(), c);
        let product = user.clone() * target.clone();
        let z = Tensor::cat(vec![user.clone(), target, query, length, product], 1);
        match &self.head {
            Head::One(network) => (network.forward(z).squeeze_dim(1), None),
            Head::Mixture(Mixture { experts, gate }) => {
                let s = experts.forward(z);
                let g = gate.weights(encoded, mask, &user);
                let of_row = each(g.clone(), s.dims()[0] / g.dims()[0]);
                (mixed(of_row, s), Some(g))
            }
        }
    }

    /// Numbers outside of the tables of embeddings, which all rankers have alike.
    pub fn network_parameters(&self) -> usize {
        let Tower { id, category, price, brand, .. } = &self.tower;
        let tables = [id, category, price, brand].map(Module::num_params);
        self.num_params() - tables.iter().sum::<usize>()
    }
}

/// The logit of each row: the sum over the experts of weight times logit, both `[rows, experts]`.
pub fn mixed(g: Tensor<2>, s: Tensor<2>) -> Tensor<1> {
    (g * s).sum_dim(1).squeeze_dim(1)
}

/// Each row `times` times, one after the other.
fn each(x: Tensor<2>, times: usize) -> Tensor<2> {
    let [rows, width] = x.dims();
    x.unsqueeze_dim::<3>(1).expand([rows, times, width]).reshape([rows * times, width])
}

fn unit(shape: &Shape) -> ActivationUnitConfig {
    ActivationUnitConfig::new(shape.width).with_hidden([shape.unit])
}

impl Shape {
    /// Inputs of an expert: user, target, query, length, user * target.
    fn features(&self) -> usize {
        4 * self.width + 1
    }

    /// First hidden layer of the one network that has as many numbers as experts and gate of the
    /// method, and its user vector's unit if it has none itself.
    fn one_network(&self, has_unit: bool) -> usize {
        let (h, k, u) = (self.width, self.experts, self.unit);
        let unit = count(&[4 * h, u, 1]);
        let experts = k * count(&[self.features(), self.expert[0], self.expert[1], 1]);
        let gate = count(&[2 * h, u, k]) + unit + k;
        let wanted = experts + gate + if has_unit { 0 } else { unit };
        let of = |w: usize| count(&[self.features(), w, w / 2, 1]);
        (2..).find(|&w| of(w) >= wanted).unwrap_or(2)
    }
}

/// Numbers of affine layers between these sizes.
fn count(sizes: &[usize]) -> usize {
    sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
}
