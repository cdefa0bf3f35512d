//! Training with a ramped radius: the loop of the paper, with its parts switched by the recipe.

use burn::module::Module;
use burn::tensor::Device;
use pressrun_data::Batches;
use pressrun_lab::{Arm, Error, Result};
use pressrun_nn::bound::{
    BoundedNet, BoundedNetConfig, IntervalBounds, ReluStates, relu_balance_loss,
    robust_cross_entropy, tightness_loss,
};
use pressrun_nn::loss::cross_entropy;
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;

use super::data::tensors;
use super::evaluate::{self, errors};
use super::{Config, Recipe, Setting, Task};

/// Radius at which bounds are computed for the regularisers while the radius of training is 0.
const TINY_EPS: f64 = 1e-6;

/// Lets an error of a lower crate be one of the lab.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Study(error.to_string())
}

/// The network of a setting by a recipe.
pub fn network(setting: &Setting, recipe: Recipe) -> BoundedNetConfig {
    BoundedNetConfig::image(setting.source.shape(), 10)
        .with_convs(setting.convs.clone())
        .with_hidden(setting.hidden.clone())
        .with_batch_norm(recipe.batch_norm)
        .with_init(recipe.init)
}

/// Trains one arm and returns its network after the last epoch.
pub fn train(arm: &Arm<'_, Task>, config: &Config, device: &Device) -> Result<BoundedNet> {
    let Task { setting, pictures, method, lr, report } = arm.config();
    let (recipe, plan) = (method.recipe(), setting.plan.stretched(method.stretch()));
    let mut net = network(setting, recipe).init(device, &mut arm.rng("init")).map_err(failed)?;
    let mut adam = AdamConfig::new().with_clip(config.clip).init().map_err(failed)?;
    let mut batches = Batches::new(pictures.train.len(), setting.batch);
    let per_epoch = batches.per_epoch();
    let ramp = plan.ramp(setting.eps, per_epoch);
    let rate = plan.rate(*lr, per_epoch);
    let mut rng = arm.rng("batches");
    let mut step = 0;
    for epoch in 1..=plan.epochs {
        let mut loss_sum = 0.0;
        let mut states = None;
        for rows in batches.epoch(&mut rng) {
            let (x, labels) = tensors(&pictures.train, rows, device);
            // 1. the radius of this step
            let eps = ramp.at(step);
            let radius = if eps > 0.0 { eps } else { TINY_EPS };
            let input = IntervalBounds::from_box(x.clone(), radius, 0.0, 1.0);
            let input_radius = f64::from(input.mean_radius().into_scalar::<f32>());
            let (logits, bounded) = net.forward_train(x, input);
            // 2. the robust loss alone, never mixed with the natural one
            let main = if eps > 0.0 {
                robust_cross_entropy(net.margin(&bounded.last, labels))
            } else {
                cross_entropy(logits, labels)
            };
            loss_sum += main.clone().into_scalar::<f64>() * rows.len() as f64;
            // 3. the regularisers, which fade as the radius grows and end with the ramp
            let weight = config.lambda * (1.0 - eps / setting.eps);
            let loss = if recipe.regularise && epoch <= plan.last_ramp_epoch() && weight > 0.0 {
                let tight = tightness_loss(&bounded.pre_relu, input_radius, config.tau);
                let balance = relu_balance_loss(&bounded.pre_relu, config.tau);
                main + (tight + balance).mul_scalar(weight)
            } else {
                main
            };
            // 4. clipped gradients, Adam
            net = adam.step(rate.at(step), net, loss.backward());
            states = Some(bounded.pre_relu);
            step += 1;
            arm.step()?;
        }
        if *report {
            let at = epoch as u64;
            arm.point("train/loss", at, loss_sum / pictures.train.len() as f64);
            arm.point("train/eps", at, ramp.at(step - 1));
            let layers = states.iter().flatten().map(ReluStates::of).collect::<Vec<_>>();
            let mean = |part: fn(&ReluStates) -> f64| {
                layers.iter().map(part).sum::<f64>() / layers.len() as f64
            };
            arm.point("relu/active", at, mean(|s| s.active));
            arm.point("relu/inactive", at, mean(|s| s.inactive));
            let validation = errors(&net.valid(), &pictures.validation, setting.eps, device);
            arm.point("valid/clean-error", at, evaluate::share(&validation.wrong));
            arm.point("valid/verified-error", at, evaluate::share(&validation.unverified));
        }
    }
    Ok(net)
}

/// Epochs and what changes with them; epochs count from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// All epochs.
    pub epochs: usize,
    /// Epoch in which the ramp begins; the radius is 0 before.
    pub start: usize,
    /// Epochs of the ramp.
    pub length: usize,
    /// Epochs after which the learning rate is multiplied by [`Plan::DECAY`].
    pub milestones: Vec<usize>,
}

impl Plan {
    /// What a milestone does to the learning rate.
    pub const DECAY: f64 = 0.2;

    /// The same plan with everything after the natural epochs `factor` times as long.
    pub fn stretched(&self, factor: usize) -> Self {
        let natural = self.start - 1;
        let later = |epoch: usize| natural + (epoch - natural) * factor;
        Self {
            epochs: later(self.epochs),
            start: self.start,
            length: self.length * factor,
            milestones: self.milestones.iter().map(|&m| later(m)).collect(),
        }
    }

    /// Last epoch of the ramp, and of the regularisers.
    pub fn last_ramp_epoch(&self) -> usize {
        self.start + self.length - 1
    }

    /// The radius of each step.
    pub fn ramp(&self, eps: f64, per_epoch: usize) -> Schedule {
        let (start, end) = ((self.start - 1) * per_epoch, self.last_ramp_epoch() * per_epoch);
        Schedule::Smoothed { to: eps, start, end }
    }

    /// The learning rate of each step.
    pub fn rate(&self, lr: f64, per_epoch: usize) -> Schedule {
        let decayed = |(index, &epoch): (usize, &usize)| {
            (epoch * per_epoch, lr * Self::DECAY.powi(index as i32 + 1))
        };
        let milestones = self.milestones.iter().enumerate().map(decayed).collect();
        Schedule::Steps { from: lr, milestones }
    }
}
