//! Losses.

mod contrastive;
mod weighted;

use burn::tensor::{Int, Tensor};

use crate::op;

pub use contrastive::{info_nce, info_nce_pairs};
pub use weighted::{weighted_bce_with_logits, weighted_cross_entropy};

/// Negative log-likelihood of the right class, for each row.
///
/// ```text
/// l_i = -log softmax(z_i)[y_i]
/// ```
///
/// # Shapes
/// - `z`: `[rows, classes]`, `y`: `[rows]`
/// - output: `[rows]`
///
/// # Panics
/// If the numbers of rows differ.
pub fn nll(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let (z, y) = (logits.dims(), targets.dims());
    assert_eq!(z[0], y[0], "nll: logits {z:?} and targets {y:?} differ in rows");
    let log_p = op::log_softmax(logits);
    -log_p.gather(1, targets.unsqueeze_dim(1)).squeeze_dim(1)
}

/// Mean negative log-likelihood of the right class.
///
/// ```text
/// l = mean_i -log softmax(z_i)[y_i]
/// ```
///
/// # Shapes
/// - `z`: `[rows, classes]`, `y`: `[rows]`
/// - output: `[1]`
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
/// let z = Tensor::<2>::zeros([3, 4], &device);
/// let y = Tensor::<1, Int>::from_ints([0, 3, 1], &device);
/// let l = loss::cross_entropy(z, y).into_scalar::<f32>();
/// assert!((l - 4f32.ln()).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let (z, y) = (logits.dims(), targets.dims());
    assert_eq!(z[0], y[0], "cross_entropy: logits {z:?} and targets {y:?} differ in rows");
    op::cross_entropy(logits, targets)
}

/// Mean binary cross-entropy of logits, safe for logits of any size.
///
/// ```text
/// l = mean_i  max(z_i, 0) - z_i y_i + log(1 + exp(-|z_i|))
/// ```
///
/// # Shapes
/// - `z`, `y`: the same; `y` within 0 and 1
/// - output: `[1]`
///
/// # Source
/// `torch.nn.functional.binary_cross_entropy_with_logits`.
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
/// let z = Tensor::<1>::from_floats([0.0, 100.0], &device);
/// let y = Tensor::<1>::from_floats([1.0, 1.0], &device);
/// let l = loss::bce_with_logits(z, y).into_scalar::<f32>();
/// assert!((l - 0.5 * 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn bce_with_logits<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    let (z, y) = (logits.dims(), targets.dims());
    assert_eq!(z, y, "bce_with_logits: logits {z:?} and targets {y:?} differ");
    op::bce_with_logits(logits, targets)
}

/// Share of rows whose largest logit is the right class; no gradient.
///
/// # Shapes
/// - `logits`: `[rows, classes]`, `targets`: `[rows]`
///
/// # Panics
/// If the numbers of rows differ.
pub fn accuracy(logits: Tensor<2>, targets: Tensor<1, Int>) -> f64 {
    let (z, y) = (logits.dims(), targets.dims());
    assert_eq!(z[0], y[0], "accuracy: logits {z:?} and targets {y:?} differ in rows");
    let right = logits.argmax(1).squeeze_dim::<1>(1).equal(targets).int().sum();
    right.into_scalar::<i64>() as f64 / y[0].max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    /// softmax(1, 0, -1, 0.5) = 0.473991, 0.174372, 0.064148, 0.287490.
    #[test]
    fn cross_entropy_by_hand_and_its_gradient() {
        let device = device::named("flex").unwrap();
        let z = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 0.5], [1.0, 0.0, -1.0, 0.5]], &device);
        let y = Tensor::<1, Int>::from_ints([0, 2], &device);
        let rows: Vec<f32> = nll(z.clone(), y.clone()).try_into_vec_as().unwrap();
        assert!((rows[0] + 0.473_991f32.ln()).abs() < 1e-5);
        assert!((rows[1] + 0.064_148f32.ln()).abs() < 1e-4);
        let mean = cross_entropy(z, y.clone()).into_scalar::<f32>();
        assert!((mean - 0.5 * (rows[0] + rows[1])).abs() < 1e-6);
        let values = [1.0, 0.0, -1.0, 0.5, 0.3, 0.2, 0.1, 0.0];
        testing::check_input(&device, [2, 4], &values, |z| cross_entropy(z, y.clone()));
    }

    #[test]
    fn large_logits_are_safe() {
        let device = device::named("flex").unwrap();
        let z = Tensor::<2>::from_floats([[1000.0, 0.0]], &device);
        let y = Tensor::<1, Int>::from_ints([1], &device);
        assert_eq!(cross_entropy(z, y).into_scalar::<f32>(), 1000.0);
        let z = Tensor::<1>::from_floats([-1000.0, 1000.0], &device);
        let y = Tensor::<1>::from_floats([1.0, 1.0], &device);
        assert_eq!(bce_with_logits(z, y).into_scalar::<f32>(), 500.0);
    }

    #[test]
    fn binary_cross_entropy_by_hand_and_its_gradient() {
        let device = device::named("flex").unwrap();
        // z = 0.7, y = 0.25: -0.25 ln s(z) - 0.75 ln(1 - s(z)), s(0.7) = 0.668188: 0.928186.
        let y = Tensor::<1>::from_floats([0.25], &device);
        let z = Tensor::<1>::from_floats([0.7], &device);
        let l = bce_with_logits(z, y.clone()).into_scalar::<f32>();
        assert!((l - 0.928_186).abs() < 1e-5, "{l}");
        testing::check_input(&device, [1], &[0.7], |z| bce_with_logits(z, y.clone()));
    }

    #[test]
    fn accuracy_counts_rows() {
        let device = device::named("flex").unwrap();
        let z = Tensor::<2>::from_floats([[1., 0.], [0., 1.], [3., 2.], [0., 4.]], &device);
        let y = Tensor::<1, Int>::from_ints([0, 0, 0, 1], &device);
        assert_eq!(accuracy(z, y), 0.75);
    }
}
