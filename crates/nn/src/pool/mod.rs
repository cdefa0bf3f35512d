//! Pooling over pictures.

use burn::tensor::Tensor;

use crate::op;

/// The largest number of every window.
///
/// ```text
/// y[n, c, i, j] = max over k, l of x[n, c, s i + k, s j + l]
/// ```
///
/// Windows of `kernel` numbers stand `stride` apart; what does not fill a window is left out. The
/// gradient goes to the first of equal ones.
///
/// # Shapes
/// - `x`: `[batch, channels, height, width]`
/// - output: `[batch, channels, (height - kernel) / stride + 1, (width - kernel) / stride + 1]`
///
/// # Panics
/// If a side of the kernel or a stride is 0, or the kernel does not fit into the picture.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, pool::max_pool2d};
///
/// let x = Tensor::<4>::from_floats([[[[1.0, 5.0], [-2.0, 3.0]]]], &device::named("flex")?);
/// assert_eq!(max_pool2d(x, [2, 2], [2, 2]).into_scalar::<f32>(), 5.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn max_pool2d(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    check("max_pool2d", &x, kernel, stride);
    op::max_pool(x, kernel, stride, false)
}

/// The largest number of every window, or 0 if all are negative: pooling after ReLU, in one
/// operation. Windows stand side by side.
///
/// # Shapes
/// As [`max_pool2d`].
///
/// # Panics
/// As [`max_pool2d`].
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, pool::relu_max_pool2d};
///
/// let x = Tensor::<4>::from_floats([[[[-1.0, -5.0]]]], &device::named("flex")?);
/// assert_eq!(relu_max_pool2d(x, [1, 2]).into_scalar::<f32>(), 0.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn relu_max_pool2d(x: Tensor<4>, kernel: [usize; 2]) -> Tensor<4> {
    check("relu_max_pool2d", &x, kernel, kernel);
    op::max_pool(x, kernel, kernel, true)
}

/// The mean of every window.
///
/// # Shapes
/// As [`max_pool2d`].
///
/// # Panics
/// As [`max_pool2d`].
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, pool::avg_pool2d};
///
/// let x = Tensor::<4>::from_floats([[[[1.0, 5.0], [-2.0, 4.0]]]], &device::named("flex")?);
/// assert_eq!(avg_pool2d(x, [2, 2], [2, 2]).into_scalar::<f32>(), 2.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn avg_pool2d(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    check("avg_pool2d", &x, kernel, stride);
    op::avg_pool(x, kernel, stride)
}

fn check(function: &str, x: &Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) {
    let [_, _, height, width] = x.dims();
    let fits = (1..=height).contains(&kernel[0]) && (1..=width).contains(&kernel[1]);
    assert!(fits, "{function}: kernel {kernel:?} does not fit input {:?}", x.dims());
    assert!(stride[0] > 0 && stride[1] > 0, "{function}: stride {stride:?}; expected at least 1");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    #[test]
    fn values_by_hand_and_gradients() {
        let device = device::named("flex").unwrap();
        let values = [0.1, 0.9, -0.3, 0.4, -0.8, 0.2, 0.5, -0.6, 0.7, -0.1, -0.5, 0.3];
        let x = Tensor::<1>::from_floats(values, &device).reshape([1, 1, 3, 4]);
        let host = |y: Tensor<4>| y.try_into_vec_as::<f32>().unwrap();
        assert_eq!(host(max_pool2d(x.clone(), [2, 2], [1, 2])), [0.9, 0.5, 0.7, 0.5]);
        assert_eq!(host(relu_max_pool2d(x.clone(), [2, 2])), [0.9, 0.5]);
        assert_eq!(host(relu_max_pool2d(x.clone() - 1.0, [2, 2])), [0.0, 0.0]);
        let mean = host(avg_pool2d(x, [3, 2], [1, 2]));
        assert!((mean[0] - 1.0 / 6.0).abs() < 1e-6 && (mean[1] + 0.2 / 6.0).abs() < 1e-6);
        let shape = [1, 1, 3, 4];
        let weigh = Tensor::<1>::from_floats([1.0, 2.0], &device).reshape([1, 1, 1, 2]);
        testing::check_input(&device, shape, &values, |x| {
            (relu_max_pool2d(x, [2, 2]) * weigh.clone()).sum()
        });
        testing::check_input(&device, shape, &values, |x| {
            max_pool2d(x, [2, 2], [1, 1]).square().sum()
        });
        testing::check_input(&device, shape, &values, |x| {
            avg_pool2d(x, [2, 3], [1, 1]).square().sum()
        });
    }

    #[test]
    #[should_panic(expected = "max_pool2d: kernel [3, 3] does not fit input [1, 1, 2, 2]")]
    fn a_kernel_that_does_not_fit_panics() {
        let device = device::named("flex").unwrap();
        max_pool2d(Tensor::ones([1, 1, 2, 2], &device), [3, 3], [1, 1]);
    }
}
