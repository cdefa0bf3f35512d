//! The definitions in double precision, for tests.

use super::shape::{Conv2dShape, ConvTranspose2dShape};

pub(super) fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
}

/// Calls `f` with (output, weight, input) for every product that the definition adds.
fn for_each_product(
    shape: &Conv2dShape,
    [height, width]: [usize; 2],
    mut f: impl FnMut(usize, usize, usize),
) {
    let Conv2dShape { batch, inputs, outputs, kernel, stride, padding, dilation, groups, .. } =
        *shape;
    let (group_in, group_out) = (inputs / groups, outputs / groups);
    for (n, o) in (0..batch).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
        for (r, c) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
            for (i, u) in (0..group_in).flat_map(|i| (0..kernel[0]).map(move |u| (i, u))) {
                for v in 0..kernel[1] {
                    let row = (r * stride[0] + u * dilation[0]).wrapping_sub(padding[0]);
                    let col = (c * stride[1] + v * dilation[1]).wrapping_sub(padding[1]);
                    if row < shape.height && col < shape.width {
                        let channel = o / group_out * group_in + i;
                        f(
                            ((n * outputs + o) * height + r) * width + c,
                            ((o * group_in + i) * kernel[0] + u) * kernel[1] + v,
                            ((n * inputs + channel) * shape.height + row) * shape.width + col,
                        );
                    }
                }
            }
        }
    }
}

pub(super) fn conv2d(shape: &Conv2dShape, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let size = shape.output_size();
    let pixels = size[0] * size[1];
    let start = |at: usize| bias.map_or(0.0, |bias| f64::from(bias[at / pixels % shape.outputs]));
    let mut y: Vec<f64> = (0..shape.output_len()).map(start).collect();
    for_each_product(shape, size, |yi, wi, xi| y[yi] += f64::from(w[wi]) * f64::from(x[xi]));
    y
}

/// Gradients of x, w and bias.
pub(super) fn conv2d_backward(
    shape: &Conv2dShape,
    x: &[f32],
    w: &[f32],
    grad: &[f32],
) -> [Vec<f64>; 3] {
    let size = shape.output_size();
    let [mut dx, mut dw] = [vec![0.0; x.len()], vec![0.0; w.len()]];
    for_each_product(shape, size, |yi, wi, xi| {
        dx[xi] += f64::from(grad[yi]) * f64::from(w[wi]);
        dw[wi] += f64::from(grad[yi]) * f64::from(x[xi]);
    });
    [dx, dw, channel_sums(grad, shape.outputs, size[0] * size[1])]
}

fn channel_sums(grad: &[f32], channels: usize, pixels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for (at, grad) in grad.iter().enumerate() {
        sums[at / pixels % channels] += f64::from(*grad);
    }
    sums
}

/// The convolution that a transposed one mirrors, with the size of its output.
fn mirrored(shape: &ConvTranspose2dShape) -> (Conv2dShape, [usize; 2]) {
    let [height, width] = shape.output_size();
    let conv = Conv2dShape {
        batch: shape.batch,
        inputs: shape.outputs,
        outputs: shape.inputs,
        height,
        width,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        dilation: shape.dilation,
        groups: shape.groups,
    };
    (conv, [shape.height, shape.width])
}

pub(super) fn conv_transpose2d(
    shape: &ConvTranspose2dShape,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f64> {
    let (conv, size) = mirrored(shape);
    let pixels = conv.height * conv.width;
    let start = |at: usize| bias.map_or(0.0, |bias| f64::from(bias[at / pixels % shape.outputs]));
    let mut y: Vec<f64> = (0..shape.output_len()).map(start).collect();
    for_each_product(&conv, size, |xi, wi, yi| y[yi] += f64::from(w[wi]) * f64::from(x[xi]));
    y
}

/// Gradients of x, w and bias.
pub(super) fn conv_transpose2d_backward(
    shape: &ConvTranspose2dShape,
    x: &[f32],
    w: &[f32],
    grad: &[f32],
) -> [Vec<f64>; 3] {
    let (conv, size) = mirrored(shape);
    let [mut dx, mut dw] = [vec![0.0; x.len()], vec![0.0; w.len()]];
    for_each_product(&conv, size, |xi, wi, yi| {
        dx[xi] += f64::from(grad[yi]) * f64::from(w[wi]);
        dw[wi] += f64::from(grad[yi]) * f64::from(x[xi]);
    });
    [dx, dw, channel_sums(grad, shape.outputs, conv.height * conv.width)]
}

/// Asserts that sums of `terms` products of numbers up to 1 agree.
pub(super) fn assert_close(
    found: &[f32],
    expected: &[f64],
    terms: usize,
    what: &dyn std::fmt::Debug,
) {
    assert_eq!(found.len(), expected.len(), "{what:?}");
    let bound = 4e-6 + 5e-7 * terms as f64;
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*f) - e).abs() <= bound, "{what:?} at {at}: {f} for {e}");
    }
}

/// Shapes at the edges of tiles, vectors, phases and groups.
pub(super) fn shapes() -> Vec<Conv2dShape> {
    // batch, channels, image, kernel, stride, padding, dilation, groups
    type Row =
        (usize, [usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2], usize);
    let rows: [Row; 26] = [
        (2, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0], [1, 1], 1),
        (3, [3, 5], [7, 9], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        (2, [2, 15], [14, 14], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        (9, [1, 16], [12, 28], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        (1, [5, 9], [33, 17], [1, 1], [1, 1], [0, 0], [1, 1], 1),
        (2, [3, 8], [9, 16], [1, 1], [2, 2], [0, 0], [1, 1], 1),
        (2, [4, 6], [8, 8], [2, 2], [2, 2], [0, 0], [1, 1], 1),
        (2, [4, 6], [9, 7], [3, 2], [2, 1], [1, 0], [2, 3], 2),
        (2, [3, 2], [11, 10], [3, 3], [2, 2], [1, 1], [1, 1], 1),
        (1, [2, 3], [10, 13], [3, 5], [3, 2], [2, 4], [1, 2], 1),
        // A stride larger than the kernel: phases that nothing has seen.
        (2, [3, 4], [11, 11], [2, 2], [4, 3], [0, 1], [1, 1], 1),
        // More padding than the kernel reaches.
        (2, [2, 2], [3, 2], [2, 2], [1, 1], [4, 5], [1, 1], 1),
        (1, [1, 2], [2, 3], [2, 1], [3, 2], [5, 3], [2, 1], 1),
        // Dilation and stride with a common divisor: one phase only.
        (2, [2, 3], [13, 12], [3, 3], [2, 2], [2, 2], [2, 2], 1),
        (1, [2, 3], [15, 14], [3, 3], [2, 3], [3, 1], [3, 2], 1),
        // Depthwise, and with a multiplier.
        (2, [7, 7], [14, 9], [3, 3], [1, 1], [1, 1], [1, 1], 7),
        (3, [4, 8], [10, 11], [5, 5], [2, 2], [2, 2], [1, 1], 4),
        (2, [6, 9], [6, 17], [3, 3], [1, 1], [1, 1], [1, 1], 3),
        // An image wider than a chunk, and one of several chunks.
        (1, [2, 3], [3, 700], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        (2, [1, 9], [70, 31], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        // A weight that is divided by output channels.
        (2, [90, 83], [3, 3], [3, 3], [1, 1], [1, 1], [1, 1], 1),
        (1, [96, 750], [2, 2], [2, 2], [1, 1], [0, 0], [1, 1], 2),
        (0, [2, 3], [4, 4], [3, 3], [1, 1], [0, 0], [1, 1], 1),
        (2, [0, 3], [4, 4], [3, 3], [1, 1], [0, 0], [1, 1], 1),
        (2, [3, 0], [4, 4], [3, 3], [1, 1], [0, 0], [1, 1], 1),
        (2, [2, 2], [0, 3], [3, 3], [1, 1], [2, 1], [1, 1], 1),
    ];
    rows.into_iter()
        .map(
            |(
                batch,
                [inputs, outputs],
                [height, width],
                kernel,
                stride,
                padding,
                dilation,
                groups,
            )| {
                Conv2dShape {
                    batch,
                    inputs,
                    outputs,
                    height,
                    width,
                    kernel,
                    stride,
                    padding,
                    dilation,
                    groups,
                }
            },
        )
        .collect()
}

/// Runs in a pool of so many threads.
pub(super) fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}
