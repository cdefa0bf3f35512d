//! The pictures: Fashion-MNIST, and digits for the quick profile.

use burn::tensor::{Device, Int, Tensor, TensorData};
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
    /// To train on.
    pub train: usize,
    /// To choose the learning rate by.
    pub validation: usize,
    /// To report; all that are left, if there are fewer.
    pub test: usize,
}

/// Pictures in three parts, pixels from 0 to 1.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// Pictures to train on.
    pub train: Images,
    /// Pictures to choose by.
    pub validation: Images,
    /// Pictures to report.
    pub test: Images,
}

impl Pictures {
    /// The parts of this seed. The test part of Fashion-MNIST is the same under every seed.
    pub fn load(run: &Run<'_>, source: Source, sizes: Sizes, seed: u64) -> Result<Self> {
        let Sizes { train, validation, test } = sizes;
        let mut rng = stream(seed, "data");
        let (rest, test, mut used) = match source {
            Source::Digits => {
                let (all, used) = pictures::handwritten();
                let (rest, test) = all.split_stratified(train + validation, &mut rng);
                (rest, test, used)
            }
            Source::Fashion => pictures::fashion(run, train + validation, test)?,
        };
        let (train, validation) = rest.split_stratified(train, &mut rng);
        used.part =
            format!("{} train, {} validation, {} test", train.len(), validation.len(), test.len());
        run.data(used);
        Ok(Self { train, validation, test })
    }
}

/// Pixels `[rows, pixels]` and labels `[rows]` of these pictures.
pub fn tensors(images: &Images, rows: &[usize], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let (pixels, labels) = images.gather(rows);
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    (
        Tensor::from_data(TensorData::new(pixels, [rows.len(), images.image_len()]), device),
        Tensor::from_data(TensorData::new(labels, [rows.len()]), device),
    )
}
