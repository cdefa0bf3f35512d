//! The baselines that change the global expert itself.

use burn::module::Module;
use pressrun_data::{Batches, Images};
use pressrun_lab::Result;
use pressrun_nn::conv::{LeNet5, LeNet5Config};
use pressrun_nn::loss;
use pressrun_nn::optim::AdamConfig;

use super::CLASSES;
use super::global::{Global, Seen, failed, host, largest, pixels, targets};
use super::local::Bench;

/// Which weights are trained on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FineTuning {
    /// All, on the user's pictures.
    All,
    /// All, on as many generic pictures in each batch as of the user.
    Replay,
    /// The last layer, on the user's pictures.
    LastLayer,
}

impl FineTuning {
    /// Multiply-adds of `epochs` epochs over `pictures` pictures of the user.
    pub fn cost(self, pictures: usize, epochs: usize) -> u64 {
        let (costs, n) = (LeNet5Config::new(CLASSES).costs(), pictures as u64);
        let passes = n * epochs as u64;
        match self {
            Self::All => passes * costs.training(),
            Self::Replay => 2 * passes * costs.training(),
            // The features once, then the last layer and the gradient of its weight.
            Self::LastLayer => n * costs.forward() + passes * 2 * costs.0[4],
        }
    }
}

/// A user's training pictures, and what the global expert made of them.
#[derive(Debug, Clone)]
pub struct Mine {
    /// The pictures.
    pub images: Images,
    /// What the global expert made of them.
    pub seen: Seen,
}

impl Mine {
    /// These rows.
    pub fn subset(&self, rows: &[usize]) -> Self {
        Self { images: self.images.subset(rows), seen: self.seen.subset(rows) }
    }
}

/// Trains the global expert further, and calls `after` with it after each epoch.
///
/// # Errors
/// If the run is cancelled or `after` fails.
pub fn fine_tune(
    bench: &Bench<'_>,
    global: &Global,
    mine: &Mine,
    (kind, lr, epochs): (FineTuning, f64, usize),
    mut after: impl FnMut(&LeNet5) -> Result<()>,
) -> Result<LeNet5> {
    let mut net = global.net.clone();
    let mut adam = AdamConfig::new().init().map_err(failed)?;
    let size = bench.config.batch;
    let mut batches = Batches::new(mine.images.len(), size);
    let (mut order, mut replayed) = (bench.rng("fine-tuning"), bench.rng("replay"));
    let mut kept = Batches::new(global.parts.buffer.len(), 1);
    for _ in 0..epochs {
        for rows in batches.epoch(&mut order) {
            bench.run.check_cancelled()?;
            if kind == FineTuning::LastLayer {
                let seen = mine.seen.subset(rows);
                let z = net.head.forward(seen.tensor(bench.device));
                let l = loss::cross_entropy(z, targets(&seen.labels, bench.device));
                net.head = adam.step(lr, net.head, l.backward());
                continue;
            }
            let (mut x, mut labels) = mine.images.gather(rows);
            if kind == FineTuning::Replay {
                let generic: Vec<usize> =
                    rows.iter().map(|_| kept.next(&mut replayed)[0]).collect();
                let (more, their) = global.parts.buffer.gather(&generic);
                x.extend(more);
                labels.extend(their);
            }
            let z = net.forward(pixels(x, bench.device));
            let l = loss::cross_entropy(z, targets(&labels, bench.device));
            net = adam.step(lr, net, l.backward());
        }
        after(&net)?;
    }
    Ok(net)
}

/// The answers of a tuned network; where only the last layer changed, from the features of before.
pub fn answers(
    bench: &Bench<'_>,
    net: &LeNet5,
    kind: FineTuning,
    (images, seen): (&Images, &Seen),
) -> Vec<u8> {
    if kind == FineTuning::LastLayer {
        let z = net.head.valid().forward(seen.tensor(&bench.device.clone().inner()));
        return largest(&host(z));
    }
    Seen::new(net, images, bench.device).answers
}
