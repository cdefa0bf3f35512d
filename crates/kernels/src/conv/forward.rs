//! The convolution.

use super::gather;
use super::shape::{Conv2dShape, Geometry};

/// A two-dimensional convolution (cross-correlation) of images.
///
/// ```text
/// y[n, o, r, c] = b[o] + sum over i, u, v of w[o, i, u, v] x[n, i', r s + u d - p, c s + v d - p]
///
/// i' = i in the part of the input that belongs to o's group; s, d, p = stride, dilation, padding
/// (each of its direction); x = 0 outside of the image
/// ```
///
/// The zeros around the image take part in the arithmetic: a weight that is infinite or NaN makes
/// NaN there.
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`
/// - `w`: `[outputs, inputs / groups, kernel..]`, `bias`: `[outputs]`
/// - output: `[batch, outputs, ..]`, see [`Conv2dShape::output_size`]
///
/// # Panics
/// If the shape is not one of a convolution, or a length does not fit it.
///
/// # Example
/// ```
/// use pressrun_kernels::conv::{Conv2dShape, conv2d};
///
/// let shape = Conv2dShape {
///     batch: 1, inputs: 1, outputs: 1, height: 2, width: 3,
///     kernel: [1, 2], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1,
/// };
/// let y = conv2d(shape, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &[-1.0, 1.0], Some(&[0.5]));
/// assert_eq!(y, [1.5, 2.5, 8.5, 16.5]);
/// ```
pub fn conv2d(shape: Conv2dShape, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let geometry = Geometry::new(shape);
    check("conv2d", "x", x.len(), shape.input_len());
    check("conv2d", "w", w.len(), shape.weight_len());
    check("conv2d", "bias", bias.map_or(shape.outputs, <[f32]>::len), shape.outputs);
    gather::output(&geometry, x, w, bias)
}

/// Checks an argument's length.
#[track_caller]
pub(super) fn check(function: &str, argument: &str, found: usize, expected: usize) {
    assert_eq!(found, expected, "{function}: length of {argument}, and what the shape expects");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{self, assert_close, shapes, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    fn check_values(shape: Conv2dShape) {
        let (x, w) = (wave(shape.input_len(), 1), wave(shape.weight_len(), 2));
        let b = wave(shape.outputs, 3);
        for bias in [None, Some(&b[..])] {
            let y = conv2d(shape, &x, &w, bias);
            let terms = w.len() / shape.outputs.max(1);
            assert_close(&y, &reference::conv2d(&shape, &x, &w, bias), terms, &shape);
        }
    }

    #[test]
    fn values_equal_the_definition() {
        at_every_level(|_| shapes().into_iter().for_each(check_values));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn values_equal_the_definition_for_any_shape(
            batch in 1usize..3, channels in [1usize..4, 1..11], groups in 1usize..4,
            image in [9usize..20, 9..40], kernel in [1usize..4, 1..4], stride in [1usize..4, 1..4],
            padding in [0usize..4, 0..4], dilation in [1usize..4, 1..4],
        ) {
            let [inputs, outputs] = channels.map(|c| c * groups);
            let [height, width] = image;
            let shape = Conv2dShape {
                batch, inputs, outputs, height, width, kernel, stride, padding, dilation, groups,
            };
            at_every_level(|_| check_values(shape));
        }
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let base = Conv2dShape {
            batch: 5,
            inputs: 4,
            outputs: 20,
            height: 40,
            width: 41,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        at_every_level(|_| {
            for (batch, groups) in [(5, 1), (1, 1), (2, 1), (1, 4), (3, 2)] {
                let shape = Conv2dShape { batch, groups, ..base };
                let (x, w) = (wave(shape.input_len(), 1), wave(shape.weight_len(), 2));
                let run = || conv2d(shape, &x, &w, None);
                let one = with_threads(1, run);
                assert!([2, 3].iter().all(|threads| with_threads(*threads, run) == one));
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_where_the_kernel_saw_it() {
        let shape = Conv2dShape {
            batch: 2,
            inputs: 2,
            outputs: 3,
            height: 6,
            width: 5,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        at_every_level(|_| {
            let (mut x, w) = (vec![1.0; shape.input_len()], vec![1.0; shape.weight_len()]);
            // The last number of a row, which the runs of the next row's first outputs touch.
            x[2 * 5 + 4] = f32::NAN;
            x[60 + 5 * 5 + 4] = f32::INFINITY;
            for (at, y) in conv2d(shape, &x, &w, None).iter().enumerate() {
                let (image, row, col) = (at / 90, at % 30 / 5, at % 5);
                let sees = if image == 0 { (1..=3).contains(&row) } else { row >= 4 } && col >= 3;
                match (image, sees) {
                    (0, true) => assert!(y.is_nan()),
                    (_, true) => assert_eq!(*y, f32::INFINITY),
                    _ => assert!(y.is_finite(), "{at}: {y}"),
                }
            }
        });
    }

    #[test]
    #[should_panic(expected = "conv2d: length of w, and what the shape expects")]
    fn lengths_must_fit() {
        let shape = shapes()[0];
        conv2d(shape, &[1.0; 2], &[], None);
    }
}
