//! Optimizing Feature Set for Click-Through Rate Prediction (`OptFS`), arXiv:2301.10909.
//!
//! Every feature value has a gate that multiplies its embedding, so that an interaction survives
//! only if both of its features do. Gates are learnt with the weights under an L1 penalty while a
//! temperature turns them from soft sigmoids into steps. Then the weights go back to an early
//! checkpoint and are trained again with the features that are left.
//!
//! # What we run, and what the paper ran
//! The paper: Criteo, Avazu and KDD12 (millions of features), FM, `DeepFM`, DCN and IPNN, D = 16,
//! batch 4096. We: a planted log of 4,240 features of which 120 are useful, and the census table
//! with numbers in buckets; FM and `DeepFM`, D = 8, batch 512, on two cores. The four backbones of
//! the paper are in `pressrun_nn::ctr`; two of them are run.
//!
//! # Differences from the paper
//! 1. Small logs, one of them with ground truth (experiments of the paper: millions of features).
//! 2. Of the four backbones FM and `DeepFM` are run. In the library DCN and IPNN mend two flaws of
//!    the authors' code: its masked IPNN looks up without temperature and hard flag, and its DCN
//!    does not rewind the cross biases.
//! 3. FM has one free constant, the authors' has none: at this size frequent useless values would
//!    serve as the constant and be kept.
//! 4. lambda is 1e-5 to 2e-4 instead of 1e-9 to 1e-8: it competes with the gradient of a feature,
//!    which grows with its share of the rows.
//! 5. lr and l2 are tuned for every arm, not for the backbone alone, and up to l2 = 1e-3, which the
//!    backbone needs. T, final temperature and rewinding epoch are fixed. To keep a full run within
//!    minutes lambda has four candidates (3e-5, between two of them, is left out).
//! 6. Field-level selection is `OptFS` with one gate for each field. Interaction-selection methods
//!    (`AutoFIS`) are not run; a frequency filter and a random mask are added.
//! 7. Rare values of the census are not merged into a default value.
//!
//! # Tuning
//! Every arm has the same grid of lr and l2, arms with a penalty also one of lambda (a price per
//! row kept, the same for gates of values and of fields). The grid is run on the first seed and
//! decided by validation AUC. `OptFS, re-initialised` shares the choice of `OptFS`, whose mask it
//! has to share.
//!
//! # Series
//! - `train/loss`: mean cross-entropy of an epoch, penalty left out
//! - `valid/auc`: validation AUC after an epoch, with the gates of that epoch
//! - `gate/open`: share of features whose gate is above 0 after an epoch of the search
//! - `gate/temperature`: tau of an epoch of the search
//!
//! Epochs of retraining are counted on from those of the search.

mod data;
mod plan;
#[cfg(test)]
mod tests;
mod train;

use std::sync::Arc;

use pressrun_data::ctr::CtrConfig;
use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};

use data::{Log, Source};

/// Name of the method's arm.
const OPTFS: &str = "OptFS";
/// Name of the arm without selection.
const BACKBONE: &str = "backbone";
/// Name of the arm with one gate for each field.
const FIELDS: &str = "field gates";
/// Name of the arm that keeps the most frequent features.
const FREQUENCY: &str = "frequency filter";
/// Name of the arm that keeps random features.
const RANDOM: &str = "random mask";
/// Name of the arm that starts retraining from new weights.
const NO_REWIND: &str = "OptFS, re-initialised";
/// Name of the arm without L1 penalty.
const NO_PENALTY: &str = "OptFS, lambda = 0";

/// How an arm selects features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Backbone,
    /// As in the paper.
    OptFs,
    /// As in the paper, but retraining starts from new weights instead of early ones.
    NoRewind,
    /// As in the paper, but without penalty.
    NoPenalty,
    /// One gate for each field; everything else as in the paper.
    FieldGates,
    /// The most frequent features, as many as `OptFS` kept; trained once, from new weights.
    Frequency,
    /// Random features, as many as `OptFS` kept; trained once, from new weights.
    Random,
    /// Gates that are never steep and stay soft when tested: what `OptFS` must not be.
    NeverHard,
}

/// What stands on the gated embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Factorization machine.
    Fm,
    /// Factorization machine beside a deep part.
    DeepFm,
}

/// A point of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Learning rate of both phases, weights and gates.
    pub lr: f64,
    /// Coupled L2 decay of the weights; gates have none.
    pub l2: f64,
    /// Weight of the penalty; 0 for arms without.
    pub lambda: f64,
}

/// One training.
#[derive(Debug, Clone)]
pub struct Task {
    /// The data.
    pub log: Arc<Log>,
    /// The model.
    pub network: Network,
    /// The selection.
    pub method: Method,
    /// The hyperparameters.
    pub candidate: Candidate,
    /// Features that `OptFS` kept, for arms that have to keep as many.
    pub kept: Option<usize>,
    /// Whether the arm reports curves and results; a candidate of the grid does not.
    pub report: bool,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data and models.
    pub settings: Vec<(Source, Network)>,
    /// Arms, by the name under which they report; the first is the method.
    pub arms: Vec<(&'static str, Method)>,
    /// The generator's numbers.
    pub planted: CtrConfig,
    /// Train, validation and test rows of the planted log.
    pub rows: [usize; 3],
    /// Most buckets of a number in the census table.
    pub buckets: usize,
    /// D, length of an embedding.
    pub width: usize,
    /// Hidden layers of the deep part.
    pub hidden: Vec<usize>,
    /// Rows of a batch.
    pub batch: usize,
    /// T, epochs of the search.
    pub epochs: usize,
    /// Final temperature.
    pub gamma: f64,
    /// Epoch at whose start the weights are set aside.
    pub rewind: usize,
    /// Most epochs of retraining, and of arms without search.
    pub retrain_epochs: usize,
    /// Learning rates of the grid.
    pub lr: Vec<f64>,
    /// L2 decays of the grid.
    pub l2: Vec<f64>,
    /// Penalties of the grid.
    pub lambda: Vec<f64>,
}

impl Config {
    /// FM on 20,000 rows: backbone, method, random mask.
    ///
    /// Adam moves a gate by at most about lr in a step, whatever lambda is: 5 epochs of 40 steps
    /// at 6e-3 are 1.2, and a gate has 0.5 to go.
    pub fn quick() -> Self {
        Self {
            settings: vec![(Source::Planted, Network::Fm)],
            arms: vec![
                (OPTFS, Method::OptFs),
                (BACKBONE, Method::Backbone),
                (RANDOM, Method::Random),
            ],
            rows: [20_000, 10_000, 20_000],
            epochs: 5,
            lr: vec![6e-3],
            l2: vec![1e-5, 1e-3],
            lambda: vec![6e-5, 2e-4],
            ..Self::full()
        }
    }

    /// All arms, two models, both logs: 8 epochs of 118 steps at 3e-3 are 2.8.
    pub fn full() -> Self {
        Self {
            settings: vec![
                (Source::Planted, Network::DeepFm),
                (Source::Planted, Network::Fm),
                (Source::Census, Network::DeepFm),
                (Source::Census, Network::Fm),
            ],
            arms: vec![
                (OPTFS, Method::OptFs),
                (NO_REWIND, Method::NoRewind),
                (FIELDS, Method::FieldGates),
                (NO_PENALTY, Method::NoPenalty),
                (BACKBONE, Method::Backbone),
                (FREQUENCY, Method::Frequency),
                (RANDOM, Method::Random),
            ],
            planted: CtrConfig::default(),
            rows: [60_000, 10_000, 20_000],
            buckets: 500,
            width: 8,
            hidden: vec![64, 32],
            batch: 512,
            epochs: 8,
            gamma: 1000.0,
            rewind: 1,
            retrain_epochs: 20,
            lr: vec![3e-3, 6e-3],
            l2: vec![1e-5, 1e-4, 1e-3],
            lambda: vec![1e-5, 6e-5, 1e-4, 2e-4],
        }
    }
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Planted => "planted log",
            Self::Census => "census",
        }
    }
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Self::Fm => "FM",
            Self::DeepFm => "DeepFM",
        }
    }
}

/// Name of a setting, as in `planted log, FM`.
fn setting(source: Source, network: Network) -> String {
    format!("{}, {}", source.name(), network.name())
}

/// The study of `OptFS`; with a configuration of its own instead of the profile's in tests.
#[derive(Debug, Default)]
struct OptFs {
    config: Option<Config>,
}

/// The study of arXiv:2301.10909.
pub fn study() -> Box<dyn Study> {
    Box::new(OptFs::default())
}

impl Study for OptFs {
    fn series(&self) -> Vec<SeriesSpec> {
        vec![
            SeriesSpec::new("train/loss", "nats", "epoch", "mean cross-entropy, without penalty"),
            SeriesSpec::new("valid/auc", "", "epoch", "validation AUC with the epoch's gates"),
            SeriesSpec::new("gate/open", "", "epoch", "share of features with a gate above 0"),
            SeriesSpec::new("gate/temperature", "", "epoch", "steepness tau of the soft gates"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        vec![
            MetricSpec::new("test/auc", "", Higher, "area under the ROC curve on the test rows"),
            MetricSpec::new("test/logloss", "nats", Lower, "mean cross-entropy on the test rows"),
            MetricSpec::new("gate/ratio", "", Lower, "share of features not closed when tested"),
            MetricSpec::new("gate/recall", "", Higher, "share of the useful features kept"),
            MetricSpec::new("gate/precision", "", Higher, "share of useful among kept features"),
            MetricSpec::new("gate/lift", "", Higher, "precision over that of keeping everything"),
            MetricSpec::new(
                "gate/pair-lift",
                "",
                Higher,
                "share of planted pairs among kept cross-field pairs, over that of all pairs",
            ),
            MetricSpec::new(
                "gate/hardening",
                "",
                Neither,
                "size of the change of validation AUC when the last soft gates become hard",
            ),
            MetricSpec::new(
                "cost/parameters",
                "",
                Lower,
                "numbers to store: kept rows and network",
            ),
            MetricSpec::new(
                "cost/multiply-adds",
                "",
                Lower,
                "multiplications for one test row, closed features skipped",
            ),
        ]
    }

    fn run(&self, run: &Run) -> Result<()> {
        let config = self.config.clone().unwrap_or_else(|| match run.profile() {
            Profile::Quick => Config::quick(),
            Profile::Full => Config::full(),
        });
        plan::run(run, &config)
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let mut checks = Checks { results, judge };
        for (network, tag) in [(Network::Fm, "fm"), (Network::DeepFm, "deepfm")] {
            let planted = setting(Source::Planted, network);
            let census = setting(Source::Census, network);
            let (auc, ratio) = ("test/auc", "gate/ratio");
            let mut against = |claim, check: &str, setting, metric, other| {
                checks.compare(claim, &format!("{check}-{tag}"), setting, metric, other)
            };
            against("C1", "planted", &planted, auc, BACKBONE)?;
            against("C1", "census", &census, auc, BACKBONE)?;
            against("C2", "field", &planted, auc, FIELDS)?;
            against("C2", "field-ratio", &planted, ratio, FIELDS)?;
            against("C2", "frequency", &planted, auc, FREQUENCY)?;
            against("C3", "parameters", &planted, "cost/parameters", BACKBONE)?;
            against("C3", "multiply-adds", &planted, "cost/multiply-adds", BACKBONE)?;
            against("C5", "rewind", &planted, auc, NO_REWIND)?;
            let mut limit = |claim, check: &str, metric| {
                checks.limit(claim, &format!("{check}-{tag}"), &planted, metric)
            };
            limit("C3", "ratio", ratio)?;
            limit("C3", "hardening", "gate/hardening")?;
            limit("C4", "recall", "gate/recall")?;
            limit("C4", "lift", "gate/lift")?;
            limit("C4", "pairs", "gate/pair-lift")?;
        }
        Ok(())
    }
}

/// Fills in the checks whose numbers the run has.
struct Checks<'a, 'm> {
    results: &'a Results,
    judge: &'a mut Judge<'m>,
}

impl Checks<'_, '_> {
    fn compare(
        &mut self,
        claim: &str,
        check: &str,
        setting: &str,
        metric: &str,
        other: &str,
    ) -> Result<()> {
        let results = self.results;
        if !results.has(setting, OPTFS, metric) || !results.has(setting, other, metric) {
            return Ok(());
        }
        let measured = (OPTFS, results.stat(setting, OPTFS, metric)?);
        self.judge.compare(claim, check, measured, (other, results.stat(setting, other, metric)?))
    }

    fn limit(&mut self, claim: &str, check: &str, setting: &str, metric: &str) -> Result<()> {
        if !self.results.has(setting, OPTFS, metric) {
            return Ok(());
        }
        let measured = (OPTFS, self.results.stat(setting, OPTFS, metric)?);
        self.judge.limit(claim, check, measured)
    }
}
