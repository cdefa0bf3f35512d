//! What each contributor does alone: an expert, its gates, and what the baselines keep of it.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use pressrun_data::{Batches, split};
use pressrun_lab::{Arm, Error, Result};
use pressrun_nn::optim::{Adam, AdamConfig};
use pressrun_nn::schedule::Schedule;
use pressrun_nn::{device, loss};

use super::Config;
use super::data::{Corruption, Pictures, Scene, Set, Strength, all};
use super::model::{Encoder, Expert, Gated, Gates, Listening, Maps, Plain, Single};

/// On what an expert is trained: a position in the pool, or the union of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Material {
    /// One corruption.
    One(usize),
    /// Every corruption, drawn for each picture: explicit multitask training.
    Union,
}

impl Material {
    fn scene(self) -> Scene {
        match self {
            Self::One(z) => Scene::Everywhere(z, Strength::Trained),
            Self::Union => Scene::Union,
        }
    }

    /// Name in the record.
    pub fn name(self, pool: &[Corruption]) -> String {
        match self {
            Self::One(z) => format!("Expert: {}", pool[z].name()),
            Self::Union => super::MULTITASK.into(),
        }
    }

    /// Updates: the union is trained for as long as all experts together.
    pub fn steps(self, config: &Config) -> usize {
        match self {
            Self::One(_) => config.expert_steps,
            Self::Union => config.expert_steps * config.pool.len(),
        }
    }
}

/// Mean negative log-likelihood and accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean negative log-likelihood.
    pub nll: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// A trained expert as it was at its best look at the validation pictures.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The expert, without gradients.
    pub expert: Expert,
    /// What it was chosen by.
    pub best: Score,
    /// Score of the base model on the same pictures.
    pub base: Score,
    /// Updates so far, mean loss since the last look, validation NLL.
    pub curve: Vec<(u64, f64, f64)>,
}

/// What a contributor hands over; the pictures stay where they are.
#[derive(Debug, Clone)]
pub struct Contribution {
    /// The expert.
    pub expert: Expert,
    /// `v` of each map.
    pub gates: Vec<Tensor<1>>,
    /// Mean of what each map is given on the expert's pictures.
    pub means: Vec<Tensor<1>>,
    /// Features of the base model for some of the expert's pictures, `[pictures, width]`.
    pub examples: Tensor<2>,
}

/// Lets an error of a lower crate be one of the lab.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Study(error.to_string())
}

/// Trains the base model on clean pictures.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn pretrain<C>(arm: &Arm<'_, C>, config: &Config, pictures: &Pictures) -> Result<Encoder> {
    let device = device::named(arm.run().device()).map_err(failed)?;
    let mut encoder = Encoder::new(&config.shape, &device, &mut arm.rng("base")).map_err(failed)?;
    let mut adam = adam()?;
    let mut rng = arm.rng("base batches");
    let mut stream = Stream::new(pictures, config);
    let steps = config.base_steps;
    let falling = Schedule::Linear { from: config.base_lr, to: 0.05 * config.base_lr, steps };
    let lr = Schedule::WarmUp { steps: steps / 20, then: Box::new(falling) };
    for step in 0..steps {
        arm.step()?;
        let (x, y) = stream.next(Scene::Clean, &mut rng, &device)?;
        let loss = loss::cross_entropy(encoder.logits(x, &mut Plain::of(&encoder)), y);
        if step.is_multiple_of(20) || step + 1 == steps {
            arm.point("train/loss", step as u64 + 1, scalar(&loss));
        }
        encoder = adam.step(lr.at(step + 1), encoder, loss.backward());
    }
    let validation =
        Set::of(&pictures.validation, &all(&pictures.validation), Scene::Clean, &[], &mut rng);
    let still = encoder.valid();
    let found = score(&still, &validation, &mut Plain::of(&still), config, &device);
    arm.result("validation/nll", found.nll);
    arm.result("validation/accuracy", found.accuracy);
    Ok(encoder.no_grad())
}

/// Trains an expert beside the frozen base model and keeps it as it was at its best look.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn train<C>(
    arm: &Arm<'_, C>,
    config: &Config,
    pictures: &Pictures,
    encoder: &Encoder,
    (material, lr): (Material, f64),
) -> Result<Trained> {
    let device = device::named(arm.run().device()).map_err(failed)?;
    let scene = material.scene();
    let name = material.name(&config.pool);
    // A contributor's draws are its own; those of two contributors do not depend on each other.
    let mut rng = arm.rng(&format!("{name} batches"));
    let init = &mut arm.rng(&format!("{name} init"));
    let mut expert = Expert::new(encoder, config.rank, &device, init).map_err(failed)?;
    let validation = held_back(arm, config, pictures, material);
    let still = encoder.valid();
    let measure =
        |expert: &Expert| score(&still, &validation, &mut Single(&expert.valid()), config, &device);
    let base = score(&still, &validation, &mut Plain::of(&still), config, &device);
    let mut best = (measure(&expert), expert.clone());
    let mut stream = Stream::new(pictures, config);
    let (mut adam, mut curve, mut sum) = (adam()?, Vec::new(), Tensor::<1>::zeros([1], &device));
    let steps = material.steps(config);
    let (rate, every) = (warmed_up(lr, steps), (steps / config.looks).max(1));
    for step in 1..=steps {
        arm.step()?;
        let (x, y) = stream.next(scene, &mut rng, &device)?;
        let loss = loss::cross_entropy(encoder.logits(x, &mut Single(&expert)), y);
        sum = sum + loss.clone().detach();
        expert = adam.step(rate.at(step), expert, loss.backward());
        if step.is_multiple_of(every) {
            let found = measure(&expert);
            curve.push((step as u64, scalar(&sum) / every as f64, found.nll));
            sum = sum.zeros_like();
            if found.nll < best.0.nll {
                best = (found, expert.clone());
            }
        }
    }
    Ok(Trained { expert: best.1.valid(), best: best.0, base, curve })
}

/// Trains the gates of a finished expert on its own material and collects what is handed over.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn contribute<C>(
    arm: &Arm<'_, C>,
    config: &Config,
    pictures: &Pictures,
    encoder: &Encoder,
    (material, lr): (Material, f64),
    expert: &Expert,
) -> Result<Contribution> {
    let device = device::named(arm.run().device()).map_err(failed)?;
    let scene = material.scene();
    let mut rng = arm.rng(&format!("{} gates", material.name(&config.pool)));
    let mut gates = Gates::new(expert, &device).map_err(failed)?;
    let mut stream = Stream::new(pictures, config);
    let (mut adam, rate) = (adam()?, warmed_up(lr, config.gate_steps));
    for step in 1..=config.gate_steps {
        arm.step()?;
        let (x, y) = stream.next(scene, &mut rng, &device)?;
        let loss = loss::cross_entropy(encoder.logits(x, &mut Gated(expert, &gates)), y);
        arm.point("gate/loss", step as u64, scalar(&loss));
        gates = adam.step(rate.at(step), gates, loss.backward());
    }
    let rows = pictures.train.len().min(config.averaged);
    let (rows, _) = split::random(pictures.train.len(), rows, &mut rng);
    let set = Set::of(&pictures.train, &rows, scene, &config.pool, &mut rng);
    let still = encoder.valid();
    let mut listening = Listening::new(expert, &device);
    let mut examples = Vec::new();
    for (x, _) in set.batches(config.eval_batch, &device) {
        let x = x.inner();
        examples.push(still.features(x.clone(), &mut Plain::of(&still)));
        still.features(x, &mut listening);
    }
    let examples = Tensor::cat(examples, 0);
    let stored = examples.dims()[0].min(config.stored);
    Ok(Contribution {
        expert: expert.clone(),
        gates: gates.valid().gates.into_iter().map(|gate| gate.v.val()).collect(),
        means: listening.means(),
        examples: examples.narrow(0, 0, stored),
    })
}

/// Validation pictures as the contributor sees them, the same for every candidate of a grid.
fn held_back<C>(arm: &Arm<'_, C>, config: &Config, pictures: &Pictures, material: Material) -> Set {
    let mut rng = arm.rng(&format!("{} validation", material.name(&config.pool)));
    let images = &pictures.validation;
    Set::of(images, &all(images), material.scene(), &config.pool, &mut rng)
}

/// Score of an encoder without gradients on a set.
pub fn score(
    encoder: &Encoder,
    set: &Set,
    maps: &mut dyn Maps,
    config: &Config,
    device: &Device,
) -> Score {
    let (mut nll, mut right) = (0.0, 0.0);
    for (x, y) in set.batches(config.eval_batch, device) {
        let n = y.dims()[0] as f64;
        let logits = encoder.logits(x.inner(), maps);
        right += n * loss::accuracy(logits.clone(), y.clone());
        nll += n * scalar(&loss::cross_entropy(logits, y));
    }
    let n = set.len().max(1) as f64;
    Score { nll: nll / n, accuracy: right / n }
}

/// An endless stream of training batches.
struct Stream<'a> {
    pictures: &'a Pictures,
    config: &'a Config,
    batches: Batches,
}

impl<'a> Stream<'a> {
    fn new(pictures: &'a Pictures, config: &'a Config) -> Self {
        let batches = Batches::new(pictures.train.len(), config.batch).drop_last();
        Self { pictures, config, batches }
    }

    fn next(
        &mut self,
        scene: Scene,
        rng: &mut pressrun_lab::Rng,
        device: &Device,
    ) -> Result<(Tensor<3>, Tensor<1, Int>)> {
        let rows = self.batches.next(rng).to_vec();
        Set::of(&self.pictures.train, &rows, scene, &self.config.pool, rng).whole(device)
    }
}

fn adam() -> Result<Adam> {
    AdamConfig::new().init().map_err(failed)
}

/// Constant after 6 % of the updates.
fn warmed_up(lr: f64, steps: usize) -> Schedule {
    let warm = (0.06 * steps as f64).ceil() as usize;
    Schedule::WarmUp { steps: warm, then: Box::new(Schedule::Constant(lr)) }
}

fn scalar(x: &Tensor<1>) -> f64 {
    f64::from(x.clone().into_scalar::<f32>())
}
