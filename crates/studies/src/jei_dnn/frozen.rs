//! Pre-training, and the cache of the frozen backbone's features.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::{Batches, Images};
use pressrun_lab::{Arm, Result};
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;
use pressrun_nn::{device, loss};

use super::data::{Pictures, labels, pixels};
use super::model::{Backbone, Costs, Shape};
use super::{Config, failed};

/// Pictures that go through the backbone at once while features are cached.
const CHUNK: usize = 250;

/// Features of some pictures after each block, as plain numbers: the backbone never changes.
#[derive(Debug, Clone)]
pub struct Part {
    /// For each gate `[rows, features]`.
    z: Vec<Vec<f32>>,
    /// Logits of the final head, `[rows, classes]`.
    head: Vec<f32>,
    /// The right classes.
    pub labels: Vec<i64>,
    shape: Shape,
}

/// Everything that the arms of one seed share.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// To train on.
    pub train: Part,
    /// To choose by.
    pub validation: Part,
    /// To calibrate on.
    pub calibration: Part,
    /// To report.
    pub test: Part,
    /// What each exit costs.
    pub costs: Costs,
    /// The backbone's sizes.
    pub shape: Shape,
}

/// Some rows as tensors.
#[derive(Debug, Clone)]
pub struct Batch {
    /// For each gate `[rows, features]`.
    pub z: Vec<Tensor<2>>,
    /// Logits of the final head, `[rows, classes]`.
    pub head: Tensor<2>,
    /// The right classes.
    pub labels: Tensor<1, Int>,
}

impl Part {
    fn of(backbone: &Backbone, images: &Images, shape: Shape, device: &Device) -> Result<Self> {
        let rows: Vec<usize> = (0..images.len()).collect();
        let mut part = Self {
            z: vec![Vec::new(); shape.gates()],
            head: Vec::new(),
            labels: labels(images, &rows),
            shape,
        };
        for chunk in rows.chunks(CHUNK) {
            let mut z = backbone.features(pixels(images, chunk, device), true);
            if let Some(last) = z.pop() {
                part.head.extend(host(backbone.head.forward(last))?);
            }
            for (cache, z) in part.z.iter_mut().zip(z) {
                cache.extend(host(z)?);
            }
        }
        Ok(part)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// These rows.
    pub fn batch(&self, rows: &[usize], device: &Device) -> Batch {
        let tensor = |values: &[f32], width: usize| {
            let take = |&row: &usize| values[row * width..(row + 1) * width].iter().copied();
            let taken: Vec<f32> = rows.iter().flat_map(take).collect();
            Tensor::from_data(TensorData::new(taken, [rows.len(), width]), device)
        };
        let labels: Vec<i64> = rows.iter().map(|&row| self.labels[row]).collect();
        Batch {
            z: self.z.iter().map(|z| tensor(z, self.shape.features())).collect(),
            head: tensor(&self.head, self.shape.classes),
            labels: Tensor::from_ints(labels.as_slice(), device),
        }
    }

    /// All rows.
    pub fn whole(&self, device: &Device) -> Batch {
        self.batch(&(0..self.len()).collect::<Vec<_>>(), device)
    }
}

/// Trains a backbone with its final head, and caches what the exits will see of it.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn pretrain(arm: &Arm<'_>, config: &Config) -> Result<Frozen> {
    let pictures = Pictures::load(arm.run(), config.source, config.sizes, arm.seed())?;
    let (device, shape) = (device::named(arm.run().device()).map_err(failed)?, config.shape);
    let mut model = Backbone::new(&shape, &device, &mut arm.rng("backbone")).map_err(failed)?;
    let mut adam = AdamConfig::new().with_decay(config.backbone_decay).init().map_err(failed)?;
    let mut batches = Batches::new(pictures.train.len(), config.batch).drop_last();
    let (mut order, steps) = (arm.rng("backbone batches"), config.backbone_steps());
    let lr = Schedule::Cosine { from: config.backbone_lr, to: 0.0, steps };
    for step in 0..steps {
        arm.step()?;
        let rows = batches.next(&mut order).to_vec();
        let targets = labels(&pictures.train, &rows);
        let targets = Tensor::<1, Int>::from_ints(targets.as_slice(), &device);
        let logits = model.forward(pixels(&pictures.train, &rows, &device));
        let nll = loss::cross_entropy(logits, targets);
        arm.point("backbone/loss", step as u64 + 1, f64::from(nll.clone().into_scalar::<f32>()));
        model = adam.step(lr.at(step), model, nll.backward());
    }
    let (model, inner) = (model.valid(), device.inner());
    let part = |images| Part::of(&model, images, shape, &inner);
    let frozen = Frozen {
        train: part(&pictures.train)?,
        validation: part(&pictures.validation)?,
        calibration: part(&pictures.calibration)?,
        test: part(&pictures.test)?,
        costs: shape.costs(),
        shape,
    };
    for (metric, part) in
        [("backbone/train-accuracy", &frozen.train), ("backbone/accuracy", &frozen.test)]
    {
        let Batch { head, labels, .. } = part.whole(&inner);
        arm.result(metric, loss::accuracy(head, labels));
    }
    arm.result("backbone/cost", frozen.costs.backbone);
    Ok(frozen)
}

/// The numbers of a tensor.
///
/// # Errors
/// If they are no floats.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as().map_err(|e| pressrun_lab::Error::Study(format!("no floats: {e:?}")))
}
