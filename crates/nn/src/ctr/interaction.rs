//! Interactions between the embedded values of a row.

use burn::tensor::{Int, Tensor, TensorData};

/// The sum over all pairs of fields of their inner products, in linear time.
///
/// ```text
/// y = sum_{i<j} <e_i, e_j> = 1/2 sum_d [ (sum_i e_id)^2 - sum_i e_id^2 ]
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`
/// - output: `[rows, 1]`
///
/// # Source
/// Rendle, Factorization Machines, 2010, equation 3.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{ctr::fm_pairwise, device};
///
/// let device = device::named("flex")?;
/// let e = Tensor::<3>::from_floats([[[1.0, 2.0], [0.0, 1.0], [-1.0, 3.0]]], &device);
/// assert_eq!(fm_pairwise(e).into_scalar::<f32>(), 10.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn fm_pairwise(e: Tensor<3>) -> Tensor<2> {
    let sum = e.clone().sum_dim(1).squeeze_dim::<2>(1);
    let squares = e.square().sum_dim(1).squeeze_dim::<2>(1);
    (sum.square() - squares).sum_dim(1) * 0.5
}

/// The inner products of all pairs of fields, (0,1), (0,2), .. (1,2), ..
///
/// ```text
/// p_ij = <e_i, e_j>       i < j
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`
/// - output: `[rows, fields (fields - 1) / 2]`
///
/// # Source
/// Qu et al., Product-based Neural Networks, arXiv:1611.00144 (IPNN).
///
/// # Panics
/// With fewer than two fields.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{ctr::inner_products, device};
///
/// let device = device::named("flex")?;
/// let e = Tensor::<3>::from_floats([[[1.0, 2.0], [0.0, 1.0], [-1.0, 3.0]]], &device);
/// let p: Vec<f32> = inner_products(e).try_into_vec_as().unwrap();
/// assert_eq!(p, [2.0, 5.0, 3.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn inner_products(e: Tensor<3>) -> Tensor<2> {
    let [rows, fields, width] = e.dims();
    assert!(fields >= 2, "inner_products: input {:?} has no pairs", [rows, fields, width]);
    let upper: Vec<i32> =
        (0..fields).flat_map(|i| (i + 1..fields).map(move |j| (i * fields + j) as i32)).collect();
    let pairs = upper.len();
    let upper = Tensor::<1, Int>::from_data(TensorData::new(upper, [pairs]), &e.device());
    let all = e.clone().matmul(e.swap_dims(1, 2));
    all.reshape([rows, fields * fields]).select(1, upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    const E: [f32; 12] = [1.0, 2.0, 0.0, 1.0, -1.0, 3.0, 0.4, -0.3, 0.8, 0.1, -0.6, 0.5];

    fn e() -> Tensor<3> {
        let device = device::named("flex").unwrap();
        Tensor::from_data(TensorData::new(E.to_vec(), [2, 3, 2]), &device)
    }

    #[test]
    fn closed_gates_take_their_pairs_out() {
        // Gates (1, 0, 1) / sigmoid(0.5) on the rows (1,2), (0,1), (-1,3): only the first and last
        // remain, 1.60653066^2 * <(1,2), (-1,3)> = 2.58094 * 5 = 12.904704.
        let device = device::named("flex").unwrap();
        let g = 1.606_530_66;
        let gates = Tensor::<3>::from_floats([[[g], [0.0], [g]]], &device);
        let y = fm_pairwise(e().slice_dim(0, 0..1) * gates).into_scalar::<f32>();
        assert!((y - 12.904704).abs() < 1e-5, "{y}");
    }

    #[test]
    fn the_pairwise_sum_is_the_sum_of_the_products() {
        let sums: Vec<f32> = fm_pairwise(e()).try_into_vec_as().unwrap();
        let products: Vec<f32> = inner_products(e()).try_into_vec_as().unwrap();
        for (row, sum) in sums.iter().enumerate() {
            let expected: f32 = products[3 * row..3 * row + 3].iter().sum();
            assert!((sum - expected).abs() < 1e-5, "{sum}, expected {expected}");
        }
    }

    #[test]
    fn gradients() {
        let device = device::named("flex").unwrap();
        testing::check_input(&device, [2, 3, 2], &E, |e: Tensor<3>| fm_pairwise(e).square().mean());
        testing::check_input(&device, [2, 3, 2], &E, |e: Tensor<3>| {
            let p = inner_products(e);
            (p.clone().slice([0..2, 0..1]) * p.slice([0..2, 2..3])).sum()
        });
    }
}
