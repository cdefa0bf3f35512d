//! Numbers rounded to few values, with straight-through gradients.

use burn::tensor::Tensor;
use pressrun_kernels::quantise::{PowerOfTwo, ScaleBy, Sign};

use crate::op::{self, Quantiser};

/// The signs of the last dimension's rows, times the mean magnitude of each row.
///
/// ```text
/// y = a sgn(x)        a = mean of |x| over the row, a constant for gradients; sgn(0) = 1
/// dx = a dy where |x| <= 1, else 0
/// ```
///
/// # Shapes
/// Any; the output has the shape of the input.
///
/// # Source
/// XNOR-Net, arXiv:1603.05279; the window of the gradient: arXiv:1602.02830.
///
/// # Panics
/// If the tensor wants a gradient on another device than Flex.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, quantise};
///
/// let x = Tensor::<1>::from_floats([0.5, -1.5], &device::named("flex")?);
/// assert_eq!(quantise::sign(x).try_into_vec_as::<f32>().unwrap(), [1.0, -1.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn sign<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let sign = Sign { scale_by: ScaleBy::Rows, window: 1.0, through_scale: false };
    op::quantise(Quantiser::Sign(sign), x)
}

/// Powers of two with exponents from `low` to `high`, or 0 below `threshold`.
///
/// ```text
/// y = sgn(x) 2^clip(round(log2 |x|), low, high) where |x| >= threshold, else 0
/// dx = dy where |x| <= 2^high, else 0
/// ```
///
/// # Shapes
/// Any; the output has the shape of the input.
///
/// # Source
/// Incremental network quantisation, arXiv:1702.03044.
///
/// # Panics
/// If the exponents are not in order, the threshold is negative, or the tensor wants a gradient on
/// another device than Flex.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, quantise};
///
/// let x = Tensor::<1>::from_floats([0.3, -3.1, 0.01], &device::named("flex")?);
/// let y = quantise::power_of_two(x, [-4, 1], 0.02);
/// assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [0.25, -2.0, 0.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn power_of_two<const D: usize>(
    x: Tensor<D>,
    exponents: [i32; 2],
    threshold: f64,
) -> Tensor<D> {
    let power = PowerOfTwo { exponents, threshold: threshold as f32 };
    op::quantise(Quantiser::PowerOfTwo(power), x)
}

/// The nearest multiple of `step`, of those that `bits` bits can tell, as many above 0 as below.
///
/// # Shapes
/// Any; the output has the shape of the input.
///
/// # Panics
/// If the bits or the step are out of range, or the tensor wants a gradient on another device than
/// Flex.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, quantise};
///
/// let x = Tensor::<1>::from_floats([0.3, -9.0], &device::named("flex")?);
/// let y = quantise::uniform(x, 3, 0.5);
/// assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [0.5, -1.5]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn uniform<const D: usize>(x: Tensor<D>, bits: u32, step: f64) -> Tensor<D> {
    op::quantise(Quantiser::Uniform { bits, step: step as f32 }, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn gradient(f: impl Fn(Tensor<2>) -> Tensor<2>, x: [[f32; 3]; 1]) -> Vec<f32> {
        let device = device::named("flex").unwrap();
        let x = Tensor::<2>::from_floats(x, &device).require_grad();
        let weigh = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &device);
        let grads = (f(x.clone()) * weigh).sum().backward();
        x.grad(&grads).unwrap().try_into_vec_as().unwrap()
    }

    #[test]
    fn gradients_pass_within_the_range_only() {
        // Mean magnitude (0.5 + 0.5 + 2) / 3 = 1.
        assert_eq!(gradient(sign, [[0.5, -0.5, 2.0]]), [1.0, 2.0, 0.0]);
        let power = |x| power_of_two(x, [-4, 1], 0.02);
        assert_eq!(gradient(power, [[0.5, -5.0, 0.0]]), [1.0, 0.0, 3.0]);
        let steps = |x| uniform(x, 3, 0.5);
        assert_eq!(gradient(steps, [[0.5, -5.0, 0.1]]), [1.0, 0.0, 3.0]);
    }
}
