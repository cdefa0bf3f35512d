//! One training, with its measurements.

use burn::module::Module;
use burn::tensor::Device;
use pressrun_lab::{Arm, Error, Result};
use pressrun_nn::expert::mean_cosine;
use pressrun_nn::gate::{Chosen, Gate, Pass, balance};
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;
use pressrun_nn::{device, loss};

use super::data::{Batch, Text, cover};
use super::model::{Ffn, GateKind, Model, Sparse, Timing};
use super::{Config, Experts, Recipe};

/// What an arm is told.
#[derive(Debug, Clone)]
pub struct Task {
    /// The method.
    pub recipe: Recipe,
    /// Largest learning rate.
    pub lr: f64,
    /// Updates.
    pub steps: usize,
    /// Whether curves and results are reported; a candidate of the grid does not report.
    pub report: bool,
}

/// The model at one moment of its training.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Updates so far.
    pub step: usize,
    /// Validation NLL of the model as it is being trained.
    pub as_trained: f64,
    /// Validation NLL with one expert for each token.
    pub sparse: f64,
    /// Multiplications and additions so far, forwards, in all tokens.
    pub flops: u64,
}

/// Phases of a training.
#[derive(Debug, Clone, Copy)]
pub struct Phases {
    /// First step with a gate.
    pub gate_from: usize,
    /// First step with one expert for each token (of the dense-to-sparse gate).
    pub hard_from: usize,
}

impl Phases {
    /// The phases of a recipe.
    pub fn of(config: &Config, recipe: Recipe, steps: usize) -> Self {
        let at = |share: f64| (share * steps as f64).round() as usize;
        let gate_from = match recipe.experts {
            Experts::Mature { .. } => at(config.mature),
            Experts::One => steps,
            Experts::Random => 0,
        };
        Self { gate_from, hard_from: at(config.mature + config.anneal).max(gate_from) }
    }
}

/// What the gate did, update by update.
#[derive(Debug, Default)]
struct GateLog {
    active: Vec<f64>,
    spread: Vec<f64>,
}

/// Trains one model and returns its validation curve.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn train(arm: &Arm<'_, Task>, config: &Config, text: &Text) -> Result<Vec<Moment>> {
    let (task, shape) = (arm.config(), &config.shape);
    let device = device::named(arm.run().device()).map_err(study)?;
    let phases = Phases::of(config, task.recipe, task.steps);
    let timing = Timing {
        temperature: Schedule::Exponential {
            from: config.t_max,
            to: config.t_min,
            steps: phases.hard_from - phases.gate_from,
        },
        hard_from: phases.hard_from - phases.gate_from,
        frozen_from: (config.stable * task.steps as f64).round() as usize,
        search_for: task.steps / 5,
    };
    // Arms of one seed have the same trunk, the same base expert and the same batches.
    let mut model = Model::new(shape, &device, &mut arm.rng("init")).map_err(study)?;
    let (mut batches, mut noise) = (arm.rng("batches"), arm.rng("gumbel"));
    let windows = (shape.context, config.batch);
    let adam = AdamConfig::new().with_betas(0.9, 0.98).with_decay(config.decay);
    let mut adam = adam.with_clip(config.clip).init().map_err(study)?;
    let lr = Schedule::WarmUp {
        steps: task.steps / 20,
        then: Box::new(Schedule::Linear { from: task.lr, to: 0.1 * task.lr, steps: task.steps }),
    };
    let validation =
        cover(&text.validation, windows, config.eval_characters, shape.reader, &device);
    let (mut moments, mut gate_log) = (Vec::new(), GateLog::default());
    let (mut evaluations, mut tokens) = (0, 0);
    let stable = task.recipe.gate == GateKind::Stable;
    let balance_factor = if stable { config.stable_balance } else { config.balance };
    for step in 0..task.steps {
        arm.step()?;
        if step == phases.gate_from {
            model.ffn = grow(arm, config, &timing, &model.ffn, &device)?;
        }
        let gate_step = step.saturating_sub(phases.gate_from);
        let batch = Batch::draw(&text.train, windows, shape.reader, &device, &mut batches)?;
        let pass = Pass::Train { step: gate_step, rng: &mut noise };
        let (logits, routing) = model.forward(&batch, pass);
        let nll = loss::cross_entropy(logits, batch.targets.clone());
        tokens += batch.symbols.len() as u64;
        evaluations += routing
            .as_ref()
            .map_or(batch.symbols.len() as u64, |routing| routing.chosen.evaluations());
        // L = NLL + 0.01 E sum_e me_e ce_e, and what else the gate asks for
        let extra = routing.as_ref().and_then(|routing| routing.extra_loss(balance_factor));
        let total = extra.map_or_else(|| nll.clone(), |extra| nll.clone() + extra);
        model = adam.step(lr.at(step + 1), model, total.backward());
        if let Some(routing) = &routing {
            gate_log.push(arm, step, &routing.chosen);
        }
        let last = step + 1 == task.steps;
        if (step + 1).is_multiple_of(config.eval_every) || last {
            let flops = tokens * shape.trunk_flops() + evaluations * shape.expert_flops();
            let hard = step >= phases.hard_from;
            let moment = measure(&model, &validation, step + 1, gate_step, hard, flops);
            report(arm, &moment, f64::from(nll.into_scalar::<f32>()));
            moments.push(moment);
        }
    }
    if task.report {
        arm.result("train/expert_evaluations", evaluations as f64 / 1e6);
        gate_log.results(arm, shape.experts, &phases);
        finish(arm, config, &model, text, task.steps - phases.gate_from, &device);
    }
    Ok(moments)
}

/// The experts and the gate that replace the dense layer.
fn grow(
    arm: &Arm<'_, Task>,
    config: &Config,
    timing: &Timing,
    base: &Ffn,
    device: &Device,
) -> Result<Ffn> {
    let (recipe, shape) = (arm.config().recipe, &config.shape);
    let (mut rng, Ffn::Dense(base)) = (arm.rng("experts"), base) else {
        return Err(Error::Study("the experts exist already".into()));
    };
    let router = recipe.gate.init(shape, timing, device, &mut arm.rng("gate")).map_err(study)?;
    let sparse = match recipe.experts {
        Experts::One => return Ok(Ffn::Dense(base.clone())),
        Experts::Random => Sparse::random(router, shape, device, &mut rng),
        Experts::Mature { rho } => Sparse::spawned(router, base, shape, rho, &mut rng),
    };
    Ok(Ffn::Sparse(sparse.map_err(study)?))
}

/// Validation NLL as trained and with one expert; `hard` says that these are the same.
fn measure(
    model: &Model,
    batches: &[Batch],
    step: usize,
    gate_step: usize,
    hard: bool,
    flops: u64,
) -> Moment {
    let model = model.valid();
    let sparse = evaluate(&model, batches, || Pass::Infer { step: gate_step }).0;
    let mixes = matches!(&model.ffn, Ffn::Sparse(s) if is_dts(s)) && !hard;
    let as_trained = if mixes {
        evaluate(&model, batches, || Pass::Mixture { step: gate_step }).0
    } else {
        sparse
    };
    Moment { step, as_trained, sparse, flops }
}

/// Mean NLL per character over the batches, and how many tokens each expert saw.
fn evaluate<'a>(
    model: &Model,
    batches: &[Batch],
    pass: impl Fn() -> Pass<'a>,
) -> (f64, Vec<usize>) {
    let (mut sum, mut count, mut load) = (0.0, 0, Vec::new());
    for batch in batches {
        let (logits, routing) = model.forward(batch, pass());
        sum += f64::from(loss::nll(logits, batch.targets.clone()).sum().into_scalar::<f32>());
        count += batch.symbols.len();
        if let Some(routing) = routing {
            load.resize(routing.chosen.experts(), 0);
            for (total, n) in load.iter_mut().zip(routing.chosen.load()) {
                *total += n;
            }
        }
    }
    (sum / count as f64, load)
}

fn is_dts(sparse: &Sparse) -> bool {
    matches!(sparse.router.gate, Gate::Dts(_))
}

fn report(arm: &Arm<'_, Task>, moment: &Moment, train_loss: f64) {
    if arm.config().report {
        let step = moment.step as u64;
        arm.point("train/loss", step, train_loss);
        arm.point("eval/nll", step, moment.as_trained);
        arm.point("eval/nll_sparse", step, moment.sparse);
    }
}

/// The numbers of the finished model on the test text.
fn finish(
    arm: &Arm<'_, Task>,
    config: &Config,
    model: &Model,
    text: &Text,
    gate_step: usize,
    device: &Device,
) {
    let windows = (config.shape.context, config.batch);
    let test = cover(&text.test, windows, usize::MAX, config.shape.reader, device);
    let model = model.valid();
    let (nll, load) = evaluate(&model, &test, || Pass::Infer { step: gate_step });
    arm.result("test/nll", nll);
    let seen: usize = test.iter().map(|batch| batch.symbols.len()).sum();
    let evaluations = if load.is_empty() { seen } else { load.iter().sum() };
    arm.result("test/active", evaluations as f64 / seen as f64);
    if let Ffn::Sparse(sparse) = &model.ffn {
        arm.result("gate/load_entropy", balance::load_entropy(&load));
        arm.result("expert/cosine", mean_cosine(&sparse.experts.experts));
        if is_dts(sparse) {
            let (nll, _) = evaluate(&model, &test, || Pass::Mixture { step: gate_step });
            arm.result("test/nll_mixture", nll);
        }
    }
}

impl GateLog {
    fn push(&mut self, arm: &Arm<'_, Task>, step: usize, chosen: &Chosen) {
        self.active.push(chosen.mean_active());
        self.spread.push(chosen.sd_active());
        if arm.config().report {
            arm.point("gate/active_experts", step as u64 + 1, chosen.mean_active());
            arm.point("gate/active_spread", step as u64 + 1, chosen.sd_active());
        }
    }

    /// Where the number of active experts began, how it fell, and where it ended.
    fn results(&self, arm: &Arm<'_, Task>, experts: usize, phases: &Phases) {
        let anneal = phases.hard_from.saturating_sub(phases.gate_from).min(self.active.len());
        let (Some(first), Some(last)) = (self.active.first(), self.active.last()) else { return };
        if anneal < 10 {
            return;
        }
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        let tenth = |i: usize| mean(&self.active[i * anneal / 10..(i + 1) * anneal / 10]);
        let rise = (1..10).map(|i| tenth(i) - tenth(i - 1)).fold(f64::NEG_INFINITY, f64::max);
        arm.result("gate/mean_active", mean(&self.active));
        arm.result("gate/active_start", first / experts as f64);
        arm.result("gate/active_thinned", tenth(9) / experts as f64);
        arm.result("gate/active_end", *last);
        arm.result("gate/largest_rise", rise);
        arm.result("gate/spread_halfway", self.spread[anneal / 2]);
    }
}

fn study(error: pressrun_nn::Error) -> Error {
    Error::Study(error.to_string())
}
