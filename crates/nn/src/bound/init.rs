//! Initial weights under which boxes neither grow nor shrink with depth.

use std::f64::consts::PI;

/// Standard deviation of normal weights that keep the expected width of a box from layer to layer.
///
/// ```text
/// sigma = sqrt(2 pi) / n       n = fan-in (for a convolution: channels x kernel height x width)
/// ```
///
/// An affine layer makes the width `n E|W|` times as large and the ReLU before it halves it in
/// expectation, so the gain is `(n / 2) E|W|`; with `E|N(0, s^2)| = s sqrt(2 / pi)` it is 1 for this
/// `sigma`. The first layer has no ReLU before it: a factor of 2 stays there. The last layer is not
/// bounded by itself and keeps its ordinary initial weights.
///
/// # Source
/// Shi et al., "Fast Certified Robust Training with Short Warmup", arXiv:2103.17268;
/// `manual_init.py` of the authors.
///
/// # Panics
/// If `fan_in` is 0.
///
/// # Example
/// ```
/// assert!((pressrun_nn::bound::ibp_std(256) - 0.009_791_52).abs() < 1e-8);
/// ```
pub fn ibp_std(fan_in: usize) -> f64 {
    assert!(fan_in > 0, "ibp_std: fan-in is 0");
    (2.0 * PI).sqrt() / fan_in as f64
}

/// Factor by which an affine layer after a ReLU is expected to change the width of a box.
///
/// ```text
/// gain = (n / 2) E|W|
/// ```
///
/// # Source
/// As [`ibp_std`].
///
/// # Example
/// ```
/// use pressrun_nn::bound::{ibp_std, normal_mean_abs, width_gain};
///
/// assert!((width_gain(256, normal_mean_abs(ibp_std(256))) - 1.0).abs() < 1e-12);
/// // Kaiming: sigma = sqrt(2 / n)
/// assert!((width_gain(256, normal_mean_abs((2.0f64 / 256.0).sqrt())) - 9.027).abs() < 1e-3);
/// ```
pub fn width_gain(fan_in: usize, mean_abs: f64) -> f64 {
    fan_in as f64 / 2.0 * mean_abs
}

/// `E|X|` of `X ~ N(0, std^2)`: `std sqrt(2 / pi)`.
pub fn normal_mean_abs(std: f64) -> f64 {
    std * (2.0 / PI).sqrt()
}
