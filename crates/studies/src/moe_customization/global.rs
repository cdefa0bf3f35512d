//! The global expert: trained once, then frozen; what the small networks see of a picture.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::{Batches, Images};
use pressrun_lab::{Arm, Error, Result};
use pressrun_nn::conv::{LeNet5, LeNet5Config};
use pressrun_nn::loss;
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;

use super::data::{Parts, shifted};
use super::{CLASSES, Data};

/// Pictures that go through the network at once where nothing is learnt.
const CHUNK: usize = 250;

/// What the global expert makes of pictures, computed once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Its features, `[rows, 84]`.
    pub features: Vec<f32>,
    /// Its probabilities, `[rows, classes]`.
    pub probabilities: Vec<f32>,
    /// Its answers.
    pub answers: Vec<u8>,
    /// The right answers.
    pub labels: Vec<u8>,
}

impl Seen {
    /// What the network makes of the pictures; it is not changed.
    pub fn new(net: &LeNet5, images: &Images, device: &Device) -> Self {
        let net = net.valid();
        let mut seen = Self { labels: images.labels().to_vec(), ..Self::default() };
        let rows: Vec<usize> = (0..images.len()).collect();
        for rows in rows.chunks(CHUNK) {
            let features = net.features(pixels(images.gather(rows).0, &device.clone().inner()));
            let p = pressrun_nn::activation::softmax(net.head.forward(features.clone()));
            seen.features.extend(host(features));
            seen.probabilities.extend(host(p));
        }
        seen.answers = largest(&seen.probabilities);
        seen
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// These rows, in this order.
    pub fn subset(&self, rows: &[usize]) -> Self {
        let take = |values: &[f32], width: usize| {
            rows.iter().flat_map(|&row| &values[row * width..(row + 1) * width]).copied().collect()
        };
        Self {
            features: take(&self.features, LeNet5::FEATURES),
            probabilities: take(&self.probabilities, CLASSES),
            answers: rows.iter().map(|&row| self.answers[row]).collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
        }
    }

    /// Which rows the global expert has right.
    pub fn right(&self) -> Vec<bool> {
        right(&self.answers, &self.labels)
    }

    /// The features as a tensor, `[rows, 84]`.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let data = TensorData::new(self.features.clone(), [self.len(), LeNet5::FEATURES]);
        Tensor::from_data(data, device)
    }
}

/// A data set with the expert that was trained on it.
#[derive(Debug)]
pub struct Global {
    /// The pictures.
    pub parts: Parts,
    /// The network.
    pub net: LeNet5,
    /// What it makes of the generic pictures that a device keeps.
    pub buffer: Seen,
    /// What it makes of the test pictures.
    pub test: Seen,
}

/// Trains the global expert of a data set.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn train(arm: &Arm<'_, Data>, parts: Parts, device: &Device) -> Result<Global> {
    let data = arm.config();
    let mut net = LeNet5Config::new(CLASSES).init(device, &mut arm.rng("init")).map_err(failed)?;
    let mut adam = AdamConfig::new().init().map_err(failed)?;
    let mut batches = Batches::new(parts.generic.len(), data.batch).drop_last();
    let steps = data.epochs * batches.per_epoch();
    let rate = Schedule::Cosine { from: data.lr, to: 0.0, steps };
    let (mut order, mut moves) = (arm.rng("batches"), arm.rng("shifts"));
    let mut step = 0;
    for epoch in 1..=data.epochs {
        let (mut sum, mut count) = (0.0, 0);
        for rows in batches.epoch(&mut order) {
            let (x, labels) = parts.generic.gather(rows);
            let x = pixels(shifted(&x, data.shift, &mut moves), device);
            let l = loss::cross_entropy(net.forward(x), targets(&labels, device));
            sum += f64::from(l.clone().into_scalar::<f32>());
            count += 1;
            net = adam.step(rate.at(step), net, l.backward());
            step += 1;
            arm.step()?;
        }
        arm.point("global/loss", epoch as u64, sum / f64::from(count.max(1)));
    }
    let buffer = Seen::new(&net, &parts.buffer, device);
    let test = Seen::new(&net, &parts.test, device);
    Ok(Global { parts, net, buffer, test })
}

/// Pictures as the network takes them, `[rows, 1, 28, 28]`.
pub fn pixels(values: Vec<f32>, device: &Device) -> Tensor<4> {
    let rows = values.len() / 784;
    Tensor::from_data(TensorData::new(values, [rows, 1, 28, 28]), device)
}

/// Labels as a loss takes them.
pub fn targets(labels: &[u8], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    let rows = labels.len();
    Tensor::from_data(TensorData::new(labels, [rows]), device)
}

/// The largest of each row of `CLASSES` values; the first of equal ones.
pub fn largest(values: &[f32]) -> Vec<u8> {
    let best =
        |row: &[f32]| (1..CLASSES).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    values.chunks_exact(CLASSES).map(|row| best(row) as u8).collect()
}

/// Where answers are right.
pub fn right(answers: &[u8], labels: &[u8]) -> Vec<bool> {
    answers.iter().zip(labels).map(|(answer, label)| answer == label).collect()
}

/// The numbers of a tensor.
pub fn host(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a tensor of floats holds floats")
}

/// Lets an error of a lower crate be one of the lab.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Study(error.to_string())
}
