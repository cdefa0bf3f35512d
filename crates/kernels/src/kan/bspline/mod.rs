//! B-splines on a uniform grid.

mod local;

use std::mem::MaybeUninit;

use super::layer::{self, Backward, Basis, Block, Folded, expect};
use super::{Gradients, Size, Wanted};

/// The largest order.
const MOST: usize = 15;

/// A uniform grid with as many intervals more at each end as the order, and the order.
///
/// ```text
/// knots t_i = low + (i - p) h,  h = (high - low) / G,  i = 0 .. G + 2p
///
/// G: `size`, p: `order`
/// ```
///
/// # Source
/// Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv:2404.19756, section 2.2.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::bspline::Grid;
///
/// let grid = Grid { low: -1.0, high: 1.0, size: 5, order: 3 };
/// assert_eq!(grid.bases(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Where the first interval begins.
    pub low: f32,
    /// Where the last one ends.
    pub high: f32,
    /// Intervals between the two.
    pub size: usize,
    /// Degree of the polynomials, at most 15.
    pub order: usize,
}

impl Grid {
    /// Bases: `size + order`.
    pub fn bases(&self) -> usize {
        self.size + self.order
    }

    fn checked(self, function: &str) -> Self {
        let Self { low, high, size, order } = self;
        assert!(size > 0, "{function}: the grid has 0 intervals, expected at least 1");
        assert!(order <= MOST, "{function}: the order is {order}, expected at most {MOST}");
        assert!(
            low < high && low.is_finite() && high.is_finite(),
            "{function}: the grid is from {low} to {high}"
        );
        self
    }

    /// Intervals in a unit.
    fn density(&self) -> f32 {
        (self.size as f64 / (f64::from(self.high) - f64::from(self.low))) as f32
    }
}

/// All bases at each input.
///
/// ```text
/// B_(i,0)(x) = 1 where t_i <= x < t_(i+1), else 0
/// B_(i,p)(x) = (x - t_i) / (p h) B_(i,p-1)(x) + (t_(i+p+1) - x) / (p h) B_(i+1,p-1)(x)
///
/// t, h, p: knots, their distance and the order, see [`Grid`]
/// ```
///
/// At most `p + 1` of them are not 0; only these are computed. Before the first and from the last
/// knot on all are 0. What is no number makes all of its bases NaN.
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - output: `[rows, inputs * (G + p)]`
///
/// # Source
/// Cox-de Boor recursion; see [`Grid`].
///
/// # Panics
/// If the grid is empty or not finite, the order above 15, or a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::bspline::{Grid, features};
///
/// let grid = Grid { low: 0.0, high: 2.0, size: 2, order: 1 };
/// // Hats around 0, 1 and 2.
/// assert_eq!(features(grid, &[0.25, 1.0], 1, 2), [0.75, 0.25, 0.0, 0.0, 1.0, 0.0]);
/// ```
pub fn features(grid: Grid, x: &[f32], rows: usize, inputs: usize) -> Vec<f32> {
    let basis = grid.checked("bspline::features");
    expect("bspline::features", "x", x.len(), rows * inputs);
    layer::features(&basis, rows, inputs, x)
}

/// The gradient of `x` from `d_features`, that of [`features`].
///
/// ```text
/// B_(i,p)'(x) = (B_(i,p-1)(x) - B_(i+1,p-1)(x)) / h
/// ```
///
/// # Shapes
/// - as [`features`]; `d_features`: as its output
///
/// # Panics
/// As [`features`].
///
/// # Example
/// ```
/// use pressrun_kernels::kan::bspline::{Grid, features_backward};
///
/// let grid = Grid { low: 0.0, high: 2.0, size: 2, order: 1 };
/// assert_eq!(features_backward(grid, &[0.25], 1, 1, &[1.0, 3.0, 9.0]), [2.0]);
/// ```
pub fn features_backward(
    grid: Grid,
    x: &[f32],
    rows: usize,
    inputs: usize,
    d_features: &[f32],
) -> Vec<f32> {
    const NAME: &str = "bspline::features_backward";
    let basis = grid.checked(NAME);
    expect(NAME, "x", x.len(), rows * inputs);
    expect(NAME, "d_features", d_features.len(), rows * inputs * grid.bases());
    let [d_x, _] = layer::features_backward(&basis, [rows, inputs], x, d_features, [true, false]);
    d_x.expect("wanted")
}

/// A layer: a linear map of the [`features`].
///
/// ```text
/// y = B(x) W + b
/// ```
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - `weight`: `[inputs * (G + p), outputs]`, `bias`: `[outputs]`
/// - output: `[rows, outputs]`
///
/// # Source
/// As [`Grid`], without the term of `SiLU`, which is another linear map.
///
/// # Panics
/// As [`features`].
///
/// # Example
/// ```
/// use pressrun_kernels::kan::{Size, bspline};
///
/// let grid = bspline::Grid { low: 0.0, high: 1.0, size: 1, order: 1 };
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// // Between 2 at 0 and 4 at 1.
/// assert_eq!(bspline::forward(size, grid, &[0.25], &[2.0, 4.0], Some(&[10.0])), [12.5]);
/// ```
pub fn forward(
    size: Size,
    grid: Grid,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    const NAME: &str = "bspline::forward";
    let basis = grid.checked(NAME);
    layer::check(NAME, &basis, size, x, weight);
    if let Some(bias) = bias {
        expect(NAME, "bias", bias.len(), size.outputs);
    }
    layer::forward(&basis, size, x, weight, bias)
}

/// The gradients of [`forward`] that are wanted, from `d_output`, that of its output.
///
/// ```text
/// dL/dW = B(x)^T dL/dy,  dL/db = sum over rows of dL/dy
/// dL/dx_i = sum over the bases of input i of (dL/dy W^T) B'(x_i)
/// ```
///
/// # Shapes
/// - as [`forward`]; `d_output`: `[rows, outputs]`
///
/// # Panics
/// As [`features`].
///
/// # Example
/// ```
/// use pressrun_kernels::kan::{Size, Wanted, bspline};
///
/// let grid = bspline::Grid { low: 0.0, high: 1.0, size: 1, order: 1 };
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// let g = bspline::backward(size, grid, &[0.25], &[2.0, 4.0], &[1.0], Wanted::ALL);
/// assert_eq!((g.input.unwrap(), g.weight.unwrap()), (vec![2.0], vec![0.75, 0.25]));
/// ```
pub fn backward(
    size: Size,
    grid: Grid,
    x: &[f32],
    weight: &[f32],
    d_output: &[f32],
    wanted: Wanted,
) -> Gradients {
    const NAME: &str = "bspline::backward";
    let basis = grid.checked(NAME);
    layer::check(NAME, &basis, size, x, weight);
    expect(NAME, "d_output", d_output.len(), size.rows * size.outputs);
    let parameter = false;
    Backward { basis: &basis, size, x, weight, d_output, parameter, wanted }.run().0
}

impl Basis for Grid {
    const FOLD_READS_FEATURES: bool = false;

    fn per_input(&self) -> usize {
        self.bases()
    }

    fn cost(&self) -> usize {
        1 + (self.size + self.order * self.order) / 4
    }

    fn write(&self, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        local::write(self, block, features);
    }

    fn fold(&self, block: Block<'_>, _: &[f32], d_features: &[f32], out: Folded<'_>) {
        if let Some(input) = out.input {
            local::fold(self, block, d_features, input, out.input_row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, expected, same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    /// The Cox-de Boor recursion.
    fn basis(grid: Grid, i: usize, p: usize, x: f64) -> f64 {
        let (low, high) = (f64::from(grid.low), f64::from(grid.high));
        let h = (high - low) / grid.size as f64;
        let knot = |i: usize| low + (i as f64 - grid.order as f64) * h;
        if p == 0 {
            return if knot(i) <= x && x < knot(i + 1) { 1.0 } else { 0.0 };
        }
        let width = p as f64 * h;
        (x - knot(i)) / width * basis(grid, i, p - 1, x)
            + (knot(i + p + 1) - x) / width * basis(grid, i + 1, p - 1, x)
    }

    /// Value and derivative of each basis.
    fn definition(grid: Grid, x: f64) -> Vec<(f64, f64)> {
        let p = grid.order;
        let h = (f64::from(grid.high) - f64::from(grid.low)) / grid.size as f64;
        let of = |i| {
            let slope = match p {
                0 => 0.0,
                _ => (basis(grid, i, p - 1, x) - basis(grid, i + 1, p - 1, x)) / h,
            };
            (basis(grid, i, p, x), slope)
        };
        (0..grid.bases()).map(of).collect()
    }

    const GRIDS: [Grid; 6] = [
        Grid { low: -1.0, high: 1.0, size: 5, order: 3 },
        Grid { low: -1.5, high: 1.0, size: 4, order: 2 },
        Grid { low: 0.1, high: 0.9, size: 1, order: 1 },
        Grid { low: -0.75, high: 0.5, size: 7, order: 0 },
        Grid { low: -1.0, high: 0.0, size: 3, order: 5 },
        Grid { low: -1.0, high: 1.0, size: 40, order: 4 },
    ];

    /// Inputs within the grid, in the intervals around it, and outside.
    fn inputs(len: usize) -> Vec<f32> {
        wave(len, 1).iter().map(|x| 2.5 * x).collect()
    }

    #[test]
    fn bases_and_slopes_equal_the_recursion() {
        at_every_level(|level| {
            for (grid, (rows, inputs_)) in
                GRIDS.into_iter().flat_map(|g| [(g, (1, 7)), (g, (61, 5))])
            {
                let x = inputs(rows * inputs_);
                let d = wave(rows * inputs_ * grid.bases(), 2);
                let f = features(grid, &x, rows, inputs_);
                let d_x = features_backward(grid, &x, rows, inputs_, &d);
                let (mut values, mut slopes) = (Vec::new(), Vec::new());
                for (x, d) in x.iter().zip(d.chunks_exact(grid.bases())) {
                    let all = definition(grid, (*x).into());
                    values.extend(all.iter().map(|b| b.0));
                    slopes.push(all.iter().zip(d).map(|(b, d)| b.1 * f64::from(*d)).sum());
                }
                close(&format!("{level:?} {grid:?}"), &f, &values, 1e-5);
                close(&format!("{level:?} {grid:?}"), &d_x, &slopes, 1e-5);
            }
        });
    }

    #[test]
    fn bases_sum_to_one_in_the_grid_and_vanish_outside() {
        at_every_level(|_| {
            for grid in GRIDS {
                let (low, high, p) = (grid.low, grid.high, grid.order as f32);
                let beyond = (p + 0.01) * (high - low) / grid.size as f32;
                let inside: Vec<f32> =
                    (0..100).map(|i| low + (high - low) * i as f32 / 100.0).collect();
                for f in features(grid, &inside, 1, 100).chunks(grid.bases()) {
                    assert!((f.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{grid:?}");
                }
                let outside = [low - beyond, high + beyond, 1e30, f32::INFINITY, f32::NEG_INFINITY];
                let f = features(grid, &outside, 5, 1);
                assert!(f.iter().all(|f| *f == 0.0), "{grid:?}: {f:?}");
                let d_x = features_backward(grid, &outside, 5, 1, &vec![1.0; f.len()]);
                assert!(d_x.iter().all(|d| *d == 0.0), "{grid:?}");
                assert!(features(grid, &[f32::NAN], 1, 1).iter().all(|f| f.is_nan()));
                let d_x = features_backward(grid, &[f32::NAN], 1, 1, &vec![1.0; grid.bases()]);
                assert!(d_x[0].is_nan());
            }
        });
    }

    #[test]
    fn layer_equals_the_definition() {
        at_every_level(|_| {
            for ((rows, inputs_, outputs), grid) in
                [(1, 1, 1), (7, 33, 5), (150, 3, 70), (300, 40, 9), (0, 3, 2), (2, 0, 3)]
                    .into_iter()
                    .zip(GRIDS)
            {
                let size = Size { rows, inputs: inputs_, outputs };
                let x = inputs(rows * inputs_);
                let (w, b) = (wave(inputs_ * grid.bases() * outputs, 3), wave(outputs, 4));
                let d_y = wave(rows * outputs, 5);
                let e = expected(size, &x, &w, Some(&b), &d_y, &|_, x| definition(grid, x));
                let name = format!("{size:?} {grid:?}");
                close(&name, &forward(size, grid, &x, &w, Some(&b)), &e.y, 1e-5);
                let g = backward(size, grid, &x, &w, &d_y, Wanted::ALL);
                close(&name, g.input.as_ref().unwrap(), &e.d_z, 2e-5);
                close(&name, g.weight.as_ref().unwrap(), &e.d_weight, 1e-5);
                close(&name, g.bias.as_ref().unwrap(), &e.d_bias, 1e-5);
                let wanted = Wanted { input: true, ..Wanted::default() };
                let part = backward(size, grid, &x, &w, &d_y, wanted);
                assert_eq!(part, Gradients { input: g.input, ..Gradients::default() });
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (size, grid) = (Size { rows: 300, inputs: 41, outputs: 70 }, GRIDS[0]);
        let (x, w, d_y) = (inputs(300 * 41), wave(41 * 8 * 70, 3), wave(300 * 70, 4));
        at_every_level(|_| {
            same_with_any_threads(|| forward(size, grid, &x, &w, None));
            same_with_any_threads(|| backward(size, grid, &x, &w, &d_y, Wanted::ALL));
            same_with_any_threads(|| features(grid, &x, 300, 41));
        });
    }

    #[test]
    #[should_panic(expected = "bspline::forward: the order is 16, expected at most 15")]
    fn the_order_is_bounded() {
        let grid = Grid { low: 0.0, high: 1.0, size: 1, order: 16 };
        forward(Size { rows: 0, inputs: 0, outputs: 0 }, grid, &[], &[], None);
    }
}
