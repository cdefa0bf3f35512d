//! Losses in which some rows count more than others.

use burn::tensor::{Int, Tensor};

use super::nll;

/// Weighted mean of the negative log-likelihood of the right class.
///
/// ```text
/// l = sum_i w_i (-log softmax(z_i)[y_i]) / sum_i w_i
/// ```
///
/// With equal weights it is [`super::cross_entropy`].
///
/// # Shapes
/// - `z`: `[rows, classes]`, `y`: `[rows]`, `w`: `[rows]`, not negative, with a positive sum
/// - output: `[1]`
///
/// # Source
/// `torch.nn.CrossEntropyLoss`, with a weight for each row instead of each class.
///
/// # Panics
/// If the numbers of rows differ.
///
/// # Example
/// ```
/// use burn::tensor::{Int, Tensor};
/// use pressrun_nn::{device, loss};
///
/// let device = device::named("flex")?;
/// let z = Tensor::<2>::from_floats([[0.0, 0.0], [5.0, -5.0]], &device);
/// let y = Tensor::<1, Int>::from_ints([0, 1], &device);
/// let w = Tensor::<1>::from_floats([2.0, 0.0], &device);
/// let l = loss::weighted_cross_entropy(z, y, w).into_scalar::<f32>();
/// assert!((l - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn weighted_cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
) -> Tensor<1> {
    let (z, w) = (logits.dims(), weights.dims());
    assert_eq!(z[0], w[0], "weighted_cross_entropy: logits {z:?} and weights {w:?} differ in rows");
    (nll(logits, targets) * weights.clone()).sum() / weights.sum()
}

/// Weighted mean of the binary cross-entropy of logits, safe for logits of any size.
///
/// ```text
/// l = sum_i w_i ( max(z_i, 0) - z_i y_i + log(1 + exp(-|z_i|)) ) / sum_i w_i
/// ```
///
/// With equal weights it is [`super::bce_with_logits`].
///
/// # Shapes
/// - `z`, `y`, `w`: the same; `y` within 0 and 1, `w` not negative, with a positive sum
/// - output: `[1]`
///
/// # Source
/// `torch.nn.functional.binary_cross_entropy_with_logits` with `weight`, divided by the sum of the
/// weights.
///
/// # Panics
/// If the shapes differ.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, loss};
///
/// let device = device::named("flex")?;
/// let tensor = |v: [f32; 2]| Tensor::<1>::from_floats(v, &device);
/// let (z, y, w) = (tensor([0.0, 7.0]), tensor([1.0, 0.0]), tensor([3.0, 0.0]));
/// let l = loss::weighted_bce_with_logits(z, y, w).into_scalar::<f32>();
/// assert!((l - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn weighted_bce_with_logits<const D: usize>(
    logits: Tensor<D>,
    targets: Tensor<D>,
    weights: Tensor<D>,
) -> Tensor<1> {
    let (z, y, w) = (logits.dims(), targets.dims(), weights.dims());
    assert!(
        z == y && z == w,
        "weighted_bce_with_logits: logits {z:?}, targets {y:?} and weights {w:?} differ"
    );
    let linear = logits.clone().clamp_min(0.0) - logits.clone() * targets;
    let rows = linear + (-logits.abs()).exp().log1p();
    (rows * weights.clone()).sum() / weights.sum()
}

#[cfg(test)]
mod tests {
    use super::super::{bce_with_logits, cross_entropy};
    use super::*;
    use crate::{device, testing};

    /// -ln softmax(1, 0, -1, 0.5) = 0.746567, 1.746567, 2.746567, 1.246567.
    #[test]
    fn cross_entropy_by_hand_and_its_gradient() {
        let device = device::named("flex").unwrap();
        let values = [1.0, 0.0, -1.0, 0.5, 1.0, 0.0, -1.0, 0.5];
        let z = Tensor::<1>::from_floats(values, &device).reshape([2, 4]);
        let y = Tensor::<1, Int>::from_ints([0, 2], &device);
        let w = Tensor::<1>::from_floats([0.3, 1.0], &device);
        // (0.3 * 0.746567 + 2.746567) / 1.3 = 2.285029
        let l = weighted_cross_entropy(z.clone(), y.clone(), w.clone()).into_scalar::<f32>();
        assert!((l - 2.285_029).abs() < 1e-5, "{l}");
        let equal = weighted_cross_entropy(z.clone(), y.clone(), w.ones_like() * 0.7);
        let mean = cross_entropy(z, y.clone()).into_scalar::<f32>();
        assert!((equal.into_scalar::<f32>() - mean).abs() < 1e-6);
        testing::check_input(&device, [2, 4], &values, |z| {
            weighted_cross_entropy(z, y.clone(), w.clone())
        });
    }

    #[test]
    fn binary_cross_entropy_by_hand_and_its_gradient() {
        let device = device::named("flex").unwrap();
        let tensor = |v: [f32; 2]| Tensor::<1>::from_floats(v, &device);
        let (z, y, w) = (tensor([0.7, -1.2]), tensor([0.25, 1.0]), tensor([2.0, 0.5]));
        // 0.928186 (as for the mean) and ln(1 + e^1.2) = 1.463282:
        // (2 * 0.928186 + 0.5 * 1.463282) / 2.5 = 1.035205
        let l = weighted_bce_with_logits(z.clone(), y.clone(), w.clone()).into_scalar::<f32>();
        assert!((l - 1.035_205).abs() < 1e-5, "{l}");
        let equal = weighted_bce_with_logits(z.clone(), y.clone(), w.ones_like() * 3.0);
        let mean = bce_with_logits(z, y.clone()).into_scalar::<f32>();
        assert!((equal.into_scalar::<f32>() - mean).abs() < 1e-6);
        testing::check_input(&device, [2], &[0.7, -1.2], |z| {
            weighted_bce_with_logits(z, y.clone(), w.clone())
        });
        let far = weighted_bce_with_logits(tensor([-1e3, 1e3]), tensor([0.0, 0.0]), w);
        assert_eq!(far.into_scalar::<f32>(), 200.0);
    }
}
