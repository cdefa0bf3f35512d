//! One trial: a model trained and measured.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::{Batches, metric};
use pressrun_lab::{Arm, Error, Result, Rng};
use pressrun_nn::gate::{Gate, Pass, Router, Routing, Tokens};
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::{device, loss};

use super::Config;
use super::data::{Data, Part, Targets};
use super::model::{GateKind, Model, Setting};

/// What an arm is told.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// The gate.
    pub gate: GateKind,
    /// Whether a permutation is learned.
    pub search: bool,
    /// What the trial drew.
    pub setting: Setting,
    /// Whether curves are reported.
    pub curves: bool,
}

/// What a trial found.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Validation loss: chosen by.
    pub validation: f64,
    /// Test loss.
    pub test: f64,
    /// Test AUC of "watched", or accuracy of the class.
    pub score: f64,
    /// Share of test decisions with more than k weights above 1e-5.
    pub overfull: f64,
    /// Largest deviation of a row's weights from the sum 1.
    pub sum_error: f64,
    /// Mean number of experts of a test decision.
    pub active: f64,
    /// Largest jump of the weights along paths between rows when the steps are halved, as a share of
    /// the jump before: 1/2 for a smooth gate, 1 where experts are exchanged at once.
    pub jump: f64,
}

/// Weights above this count as an expert that is used.
const USED: f32 = 1e-5;

/// Rows that are evaluated at once.
const EVAL_ROWS: usize = 512;

/// Trains a model and measures it.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn train(arm: &Arm<'_, Task>, config: &Config, data: &Data) -> Result<Found> {
    let (task, setting) = (arm.config(), arm.config().setting);
    let device = device::named(arm.run().device()).map_err(study)?;
    let mut batches = Batches::new(data.train.len(), config.batch).drop_last();
    let per_epoch = batches.per_epoch();
    let steps = config.epochs * per_epoch;
    let search = task.search.then_some(setting.search_epochs.min(config.epochs) * per_epoch);
    // Gates of one trial share the rest of the model and the batches.
    let mut model = Model::new(
        data,
        config.source,
        &config.shape,
        (task.gate, search),
        &setting,
        &device,
        (&mut arm.rng("init"), &mut arm.rng("gate")),
    )
    .map_err(study)?;
    let (mut order, mut noise) = (arm.rng("batches"), arm.rng("noise"));
    let mut adam = AdamConfig::new().init().map_err(study)?;
    let k = config.shape.k;
    for step in 0..steps {
        arm.step()?;
        let rows = batches.next(&mut order).to_vec();
        let x = model.features(&data.train.batch(&rows, data.widths.0, &device));
        let symbols: Vec<u32> = rows.iter().map(|r| data.train.symbols[*r]).collect();
        let outputs = model.forward(&x, &symbols, step, Some(&mut noise));
        let own = losses(&outputs, &data.train, &rows, &device);
        // L = sum over tasks of the loss, and what the gates ask for.
        let extra = outputs.iter().filter_map(|(_, routing)| routing.extra_loss(0.0));
        let total = extra.fold(own.clone(), |total, extra| total + extra);
        let penalty = outputs.iter().filter_map(|(_, routing)| routing.penalty.clone());
        if task.curves && (step + 1) % config.report_every == 0 {
            let at = step as u64 + 1;
            arm.point("train/loss", at, scalar(own));
            arm.point("gate/penalty", at, penalty.map(scalar).sum());
            let (validation, _) =
                evaluate(k, &model.valid(), &data.validation, data, step, &device);
            arm.point("eval/loss", at, validation);
        }
        model = adam.step(setting.lr, model, total.backward());
    }
    let model = model.valid();
    let (validation, _) = evaluate(k, &model, &data.validation, data, steps, &device);
    let (test, seen) = evaluate(k, &model, &data.test, data, steps, &device);
    Ok(Found {
        validation,
        test,
        score: seen.score(&data.test),
        overfull: seen.overfull as f64 / seen.decisions as f64,
        sum_error: seen.sum_error,
        active: seen.active as f64 / seen.decisions as f64,
        jump: jump(config, &model, data, steps, &device),
    })
}

/// The sum of the tasks' losses over these rows, `[1]`.
fn losses(
    outputs: &[(Tensor<2>, Routing)],
    part: &Part,
    rows: &[usize],
    device: &Device,
) -> Tensor<1> {
    let n = rows.len();
    let values = |list: &[f32]| -> Tensor<2> {
        let list: Vec<f32> = rows.iter().map(|r| list[*r]).collect();
        Tensor::from_data(TensorData::new(list, [n, 1]), device)
    };
    match (&part.targets, outputs) {
        (Targets::Watched { watched, rating }, [(logit, _), (rated, _)]) => {
            let watched = values(watched);
            // The rating counts where there is one.
            let error = (rated.clone() - values(rating)).square() * watched.clone();
            let count = watched.clone().sum().clamp_min(1.0);
            loss::bce_with_logits(logit.clone(), watched) + error.sum() / count
        }
        (Targets::Class(class), [(logits, _)]) => {
            let list: Vec<i64> = rows.iter().map(|r| class[*r]).collect();
            let target = Tensor::<1, Int>::from_data(TensorData::new(list, [n]), device);
            loss::cross_entropy(logits.clone(), target)
        }
        _ => panic!("losses: the outputs are those of another data set"),
    }
}

/// What was seen of the first task's outputs and of all decisions.
#[derive(Debug, Default)]
struct Seen {
    outputs: Vec<f32>,
    decisions: usize,
    overfull: usize,
    active: usize,
    sum_error: f64,
}

impl Seen {
    fn score(&self, part: &Part) -> f64 {
        match &part.targets {
            Targets::Watched { watched, .. } => {
                let labels: Vec<u8> = watched.iter().map(|w| u8::from(*w > 0.5)).collect();
                metric::auc(&self.outputs, &labels).unwrap_or(f64::NAN)
            }
            Targets::Class(class) => {
                let best =
                    |row: &[f32]| (0..10).fold(0, |b, c| if row[c] > row[b] { c } else { b });
                let found = self.outputs.chunks(10).map(best);
                let right = found.zip(class).filter(|(a, b)| *a as i64 == **b).count();
                right as f64 / class.len() as f64
            }
        }
    }

    fn look(&mut self, routing: &Routing, k: usize) {
        let experts = routing.chosen.experts();
        let weights: Vec<f32> = host(routing.weights.clone());
        for row in weights.chunks(experts) {
            let used = row.iter().filter(|w| **w > USED).count();
            let sum: f64 = row.iter().map(|w| f64::from(*w)).sum();
            self.decisions += 1;
            self.active += used;
            self.overfull += usize::from(used > k);
            self.sum_error = self.sum_error.max((sum - 1.0).abs());
        }
    }
}

/// Mean loss over a part, weighted by rows, and what was seen.
fn evaluate(
    k: usize,
    model: &Model,
    part: &Part,
    data: &Data,
    step: usize,
    device: &Device,
) -> (f64, Seen) {
    let (mut sum, mut weight, mut seen) = (0.0, 0.0, Seen::default());
    let rows: Vec<usize> = (0..part.len()).collect();
    for rows in rows.chunks(EVAL_ROWS) {
        let x = model.features(&part.batch(rows, data.widths.0, device));
        let outputs = model.forward(&x, &part.symbols[rows[0]..rows[0] + rows.len()], step, None);
        let share = rows.len() as f64;
        sum += scalar(losses(&outputs, part, rows, device)) * share;
        weight += share;
        seen.outputs.extend(host(outputs[0].0.clone()));
        outputs.iter().for_each(|(_, routing)| seen.look(routing, k));
    }
    (sum / weight, seen)
}

/// Pairs of rows between which the first task's gate is followed.
const PATHS: usize = 8;

/// How the largest jump of the gate's weights changes when a path is followed in half the steps.
///
/// ```text
/// J(m) = max over paths and steps of |g(x + (s + 1) d / m) - g(x + s d / m)|_1
/// ratio = J(2 m) / J(m)
/// ```
fn jump(config: &Config, model: &Model, data: &Data, step: usize, device: &Device) -> f64 {
    if data.validation.len() < 2 * PATHS {
        return f64::NAN;
    }
    let rows: Vec<usize> = (0..2 * PATHS).collect();
    let x = host(model.features(&data.validation.batch(&rows, data.widths.0, device)));
    let width = x.len() / rows.len();
    let largest = |steps: usize| {
        let pairs = x.chunks(2 * width).map(|pair| {
            let (from, to) = pair.split_at(width);
            let point = |s: usize| {
                let t = s as f32 / steps as f32;
                from.iter().zip(to).map(move |(a, b)| a + t * (b - a))
            };
            let points: Vec<f32> = (0..=steps).flat_map(point).collect();
            let points = Tensor::from_data(TensorData::new(points, [steps + 1, width]), device);
            let g = weights(&model.tasks[0].router, points, step);
            let experts = config.shape.experts;
            let apart = |(a, b): (&[f32], &[f32])| -> f32 {
                a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
            };
            g.chunks(experts).zip(g[experts..].chunks(experts)).map(apart).fold(0.0, f32::max)
        });
        f64::from(pairs.fold(0.0, f32::max))
    };
    let (coarse, fine) = (largest(config.path_steps), largest(2 * config.path_steps));
    // A gate that nowhere changes does not jump.
    if coarse == 0.0 { 0.0 } else { fine / coarse }
}

fn weights(router: &Router, x: Tensor<2>, step: usize) -> Vec<f32> {
    let symbols = match router.gate {
        Gate::Hash(_) => vec![0; x.dims()[0]],
        _ => Vec::new(),
    };
    let tokens = Tokens { x, symbols: &symbols };
    host(router.forward(tokens, Pass::Infer { step }).weights)
}

fn host(x: Tensor<2>) -> Vec<f32> {
    x.try_into_vec_as().expect("floats of this processor")
}

fn scalar(x: Tensor<1>) -> f64 {
    f64::from(x.into_scalar::<f32>())
}

fn study(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}

/// The stream from which a trial draws its settings.
pub fn draws(trial: u64) -> Rng {
    pressrun_lab::stream(trial, "setting")
}
