//! What bounds say about a classification: margins, their loss, and what is verified.

use burn::tensor::{Int, Tensor, TensorData};

use super::IntervalBounds;
use crate::op;

/// Lower bounds of `logit(y) - logit(j)` for every class `j` but the label, with the last layer
/// merged into the differences.
///
/// ```text
/// d_j = w_y - w_j,  lb_j = d_j . c - |d_j| . r + (b_y - b_j)      j != y, ascending
/// ```
///
/// Bounding the logits one by one and subtracting would count the radius of every shared input
/// twice: `|w_y| + |w_j| >= |w_y - w_j|`, so that bound is never tighter and mostly looser.
///
/// The differences are made for all pairs of classes, `K (K - 1)` columns, which for up to a
/// hundred classes is cheaper than one matrix per example.
///
/// # Shapes
/// - `bounds`: `[batch, n]`, the input of the last layer
/// - `weight`: `[n, K]`, `bias`: `[K]`, `labels`: `[batch]` in `0..K`
/// - output: `[batch, K - 1]`
///
/// # Source
/// Gowal et al., arXiv:1810.12715, section 3 ("elision of the last layer").
///
/// # Panics
/// If `K < 2` or the bounds do not have `n` units.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use pressrun_nn::bound::{IntervalBounds, margin};
///
/// let device = Device::flex();
/// let bounds = IntervalBounds::from_box(Tensor::from_data([[1.0]], &device), 0.5, 0.0, 9.0);
/// // Logits 2 h and h: their difference is h, in [0.5, 1.5], although 2 h - h "could" be -0.5.
/// let weight = Tensor::<2>::from_data([[2.0, 1.0]], &device);
/// let label = Tensor::<1, Int>::from_data([0], &device);
/// let lower: f32 = margin(&bounds, weight, None, label).into_scalar();
/// assert!((lower - 0.5).abs() < 1e-6);
/// ```
pub fn margin(
    bounds: &IntervalBounds<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    labels: Tensor<1, Int>,
) -> Tensor<2> {
    let [units, classes] = weight.dims();
    let [batch, width] = bounds.center.dims();
    assert!(
        classes >= 2 && units == width,
        "margin: bounds of shape [{batch}, {width}], weight of shape [{units}, {classes}]"
    );
    let device = weight.device();
    let pairs =
        (0..classes).flat_map(|y| (0..classes).filter(move |&j| j != y).map(move |j| (y, j)));
    let (own, other): (Vec<i64>, Vec<i64>) = pairs.map(|(y, j)| (y as i64, j as i64)).unzip();
    let columns = own.len();
    let own = Tensor::<1, Int>::from_data(TensorData::new(own, [columns]), &device);
    let other = Tensor::<1, Int>::from_data(TensorData::new(other, [columns]), &device);
    let merged = weight.clone().select(1, own.clone()) - weight.select(1, other.clone());
    let merged_bias = bias.map(|b| b.clone().select(0, own) - b.select(0, other));
    let lower = bounds.clone().linear(merged, merged_bias).lower();
    let index = labels.reshape([batch, 1, 1]).repeat_dim(2, classes - 1);
    lower.reshape([batch, classes, classes - 1]).gather(1, index).reshape([batch, classes - 1])
}

/// `logit(y) - logit(j)` for every class but the label: the margins of which [`margin`] gives
/// lower bounds, in the same order.
///
/// # Shapes
/// - `logits`: `[batch, K]`, `labels`: `[batch]`, output: `[batch, K - 1]`
///
/// # Panics
/// If there are fewer than two classes.
pub fn logit_margins(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<2> {
    let [batch, classes] = logits.dims();
    assert!(classes >= 2, "logit_margins: logits of shape [{batch}, {classes}]");
    // A point is a box of radius 0, and the last layer an identity.
    let point = IntervalBounds { radius: logits.zeros_like(), center: logits };
    let identity = Tensor::eye(classes, &point.center.device());
    margin(&point, identity, None, labels)
}

/// Cross-entropy of the worst logits that the bounds allow.
///
/// ```text
/// L = mean over the batch of log(1 + sum_j exp(-lb_j))
/// ```
///
/// It is an upper bound of the cross-entropy at every point of the box, and equals it for a box of
/// radius 0.
///
/// # Shapes
/// - `lower`: `[batch, K - 1]` from [`margin`], output: one element
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use pressrun_nn::bound::robust_cross_entropy;
///
/// let lower = Tensor::<2>::from_data([[0.0, 0.0]], &Device::flex());
/// let loss: f32 = robust_cross_entropy(lower).into_scalar();
/// assert!((loss - 3f32.ln()).abs() < 1e-6);
/// ```
pub fn robust_cross_entropy(lower: Tensor<2>) -> Tensor<1> {
    let [batch, _] = lower.dims();
    let zero = Tensor::zeros([batch, 1], &lower.device());
    let logits = Tensor::cat(vec![zero, lower.neg()], 1);
    op::log_softmax(logits).narrow(1, 0, 1).mean().neg()
}

/// For each example, whether no class can overtake the label: all lower bounds are positive.
///
/// A bound that is not a number verifies nothing.
pub fn verified(lower: Tensor<2>) -> Vec<bool> {
    let [_, classes] = lower.dims();
    let values = lower.try_into_vec_as::<f32>().expect("floats");
    values.chunks(classes).map(|row| row.iter().all(|&lb| lb > 0.0)).collect()
}
