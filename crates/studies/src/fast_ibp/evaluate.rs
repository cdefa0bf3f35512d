//! What a trained network does: clean, attacked and verified error, its boxes, and the gate.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::Images;
use pressrun_lab::Rng;
use pressrun_nn::attack::{PgdConfig, pgd_linf};
use pressrun_nn::bound::{
    Bounded, BoundedNet, IntervalBounds, ReluStates, logit_margins, verified,
};
use rand::RngExt;

use super::data::tensors;

/// Pictures of one forward pass.
const CHUNK: usize = 500;

/// For each picture, what goes wrong without being searched for.
#[derive(Debug, Clone, Default)]
pub struct Errors {
    /// Whether the picture itself is misclassified.
    pub wrong: Vec<bool>,
    /// Whether some point of its box may be, as far as the bounds say.
    pub unverified: Vec<bool>,
}

/// Share of what is true.
pub fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|&&flag| flag).count() as f64 / flags.len().max(1) as f64
}

fn chunks(images: &Images) -> impl Iterator<Item = Vec<usize>> {
    let len = images.len();
    (0..len).step_by(CHUNK).map(move |from| (from..len.min(from + CHUNK)).collect())
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("floats")
}

/// Clean and verified errors of a network in evaluation.
pub fn errors(net: &BoundedNet, images: &Images, eps: f64, device: &Device) -> Errors {
    let mut errors = Errors::default();
    for rows in chunks(images) {
        let (x, labels) = tensors(images, &rows, &device.clone().inner());
        let predicted = net.forward(x.clone()).argmax(1).reshape([rows.len()]);
        let wrong = predicted.not_equal(labels.clone()).into_data();
        errors.wrong.extend(wrong.iter::<bool>());
        let bounded = net.bounds(IntervalBounds::from_box(x, eps, 0.0, 1.0));
        let safe = verified(net.margin(&bounded.last, labels));
        errors.unverified.extend(safe.into_iter().map(|safe| !safe));
    }
    errors
}

/// Whether each picture can be changed within its box so that it is misclassified, as far as the
/// attack finds out.
pub fn attacked(
    net: &BoundedNet,
    images: &Images,
    attack: &PgdConfig,
    device: &Device,
    rng: &mut Rng,
) -> Vec<bool> {
    let mut fooled = Vec::with_capacity(images.len());
    for rows in chunks(images) {
        let (x, labels) = tensors(images, &rows, &device.clone().inner());
        fooled.extend(pgd_linf(|x| net.forward(x), x, labels, attack, rng).fooled);
    }
    fooled
}

/// The boxes of a network, layer by layer, over many pictures.
#[derive(Debug, Clone)]
pub struct Boxes {
    /// Mean radius before each ReLU, in units of the mean radius of the input boxes.
    pub widths: Vec<f64>,
    /// States of the ReLU units of each layer.
    pub states: Vec<ReluStates>,
}

impl Boxes {
    /// Over the first `count` pictures.
    pub fn of(net: &BoundedNet, images: &Images, count: usize, eps: f64, device: &Device) -> Self {
        let rows: Vec<usize> = (0..count.min(images.len())).collect();
        let (x, _) = tensors(images, &rows, &device.clone().inner());
        let input = IntervalBounds::from_box(x, eps, 0.0, 1.0);
        let radius = |b: &IntervalBounds<2>| f64::from(b.mean_radius().into_scalar::<f32>());
        let input_radius = radius(&input);
        let layers = net.bounds(input).pre_relu;
        Self {
            widths: layers.iter().map(|layer| radius(layer) / input_radius).collect(),
            states: layers.iter().map(ReluStates::of).collect(),
        }
    }

    /// Mean of `part` over the layers.
    pub fn mean(&self, part: impl Fn(&ReluStates) -> f64) -> f64 {
        self.states.iter().map(part).sum::<f64>() / self.states.len() as f64
    }

    /// Mean over the layers of how near active and inactive are to each other, 1 for equal; layers
    /// without any stable ReLU are left out, and if all are there is no number.
    pub fn balance(&self) -> f64 {
        let folds: Vec<f64> = self.states.iter().filter_map(ReluStates::balance).collect();
        folds.iter().sum::<f64>() / folds.len() as f64
    }
}

/// How the gate samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateConfig {
    /// Boxes, around the first test pictures.
    pub boxes: usize,
    /// Random points of each.
    pub points: usize,
}

/// Number of random points of boxes whose logits or margins leave the bounds; 0 for sound bounds.
///
/// `bounds` is what is on trial: the box behind every layer for a box of inputs.
pub fn escapes(
    net: &BoundedNet,
    bounds: impl Fn(IntervalBounds<2>) -> Bounded,
    images: &Images,
    eps: f64,
    gate: GateConfig,
    (device, rng): (&Device, &mut Rng),
) -> usize {
    let inner = device.clone().inner();
    let head = &net.head;
    let mut count = 0;
    for row in 0..gate.boxes.min(images.len()) {
        let (x, label) = tensors(images, &[row], &inner);
        let last = bounds(IntervalBounds::from_box(x, eps, 0.0, 1.0)).last;
        let margins = host(net.margin(&last, label.clone()));
        let logits = last.linear(head.weight.val(), head.bias.as_ref().map(|b| b.val()));
        let (lower, upper) = (host(logits.lower()), host(logits.upper()));
        // Single precision: 1e-5 of the largest bound.
        let slack = 1e-5 * lower.iter().chain(&upper).fold(1f32, |m, v| m.max(v.abs()));
        let outputs = net.forward(points(images.image(row), eps, gate.points, &inner, rng));
        let labels: Tensor<1, Int> = label.repeat_dim(0, gate.points);
        let found = host(logit_margins(outputs.clone(), labels));
        let outputs = host(outputs);
        let rows = outputs.chunks(lower.len()).zip(found.chunks(margins.len()));
        let escaped = |(logits, found): &(&[f32], &[f32])| {
            let inside = logits
                .iter()
                .zip(lower.iter().zip(&upper))
                .all(|(z, (l, u))| *z >= l - slack && *z <= u + slack);
            !(inside && found.iter().zip(&margins).all(|(m, lb)| *m >= lb - slack))
        };
        count += rows.filter(escaped).count();
    }
    count
}

/// Random points of the clipped box around a picture.
fn points(image: &[f32], eps: f64, count: usize, device: &Device, rng: &mut Rng) -> Tensor<2> {
    let eps = eps as f32;
    let ends: Vec<(f32, f32)> =
        image.iter().map(|&p| ((p - eps).max(0.0), (p + eps).min(1.0))).collect();
    let mut values = Vec::with_capacity(count * image.len());
    for _ in 0..count {
        values.extend(ends.iter().map(|&(low, high)| low + (high - low) * rng.random::<f32>()));
    }
    Tensor::from_data(TensorData::new(values, [count, image.len()]), device)
}

/// Without gradients.
pub fn still(net: &BoundedNet) -> BoundedNet {
    net.valid()
}
