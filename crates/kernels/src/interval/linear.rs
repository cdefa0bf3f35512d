//! Maps that are linear in their input and in their weights.

use std::mem::MaybeUninit;

use super::{Bounds, expect};
use crate::kan::column_sums;
use crate::matrix::{Mat, MatMut, Start, product, product_from, product_into};
use crate::simd::{map, map_in_place, vectorized};
use crate::{buffer, par};

/// Which gradients are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the centres.
    pub center: bool,
    /// Of the radii.
    pub radius: bool,
    /// Of the weights.
    pub weight: bool,
    /// Of the bias.
    pub bias: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { center: true, radius: true, weight: true, bias: true };
}

/// The gradients that were wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    /// As the centres.
    pub center: Option<Vec<f32>>,
    /// As the radii.
    pub radius: Option<Vec<f32>>,
    /// As the weights.
    pub weight: Option<Vec<f32>>,
    /// As the bias.
    pub bias: Option<Vec<f32>>,
}

/// Which gradients of a map [`through_backward`] asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MapWanted {
    /// Of the input.
    pub input: bool,
    /// Of the weights.
    pub weight: bool,
    /// Of the bias.
    pub bias: bool,
}

/// The gradients of a map that were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MapGradients {
    /// Of the input.
    pub input: Option<Vec<f32>>,
    /// Of the weights.
    pub weight: Option<Vec<f32>>,
    /// Of the bias.
    pub bias: Option<Vec<f32>>,
}

/// Bounds of any map that is linear in its input and in its weights, such as a convolution.
///
/// ```text
/// c' = f(c, W) + b,  r' = f(r, |W|)
/// ```
///
/// `map` is called as `map(input, weight, bias)`, once for the centres and once for the radii. The
/// bound is exact, but for rounding.
///
/// # Shapes
/// - `center`, `radius`: what `map` takes
/// - output: what `map` gives
///
/// # Source
/// See the module.
///
/// # Panics
/// If there are not as many radii as centres.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::through;
///
/// // Each input times its weight.
/// let map = |x: &[f32], w: &[f32], _: Option<&[f32]>| x.iter().zip(w).map(|(x, w)| x * w).collect();
/// let bounds = through(&[1.0, 2.0], &[0.5, 0.5], &[2.0, -2.0], None, map);
/// assert_eq!(bounds.center, [2.0, -4.0]);
/// assert_eq!(bounds.radius, [1.0, 1.0]);
/// ```
pub fn through(
    center: &[f32],
    radius: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    map: impl Fn(&[f32], &[f32], Option<&[f32]>) -> Vec<f32>,
) -> Bounds {
    expect("interval::through", "radius", radius.len(), center.len());
    let radius = with_magnitudes(weight, |weight| map(radius, weight, None));
    Bounds { center: map(center, weight, bias), radius }
}

/// The gradients of [`through`] that are wanted, from those of its centres and radii.
///
/// ```text
/// dL/dc = gradient of f(c, W) from dL/dc',  dL/dr = that of f(r, |W|) from dL/dr'
/// dL/dW = that of f(c, W) + sgn(W) that of f(r, |W|),  sgn(0) = 0
/// ```
///
/// `gradient` is called as `gradient(input, weight, d_output, wanted)`; it gives what is wanted.
///
/// # Shapes
/// - `d_center`, `d_radius`: as the output of [`through`]
///
/// # Panics
/// If there are not as many radii as centres, of the input or of the gradient, or `gradient` does
/// not give what is wanted.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::{MapGradients, MapWanted, Wanted, through_backward};
///
/// // Each input times its weight.
/// let gradient = |x: &[f32], w: &[f32], d: &[f32], wanted: MapWanted| MapGradients {
///     input: wanted.input.then(|| w.iter().zip(d).map(|(w, d)| w * d).collect()),
///     weight: wanted.weight.then(|| x.iter().zip(d).map(|(x, d)| x * d).collect()),
///     bias: None,
/// };
/// let wanted = Wanted { radius: true, weight: true, ..Wanted::default() };
/// let g = through_backward(&[1.0], &[0.5], &[-2.0], &[1.0], &[1.0], wanted, gradient);
/// assert_eq!((g.radius.unwrap(), g.weight.unwrap()), (vec![2.0], vec![0.5]));
/// ```
pub fn through_backward(
    center: &[f32],
    radius: &[f32],
    weight: &[f32],
    d_center: &[f32],
    d_radius: &[f32],
    wanted: Wanted,
    gradient: impl Fn(&[f32], &[f32], &[f32], MapWanted) -> MapGradients,
) -> Gradients {
    const NAME: &str = "interval::through_backward";
    expect(NAME, "radius", radius.len(), center.len());
    expect(NAME, "d_radius", d_radius.len(), d_center.len());
    let Wanted { center: input, weight: d_weight, bias, .. } = wanted;
    let mut of_center = MapGradients::default();
    if input || d_weight || bias {
        let wanted = MapWanted { input, weight: d_weight, bias };
        of_center = gradient(center, weight, d_center, wanted);
    }
    let mut of_radius = MapGradients::default();
    if wanted.radius || d_weight {
        let wanted = MapWanted { input: wanted.radius, weight: d_weight, bias: false };
        of_radius = with_magnitudes(weight, |weight| gradient(radius, weight, d_radius, wanted));
    }
    let weight = d_weight.then(|| {
        let mut sum = of_center.weight.expect("the gradient of the weights is wanted");
        let signed = of_radius.weight.expect("the gradient of the weights is wanted");
        expect(NAME, "the gradient of the weights", sum.len(), weight.len());
        expect(NAME, "the gradient of the weights", signed.len(), weight.len());
        add_signed(&mut sum, weight, &signed);
        sum
    });
    Gradients { center: of_center.input, radius: of_radius.input, weight, bias: of_center.bias }
}

/// Bounds of a linear map.
///
/// ```text
/// c' = c W + b,  r' = r |W|
/// ```
///
/// # Shapes
/// - `size`: rows, inputs and outputs
/// - `center`, `radius`: `[rows, inputs]`; `weight`: `[inputs, outputs]`; `bias`: `[outputs]`
/// - output: `[rows, outputs]`
///
/// # Source
/// See the module.
///
/// # Panics
/// If a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::linear;
///
/// // x0 - x1
/// let bounds = linear([1, 2, 1], &[0.5, 0.25], &[0.125, 0.125], &[1.0, -1.0], None);
/// assert_eq!((bounds.center, bounds.radius), (vec![0.25], vec![0.25]));
/// ```
pub fn linear(
    size: [usize; 3],
    center: &[f32],
    radius: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Bounds {
    let [rows, inputs, outputs] = size;
    check("interval::linear", size, center, radius, weight);
    if let Some(bias) = bias {
        expect("interval::linear", "bias", bias.len(), outputs);
    }
    through(center, radius, weight, bias, |x, weight, bias| {
        let (x, weight) = (Mat::new(x, rows, inputs), Mat::new(weight, inputs, outputs));
        product_from(x, weight, Start { add: None, bias })
    })
}

/// The gradients of [`linear`] that are wanted, from those of its centres and radii.
///
/// ```text
/// dL/dc = dL/dc' W^T,  dL/dr = dL/dr' |W|^T,  dL/db = sum over rows of dL/dc'
/// dL/dW = c^T dL/dc' + sgn(W) (r^T dL/dr'),  sgn(0) = 0
/// ```
///
/// # Shapes
/// - as [`linear`]; `d_center`, `d_radius`: `[rows, outputs]`
///
/// # Panics
/// If a length is wrong.
///
/// # Example
/// ```
/// use pressrun_kernels::interval::{Wanted, linear_backward};
///
/// let wanted = Wanted { weight: true, ..Wanted::default() };
/// let g = linear_backward([1, 1, 1], &[3.0], &[0.5], &[-1.0], [&[1.0], &[2.0]], wanted);
/// assert_eq!(g.weight.unwrap(), [2.0]);
/// ```
pub fn linear_backward(
    size: [usize; 3],
    center: &[f32],
    radius: &[f32],
    weight: &[f32],
    [d_center, d_radius]: [&[f32]; 2],
    wanted: Wanted,
) -> Gradients {
    const NAME: &str = "interval::linear_backward";
    let [rows, inputs, outputs] = size;
    check(NAME, size, center, radius, weight);
    expect(NAME, "d_center", d_center.len(), rows * outputs);
    expect(NAME, "d_radius", d_radius.len(), rows * outputs);
    let mat = |data| Mat::new(data, rows, inputs);
    let (d_c, d_r) = (Mat::new(d_center, rows, outputs), Mat::new(d_radius, rows, outputs));
    let of_input = |d_y, weight: &[f32]| product(d_y, Mat::new(weight, inputs, outputs).t());
    Gradients {
        center: wanted.center.then(|| of_input(d_c, weight)),
        radius: wanted.radius.then(|| with_magnitudes(weight, |weight| of_input(d_r, weight))),
        weight: wanted.weight.then(|| {
            let mut sum = product(mat(center).t(), d_c);
            buffer::scratch(weight.len(), |signed| {
                let c = MatMut::strided(signed, [inputs, outputs], outputs);
                product_into(c, mat(radius).t(), d_r, Start::default());
                // SAFETY: the product writes all of it.
                add_signed(&mut sum, weight, unsafe { buffer::as_written(signed) });
            });
            sum
        }),
        bias: wanted.bias.then(|| column_sums(d_center, outputs)),
    }
}

fn check(
    function: &str,
    [rows, inputs, outputs]: [usize; 3],
    center: &[f32],
    radius: &[f32],
    weight: &[f32],
) {
    expect(function, "center", center.len(), rows * inputs);
    expect(function, "radius", radius.len(), rows * inputs);
    expect(function, "weight", weight.len(), inputs * outputs);
}

/// Calls `f` with the magnitudes of `x` in scratch.
fn with_magnitudes<R>(x: &[f32], f: impl FnOnce(&[f32]) -> R) -> R {
    vectorized! {
        fn magnitudes(s; x: &[f32], out: &mut [MaybeUninit<f32>]) {
            map(s, [x], [out], |[x]| [s.abs(x)]);
        }
    }
    buffer::scratch(x.len(), |out| {
        let outs = [par::Rows { data: &mut *out, width: 1 }];
        par::for_rows(x.len(), 16, x.len() / 8, outs, |range, [out]| magnitudes(&x[range], out));
        // SAFETY: every part is written.
        f(unsafe { buffer::as_written(out) })
    })
}

/// Adds `sgn(w) x`, with `sgn(0) = 0`.
fn add_signed(to: &mut [f32], w: &[f32], x: &[f32]) {
    vectorized! {
        fn add(s; to: &mut [f32], w: &[f32], x: &[f32]) {
            let (zero, one) = (s.splat(0.0), s.splat(1.0));
            map_in_place(s, [to], [w, x], |[to], [w, x]| {
                let signed = s.mul(x, s.copysign(one, w));
                [s.select(s.eq(w, zero), to, s.add(to, signed))]
            });
        }
    }
    let len = to.len();
    let outs = [par::Rows { data: buffer::as_uninit(to), width: 1 }];
    par::for_rows(len, 16, len / 4, outs, |range, [to]| {
        // SAFETY: it was initialised before it was divided.
        add(unsafe { buffer::as_written_mut(to) }, &w[range.clone()], &x[range]);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    fn close(what: &str, got: &[f32], expected: &[f64]) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (at, (got, e)) in got.iter().zip(expected).enumerate() {
            let bound = 5e-6 * (1.0 + e.abs());
            assert!((f64::from(*got) - e).abs() < bound, "{what} {at}: {got} for {e}");
        }
    }

    struct Case {
        size: [usize; 3],
        center: Vec<f32>,
        radius: Vec<f32>,
        weight: Vec<f32>,
        bias: Vec<f32>,
        d: [Vec<f32>; 2],
    }

    fn case(size: [usize; 3]) -> Case {
        let [rows, inputs, outputs] = size;
        let mut weight = wave(inputs * outputs, 3);
        if let Some(w) = weight.get_mut(1) {
            *w = 0.0;
        }
        Case {
            size,
            center: wave(rows * inputs, 1),
            radius: wave(rows * inputs, 2).iter().map(|r| r.abs()).collect(),
            weight,
            bias: wave(outputs, 4),
            d: [wave(rows * outputs, 5), wave(rows * outputs, 6)],
        }
    }

    impl Case {
        fn forward(&self) -> Bounds {
            linear(self.size, &self.center, &self.radius, &self.weight, Some(&self.bias))
        }

        fn backward(&self, wanted: Wanted) -> Gradients {
            let d = [&self.d[0][..], &self.d[1]];
            linear_backward(self.size, &self.center, &self.radius, &self.weight, d, wanted)
        }

        fn check(&self) {
            let [rows, inputs, outputs] = self.size;
            let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            let (c, r, w) = (wide(&self.center), wide(&self.radius), wide(&self.weight));
            let d = [wide(&self.d[0]), wide(&self.d[1])];
            let sgn = |w: f64| if w == 0.0 { 0.0 } else { w.signum() };
            let mut center: Vec<f64> =
                (0..rows * outputs).map(|at| f64::from(self.bias[at % outputs])).collect();
            let mut radius = vec![0.0; rows * outputs];
            let mut d_c = vec![0.0; rows * inputs];
            let (mut d_r, mut d_w, mut d_b) = (d_c.clone(), vec![0.0; w.len()], vec![0.0; outputs]);
            for (row, o) in (0..rows).flat_map(|row| (0..outputs).map(move |o| (row, o))) {
                let y = row * outputs + o;
                d_b[o] += d[0][y];
                for i in 0..inputs {
                    let (x, w, at) = (row * inputs + i, w[i * outputs + o], i * outputs + o);
                    center[y] += c[x] * w;
                    radius[y] += r[x] * w.abs();
                    d_c[x] += d[0][y] * w;
                    d_r[x] += d[1][y] * w.abs();
                    d_w[at] += c[x] * d[0][y] + sgn(w) * r[x] * d[1][y];
                }
            }
            let bounds = self.forward();
            close("center", &bounds.center, &center);
            close("radius", &bounds.radius, &radius);
            let g = self.backward(Wanted::ALL);
            close("d_center", g.center.as_ref().unwrap(), &d_c);
            close("d_radius", g.radius.as_ref().unwrap(), &d_r);
            close("d_weight", g.weight.as_ref().unwrap(), &d_w);
            close("d_bias", g.bias.as_ref().unwrap(), &d_b);
            for which in 0..16 {
                let on = |bit: usize| which & (1 << bit) != 0;
                let part = self.backward(Wanted {
                    center: on(0),
                    radius: on(1),
                    weight: on(2),
                    bias: on(3),
                });
                assert_eq!(part.center, g.center.clone().filter(|_| on(0)));
                assert_eq!(part.radius, g.radius.clone().filter(|_| on(1)));
                assert_eq!(part.weight, g.weight.clone().filter(|_| on(2)));
                assert_eq!(part.bias, g.bias.clone().filter(|_| on(3)));
            }
        }
    }

    #[test]
    fn equals_the_definition() {
        at_every_level(|_| {
            for size in [[1, 1, 1], [7, 17, 33], [33, 5, 1], [0, 3, 2], [2, 0, 3], [3, 2, 0]] {
                case(size).check();
            }
        });
    }

    #[test]
    fn every_point_of_the_box_is_within_the_bounds() {
        at_every_level(|_| {
            let case = case([9, 20, 13]);
            let bounds = case.forward();
            for seed in 0..20 {
                let places = wave(9 * 20, seed);
                let places = places.iter().map(|p| if seed % 2 == 0 { p.signum() } else { *p });
                let of = case.center.iter().zip(&case.radius);
                let x: Vec<f32> = of.zip(places).map(|((c, r), p)| c + p * r).collect();
                let y = linear(case.size, &x, &case.radius, &case.weight, Some(&case.bias)).center;
                for ((y, c), r) in y.iter().zip(&bounds.center).zip(&bounds.radius) {
                    assert!((y - c).abs() <= r + 1e-5);
                }
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit_and_rows_do_not_mix() {
        at_every_level(|_| {
            let mut case = case([200, 300, 150]);
            same_with_any_threads(|| (case.forward(), case.backward(Wanted::ALL)));
            case.center[300] = f32::NAN;
            case.radius[600] = f32::INFINITY;
            let bounds = case.forward();
            for (at, c) in bounds.center.iter().enumerate() {
                assert_eq!(c.is_nan(), at / 150 == 1);
                // Times the weight that is 0.
                let r = bounds.radius[at];
                assert_eq!(r.is_finite(), at / 150 != 2, "{at} {r}");
            }
        });
    }

    #[test]
    #[should_panic(expected = "interval::linear: radius has 1 numbers, expected 2")]
    fn lengths_must_fit() {
        linear([1, 2, 1], &[0.0; 2], &[0.0], &[0.0; 2], None);
    }
}
