//! Powers of two.

use std::mem::MaybeUninit;

use super::{by_pieces, expect};
use crate::simd::{Simd, map, vectorized};

/// Rounds to the nearest power of two, in the logarithm.
///
/// ```text
/// q(x) = sgn(x) 2^clip(round(log2 |x|), low, high)   where |x| >= threshold
///        0                                           else, and at 0
///
/// low, high: `exponents`
/// ```
///
/// The exponent is exact: it is taken from the bits of `x`, and goes up where the mantissa is above
/// the square root of 2. NaN stays NaN, infinity becomes `2^high`.
///
/// # Source
/// Zhou et al., "Incremental Network Quantization", arXiv:1702.03044, for weights that are powers of
/// two; rounding in the logarithm: Miyashita et al., arXiv:1603.01025.
///
/// # Example
/// ```
/// use pressrun_kernels::quantise::PowerOfTwo;
///
/// let q = PowerOfTwo { exponents: [-2, 1], threshold: 0.1 };
/// // 1.4 is below the square root of 2, 1.5 above.
/// assert_eq!(q.forward(&[1.4, -1.5, 100.0, 0.11, 0.09]), [1.0, -2.0, 2.0, 0.25, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerOfTwo {
    /// The least and the largest exponent, from -126 to 127.
    pub exponents: [i32; 2],
    /// Below this magnitude a number becomes 0.
    pub threshold: f32,
}

impl PowerOfTwo {
    /// Every number quantised.
    ///
    /// # Shapes
    /// - `x`, output: any
    ///
    /// # Panics
    /// If the exponents are not in order or outside of -126 and 127, or the threshold is negative.
    ///
    /// # Example
    /// See [`PowerOfTwo`].
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let [least, largest] = self.bounds("PowerOfTwo::forward");
        by_pieces(x.len(), 16, |range, y| quantise(&x[range], least, largest, self.threshold, y))
    }

    /// The straight-through gradient.
    ///
    /// ```text
    /// dL/dx = dL/dy where |x| <= 2^high, else 0
    /// ```
    ///
    /// What becomes 0 or is raised to `2^low` is inside of the range: it can grow back.
    ///
    /// # Shapes
    /// - `x`, `d_output`, output: the same
    ///
    /// # Panics
    /// As [`PowerOfTwo::forward`], or if the lengths differ.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::quantise::PowerOfTwo;
    ///
    /// let q = PowerOfTwo { exponents: [-2, 1], threshold: 0.1 };
    /// assert_eq!(q.backward(&[0.01, -2.0, 2.1], &[1.0, 2.0, 3.0]), [1.0, 2.0, 0.0]);
    /// ```
    pub fn backward(&self, x: &[f32], d_output: &[f32]) -> Vec<f32> {
        const NAME: &str = "PowerOfTwo::backward";
        let [_, largest] = self.bounds(NAME);
        expect(NAME, "d_output", d_output.len(), x.len());
        by_pieces(x.len(), 16, |range, d_x| {
            super::uniform::pass(&x[range.clone()], &d_output[range], largest, d_x);
        })
    }

    /// The least and the largest power.
    fn bounds(&self, function: &str) -> [f32; 2] {
        let [low, high] = self.exponents;
        assert!(
            -126 <= low && low <= high && high <= 127,
            "{function}: exponents from {low} to {high}, expected within -126 and 127"
        );
        assert!(self.threshold >= 0.0, "{function}: the threshold is {}", self.threshold);
        [low, high].map(|exponent| f32::from_bits(((exponent + 127) as u32) << 23))
    }
}

vectorized! {
    fn quantise(
        s; x: &[f32], least: f32, largest: f32, threshold: f32, y: &mut [MaybeUninit<f32>]
    ) {
        // 0 is below the smallest number, so it needs no case of its own.
        let threshold = s.splat(threshold.max(f32::from_bits(1)));
        let (least, largest, zero) = (s.splat(least), s.splat(largest), s.splat(0.0));
        map(s, [x], [y], |[x]| {
            let size = s.abs(x);
            let power = s.min(largest, s.max(least, nearest_power(s, size)));
            let y = s.select(s.lt(size, threshold), zero, s.copysign(power, x));
            [s.select(s.eq(x, x), y, x)]
        });
    }
}

/// The power of two whose logarithm is nearest to that of `x >= 0`; infinity for infinity. What is
/// subnormal gives 0 or the smallest power that is not.
#[inline(always)]
fn nearest_power<S: Simd>(s: S, x: S::F) -> S::F {
    // The square root of 2 lies between mantissas 0x3504F3 and 0x3504F4: from the latter on the sum
    // carries into the exponent. Between the exponents there is no tie, the root is irrational.
    const UP: i32 = 0x80_0000 - 0x35_04F4;
    s.with_bits(s.and_int(s.add_int(s.bits(x), UP), 0x7F80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    /// In double precision, where the logarithm of a single-precision number is never within its
    /// rounding of a tie.
    fn definition(q: PowerOfTwo, x: f32) -> f32 {
        if x.abs() < q.threshold || x == 0.0 {
            return 0.0;
        }
        let exponent = f64::from(x.abs()).log2().round() as i32;
        let exponent = exponent.clamp(q.exponents[0], q.exponents[1]);
        2f32.powi(exponent).copysign(x)
    }

    fn inputs() -> Vec<f32> {
        let root = 2f32.sqrt();
        let mut x = vec![0.0, -0.0, f32::MAX, f32::MIN_POSITIVE, 1e-40, f32::from_bits(1)];
        for exponent in -130..128 {
            let power = 2f64.powi(exponent);
            // The neighbours of the tie and of the power itself.
            for near in [root, root.next_up(), root.next_down(), 1.0, 1f32.next_up(), 1.99] {
                x.push((f64::from(near) * power) as f32);
                x.push((-f64::from(near) * power) as f32);
            }
        }
        x
    }

    #[test]
    fn every_exponent_is_rounded_exactly() {
        at_every_level(|level| {
            for q in [
                PowerOfTwo { exponents: [-126, 127], threshold: 0.0 },
                PowerOfTwo { exponents: [-4, 0], threshold: 0.03 },
                PowerOfTwo { exponents: [2, 2], threshold: 0.0 },
            ] {
                let x = inputs();
                for len in [0, 1, 7, 17, x.len()] {
                    for (x, y) in x.iter().zip(q.forward(&x[..len])) {
                        assert_eq!(y, definition(q, *x), "{level:?} {q:?} {x:e}");
                    }
                }
            }
        });
    }

    #[test]
    fn limits_and_gradients() {
        at_every_level(|_| {
            let q = PowerOfTwo { exponents: [-4, 3], threshold: 0.01 };
            let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 8.0, 8.1, -8.0, 0.0];
            let y = q.forward(&x);
            assert_eq!(y[..2], [8.0, -8.0]);
            assert!(y[2].is_nan());
            let d_x = q.backward(&x, &[5.0; 7]);
            assert_eq!(d_x[..2], [0.0; 2]);
            assert!(d_x[2].is_nan());
            assert_eq!(d_x[3..], [5.0, 0.0, 5.0, 5.0]);
        });
    }

    #[test]
    #[should_panic(expected = "PowerOfTwo::forward: exponents from 3 to 2")]
    fn exponents_must_be_in_order() {
        PowerOfTwo { exponents: [3, 2], threshold: 0.0 }.forward(&[]);
    }
}
