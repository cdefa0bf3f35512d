//! Layers of Kolmogorov-Arnold networks: features of each input with their linear map, and
//! rational functions.

use burn::tensor::{Tensor, module};
use pressrun_kernels::kan::rational::{self, Rational};
use pressrun_kernels::kan::{Size, Wanted, bspline, fourier, radial};

use super::{Array, Fused, Grad, Saved, of, run};

/// The features of a layer but for their parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Basis {
    /// Sines and cosines of this many multiples of the scaled input.
    Fourier(usize),
    /// B-splines.
    BSpline(bspline::Grid),
    /// Gaussian bells.
    Radial(radial::Centers),
}

impl Basis {
    /// Features of an input.
    pub(crate) fn features(self) -> usize {
        match self {
            Self::Fourier(grid) => 2 * grid,
            Self::BSpline(grid) => grid.bases(),
            Self::Radial(centers) => centers.count,
        }
    }
}

/// The features of `x` through a linear map.
///
/// `scale` is read by [`Basis::Fourier`] alone.
///
/// # Shapes
/// - `x`: `[rows, inputs]`, `scale`: `[inputs]`, `weight`: `[inputs * features, outputs]`
/// - output: `[rows, outputs]`
pub(crate) fn kan(
    basis: Basis,
    x: Tensor<2>,
    scale: Option<Tensor<1>>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<2> {
    let inputs = [
        Some(x.into_dispatch()),
        scale.map(Tensor::into_dispatch),
        Some(weight.into_dispatch()),
        bias.map(Tensor::into_dispatch),
    ];
    match run(Map { basis }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, scale, weight, bias]) => {
            let scale = scale.map(Tensor::from_dispatch);
            let features = plain_features(basis, of(x), scale);
            module::linear(features, of(weight), bias.map(Tensor::from_dispatch))
        }
    }
}

/// The features in tensor operations, `[rows, inputs * features]`.
pub(crate) fn plain_features(basis: Basis, x: Tensor<2>, scale: Option<Tensor<1>>) -> Tensor<2> {
    let ([rows, inputs], device) = (x.dims(), x.device());
    let steps = |low: f64, step: f64, count: usize| {
        let values: Vec<f32> = (0..count).map(|i| (low + step * i as f64) as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 1, count])
    };
    let features = match basis {
        Basis::Fourier(grid) => {
            let x = match scale {
                Some(scale) => x * scale.unsqueeze(),
                None => x,
            };
            let angles = x.unsqueeze_dim::<3>(2) * steps(1.0, 1.0, grid);
            Tensor::cat(vec![angles.clone().sin(), angles.cos()], 2)
        }
        Basis::Radial(c) => {
            let step = f64::from(c.high - c.low) / c.count.saturating_sub(1).max(1) as f64;
            let distance = x.unsqueeze_dim::<3>(2) - steps(f64::from(c.low), step, c.count);
            (distance / c.width).square().neg().exp()
        }
        Basis::BSpline(grid) => plain_bsplines(grid, x.unsqueeze_dim(2)),
    };
    features.reshape([rows, inputs * basis.features()])
}

/// B-splines by the recursion of Cox and de Boor on knots a step apart.
///
/// ```text
/// B_i^0 = 1 if t_i <= x < t_i+1, else 0
/// B_i^p = (x - t_i) / (p h) B_i^(p-1) + (t_i+p+1 - x) / (p h) B_i+1^(p-1)
/// ```
fn plain_bsplines(grid: bspline::Grid, x: Tensor<3>) -> Tensor<3> {
    let ([rows, inputs, _], device) = (x.dims(), x.device());
    let h = f64::from(grid.high - grid.low) / grid.size as f64;
    let knot = |i: usize| f64::from(grid.low) + (i as f64 - grid.order as f64) * h;
    let knots = |first: usize, count: usize| {
        let values: Vec<f32> = (first..first + count).map(|i| knot(i) as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 1, count])
    };
    let mut count = grid.size + 2 * grid.order;
    let after = x.clone().greater_equal(knots(0, count)).float();
    let before = x.clone().lower(knots(1, count)).float();
    let mut bases = after * before;
    for p in 1..=grid.order {
        count -= 1;
        let part = |first: usize| bases.clone().slice([0..rows, 0..inputs, first..first + count]);
        let width = p as f64 * h;
        let left = (x.clone() - knots(0, count)) / width * part(0);
        let right = (knots(p + 1, count) - x.clone()) / width * part(1);
        bases = left + right;
    }
    bases
}

#[derive(Debug, Clone)]
struct Map {
    basis: Basis,
}

impl Map {
    fn size(x: &Array, weight: &Array) -> Size {
        Size { rows: x.dims()[0], inputs: x.dims()[1], outputs: weight.dims()[1] }
    }
}

impl Fused<4> for Map {
    type Kept = ();
    const READS: [bool; 4] = [true, true, true, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, scale, weight, bias]: [&Array; 4]) -> (Array, ()) {
        let size = Self::size(x, weight);
        let (values, w, b) = (x.values(), weight.values(), bias.given());
        let y = match self.basis {
            Basis::Fourier(grid) => fourier::forward(size, values, scale.values(), grid, w, b),
            Basis::BSpline(grid) => bspline::forward(size, grid, values, w, b),
            Basis::Radial(centers) => radial::forward(size, centers, values, w, b),
        };
        (Array::new(y, [size.rows, size.outputs]), ())
    }

    fn backward(
        &self,
        saved: &Saved<4, ()>,
        grad: &Array,
        [input, scale_wanted, weight_wanted, bias]: [bool; 4],
    ) -> [Option<Grad>; 4] {
        let [x, scale, weight, _] = &saved.inputs;
        let size = Self::size(x, weight);
        let (x, w, dy) = (x.values(), weight.values(), grad.values());
        let wanted = Wanted { input, weight: weight_wanted, bias };
        let found = match self.basis {
            Basis::Fourier(grid) => {
                let wanted =
                    fourier::Wanted { input, scale: scale_wanted, weight: weight_wanted, bias };
                let found = fourier::backward(size, x, scale.values(), grid, w, dy, wanted);
                let all = [found.input, found.scale, found.weight, found.bias];
                return all.map(|g| g.map(Grad::from));
            }
            Basis::BSpline(grid) => bspline::backward(size, grid, x, w, dy, wanted),
            Basis::Radial(centers) => radial::backward(size, centers, x, w, dy, wanted),
        };
        [found.input, None, found.weight, found.bias].map(|g| g.map(Grad::from))
    }
}

/// A rational function of each channel, with coefficients that groups of channels share.
///
/// # Shapes
/// - `x` and output: `[rows, channels]`
/// - `numerator`: `[groups or 1, m + 1]`, `denominator`: `[groups or 1, n]`
pub(crate) fn rational(
    groups: usize,
    x: Tensor<2>,
    numerator: Tensor<2>,
    denominator: Tensor<2>,
) -> Tensor<2> {
    let inputs = [x, numerator, denominator].map(|t| Some(t.into_dispatch()));
    match run(Quotient { groups }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, a, b]) => plain_rational(groups, of(x), of(a), of(b)),
    }
}

/// ```text
/// y = (a_0 + a_1 x + .. + a_m x^m) / (1 + |b_1 x + .. + b_n x^n|)
/// ```
pub(crate) fn plain_rational(
    groups: usize,
    x: Tensor<2>,
    numerator: Tensor<2>,
    denominator: Tensor<2>,
) -> Tensor<2> {
    let [rows, channels] = x.dims();
    let x = x.reshape([rows, groups, channels / groups]);
    let coefficient = |t: &Tensor<2>, k: usize| {
        let [of, _] = t.dims();
        t.clone().slice([0..of, k..k + 1]).reshape([1, of, 1])
    };
    // Horner's rule from the highest power down.
    let polynomial = |t: &Tensor<2>| {
        let [_, terms] = t.dims();
        let highest = x.zeros_like() + coefficient(t, terms - 1);
        (0..terms - 1).rev().fold(highest, |sum, k| sum * x.clone() + coefficient(t, k))
    };
    let divisor = (polynomial(&denominator) * x.clone()).abs() + 1.0;
    (polynomial(&numerator) / divisor).reshape([rows, channels])
}

#[derive(Debug, Clone)]
struct Quotient {
    groups: usize,
}

impl Quotient {
    fn function<'a>(
        &self,
        x: &Array,
        numerator: &'a Array,
        denominator: &'a Array,
    ) -> Rational<'a> {
        Rational {
            channels: x.dims()[1],
            groups: self.groups,
            degrees: [numerator.dims()[1] - 1, denominator.dims()[1]],
            numerator: numerator.values(),
            denominator: denominator.values(),
        }
    }
}

impl Fused<3> for Quotient {
    type Kept = ();
    const READS: [bool; 3] = [true; 3];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, a, b]: [&Array; 3]) -> (Array, ()) {
        (x.like(self.function(x, a, b).forward(x.values())), ())
    }

    fn backward(
        &self,
        saved: &Saved<3, ()>,
        grad: &Array,
        [input, a_wanted, b_wanted]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [x, a, b] = &saved.inputs;
        let wanted = rational::Wanted { input, coefficients: a_wanted || b_wanted };
        let found = self.function(x, a, b).backward(x.values(), grad.values(), wanted);
        [found.input, found.numerator, found.denominator].map(|g| g.map(Grad::from))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::device;

    fn wave<const D: usize>(shape: [usize; D], seed: f32, device: &Device) -> Tensor<D> {
        let len: usize = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape).require_grad()
    }

    fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn every_basis_equals_its_plain_form() {
        let device = device::named("flex").unwrap();
        let bases = [
            Basis::Fourier(3),
            Basis::BSpline(bspline::Grid { low: -1.2, high: 1.2, size: 4, order: 3 }),
            Basis::Radial(radial::Centers::new(-1.0, 1.0, 5)),
        ];
        for basis in bases {
            let fourier = matches!(basis, Basis::Fourier(_));
            let make = || {
                let weight = wave([4 * basis.features(), 6], 1.0, &device);
                let scale = wave([4], 2.0, &device);
                (
                    wave([9, 4], 0.0, &device),
                    fourier.then_some(scale),
                    weight,
                    wave([6], 3.0, &device),
                )
            };
            let weigh = wave([9, 6], 4.0, &device);
            let (x, scale, w, b) = make();
            let y = kan(basis, x.clone(), scale.clone(), w.clone(), Some(b.clone()));
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let (px, pscale, pw, pb) = make();
            let features = plain_features(basis, px.clone(), pscale.clone());
            let plain = module::linear(features, pw.clone(), Some(pb.clone()));
            let plain_grads = (plain.clone() * weigh).sum().backward();
            assert!(difference(y, plain) < 2e-5, "{basis:?}");
            let same = |a: &Tensor<2>, b: &Tensor<2>| {
                difference(a.grad(&grads).unwrap(), b.grad(&plain_grads).unwrap())
            };
            assert!(same(&x, &px) < 1e-4, "{basis:?}: {}", same(&x, &px));
            assert!(same(&w, &pw) < 1e-4, "{basis:?}");
            assert!(difference(b.grad(&grads).unwrap(), pb.grad(&plain_grads).unwrap()) < 1e-4);
            if let (Some(a), Some(b)) = (scale, pscale) {
                assert!(difference(a.grad(&grads).unwrap(), b.grad(&plain_grads).unwrap()) < 1e-4);
            }
        }
    }

    #[test]
    fn the_rational_function_equals_its_plain_form() {
        let device = device::named("flex").unwrap();
        for (groups, sets) in [(2, 2), (3, 1), (1, 1)] {
            let make = || {
                let (a, b) = (wave([sets, 6], 1.0, &device), wave([sets, 4], 2.0, &device));
                (wave([7, 6], 0.0, &device), a, b)
            };
            let weigh = wave([7, 6], 4.0, &device);
            let (x, a, b) = make();
            let y = rational(groups, x.clone(), a.clone(), b.clone());
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let (px, pa, pb) = make();
            let plain = plain_rational(groups, px.clone(), pa.clone(), pb.clone());
            let plain_grads = (plain.clone() * weigh).sum().backward();
            assert!(difference(y, plain) < 1e-5);
            for (mine, theirs) in [(&x, &px), (&a, &pa), (&b, &pb)] {
                let (mine, theirs) =
                    (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!(difference(mine, theirs) < 1e-4, "{groups}");
            }
        }
    }
}
