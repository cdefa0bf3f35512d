//! Two penalties that keep boxes narrow and ReLU states balanced while a radius is being ramped up.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::IntervalBounds;

/// Penalises layers whose boxes are much wider than the input's.
///
/// ```text
/// L_tight = (1/m) sum_i max(0, tau - rho_0 / rho_i) / tau
/// rho_i = mean radius before the i-th ReLU, at least 1e-12;  rho_0 = mean radius of the input
/// ```
///
/// # Shapes
/// - `pre_relu`: one box per ReLU layer, `[batch, units]`; output: one element
///
/// # Source
/// Shi et al., arXiv:2103.17268; `regularization.py::compute_reg` of the authors, `tau` = 0.5.
///
/// # Panics
/// If there is no layer or `tau` is not positive.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use pressrun_nn::bound::{IntervalBounds, tightness_loss};
///
/// let device = Device::flex();
/// let wide = IntervalBounds {
///     center: Tensor::<2>::zeros([1, 2], &device),
///     radius: Tensor::full([1, 2], 0.4, &device),
/// };
/// // rho_0 / rho = 0.25, half of what is tolerated
/// let loss: f32 = tightness_loss(&[wide], 0.1, 0.5).into_scalar();
/// assert!((loss - 0.5).abs() < 1e-6);
/// ```
pub fn tightness_loss(pre_relu: &[IntervalBounds<2>], input_radius: f64, tau: f64) -> Tensor<1> {
    check("tightness_loss", pre_relu, tau);
    let layer = |bounds: &IntervalBounds<2>| {
        let ratio = bounds.mean_radius().clamp_min(1e-12).recip().mul_scalar(input_radius);
        relu(ratio.neg().add_scalar(tau)).div_scalar(tau)
    };
    let sum = pre_relu.iter().map(layer).reduce(|a, b| a + b).expect("at least one layer");
    sum.div_scalar(pre_relu.len() as f64)
}

/// Penalises layers in which stably active and stably inactive ReLU units are out of balance.
///
/// ```text
/// act = [l > 0], inact = [u < 0], c = (l + u) / 2          masks without gradient
/// A = mean(c act), I = mean(c inact)                        over all entries, not the masked ones
/// V_a = sum((c - mean c)^2 act), V_i = sum((c - mean c)^2 inact)
/// alpha = fold(A / -I), beta = fold(V_a / V_i)              fold(q) = min(q, 1 / q)
/// L_relu = (1/m) sum_i [max(0, tau - alpha) + max(0, tau - beta)] / tau
/// ```
///
/// A layer without a stably inactive unit (the ratio would be infinite, or 0/0) counts 0; one with
/// inactive but no active units counts its maximum, 2, which has no gradient in the masks.
///
/// # Shapes
/// - `pre_relu`: one box per ReLU layer, `[batch, units]`; output: one element
///
/// # Source
/// Shi et al., arXiv:2103.17268; the edge cases as `regularization.py::compute_reg` of the authors
/// treats them (it skips a layer whose value is not finite).
///
/// # Panics
/// If there is no layer or `tau` is not positive.
pub fn relu_balance_loss(pre_relu: &[IntervalBounds<2>], tau: f64) -> Tensor<1> {
    check("relu_balance_loss", pre_relu, tau);
    let device = pre_relu[0].center.device();
    let layers = pre_relu.iter().filter_map(|bounds| layer_balance(bounds, tau, &device));
    let sum = layers.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::zeros([1], &device));
    sum.div_scalar(pre_relu.len() as f64)
}

/// The balance term of one layer, or nothing where it is not finite.
fn layer_balance(bounds: &IntervalBounds<2>, tau: f64, device: &Device) -> Option<Tensor<1>> {
    let active = bounds.lower().detach().greater_scalar(0.0).float();
    let inactive = bounds.upper().detach().lower_scalar(0.0).float();
    let center = bounds.center.clone();
    let deviation = (center.clone() - center.clone().mean().unsqueeze()).powi_scalar(2);
    let [a, i] = [&active, &inactive].map(|mask| (center.clone() * mask.clone()).mean());
    let [va, vi] = [active, inactive].map(|mask| (deviation.clone() * mask).sum());
    let host = |t: &Tensor<1>| t.clone().into_scalar::<f32>();
    let (no_inactive, no_spread) = (host(&i) == 0.0, host(&va) == 0.0 && host(&vi) == 0.0);
    let finite = [&a, &i, &va, &vi].iter().all(|t| host(t).is_finite());
    if no_inactive || no_spread || !finite {
        return None;
    }
    let alpha = shortfall(a, i.neg(), tau, device);
    let beta = shortfall(va, vi, tau, device);
    Some((alpha + beta).div_scalar(tau))
}

/// `max(0, tau - fold(a / b))` of `a, b >= 0`, one of them positive.
///
/// The branch of the fold is chosen on the host: a masked branch with an infinite value would turn
/// its zero gradient into NaN.
fn shortfall(a: Tensor<1>, b: Tensor<1>, tau: f64, device: &Device) -> Tensor<1> {
    let (x, y): (f32, f32) = (a.clone().into_scalar(), b.clone().into_scalar());
    if x == 0.0 || y == 0.0 {
        return Tensor::full([1], tau, device);
    }
    let folded = if x <= y { a / b } else { b / a };
    relu(folded.neg().add_scalar(tau))
}

fn check(name: &str, pre_relu: &[IntervalBounds<2>], tau: f64) {
    assert!(!pre_relu.is_empty(), "{name}: there is no layer");
    assert!(tau > 0.0, "{name}: tau is {tau}, expected a positive number");
}

/// What fraction of the ReLU units is in which state for a whole box.
///
/// ```text
/// active: l > 0    inactive: u < 0    unstable: the rest
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReluStates {
    /// Open for every point of the box.
    pub active: f64,
    /// Shut for every point of the box.
    pub inactive: f64,
    /// Open for some and shut for others.
    pub unstable: f64,
}

impl ReluStates {
    /// Counts the states over batch and units.
    ///
    /// # Panics
    /// If there are no entries.
    pub fn of(pre_relu: &IntervalBounds<2>) -> Self {
        let [batch, units] = pre_relu.center.dims();
        let count = batch * units;
        assert!(count > 0, "ReluStates: bounds of shape [{batch}, {units}]");
        let active: f32 = pre_relu.lower().greater_scalar(0.0).float().sum().into_scalar();
        let inactive: f32 = pre_relu.upper().lower_scalar(0.0).float().sum().into_scalar();
        let [active, inactive] = [active, inactive].map(|n| f64::from(n) / count as f64);
        Self { active, inactive, unstable: 1.0 - active - inactive }
    }

    /// How near the two stable states are to each other: `min(q, 1/q)` of `q = active / inactive`,
    /// 1 if they are equally frequent, 0 if only one occurs, nothing if neither does.
    ///
    /// ```
    /// use pressrun_nn::bound::ReluStates;
    ///
    /// let states = ReluStates { active: 0.1, inactive: 0.4, unstable: 0.5 };
    /// assert_eq!(states.balance(), Some(0.25));
    /// ```
    pub fn balance(&self) -> Option<f64> {
        let most = self.active.max(self.inactive);
        (most > 0.0).then(|| self.active.min(self.inactive) / most)
    }
}
