//! Learning to Route Among Specialized Experts for Zero-Shot Generalization (`PHATGOOSE`),
//! arXiv:2402.05859.
//!
//! Whoever has trained a low-rank expert for a frozen model trains a little longer, on the same
//! data, one vector in front of each change: a sigmoid gate that decides how much of a token enters
//! it. The vectors of many experts, collected later, are the keys of a router, and each token goes,
//! in each linear map, to the two experts whose keys agree best with it. Nobody's data are needed.
//!
//! # What we run, and what the paper ran
//! The paper: T5-XL (LM-adapted) with experts of rank 16 for the tasks of T0 and FLAN, tested on
//! language tasks that no expert has seen. We: a small Transformer over 16 patches of Fashion-MNIST
//! with one expert for each of six ways to corrupt a patch, tested on pictures in which corruptions
//! are mixed, stronger, or absent, so that the right expert of each patch is known. Full: two layers
//! of width 48, six experts, 3 seeds. Quick: one layer of width 32, three experts, one seed.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! Each expert and the multitask expert have the same grid of learning rates on the first seed,
//! decided by NLL on validation pictures of their own material. Routers have nothing to tune. Test
//! pictures are seen by the held-out tasks only, once for each arm.
//!
//! # Series
//! - `train/loss`: NLL of the batches; of an expert the mean since its last look
//! - `eval/nll`: NLL on the validation pictures of the expert's material
//! - `gate/loss`: NLL of the batch in the second phase

mod checks;
mod cost;
mod data;
mod evaluate;
mod model;
mod plan;
mod route;
#[cfg(test)]
mod tests;
mod train;

use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};

use data::{Corruption, Sizes};
use model::Shape;
use route::{Keys, Scope};

/// Name of the method's arm: two experts for each token in each map.
const PHATGOOSE: &str = "PHATGOOSE";
/// Name of the method's arm with one expert.
const TOP_1: &str = "PHATGOOSE, one expert";
/// Name of the ablation with one decision for each picture and map.
const PER_IMAGE: &str = "PHATGOOSE, one decision per image";
/// Name of the control: keys of random directions.
const RANDOM: &str = "Random gates";
/// Name of the base model's arm.
const BASE: &str = "Base model";
/// Name of the arm with the mean of all experts.
const MERGED: &str = "Merged experts";
/// Name of the arm whose keys are mean activations.
const AVERAGE: &str = "Average activation";
/// Name of the arm that asks the nearest stored example.
const RETRIEVAL: &str = "Retrieval";
/// Name of the bound: on each task the expert that is best on it.
const BEST_SINGLE: &str = "Best single expert (oracle)";
/// Name of the arm that has seen all corruptions.
const MULTITASK: &str = "Multitask LoRA";

const QUICK: &str = "Fashion-MNIST patches, 3 corruptions";
const FULL: &str = "Fashion-MNIST patches, 6 corruptions";

/// What an arm does with the experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Base,
    /// Adds the mean of all.
    Merged,
    /// Uses the one that was trained on the union instead.
    Multitask,
    /// Uses the best one of each task, found by the labels.
    BestSingle,
    /// Uses that of the nearest stored example.
    Nearest,
    /// Routes by keys; the number is that of experts for each decision.
    Keyed(Keys, Scope, usize),
}

/// An arm under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Name in the record.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data and model, as named in the record.
    pub setting: &'static str,
    /// Sizes of the encoder.
    pub shape: Shape,
    /// Numbers of pictures.
    pub sizes: Sizes,
    /// Corruptions, one expert each.
    pub pool: Vec<Corruption>,
    /// Corruptions of the left and the right half, by their position in the pool.
    pub pairs: Vec<(usize, usize)>,
    /// The arms, longest first.
    pub methods: Vec<Method>,
    /// Updates of the base model.
    pub base_steps: usize,
    /// Largest learning rate of the base model.
    pub base_lr: f64,
    /// Updates of an expert.
    pub expert_steps: usize,
    /// Updates of its gates.
    pub gate_steps: usize,
    /// Looks at the validation pictures while an expert is trained.
    pub looks: usize,
    /// Rank of an expert.
    pub rank: usize,
    /// Learning rates that are tried for each expert; with one there is no tuning.
    pub grid: Vec<f64>,
    /// Pictures of a batch.
    pub batch: usize,
    /// Pictures of a batch where nothing is trained.
    pub eval_batch: usize,
    /// Pictures over which an expert's activations are averaged.
    pub averaged: usize,
    /// Examples that retrieval keeps of each expert.
    pub stored: usize,
}

impl Config {
    /// All arms on three corruptions and a model of one layer.
    pub fn quick() -> Self {
        Self {
            setting: QUICK,
            shape: Shape { layers: 1, width: 32, heads: 4, ffn: 64 },
            sizes: Sizes { train: 1500, validation: 250, test: 500 },
            pool: Corruption::ALL[..3].to_vec(),
            pairs: vec![(0, 1)],
            base_steps: 400,
            expert_steps: 400,
            gate_steps: 40,
            looks: 8,
            grid: vec![2e-2],
            averaged: 256,
            ..Self::full()
        }
    }

    /// All arms on six corruptions.
    pub fn full() -> Self {
        Self {
            setting: FULL,
            shape: Shape { layers: 2, width: 48, heads: 4, ffn: 96 },
            sizes: Sizes { train: 4500, validation: 500, test: 1000 },
            pool: Corruption::ALL.to_vec(),
            pairs: (0..6).map(|a| (a, (a + 1) % 6)).collect(),
            methods: methods(),
            base_steps: 1400,
            base_lr: 3e-3,
            expert_steps: 1000,
            gate_steps: 100,
            looks: 10,
            rank: 4,
            grid: vec![5e-3, 2e-2, 5e-2],
            batch: 64,
            eval_batch: 250,
            averaged: 1024,
            stored: 256,
        }
    }
}

fn method(name: &'static str, kind: Kind) -> Method {
    Method { name, kind }
}

fn methods() -> Vec<Method> {
    let keyed = |keys, scope, k| Kind::Keyed(keys, scope, k);
    vec![
        method(BEST_SINGLE, Kind::BestSingle),
        method(PHATGOOSE, keyed(Keys::Gates, Scope::Token, 2)),
        method(AVERAGE, keyed(Keys::Means, Scope::Token, 2)),
        method(RANDOM, keyed(Keys::Random, Scope::Token, 2)),
        method(PER_IMAGE, keyed(Keys::Gates, Scope::Image, 2)),
        method(RETRIEVAL, Kind::Nearest),
        method(TOP_1, keyed(Keys::Gates, Scope::Token, 1)),
        method(MERGED, Kind::Merged),
        method(MULTITASK, Kind::Multitask),
        method(BASE, Kind::Base),
    ]
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(Phatgoose { quick: Config::quick(), full: Config::full() })
}

struct Phatgoose {
    quick: Config,
    full: Config,
}

impl Study for Phatgoose {
    fn series(&self) -> Vec<SeriesSpec> {
        let series = |name, meaning| SeriesSpec::new(name, "nats", "update", meaning);
        vec![
            series("train/loss", "negative log-likelihood of the batches"),
            series("eval/nll", "NLL on the validation pictures of the expert's material"),
            series("gate/loss", "negative log-likelihood of the batch in the second phase"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        let m = |name, better, meaning| MetricSpec::new(name, "", better, meaning);
        vec![
            m("test/mean", Higher, "mean of the accuracies on H1, H2 and H3"),
            m("test/h1", Higher, "accuracy with two corruptions, one for each half; mean of pairs"),
            m("test/h2", Higher, "accuracy with a corruption drawn for each patch"),
            m("test/h3", Higher, "accuracy with a corruption stronger than in the training"),
            m("test/h4", Higher, "accuracy on clean pictures"),
            m("validation/nll", Lower, "NLL on the validation pictures of the material"),
            m("validation/accuracy", Higher, "accuracy on the same"),
            m("validation/accuracy_base", Higher, "accuracy of the base model on the same"),
            m("routing/agreement", Higher, "H1: first choice is the patch's corruption, layer 1"),
            m("routing/above_chance", Higher, "the same, less one by the number of experts"),
            m("routing/agreement_changed", Higher, "the same, of patches that were changed"),
            m("routing/token_entropy", Neither, "H1: entropy of experts within a picture / ln Z"),
            m("routing/other_than_one", Neither, "H1: share of choices other than the commonest"),
            m("routing/experts", Lower, "experts for each token and map"),
            m("gate/norm", Neither, "mean norm of the gates' vectors"),
            m("gate/smallest_norm", Higher, "smallest norm of a gate's vector"),
            m("gate/cost_share", Lower, "multiplications of the second phase / of the first"),
            m("expert/parameters", Lower, "trained parameters of an expert"),
        ]
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        plan::run(run, config)
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let known = [&self.quick, &self.full];
        let of_run = |c: &&&Config| results.has(c.setting, PHATGOOSE, "test/mean");
        known.iter().find(of_run).map_or(Ok(()), |c| checks::check(c.setting, results, judge))
    }
}
