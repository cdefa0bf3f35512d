//! A Mixture of Expert Approach for Low-Cost Customization of Deep Neural Networks,
//! arXiv:1811.00056.
//!
//! A network that was trained for everybody, the global expert, stays as it is. On the device of a
//! user a very small network, the local expert, learns from a handful of the user's own samples to
//! repair its errors. Another very small one, the gate, learns which of the two to trust with an
//! input.
//!
//! # What we run, and what the paper ran
//! The paper: LeNet-5 on EMNIST, handwriting of 10 people. We: LeNet-5 on Fashion-MNIST and on
//! 8 x 8 digits, enlarged; ten simulated users, who each draw the same pictures in a style of
//! their own: turned, slanted, scaled, thick or thin, and two or three classes mirrored, upside
//! down or with a bar. Quick: digits, 2 users, 60 pictures of each. Only the abstract was at
//! hand: the sizes and the training of the two networks are reconstructed, and no verdict is
//! better than `partly`.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! The method and each fine-tuning have four learning rates, compared on a fifth of the training
//! pictures of further users, who are in no result. Fine-tuning has its number of epochs from there
//! too; the local expert finds its own by cross-validation on the user's pictures. In the quick
//! profile the third rate is taken. Test pictures are looked at once, by finished networks.
//!
//! # Series
//! - `global/loss`: mean loss of the global expert's training pictures, epoch by epoch
//! - `local/held-out-loss`: mean loss of the first user's left-out pictures, epoch by epoch

mod arms;
mod checks;
mod data;
mod global;
mod local;
mod measure;
mod plan;
#[cfg(test)]
mod tests;
mod tune;

use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};

use arms::Decider;
use data::{Sizes, Source};
use local::Targets;
use tune::FineTuning;

/// Classes of both data sets.
const CLASSES: usize = 10;

/// Name of the method's arm.
const METHOD: &str = "GE + LE + GN";
/// Name of the arm that mixes both experts' probabilities.
const SOFT: &str = "GE + LE + GN, soft";
/// Name of the arm without anything local.
const GLOBAL: &str = "GE alone";
/// Name of the arm that asks the local expert only.
const LOCAL: &str = "LE alone";
/// Name of the arm without a gate.
const CONFIDENT: &str = "The more confident of GE and LE";
/// Name of the upper bound.
const ORACLE: &str = "Oracle gate";
/// Name of the control that routes by chance.
const COIN: &str = "Coin at GN's rate";
/// Name of the ablation without generic pictures on the device.
const NO_BUFFER: &str = "GN without generic pictures";
/// Name of the trap whose gate learns from a local expert that has seen the pictures.
const IN_FOLD: &str = "GN from LE's training pictures";
/// Name of the trap whose gate tells who drew a picture.
const USER_OR_GENERIC: &str = "GN that tells users from generic";
/// Name of the ablation whose local expert learns from errors only.
const ERRORS_ONLY: &str = "LE on GE's errors only";
/// Name of the local expert of which only the size is reported.
const RAW: &str = "LE on pixels (size only)";
/// Name of the baseline that trains everything further.
const FINE: &str = "GE fine-tuned";
/// Name of the baseline that trains everything further, on generic pictures too.
const REPLAY: &str = "GE fine-tuned with replay";
/// Name of the baseline that trains the last layer further.
const LAST_LAYER: &str = "GE fine-tuned, last layer";

/// The baselines that change the global expert, with the learning rates that are tried.
const FINE_TUNING: &[(&str, FineTuning, [f64; 4])] = &[
    (FINE, FineTuning::All, [3e-4, 1e-3, 3e-3, 1e-2]),
    (REPLAY, FineTuning::Replay, [3e-4, 1e-3, 3e-3, 1e-2]),
    (LAST_LAYER, FineTuning::LastLayer, [1e-3, 3e-3, 1e-2, 3e-2]),
];

/// A data set with its global expert and its users.
#[derive(Debug, Clone)]
pub struct Data {
    /// Which pictures.
    pub source: Source,
    /// How many go where.
    pub sizes: Sizes,
    /// Epochs of the global expert.
    pub epochs: usize,
    /// Pictures of a batch of the global expert.
    pub batch: usize,
    /// Learning rate of the global expert at the start; it falls to 0 along a cosine.
    pub lr: f64,
    /// Pixels by which its training pictures are moved at random.
    pub shift: usize,
    /// Users of whom results are reported.
    pub users: usize,
    /// Further users for the choice of learning rates.
    pub tuning_users: usize,
    /// Training pictures of a user for each class; the last is the main setting.
    pub per_class: Vec<usize>,
}

impl Data {
    /// Most training pictures of a user for each class.
    pub fn most(&self) -> usize {
        self.per_class.last().copied().unwrap_or_default()
    }

    /// Name in the record.
    pub fn setting(&self, per_class: usize) -> String {
        let name = match self.source {
            Source::Digits => "digits",
            Source::Fashion => "Fashion-MNIST",
        };
        format!("{name}, {} users, {per_class} per class", self.users)
    }
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data sets.
    pub data: Vec<Data>,
    /// The arms that leave the global expert as it is.
    pub arms: Vec<(&'static str, Decider)>,
    /// Learning rates that are tried for the local expert.
    pub lr: Vec<f64>,
    /// Hidden units of the local expert, and of the gate.
    pub hidden: usize,
    /// Weight of the pictures that the global expert has right, in the local expert's loss.
    pub right_weight: f32,
    /// Rounds of the local expert's cross-validation.
    pub folds: usize,
    /// Most epochs of the local expert.
    pub epochs: usize,
    /// Epochs without a better held-out loss after which its rounds end.
    pub patience: usize,
    /// Epochs of the gate.
    pub gate_epochs: usize,
    /// Learning rate of the gate.
    pub gate_lr: f64,
    /// Weight decay of both.
    pub decay: f64,
    /// Pictures of a batch on the device.
    pub batch: usize,
    /// Share of the generic pictures on the device that the threshold may cost.
    pub slack: f64,
    /// Most epochs of fine-tuning.
    pub tuning_epochs: usize,
}

impl Config {
    /// Digits and two users.
    pub fn quick() -> Self {
        let mut digits = Self::digits();
        digits.users = 2;
        digits.tuning_users = 0;
        digits.per_class = vec![6];
        digits.epochs = 8;
        Self { data: vec![digits], tuning_epochs: 8, ..Self::full() }
    }

    /// Both data sets and ten users.
    pub fn full() -> Self {
        let fashion = Data {
            source: Source::Fashion,
            sizes: Sizes { generic: 3700, buffer: 300, pool: 1000, test: 2000, user_test: 1000 },
            epochs: 20,
            batch: 50,
            lr: 2e-3,
            shift: 0,
            users: 10,
            tuning_users: 5,
            per_class: vec![5, 10, 20],
        };
        Self {
            data: vec![fashion, Self::digits()],
            arms: vec![
                (METHOD, Decider::Gate(Targets::OutOfFold)),
                (SOFT, Decider::Soft),
                (GLOBAL, Decider::Global),
                (LOCAL, Decider::Local),
                (CONFIDENT, Decider::Confident),
                (ORACLE, Decider::Oracle),
                (COIN, Decider::Coin),
                (NO_BUFFER, Decider::Gate(Targets::NoBuffer)),
                (IN_FOLD, Decider::Gate(Targets::InFold)),
                (USER_OR_GENERIC, Decider::Gate(Targets::UserOrGeneric)),
                (ERRORS_ONLY, Decider::ErrorsOnly),
            ],
            lr: vec![1e-3, 3e-3, 1e-2, 3e-2],
            hidden: 8,
            right_weight: 0.3,
            folds: 5,
            epochs: 200,
            patience: 20,
            gate_epochs: 50,
            gate_lr: 1e-2,
            decay: 1e-3,
            batch: 32,
            slack: 0.005,
            tuning_epochs: 40,
        }
    }

    fn digits() -> Data {
        Data {
            source: Source::Digits,
            sizes: Sizes { generic: 800, buffer: 300, pool: 160, test: 537, user_test: 537 },
            epochs: 20,
            batch: 32,
            lr: 2e-3,
            shift: 2,
            users: 10,
            tuning_users: 5,
            per_class: vec![2, 4, 8],
        }
    }
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(MoeCustomization { quick: Config::quick(), full: Config::full() })
}

struct MoeCustomization {
    quick: Config,
    full: Config,
}

impl Study for MoeCustomization {
    fn series(&self) -> Vec<SeriesSpec> {
        let series = |name, meaning| SeriesSpec::new(name, "nats", "epoch", meaning);
        vec![
            series("global/loss", "mean loss of the global expert's training pictures"),
            series("local/held-out-loss", "mean loss of the first user's left-out pictures"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        let m = |name, better, meaning| MetricSpec::new(name, "", better, meaning);
        vec![
            m("user/accuracy", Higher, "accuracy on the users' test pictures, mean over users"),
            m("user/gain", Higher, "that accuracy minus the global expert's"),
            m("user/gain-least", Higher, "the same for the user who gains least"),
            m("user/p-t", Lower, "paired t test of the gain over users, two-sided p"),
            m("user/p-mcnemar", Lower, "largest p over users of McNemar's exact test of the gain"),
            m("user/style-cost", Neither, "accuracy that the users' styles cost the global expert"),
            m("generic/accuracy", Higher, "accuracy on the generic test pictures, mean over users"),
            m("generic/drop", Lower, "how far that is below the global expert's"),
            m("generic/drop-worst", Lower, "the same for the user with the largest drop"),
            m("gate/rate-user", Neither, "share of users' pictures that go to the local expert"),
            m("gate/rate-generic", Lower, "share of generic pictures that do"),
            m("gate/rate-errors", Higher, "share of users' pictures that do of those GE has wrong"),
            m("gate/rate-right", Lower, "share of users' pictures that do of those GE has right"),
            m(
                "gate/selectivity",
                Higher,
                "rate on users' pictures GE has wrong minus generic rate",
            ),
            m(
                "gate/above-oracle",
                Lower,
                "largest accuracy above the oracle gate's; never positive",
            ),
            m(
                "gate/keeps-both",
                Neither,
                "1 if the mean gain is at least 5 points and the mean drop at most 1, else 0",
            ),
            m("gate/threshold", Neither, "threshold of the trust, mean over users"),
            m(
                "local/outside",
                Higher,
                "LE's accuracy on pictures of the user left out of its round",
            ),
            m("local/inside", Higher, "LE's accuracy on the pictures that it is trained on"),
            m("cost/parameters", Lower, "parameters added, as a share of the global expert's"),
            m("cost/multiply-adds", Lower, "multiply-adds added for an input, as such a share"),
            MetricSpec::new(
                "train/multiply-adds",
                "million",
                Lower,
                "multiply-adds of the training for a user, forward and backward",
            ),
            m("train/share", Lower, "the same over those of as many passes of fine-tuning"),
        ]
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        plan::run(
            run,
            match run.profile() {
                Profile::Quick => &self.quick,
                Profile::Full => &self.full,
            },
        )
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        for data in self.full.data.iter().chain(&self.quick.data) {
            let setting = data.setting(data.most());
            if results.has(&setting, METHOD, "user/gain") {
                let suffix = match data.source {
                    Source::Digits => "digits",
                    Source::Fashion => "fashion",
                };
                checks::fill(results, judge, &setting, suffix)?;
            }
        }
        Ok(())
    }
}
