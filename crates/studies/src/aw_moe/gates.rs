//! What the weights of the experts are like: their form, what masks do to them, what they tell.

use burn::tensor::{Device, Tensor, TensorData};
use pressrun_lab::{Arm, Result};
use pressrun_nn::linear::LinearConfig;
use pressrun_nn::loss;
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::sequence::{mask_sequence, weighted_sum};

use super::Config;
use super::data::{Batch, symbols};
use super::model::Ranker;
use super::train::{Task, failed};

/// Sessions of one pass.
const CHUNK: usize = 100;
/// Updates of a probe.
const PROBE_STEPS: usize = 200;
/// Learning rate of a probe.
const PROBE_RATE: f64 = 0.05;

/// What is collected over the test sessions.
#[derive(Debug, Default)]
struct Seen {
    /// Largest deviation from the sum over two halves of the sequence.
    deviation: f64,
    /// Largest distance from the weights of an empty sequence.
    distance: f64,
    /// Weights below 0, and all weights.
    negative: (usize, usize),
    /// Cosines between the weights of whole and masked sequences, where something was masked.
    cosines: Vec<f64>,
    /// Weights of each session.
    weights: Vec<f32>,
    /// Sum of the projected behaviours of each session.
    pooled: Vec<f32>,
}

/// Reports the numbers of a ranker with experts; of others there are none.
///
/// # Errors
/// If the run is cancelled or a probe cannot be made.
pub fn measure(
    arm: &Arm<'_, Task>,
    config: &Config,
    model: &Ranker,
    device: &Device,
) -> Result<()> {
    let market = &arm.config().market;
    let all: Vec<usize> = (0..market.test.len()).collect();
    let (mut seen, mut masks) = (Seen::default(), arm.rng("test masks"));
    let mut by_session = true;
    for of in all.chunks(CHUNK) {
        let batch = Batch::new(market, &market.test, of, device);
        let encoded = model.encode(&batch, &market.items);
        let weights = |mask: &[bool]| model.weights(&encoded, batch.numbers(mask));
        let Some(whole) = weights(&batch.mask) else { return Ok(()) };
        by_session &= whole.dims()[0] == of.len();
        let halves = [0, 1].map(|half| {
            let place = |(at, &there): (usize, &bool)| there && at % batch.places % 2 == half;
            batch.mask.iter().enumerate().map(place).collect::<Vec<bool>>()
        });
        let kept = mask_sequence(&batch.mask, batch.places, config.masked, &mut masks);
        let (Some(none), Some(even), Some(odd), Some(masked)) = (
            weights(&vec![false; batch.mask.len()]),
            weights(&halves[0]),
            weights(&halves[1]),
            weights(&kept),
        ) else {
            return Ok(());
        };
        seen.form(&whole, none, even + odd);
        seen.masked(&whole, &masked, &batch, &kept);
        seen.weights.extend(floats(whole));
        let mask = batch.numbers(&batch.mask);
        seen.pooled.extend(floats(weighted_sum(encoded.behaviours.clone(), mask)));
    }
    arm.result("gate/additivity", seen.deviation / seen.distance.max(1e-9));
    arm.result("gate/negative", seen.negative.0 as f64 / seen.negative.1.max(1) as f64);
    arm.result("gate/cosine", seen.cosines.iter().sum::<f64>() / seen.cosines.len() as f64);
    if by_session && config.market.groups > 1 {
        arm.result("probe/gate", probe(arm, &seen.weights, device)?);
        arm.result("probe/pooled", probe(arm, &seen.pooled, device)?);
    }
    Ok(())
}

impl Seen {
    /// g(whole) + g(none) = g(even) + g(odd), exactly, for a sum over the sequence and for nothing
    /// that is normalised over it or over the experts.
    fn form(&mut self, whole: &Tensor<2>, none: Tensor<2>, halves: Tensor<2>) {
        let largest = |x: Tensor<2>| f64::from(x.abs().max().into_scalar::<f32>());
        self.deviation = self.deviation.max(largest(whole.clone() + none.clone() - halves));
        self.distance = self.distance.max(largest(whole.clone() - none));
        let values = floats(whole.clone());
        self.negative.0 += values.iter().filter(|v| **v < 0.0).count();
        self.negative.1 += values.len();
    }

    /// The cosine of each row whose session's mask `kept` differs from the one in the batch.
    fn masked(&mut self, whole: &Tensor<2>, masked: &Tensor<2>, batch: &Batch, kept: &[bool]) {
        let [rows, k] = whole.dims();
        let of_session = rows / batch.sessions();
        let (a, b) = (floats(whole.clone()), floats(masked.clone()));
        let dot =
            |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
        for (row, (a, b)) in a.chunks(k).zip(b.chunks(k)).enumerate() {
            let start = row / of_session * batch.places;
            let places = start..start + batch.places;
            if batch.mask[places.clone()] != kept[places] {
                self.cosines.push(dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12));
            }
        }
    }
}

fn floats(x: Tensor<2>) -> Vec<f32> {
    x.try_into_vec_as().expect("floats")
}

/// Accuracy of a linear classifier from these features of the test sessions to the planted group:
/// fitted on the users with an even number, judged on the others.
fn probe(arm: &Arm<'_, Task>, features: &[f32], device: &Device) -> Result<f64> {
    let market = &arm.config().market;
    let users = &market.test.user;
    let width = features.len() / users.len();
    let groups = market.group.iter().max().map_or(1, |g| g + 1);
    let rows = |parity: usize| -> Vec<usize> {
        (0..users.len()).filter(|&at| users[at] % 2 == parity).collect()
    };
    let x = |of: &[usize]| {
        let values: Vec<f32> =
            of.iter().flat_map(|&at| &features[at * width..(at + 1) * width]).copied().collect();
        Tensor::<2>::from_data(TensorData::new(values, [of.len(), width]), device)
    };
    let y = |of: &[usize]| symbols(of.iter().map(|&at| market.group[users[at]]), device);
    let (fit, judge) = (rows(0), rows(1));
    let mean = x(&fit).mean_dim(0);
    let deviation = ((x(&fit) - mean.clone()).square().mean_dim(0) + 1e-12).sqrt();
    let scaled = |of: &[usize]| (x(of) - mean.clone()) / deviation.clone();
    let mut rng = arm.rng("probe");
    let mut linear = LinearConfig::new(width, groups).init(device, &mut rng).map_err(failed)?;
    let mut adam = AdamConfig::new().init().map_err(failed)?;
    let (inputs, targets) = (scaled(&fit), y(&fit));
    for _ in 0..PROBE_STEPS {
        let logits = linear.forward(inputs.clone());
        let loss = loss::cross_entropy(logits, targets.clone());
        linear = adam.step(PROBE_RATE, linear, loss.backward());
    }
    Ok(loss::accuracy(linear.forward(scaled(&judge)), y(&judge)))
}
