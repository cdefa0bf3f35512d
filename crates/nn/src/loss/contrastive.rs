//! Losses that compare rows of a batch with one another.

use burn::tensor::{Int, Tensor, TensorData};

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
}
