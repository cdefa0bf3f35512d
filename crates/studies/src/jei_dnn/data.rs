//! The pictures: Fashion-MNIST, and digits for the quick profile.

use burn::tensor::{Device, Tensor, TensorData};
use pressrun_data::Images;
use pressrun_lab::{Result, Run, stream};

use crate::pictures;

/// Which pictures a setting trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Handwritten digits, 8 x 8.
    Digits,
    /// Fashion-MNIST, 28 x 28, the first of each class.
    Fashion,
}

/// How many pictures go where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// To train on: backbone, classifiers and gates.
    pub train: usize,
    /// To stop early by, to fit thresholds on, and to choose learning rates by.
    pub validation: usize,
    /// To calibrate prediction sets on; nothing else reads them.
    pub calibration: usize,
    /// To report; all that are left, if there are fewer.
    pub test: usize,
}

/// Pictures in four parts, pixels from 0 to 1.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// Pictures to train on.
    pub train: Images,
    /// Pictures to choose by.
    pub validation: Images,
    /// Pictures to calibrate on.
    pub calibration: Images,
    /// Pictures to report.
    pub test: Images,
}

impl Pictures {
    /// The parts of this seed. The test part of Fashion-MNIST is the same under every seed.
    pub fn load(run: &Run<'_>, source: Source, sizes: Sizes, seed: u64) -> Result<Self> {
        let Sizes { train, validation, calibration, test } = sizes;
        let (mut rng, seen) = (stream(seed, "data"), train + validation + calibration);
        let (rest, test, mut used) = match source {
            Source::Digits => {
                let (digits, used) = pictures::handwritten();
                let (rest, left) = digits.split_stratified(seen, &mut rng);
                let test = test.min(left.len());
                let (test, _) = left.split_stratified(test, &mut rng);
                (rest, test, used)
            }
            Source::Fashion => pictures::fashion(run, seen, test)?,
        };
        let (train, held_out) = rest.split_stratified(train, &mut rng);
        let (validation, calibration) = held_out.split_stratified(validation, &mut rng);
        used.part = format!(
            "{} train, {} validation, {} calibration, {} test",
            train.len(),
            validation.len(),
            calibration.len(),
            test.len()
        );
        run.data(used);
        Ok(Self { train, validation, calibration, test })
    }
}

/// Pixels of these pictures, `[rows, pixels]`.
pub fn pixels(images: &Images, rows: &[usize], device: &Device) -> Tensor<2> {
    let (pixels, _) = images.gather(rows);
    Tensor::from_data(TensorData::new(pixels, [rows.len(), images.image_len()]), device)
}

/// Labels of these pictures.
pub fn labels(images: &Images, rows: &[usize]) -> Vec<i64> {
    rows.iter().map(|&row| i64::from(images.labels()[row])).collect()
}
