//! The pictures: those that the global expert learns from, and those of each user.

use pressrun_data::images::UserStyle;
use pressrun_data::{Images, split};
use pressrun_lab::{Result, Rng, Run, stream};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::Data;
use crate::pictures;

/// Which pictures a setting uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Handwritten digits, 8 x 8 pixels enlarged to 24 x 24 in a frame of 28 x 28.
    Digits,
    /// Fashion-MNIST, 28 x 28, the first of each class.
    Fashion,
}

/// How many pictures go where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The global expert's training pictures.
    pub generic: usize,
    /// Generic pictures that a device keeps; the global expert has not seen them.
    pub buffer: usize,
    /// Pictures from which every user draws its own training pictures.
    pub pool: usize,
    /// Test pictures, drawn plainly; all that are left, if there are fewer.
    pub test: usize,
    /// The first so many test pictures are drawn by every user.
    pub user_test: usize,
}

/// Pictures in parts that have no picture in common.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The global expert's training pictures.
    pub generic: Images,
    /// What a device keeps of the generic pictures.
    pub buffer: Images,
    /// What users draw for training.
    pub pool: Images,
    /// Test pictures, drawn plainly.
    pub test: Images,
    /// The test pictures that users draw.
    pub user_test: Images,
}

impl Parts {
    /// The parts of a data set, and what the record says about them.
    ///
    /// # Errors
    /// If Fashion-MNIST cannot be read.
    pub fn load(run: &Run<'_>, data: &Data) -> Result<Self> {
        let Sizes { generic, buffer, pool, test, user_test } = data.sizes;
        let mut rng = stream(run.seeds()[0], "parts");
        let all = generic + buffer + pool;
        let (rest, held, mut used) = match data.source {
            Source::Digits => {
                let (digits, used) = pictures::handwritten();
                let frame = digits.enlarged(3).padded(28, 28);
                let (rest, test) = frame.split_stratified(all, &mut rng);
                (rest, test, used)
            }
            Source::Fashion => pictures::fashion(run, all, test)?,
        };
        let (generic, rest) = rest.split_stratified(generic, &mut rng);
        let (buffer, pool) = rest.split_stratified(buffer, &mut rng);
        let first = |n: usize| held.subset(&(0..n.min(held.len())).collect::<Vec<_>>());
        let (test, user_test) = (first(test), first(user_test));
        used.part = format!(
            "{} generic, {} kept on the device, {} for users, {} test ({} drawn by each user)",
            generic.len(),
            buffer.len(),
            pool.len(),
            test.len(),
            user_test.len()
        );
        run.data(used);
        Ok(Self { generic, buffer, pool, test, user_test })
    }
}

/// The style of user `number`, the same under every seed of a run.
pub fn style(number: usize, classes: usize) -> UserStyle {
    UserStyle::draw(classes, &mut stream(number as u64, "user style"))
}

/// Rows of the pool that a user draws: `per_class` of each class, fewer ones among more.
pub fn drawn(labels: &[u8], classes: usize, per_class: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(rng);
    let shuffled: Vec<u8> = order.iter().map(|&row| labels[row]).collect();
    let chosen = split::balanced(&shuffled, classes, per_class * classes);
    chosen.into_iter().map(|at| order[at]).collect()
}

/// The pixels of pictures of 28 x 28, each moved by up to `most` pixels in both directions.
pub fn shifted(pixels: &[f32], most: usize, rng: &mut Rng) -> Vec<f32> {
    if most == 0 {
        return pixels.to_vec();
    }
    let (side, most) = (28i64, most as i64);
    let mut moved = vec![0.0; pixels.len()];
    for (old, new) in pixels.chunks_exact(784).zip(moved.chunks_exact_mut(784)) {
        let (down, right) = (rng.random_range(-most..=most), rng.random_range(-most..=most));
        for (at, pixel) in new.iter_mut().enumerate() {
            let (y, x) = (at as i64 / side - down, at as i64 % side - right);
            if (0..side).contains(&y) && (0..side).contains(&x) {
                *pixel = old[(y * side + x) as usize];
            }
        }
    }
    moved
}
