//! Normalisation: what is divided by which standard deviation.
//!
//! All layers of this family compute `y = (x - m) / sqrt(v + eps) * gamma + beta` and differ in
//! the set of entries over which the mean `m` and the variance `v` are taken: [`LayerNorm`] over
//! the features of one sample, [`BatchNorm`] over the samples of one feature, [`GroupNorm`] over
//! groups of a picture's channels. [`RmsNorm`] takes no mean away.

mod batch;
mod group;
mod layer;
mod rms;

pub use batch::{BatchNorm, BatchNormConfig, Moments};
pub use group::{GroupNorm, GroupNormConfig};
pub use layer::{LayerNorm, LayerNormConfig};
pub use rms::{RmsNorm, RmsNormConfig};
