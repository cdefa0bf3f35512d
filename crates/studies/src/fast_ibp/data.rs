//! The pictures: Fashion-MNIST, and digits for the quick profile.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::{Fashion, Images, Sources, card, digits};
use pressrun_lab::{DataUse, Error, Result, Run, stream};

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
                let (rest, test) = digits().split_stratified(train + validation, &mut rng);
                (rest, test, digits_use())
            }
            Source::Fashion => {
                let sources = Sources::everywhere(run.data_dir());
                let found = Fashion::load_balanced(&sources, train + validation, test)
                    .map_err(|e| Error::Data(e.to_string()))?;
                let used = DataUse {
                    name: found.provenance.card.clone(),
                    origin: found.provenance.origin.to_string(),
                    identity: found.provenance.sha256,
                    part: String::new(),
                };
                (found.train, found.test, used)
            }
        };
        let (train, validation) = rest.split_stratified(train, &mut rng);
        used.part =
            format!("{} train, {} validation, {} test", train.len(), validation.len(), test.len());
        run.data(used);
        Ok(Self { train, validation, test })
    }
}

fn digits_use() -> DataUse {
    let sha256 = card::card("digits").and_then(|card| card.embedded_sha256());
    DataUse {
        name: "digits".into(),
        origin: "embedded".into(),
        identity: sha256.unwrap_or_default(),
        part: String::new(),
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
