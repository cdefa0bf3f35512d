//! Fast Certified Robust Training with Short Warmup, arXiv:2103.17268.
//!
//! Training with interval bounds needs a long ramp of the radius for two reasons: ordinary initial
//! weights make boxes grow geometrically with depth, and training then switches far more units off
//! for good than on. Initial weights that keep boxes at their width, batch normalisation after
//! every hidden layer, and two regularisers during the ramp remove both, so that a short ramp does.
//! The bounds stay plain interval bounds: verifying is one forward pass.
//!
//! # What we run, and what the paper ran
//! The paper: CNN-7, a wide `ResNet` and `ResNeXt` on MNIST, CIFAR-10 and `TinyImageNet`, 70 to 160
//! epochs. We: Fashion-MNIST, 3,000 pictures to train on, eps = 0.1, a fully connected network with
//! five hidden layers, 20 epochs, and a small convolutional network; on two cores.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! Every arm has the same grid of learning rates, run on the first seed with the whole schedule and
//! decided by verified error on held-out pictures. The last epoch is reported; nothing is chosen by
//! the test pictures.
//!
//! # Gate
//! No verdict stands unless, for every network, nothing that is verified is misclassified, clean or
//! attacked, clean error <= attacked error <= verified error, and no random point of a box leaves
//! the bounds computed for it: `gate/violations` counts what does.
//!
//! # Series
//! - `train/loss`: mean loss of an epoch, regularisers left out: natural cross-entropy while the
//!   radius is 0, the robust one after
//! - `train/eps`: radius at the end of an epoch
//! - `relu/active`, `relu/inactive`: share of units that are open, or shut, for a whole training
//!   box of that radius; mean over the layers, last batch of an epoch
//! - `valid/clean-error`, `valid/verified-error`: on held-out pictures, at the final radius

mod checks;
mod data;
mod evaluate;
mod plan;
#[cfg(test)]
mod tests;
mod train;

use std::sync::Arc;

use pressrun_lab::{Better, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};
use pressrun_nn::bound::{ConvShape, HiddenInit};
use pressrun_nn::init::Init;

use data::{Pictures, Sizes, Source};
use evaluate::GateConfig;
use train::Plan;

/// Name of the method's arm (A3).
const FAST: &str = "fast IBP";
/// Name of the baseline's arm (A0).
const VANILLA: &str = "vanilla IBP";
/// Name of the arm with batch normalisation only (A1).
const BN: &str = "IBP + BN";
/// Name of the arm without regularisers (A2).
const BN_INIT: &str = "IBP + BN + init";
/// Name of the arm with initial weights and regularisers, but without batch normalisation (A4).
const NO_BN: &str = "fast IBP without BN";
/// Name of the baseline with three times the epochs.
const VANILLA_LONG: &str = "vanilla IBP, 3x epochs";

/// Deepest network that reports its widths.
const LAYERS: usize = 5;

/// Which parts of the method an arm has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// None: Xavier's initial weights, no batch normalisation, no regularisers.
    Vanilla,
    /// None, and three times as many epochs after the natural one.
    VanillaLong,
    /// Batch normalisation.
    Bn,
    /// Batch normalisation and initial weights.
    BnInit,
    /// All, as in the paper.
    Fast,
    /// Initial weights and regularisers.
    NoBn,
}

/// The parts of the method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Initial weights of the hidden layers.
    pub init: HiddenInit,
    /// Batch normalisation after every hidden layer.
    pub batch_norm: bool,
    /// Both regularisers during the ramp.
    pub regularise: bool,
}

/// What `torch.nn.init.xavier_normal_` draws.
const XAVIER: HiddenInit = HiddenInit::Rule(Init::XavierNormal { gain: 1.0 });

impl Method {
    /// The parts that this arm has.
    pub fn recipe(self) -> Recipe {
        let (init, batch_norm, regularise) = match self {
            Self::Vanilla | Self::VanillaLong => (XAVIER, false, false),
            Self::Bn => (XAVIER, true, false),
            Self::BnInit => (HiddenInit::Ibp, true, false),
            Self::Fast => (HiddenInit::Ibp, true, true),
            Self::NoBn => (HiddenInit::Ibp, false, true),
        };
        Recipe { init, batch_norm, regularise }
    }

    /// How many times as long ramp and rest are.
    pub fn stretch(self) -> usize {
        if self == Self::VanillaLong { 3 } else { 1 }
    }
}

impl Source {
    /// Channels, height and width.
    pub fn shape(self) -> [usize; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Fashion => [1, 28, 28],
        }
    }
}

/// Data, network and schedule.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Name under which it reports.
    pub name: String,
    /// Pictures.
    pub source: Source,
    /// How many of them.
    pub sizes: Sizes,
    /// Radius, in pixels from 0 to 1.
    pub eps: f64,
    /// Convolutions.
    pub convs: Vec<ConvShape>,
    /// Widths of the fully connected hidden layers.
    pub hidden: Vec<usize>,
    /// Pictures of a batch.
    pub batch: usize,
    /// Epochs, ramp and milestones.
    pub plan: Plan,
    /// Arms, by the name under which they report.
    pub arms: Vec<(&'static str, Method)>,
    /// Learning rates of the grid.
    pub lr: Vec<f64>,
    /// Whether the widths at initialisation are measured, too.
    pub widths: bool,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is run; the first setting is the one that claims are judged by.
    pub settings: Vec<Setting>,
    /// Weight of the regularisers at radius 0.
    pub lambda: f64,
    /// What they tolerate.
    pub tau: f64,
    /// Largest norm of the gradients.
    pub clip: f64,
    /// Steps of the attack.
    pub attack_steps: usize,
    /// Sampling of the gate.
    pub gate: GateConfig,
    /// Test pictures whose boxes tell widths and states.
    pub boxes: usize,
    /// Draws of the initial weights over which untrained widths are averaged.
    pub draws: usize,
}

/// One training.
#[derive(Debug, Clone)]
pub struct Task {
    /// Data, network and schedule.
    pub setting: Arc<Setting>,
    /// The pictures.
    pub pictures: Arc<Pictures>,
    /// The parts of the method.
    pub method: Method,
    /// Learning rate at the start.
    pub lr: f64,
    /// Whether the arm reports curves and results; a candidate of the grid does not.
    pub report: bool,
}

/// Two convolutions that halve the picture.
fn small_cnn(channels: [usize; 2]) -> Vec<ConvShape> {
    channels.map(|channels| ConvShape { channels, kernel: 3, stride: 2, padding: 1 }).to_vec()
}

impl Config {
    /// Digits: method and baseline on a network of four hidden layers, the method on a
    /// convolutional one.
    pub fn quick() -> Self {
        let mlp = Setting {
            name: "digits, MLP 64-64x4".into(),
            source: Source::Digits,
            sizes: Sizes { train: 1_200, validation: 0, test: 597 },
            eps: 0.08,
            convs: Vec::new(),
            hidden: vec![64; 4],
            batch: 128,
            plan: Plan { epochs: 20, start: 2, length: 8, milestones: vec![15, 18] },
            arms: vec![(FAST, Method::Fast), (VANILLA, Method::Vanilla)],
            lr: vec![2e-3],
            widths: true,
        };
        let cnn = Setting {
            name: "digits, CNN".into(),
            convs: small_cnn([8, 16]),
            hidden: vec![64],
            widths: false,
            ..mlp.clone()
        };
        Self { settings: vec![mlp, cnn], ..Self::full() }
    }

    /// Fashion-MNIST: all arms on a network of five hidden layers, method and baseline on a
    /// convolutional one.
    pub fn full() -> Self {
        let mlp = Setting {
            name: "Fashion-MNIST, MLP 784-128x5".into(),
            source: Source::Fashion,
            sizes: Sizes { train: 3_000, validation: 1_000, test: 2_000 },
            eps: 0.1,
            convs: Vec::new(),
            hidden: vec![128; 5],
            batch: 128,
            plan: Plan { epochs: 20, start: 2, length: 8, milestones: vec![15, 18] },
            arms: vec![
                (VANILLA_LONG, Method::VanillaLong),
                (FAST, Method::Fast),
                (VANILLA, Method::Vanilla),
                (BN, Method::Bn),
                (BN_INIT, Method::BnInit),
                (NO_BN, Method::NoBn),
            ],
            lr: vec![5e-4, 1e-3, 2e-3],
            widths: true,
        };
        let cnn = Setting {
            name: "Fashion-MNIST, CNN".into(),
            sizes: Sizes { train: 1_500, validation: 500, test: 1_000 },
            convs: small_cnn([8, 16]),
            hidden: vec![64],
            arms: vec![(FAST, Method::Fast), (VANILLA, Method::Vanilla)],
            widths: false,
            ..mlp.clone()
        };
        Self {
            settings: vec![mlp, cnn],
            lambda: 0.5,
            tau: 0.5,
            clip: 10.0,
            attack_steps: 20,
            gate: GateConfig { boxes: 50, points: 1_000 },
            boxes: 500,
            draws: 10,
        }
    }
}

/// The study of fast IBP; with a configuration of its own instead of the profile's in tests.
#[derive(Debug, Default)]
struct FastIbp {
    config: Option<Config>,
}

/// The study of arXiv:2103.17268.
pub fn study() -> Box<dyn Study> {
    Box::new(FastIbp::default())
}

impl FastIbp {
    fn config(&self, profile: Profile) -> Config {
        self.config.clone().unwrap_or_else(|| match profile {
            Profile::Quick => Config::quick(),
            Profile::Full => Config::full(),
        })
    }
}

impl Study for FastIbp {
    fn series(&self) -> Vec<SeriesSpec> {
        let spec =
            |name: &str, unit: &str, meaning: &str| SeriesSpec::new(name, unit, "epoch", meaning);
        vec![
            spec("train/loss", "nats", "mean loss, without regularisers"),
            spec("train/eps", "pixel", "radius at the end of the epoch"),
            spec("relu/active", "", "share of ReLU units open for a whole training box"),
            spec("relu/inactive", "", "share of ReLU units shut for a whole training box"),
            spec("valid/clean-error", "", "error on held-out pictures"),
            spec("valid/verified-error", "", "share of held-out pictures not verified"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        let spec = |name: &str, better, meaning: &str| MetricSpec::new(name, "", better, meaning);
        let mut metrics = vec![
            spec("test/clean-error", Lower, "share of test pictures that are misclassified"),
            spec("test/pgd-error", Lower, "share misclassified somewhere on the way of an attack"),
            spec("test/verified-error", Lower, "share not verified for the whole box"),
            spec("relu/active", Neither, "share of ReLU units open for a whole test box"),
            spec("relu/inactive", Neither, "share of ReLU units shut for a whole test box"),
            spec("relu/unstable", Neither, "share of ReLU units open for a part of a test box"),
            spec("relu/balance", Higher, "active to inactive, folded: 1 if equal; mean of layers"),
            spec("init/gain", Neither, "widening per layer after the first, geometric mean"),
            spec("init/gain-error", Lower, "largest |gain / ((n/2) E|W|) - 1| of those layers"),
            spec("gate/violations", Lower, "points or pictures that contradict the bounds"),
        ];
        metrics.extend((1..=LAYERS).map(|layer| {
            let meaning = "mean width before this ReLU, relative to the input's";
            spec(&width(layer), Neither, meaning)
        }));
        metrics
    }

    fn run(&self, run: &Run) -> Result<()> {
        plan::run(run, &self.config(run.profile()))
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        checks::fill(results, judge)
    }
}

/// Name of the metric that is the width before the ReLU of a layer, counted from 1.
fn width(layer: usize) -> String {
    format!("width/layer-{layer}")
}
