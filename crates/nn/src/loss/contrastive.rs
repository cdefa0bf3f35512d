//! Losses that compare rows of a batch with one another.

use burn::tensor::{Int, Tensor, TensorData};

use crate::activation::Activation;
use crate::op;

/// Added under the root of a norm, so that a row of zeros has a direction and a gradient.
const EPS: f64 = 1e-12;

/// What an excluded pair gets instead of its similarity: its exponential is 0.
const NEVER: f32 = -1e9;

/// Each row is to be closer to its positive than to the other rows: `InfoNCE` with cosines.
///
/// ```text
/// l = -mean_i log( exp(s(a_i, p_i) / T) / (exp(s(a_i, p_i) / T) + sum_j exp(s(a_i, a_j) / T)) )
/// s = cosine;  j runs over the rows other than i that are not excluded
/// ```
///
/// # Shapes
/// - `anchor` a, `positive` p: `[rows, width]`
/// - `exclude`: rows * rows entries, row after row; true at `(i, j)` if row j is no negative of
///   row i, for example because both belong to one user. The diagonal is excluded in any case.
/// - output: `[1]`
///
/// # Source
/// van den Oord et al., arXiv:1807.03748; negatives among the anchors.
///
/// # Panics
/// If the shapes do not fit together, or the temperature is not above 0.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, loss::info_nce};
///
/// let device = device::named("flex")?;
/// // Four rows at right angles, each its own positive: ln(1 + 3 / e).
/// let rows = Tensor::<2>::eye(4, &device);
/// let l = info_nce(rows.clone(), rows, 1.0, &[false; 16]).into_scalar::<f32>();
/// assert!((l - 0.743_668).abs() < 1e-5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn info_nce(
    anchor: Tensor<2>,
    positive: Tensor<2>,
    temperature: f64,
    exclude: &[bool],
) -> Tensor<1> {
    let ([rows, _], other) = (anchor.dims(), positive.dims());
    assert_eq!(anchor.dims(), other, "info_nce: anchors and positives {other:?} differ");
    assert_eq!(exclude.len(), rows * rows, "info_nce: pairs of {rows} rows");
    assert!(temperature > 0.0, "info_nce: temperature `{temperature}`; expected more than 0");
    let device = anchor.device();
    let (a, p) = (unit(anchor), unit(positive));
    let own = (a.clone() * p).sum_dim(1);
    let all = a.clone().matmul(a.transpose());
    let never = |at: usize| if exclude[at] || at.is_multiple_of(rows + 1) { NEVER } else { 0.0 };
    let never: Vec<f32> = (0..rows * rows).map(never).collect();
    let never = Tensor::<2>::from_data(TensorData::new(never, [rows, rows]), &device);
    let logits = Tensor::cat(vec![own / temperature, all / temperature + never], 1);
    op::cross_entropy(logits, Tensor::<1, Int>::zeros([rows], &device))
}

/// Two views of each thing are to find one another among the others' views: `InfoNCE` between two
/// towers, both ways.
///
/// ```text
/// l = -1/2 mean_i ( log softmax_j(s(a_i, b_j) / T)[i] + log softmax_j(s(a_j, b_i) / T)[i] )
/// s = cosine
/// ```
///
/// # Shapes
/// - `a`, `b`: `[rows, width]`
/// - output: `[1]`
///
/// # Source
/// Radford et al., arXiv:2103.00020, Figure 3, with a fixed temperature T.
///
/// # Panics
/// If the shapes differ, or the temperature is not above 0.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, loss::info_nce_pairs};
///
/// let device = device::named("flex")?;
/// // Four pairs at right angles to one another: ln(1 + 3 / e).
/// let rows = Tensor::<2>::eye(4, &device);
/// let l = info_nce_pairs(rows.clone(), rows, 1.0).into_scalar::<f32>();
/// assert!((l - 0.743_668).abs() < 1e-5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn info_nce_pairs(a: Tensor<2>, b: Tensor<2>, temperature: f64) -> Tensor<1> {
    let ([rows, _], other) = (a.dims(), b.dims());
    assert_eq!(a.dims(), other, "info_nce_pairs: the views {other:?} differ");
    assert!(temperature > 0.0, "info_nce_pairs: temperature `{temperature}`; expected more than 0");
    let own = Tensor::<1, Int>::arange(0..rows as i64, &a.device());
    let (a, b) = (unit(a) / temperature, unit(b));
    let logits = op::linear(a, b.transpose(), None, None, Activation::Identity);
    let there = op::cross_entropy(logits.clone(), own.clone());
    (there + op::cross_entropy(logits.transpose(), own)) / 2.0
}

fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = (x.clone().square().sum_dim(1) + EPS).sqrt();
    x / norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    fn value(rows: &Tensor<2>, temperature: f64, exclude: &[bool]) -> f32 {
        info_nce(rows.clone(), rows.clone(), temperature, exclude).into_scalar()
    }

    #[test]
    fn values_by_hand() {
        let device = device::named("flex").unwrap();
        let right_angles = Tensor::<2>::eye(4, &device) * 3.0;
        // ln(1 + 3 e^-5) and ln(1 + 3 / e).
        assert!((value(&right_angles, 0.2, &[false; 16]) - 0.020_012).abs() < 1e-6);
        assert!((value(&right_angles, 1.0, &[false; 16]) - 0.743_668).abs() < 1e-5);
        // All similarities equal: ln(1 + l), whatever the temperature.
        let equal = Tensor::<2>::ones([4, 2], &device);
        assert!((value(&equal, 0.2, &[false; 16]) - 4f32.ln()).abs() < 1e-5);
        // With one negative of each row excluded there are two.
        let mut exclude = [false; 16];
        [1, 4, 11, 14].iter().for_each(|&at| exclude[at] = true);
        assert!((value(&equal, 0.2, &exclude) - 3f32.ln()).abs() < 1e-5);
        assert!(value(&equal, 0.2, &[true; 16]).abs() < 1e-6);
    }

    #[test]
    fn gradients_reach_anchor_and_positive() {
        let device = device::named("flex").unwrap();
        let other = Tensor::<2>::from_floats([[1.0, 0.2], [-0.4, 0.7], [0.3, -1.0]], &device);
        let values = [0.8, 0.5, -0.9, 0.4, 0.1, -0.6];
        let mut exclude = [false; 9];
        (exclude[1], exclude[3]) = (true, true);
        testing::check_input(&device, [3, 2], &values, |x| {
            info_nce(x, other.clone(), 0.5, &exclude)
        });
        testing::check_input(&device, [3, 2], &values, |x| {
            info_nce(other.clone(), x, 0.5, &exclude)
        });
    }

    /// A positive equal to its anchor is at the largest cosine: no gradient pulls it further.
    #[test]
    fn an_equal_positive_is_not_pulled() {
        let device = device::named("flex").unwrap();
        let a = Tensor::<2>::from_floats([[1.0, 0.2], [-0.4, 0.7], [0.3, -1.0]], &device);
        let p = a.clone().require_grad();
        let grads = info_nce(a, p.clone(), 0.2, &[false; 9]).backward();
        let largest = p.grad(&grads).unwrap().abs().max().into_scalar::<f32>();
        assert!(largest < 1e-6, "{largest}");
    }

    #[test]
    fn a_row_of_zeros_is_safe() {
        let device = device::named("flex").unwrap();
        let rows = Tensor::<2>::from_floats([[0.0, 0.0], [1.0, 0.0]], &device).require_grad();
        let loss = info_nce(rows.clone(), rows.clone(), 0.2, &[false; 4]);
        let grad = rows.grad(&loss.backward()).unwrap();
        assert!(grad.abs().max().into_scalar::<f32>().is_finite());
    }

    #[test]
    #[should_panic(expected = "info_nce: pairs of 2 rows")]
    fn exclusions_of_other_rows_panic() {
        let device = device::named("flex").unwrap();
        value(&Tensor::ones([2, 2], &device), 1.0, &[false; 3]);
    }

    /// Similarities 1 and c within and between pairs: ln(1 + e^(c - 1)) from either side, if both
    /// sides see the same; by hand for `a_1 = b_1 = (1, 0)`, `a_2 = (0, 1)`, `b_2 = (0.6, 0.8)`.
    #[test]
    fn pairs_by_hand() {
        let device = device::named("flex").unwrap();
        let a = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 3.0]], &device);
        let b = Tensor::<2>::from_floats([[5.0, 0.0], [0.6, 0.8]], &device);
        // Cosines (1, 0.6; 0, 0.8). Rows: ln(1 + e^-0.4), ln(1 + e^-0.8); columns: ln(1 + e^-1),
        // ln(1 + e^-0.2).
        let by_hand = (0.513_015 + 0.371_101 + 0.313_262 + 0.598_139) / 4.0;
        let found = info_nce_pairs(a.clone(), b.clone(), 1.0).into_scalar::<f32>();
        assert!((found - by_hand).abs() < 1e-5, "{found}");
        let turned = info_nce_pairs(b, a, 1.0).into_scalar::<f32>();
        assert!((found - turned).abs() < 1e-6, "{turned}");
    }

    #[test]
    fn gradients_reach_both_views() {
        let device = device::named("flex").unwrap();
        let other = Tensor::<2>::from_floats([[1.0, 0.2], [-0.4, 0.7], [0.3, -1.0]], &device);
        let values = [0.8, 0.5, -0.9, 0.4, 0.1, -0.6];
        testing::check_input(&device, [3, 2], &values, |x| info_nce_pairs(x, other.clone(), 0.5));
        testing::check_input(&device, [3, 2], &values, |x| info_nce_pairs(other.clone(), x, 0.5));
    }
}
