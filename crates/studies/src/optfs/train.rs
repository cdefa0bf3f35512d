//! The model and its two phases: search with soft gates, retraining with hard ones.

use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Int, Tensor};
use pressrun_data::{Batches, metric};
use pressrun_lab::{Arm, Error, Result};
use pressrun_nn::ctr::{Backbone, BackboneConfig, GateMode, GatedEmbedding, GatedEmbeddingConfig};
use pressrun_nn::loss::bce_with_logits;
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;
use rand::seq::index;

use super::data::Rows;
use super::{Candidate, Config, Method, Network, Task};

/// Rows of one forward pass when nothing is learnt.
const EVALUATION_ROWS: usize = 4096;

/// Gated embeddings and what stands on them.
#[derive(Module, Debug)]
pub struct Model {
    /// The gated table.
    pub embedding: GatedEmbedding,
    /// FM or `DeepFM`.
    pub backbone: Backbone,
}

/// What an arm ended with.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// AUC on the validation rows at the chosen epoch.
    pub valid_auc: f64,
    /// AUC on the test rows.
    pub test_auc: f64,
    /// Mean cross-entropy on the test rows.
    pub test_logloss: f64,
    /// Features whose gate is not 0 in the mode in which the model was tested.
    pub kept: Vec<bool>,
    /// Numbers to store besides the rows of the table.
    pub dense_parameters: usize,
    /// Validation AUC with the last soft gates minus that with hard ones, same weights.
    pub hardening: Option<f64>,
}

/// Lets an error of a lower crate be one of the lab.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Study(error.to_string())
}

impl Model {
    fn init(arm: &Arm<'_, Task>, config: &Config, device: &Device, purpose: &str) -> Result<Self> {
        let task = arm.config();
        let (fields, features) = (task.log.sizes.len(), task.log.features());
        let mut rng = arm.rng(purpose);
        let mut embedding = GatedEmbeddingConfig::new(features, config.width);
        if task.method == Method::FieldGates {
            embedding = embedding.with_field_gates(task.log.sizes.clone());
        }
        let backbone = match task.network {
            // The free constant is ours: without it frequent useless values serve as one.
            Network::Fm => BackboneConfig::fm(fields, config.width).with_bias(true),
            Network::DeepFm => BackboneConfig::deep_fm(fields, config.width),
        };
        let backbone = backbone.with_hidden(config.hidden.clone());
        Ok(Self {
            embedding: embedding.init(device, &mut rng).map_err(failed)?,
            backbone: backbone.init(device, &mut rng).map_err(failed)?,
        })
    }

    fn logits(&self, ids: Tensor<2, Int>, mode: GateMode) -> Tensor<1> {
        self.backbone.forward(self.embedding.lookup(ids, mode)).squeeze_dim(1)
    }

    /// Everything but the gates as it was at the checkpoint.
    fn rewind(self, checkpoint: &Self) -> Self {
        Self {
            embedding: self.embedding.rewind(&checkpoint.embedding),
            backbone: checkpoint.backbone.clone(),
        }
    }

    fn score(&self, rows: &Rows, mode: GateMode, device: &Device) -> Vec<f32> {
        let model = self.valid();
        let all: Vec<usize> = (0..rows.len()).collect();
        let chunks = all.chunks(EVALUATION_ROWS).flat_map(|chunk| {
            let (ids, _) = rows.batch(chunk, device);
            let logits = model.logits(ids.inner(), mode);
            logits.try_into_vec_as::<f32>().expect("logits are floats")
        });
        chunks.collect()
    }

    fn auc(&self, rows: &Rows, mode: GateMode, device: &Device) -> Result<f64> {
        metric::auc(&self.score(rows, mode, device), &rows.labels)
            .ok_or_else(|| failed("rows of one class have no AUC"))
    }
}

/// Trains one arm from its first weights to its test numbers.
pub fn train(arm: &Arm<'_, Task>, config: &Config, device: &Device) -> Result<Outcome> {
    let task = arm.config();
    let fresh = || Model::init(arm, config, device, "init");
    let (model, mode, first_epoch, hardening) = match task.method {
        Method::Backbone => (fresh()?, GateMode::Off, 0, None),
        Method::Frequency | Method::Random => {
            let mut model = fresh()?;
            model.embedding = model.embedding.with_kept(&given(arm)?);
            (model, GateMode::Hard, 0, None)
        }
        Method::OptFs
        | Method::NoPenalty
        | Method::FieldGates
        | Method::NoRewind
        | Method::NeverHard => {
            let (model, checkpoint) = search(arm, config, device)?;
            let mode = match task.method {
                Method::NeverHard => GateMode::Soft { tau: 1.0 },
                _ => GateMode::Hard,
            };
            let last = GateMode::Soft { tau: temperature(config, task.method).at(config.epochs) };
            let rows = &task.log.validation;
            let hardening =
                model.auc(rows, last, device)? - model.auc(rows, GateMode::Hard, device)?;
            let start = match task.method {
                Method::NoRewind => Model::init(arm, config, device, "init again")?,
                _ => checkpoint,
            };
            (model.rewind(&start), mode, config.epochs, Some(hardening))
        }
    };
    let (model, valid_auc) = retrain(arm, config, device, model, mode, first_epoch)?;
    let scores = model.score(&task.log.test, mode, device);
    let labels = &task.log.test.labels;
    Ok(Outcome {
        valid_auc,
        test_auc: metric::auc(&scores, labels).unwrap_or(f64::NAN),
        test_logloss: metric::logloss(&scores, labels),
        kept: model.embedding.kept(mode),
        dense_parameters: model.backbone.num_params(),
        hardening,
    })
}

/// tau of each epoch of the search: 1 at first, the final one in the last epoch.
pub fn temperature(config: &Config, method: Method) -> Schedule {
    match method {
        Method::NeverHard => Schedule::Constant(1.0),
        _ => Schedule::Exponential { from: 1.0, to: config.gamma, steps: config.epochs - 1 },
    }
}

/// Weights and gates together, gates getting steeper with every epoch.
///
/// loss = mean cross-entropy + lambda * sum over all M features of sigmoid(tau m)
///
/// Returns the model after the last epoch and the one at the start of epoch `rewind`.
pub fn search(arm: &Arm<'_, Task>, config: &Config, device: &Device) -> Result<(Model, Model)> {
    let Task { log, candidate, method, report, .. } = arm.config();
    let Candidate { lr, l2, lambda } = *candidate;
    let mut model = Model::init(arm, config, device, "init")?;
    let mut checkpoint = model.clone();
    // Decay on the gates would prune whatever the penalty says.
    let gates = ParamGroup::from_path("embedding.gate");
    let adam = AdamConfig::new().with_l2(l2).init().map_err(failed)?;
    let mut adam = adam.with_group(gates, &AdamConfig::new()).map_err(failed)?;
    let temperature = temperature(config, *method);
    let (mut rng, mut batches) = (arm.rng("search"), Batches::new(log.train.len(), config.batch));
    for epoch in 0..config.epochs {
        if epoch == config.rewind {
            checkpoint = model.clone();
        }
        let tau = temperature.at(epoch);
        let mut sum = 0.0;
        for rows in batches.epoch(&mut rng) {
            arm.step()?;
            let (ids, labels) = log.train.batch(rows, device);
            let loss = bce_with_logits(model.logits(ids, GateMode::Soft { tau }), labels);
            sum += loss.clone().into_scalar::<f64>();
            let loss = loss + model.embedding.l1(tau) * lambda;
            model = adam.step(lr, model, loss.backward());
        }
        if *report {
            let kept = model.embedding.kept(GateMode::Hard);
            let open = kept.iter().filter(|k| **k).count() as f64 / kept.len() as f64;
            arm.point("gate/temperature", epoch as u64, tau);
            arm.point("gate/open", epoch as u64, open);
            arm.point("train/loss", epoch as u64, sum / batches.per_epoch() as f64);
            let auc = model.auc(&log.validation, GateMode::Soft { tau }, device)?;
            arm.point("valid/auc", epoch as u64, auc);
        }
    }
    Ok((model, checkpoint))
}

/// Weights alone, gates frozen, until the validation AUC no longer rises; back to the best epoch.
fn retrain(
    arm: &Arm<'_, Task>,
    config: &Config,
    device: &Device,
    mut model: Model,
    mode: GateMode,
    first_epoch: usize,
) -> Result<(Model, f64)> {
    let Task { log, candidate, report, .. } = arm.config();
    model.embedding = model.embedding.with_frozen_gates();
    let mut adam = AdamConfig::new().with_l2(candidate.l2).init().map_err(failed)?;
    let (mut best, mut best_auc) = (model.clone(), f64::NEG_INFINITY);
    let (mut rng, mut batches) = (arm.rng("retrain"), Batches::new(log.train.len(), config.batch));
    for epoch in 0..config.retrain_epochs {
        let mut sum = 0.0;
        for rows in batches.epoch(&mut rng) {
            arm.step()?;
            let (ids, labels) = log.train.batch(rows, device);
            let loss = bce_with_logits(model.logits(ids, mode), labels);
            sum += loss.clone().into_scalar::<f64>();
            model = adam.step(candidate.lr, model, loss.backward());
        }
        let auc = model.auc(&log.validation, mode, device)?;
        if *report {
            let step = (first_epoch + epoch) as u64;
            arm.point("train/loss", step, sum / batches.per_epoch() as f64);
            arm.point("valid/auc", step, auc);
        }
        if auc <= best_auc {
            break;
        }
        (best, best_auc) = (model.clone(), auc);
    }
    Ok((best, best_auc))
}

/// The features of an arm that does not learn its choice: as many as `OptFS` kept.
fn given(arm: &Arm<'_, Task>) -> Result<Vec<bool>> {
    let task = arm.config();
    let features = task.log.features();
    let count = task.kept.ok_or_else(|| failed("a given mask needs the number of features"))?;
    let mut kept = vec![false; features];
    if task.method == Method::Frequency {
        let counts = task.log.frequencies();
        let mut order: Vec<usize> = (0..features).collect();
        order.sort_by_key(|&id| (std::cmp::Reverse(counts[id]), id));
        order[..count].iter().for_each(|&id| kept[id] = true);
    } else {
        index::sample(&mut arm.rng("mask"), features, count).iter().for_each(|id| kept[id] = true);
    }
    Ok(kept)
}
