//! Experts of many contributors behind one router, without any further training.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use pressrun_lab::{Result, Rng};
use pressrun_nn::gate::{Chosen, KeyGateConfig, Routing, statistics};
use pressrun_nn::linear::Linear;
use pressrun_nn::lora::{MixedLoraLinear, merge};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::data::PATCHES;
use super::model::{Encoder, Maps, Plain};
use super::train::{Contribution, failed};

/// What the experts are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// The gates that were trained in the second phase.
    Gates,
    /// Mean activations of the experts' own pictures.
    Means,
    /// Random directions as long as the gates: the control.
    Random,
}

/// For what one decision is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For each patch in each map.
    Token,
    /// For all patches of a picture in each map, by their mean activation.
    Image,
}

/// Who decides.
#[derive(Debug)]
enum Router {
    /// Each map by its keys.
    Keys(Scope),
    /// The stored example nearest to the picture, for all maps; `stored` for each expert.
    Nearest { examples: Box<Tensor<2>>, stored: usize },
}

/// The encoder with all experts.
#[derive(Debug)]
pub struct Mixture<'a> {
    encoder: &'a Encoder,
    layers: Vec<MixedLoraLinear>,
    router: Router,
    /// The routing of the whole picture, where there is one.
    whole: Option<Routing>,
    /// First choice of each patch in each map, over all batches.
    pub choices: Vec<Vec<usize>>,
    /// Expert evaluations so far.
    pub evaluations: u64,
}

impl<'a> Mixture<'a> {
    /// Routing by keys with `k` experts for each decision.
    ///
    /// # Errors
    /// If k is above the number of experts.
    pub fn keyed(
        encoder: &'a Encoder,
        pool: &[Contribution],
        (keys, scope, k): (Keys, Scope, usize),
        rng: &mut Rng,
    ) -> Result<Self> {
        let keys_of = |at: usize, rng: &mut Rng| -> Tensor<2> {
            let rows = pool.iter().map(|member| match keys {
                Keys::Gates => member.gates[at].clone(),
                Keys::Means => member.means[at].clone(),
                Keys::Random => random_like(&member.gates[at], rng),
            });
            Tensor::stack(rows.collect(), 0)
        };
        let keys = (0..encoder.maps().count()).map(|at| keys_of(at, rng)).collect();
        Self::new(encoder, pool, keys, k, Router::Keys(scope))
    }

    /// The expert of the nearest example for all patches of a picture, in all maps.
    ///
    /// # Errors
    /// If there are no experts.
    pub fn nearest(encoder: &'a Encoder, pool: &[Contribution]) -> Result<Self> {
        let stored = pool.iter().map(|member| member.examples.dims()[0]).min().unwrap_or(0);
        let examples = pool.iter().map(|member| unit(member.examples.clone().narrow(0, 0, stored)));
        let examples = Box::new(Tensor::cat(examples.collect(), 0));
        // The keys are not read: the examples decide.
        let keys = (0..encoder.maps().count()).map(|at| {
            Tensor::stack(pool.iter().map(|member| member.gates[at].clone()).collect(), 0)
        });
        Self::new(encoder, pool, keys.collect(), 1, Router::Nearest { examples, stored })
    }

    fn new(
        encoder: &'a Encoder,
        pool: &[Contribution],
        keys: Vec<Tensor<2>>,
        k: usize,
        router: Router,
    ) -> Result<Self> {
        let layer = |(at, (base, keys)): (usize, (&Linear, Tensor<2>))| {
            let experts = pool.iter().map(|member| member.expert.layers[at].lora.clone());
            let gate = KeyGateConfig::new(k).init(keys).map_err(failed)?;
            MixedLoraLinear::new(base, experts.collect(), gate).map_err(failed)
        };
        let layers: Vec<_> =
            encoder.maps().zip(keys).enumerate().map(layer).collect::<Result<_>>()?;
        let layers = layers.valid();
        let choices = vec![Vec::new(); layers.len()];
        Ok(Self { encoder, layers, router, whole: None, choices, evaluations: 0 })
    }
}

impl Maps for Mixture<'_> {
    fn begin(&mut self, x: &Tensor<3>) {
        if let Router::Nearest { examples, stored } = &self.router {
            let mut base = Plain::of(self.encoder);
            let features = unit(self.encoder.features(x.clone(), &mut base));
            let near = features.matmul(examples.as_ref().clone().transpose());
            let experts = examples.dims()[0] / stored;
            let nearest = near.argmax(1).try_into_vec_as::<i64>().expect("integers");
            let owner = nearest.into_iter().flat_map(|at| [at as usize / stored; PATCHES]);
            let chosen = Chosen::one_hot(&owner.collect::<Vec<_>>(), experts);
            let weights = chosen.tensor(&x.device());
            self.whole = Some(Routing::new(weights, chosen));
        }
    }

    fn apply(&mut self, at: usize, u: Tensor<2>) -> Tensor<2> {
        let layer = &self.layers[at];
        let routing = match (&self.router, &self.whole) {
            (Router::Keys(Scope::Token), _) => layer.gate.forward(u.clone()),
            (Router::Nearest { .. }, Some(whole)) => whole.clone(),
            _ => {
                let [tokens, inputs] = u.dims();
                let images = u.clone().reshape([tokens / PATCHES, PATCHES, inputs]);
                for_all_patches(&layer.gate.forward(images.mean_dim(1).squeeze_dim(1)))
            }
        };
        self.choices[at].extend(statistics::first_choices(&routing));
        self.evaluations += routing.chosen.evaluations();
        layer.forward_routed(u, &routing)
    }
}

/// The decision about each picture as one about each of its patches.
fn for_all_patches(routing: &Routing) -> Routing {
    let [images, experts] = routing.weights.dims();
    let weights = routing.weights.clone().reshape([images, 1, experts]).repeat_dim(1, PATCHES);
    let rows = (0..images * PATCHES)
        .flat_map(|token| (0..experts).map(move |e| routing.chosen.get(token / PATCHES, e)));
    let chosen = Chosen::new(rows.collect(), experts);
    Routing::new(weights.reshape([images * PATCHES, experts]), chosen)
}

/// The maps of an encoder with the mean of all experts added.
///
/// # Errors
/// If there are no experts.
pub fn merged(encoder: &Encoder, pool: &[Contribution]) -> Result<Plain> {
    let map = |(at, base): (usize, &Linear)| {
        let delta = merge(pool.iter().map(|member| &member.expert.layers[at].lora));
        let delta = delta.map_err(failed)?;
        let weight = base.weight.clone().map(|weight| weight + delta);
        Ok(Linear { weight, bias: base.bias.clone() })
    };
    encoder.maps().enumerate().map(map).collect::<Result<_>>().map(Plain)
}

/// Norm of a vector.
pub fn norm(v: &Tensor<1>) -> f64 {
    f64::from(v.clone().square().sum().sqrt().into_scalar::<f32>())
}

/// A vector of the same norm in a random direction.
pub fn random_like(v: &Tensor<1>, rng: &mut Rng) -> Tensor<1> {
    let values: Vec<f32> = (0..v.dims()[0]).map(|_| rng.sample(StandardNormal)).collect();
    let size = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    let random = from_host(values, &v.device());
    random * (norm(v) / f64::from(size))
}

fn from_host(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// Rows of length 1.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let size = x.clone().square().sum_dim(1).sqrt() + 1e-12;
    x / size
}
