//! One training, with its measurements.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use pressrun_data::Batches;
use pressrun_lab::{Arm, Error, Result, Rng};
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::sequence::mask_sequence;
use pressrun_nn::{device, loss};

use super::data::{Batch, Market, Sessions, Slice};
use super::gates;
use super::model::{Kind, Ranker};
use super::{Config, METRICS, SLICES};

/// Sessions of one forward pass when nothing is learnt.
const EVALUATION: usize = 100;

/// What an arm is told.
#[derive(Debug, Clone)]
pub struct Task {
    /// The ranker.
    pub kind: Kind,
    /// Learning rate.
    pub lr: f64,
    /// Factor of the contrastive loss; 0 leaves it out.
    pub lambda: f64,
    /// Whether curves and results are reported; a candidate of a grid does not report.
    pub report: bool,
    /// The market of the seed.
    pub market: Arc<Market>,
}

/// What an arm ended with.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// AUC within a session of the validation sessions, at the best epoch.
    pub validation: f64,
    /// AUC, AUC within a session and NDCG of the test sessions: all, head, tail. A candidate of a
    /// grid never reads the test.
    pub test: Option<[[f64; 3]; 3]>,
}

/// Lets an error of a lower crate be one of the lab.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Study(error.to_string())
}

/// Updates of a training.
pub fn steps(config: &Config) -> u64 {
    (config.epochs * config.market.sessions[0].div_ceil(config.batch)) as u64
}

/// Trains one ranker, keeps its best epoch, and measures that on the test sessions.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn train(arm: &Arm<'_, Task>, config: &Config) -> Result<Outcome> {
    let Task { kind, lr, report, market, .. } = arm.config();
    let device = device::named(arm.run().device()).map_err(failed)?;
    let mut rng = arm.rng("init");
    let model = Ranker::new(*kind, &config.shape, &config.market, &device, &mut rng);
    let mut model = model.map_err(failed)?;
    let mut adam = AdamConfig::new().init().map_err(failed)?;
    let (mut order, mut masks) = (arm.rng("batches"), arm.rng("masks"));
    let mut batches = Batches::new(market.train.len(), config.batch);
    let (mut best, mut best_auc) = (model.clone(), f64::NEG_INFINITY);
    for epoch in 0..config.epochs {
        let (mut ranking, mut contrastive) = (0.0, 0.0);
        for of in batches.epoch(&mut order) {
            arm.step()?;
            let batch = Batch::new(market, &market.train, of, &device);
            let (rank, part) = losses(arm.config(), config, &model, &batch, &mut masks);
            ranking += rank.clone().into_scalar::<f64>();
            // L = L_rank + lambda L_cl
            let total = match part {
                Some(part) => {
                    contrastive += part.clone().into_scalar::<f64>();
                    rank + part * arm.config().lambda
                }
                None => rank,
            };
            model = adam.step(*lr, model, total.backward());
        }
        let auc = within_sessions(&model, market, &market.validation, &device)?;
        if *report {
            let (epoch, n) = (epoch as u64 + 1, batches.per_epoch() as f64);
            arm.point("train/loss", epoch, ranking / n);
            arm.point("valid/session_auc", epoch, auc);
            if arm.config().lambda > 0.0 {
                arm.point("train/contrastive", epoch, contrastive / n);
            }
        }
        if auc > best_auc {
            (best, best_auc) = (model.clone(), auc);
        }
    }
    let test = report.then(|| finish(arm, config, &best.valid(), &device)).transpose()?;
    Ok(Outcome { validation: best_auc, test })
}

/// `L_rank`, and `L_cl` where it is asked for: the gate of the whole sequence against that of a
/// randomly masked one. Experts and ranking loss see the whole sequence only.
pub fn losses(
    task: &Task,
    config: &Config,
    model: &Ranker,
    batch: &Batch,
    masks: &mut Rng,
) -> (Tensor<1>, Option<Tensor<1>>) {
    let encoded = model.encode(batch, &task.market.items);
    let (logits, g) = model.forward(batch, &encoded);
    let ranking = loss::bce_with_logits(logits, batch.clicks.clone());
    let contrastive = g.filter(|_| task.lambda > 0.0).and_then(|g| {
        let kept = mask_sequence(&batch.mask, batch.places, config.masked, masks);
        let masked = model.weights(&encoded, batch.numbers(&kept))?;
        Some(loss::info_nce(g, masked, config.temperature, &batch.same_user()))
    });
    (ranking, contrastive)
}

/// Scores of all candidates of a part.
pub fn score(model: &Ranker, market: &Market, part: &Sessions, device: &Device) -> Vec<f64> {
    let all: Vec<usize> = (0..part.len()).collect();
    let chunks = all.chunks(EVALUATION).flat_map(|of| {
        let batch = Batch::new(market, part, of, device);
        let encoded = model.encode(&batch, &market.items);
        let (logits, _) = model.forward(&batch, &encoded);
        logits.try_into_vec_as::<f32>().expect("logits are floats")
    });
    chunks.map(f64::from).collect()
}

fn within_sessions(
    model: &Ranker,
    market: &Market,
    part: &Sessions,
    device: &Device,
) -> Result<f64> {
    let all: Vec<usize> = (0..part.len()).collect();
    Ok(part.ranking(&score(&model.valid(), market, part, device), &all)?[1])
}

/// The three metrics of each slice of the test sessions.
///
/// # Errors
/// If a slice has no clicks, or a score is no number.
pub fn slices(market: &Market, scores: &[f64]) -> Result<[[f64; 3]; 3]> {
    let of = |slice| market.test.ranking(scores, &market.sessions_of(&market.test, slice));
    Ok([of(Slice::All)?, of(Slice::Head)?, of(Slice::Tail)?])
}

/// The numbers of the finished model on the test sessions.
fn finish(
    arm: &Arm<'_, Task>,
    config: &Config,
    model: &Ranker,
    device: &Device,
) -> Result<[[f64; 3]; 3]> {
    let market = &arm.config().market;
    let test = slices(market, &score(model, market, &market.test, device))?;
    for (values, slice) in test.iter().zip(SLICES) {
        for (value, metric) in values.iter().zip(METRICS) {
            arm.result(&format!("{slice}/{metric}"), *value);
        }
    }
    arm.result("cost/parameters", model.network_parameters() as f64);
    gates::measure(arm, config, model, device)?;
    Ok(test)
}
