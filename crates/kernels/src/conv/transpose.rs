//! The transposed convolution.

use super::backward::{Gradients, Wanted, channel_sums, weight_gradient};
use super::forward::check;
use super::gather;
use super::shape::ConvTranspose2dShape;

/// A two-dimensional transposed convolution: the input gradient of a convolution as an operation
/// of its own, which spreads every number of the input over a kernel of outputs.
///
/// ```text
/// y[n, o', r s + u d - p, c s + v d - p] += w[i, o, u, v] x[n, i, r, c]
///
/// for all n, i, o, u, v, r, c;
/// o' = o in the part of the output that belongs to i's group; s, d, p = stride, dilation, padding
/// (each of its direction); y begins with the bias; what falls outside is dropped
/// ```
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`
/// - `w`: `[inputs, outputs / groups, kernel..]`, `bias`: `[outputs]`
/// - output: `[batch, outputs, ..]`, see [`ConvTranspose2dShape::output_size`]
///
/// # Panics
/// If the shape is not one of a transposed convolution, or a length does not fit it.
///
/// # Example
/// ```
/// use pressrun_kernels::conv::{ConvTranspose2dShape, conv_transpose2d};
///
/// let shape = ConvTranspose2dShape {
///     batch: 1, inputs: 1, outputs: 1, height: 1, width: 2, kernel: [1, 3],
///     stride: [1, 2], padding: [0, 0], output_padding: [0, 0], dilation: [1, 1], groups: 1,
/// };
/// let y = conv_transpose2d(shape, &[1.0, 10.0], &[1.0, 2.0, 3.0], None);
/// assert_eq!(y, [1.0, 2.0, 13.0, 20.0, 30.0]);
/// ```
pub fn conv_transpose2d(
    shape: ConvTranspose2dShape,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let geometry = shape.geometry();
    check("conv_transpose2d", "x", x.len(), shape.input_len());
    check("conv_transpose2d", "w", w.len(), shape.weight_len());
    check("conv_transpose2d", "bias", bias.map_or(shape.outputs, <[f32]>::len), shape.outputs);
    gather::input_gradient(&geometry, x, w, bias)
}

/// The gradients of [`conv_transpose2d`].
///
/// The input's is a convolution of the output's; the weight's is that of this convolution, with
/// input and output gradient in each other's place.
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`, `w`: `[inputs, outputs / groups, kernel..]`
/// - `grad`: that of the output, `[batch, outputs, ..]`
///
/// # Panics
/// If the shape is not one of a transposed convolution, or a length does not fit it.
///
/// # Example
/// ```
/// use pressrun_kernels::conv::{ConvTranspose2dShape, Wanted, conv_transpose2d_backward};
///
/// let shape = ConvTranspose2dShape {
///     batch: 1, inputs: 1, outputs: 1, height: 1, width: 1, kernel: [1, 2],
///     stride: [1, 1], padding: [0, 0], output_padding: [0, 0], dilation: [1, 1], groups: 1,
/// };
/// let wanted = Wanted { x: true, w: true, bias: false };
/// let found = conv_transpose2d_backward(shape, &[3.0], &[1.0, 2.0], &[10.0, 100.0], wanted);
/// assert_eq!(found.x.unwrap(), [210.0]);
/// assert_eq!(found.w.unwrap(), [30.0, 300.0]);
/// assert!(found.bias.is_none());
/// ```
pub fn conv_transpose2d_backward(
    shape: ConvTranspose2dShape,
    x: &[f32],
    w: &[f32],
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    let geometry = shape.geometry();
    check("conv_transpose2d_backward", "x", x.len(), shape.input_len());
    check("conv_transpose2d_backward", "w", w.len(), shape.weight_len());
    check("conv_transpose2d_backward", "grad", grad.len(), shape.output_len());
    let pixels = geometry.conv.height * geometry.conv.width;
    Gradients {
        x: wanted.x.then(|| gather::output(&geometry, grad, w, None)),
        w: wanted.w.then(|| weight_gradient(&geometry, grad, x)),
        bias: wanted.bias.then(|| channel_sums(grad, shape.batch, shape.outputs, pixels)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{self, assert_close, wave, with_threads};
    use super::*;
    use crate::simd::level::at_every_level;

    /// Shapes with an output padding up to the most there can be.
    fn shapes() -> Vec<ConvTranspose2dShape> {
        type Row = ([usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2], usize);
        // channels, kernel, stride, padding, output padding, dilation, groups
        let rows: [Row; 9] = [
            ([1, 1], [1, 1], [1, 1], [0, 0], [0, 0], [1, 1], 1),
            ([3, 5], [3, 3], [1, 1], [1, 1], [0, 0], [1, 1], 1),
            ([16, 9], [3, 3], [2, 2], [1, 1], [1, 1], [1, 1], 1),
            ([4, 6], [4, 4], [2, 2], [1, 1], [0, 0], [1, 1], 2),
            ([5, 5], [3, 2], [3, 2], [0, 1], [2, 1], [1, 1], 5),
            // Output padding of a stride or more.
            ([2, 3], [2, 3], [1, 2], [1, 0], [2, 2], [3, 3], 1),
            ([2, 2], [2, 2], [1, 1], [0, 0], [1, 1], [2, 2], 1),
            // A stride larger than the kernel, and all of the output cut off.
            ([3, 2], [1, 2], [3, 4], [0, 0], [1, 3], [1, 1], 1),
            ([1, 1], [1, 1], [1, 1], [2, 1], [0, 0], [1, 1], 1),
        ];
        let of = |batch: usize, [height, width]: [usize; 2]| {
            rows.map(
                |([inputs, outputs], kernel, stride, padding, output_padding, dilation, groups)| {
                    ConvTranspose2dShape {
                        batch,
                        inputs,
                        outputs,
                        height,
                        width,
                        kernel,
                        stride,
                        padding,
                        output_padding,
                        dilation,
                        groups,
                    }
                },
            )
        };
        [of(2, [4, 7]), of(1, [9, 17]), of(0, [4, 4])].concat()
    }

    const ALL: Wanted = Wanted { x: true, w: true, bias: true };

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for shape in shapes() {
                let (x, w) = (wave(shape.input_len(), 1), wave(shape.weight_len(), 2));
                let (b, grad) = (wave(shape.outputs, 3), wave(shape.output_len(), 4));
                for bias in [None, Some(&b[..])] {
                    let y = conv_transpose2d(shape, &x, &w, bias);
                    let expected = reference::conv_transpose2d(&shape, &x, &w, bias);
                    assert_close(&y, &expected, w.len() / shape.outputs, &shape);
                }
                let found = conv_transpose2d_backward(shape, &x, &w, &grad, ALL);
                let [dx, dw, db] = reference::conv_transpose2d_backward(&shape, &x, &w, &grad);
                let (seen, pixels) = (w.len() / shape.inputs, grad.len() / shape.outputs);
                assert_close(&found.x.unwrap(), &dx, seen, &("x", shape));
                assert_close(&found.w.unwrap(), &dw, pixels, &("w", shape));
                assert_close(&found.bias.unwrap(), &db, pixels, &("bias", shape));
            }
        });
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let shape = ConvTranspose2dShape {
            batch: 3,
            inputs: 24,
            outputs: 20,
            height: 14,
            width: 13,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
            output_padding: [0, 1],
            dilation: [1, 1],
            groups: 1,
        };
        let (x, w) = (wave(shape.input_len(), 1), wave(shape.weight_len(), 2));
        let grad = wave(shape.output_len(), 4);
        let run = || {
            let found = conv_transpose2d_backward(shape, &x, &w, &grad, ALL);
            (conv_transpose2d(shape, &x, &w, None), found.x, found.w, found.bias)
        };
        at_every_level(|_| {
            let one = with_threads(1, run);
            assert!([2, 4].iter().all(|threads| with_threads(*threads, run) == one));
        });
    }

    #[test]
    #[should_panic(expected = "conv_transpose2d: length of x, and what the shape expects")]
    fn lengths_must_fit() {
        conv_transpose2d(shapes()[0], &[1.0], &[1.0], None);
    }
}
