//! Equal steps.

use std::mem::MaybeUninit;

use super::{Scale, Step, by_parts, expect, rows_of};
use crate::simd::{map, vectorized};

/// Rounds to a multiple of a step, symmetrically around 0.
///
/// ```text
/// q(x) = s clip(round(x / s), -Q, Q),  Q = 2^(bits - 1) - 1
///
/// s: `scale`, not learned
/// ```
///
/// Halves go to the even multiple. NaN stays NaN.
///
/// # Source
/// Jacob et al., "Quantization and Training of Neural Networks", arXiv:1712.05877, in the symmetric
/// form of Nagel et al., arXiv:2106.08295, section 2.2.
///
/// # Example
/// ```
/// use pressrun_kernels::quantise::{Scale, Uniform};
///
/// let q = Uniform { bits: 3, scale: Scale::One(0.5) };
/// assert_eq!(q.forward(&[0.3, -0.2, 9.0, -1.25], 4), [0.5, 0.0, 1.5, -1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uniform<'a> {
    /// Bits of a quantised number, from 2 to 24.
    pub bits: u32,
    /// The step.
    pub scale: Scale<'a>,
}

impl Uniform<'_> {
    /// Every number quantised.
    ///
    /// # Shapes
    /// - `x`, output: `[rows, cols]`
    ///
    /// # Panics
    /// If the bits are not from 2 to 24, a length is wrong, or a step is not positive and finite.
    ///
    /// # Example
    /// See [`Uniform`].
    pub fn forward(&self, x: &[f32], cols: usize) -> Vec<f32> {
        const NAME: &str = "Uniform::forward";
        let most = self.check(NAME, x.len(), cols);
        by_parts(x.len(), cols, self.scale, |range, row, y| match self.scale.at(row) {
            Step::Same(step) => quantise(&x[range], step, most, y),
            Step::Each(steps) => quantise_each(&x[range], steps, most, y),
        })
    }

    /// The straight-through gradient.
    ///
    /// ```text
    /// dL/dx = dL/dy where |x| <= s Q, else 0
    /// ```
    ///
    /// # Shapes
    /// - `x`, `d_output`, output: `[rows, cols]`
    ///
    /// # Panics
    /// As [`Uniform::forward`].
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::quantise::{Scale, Uniform};
    ///
    /// let q = Uniform { bits: 3, scale: Scale::One(0.5) };
    /// assert_eq!(q.backward(&[0.3, 1.5, -1.6], &[1.0, 2.0, 3.0], 3), [1.0, 2.0, 0.0]);
    /// ```
    pub fn backward(&self, x: &[f32], d_output: &[f32], cols: usize) -> Vec<f32> {
        const NAME: &str = "Uniform::backward";
        let most = self.check(NAME, x.len(), cols);
        expect(NAME, "d_output", d_output.len(), x.len());
        by_parts(x.len(), cols, self.scale, |range, row, d_x| {
            let (x, d_y) = (&x[range.clone()], &d_output[range]);
            match self.scale.at(row) {
                Step::Same(step) => pass(x, d_y, step * most, d_x),
                Step::Each(steps) => pass_each(x, d_y, steps, most, d_x),
            }
        })
    }

    /// Checks everything and gives Q.
    fn check(&self, function: &str, len: usize, cols: usize) -> f32 {
        let bits = self.bits;
        assert!((2..=24).contains(&bits), "{function}: {bits} bits, expected 2 to 24");
        let rows = rows_of(function, len, cols);
        let one: [f32; 1];
        let steps = match self.scale {
            Scale::One(step) => {
                one = [step];
                &one[..]
            }
            Scale::Rows(steps) => {
                // Of rows without numbers there may be any number.
                expect(function, "scale", steps.len(), if cols == 0 { steps.len() } else { rows });
                steps
            }
            Scale::Columns(steps) => {
                expect(function, "scale", steps.len(), cols);
                steps
            }
        };
        if let Some(step) = steps.iter().find(|step| !(**step > 0.0 && step.is_finite())) {
            panic!("{function}: a step of the scale is {step}");
        }
        ((1u32 << (bits - 1)) - 1) as f32
    }
}

vectorized! {
    fn quantise(s; x: &[f32], step: f32, most: f32, y: &mut [MaybeUninit<f32>]) {
        let (step, most) = (s.splat(step), s.splat(most));
        // `whole` second, so that NaN stays.
        map(s, [x], [y], |[x]| {
            let whole = s.round(s.div(x, step));
            [s.mul(step, s.max(s.neg(most), s.min(most, whole)))]
        });
    }
}

vectorized! {
    fn quantise_each(s; x: &[f32], steps: &[f32], most: f32, y: &mut [MaybeUninit<f32>]) {
        let most = s.splat(most);
        map(s, [x, steps], [y], |[x, step]| {
            let whole = s.round(s.div(x, step));
            [s.mul(step, s.max(s.neg(most), s.min(most, whole)))]
        });
    }
}

vectorized! {
    /// The gradient where `|x| <= most`, else 0; NaN where `x` is.
    pub(super) fn pass(s; x: &[f32], d_y: &[f32], most: f32, d_x: &mut [MaybeUninit<f32>]) {
        let (most, zero) = (s.splat(most), s.splat(0.0));
        map(s, [x, d_y], [d_x], |[x, d_y]| {
            let size = s.abs(x);
            [s.select(s.le(size, most), d_y, s.select(s.eq(x, x), zero, x))]
        });
    }
}

vectorized! {
    fn pass_each(
        s; x: &[f32], d_y: &[f32], steps: &[f32], most: f32, d_x: &mut [MaybeUninit<f32>]
    ) {
        let (most, zero) = (s.splat(most), s.splat(0.0));
        map(s, [x, d_y, steps], [d_x], |[x, d_y, step]| {
            let size = s.abs(x);
            [s.select(s.le(size, s.mul(step, most)), d_y, s.select(s.eq(x, x), zero, x))]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    fn step(scale: Scale<'_>, at: usize, cols: usize) -> f64 {
        f64::from(match scale {
            Scale::One(step) => step,
            Scale::Rows(steps) => steps[at / cols],
            Scale::Columns(steps) => steps[at % cols],
        })
    }

    #[test]
    fn equals_the_definition() {
        at_every_level(|level| {
            for (rows, cols) in [(0, 3), (3, 0), (1, 1), (7, 17), (33, 7), (2, 300)] {
                let x: Vec<f32> = wave(rows * cols, 1).iter().map(|x| 4.0 * x).collect();
                let d_y = wave(rows * cols, 2);
                // Powers of two: the quotient is exact, so that halves are halves.
                let of = |len: usize| (0..len).map(|i| [0.25, 0.5, 1.0][i % 3]).collect::<Vec<_>>();
                let (by_row, by_column) = (of(rows), of(cols));
                for scale in [Scale::One(0.5), Scale::Rows(&by_row), Scale::Columns(&by_column)] {
                    for bits in [2, 3, 8, 24] {
                        let q = Uniform { bits, scale };
                        let most = f64::from((1 << (bits - 1)) - 1);
                        let (y, d_x) = (q.forward(&x, cols), q.backward(&x, &d_y, cols));
                        assert_eq!((y.len(), d_x.len()), (x.len(), x.len()));
                        for (at, x) in x.iter().enumerate() {
                            let (x, step) = (f64::from(*x), step(scale, at, cols));
                            let e = step * (x / step).round_ties_even().clamp(-most, most);
                            assert_eq!(f64::from(y[at]), e, "{level:?} {q:?} {x}");
                            let e = if x.abs() <= step * most { d_y[at] } else { 0.0 };
                            assert_eq!(d_x[at], e, "{level:?} {q:?} {x}");
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn halves_limits_and_what_is_no_number() {
        at_every_level(|_| {
            let q = Uniform { bits: 4, scale: Scale::One(2.0) };
            let x = [1.0, 3.0, -1.0, 14.0, 15.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
            let y = q.forward(&x, 8);
            assert_eq!(y[..7], [0.0, 4.0, 0.0, 14.0, 14.0, 14.0, -14.0]);
            assert!(y[7].is_nan());
            let d_x = q.backward(&x, &[1.0; 8], 8);
            assert_eq!(d_x[..7], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
            assert!(d_x[7].is_nan());
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (x, d_y, steps) = (wave(700 * 701, 1), wave(700 * 701, 2), vec![0.1; 701]);
        at_every_level(|_| {
            for scale in [Scale::One(0.1), Scale::Rows(&steps[..700]), Scale::Columns(&steps)] {
                let q = Uniform { bits: 4, scale };
                same_with_any_threads(|| (q.forward(&x, 701), q.backward(&x, &d_y, 701)));
            }
        });
    }

    #[test]
    #[should_panic(expected = "Uniform::forward: a step of the scale is 0")]
    fn steps_must_be_positive() {
        Uniform { bits: 4, scale: Scale::One(0.0) }.forward(&[1.0], 1);
    }
}
