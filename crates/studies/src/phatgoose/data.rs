//! Pictures in patches, what happens to a patch, and the tasks that are made of it.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::Images;
use pressrun_lab::{Error, Result, Rng, Run, stream};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::pictures;

/// Pixels on a side of a patch.
pub const SIDE: usize = 7;
/// Patches on a side of a picture.
const ACROSS: usize = 4;
/// Patches of a picture: the tokens.
pub const PATCHES: usize = ACROSS * ACROSS;
/// Pixels of a patch.
pub const PIXELS: usize = SIDE * SIDE;

/// What can happen to a patch, without a look at the patches around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// Light becomes dark.
    Invert,
    /// A quarter turn to the right.
    Rotate,
    /// Normal noise on each pixel, cut to the range.
    Noise,
    /// Means over 3 x 3 pixels, again and again.
    Blur,
    /// Pixels are drawn towards the grey in the middle.
    Contrast,
    /// Left becomes right.
    Flip,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// As in the training of the experts.
    Trained,
    /// More than any expert has seen.
    Stronger,
}

impl Corruption {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Invert, Self::Rotate, Self::Noise, Self::Blur, Self::Contrast, Self::Flip];

    /// Name in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invert => "invert",
            Self::Rotate => "rotate",
            Self::Noise => "noise",
            Self::Blur => "blur",
            Self::Contrast => "contrast",
            Self::Flip => "flip",
        }
    }

    /// Whether there is more and less of it.
    pub fn has_strength(self) -> bool {
        matches!(self, Self::Noise | Self::Blur | Self::Contrast)
    }

    /// Applies it to a patch, `SIDE` rows of pixels from 0 to 1.
    pub fn apply(self, strength: Strength, patch: &mut [f32], rng: &mut Rng) {
        let stronger = strength == Strength::Stronger;
        match self {
            Self::Invert => patch.iter_mut().for_each(|p| *p = 1.0 - *p),
            Self::Rotate => rearrange(patch, |row, column| (SIDE - 1 - column, row)),
            Self::Flip => rearrange(patch, |row, column| (row, SIDE - 1 - column)),
            Self::Noise => {
                let sd = if stronger { 0.5 } else { 0.3 };
                for p in patch {
                    let noise: f32 = rng.sample(StandardNormal);
                    *p = (*p + sd * noise).clamp(0.0, 1.0);
                }
            }
            Self::Blur => (0..if stronger { 6 } else { 2 }).for_each(|_| smooth(patch)),
            Self::Contrast => {
                let factor = if stronger { 0.15 } else { 0.3 };
                patch.iter_mut().for_each(|p| *p = 0.5 + factor * (*p - 0.5));
            }
        }
    }
}

/// Each pixel becomes the one that `from` names.
fn rearrange(patch: &mut [f32], from: impl Fn(usize, usize) -> (usize, usize)) {
    let old = patch.to_vec();
    for (at, p) in patch.iter_mut().enumerate() {
        let (row, column) = from(at / SIDE, at % SIDE);
        *p = old[row * SIDE + column];
    }
}

/// Mean over 3 x 3 pixels; beyond the edge the nearest pixel counts again.
pub fn smooth(patch: &mut [f32]) {
    let old = patch.to_vec();
    for (at, p) in patch.iter_mut().enumerate() {
        let near = |x: usize| [x.saturating_sub(1), x, (x + 1).min(SIDE - 1)];
        let rows =
            near(at / SIDE).map(|row| near(at % SIDE).map(|column| old[row * SIDE + column]));
        *p = rows.iter().flatten().sum::<f32>() / 9.0;
    }
}

/// What happens to the patches of a picture; numbers are positions in the pool of corruptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// Nothing.
    Clean,
    /// The same to every patch.
    Everywhere(usize, Strength),
    /// The same to every patch of a picture, drawn for each picture.
    Union,
    /// One to the left half, another to the right half.
    Halves(usize, usize),
    /// Drawn for each patch.
    Scattered,
}

/// Pictures as patches, with what happened to each.
#[derive(Debug, Clone)]
pub struct Set {
    /// `[pictures, PATCHES, PIXELS]`, from -1 to 1.
    pixels: Vec<f32>,
    /// `[pictures]`.
    labels: Vec<i64>,
    /// Corruption of each patch; of a clean one none.
    pub truth: Vec<Option<usize>>,
    /// Whether the corruption changed the patch: a quarter turn leaves an empty patch as it is.
    pub changed: Vec<bool>,
}

impl Set {
    /// These rows of `images`, changed by a scene.
    pub fn of(
        images: &Images,
        rows: &[usize],
        scene: Scene,
        pool: &[Corruption],
        rng: &mut Rng,
    ) -> Self {
        let n = rows.len() * PATCHES;
        let mut set = Self {
            pixels: Vec::with_capacity(n * PIXELS),
            labels: rows.iter().map(|&row| i64::from(images.labels()[row])).collect(),
            truth: Vec::with_capacity(n),
            changed: Vec::with_capacity(n),
        };
        for &row in rows {
            let everywhere = match scene {
                Scene::Union => Some((rng.random_range(0..pool.len()), Strength::Trained)),
                Scene::Everywhere(corruption, strength) => Some((corruption, strength)),
                _ => None,
            };
            for patch in 0..PATCHES {
                let what = match scene {
                    Scene::Halves(left, right) => {
                        let side = if patch % ACROSS < ACROSS / 2 { left } else { right };
                        Some((side, Strength::Trained))
                    }
                    Scene::Scattered => Some((rng.random_range(0..pool.len()), Strength::Trained)),
                    _ => everywhere,
                };
                set.push(images.image(row), patch, what.map(|(z, s)| (z, pool[z], s)), rng);
            }
        }
        set
    }

    fn push(
        &mut self,
        image: &[f32],
        patch: usize,
        what: Option<(usize, Corruption, Strength)>,
        rng: &mut Rng,
    ) {
        let (top, left) = (patch / ACROSS * SIDE, patch % ACROSS * SIDE);
        let row = |r: usize| (top + r) * ACROSS * SIDE + left;
        let clean: Vec<f32> =
            (0..SIDE).flat_map(|r| &image[row(r)..row(r) + SIDE]).copied().collect();
        let mut pixels = clean.clone();
        if let Some((_, corruption, strength)) = what {
            corruption.apply(strength, &mut pixels, rng);
        }
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 0.05;
        self.changed.push(pixels.iter().zip(&clean).any(far));
        self.truth.push(what.map(|(z, ..)| z));
        self.pixels.extend(pixels.iter().map(|p| 2.0 * p - 1.0));
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Batches of at most `size`: patches `[n, PATCHES, PIXELS]` and labels `[n]`.
    pub fn batches(
        &self,
        size: usize,
        device: &Device,
    ) -> impl Iterator<Item = (Tensor<3>, Tensor<1, Int>)> {
        let pixels = self.pixels.chunks(size * PATCHES * PIXELS);
        pixels.zip(self.labels.chunks(size)).map(move |(pixels, labels)| {
            let n = labels.len();
            let x = TensorData::new(pixels.to_vec(), [n, PATCHES, PIXELS]);
            let y = TensorData::new(labels.to_vec(), [n]);
            (Tensor::from_data(x, device), Tensor::from_data(y, device))
        })
    }

    /// All pictures in one batch.
    pub fn whole(&self, device: &Device) -> Result<(Tensor<3>, Tensor<1, Int>)> {
        let batch = self.batches(self.len().max(1), device).next();
        batch.ok_or_else(|| Error::Study("a batch without pictures".into()))
    }
}

/// How many pictures go where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// To train on: base model and experts.
    pub train: usize,
    /// To choose by.
    pub validation: usize,
    /// To report.
    pub test: usize,
}

/// Pictures in three parts.
#[derive(Debug)]
pub struct Pictures {
    /// Pictures to train on.
    pub train: Images,
    /// Pictures to choose by.
    pub validation: Images,
    /// Pictures of the held-out tasks.
    pub test: Images,
}

impl Pictures {
    /// The parts, the same under every seed: the base model must not have seen the validation part.
    pub fn load(run: &Run<'_>, sizes: Sizes) -> Result<Self> {
        let Sizes { train, validation, test } = sizes;
        let (seen, test, mut used) = pictures::fashion(run, train + validation, test)?;
        let (train, validation) = seen.split_stratified(train, &mut stream(0, "data"));
        used.part = format!(
            "{} train, {} validation, {} test, in {PATCHES} patches",
            train.len(),
            validation.len(),
            test.len()
        );
        run.data(used);
        Ok(Self { train, validation, test })
    }
}

/// All rows of these pictures.
pub fn all(images: &Images) -> Vec<usize> {
    (0..images.len()).collect()
}
