//! An Evolutional Mixture-of-Experts Training Framework via Dense-To-Sparse Gate (`EvoMoE`),
//! arXiv:2112.14397.
//!
//! One ordinary feed-forward expert is trained first and then copied, each copy with another random
//! part of its weights masked. A gate begins by sending every token to every expert, weighted by a
//! Gumbel-softmax, and lets experts go, token by token, as its temperature falls. What is left is a
//! mixture of experts in which each token sees one.
//!
//! # What we run, and what the paper ran
//! The paper: `RoBERTa` (masked language model), GPT (language model) and a Transformer for
//! translation, on many GPUs. We: language models over the characters of this site's abstracts.
//! Full: two Transformer layers of width 64 with 8 experts in the second, 1,200 updates of 1,024
//! characters, 3 seeds. Quick: one layer over a window of 8 characters with 4 experts, 300 updates.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! Each arm has the same grid of learning rates on the first seed with a third of the updates,
//! decided by validation NLL. The test text is read once, at the end of a training.
//!
//! # Series
//! - `train/loss`: NLL of the batch, balance loss left out
//! - `eval/nll`: validation NLL of the model as it is being trained at that update
//! - `eval/nll_sparse`: the same with one expert for each token
//! - `gate/active_experts`: mean over the batch of the number of experts that a token sees
//! - `gate/active_spread`: its standard deviation over the tokens; 0 for any fixed number

pub(crate) mod data;
pub(crate) mod model;
pub(crate) mod plan;
#[cfg(test)]
mod tests;
mod train;

use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};

use pressrun_nn::gate::GateWeights;

use data::Text;
use model::{GateKind, Reader, Shape};

/// Name of the method's arm.
const EVOMOE: &str = "EvoMoE";
/// Name of the ablation that multiplies by the plain softmax, the default of the authors' code.
const PLAIN: &str = "EvoMoE, plain softmax weights";
/// Name of the arm without experts.
const DENSE: &str = "Dense";
/// Name of the arm with one learned expert for each token from the start.
const SWITCH: &str = "Switch";
/// Name of the arm with one fixed expert for each character.
const HASH: &str = "Hash";
/// Name of the arm with one learned expert for each token, all experts equally many in training.
const BASE: &str = "BASE";
/// Name of the arm with one expert for each character, learned first and then fixed.
const STABLE: &str = "StableMoE";
/// Name of the arm with the first phase of the method and the gate of Switch.
const DIVERSIFY: &str = "Diversify + Switch";
/// Name of the arm with the gate of the method and experts that were never trained before.
const RANDOM: &str = "Random experts + DTS";
/// Name of the control: copies that are not masked, under a gate that treats all alike.
const COPIES: &str = "Copies, not masked";

const QUICK: &str = "abstracts, window of 8";
const FULL: &str = "abstracts, Transformer";

/// Where the experts come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Experts {
    /// There is one, for all tokens.
    One,
    /// Drawn at random at the start.
    Random,
    /// Copied from one that was trained first, a share `rho` of the weights of each masked.
    Mature {
        /// Share of weights that is set to zero.
        rho: f64,
    },
}

/// A method: experts and a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Where the experts come from.
    pub experts: Experts,
    /// What decides about them.
    pub gate: GateKind,
}

/// An arm: a method under its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Method {
    /// Name in the record.
    pub name: &'static str,
    /// The method.
    pub recipe: Recipe,
    /// Seeds that it is trained with less than the others.
    pub fewer_seeds: usize,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data and model, as named in the record.
    pub setting: &'static str,
    /// The arms, longest first.
    pub methods: Vec<Method>,
    /// Sizes of the model.
    pub shape: Shape,
    /// Windows of a batch.
    pub batch: usize,
    /// Updates of a training.
    pub steps: usize,
    /// Learning rates that are tried for each arm; with one there is no tuning.
    pub grid: Vec<f64>,
    /// Updates of a training of the grid.
    pub tuning_steps: usize,
    /// Updates of the control of the copies; 0 leaves it out.
    pub control_steps: usize,
    /// Share of the updates with one expert, before the copies.
    pub mature: f64,
    /// Share of the updates in which the temperature falls; in the rest a token has one expert.
    pub anneal: f64,
    /// Temperature at the start.
    pub t_max: f64,
    /// Temperature at the end.
    pub t_min: f64,
    /// Factor of the balance loss, the same for each gate that has one but `StableMoE`.
    pub balance: f64,
    /// Factor of the balance loss of `StableMoE`, another quantity.
    pub stable_balance: f64,
    /// Share of the updates after which the routing of `StableMoE` is fixed.
    pub stable: f64,
    /// Decoupled weight decay.
    pub decay: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Updates between two looks at the validation text.
    pub eval_every: usize,
    /// Characters of the validation text that are predicted at each look.
    pub eval_characters: usize,
}

impl Config {
    /// Three arms of a small model.
    pub fn quick() -> Self {
        let shape = Shape {
            reader: Reader::Window { embedding: 16 },
            context: 8,
            d_model: 128,
            d_ff: 128,
            experts: 4,
        };
        Self {
            setting: QUICK,
            methods: vec![evomoe(), method(SWITCH, Experts::Random, GateKind::Switch), dense()],
            shape,
            batch: 512,
            steps: 300,
            tuning_steps: 150,
            control_steps: 0,
            eval_every: 20,
            eval_characters: 1024,
            ..Self::full()
        }
    }

    /// All arms, tuned alike.
    pub fn full() -> Self {
        let mature = Experts::Mature { rho: RHO };
        let gumbel = GateKind::Dts(GateWeights::Gumbel);
        let ablation = |method: Method| Method { fewer_seeds: 1, ..method };
        Self {
            setting: FULL,
            methods: vec![
                evomoe(),
                ablation(method(RANDOM, Experts::Random, gumbel)),
                ablation(method(PLAIN, mature, GateKind::Dts(GateWeights::Softmax))),
                method(SWITCH, Experts::Random, GateKind::Switch),
                method(HASH, Experts::Random, GateKind::Hash),
                method(BASE, Experts::Random, GateKind::Base),
                method(STABLE, Experts::Random, GateKind::Stable),
                ablation(method(DIVERSIFY, mature, GateKind::Switch)),
                dense(),
            ],
            shape: Shape {
                reader: Reader::Transformer { heads: 4 },
                context: 64,
                d_model: 64,
                d_ff: 128,
                experts: 8,
            },
            batch: 16,
            steps: 1200,
            grid: vec![4e-3, 8e-3, 1.6e-2],
            tuning_steps: 400,
            control_steps: 60,
            mature: 0.25,
            anneal: 0.5,
            t_max: 2.0,
            t_min: 0.3,
            balance: 0.01,
            stable_balance: 0.3,
            stable: 0.1,
            decay: 0.1,
            clip: 5.0,
            eval_every: 40,
            eval_characters: 2048,
        }
    }
}

/// Share of weights that is masked in each copy.
const RHO: f64 = 0.3;

/// An arm with this name, experts and gate.
pub(crate) fn method(name: &'static str, experts: Experts, gate: GateKind) -> Method {
    Method { name, recipe: Recipe { experts, gate }, fewer_seeds: 0 }
}

fn evomoe() -> Method {
    method(EVOMOE, Experts::Mature { rho: RHO }, GateKind::Dts(GateWeights::Gumbel))
}

fn dense() -> Method {
    method(DENSE, Experts::One, GateKind::Uniform)
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(EvoMoe { quick: Config::quick(), full: Config::full() })
}

struct EvoMoe {
    quick: Config,
    full: Config,
}

impl Study for EvoMoe {
    fn series(&self) -> Vec<SeriesSpec> {
        series()
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        metrics()
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        let text = Text::new(&crate::abstracts()?)?;
        run.data(text.data_use());
        let rates = plan::tune(run, config, &text)?;
        let curves = plan::arms(run, config, &text, &rates)?;
        plan::speeds(run, config, &curves);
        plan::control(run, config, &text)
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let known = [&self.quick, &self.full];
        let of_run = |c: &&&Config| results.has(c.setting, EVOMOE, "test/nll");
        let Some(config) = known.iter().find(of_run) else { return Ok(()) };
        let stat = |method: &str, metric: &str| results.stat(config.setting, method, metric);
        let has = |method: &str| results.has(config.setting, method, "test/nll");

        // C1: better than each baseline with one expert for each token.
        let evomoe = stat(EVOMOE, "test/nll")?;
        for (baseline, check, close) in [
            (SWITCH, "switch", "switch-close"),
            (HASH, "hash", "hash-close"),
            (BASE, "base", "base-close"),
            (STABLE, "stable", "stable-close"),
        ] {
            if has(baseline) {
                let against = (baseline, stat(baseline, "test/nll")?);
                judge.compare("C1", check, (EVOMOE, evomoe), against)?;
                judge.compare("C1", close, (EVOMOE, evomoe), against)?;
            }
        }

        // C2: mature experts under the same gate; copies that are not masked stay equal.
        let switch = (SWITCH, stat(SWITCH, "test/nll")?);
        if has(DIVERSIFY) {
            let mature = (DIVERSIFY, stat(DIVERSIFY, "test/nll")?);
            judge.compare("C2", "handicap", mature, switch)?;
            judge.compare("C2", "handicap-sign", mature, switch)?;
            judge.limit("C2", "masked", (DIVERSIFY, stat(DIVERSIFY, "expert/cosine")?))?;
        }
        if has(COPIES) {
            judge.limit("C2", "not-masked", (COPIES, stat(COPIES, "expert/cosine")?))?;
        }

        // C3: dense at first, fewer and fewer, one in the end, each token for itself.
        for (check, metric) in [
            ("starts-dense", "gate/active_start"),
            ("falls", "gate/largest_rise"),
            ("thins-out", "gate/active_thinned"),
            ("ends-sparse", "gate/active_end"),
            ("adaptive", "gate/spread_halfway"),
        ] {
            judge.limit("C3", check, (EVOMOE, stat(EVOMOE, metric)?))?;
        }
        if has(RANDOM) {
            judge.compare("C3", "better", (RANDOM, stat(RANDOM, "test/nll")?), switch)?;
        }

        // C4: how soon Switch's final validation NLL is reached.
        for (check, metric) in [
            ("updates-partly", "speed/updates"),
            ("updates", "speed/updates"),
            ("flops", "speed/flops"),
            ("updates-sparse", "speed/updates_sparse"),
        ] {
            judge.limit("C4", check, (EVOMOE, stat(EVOMOE, metric)?))?;
        }
        Ok(())
    }
}

/// What a language model with a gate reports while it trains.
pub(crate) fn series() -> Vec<SeriesSpec> {
    let series = |name, unit, meaning| SeriesSpec::new(name, unit, "update", meaning);
    vec![
        series("train/loss", "nats", "negative log-likelihood per character of the batch"),
        series("eval/nll", "nats", "validation NLL per character, as trained at that update"),
        series("eval/nll_sparse", "nats", "validation NLL with one expert for each token"),
        series("gate/active_experts", "", "mean number of experts that a token sees"),
        series("gate/active_spread", "", "its standard deviation over the tokens"),
    ]
}

/// What is reported of it in the end.
pub(crate) fn metrics() -> Vec<MetricSpec> {
    use Better::{Higher, Lower, Neither};
    let m = MetricSpec::new;
    vec![
        m("test/nll", "nats", Lower, "test NLL per character with one expert for each token"),
        m("test/nll_mixture", "nats", Lower, "test NLL with all experts above the threshold"),
        m("validation/nll", "nats", Lower, "validation NLL at the end, one expert"),
        m("test/active", "", Neither, "mean number of experts of a test token"),
        m("train/expert_evaluations", "million", Lower, "expert evaluations of the training"),
        m(
            "speed/updates",
            "",
            Higher,
            "updates to Switch's last validation NLL: Switch's / own; 0: never",
        ),
        m("speed/updates_sparse", "", Higher, "the same with one expert for each token; 0: never"),
        m("speed/flops", "", Higher, "FLOPs to that NLL: Switch's / own; 0: never"),
        m("gate/mean_active", "", Neither, "mean number of experts of a token, all updates"),
        m("gate/active_start", "", Neither, "share of active experts, first update of the gate"),
        m("gate/active_thinned", "", Neither, "the same, last tenth of the annealing"),
        m("gate/active_end", "", Neither, "experts of a token in the last update"),
        m("gate/largest_rise", "", Lower, "largest rise between tenths of the annealing"),
        m("gate/spread_halfway", "", Neither, "deviation of experts per token, half-way"),
        m("gate/load_entropy", "", Higher, "entropy of the experts' load on the test text / ln E"),
        m("expert/cosine", "", Neither, "mean cosine between the weights of two experts"),
    ]
}
