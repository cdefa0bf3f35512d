//! Attention Weighted Mixture of Experts with Contrastive Learning for Personalized Ranking in
//! E-commerce (`AW-MoE`), arXiv:2306.05011.
//!
//! Every user gets a mixture of experts of their own: each behaviour of the user's sequence emits a
//! vector of weights for the experts and a weight of its own, and their sum over the sequence is
//! what the experts' logits are multiplied by. The sequence is also what the experts read. For users
//! with few behaviours the sequence is masked at random, and a contrastive loss pulls the gate of
//! the masked sequence towards that of the whole one.
//!
//! # What we run, and what the paper ran
//! The paper: JD's search log and a public (Amazon) set. We: planted search sessions of users in
//! latent groups, each with its own interactions of features (see `data.rs`). Full: 3,000 users, six
//! experts, eight rankers of equal size, and a control market with one group; 3 seeds. Quick: a
//! smaller market, four experts, DIN against the method with and without the contrastive loss.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! Each arm has four candidates on the first seed, decided by the AUC within the validation
//! sessions: four learning rates, or four factors of the contrastive loss at the learning rate that
//! was chosen for `AW-MoE`. Each training keeps its best epoch by the same number. The test sessions
//! are read once, at its end.
//!
//! # Series
//! - `train/loss`: cross-entropy of the clicks, mean over the epoch
//! - `train/contrastive`: contrastive loss, mean over the epoch, before its factor
//! - `valid/session_auc`: AUC within a validation session after the epoch

mod checks;
mod data;
mod gates;
mod model;
mod plan;
#[cfg(test)]
mod tests;
mod train;

use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};

use data::MarketConfig;
use model::{Kind, Shape};

/// Name of the method's arm without contrastive loss.
const AW: &str = "AW-MoE";
/// Name of the method's arm with it.
const CL: &str = "AW-MoE & CL";
/// Name of the arm with one network over the sum of the behaviours.
const DNN: &str = "DNN";
/// Name of the arm with one network over an activation unit.
const DIN: &str = "DIN";
/// Name of the arm with experts under a softmax of the user vector.
const USER: &str = "MoE, user vector";
/// Name of the arm with experts under a softmax of the query.
const CATEGORY: &str = "MoE, category";
/// Name of the ablation of the gate unit.
const NO_GATE_UNIT: &str = "AW-MoE, no gate unit";
/// Name of the ablation of the activation unit.
const NO_ACTIVATION_UNIT: &str = "AW-MoE, no activation unit";
/// Name of the reference that knows the truth.
const BAYES: &str = "Bayes: true utility";

const QUICK: &str = "six groups, small market";
const FULL: &str = "six groups";
const CONTROL: &str = "one group";

/// Names of the slices of the test sessions.
const SLICES: [&str; 3] = ["all", "head", "tail"];
/// Names of the metrics of each slice.
const METRICS: [&str; 3] = ["auc", "session_auc", "ndcg"];

/// An arm: a ranker under its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Method {
    /// Name in the record.
    pub name: &'static str,
    /// The ranker.
    pub kind: Kind,
    /// Whether the contrastive loss is added.
    pub contrastive: bool,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Market and size, as named in the record.
    pub setting: &'static str,
    /// The arms, longest first.
    pub methods: Vec<Method>,
    /// Arms of the control market with one group; none leaves it out.
    pub control: Vec<Method>,
    /// The market.
    pub market: MarketConfig,
    /// Sizes of a ranker.
    pub shape: Shape,
    /// Sessions of a batch.
    pub batch: usize,
    /// Epochs of a training, of which the best is kept.
    pub epochs: usize,
    /// Learning rates of the grid; with one there is no tuning.
    pub lr: Vec<f64>,
    /// Factors of the contrastive loss of the grid; with one there is no tuning.
    pub lambda: Vec<f64>,
    /// Probability with which a behaviour is masked.
    pub masked: f64,
    /// Temperature of the contrastive loss.
    pub temperature: f64,
}

impl Config {
    /// DIN against the method with and without contrastive loss.
    pub fn quick() -> Self {
        let full = Self::full();
        Self {
            setting: QUICK,
            methods: vec![contrastive(), aw(), method(DIN, Kind::Din)],
            control: Vec::new(),
            market: MarketConfig { users: 600, sessions: [1200, 200, 600], ..full.market },
            shape: Shape { experts: 4, ..full.shape },
            epochs: 6,
            lr: vec![4e-3],
            lambda: vec![0.05],
            ..full
        }
    }

    /// All arms, tuned alike, and the control.
    pub fn full() -> Self {
        let ablation = |name, gate_unit, activation_unit| {
            method(name, Kind::Aw { gate_unit, activation_unit })
        };
        Self {
            setting: FULL,
            methods: vec![
                contrastive(),
                aw(),
                method(USER, Kind::UserMoe),
                method(CATEGORY, Kind::CategoryMoe),
                ablation(NO_GATE_UNIT, false, true),
                ablation(NO_ACTIVATION_UNIT, true, false),
                method(DIN, Kind::Din),
                method(DNN, Kind::Dnn),
            ],
            control: vec![aw(), method(DIN, Kind::Din)],
            market: MarketConfig {
                users: 3000,
                items: 2000,
                categories: 20,
                groups: 6,
                pairs: 3,
                linear: 0.4,
                interaction: 0.8,
                taste: 0.5,
                candidates: 10,
                sessions: [3000, 500, 1500],
                cap: 20,
            },
            shape: Shape {
                embedding: 8,
                width: 16,
                projection: 32,
                unit: 16,
                expert: [32, 16],
                experts: 6,
            },
            batch: 50,
            epochs: 6,
            lr: vec![1e-3, 2e-3, 4e-3, 8e-3],
            lambda: vec![0.01, 0.05, 0.1, 0.3],
            masked: 0.2,
            temperature: 0.2,
        }
    }
}

fn method(name: &'static str, kind: Kind) -> Method {
    Method { name, kind, contrastive: false }
}

fn aw() -> Method {
    method(AW, Kind::Aw { gate_unit: true, activation_unit: true })
}

fn contrastive() -> Method {
    Method { name: CL, contrastive: true, ..aw() }
}

/// The study of arXiv:2306.05011.
pub fn study() -> Box<dyn Study> {
    Box::new(AwMoe { quick: Config::quick(), full: Config::full() })
}

struct AwMoe {
    quick: Config,
    full: Config,
}

impl Study for AwMoe {
    fn series(&self) -> Vec<SeriesSpec> {
        let series = |name, unit, meaning| SeriesSpec::new(name, unit, "epoch", meaning);
        vec![
            series("train/loss", "nats", "cross-entropy of the clicks, mean over the epoch"),
            series("train/contrastive", "nats", "contrastive loss, mean over the epoch"),
            series("valid/session_auc", "", "AUC within a validation session"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        let m = MetricSpec::new;
        let users = ["all test sessions", "users with over 10 behaviours", "users with 1 to 3"];
        let measures = ["AUC over all rows", "mean AUC within a session", "NDCG@10 of a session"];
        let ranking = SLICES.iter().zip(users).flat_map(|(slice, users)| {
            METRICS.iter().zip(measures).map(move |(metric, measure)| {
                m(&format!("{slice}/{metric}"), "", Higher, &format!("{measure}: {users}"))
            })
        });
        let others = vec![
            m("lead/session_auc", "", Neither, "AW-MoE's session AUC minus this arm's, same data"),
            m("lead/ndcg", "", Neither, "AW-MoE's NDCG@10 minus this arm's, same data"),
            m(
                "lead/personal",
                "",
                Neither,
                "AW-MoE's lead in session AUC minus that in the control",
            ),
            m("gain/all", "", Higher, "session AUC minus that of AW-MoE, same data"),
            m("gain/head", "", Higher, "the same over users with more than 10 behaviours"),
            m("gain/tail", "", Higher, "the same over users with 1 to 3 behaviours"),
            m("gain/tail_minus_head", "", Higher, "the tail's gain minus the head's"),
            m("bayes/headroom", "", Neither, "session AUC of the true utility minus this arm's"),
            m("gate/additivity", "", Lower, "deviation of g from its sum over two half sequences"),
            m("gate/negative", "", Neither, "share of the experts' weights below 0"),
            m("gate/cosine", "", Higher, "cosine of g with that of a masked sequence, test users"),
            m("probe/gate", "", Higher, "accuracy of a linear probe from g to the planted group"),
            m("probe/pooled", "", Higher, "the same from the sum of the projected behaviours"),
            m(
                "cost/parameters",
                "",
                Lower,
                "numbers of the network, tables of embeddings left out",
            ),
        ];
        ranking.chain(others).collect()
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        plan::run(run, config)
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let of_run = |c: &&&Config| results.has(c.setting, AW, "all/session_auc");
        match [&self.quick, &self.full].iter().find(of_run) {
            Some(config) => checks::fill(config.setting, results, judge),
            None => Ok(()),
        }
    }
}
