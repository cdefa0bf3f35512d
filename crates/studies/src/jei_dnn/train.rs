//! Classifiers and gates on frozen features: warm-up, then one against the other.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Device, Tensor};
use pressrun_data::Batches;
use pressrun_lab::{Arm, Result, Rng};
use pressrun_nn::gate::{
    ExitGate, ExitGateConfig, FEATURES, exit_distribution, exit_targets, optimal_exit,
    uncertainty_features,
};
use pressrun_nn::optim::{Sgd, SgdConfig};
use pressrun_nn::schedule::Schedule;
use pressrun_nn::{device, loss};

use super::frozen::{Batch, Frozen, Part};
use super::measure::{Outputs, exits_of};
use super::model::Classifiers;
use super::{Config, Method, Recipe, failed};

/// Largest weight of a gate's positive targets.
const MOST_RHO: f64 = 5.0;

/// Smallest weighted loss of a sample by which its weights are scaled.
const LEAST_LOSS: f64 = 1e-12;

/// What an arm is told.
#[derive(Debug, Clone)]
pub struct Task {
    /// The method.
    pub recipe: Recipe,
    /// Learning rate at the start.
    pub lr: f64,
    /// Weight of the cost; methods without gates have none.
    pub lambda: Option<f64>,
    /// Whether it is a candidate of the grid: it is judged on validation data.
    pub tuning: bool,
    /// Whether curves are reported.
    pub curves: bool,
}

/// A model after its training, without gradients.
#[derive(Debug, Clone)]
pub struct Exits {
    /// The inference modules.
    pub classifiers: Classifiers,
    /// The gates, where the method has some.
    pub gate: Option<ExitGate>,
}

/// Loss of every exit but the last, `[rows, gates]`.
pub fn exit_losses(logits: Tensor<2>, batch: &Batch) -> Tensor<2> {
    let (gates, rows) = (batch.z.len(), batch.labels.dims()[0]);
    let labels = Tensor::cat(vec![batch.labels.clone(); gates], 0);
    loss::nll(logits, labels).reshape([gates, rows]).swap_dims(0, 1)
}

/// Loss of every exit, `[rows, gates + 1]`.
pub fn all_losses(logits: Tensor<2>, batch: &Batch) -> Tensor<2> {
    let last = loss::nll(batch.head.clone(), batch.labels.clone()).unsqueeze_dim(1);
    Tensor::cat(vec![exit_losses(logits, batch), last], 1)
}

/// What the gates see, `[rows, gates, 4]`.
pub fn gate_features(logits: Tensor<2>, gates: usize) -> Tensor<3> {
    let rows = logits.dims()[0] / gates;
    uncertainty_features(logits).reshape([gates, rows, FEATURES]).swap_dims(0, 1)
}

/// The loss of the classifiers: each sample where the gates send it, as large as without gates.
///
/// ```text
/// mean over b, l of r_b P_bl CE_bl        r_b = sum_l CE_bl / sum_l P_bl CE_bl
/// ```
///
/// With `detach`, `r_b` is a constant. Without it the sum over `l` of `r_b P_bl CE_bl` is that of
/// `CE_bl`, and so is its gradient: the gates then do not count.
pub fn classifier_loss(ce: Tensor<2>, p: Tensor<2>, detach: bool) -> Tensor<1> {
    let weighted = ce.clone() * p;
    let r = ce.sum_dim(1) / weighted.clone().sum_dim(1).clamp_min(LEAST_LOSS);
    let r = if detach { r.detach() } else { r };
    (weighted * r).mean()
}

/// The loss of the gates: binary cross-entropy, positive targets weighted by `rho`.
pub fn gate_loss(h: Tensor<2>, targets: Tensor<2>, rho: &[f64]) -> Tensor<1> {
    let rho: Vec<f32> = rho.iter().map(|&rho| rho as f32).collect();
    let rho = Tensor::<1>::from_floats(rho.as_slice(), &h.device()).unsqueeze::<2>();
    let leave = targets.clone() * rho * log_sigmoid(h.clone());
    let stay = (-targets + 1.0) * log_sigmoid(-h);
    -(leave + stay).mean()
}

/// Weights of the gates' positive targets: exits that are seldom the best one weigh more.
///
/// ```text
/// rho_l = min(5, (N - n_l) / max(n_l, 0.1))
/// ```
pub fn rho(optimal: &[usize], gates: usize) -> Vec<f64> {
    let count = |l| optimal.iter().filter(|&&o| o == l).count() as f64;
    let rho = |n: f64| ((optimal.len() as f64 - n) / n.max(0.1)).min(MOST_RHO);
    (0..gates).map(|l| rho(count(l))).collect()
}

/// A training as it goes on.
pub struct Training<'a> {
    arm: &'a Arm<'a, (Method, Task)>,
    task: &'a Task,
    config: &'a Config,
    frozen: &'a Frozen,
    device: Device,
    batches: Batches,
    order: Rng,
    lr: Schedule,
    updates: usize,
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("updates", &self.updates).finish_non_exhaustive()
    }
}

impl<'a> Training<'a> {
    /// A training from the start. All arms of a seed have the same batches.
    ///
    /// # Errors
    /// If there is no such device.
    pub fn new(
        arm: &'a Arm<'a, (Method, Task)>,
        config: &'a Config,
        frozen: &'a Frozen,
    ) -> Result<Self> {
        let (_, task) = arm.config();
        let (from, steps) = (task.lr, config.steps(frozen.train.len()));
        Ok(Self {
            arm,
            task,
            config,
            frozen,
            device: device::named(arm.run().device()).map_err(failed)?,
            batches: Batches::new(frozen.train.len(), config.batch).drop_last(),
            order: arm.rng("batches"),
            lr: Schedule::Cosine { from, to: from * config.lr_end, steps },
            updates: 0,
        })
    }

    /// Trains by the arm's recipe.
    ///
    /// # Errors
    /// If the run is cancelled or a layer cannot be made.
    pub fn run(mut self) -> Result<Exits> {
        let (config, shape) = (self.config, &self.frozen.shape);
        let mut rng = self.arm.rng("classifiers");
        let classifiers = Classifiers::new(shape, &self.device, &mut rng).map_err(failed)?;
        let warm = (config.warm_up, Some(config.patience));
        let (epochs, patience) = match self.task.recipe {
            Recipe::Thresholds { as_long: true } => (config.epochs, None),
            _ => warm,
        };
        let (classifiers, epochs) = self.warm_up(classifiers, epochs, patience)?;
        match self.task.recipe {
            Recipe::Thresholds { .. } => Ok(Exits { classifiers: classifiers.valid(), gate: None }),
            Recipe::Joint { detach, .. } => self.alternate(classifiers, epochs, Some(detach)),
            Recipe::Decoupled => self.alternate(classifiers, epochs, None),
        }
    }

    fn lambda(&self) -> f64 {
        self.task.lambda.unwrap_or(0.0)
    }

    fn next(&mut self) -> Result<(Batch, f64)> {
        self.arm.step()?;
        let lr = self.lr.at(self.updates);
        self.updates += 1;
        let rows = self.batches.next(&mut self.order);
        Ok((self.frozen.train.batch(rows, &self.device), lr))
    }

    fn sgd(&self) -> Result<Sgd> {
        let config = SgdConfig::new().with_momentum(self.config.momentum);
        config.with_l2(self.config.l2).init().map_err(failed)
    }

    /// Trains the classifiers alone, early exits weighing more. Each keeps its best epoch; with a
    /// patience it stops after as many epochs without a better one.
    fn warm_up(
        &mut self,
        mut model: Classifiers,
        most: usize,
        patience: Option<usize>,
    ) -> Result<(Classifiers, usize)> {
        let gates = self.frozen.shape.gates();
        let weights: Vec<f32> = (0..gates).map(|l| (gates + 1 - l) as f32).collect();
        let weights = Tensor::<1>::from_floats(weights.as_slice(), &self.device).unsqueeze::<2>();
        let mut sgd = self.sgd()?;
        let mut best: Vec<_> =
            model.layers.iter().map(|l| (f64::NEG_INFINITY, l.clone())).collect();
        let mut waited = vec![0; gates];
        // The gradients of different classifiers do not meet: one that has stopped is not looked
        // at any more, and its best epoch takes its place in the end.
        let stopped = |waited: usize| patience.is_some_and(|patience| waited >= patience);
        let mut epochs = 0;
        while epochs < most && !waited.iter().all(|&waited| stopped(waited)) {
            for _ in 0..self.batches.per_epoch() {
                let (batch, lr) = self.next()?;
                let ce = exit_losses(model.forward(&batch.z), &batch);
                let total = (ce * weights.clone()).sum_dim(1).mean();
                model = sgd.step(lr, model, total.backward());
            }
            epochs += 1;
            let outputs = self.outputs(&model, &self.frozen.validation)?;
            for (l, layer) in model.layers.iter().enumerate() {
                if stopped(waited[l]) {
                    continue;
                }
                let accuracy = outputs.accuracy(&vec![l; outputs.rows()]);
                waited[l] += 1;
                if accuracy > best[l].0 {
                    best[l] = (accuracy, layer.clone());
                    waited[l] = 0;
                }
            }
        }
        let layers = best.into_iter().map(|(_, layer)| layer).collect();
        Ok((Classifiers { layers }, epochs))
    }

    /// Gates and classifiers in turn, or the gates alone without `joint`; `joint` says whether the
    /// ratio of the classifiers' loss is detached.
    fn alternate(
        mut self,
        mut model: Classifiers,
        warm: usize,
        joint: Option<bool>,
    ) -> Result<Exits> {
        let gates = self.frozen.shape.gates();
        let gate = ExitGateConfig::new(gates).init(&self.device, &mut self.arm.rng("gate"));
        let (mut gate, mut turn) = (gate.map_err(failed)?, 0);
        let (mut of_model, mut of_gate) = (self.sgd()?, self.sgd()?);
        let weighted = !matches!(self.task.recipe, Recipe::Joint { weighted: false, .. });
        let mut weights = vec![1.0; gates];
        let mut best: Option<(f64, Exits)> = None;
        for epoch in warm..self.config.epochs {
            for _ in 0..self.batches.per_epoch() {
                let (batch, lr) = self.next()?;
                let gates_turn = (turn / self.config.switch).is_multiple_of(2);
                turn += 1;
                match joint {
                    Some(detach) if !gates_turn => {
                        let loss = joint_loss(&model, &gate, &batch, detach);
                        model = of_model.step(lr, model, loss.backward());
                    }
                    _ => {
                        let logits = model.forward(&batch.z);
                        let loss = self.gates_loss(&gate, logits, &batch, &weights);
                        gate = of_gate.step(lr, gate, loss.backward());
                    }
                }
            }
            let outputs = self.outputs(&model, &self.frozen.validation)?;
            let costs = &self.frozen.costs.gated;
            let optimal = optimal_exit(&outputs.losses, costs, self.lambda());
            if weighted {
                weights = rho(&optimal, gates);
            }
            let exits = Exits { classifiers: model.valid(), gate: Some(gate.valid()) };
            let taken = exits_of(&gate.valid().route(outputs.features.clone()));
            let accuracy = outputs.accuracy(&taken);
            self.report(epoch, accuracy, outputs.mean(&taken, |_, exit| costs[exit]));
            // Gates that have hardly been trained would otherwise win by leaving late.
            let late = 2 * (epoch + 1 - warm) > self.config.epochs - warm;
            if late && best.as_ref().is_none_or(|(most, _)| accuracy > *most) {
                best = Some((accuracy, exits));
            }
        }
        let none = || pressrun_lab::Error::Study("no epoch is left for the gates".into());
        best.map(|(_, exits)| exits).ok_or_else(none)
    }

    /// The gates' loss on a batch of which the logits are known.
    fn gates_loss(
        &self,
        gate: &ExitGate,
        logits: Tensor<2>,
        batch: &Batch,
        rho: &[f64],
    ) -> Tensor<1> {
        let (gates, lambda) = (batch.z.len(), self.lambda());
        let losses = all_losses(logits.clone(), batch);
        let optimal = optimal_exit(&losses, &self.frozen.costs.gated, lambda);
        let h = gate.forward(gate_features(logits, gates));
        gate_loss(h, exit_targets(&optimal, gates, &self.device), rho)
    }

    fn outputs(&self, model: &Classifiers, part: &Part) -> Result<Outputs> {
        Outputs::of(&model.valid(), part, &self.device.clone().inner())
    }

    fn report(&self, epoch: usize, accuracy: f64, cost: f64) {
        if self.task.curves {
            self.arm.point("validation/accuracy", epoch as u64 + 1, accuracy);
            self.arm.point("validation/cost", epoch as u64 + 1, cost);
        }
    }
}

/// The classifiers' loss on a batch, with the gates as they are.
pub fn joint_loss(model: &Classifiers, gate: &ExitGate, batch: &Batch, detach: bool) -> Tensor<1> {
    let (gates, logits) = (batch.z.len(), model.forward(&batch.z));
    let features = gate_features(logits.clone(), gates).inner();
    let (p, _) = exit_distribution(sigmoid(gate.valid().forward(features)));
    let p = Tensor::from_inner(p.narrow(1, 0, gates));
    classifier_loss(exit_losses(logits, batch), p, detach)
}
