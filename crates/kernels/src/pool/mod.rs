//! Pooling over planes.

mod average;
mod max;
mod pairs;

pub use average::{average_pool, average_pool_backward};
pub use max::{MaxPool, max_pool, max_pool_backward};

/// The sizes of a pooling.
///
/// # Example
/// ```
/// use pressrun_kernels::pool::PoolShape;
///
/// let shape = PoolShape { planes: 6, input: [5, 4], kernel: [3, 2], stride: [1, 2] };
/// assert_eq!(shape.output(), [3, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolShape {
    /// Planes: examples times channels.
    pub planes: usize,
    /// Height and width of a plane.
    pub input: [usize; 2],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// From one window to the next, down and right.
    pub stride: [usize; 2],
}

impl PoolShape {
    /// Height and width of the output; what does not fill a window is left out.
    ///
    /// # Panics
    /// If a side of the window or a stride is 0, or the window does not fit into a plane.
    pub fn output(&self) -> [usize; 2] {
        let Self { input, kernel, stride, .. } = *self;
        let fits = kernel[0] > 0 && kernel[1] > 0 && kernel[0] <= input[0] && kernel[1] <= input[1];
        assert!(fits, "pool: a window of {kernel:?} in a plane of {input:?}");
        assert!(stride[0] > 0 && stride[1] > 0, "pool: stride {stride:?}, expected at least 1");
        [0, 1].map(|side| (input[side] - kernel[side]) / stride[side] + 1)
    }

    fn plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn pooled(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    fn check(&self, function: &str, what: &str, len: usize, of_plane: usize) {
        let expected = self.planes * of_plane;
        assert!(len == expected, "{function}: {what} of {len} numbers, expected {expected}");
    }

    /// Windows of two by two that stand side by side.
    fn is_pairs(&self) -> bool {
        self.kernel == [2, 2] && self.stride == [2, 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    fn wave(len: usize, seed: usize) -> Vec<f32> {
        // Rounded, so that there are ties.
        (0..len).map(|i| (((i * 7 + seed) as f32 * 0.7).sin() * 4.0).round() / 4.0).collect()
    }

    const SHAPES: [PoolShape; 7] = [
        PoolShape { planes: 3, input: [4, 6], kernel: [2, 2], stride: [2, 2] },
        PoolShape { planes: 2, input: [14, 14], kernel: [2, 2], stride: [2, 2] },
        PoolShape { planes: 2, input: [7, 71], kernel: [2, 2], stride: [2, 2] },
        PoolShape { planes: 5, input: [28, 28], kernel: [2, 2], stride: [2, 2] },
        PoolShape { planes: 2, input: [7, 9], kernel: [3, 2], stride: [2, 1] },
        PoolShape { planes: 1, input: [5, 5], kernel: [5, 5], stride: [1, 1] },
        PoolShape { planes: 0, input: [4, 4], kernel: [2, 2], stride: [2, 2] },
    ];

    /// Value and place of each window's first largest number; mean of each window.
    fn by_definition(shape: &PoolShape, x: &[f32]) -> Vec<(f32, usize, f64)> {
        let ([height, width], [rows, columns]) = (shape.output(), shape.input);
        let mut all = Vec::new();
        for at in 0..shape.planes * height * width {
            let (plane, i, j) = (at / (height * width), at / width % height, at % width);
            let (mut best, mut place, mut sum) = (f32::NEG_INFINITY, 0, 0.0);
            for (k, l) in
                (0..shape.kernel[0]).flat_map(|k| (0..shape.kernel[1]).map(move |l| (k, l)))
            {
                let (row, column) = (i * shape.stride[0] + k, j * shape.stride[1] + l);
                let from = (plane * rows + row) * columns + column;
                sum += f64::from(x[from]);
                if x[from] > best {
                    (best, place) = (x[from], from);
                }
            }
            all.push((best, place, sum / (shape.kernel[0] * shape.kernel[1]) as f64));
        }
        all
    }

    #[test]
    fn the_largest_and_its_gradient() {
        at_every_level(|level| {
            for shape in SHAPES {
                let x = wave(shape.planes * shape.plane(), 1);
                let grad = wave(shape.planes * shape.pooled(), 5);
                for relu in [false, true] {
                    let found = max_pool(&shape, &x, relu);
                    let dx = max_pool_backward(&shape, &x, found.parts(), &grad, relu);
                    let mut expected = vec![0.0; x.len()];
                    for (at, (best, place, _)) in by_definition(&shape, &x).into_iter().enumerate()
                    {
                        let y = if relu { best.max(0.0) } else { best };
                        assert_eq!(found.y[at], y, "{level:?} {shape:?} {relu}");
                        if !relu || best > 0.0 {
                            expected[place] += grad[at];
                        }
                    }
                    let close = dx.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5);
                    assert!(close && dx.len() == x.len(), "{level:?} {shape:?} {relu}");
                }
            }
        });
    }

    #[test]
    fn the_mean_and_its_gradient() {
        at_every_level(|_| {
            for shape in SHAPES {
                let x = wave(shape.planes * shape.plane(), 2);
                let grad = wave(shape.planes * shape.pooled(), 5);
                let y = average_pool(&shape, &x);
                let dx = average_pool_backward(&shape, &grad);
                for (y, (_, _, mean)) in y.iter().zip(by_definition(&shape, &x)) {
                    assert!((f64::from(*y) - mean).abs() < 1e-6, "{shape:?}");
                }
                // The map is linear: <y, g> = <x, dx>.
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
                };
                assert!((dot(&y, &grad) - dot(&x, &dx)).abs() < 1e-3, "{shape:?}");
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_window() {
        at_every_level(|_| {
            for shape in [SHAPES[0], SHAPES[4]] {
                let row = shape.input[1];
                for (at, relu) in [(0, true), (1, false), (row, true), (row + 1, true)] {
                    let mut x = wave(shape.planes * shape.plane(), 1);
                    x[at] = f32::NAN;
                    let found = max_pool(&shape, &x, relu);
                    let clean = by_definition(&shape, &wave(x.len(), 1));
                    assert!(found.y[0].is_nan(), "{shape:?} {at}");
                    let last = found.y.len() - 1;
                    assert_eq!(found.y[last], clean[last].0.max(if relu { 0.0 } else { -9.0 }));
                    // The gradient goes to what is no number, and shows where it came from.
                    let mut grad = vec![0.0; found.y.len()];
                    grad[0] = 5.0;
                    let dx = max_pool_backward(&shape, &x, found.parts(), &grad, relu);
                    assert_eq!((dx[at], dx.iter().sum::<f32>()), (5.0, 5.0), "{shape:?} {at}");
                }
            }
        });
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let shape = PoolShape { planes: 256, input: [28, 28], kernel: [2, 2], stride: [2, 2] };
        let (x, grad) = (wave(256 * 784, 1), wave(256 * 196, 2));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let found = max_pool(&shape, &x, true);
                max_pool_backward(&shape, &x, found.parts(), &grad, true)
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    #[should_panic(expected = "pool: a window of [3, 1] in a plane of [2, 2]")]
    fn a_window_that_does_not_fit_panics() {
        PoolShape { planes: 1, input: [2, 2], kernel: [3, 1], stride: [1, 1] }.output();
    }
}
