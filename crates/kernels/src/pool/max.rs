//! The largest number of every window.

use super::{PoolShape, pairs};
use crate::buffer;
use crate::par::{self, Rows};

/// What [`max_pool`] gives.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool<Y = Vec<f32>, At = Vec<u32>> {
    /// The output, `[planes, height, width]`.
    pub y: Y,
    /// Where in its plane each window's largest number is; empty for windows of two by two side by
    /// side, whose gradient is found from input and output.
    pub at: At,
}

impl MaxPool {
    /// As the gradient reads it.
    pub fn parts(&self) -> MaxPool<&[f32], &[u32]> {
        MaxPool { y: &self.y, at: &self.at }
    }
}

/// The largest number of every window, or 0 where that is negative if `relu`.
///
/// ```text
/// y[p, i, j] = max over k, l of x[p, s i + k, s j + l]
/// ```
///
/// A window with NaN gives NaN.
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
/// use pressrun_kernels::pool::{PoolShape, max_pool};
///
/// let shape = PoolShape { planes: 1, input: [2, 2], kernel: [2, 2], stride: [2, 2] };
/// assert_eq!(max_pool(&shape, &[-1.0, -2.0, -3.0, -4.0], false).y, [-1.0]);
/// assert_eq!(max_pool(&shape, &[-1.0, -2.0, -3.0, -4.0], true).y, [0.0]);
/// ```
pub fn max_pool(shape: &PoolShape, x: &[f32], relu: bool) -> MaxPool {
    shape.check("max_pool", "x", x.len(), shape.plane());
    let (plane, pooled) = (shape.plane(), shape.pooled());
    if shape.is_pairs() {
        // SAFETY: every row of every plane is written.
        let y = unsafe {
            buffer::written(shape.planes * pooled, |y| {
                let rows = [Rows { data: y, width: pooled }];
                par::for_rows(shape.planes, 1, x.len() / 8, rows, |range, [y]| {
                    let x = &x[range.start * plane..range.end * plane];
                    pairs::forward(x, shape.input, relu, y);
                });
            })
        };
        return MaxPool { y, at: Vec::new() };
    }
    let (y, at) = (0..shape.planes).flat_map(|p| windows(shape, &x[p * plane..][..plane])).unzip();
    let mut y: Vec<f32> = y;
    if relu {
        // Not `max`: it would lose NaN.
        y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = 0.0);
    }
    MaxPool { y, at }
}

/// The first largest number of each window of a plane, or its first NaN, and where it is.
fn windows<'a>(shape: &'a PoolShape, x: &'a [f32]) -> impl Iterator<Item = (f32, u32)> + 'a {
    let ([height, width], row) = (shape.output(), shape.input[1]);
    let [down, right] = shape.stride;
    (0..height).flat_map(move |i| (0..width).map(move |j| (i * down, j * right))).map(
        move |(i, j)| {
            let (mut best, mut place) = (x[i * row + j], i * row + j);
            for k in i..i + shape.kernel[0] {
                for (l, &value) in x[k * row..][j..j + shape.kernel[1]].iter().enumerate() {
                    if value > best || (value.is_nan() && !best.is_nan()) {
                        (best, place) = (value, k * row + j + l);
                    }
                }
            }
            (best, place as u32)
        },
    )
}

/// The gradient of the input of [`max_pool`]: that of each window goes to its first largest
/// number, or to none if `relu` and it is not above 0.
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::pool::{PoolShape, max_pool, max_pool_backward};
///
/// let shape = PoolShape { planes: 1, input: [1, 3], kernel: [1, 2], stride: [1, 1] };
/// let (x, grad) = ([1.0, 2.0, 2.0], [5.0, 7.0]);
/// let found = max_pool(&shape, &x, false);
/// assert_eq!(max_pool_backward(&shape, &x, found.parts(), &grad, false), [0.0, 12.0, 0.0]);
/// ```
pub fn max_pool_backward(
    shape: &PoolShape,
    x: &[f32],
    found: MaxPool<&[f32], &[u32]>,
    grad: &[f32],
    relu: bool,
) -> Vec<f32> {
    let (plane, pooled) = (shape.plane(), shape.pooled());
    shape.check("max_pool_backward", "x", x.len(), plane);
    shape.check("max_pool_backward", "the output", found.y.len(), pooled);
    shape.check("max_pool_backward", "the gradient", grad.len(), pooled);
    if shape.is_pairs() {
        // SAFETY: every row of every plane is written.
        return unsafe {
            buffer::written(x.len(), |dx| {
                let rows = [Rows { data: dx, width: plane }];
                par::for_rows(shape.planes, 1, x.len() / 4, rows, |range, [dx]| {
                    let x = &x[range.start * plane..range.end * plane];
                    let part = range.start * pooled..range.end * pooled;
                    let (y, grad) = (&found.y[part.clone()], &grad[part]);
                    pairs::backward(x, shape.input, y, grad, relu, dx);
                });
            })
        };
    }
    shape.check("max_pool_backward", "places", found.at.len(), pooled);
    let mut dx = vec![0.0; x.len()];
    for (window, (place, grad)) in found.at.iter().zip(grad).enumerate() {
        if !(relu && found.y[window] <= 0.0) {
            dx[window / pooled * plane + *place as usize] += grad;
        }
    }
    dx
}
