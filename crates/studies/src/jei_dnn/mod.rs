//! Jointly-Learned Exit and Inference for a Dynamic Neural Network (`JEI-DNN`),
//! arXiv:2310.09163.
//!
//! After each block of a frozen backbone stand a linear classifier and a small gate that sees four
//! numbers about the classifier's uncertainty and says whether to stop. Classifiers are trained on
//! the samples that the gates send to them, gates to imitate the exit at which loss and cost are
//! least, in turn. Training and inference see the same samples at each exit.
//!
//! # What we run, and what the paper ran
//! The paper: T2T-ViT-7 and -14 on CIFAR10, CIFAR100, SVHN and CIFAR100-LT. We: full, six small
//! residual convolutions that the study trains on 3,500 pictures of Fashion-MNIST, seven weights of
//! the cost, 3 seeds. Quick: four residual MLP blocks on digits, two weights, 1 seed.
//!
//! # Differences from the paper
//! They stand, numbered, in `paper.toml` under `differences`.
//!
//! # Tuning
//! Each arm has the same grid of learning rates on the first seed, decided by the area under its
//! curve of validation accuracy over cost. Calibration pictures calibrate and do nothing else; test
//! pictures are read once, at the end of a training.
//!
//! # Series
//! - `backbone/loss`: loss of the batch while the backbone is pre-trained
//! - `validation/accuracy`, `validation/cost`: of the gated prediction, epoch by epoch
//! - `curve/accuracy`: test accuracy over cost, the points of a method

mod checks;
mod data;
mod frozen;
mod measure;
mod model;
mod plan;
#[cfg(test)]
mod tests;
mod train;

use pressrun_lab::{
    Better, Error, Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study,
};

use data::{Sizes, Source};
use model::{Kind, Shape};

/// Name of the method's arm.
const JEI: &str = "JEI-DNN";
/// Name of the paper's baseline: thresholds on classifiers that were only warmed up.
const THRESHOLDS: &str = "Thresholds";
/// Name of thresholds on classifiers that were trained for as many updates as the method.
const LONG: &str = "Thresholds, same updates";
/// Name of the ablation as the public code has it: the ratio is not detached.
const ATTACHED: &str = "JEI-DNN, ratio not detached";
/// Name of the ablation whose gates do not weigh seldom exits more.
const EVEN: &str = "JEI-DNN, gates not weighted";
/// Name of the ablation whose classifiers are not trained after the warm-up.
const DECOUPLED: &str = "Decoupled";
/// Name of the bound: the best exit of the method's classifiers, by the labels.
const ORACLE: &str = "Best exit by the labels";
/// Name under which the backbone alone is reported.
const BACKBONE: &str = "Backbone";

const QUICK: &str = "digits, residual MLP";
const FULL: &str = "Fashion-MNIST, residual CNN";

/// Costs at which methods are compared.
const COSTS: [f64; 3] = [0.4, 0.6, 0.8];

/// How exits come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// Gates and classifiers are trained in turn.
    Joint {
        /// Whether the ratio of the classifiers' loss is a constant.
        detach: bool,
        /// Whether seldom exits weigh more in the gates' loss.
        weighted: bool,
    },
    /// Gates are trained on classifiers that stay as the warm-up left them.
    Decoupled,
    /// No gates: thresholds on the largest probability.
    Thresholds {
        /// Whether classifiers are trained as long as the other arms, or for the warm-up.
        as_long: bool,
    },
}

/// An arm: a recipe under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Name in the record.
    pub name: &'static str,
    /// The recipe.
    pub recipe: Recipe,
}

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data and backbone, as named in the record.
    pub setting: &'static str,
    /// The pictures.
    pub source: Source,
    /// How many.
    pub sizes: Sizes,
    /// The backbone.
    pub shape: Shape,
    /// The arms.
    pub methods: Vec<Method>,
    /// Weights of the cost, lowest first.
    pub lambdas: Vec<f64>,
    /// Weights of the cost with which learning rates are tried.
    pub tuning_lambdas: Vec<f64>,
    /// Learning rates that are tried for each arm; with one there is no tuning.
    pub grid: Vec<f64>,
    /// Shares of the exits of the thresholds are powers of these.
    pub shares: Vec<f64>,
    /// Pictures of a batch.
    pub batch: usize,
    /// Epochs of the backbone.
    pub backbone_epochs: usize,
    /// Learning rate of the backbone at its start; it falls to 0.
    pub backbone_lr: f64,
    /// Decoupled weight decay of the backbone.
    pub backbone_decay: f64,
    /// Epochs of classifiers and gates together.
    pub epochs: usize,
    /// Most of them in which classifiers are warmed up.
    pub warm_up: usize,
    /// Epochs of the warm-up that a classifier waits for a better one.
    pub patience: usize,
    /// Batches after which gates and classifiers take turns.
    pub switch: usize,
    /// Momentum of gradient descent.
    pub momentum: f64,
    /// Coupled weight decay.
    pub l2: f64,
    /// Learning rate at the end, as a share of that at the start.
    pub lr_end: f64,
}

impl Config {
    /// Digits, few exits, two weights of the cost, no tuning.
    pub fn quick() -> Self {
        let kind = Kind::Mlp { width: 32, hidden: 64 };
        Self {
            setting: QUICK,
            source: Source::Digits,
            sizes: Sizes { train: 1000, validation: 200, calibration: 200, test: 397 },
            shape: Shape { kind, blocks: 4, side: 8, classes: 10 },
            lambdas: vec![0.1, 1.0],
            tuning_lambdas: vec![0.1, 1.0],
            grid: vec![0.01],
            backbone_epochs: 5,
            epochs: 60,
            warm_up: 24,
            patience: 8,
            switch: 4,
            ..Self::full()
        }
    }

    /// All arms, tuned alike.
    pub fn full() -> Self {
        let method = |name, recipe| Method { name, recipe };
        Self {
            setting: FULL,
            source: Source::Fashion,
            sizes: Sizes { train: 3500, validation: 750, calibration: 750, test: 2000 },
            shape: Shape { kind: Kind::Conv { channels: 16 }, blocks: 6, side: 28, classes: 10 },
            methods: vec![
                method(JEI, Recipe::Joint { detach: true, weighted: true }),
                method(ATTACHED, Recipe::Joint { detach: false, weighted: true }),
                method(EVEN, Recipe::Joint { detach: true, weighted: false }),
                method(DECOUPLED, Recipe::Decoupled),
                method(THRESHOLDS, Recipe::Thresholds { as_long: false }),
                method(LONG, Recipe::Thresholds { as_long: true }),
            ],
            lambdas: vec![0.02, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0],
            tuning_lambdas: vec![0.1, 0.6, 2.0],
            grid: vec![0.003, 0.01, 0.03],
            shares: (0..20).map(|i| 0.05 + 0.1 * f64::from(i)).collect(),
            batch: 64,
            backbone_epochs: 30,
            backbone_lr: 4e-3,
            backbone_decay: 0.01,
            epochs: 40,
            warm_up: 16,
            patience: 5,
            switch: 15,
            momentum: 0.9,
            l2: 5e-4,
            lr_end: 0.02,
        }
    }

    /// Updates of classifiers and gates together.
    pub fn steps(&self, rows: usize) -> usize {
        self.epochs * (rows / self.batch)
    }

    /// Updates of the backbone.
    pub fn backbone_steps(&self) -> usize {
        self.backbone_epochs * (self.sizes.train / self.batch)
    }

    /// Setting of a weight of the cost by itself.
    pub fn with_lambda(&self, lambda: f64) -> String {
        format!("{}, lambda {lambda}", self.setting)
    }
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(JeiDnn { quick: Config::quick(), full: Config::full() })
}

struct JeiDnn {
    quick: Config,
    full: Config,
}

impl Study for JeiDnn {
    fn series(&self) -> Vec<SeriesSpec> {
        let series = SeriesSpec::new;
        vec![
            series("backbone/loss", "nats", "update", "loss of the batch in the pre-training"),
            series(
                "validation/accuracy",
                "",
                "epoch",
                "validation accuracy of the gated prediction",
            ),
            series("validation/cost", "", "epoch", "its mean cost, 1 for the last exit"),
            series("curve/accuracy", "", "cost, thousandths", "test accuracy of a point"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        use Better::{Higher, Lower, Neither};
        let m = MetricSpec::new;
        let at = |cost| {
            let meaning = format!("test accuracy at cost {cost}");
            m(&plan::accuracy_at(cost), "", Higher, &meaning)
        };
        let mut metrics: Vec<MetricSpec> = COSTS.into_iter().map(at).collect();
        metrics.extend([
            m("test/area", "", Higher, "mean test accuracy over all costs from the first exit's"),
            m("test/accuracy", "", Higher, "test accuracy with one weight of the cost"),
            m("test/cost", "", Lower, "mean cost on the test data, 1 for the last exit"),
            m("curve/lowest-cost", "", Neither, "lowest cost of a point of the method"),
            m("curve/highest-cost", "", Neither, "highest cost of a point of the method"),
            m("curve/span", "", Higher, "cost with the least weight less that with the largest"),
            m("curve/spearman", "", Lower, "rank correlation of the cost and its weight"),
            m("oracle/slack", "", Neither, "least distance to the best accuracy of any rule"),
            m("oracle/gap", "nats", Neither, "loss and cost above those of the best exits"),
            m("backbone/accuracy", "", Higher, "test accuracy of the final head"),
            m("backbone/train-accuracy", "", Neither, "its accuracy on the training data"),
            m("backbone/cost", "", Neither, "its cost without classifiers and gates"),
            m("matched/accuracy", "", Higher, "test accuracy, mean over the three costs"),
            m("matched/ece", "", Lower, "calibration error of the exited predictions, 15 bins"),
            m("matched/overconfidence", "", Neither, "mean largest probability less accuracy"),
            m("matched/size", "", Lower, "classes in a prediction set, alpha 0.05"),
            m("matched/coverage", "", Neither, "share of sets with the right class, alpha 0.05"),
            m("matched/size-by-exit", "", Lower, "as size, each exit calibrated by itself"),
            m("matched/coverage-by-exit", "", Neither, "coverage of those"),
            m("matched/size-0.01", "", Lower, "as size, alpha 0.01"),
            m("matched/coverage-0.01", "", Neither, "coverage of those"),
        ]);
        for (baseline, group) in plan::OWN_COSTS {
            for measure in plan::OWN_MEASURES {
                let better = if measure == "accuracy" { Higher } else { Lower };
                let name = format!("{baseline}, at the costs of the method's own points");
                let meaning = format!("{measure} less that of {name}");
                metrics.push(m(&format!("{group}/{measure}"), "", better, &meaning));
            }
        }
        metrics
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        let frozen = plan::pretrain(run, config)?;
        let rates = plan::tune(run, config, &frozen)?;
        let outcomes = plan::arms(run, config, &frozen, &rates)?;
        plan::curves(run, config, &frozen, &outcomes)
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let settings = [self.quick.setting, self.full.setting];
        let of_run = |setting: &&str| results.has(setting, JEI, "test/area");
        match settings.into_iter().find(of_run) {
            Some(setting) => checks::fill(results, judge, setting),
            None => Ok(()),
        }
    }
}

fn failed(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}
