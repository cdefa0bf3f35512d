//! Sines and cosines of multiples of the scaled input.

use std::mem::MaybeUninit;

use super::layer::{self, Backward, Basis, Block, Folded, expect};
use super::{Size, Wanted as LayerWanted};
use crate::simd::{math, vectorized};

/// Which gradients of a Fourier layer are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the input.
    pub input: bool,
    /// Of the scale.
    pub scale: bool,
    /// Of the weights.
    pub weight: bool,
    /// Of the bias.
    pub bias: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { input: true, scale: true, weight: true, bias: true };
}

/// The gradients of a Fourier layer that were wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    /// `[rows, inputs]`.
    pub input: Option<Vec<f32>>,
    /// `[inputs]`.
    pub scale: Option<Vec<f32>>,
    /// `[inputs * 2G, outputs]`.
    pub weight: Option<Vec<f32>>,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

/// The features of each input: sines, then cosines.
///
/// ```text
/// F(x) = [sin(z_1), .., sin(G z_1), cos(z_1), .., cos(G z_1), sin(z_2), ..],  z_i = s_i x_i
///
/// G: `grid`, s: `scale`
/// ```
///
/// Sine and cosine of `z` are computed, those of its multiples by the addition theorem: the error of
/// the k-th is below `2e-7 k`, beside that of the rounding of `z`.
///
/// # Shapes
/// - `x`: `[rows, inputs]`, `scale`: `[inputs]`
/// - output: `[rows, inputs * 2G]`
///
/// # Source
/// `FourierKAN`, <https://github.com/GistNoesis/FourierKAN>, with a scale for each input.
///
/// # Panics
/// If `grid` is 0 or a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::fourier::features;
///
/// let f = features(&[0.25], 1, &[2.0], 2);
/// for (f, expected) in f.iter().zip([0.5f32.sin(), 1f32.sin(), 0.5f32.cos(), 1f32.cos()]) {
///     assert!((f - expected).abs() < 1e-6);
/// }
/// ```
pub fn features(x: &[f32], rows: usize, scale: &[f32], grid: usize) -> Vec<f32> {
    let basis = Fourier::new("fourier::features", scale, grid);
    expect("fourier::features", "x", x.len(), rows * scale.len());
    layer::features(&basis, rows, scale.len(), x)
}

/// The gradients of `x` and `scale`, where wanted, from `d_features`, that of [`features`].
///
/// ```text
/// dL/dz_i = sum_k k (dL/dsin(k z_i) cos(k z_i) - dL/dcos(k z_i) sin(k z_i))
/// dL/dx_i = s_i dL/dz_i,  dL/ds_i = sum over rows of x_i dL/dz_i
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
/// use pressrun_kernels::kan::fourier::{Wanted, features_backward};
///
/// // The gradient of sin(2 x) at 0.
/// let g = features_backward(&[0.0], 1, &[2.0], 1, &[1.0, 0.0], Wanted::ALL);
/// assert_eq!(g.input.unwrap(), [2.0]);
/// assert_eq!(g.scale.unwrap(), [0.0]);
/// ```
pub fn features_backward(
    x: &[f32],
    rows: usize,
    scale: &[f32],
    grid: usize,
    d_features: &[f32],
    wanted: Wanted,
) -> Gradients {
    const NAME: &str = "fourier::features_backward";
    let (basis, inputs) = (Fourier::new(NAME, scale, grid), scale.len());
    expect(NAME, "x", x.len(), rows * inputs);
    expect(NAME, "d_features", d_features.len(), rows * inputs * 2 * grid);
    let which = [wanted.input, wanted.scale];
    let [input, scale] = layer::features_backward(&basis, [rows, inputs], x, d_features, which);
    Gradients { input, scale, ..Gradients::default() }
}

/// A layer: a linear map of the [`features`].
///
/// ```text
/// y = F(x) W + b
/// ```
///
/// # Shapes
/// - `x`: `[rows, inputs]`, `scale`: `[inputs]`
/// - `weight`: `[inputs * 2G, outputs]`, `bias`: `[outputs]`
/// - output: `[rows, outputs]`
///
/// # Source
/// As [`features`].
///
/// # Panics
/// If `grid` is 0 or a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::{Size, fourier};
///
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// // 3 sin(0) + 4 cos(0) + 0.5
/// let y = fourier::forward(size, &[0.0], &[1.0], 1, &[3.0, 4.0], Some(&[0.5]));
/// assert_eq!(y, [4.5]);
/// ```
pub fn forward(
    size: Size,
    x: &[f32],
    scale: &[f32],
    grid: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    const NAME: &str = "fourier::forward";
    let basis = Fourier::new(NAME, scale, grid);
    expect(NAME, "scale", scale.len(), size.inputs);
    layer::check(NAME, &basis, size, x, weight);
    if let Some(bias) = bias {
        expect(NAME, "bias", bias.len(), size.outputs);
    }
    layer::forward(&basis, size, x, weight, bias)
}

/// The gradients of [`forward`] that are wanted, from `d_output`, that of its output.
///
/// ```text
/// dL/dW = F(x)^T dL/dy,  dL/db = sum over rows of dL/dy,  dL/dF = dL/dy W^T
/// ```
///
/// From dL/dF those of `x` and `scale` follow as in [`features_backward`].
///
/// # Shapes
/// - as [`forward`]; `d_output`: `[rows, outputs]`
///
/// # Panics
/// As [`forward`].
///
/// # Example
/// ```
/// use pressrun_kernels::kan::{Size, fourier};
///
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// let wanted = fourier::Wanted { weight: true, ..Default::default() };
/// let g = fourier::backward(size, &[0.0], &[1.0], 1, &[3.0, 4.0], &[2.0], wanted);
/// assert_eq!(g.weight.unwrap(), [0.0, 2.0]);
/// assert!(g.input.is_none());
/// ```
pub fn backward(
    size: Size,
    x: &[f32],
    scale: &[f32],
    grid: usize,
    weight: &[f32],
    d_output: &[f32],
    wanted: Wanted,
) -> Gradients {
    const NAME: &str = "fourier::backward";
    let basis = Fourier::new(NAME, scale, grid);
    expect(NAME, "scale", scale.len(), size.inputs);
    layer::check(NAME, &basis, size, x, weight);
    expect(NAME, "d_output", d_output.len(), size.rows * size.outputs);
    let Wanted { input, scale: parameter, weight: d_weight, bias } = wanted;
    let wanted = LayerWanted { input, weight: d_weight, bias };
    let pass = Backward { basis: &basis, size, x, weight, d_output, parameter, wanted };
    let (layer, scale) = pass.run();
    Gradients { input: layer.input, scale, weight: layer.weight, bias: layer.bias }
}

/// The basis.
struct Fourier<'a> {
    scale: &'a [f32],
    grid: usize,
}

impl<'a> Fourier<'a> {
    fn new(function: &str, scale: &'a [f32], grid: usize) -> Self {
        assert!(grid > 0, "{function}: grid is 0, expected at least 1");
        Self { scale, grid }
    }
}

impl Basis for Fourier<'_> {
    const FOLD_READS_FEATURES: bool = true;

    fn per_input(&self) -> usize {
        2 * self.grid
    }

    fn cost(&self) -> usize {
        2 + self.grid / 2
    }

    fn write(&self, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        write(self.scale, self.grid, block, features);
    }

    fn fold(&self, block: Block<'_>, features: &[f32], d_features: &[f32], out: Folded<'_>) {
        fold(self.scale, self.grid, block, features, d_features, out);
    }
}

vectorized! {
    fn write(s; scale: &[f32], grid: usize, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        let Block { x, first, count, rows, ld } = block;
        if ld == 0 {
            return;
        }
        let inputs = x.chunks_exact(ld).zip(features.chunks_exact_mut(2 * grid * ld));
        for ((x, features), scale) in inputs.zip(&scale[first..first + count]) {
            layer::fill_rest(features, ld, rows.next_multiple_of(S::LANES));
            let (sines, cosines) = features.split_at_mut(grid * ld);
            let scale = s.splat(*scale);
            for at in (0..rows).step_by(S::LANES) {
                let (sin, cos) = math::sin_cos(s, s.mul(s.load(&x[at..]), scale));
                s.store(&mut sines[at..], sin);
                s.store(&mut cosines[at..], cos);
                let mut last = (sin, cos);
                for k in 1..grid {
                    last = (
                        s.fma(last.0, cos, s.mul(last.1, sin)),
                        s.sub(s.mul(last.1, cos), s.mul(last.0, sin)),
                    );
                    s.store(&mut sines[k * ld + at..], last.0);
                    s.store(&mut cosines[k * ld + at..], last.1);
                }
            }
        }
    }
}

vectorized! {
    fn fold(
        s; scale: &[f32], grid: usize, block: Block<'_>, features: &[f32], d_features: &[f32],
        out: Folded<'_>
    ) {
        let Block { x, first, rows, ld, .. } = block;
        if rows == 0 {
            return;
        }
        let Folded { mut input, input_row, mut parameter } = out;
        let inputs = features.chunks_exact(2 * grid * ld).zip(d_features.chunks_exact(2 * grid * rows));
        for (j, (features, d_features)) in inputs.enumerate() {
            let (sines, cosines) = features.split_at(grid * ld);
            let (d_sines, d_cosines) = d_features.split_at(grid * rows);
            let mut sum = s.splat(0.0);
            for at in (0..rows).step_by(S::LANES) {
                let mut d_z = s.splat(0.0);
                for k in 0..grid {
                    let (sin, cos) = (s.load(&sines[k * ld + at..]), s.load(&cosines[k * ld + at..]));
                    let d_sin = layer::load(s, &d_sines[k * rows..(k + 1) * rows], at);
                    let d_cos = layer::load(s, &d_cosines[k * rows..(k + 1) * rows], at);
                    let d_kz = s.sub(s.mul(d_sin, cos), s.mul(d_cos, sin));
                    d_z = s.fma(s.splat((k + 1) as f32), d_kz, d_z);
                }
                sum = s.fma(s.load(&x[j * ld + at..]), d_z, sum);
                if let Some(input) = &mut input {
                    let d_x = s.mul(d_z, s.splat(scale[first + j]));
                    let n = S::LANES.min(rows - at);
                    s.store_first(&mut input[j * input_row + at..][..n], d_x);
                }
            }
            if let Some(parameter) = &mut parameter {
                parameter[j] += s.sum(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, expected, same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    /// Value and derivative by z of each feature.
    fn definition(grid: usize, z: f64) -> Vec<(f64, f64)> {
        let k = || (1..=grid).map(|k| k as f64);
        let sines = k().map(|k| ((k * z).sin(), k * (k * z).cos()));
        sines.chain(k().map(|k| ((k * z).cos(), -k * (k * z).sin()))).collect()
    }

    fn check(size: Size, grid: usize, with_bias: bool) {
        let Size { rows, inputs, outputs } = size;
        let x: Vec<f32> = wave(rows * inputs, 1).iter().map(|x| 3.0 * x).collect();
        let scale = wave(inputs, 2);
        let (w, b) = (wave(inputs * 2 * grid * outputs, 3), wave(outputs, 4));
        let d_y = wave(rows * outputs, 5);
        let bias = with_bias.then_some(&b[..]);
        // What the kernel takes sine and cosine of is rounded.
        let z: Vec<f32> = x.iter().enumerate().map(|(at, x)| x * scale[at % inputs]).collect();
        let e = expected(size, &z, &w, bias, &d_y, &|_, z| definition(grid, z));
        let scaled = |by: &dyn Fn(usize) -> f32| -> Vec<f64> {
            e.d_z.iter().enumerate().map(|(at, d)| d * f64::from(by(at))).collect()
        };
        let d_x = scaled(&|at| scale[at % inputs]);
        let mut d_scale = vec![0.0; inputs];
        scaled(&|at| x[at]).iter().enumerate().for_each(|(at, d)| d_scale[at % inputs] += d);

        let name = format!("{size:?} {grid}");
        close(&name, &forward(size, &x, &scale, grid, &w, bias), &e.y, 5e-6);
        let g = backward(size, &x, &scale, grid, &w, &d_y, Wanted::ALL);
        close(&name, g.input.as_ref().unwrap(), &d_x, 5e-6);
        close(&name, g.scale.as_ref().unwrap(), &d_scale, 5e-6);
        close(&name, g.weight.as_ref().unwrap(), &e.d_weight, 5e-6);
        close(&name, g.bias.as_ref().unwrap(), &e.d_bias, 5e-6);
        for which in 0..16 {
            let on = |bit: usize| which & (1 << bit) != 0;
            let wanted = Wanted { input: on(0), scale: on(1), weight: on(2), bias: on(3) };
            let part = backward(size, &x, &scale, grid, &w, &d_y, wanted);
            assert_eq!(part.input, g.input.clone().filter(|_| on(0)), "{name}");
            assert_eq!(part.scale, g.scale.clone().filter(|_| on(1)), "{name}");
            assert_eq!(part.weight, g.weight.clone().filter(|_| on(2)), "{name}");
            assert_eq!(part.bias, g.bias.clone().filter(|_| on(3)), "{name}");
        }
    }

    #[test]
    fn layer_equals_the_definition() {
        at_every_level(|_| {
            for (rows, inputs, outputs, grid) in [
                (1, 1, 1, 1),
                (7, 3, 5, 2),
                (17, 33, 7, 3),
                (33, 2, 17, 1),
                (145, 3, 66, 7),
                (259, 29, 3, 5),
                (20, 1, 300, 40),
            ] {
                check(Size { rows, inputs, outputs }, grid, rows % 2 == 0);
            }
        });
    }

    #[test]
    fn sizes_of_zero() {
        at_every_level(|_| {
            for (rows, inputs, outputs) in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)] {
                check(Size { rows, inputs, outputs }, 2, true);
                let (x, scale) = (wave(rows * inputs, 1), wave(inputs, 2));
                let f = features(&x, rows, &scale, 2);
                assert_eq!(f.len(), rows * inputs * 4);
                let g = features_backward(&x, rows, &scale, 2, &f, Wanted::ALL);
                assert_eq!(g.scale.unwrap().len(), inputs);
            }
        });
    }

    #[test]
    fn features_are_accurate_up_to_many_multiples() {
        at_every_level(|level| {
            for (rows, inputs) in [(1, 1), (9, 17), (70, 5)] {
                let x: Vec<f32> = wave(rows * inputs, 1).iter().map(|x| 20.0 * x).collect();
                let (grid, scale) = (64, vec![1.0; inputs]);
                let f = features(&x, rows, &scale, grid);
                for (x, f) in x.iter().zip(f.chunks_exact(2 * grid)) {
                    for (at, (e, f)) in definition(grid, (*x).into()).iter().zip(f).enumerate() {
                        let error = (f64::from(*f) - e.0).abs();
                        let bound = 2e-7 * (at % grid + 1) as f64;
                        assert!(error < bound, "{level:?} {x} {at}: {f}, error {error}");
                    }
                }
            }
        });
    }

    #[test]
    fn gradients_of_features_equal_the_definition() {
        at_every_level(|_| {
            for (rows, inputs, grid) in [(1, 1, 1), (17, 7, 3), (300, 30, 5)] {
                let (x, scale) = (wave(rows * inputs, 1), wave(inputs, 2));
                let d = wave(rows * inputs * 2 * grid, 3);
                let (mut d_x, mut d_scale) = (Vec::new(), vec![0.0; inputs]);
                for (at, d) in d.chunks_exact(2 * grid).enumerate() {
                    let (x, scale) = (f64::from(x[at]), f64::from(scale[at % inputs]));
                    let slopes = definition(grid, x * scale);
                    let d_z: f64 = slopes.iter().zip(d).map(|(s, d)| s.1 * f64::from(*d)).sum();
                    d_x.push(d_z * scale);
                    d_scale[at % inputs] += d_z * x;
                }
                let g = features_backward(&x, rows, &scale, grid, &d, Wanted::ALL);
                close("x", g.input.as_ref().unwrap(), &d_x, 2e-6);
                close("scale", g.scale.as_ref().unwrap(), &d_scale, 2e-5);
                let wanted = Wanted { scale: true, ..Wanted::default() };
                let part = features_backward(&x, rows, &scale, grid, &d, wanted);
                assert_eq!((part.input, part.scale), (None, g.scale));
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_row() {
        at_every_level(|_| {
            let size = Size { rows: 20, inputs: 3, outputs: 5 };
            let mut x = wave(60, 1);
            x[4 * 3 + 1] = f32::NAN;
            x[7 * 3] = f32::INFINITY;
            let (scale, w, d_y) = (wave(3, 2), wave(3 * 4 * 5, 3), wave(100, 4));
            let y = forward(size, &x, &scale, 2, &w, None);
            let d_x = backward(size, &x, &scale, 2, &w, &d_y, Wanted::ALL).input.unwrap();
            for row in 0..20 {
                let bad = row == 4 || row == 7;
                assert!(y[row * 5..][..5].iter().all(|y| y.is_nan() == bad), "{row}");
                assert_eq!(d_x[row * 3..][..3].iter().any(|d| d.is_nan()), bad, "{row}");
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let size = Size { rows: 300, inputs: 41, outputs: 70 };
        let (x, scale, w) = (wave(300 * 41, 1), wave(41, 2), wave(41 * 6 * 70, 3));
        let d_y = wave(300 * 70, 4);
        at_every_level(|_| {
            same_with_any_threads(|| forward(size, &x, &scale, 3, &w, None));
            same_with_any_threads(|| backward(size, &x, &scale, 3, &w, &d_y, Wanted::ALL));
            same_with_any_threads(|| {
                let f = features(&x, 300, &scale, 3);
                (features_backward(&x, 300, &scale, 3, &f, Wanted::ALL), f)
            });
        });
    }

    #[test]
    #[should_panic(expected = "fourier::forward: weight has 3 numbers, expected 4")]
    fn lengths_must_fit() {
        let size = Size { rows: 1, inputs: 1, outputs: 2 };
        forward(size, &[0.0], &[1.0], 1, &[0.0; 3], None);
    }
}
