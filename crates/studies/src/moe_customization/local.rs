//! What is learnt on the device: the local expert and the gate, from the global expert's features.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use pressrun_data::{Batches, split};
use pressrun_lab::{Error, Result, Rng, Run, stream};
use pressrun_nn::conv::{LayerCosts, LeNet5};
use pressrun_nn::gate::{DeferralGate, DeferralGateConfig, deferral_threshold};
use pressrun_nn::loss;
use pressrun_nn::mlp::{Mlp, MlpConfig};
use pressrun_nn::optim::{Adam, AdamConfig};

use super::global::{Seen, failed, host, largest, right, targets};
use super::{CLASSES, Config};

/// Where one user's networks are trained.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// The run, which may be cancelled.
    pub run: &'a Run<'a>,
    /// Everything that is set.
    pub config: &'a Config,
    /// Device with gradients.
    pub device: &'a Device,
    /// Seed of the job.
    pub seed: u64,
    /// Number of the user.
    pub user: usize,
}

impl Bench<'_> {
    /// The stream of this user for a purpose: the same in every arm of a seed.
    pub fn rng(&self, purpose: &str) -> Rng {
        stream(self.seed, &format!("user {}: {purpose}", self.user))
    }
}

/// Where the gate's training pictures and targets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// The method: where the local expert, without having seen the picture, corrects the global.
    OutOfFold,
    /// Trap: the local expert is asked about its own training pictures.
    InFold,
    /// Ablation: no generic pictures, so that there is none to set the threshold by.
    NoBuffer,
    /// Trap: whether the picture is the user's.
    UserOrGeneric,
}

/// A local expert with what its training showed.
#[derive(Debug, Clone)]
pub struct LocalExpert {
    /// The network, without gradients.
    pub net: Mlp,
    /// Its answers to the user's training pictures, each by a round that had not seen it.
    pub outside: Vec<u8>,
    /// Its own answers to its training pictures.
    pub inside: Vec<u8>,
    /// Mean loss of the pictures left out, epoch by epoch.
    pub curve: Vec<f64>,
    /// Pictures that went forward and backward through it, the rounds included.
    pub passes: u64,
    /// Pictures that only went forward.
    pub looks: u64,
}

impl LocalExpert {
    /// Multiply-adds of its layers.
    pub fn costs(hidden: usize) -> LayerCosts {
        LayerCosts(vec![(LeNet5::FEATURES * hidden) as u64, (hidden * CLASSES) as u64])
    }

    /// Its probabilities for these pictures, `[rows, classes]`.
    pub fn probabilities(&self, seen: &Seen, device: &Device) -> Vec<f32> {
        let z = self.net.forward(seen.tensor(&device.clone().inner()));
        host(pressrun_nn::activation::softmax(z))
    }

    /// Its answers to these pictures.
    pub fn answers(&self, seen: &Seen, device: &Device) -> Vec<u8> {
        largest(&self.probabilities(seen, device))
    }
}

/// A network in training on some of a user's pictures.
struct Pupil {
    net: Mlp,
    adam: Adam,
    batches: Batches,
    rng: Rng,
    rows: Vec<usize>,
}

impl Pupil {
    /// A network for the rows that have a weight.
    fn new(bench: &Bench<'_>, rows: &[usize], weights: &[f32], name: &str) -> Result<Self> {
        let config = bench.config;
        let rows: Vec<usize> = rows.iter().copied().filter(|&row| weights[row] > 0.0).collect();
        let sizes = [LeNet5::FEATURES, config.hidden, CLASSES];
        let net = MlpConfig::new(sizes)
            .init(bench.device, &mut bench.rng(&format!("expert {name}")))
            .map_err(failed)?;
        let adam = AdamConfig::new().with_l2(config.decay).init().map_err(failed)?;
        let batches = Batches::new(rows.len(), config.batch);
        Ok(Self { net, adam, batches, rng: bench.rng(&format!("batches {name}")), rows })
    }

    /// One epoch; the number of pictures that went through.
    fn epoch(&mut self, bench: &Bench<'_>, mine: &Seen, weights: &[f32], lr: f64) -> u64 {
        for batch in self.batches.epoch(&mut self.rng) {
            let rows: Vec<usize> = batch.iter().map(|&at| self.rows[at]).collect();
            let seen = mine.subset(&rows);
            let w: Vec<f32> = rows.iter().map(|&row| weights[row]).collect();
            let w = Tensor::from_data(TensorData::new(w, [rows.len()]), bench.device);
            let z = self.net.forward(seen.tensor(bench.device));
            let y = targets(&seen.labels, bench.device);
            let l = loss::weighted_cross_entropy(z, y, w);
            self.net = self.adam.step(lr, self.net.clone(), l.backward());
        }
        self.rows.len() as u64
    }
}

/// Trains a local expert on a user's pictures: the number of epochs by cross-validation, then anew
/// on all of them. Pictures that the global expert has right weigh `right_weight`.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn local_expert(
    bench: &Bench<'_>,
    mine: &Seen,
    lr: f64,
    right_weight: f32,
) -> Result<LocalExpert> {
    let config = bench.config;
    let weight = |right: bool| if right { right_weight } else { 1.0 };
    let weights: Vec<f32> = mine.right().into_iter().map(weight).collect();
    let folds = split::folds(&mine.labels, config.folds, &mut bench.rng("folds"));
    let held: Vec<Seen> = folds.iter().map(|fold| mine.subset(&fold.held_out)).collect();
    let mut pupils = Vec::new();
    for (index, fold) in folds.iter().enumerate() {
        pupils.push(Pupil::new(bench, &fold.train, &weights, &format!("fold {index}"))?);
    }
    let (mut curve, mut best, mut answers) = (Vec::new(), (f64::INFINITY, 0), Vec::new());
    let (mut passes, mut looks) = (0, 0);
    for epoch in 1..=config.epochs {
        bench.run.check_cancelled()?;
        let (mut sum, mut total, mut now) = (0.0, 0.0, Vec::new());
        for ((pupil, fold), held) in pupils.iter_mut().zip(&folds).zip(&held) {
            passes += pupil.epoch(bench, mine, &weights, lr);
            looks += held.len() as u64;
            let z = pupil.net.valid().forward(held.tensor(&bench.device.clone().inner()));
            let rows = loss::nll(z.clone(), targets(&held.labels, &bench.device.clone().inner()));
            let rows: Vec<f32> = rows.try_into_vec_as().map_err(|e| failed(format!("{e:?}")))?;
            for (&row, l) in fold.held_out.iter().zip(rows) {
                sum += f64::from(weights[row] * l);
                total += f64::from(weights[row]);
            }
            now.push(largest(&host(z)));
        }
        let loss = if total > 0.0 { sum / total } else { 0.0 };
        curve.push(loss);
        if loss < best.0 {
            best = (loss, epoch);
            answers = now;
        } else if epoch >= best.1 + config.patience {
            break;
        }
    }
    if best.1 == 0 {
        return Err(failed("the local expert's loss was never a number"));
    }
    let outside = split::out_of_fold(&folds, |fold| Ok::<_, Error>(answers[fold].clone()))?;
    let everything: Vec<usize> = (0..mine.len()).collect();
    let mut pupil = Pupil::new(bench, &everything, &weights, "all")?;
    for _ in 0..best.1 {
        bench.run.check_cancelled()?;
        passes += pupil.epoch(bench, mine, &weights, lr);
    }
    let mut expert =
        LocalExpert { net: pupil.net.valid(), outside, inside: Vec::new(), curve, passes, looks };
    expert.inside = expert.answers(mine, bench.device);
    Ok(expert)
}

/// What the gate learns from each picture: 1 to trust the local expert, 0 the global one, and
/// nothing where both are wrong.
pub fn gate_target(global_right: bool, local_right: bool) -> Option<f32> {
    match (global_right, local_right) {
        (true, _) => Some(0.0),
        (false, true) => Some(1.0),
        (false, false) => None,
    }
}

/// A gate with its threshold, without gradients.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The network.
    pub net: DeferralGate,
    /// Pictures that went forward and backward through it.
    pub passes: u64,
}

impl Gate {
    /// Which of these pictures go to the local expert.
    pub fn route(&self, seen: &Seen, device: &Device) -> Vec<bool> {
        let routing = self.net.forward(seen.tensor(&device.clone().inner()));
        (0..seen.len()).map(|row| routing.chosen.get(row, 1)).collect()
    }

    /// The trust in the local expert, picture by picture.
    pub fn trust(&self, seen: &Seen, device: &Device) -> Vec<f32> {
        let trust = self.net.trust(seen.tensor(&device.clone().inner()));
        trust.try_into_vec_as().expect("a tensor of floats holds floats")
    }
}

/// Trains the gate on the user's pictures and one half of the generic ones, and sets its threshold
/// by the other half.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn gate(
    bench: &Bench<'_>,
    (mine, expert): (&Seen, &LocalExpert),
    buffer: &Seen,
    kind: Targets,
) -> Result<Gate> {
    let half = buffer.len() / 2;
    let (learn, set) = split::stratified(&buffer.labels, half, &mut bench.rng("halves"));
    let (learn, set) = (buffer.subset(&learn), buffer.subset(&set));
    let answers = if kind == Targets::InFold { &expert.inside } else { &expert.outside };
    let pairs = mine.right().into_iter().zip(right(answers, &mine.labels));
    let of_user = |(global, local)| match kind {
        Targets::UserOrGeneric => Some(1.0),
        _ => gate_target(global, local),
    };
    let found: Vec<Option<f32>> = pairs.map(of_user).collect();
    let kept: Vec<usize> = (0..mine.len()).filter(|&row| found[row].is_some()).collect();
    let mut examples = mine.subset(&kept).features;
    let mut wanted: Vec<f32> = found.into_iter().flatten().collect();
    if kind != Targets::NoBuffer {
        examples.extend(&learn.features);
        wanted.resize(wanted.len() + learn.len(), 0.0);
    }
    let (net, passes) = fit_gate(bench, &examples, &wanted)?;
    let mut gate = Gate { net, passes };
    // Without generic pictures there is nothing to set the threshold by.
    if kind != Targets::NoBuffer {
        let trust = gate.trust(&set, bench.device);
        let local = right(&expert.answers(&set, bench.device), &set.labels);
        let theta = deferral_threshold(&trust, &set.right(), &local, bench.config.slack);
        gate.net = gate.net.with_threshold(theta);
    }
    Ok(gate)
}

fn fit_gate(bench: &Bench<'_>, examples: &[f32], wanted: &[f32]) -> Result<(DeferralGate, u64)> {
    let config = bench.config;
    let mut net = DeferralGateConfig::new(LeNet5::FEATURES)
        .with_hidden(config.hidden)
        .init(bench.device, &mut bench.rng("gate"))
        .map_err(failed)?;
    if wanted.is_empty() {
        return Ok((net.valid(), 0));
    }
    let mut adam = AdamConfig::new().with_l2(config.decay).init().map_err(failed)?;
    let mut batches = Batches::new(wanted.len(), config.batch);
    let mut rng = bench.rng("gate batches");
    let ones = wanted.iter().filter(|&&target| target > 0.5).count();
    // Both classes weigh the same together; a class that is absent has no row to weigh.
    let weight = |target: f32| {
        let same = if target > 0.5 { ones } else { wanted.len() - ones };
        wanted.len() as f32 / (2.0 * same.max(1) as f32)
    };
    for _ in 0..config.gate_epochs {
        bench.run.check_cancelled()?;
        for rows in batches.epoch(&mut rng) {
            let width = LeNet5::FEATURES;
            let x = rows.iter().flat_map(|&row| &examples[row * width..(row + 1) * width]);
            let x = TensorData::new(x.copied().collect::<Vec<f32>>(), [rows.len(), width]);
            let vector = |values: Vec<f32>| {
                Tensor::<1>::from_data(TensorData::new(values, [rows.len()]), bench.device)
            };
            let y = vector(rows.iter().map(|&row| wanted[row]).collect());
            let w = vector(rows.iter().map(|&row| weight(wanted[row])).collect());
            let z = net.logits(Tensor::from_data(x, bench.device));
            let l = loss::weighted_bce_with_logits(z, y, w);
            net = adam.step(config.gate_lr, net, l.backward());
        }
    }
    Ok((net.valid(), (config.gate_epochs * wanted.len()) as u64))
}
