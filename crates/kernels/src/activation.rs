//! Elementwise functions and their gradients.

use std::mem::MaybeUninit;

use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, map, math, vectorized};

/// An elementwise function.
///
/// ```text
/// Identity  x                Relu     max(x, 0)         LeakyRelu(a)  max(x, a x)
/// Gelu      x Phi(x)         Silu     x / (1 + exp(-x)) Sigmoid       1 / (1 + exp(-x))
/// Tanh, Exp, Sin, Cos
/// Erf       2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x
/// ```
///
/// Phi: distribution function of N(0, 1).
///
/// # Source
/// GELU: Hendrycks and Gimpel, arXiv:1606.08415 (exact form); `SiLU`: arXiv:1702.03118.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// x itself.
    Identity,
    /// max(x, 0), with gradient 0 at 0.
    Relu,
    /// max(x, a x) for 0 < a < 1.
    LeakyRelu(f32),
    /// x Phi(x).
    Gelu,
    /// x times its logistic function.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// Exponential.
    Exp,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Error function.
    Erf,
}

impl Activation {
    /// What the gradient is computed from.
    pub fn needs(self) -> Needs {
        match self {
            Self::Identity => Needs::Nothing,
            Self::Relu | Self::LeakyRelu(_) | Self::Tanh | Self::Sigmoid | Self::Exp => {
                Needs::Output
            }
            Self::Gelu | Self::Silu | Self::Sin | Self::Cos | Self::Erf => Needs::Input,
        }
    }

    /// Nanoseconds of a core for 16 numbers, roughly.
    fn cost(self) -> usize {
        match self {
            Self::Identity | Self::Relu | Self::LeakyRelu(_) => 2,
            _ => 8,
        }
    }
}

/// What an activation's gradient is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Only the gradient of the output.
    Nothing,
    /// The input.
    Input,
    /// The output.
    Output,
}

/// Applies an elementwise function.
///
/// # Example
/// ```
/// use pressrun_kernels::activation::{Activation, forward};
///
/// assert_eq!(forward(Activation::Relu, &[-1.0, 2.0]), [0.0, 2.0]);
/// ```
pub fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    let cost = x.len() / 16 * activation.cost();
    // SAFETY: `apply` writes every number of its range.
    unsafe {
        buffer::written(x.len(), |y| {
            let rows = Rows { data: y, width: 1 };
            par::for_rows(x.len(), 64, cost, [rows], |range, [y]| apply(activation, &x[range], y));
        })
    }
}

/// The gradient of the input: the gradient of the output times the derivative.
///
/// `from` is the input or the output of `forward`, as [`Activation::needs`] says; if nothing is
/// needed, it is not read and may be empty.
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// use pressrun_kernels::activation::{Activation, backward};
///
/// assert_eq!(backward(Activation::Relu, &[0.0, 2.0], &[5.0, 5.0]), [0.0, 5.0]);
/// ```
pub fn backward(activation: Activation, from: &[f32], grad: &[f32]) -> Vec<f32> {
    if activation == Activation::Identity {
        return grad.to_vec();
    }
    let (len, of) = (grad.len(), from.len());
    assert_eq!(of, len, "activation::backward: {of} values and {len} gradients");
    let cost = len / 16 * activation.cost();
    // SAFETY: `slope` writes every number of its range.
    unsafe {
        buffer::written(len, |dx| {
            let rows = Rows { data: dx, width: 1 };
            par::for_rows(len, 64, cost, [rows], |range, [dx]| {
                slope(activation, &from[range.clone()], &grad[range], dx);
            });
        })
    }
}

vectorized! {
    /// Writes the values of a function.
    pub(crate) fn apply(s; f: Activation, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        let zero = s.splat(0.0);
        match f {
            Activation::Identity => map(s, [x], [y], |[x]| [x]),
            // `x` second: NaN stays.
            Activation::Relu => map(s, [x], [y], |[x]| [s.max(zero, x)]),
            Activation::LeakyRelu(a) => {
                let a = s.splat(a);
                map(s, [x], [y], |[x]| [s.max(s.mul(a, x), x)]);
            }
            Activation::Gelu => map(s, [x], [y], |[x]| [gelu(s, x)]),
            Activation::Silu => map(s, [x], [y], |[x]| [silu(s, x)]),
            Activation::Tanh => map(s, [x], [y], |[x]| [math::tanh(s, x)]),
            Activation::Sigmoid => map(s, [x], [y], |[x]| [math::sigmoid(s, x)]),
            Activation::Exp => map(s, [x], [y], |[x]| [math::exp(s, x)]),
            Activation::Sin => map(s, [x], [y], |[x]| [math::sin_cos(s, x).0]),
            Activation::Cos => map(s, [x], [y], |[x]| [math::sin_cos(s, x).1]),
            Activation::Erf => map(s, [x], [y], |[x]| [math::erf(s, x)]),
        }
    }
}

/// x Phi(x), which is 0 and not NaN at minus infinity, as its limit.
#[inline(always)]
fn gelu<S: Simd>(s: S, x: S::F) -> S::F {
    let least = s.splat(f32::MIN);
    s.mul(s.max(least, x), math::normal(s, x).0)
}

/// x / (1 + exp(-x)), which is 0 and not NaN at minus infinity, as its limit.
#[inline(always)]
fn silu<S: Simd>(s: S, x: S::F) -> S::F {
    s.mul(s.max(s.splat(f32::MIN), x), math::sigmoid(s, x))
}

vectorized! {
    /// Writes the gradient of the input; `v` is input or output, as the function needs.
    pub(crate) fn slope(s; f: Activation, v: &[f32], g: &[f32], dx: &mut [MaybeUninit<f32>]) {
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        match f {
            Activation::Identity => map(s, [g], [dx], |[g]| [g]),
            Activation::Relu => {
                // Not `0 < y`: where y is NaN the gradient stays, which shows the NaN.
                map(s, [v, g], [dx], |[y, g]| [s.select(s.le(y, zero), zero, g)]);
            }
            Activation::LeakyRelu(a) => {
                let a = s.splat(a);
                map(s, [v, g], [dx], |[y, g]| [s.select(s.le(y, zero), s.mul(a, g), g)]);
            }
            // s' = s (1 - s)
            Activation::Sigmoid => {
                map(s, [v, g], [dx], |[y, g]| [s.mul(g, s.mul(y, s.sub(one, y)))]);
            }
            // tanh' = 1 - tanh^2
            Activation::Tanh => {
                map(s, [v, g], [dx], |[y, g]| [s.mul(g, s.fma(s.neg(y), y, one))]);
            }
            Activation::Exp => map(s, [v, g], [dx], |[y, g]| [s.mul(g, y)]),
            // (x Phi)' = Phi + x phi
            Activation::Gelu => map(s, [v, g], [dx], |[x, g]| {
                let (whole, density) = math::normal(s, x);
                [s.mul(g, s.fma(finite(s, x), density, whole))]
            }),
            // (x s)' = s + x s (1 - s)
            Activation::Silu => map(s, [v, g], [dx], |[x, g]| {
                let y = math::sigmoid(s, x);
                let rest = s.mul(finite(s, x), s.mul(y, s.sub(one, y)));
                [s.mul(g, s.add(y, rest))]
            }),
            Activation::Sin => map(s, [v, g], [dx], |[x, g]| [s.mul(g, math::sin_cos(s, x).1)]),
            Activation::Cos => {
                map(s, [v, g], [dx], |[x, g]| [s.mul(g, s.neg(math::sin_cos(s, x).0))]);
            }
            // erf' = 2 / sqrt(pi) exp(-x^2)
            Activation::Erf => {
                let c = s.splat(std::f32::consts::FRAC_2_SQRT_PI);
                map(s, [v, g], [dx], |[x, g]| {
                    let e = math::exp(s, s.neg(s.mul(x, x)));
                    [s.mul(g, s.mul(c, e))]
                });
            }
        }
    }
}

/// Infinities as the largest numbers, for a factor that is 0 there; NaN stays.
#[inline(always)]
fn finite<S: Simd>(s: S, x: S::F) -> S::F {
    s.max(s.splat(f32::MIN), s.min(s.splat(f32::MAX), x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    /// The functions in double precision; erf by its series.
    fn exact(f: Activation, x: f64) -> f64 {
        let erf = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        };
        match f {
            Activation::Identity => x,
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu(a) => x.max(f64::from(a) * x),
            Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2f64.sqrt())),
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Exp => x.exp(),
            Activation::Sin => x.sin(),
            Activation::Cos => x.cos(),
            Activation::Erf => erf(x),
        }
    }

    const ALL: [Activation; 11] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu(0.1),
        Activation::Gelu,
        Activation::Silu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Exp,
        Activation::Sin,
        Activation::Cos,
        Activation::Erf,
    ];

    fn from<'a>(f: Activation, x: &'a [f32], y: &'a [f32]) -> &'a [f32] {
        match f.needs() {
            Needs::Nothing => &[],
            Needs::Input => x,
            Needs::Output => y,
        }
    }

    #[test]
    fn values_and_gradients_at_any_length() {
        at_every_level(|level| {
            for f in ALL {
                for len in [0, 1, 7, 16, 17, 33, 100] {
                    let x: Vec<f32> =
                        (0..len).map(|i| 3.1 * (i as f32 * 1.7 + 0.3).sin()).collect();
                    let g: Vec<f32> = (0..len).map(|i| (i as f32 * 0.9).cos()).collect();
                    let y = forward(f, &x);
                    let dx = backward(f, from(f, &x, &y), &g);
                    assert_eq!((y.len(), dx.len()), (len, len));
                    for i in 0..len {
                        let (x, h) = (f64::from(x[i]), 1e-5);
                        let value = exact(f, x);
                        let slope = (exact(f, x + h) - exact(f, x - h)) / (2.0 * h);
                        let (a, b) = (f64::from(y[i]), f64::from(dx[i]));
                        let bound = 5e-7 * (1.0 + value.abs());
                        assert!((a - value).abs() < bound, "{level:?} {f:?} {x}: {a}, {value}");
                        let expected = slope * f64::from(g[i]);
                        let bound = 2e-6 * (1.0 + slope.abs());
                        assert!(
                            (b - expected).abs() < bound,
                            "{level:?} {f:?} {x}: {b}, {expected}"
                        );
                    }
                }
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_alone_and_infinities_go_to_the_limits() {
        at_every_level(|level| {
            for f in ALL {
                let mut x = [0.5f32; 19];
                x[3] = f32::NAN;
                x[18] = f32::NAN;
                let y = forward(f, &x);
                let dx = backward(f, from(f, &x, &y), &[1.0; 19]);
                for i in 0..19 {
                    assert_eq!(y[i].is_nan(), i == 3 || i == 18, "{level:?} {f:?} {i}");
                    assert!(
                        dx[i].is_nan()
                            || i != 3
                            || matches!(f.needs(), Needs::Nothing)
                            || matches!(f, Activation::Relu | Activation::LeakyRelu(_))
                    );
                }
            }
            for f in [Activation::Gelu, Activation::Silu, Activation::Relu] {
                let x = [f32::NEG_INFINITY, f32::INFINITY];
                let y = forward(f, &x);
                assert_eq!((y[0].abs(), y[1]), (0.0, f32::INFINITY), "{level:?} {f:?}");
                assert_eq!(backward(f, from(f, &x, &y), &[1.0; 2])[..], [0.0, 1.0], "{f:?}");
            }
        });
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let x: Vec<f32> = (0..200_003).map(|i| (i as f32 * 0.01).sin() * 6.0).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| backward(Activation::Gelu, &x, &forward(Activation::Gelu, &x)))
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    #[should_panic(expected = "activation::backward: 1 values and 2 gradients")]
    fn lengths_must_fit() {
        backward(Activation::Tanh, &[0.0], &[1.0, 1.0]);
    }
}
