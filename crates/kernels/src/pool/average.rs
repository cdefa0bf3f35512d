//! The mean of every window.

use super::PoolShape;

/// The mean of every window.
///
/// ```text
/// y[p, i, j] = 1 / (h w) sum over k < h, l < w of x[p, s i + k, s j + l]
/// ```
///
/// # Shapes
/// - `x`: `[planes, height, width]` of `shape.input`
/// - output: `[planes, height, width]` of [`PoolShape::output`]
///
/// # Panics
/// If the length does not fit, or the window not into a plane.
///
/// # Example
/// ```
/// use pressrun_kernels::pool::{PoolShape, average_pool};
///
/// let shape = PoolShape { planes: 1, input: [2, 2], kernel: [2, 2], stride: [1, 1] };
/// assert_eq!(average_pool(&shape, &[1.0, 2.0, 3.0, 4.0]), [2.5]);
/// ```
pub fn average_pool(shape: &PoolShape, x: &[f32]) -> Vec<f32> {
    let (plane, [height, width]) = (shape.plane(), shape.output());
    shape.check("average_pool", "x", x.len(), plane);
    let mut y = Vec::with_capacity(shape.planes * height * width);
    for x in x.chunks_exact(plane) {
        windows(shape, |rows, columns| {
            let row = |k: usize| x[k * shape.input[1]..][columns.clone()].iter().sum::<f32>();
            y.push(rows.map(row).sum::<f32>() * share(shape));
        });
    }
    y
}

/// The gradient of the input of [`average_pool`].
///
/// # Panics
/// If the length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::pool::{PoolShape, average_pool_backward};
///
/// let shape = PoolShape { planes: 1, input: [1, 2], kernel: [1, 2], stride: [1, 1] };
/// assert_eq!(average_pool_backward(&shape, &[3.0]), [1.5, 1.5]);
/// ```
pub fn average_pool_backward(shape: &PoolShape, grad: &[f32]) -> Vec<f32> {
    let plane = shape.plane();
    shape.check("average_pool_backward", "the gradient", grad.len(), shape.pooled());
    let mut dx = vec![0.0; shape.planes * plane];
    for (dx, grad) in dx.chunks_exact_mut(plane).zip(grad.chunks_exact(shape.pooled())) {
        let mut grad = grad.iter();
        windows(shape, |rows, columns| {
            let part = grad.next().expect("one for each window") * share(shape);
            for k in rows {
                dx[k * shape.input[1]..][columns.clone()].iter_mut().for_each(|v| *v += part);
            }
        });
    }
    dx
}

/// One over the numbers of a window.
fn share(shape: &PoolShape) -> f32 {
    1.0 / (shape.kernel[0] * shape.kernel[1]) as f32
}

/// The rows and columns of each window of a plane.
fn windows(shape: &PoolShape, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
    let ([height, width], [down, right]) = (shape.output(), shape.stride);
    for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i * down, j * right))) {
        f(i..i + shape.kernel[0], j..j + shape.kernel[1]);
    }
}
