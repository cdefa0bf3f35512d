//! Gaussian bells around uniform centres.

use std::mem::MaybeUninit;

use super::layer::{self, Backward, Basis, Block, Folded, expect};
use super::{Gradients, Size, Wanted};
use crate::simd::{math, vectorized};

/// Centres from `low` to `high`, both included, and the width of the bells.
///
/// ```text
/// c_j = low + j (high - low) / (count - 1),  j = 0 .. count - 1;  c_0 = low if there is one
/// ```
///
/// # Source
/// Li, "Kolmogorov-Arnold Networks are Radial Basis Function Networks" (`FastKAN`),
/// arXiv:2405.06721.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::radial::Centers;
///
/// let centers = Centers::new(-2.0, 2.0, 5);
/// assert_eq!((centers.width, centers.at(1)), (1.0, -1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centers {
    /// The first centre.
    pub low: f32,
    /// The last centre.
    pub high: f32,
    /// How many.
    pub count: usize,
    /// Width of a bell, h.
    pub width: f32,
}

impl Centers {
    /// Bells as wide as their centres are apart, as in the paper.
    pub fn new(low: f32, high: f32, count: usize) -> Self {
        let width = if count > 1 { (high - low) / (count - 1) as f32 } else { 1.0 };
        Self { low, high, count, width }
    }

    /// Centre `j`.
    pub fn at(&self, j: usize) -> f32 {
        (f64::from(self.low) + j as f64 * self.step()) as f32
    }

    /// From a centre to the next.
    fn step(&self) -> f64 {
        let all = f64::from(self.high) - f64::from(self.low);
        if self.count > 1 { all / (self.count - 1) as f64 } else { 0.0 }
    }

    fn checked(self, function: &str) -> Self {
        let Self { low, high, count, width } = self;
        assert!(count > 0, "{function}: 0 centres, expected at least 1");
        assert!(
            low <= high && low.is_finite() && high.is_finite(),
            "{function}: the centres are from {low} to {high}"
        );
        assert!(width > 0.0 && width.is_finite(), "{function}: the width is {width}");
        self
    }
}

/// All bells at each input.
///
/// ```text
/// f_j(x) = exp(-u_j^2),  u_j = (x - c_j) / h
///
/// c, h: centres and width, see [`Centers`]
/// ```
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - output: `[rows, inputs * count]`
///
/// # Source
/// As [`Centers`].
///
/// # Panics
/// If there is no centre, the centres are not finite or not in order, the width is not positive, or
/// a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::radial::{Centers, features};
///
/// let f = features(Centers::new(0.0, 1.0, 2), &[0.0], 1, 1);
/// assert_eq!(f[0], 1.0);
/// assert!((f[1] - (-1f32).exp()).abs() < 1e-6);
/// ```
pub fn features(centers: Centers, x: &[f32], rows: usize, inputs: usize) -> Vec<f32> {
    let basis = centers.checked("radial::features");
    expect("radial::features", "x", x.len(), rows * inputs);
    layer::features(&basis, rows, inputs, x)
}

/// The gradient of `x` from `d_features`, that of [`features`].
///
/// ```text
/// f_j'(x) = -2 u_j f_j(x) / h
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
/// use pressrun_kernels::kan::radial::{Centers, features_backward};
///
/// // The top of a bell.
/// assert_eq!(features_backward(Centers::new(0.0, 0.0, 1), &[0.0], 1, 1, &[1.0]), [0.0]);
/// ```
pub fn features_backward(
    centers: Centers,
    x: &[f32],
    rows: usize,
    inputs: usize,
    d_features: &[f32],
) -> Vec<f32> {
    const NAME: &str = "radial::features_backward";
    let basis = centers.checked(NAME);
    expect(NAME, "x", x.len(), rows * inputs);
    expect(NAME, "d_features", d_features.len(), rows * inputs * centers.count);
    let [d_x, _] = layer::features_backward(&basis, [rows, inputs], x, d_features, [true, false]);
    d_x.expect("wanted")
}

/// A layer: a linear map of the [`features`].
///
/// ```text
/// y = f(x) W + b
/// ```
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - `weight`: `[inputs * count, outputs]`, `bias`: `[outputs]`
/// - output: `[rows, outputs]`
///
/// # Source
/// As [`Centers`], without its normalisation and its term of `SiLU`.
///
/// # Panics
/// As [`features`].
///
/// # Example
/// ```
/// use pressrun_kernels::kan::{Size, radial};
///
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// let y = radial::forward(size, radial::Centers::new(0.0, 0.0, 1), &[0.0], &[2.0], Some(&[0.5]));
/// assert_eq!(y, [2.5]);
/// ```
pub fn forward(
    size: Size,
    centers: Centers,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    const NAME: &str = "radial::forward";
    let basis = centers.checked(NAME);
    layer::check(NAME, &basis, size, x, weight);
    if let Some(bias) = bias {
        expect(NAME, "bias", bias.len(), size.outputs);
    }
    layer::forward(&basis, size, x, weight, bias)
}

/// The gradients of [`forward`] that are wanted, from `d_output`, that of its output.
///
/// ```text
/// dL/dW = f(x)^T dL/dy,  dL/db = sum over rows of dL/dy
/// dL/dx_i = sum over the bells of input i of (dL/dy W^T) f'(x_i)
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
/// use pressrun_kernels::kan::{Size, Wanted, radial};
///
/// let size = Size { rows: 1, inputs: 1, outputs: 1 };
/// let centers = radial::Centers::new(0.0, 0.0, 1);
/// let g = radial::backward(size, centers, &[0.0], &[2.0], &[3.0], Wanted::ALL);
/// assert_eq!((g.input.unwrap(), g.weight.unwrap()), (vec![0.0], vec![3.0]));
/// ```
pub fn backward(
    size: Size,
    centers: Centers,
    x: &[f32],
    weight: &[f32],
    d_output: &[f32],
    wanted: Wanted,
) -> Gradients {
    const NAME: &str = "radial::backward";
    let basis = centers.checked(NAME);
    layer::check(NAME, &basis, size, x, weight);
    expect(NAME, "d_output", d_output.len(), size.rows * size.outputs);
    let parameter = false;
    Backward { basis: &basis, size, x, weight, d_output, parameter, wanted }.run().0
}

impl Basis for Centers {
    const FOLD_READS_FEATURES: bool = true;

    fn per_input(&self) -> usize {
        self.count
    }

    fn cost(&self) -> usize {
        1 + self.count / 3
    }

    fn write(&self, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        write(self, block, features);
    }

    fn fold(&self, block: Block<'_>, features: &[f32], d_features: &[f32], out: Folded<'_>) {
        if let Some(input) = out.input {
            fold(self, block, features, d_features, input, out.input_row);
        }
    }
}

vectorized! {
    fn write(s; centers: &Centers, block: Block<'_>, features: &mut [MaybeUninit<f32>]) {
        let Block { x, rows, ld, .. } = block;
        if ld == 0 {
            return;
        }
        let narrow = s.splat(1.0 / centers.width);
        let inputs = x.chunks_exact(ld).zip(features.chunks_exact_mut(centers.count * ld));
        for (x, features) in inputs {
            for (j, features) in features.chunks_exact_mut(ld).enumerate() {
                let center = s.splat(centers.at(j));
                for at in (0..rows).step_by(S::LANES) {
                    let u = s.mul(s.sub(s.load(&x[at..]), center), narrow);
                    s.store(&mut features[at..], math::exp(s, s.neg(s.mul(u, u))));
                }
            }
            layer::fill_rest(features, ld, rows.next_multiple_of(S::LANES));
        }
    }
}

vectorized! {
    fn fold(
        s; centers: &Centers, block: Block<'_>, features: &[f32], d_features: &[f32],
        input: &mut [MaybeUninit<f32>], input_row: usize
    ) {
        let Block { x, rows, ld, .. } = block;
        if rows == 0 {
            return;
        }
        let (narrow, most) = (s.splat(1.0 / centers.width), s.splat(20.0));
        let (low, step) = (f64::from(centers.low), centers.step());
        let inputs = features.chunks_exact(centers.count * ld);
        for (i, features) in inputs.enumerate() {
            let d_features = &d_features[i * centers.count * rows..][..centers.count * rows];
            for at in (0..rows).step_by(S::LANES) {
                let x = s.load(&x[i * ld + at..]);
                let mut sum = s.splat(0.0);
                for (j, d) in d_features.chunks_exact(rows).enumerate() {
                    let u = s.mul(s.sub(x, s.splat((low + j as f64 * step) as f32)), narrow);
                    // The bell is 0 there: infinity would make it NaN. `u` second: NaN stays.
                    let u = s.max(s.neg(most), s.min(most, u));
                    let slope = s.mul(u, s.load(&features[j * ld + at..]));
                    sum = s.fma(slope, layer::load(s, d, at), sum);
                }
                let d_x = s.mul(sum, s.splat(-2.0 / centers.width));
                let n = S::LANES.min(rows - at);
                s.store_first(&mut input[i * input_row + at..][..n], d_x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, expected, same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    /// Value and derivative of each bell.
    fn definition(centers: Centers, x: f64) -> Vec<(f64, f64)> {
        let (low, high) = (f64::from(centers.low), f64::from(centers.high));
        let bell = |j: usize| {
            let c = if j == 0 {
                low
            } else {
                low + j as f64 * (high - low) / (centers.count - 1) as f64
            };
            let u = (x - c) / f64::from(centers.width);
            let value = (-u * u).exp();
            (value, -2.0 * u * value / f64::from(centers.width))
        };
        (0..centers.count).map(bell).collect()
    }

    fn all() -> [Centers; 4] {
        [
            Centers::new(-2.0, 2.0, 8),
            Centers { width: 0.7, ..Centers::new(-1.0, 1.5, 3) },
            Centers::new(0.25, 0.25, 1),
            Centers { width: 0.05, ..Centers::new(-1.0, 1.0, 5) },
        ]
    }

    #[test]
    fn bells_and_slopes_equal_the_definition() {
        at_every_level(|level| {
            for (centers, (rows, inputs)) in
                all().into_iter().flat_map(|c| [(c, (1, 7)), (c, (61, 5)), (c, (0, 2))])
            {
                let x: Vec<f32> = wave(rows * inputs, 1).iter().map(|x| 3.0 * x).collect();
                let d = wave(rows * inputs * centers.count, 2);
                let (mut values, mut slopes) = (Vec::new(), Vec::new());
                for (x, d) in x.iter().zip(d.chunks_exact(centers.count)) {
                    let all = definition(centers, (*x).into());
                    values.extend(all.iter().map(|b| b.0));
                    slopes.push(all.iter().zip(d).map(|(b, d)| b.1 * f64::from(*d)).sum());
                }
                let name = format!("{level:?} {centers:?}");
                close(&name, &features(centers, &x, rows, inputs), &values, 4e-6);
                close(&name, &features_backward(centers, &x, rows, inputs, &d), &slopes, 4e-6);
            }
        });
    }

    #[test]
    fn far_out_is_nothing_and_what_is_no_number_stays() {
        at_every_level(|_| {
            let centers = all()[0];
            let x = [1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
            for (f, x) in features(centers, &x, 4, 1).chunks(centers.count).zip(x) {
                assert!(f.iter().all(|f| if x.is_nan() { f.is_nan() } else { *f == 0.0 }), "{x}");
            }
            let d_x = features_backward(centers, &x, 4, 1, &vec![1.0; 4 * centers.count]);
            assert_eq!(d_x[..3], [0.0; 3]);
            assert!(d_x[3].is_nan());
        });
    }

    #[test]
    fn layer_equals_the_definition() {
        at_every_level(|_| {
            for ((rows, inputs, outputs), centers) in
                [(1, 1, 1), (7, 33, 5), (300, 40, 70), (2, 0, 3)].into_iter().zip(all())
            {
                let size = Size { rows, inputs, outputs };
                let x: Vec<f32> = wave(rows * inputs, 1).iter().map(|x| 2.0 * x).collect();
                let (w, b) = (wave(inputs * centers.count * outputs, 3), wave(outputs, 4));
                let d_y = wave(rows * outputs, 5);
                let e = expected(size, &x, &w, Some(&b), &d_y, &|_, x| definition(centers, x));
                let name = format!("{size:?} {centers:?}");
                close(&name, &forward(size, centers, &x, &w, Some(&b)), &e.y, 5e-6);
                let g = backward(size, centers, &x, &w, &d_y, Wanted::ALL);
                close(&name, g.input.as_ref().unwrap(), &e.d_z, 5e-6);
                close(&name, g.weight.as_ref().unwrap(), &e.d_weight, 5e-6);
                close(&name, g.bias.as_ref().unwrap(), &e.d_bias, 5e-6);
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (size, centers) = (Size { rows: 300, inputs: 41, outputs: 70 }, all()[0]);
        let (x, w, d_y) = (wave(300 * 41, 1), wave(41 * 8 * 70, 3), wave(300 * 70, 4));
        at_every_level(|_| {
            same_with_any_threads(|| forward(size, centers, &x, &w, None));
            same_with_any_threads(|| backward(size, centers, &x, &w, &d_y, Wanted::ALL));
        });
    }

    #[test]
    #[should_panic(expected = "radial::features: x has 2 numbers, expected 3")]
    fn lengths_must_fit() {
        features(all()[0], &[0.0; 2], 3, 1);
    }
}
