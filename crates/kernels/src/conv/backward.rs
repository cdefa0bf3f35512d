//! The gradients of the convolution.

use std::mem::MaybeUninit;

use super::forward::check;
use super::shape::{Conv2dShape, Geometry};
use super::{gather, inner, outer};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{fold, map_in_place, vectorized};

/// Output channels of a group that are too few to lie side by side in vectors.
const FEW: usize = 4;
/// Blocks into which a batch is divided at most, each with its own sums of the weight's gradient.
pub(super) const BLOCKS: usize = 8;
/// Largest weight whose gradient is divided by images and not by output channels.
pub(super) const SMALL: usize = 1 << 16;

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the weight.
    pub w: bool,
    /// That of the bias.
    pub bias: bool,
}

/// The gradients that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// The input's shape.
    pub x: Option<Vec<f32>>,
    /// The weight's shape.
    pub w: Option<Vec<f32>>,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

/// The gradients of [`conv2d`](super::conv2d).
///
/// ```text
/// dx[n, i', r, c] = sum over o, u, v of
///                   w[o, i, u, v] dy[n, o, (r + p - u d) / s, (c + p - v d) / s]
/// dw[o, i, u, v] = sum over n, r, c of dy[n, o, r, c] x[n, i', r s + u d - p, c s + v d - p]
/// db[o] = sum over n, r, c of dy[n, o, r, c]
///
/// dy where the quotients are whole and lie in the output; the rest as for conv2d
/// ```
///
/// Zeros of the border take part in the arithmetic, as in [`conv2d`](super::conv2d). Where a group
/// has 4 output channels or fewer, a number of `x` that is infinite or NaN makes NaN of its
/// channel's weight gradient also at places of the kernel that have not seen the number.
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`, `w`: `[outputs, inputs / groups, kernel..]`
/// - `grad`: that of the output, `[batch, outputs, ..]`
///
/// # Panics
/// If the shape is not one of a convolution, or a length does not fit it.
///
/// # Example
/// ```
/// use pressrun_kernels::conv::{Conv2dShape, Wanted, conv2d_backward};
///
/// let shape = Conv2dShape {
///     batch: 1, inputs: 1, outputs: 1, height: 1, width: 3,
///     kernel: [1, 2], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1,
/// };
/// let wanted = Wanted { x: true, w: true, bias: true };
/// let found = conv2d_backward(shape, &[1.0, 2.0, 4.0], &[-1.0, 1.0], &[1.0, 10.0], wanted);
/// assert_eq!(found.x.unwrap(), [-1.0, -9.0, 10.0]);
/// assert_eq!(found.w.unwrap(), [21.0, 42.0]);
/// assert_eq!(found.bias.unwrap(), [11.0]);
/// ```
pub fn conv2d_backward(
    shape: Conv2dShape,
    x: &[f32],
    w: &[f32],
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    let geometry = Geometry::new(shape);
    check("conv2d_backward", "x", x.len(), shape.input_len());
    check("conv2d_backward", "w", w.len(), shape.weight_len());
    check("conv2d_backward", "grad", grad.len(), shape.output_len());
    let pixels = geometry.out[0] * geometry.out[1];
    Gradients {
        x: wanted.x.then(|| gather::input_gradient(&geometry, grad, w, None)),
        w: wanted.w.then(|| weight_gradient(&geometry, x, grad)),
        bias: wanted.bias.then(|| channel_sums(grad, shape.batch, shape.outputs, pixels)),
    }
}

/// The sum of each channel.
pub(super) fn channel_sums(
    values: &[f32],
    batch: usize,
    channels: usize,
    pixels: usize,
) -> Vec<f32> {
    vectorized! {
        fn sums(
            s;
            values: &[f32],
            first: usize,
            stride: usize,
            pixels: usize,
            out: &mut [MaybeUninit<f32>],
        ) {
            for (channel, out) in (first..).zip(out) {
                let mut sum = s.splat(0.0);
                let images = values.chunks_exact(stride.max(1));
                for image in images {
                    let plane = &image[channel * pixels..][..pixels];
                    [sum] = fold(s, [plane], [0.0], [sum], |[sum], [x]| [s.add(sum, x)]);
                }
                out.write(s.sum(sum));
            }
        }
    }
    // SAFETY: every sum is written.
    unsafe {
        buffer::written(channels, |out| {
            let rows = Rows { data: out, width: 1 };
            let cost = batch * channels * pixels / 8;
            par::for_rows(channels, 1, cost, [rows], |range, [out]| {
                sums(values, range.start, channels * pixels, pixels, out);
            });
        })
    }
}

/// The gradient of the weight.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    if geometry.outputs() <= FEW {
        inner::weight_gradient(geometry, x, grad)
    } else {
        outer::weight_gradient(geometry, x, grad)
    }
}

/// Adds blocks of `len` numbers to the first one, which stays.
pub(super) fn add_blocks(sums: &mut Vec<f32>, len: usize) {
    vectorized! {
        fn add(s; to: &mut [f32], from: &[f32]) {
            map_in_place(s, [to], [from], |[to], [from]| [s.add(to, from)]);
        }
    }
    let (first, rest) = sums.split_at_mut(len);
    for block in rest.chunks_exact(len.max(1)) {
        add(first, block);
    }
    sums.truncate(len);
    sums.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{self, assert_close, shapes, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    const ALL: Wanted = Wanted { x: true, w: true, bias: true };

    fn arguments(shape: &Conv2dShape) -> [Vec<f32>; 3] {
        [wave(shape.input_len(), 1), wave(shape.weight_len(), 2), wave(shape.output_len(), 3)]
    }

    fn check_gradients(shape: Conv2dShape) {
        let [x, w, grad] = arguments(&shape);
        let found = conv2d_backward(shape, &x, &w, &grad, ALL);
        let [dx, dw, db] = reference::conv2d_backward(&shape, &x, &w, &grad);
        let pixels = grad.len() / shape.outputs.max(1);
        let seen = w.len() / shape.inputs.max(1);
        assert_close(&found.x.unwrap(), &dx, seen, &("x", shape));
        assert_close(&found.w.unwrap(), &dw, pixels, &("w", shape));
        assert_close(&found.bias.unwrap(), &db, pixels, &("bias", shape));
    }

    #[test]
    fn gradients_equal_the_definition() {
        at_every_level(|_| shapes().into_iter().for_each(check_gradients));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn gradients_equal_the_definition_for_any_shape(
            batch in 1usize..3, channels in [1usize..4, 1..11], groups in 1usize..4,
            image in [9usize..20, 9..40], kernel in [1usize..4, 1..4], stride in [1usize..4, 1..4],
            padding in [0usize..4, 0..4], dilation in [1usize..4, 1..4],
        ) {
            let [inputs, outputs] = channels.map(|c| c * groups);
            let [height, width] = image;
            let shape = Conv2dShape {
                batch, inputs, outputs, height, width, kernel, stride, padding, dilation, groups,
            };
            at_every_level(|_| check_gradients(shape));
        }
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let base = Conv2dShape {
            batch: 11,
            inputs: 4,
            outputs: 20,
            height: 20,
            width: 21,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        at_every_level(|_| {
            for (batch, inputs, groups) in [(11, 4, 1), (1, 4, 1), (2, 4, 4), (1, 370, 1)] {
                let shape = Conv2dShape { batch, inputs, groups, ..base };
                let [x, w, grad] = arguments(&shape);
                let run = || {
                    let found = conv2d_backward(shape, &x, &w, &grad, ALL);
                    (found.x, found.w, found.bias)
                };
                let one = with_threads(1, run);
                assert!([2, 3].iter().all(|threads| with_threads(*threads, run) == one));
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_channels() {
        let shape = Conv2dShape {
            batch: 2,
            inputs: 3,
            outputs: 2,
            height: 6,
            width: 5,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        at_every_level(|_| {
            let [mut x, w, mut grad] = arguments(&shape);
            x[30 + 29] = f32::NAN;
            let dw = conv2d_backward(shape, &x, &w, &grad, ALL).w.unwrap();
            for (at, dw) in dw.iter().enumerate() {
                let (channel, place) = (at / 9 % 3, at % 9);
                // The last number of a channel: places below or to the right have not seen it, and
                // nothing is said about them.
                if channel != 1 {
                    assert!(dw.is_finite(), "{at}: {dw}");
                } else if place / 3 >= 1 && place % 3 >= 1 {
                    assert!(dw.is_nan(), "{at}: {dw}");
                }
            }
            let [x, ..] = arguments(&shape);
            grad[30 + 29] = f32::NAN;
            let found = conv2d_backward(shape, &x, &w, &grad, ALL);
            let (dx, dw, db) = (found.x.unwrap(), found.w.unwrap(), found.bias.unwrap());
            for (at, dx) in dx.iter().enumerate() {
                let (image, row, col) = (at / 90, at % 30 / 5, at % 5);
                assert_eq!(dx.is_nan(), image == 0 && row >= 4 && col >= 3, "{at}: {dx}");
            }
            assert!(dw[..27].iter().all(|v| v.is_finite()) && dw[27..].iter().all(|v| v.is_nan()));
            assert!(db[0].is_finite() && db[1].is_nan());
        });
    }

    #[test]
    fn with_many_channels_only_places_that_saw_it_are_no_number() {
        let shape = Conv2dShape { inputs: 2, outputs: 9, groups: 1, ..shapes()[1] };
        at_every_level(|_| {
            let [mut x, w, grad] = arguments(&shape);
            x[shape.height * shape.width - 1] = f32::NAN;
            let dw = conv2d_backward(shape, &x, &w, &grad, ALL).w.unwrap();
            for (at, dw) in dw.iter().enumerate() {
                let (channel, place) = (at / 9 % 2, at % 9);
                let saw = channel == 0 && place / 3 >= 1 && place % 3 >= 1;
                assert_eq!(dw.is_nan(), saw, "{at}: {dw}");
            }
        });
    }

    #[test]
    fn only_what_is_wanted_is_computed() {
        let shape = shapes()[1];
        let [x, w, grad] = arguments(&shape);
        let wanted = Wanted { x: false, w: true, bias: false };
        let found = conv2d_backward(shape, &x, &w, &grad, wanted);
        assert!(found.x.is_none() && found.w.is_some() && found.bias.is_none());
    }

    #[test]
    #[should_panic(expected = "conv2d_backward: length of grad, and what the shape expects")]
    fn lengths_must_fit() {
        conv2d_backward(shapes()[0], &[1.0; 2], &[1.0], &[1.0], ALL);
    }
}
