//! Rational functions with coefficients that channels share in groups.

mod table;

use std::sync::Mutex;

use self::table::{ROWS, Share, Table};
use super::layer::expect;
use crate::{buffer, par};

/// The highest degree of a polynomial.
const MOST: usize = 15;
/// Numbers of a block, whose sums of gradients are single-precision.
const BLOCK: usize = 1 << 16;

/// Rational functions of groups of channels.
///
/// ```text
/// y = (a_0 + a_1 x + .. + a_m x^m) / (1 + |b_1 x + .. + b_n x^n|)
///
/// a, b: coefficients of the channel's group
/// ```
///
/// The absolute value keeps the denominator from being 0. Channels of a group are neighbours.
///
/// # Shapes
/// - `numerator`: `[groups, m + 1]`, or `[1, m + 1]` for all groups
/// - `denominator`: `[groups, n]`, or `[1, n]` for all groups
///
/// # Source
/// Yang & Wang, "Kolmogorov-Arnold Transformer", arXiv:2409.10594, where
/// m = 5 and n = 4; the safe Padé activation unit of Molina et al., arXiv:1907.06732.
///
/// # Example
/// ```
/// use pressrun_kernels::kan::rational::Rational;
///
/// // x / (1 + |x|)
/// let r = Rational { channels: 2, groups: 1, numerator: &[0.0, 1.0], denominator: &[1.0], degrees: [1, 1] };
/// assert_eq!(r.forward(&[1.0, -3.0]), [0.5, -0.75]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Rational<'a> {
    /// Numbers of a row.
    pub channels: usize,
    /// Groups of them, all of the same size.
    pub groups: usize,
    /// Coefficients a.
    pub numerator: &'a [f32],
    /// Coefficients b.
    pub denominator: &'a [f32],
    /// Degrees m and n, at most 15.
    pub degrees: [usize; 2],
}

/// Which gradients are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the input.
    pub input: bool,
    /// Of the coefficients, of numerator and denominator.
    pub coefficients: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { input: true, coefficients: true };
}

/// The gradients that were wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    /// `[rows, channels]`.
    pub input: Option<Vec<f32>>,
    /// As the coefficients a.
    pub numerator: Option<Vec<f32>>,
    /// As the coefficients b.
    pub denominator: Option<Vec<f32>>,
}

impl Rational<'_> {
    /// The function of every number of `x`.
    ///
    /// # Shapes
    /// - `x`: `[rows, channels]`
    /// - output: `[rows, channels]`
    ///
    /// # Panics
    /// If a length is wrong, a degree above 15, or the groups do not divide the channels.
    ///
    /// # Example
    /// See [`Rational`].
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.check("Rational::forward", x);
        let table = Table::new(self);
        // SAFETY: every row is written.
        unsafe {
            buffer::written(x.len(), |y| {
                let blocks = [par::Rows { data: y, width: 1 }];
                let step = table.columns * ROWS;
                par::for_rows(x.len(), step, x.len() / 2, blocks, |range, [y]| {
                    table::forward(&table, &x[range], y);
                });
            })
        }
    }

    /// The gradients that are wanted, from `d_output`, that of the output.
    ///
    /// ```text
    /// y = P / Q,  Q = 1 + |A|,  sgn(0) = 0
    /// dL/dx   = dL/dy (P' - y sgn(A) A') / Q
    /// dL/da_k = sum of dL/dy x^k / Q
    /// dL/db_k = -sum of dL/dy y sgn(A) x^k / Q
    /// ```
    ///
    /// The sums run over all rows and the channels that share the coefficient: 8 rows and then
    /// blocks of about 65,000 numbers in single precision, the blocks in double.
    ///
    /// # Shapes
    /// - `x`, `d_output`: `[rows, channels]`
    ///
    /// # Panics
    /// As [`Rational::forward`].
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::kan::rational::{Rational, Wanted};
    ///
    /// let r = Rational { channels: 1, groups: 1, numerator: &[0.0, 1.0], denominator: &[1.0], degrees: [1, 1] };
    /// let g = r.backward(&[1.0], &[4.0], Wanted::ALL);
    /// assert_eq!(g.input.unwrap(), [1.0]);
    /// assert_eq!(g.numerator.unwrap(), [2.0, 2.0]);
    /// assert_eq!(g.denominator.unwrap(), [-1.0]);
    /// ```
    pub fn backward(&self, x: &[f32], d_output: &[f32], wanted: Wanted) -> Gradients {
        const NAME: &str = "Rational::backward";
        self.check(NAME, x);
        expect(NAME, "d_output", d_output.len(), x.len());
        if !(wanted.input || wanted.coefficients) {
            return Gradients::default();
        }
        let table = Table::new(self);
        let of_block = (BLOCK / table.columns).max(1) * table.columns;
        let blocks = x.len().div_ceil(of_block);
        let sums = if wanted.coefficients { self.groups * table.rows } else { 0 };
        let mut total = vec![0.0; sums];
        let d_len = if wanted.input { x.len() } else { 0 };
        // SAFETY: the blocks write all of it.
        let [d_x] = unsafe {
            buffer::written_all([d_len], |[mut d_x]| {
                let mut share = || {
                    let len = d_x.len().min(of_block);
                    let d_x = d_x.split_off_mut(..len).expect("no more than there is");
                    Mutex::new(Share { d_x, sums: vec![0.0; sums] })
                };
                let shares: Vec<_> = (0..blocks).map(|_| share()).collect();
                par::for_ranges(blocks, x.len(), |range| {
                    for block in range {
                        let at = block * of_block..x.len().min((block + 1) * of_block);
                        // Each is locked once; the lock only hands it to the thread.
                        let mut share = shares[block].lock().expect("no block panics");
                        table.block(&x[at.clone()], &d_output[at], &mut share);
                    }
                });
                for share in shares {
                    let sums = share.into_inner().expect("no block panics").sums;
                    total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                }
            })
        };
        let [numerator, denominator] = self.gradients(&total);
        Gradients {
            input: wanted.input.then_some(d_x),
            numerator: wanted.coefficients.then_some(numerator),
            denominator: wanted.coefficients.then_some(denominator),
        }
    }

    fn check(&self, function: &str, x: &[f32]) {
        let Self { channels, groups, degrees: [m, n], .. } = *self;
        assert!(m.max(n) <= MOST, "{function}: degrees {m} and {n}, expected at most {MOST}");
        assert!(
            groups > 0 && channels > 0 && channels.is_multiple_of(groups),
            "{function}: {channels} channels in {groups} groups"
        );
        assert!(
            x.len().is_multiple_of(channels),
            "{function}: x has {} numbers, expected rows of {channels}",
            x.len()
        );
        let sets = |what: &str, len: usize, one: usize| {
            assert!(
                len == one || len == groups * one,
                "{function}: {what} has {len} numbers, expected {one} or {}",
                groups * one
            );
        };
        sets("numerator", self.numerator.len(), m + 1);
        sets("denominator", self.denominator.len(), n);
    }

    /// Gradients of the coefficients from sums for each group.
    fn gradients(&self, total: &[f64]) -> [Vec<f32>; 2] {
        let [m, n] = self.degrees;
        let mut a = vec![0.0; self.numerator.len()];
        let mut b = vec![0.0; self.denominator.len()];
        for (group, sums) in total.chunks_exact(m + 1 + n).enumerate() {
            let (of_a, of_b) = sums.split_at(m + 1);
            for (to, of) in [(&mut a, of_a), (&mut b, of_b)] {
                let first = if to.len() == of.len() { 0 } else { group * of.len() };
                to[first..].iter_mut().zip(of).for_each(|(to, sum)| *to += sum);
            }
        }
        [a, b].map(|of| of.into_iter().map(|sum: f64| sum as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    /// y, dy/dx, and dy by each a and b.
    fn definition(a: &[f32], b: &[f32], x: f64) -> (f64, f64, Vec<f64>, Vec<f64>) {
        let (a, b) = (a.iter().map(|a| f64::from(*a)), b.iter().map(|b| f64::from(*b)));
        let p: f64 = a.clone().enumerate().map(|(k, a)| a * x.powi(k as i32)).sum();
        let d_p: f64 =
            a.clone().enumerate().skip(1).map(|(k, a)| a * k as f64 * x.powi(k as i32 - 1)).sum();
        let inner: f64 = b.clone().enumerate().map(|(k, b)| b * x.powi(k as i32 + 1)).sum();
        let d_inner: f64 =
            b.clone().enumerate().map(|(k, b)| b * (k + 1) as f64 * x.powi(k as i32)).sum();
        let q = 1.0 + inner.abs();
        let sign = if inner == 0.0 { 0.0 } else { inner.signum() };
        let of_a = -p * sign / (q * q);
        let by_a = (0..a.len()).map(|k| x.powi(k as i32) / q).collect();
        let by_b = (0..b.len()).map(|k| of_a * x.powi(k as i32 + 1)).collect();
        (p / q, d_p / q + of_a * d_inner, by_a, by_b)
    }

    fn check(rows: usize, channels: usize, groups: usize, [m, n]: [usize; 2], shared: [bool; 2]) {
        let sets = |shared: bool| if shared { 1 } else { groups };
        let numerator = wave(sets(shared[0]) * (m + 1), 1);
        let denominator = wave(sets(shared[1]) * n, 2);
        let mut x: Vec<f32> = wave(rows * channels, 3).iter().map(|x| 2.0 * x).collect();
        if let Some(x) = x.get_mut(5) {
            *x = 0.0;
        }
        let d_y = wave(rows * channels, 4);
        let (mut y, mut d_x) = (Vec::new(), Vec::new());
        let (mut d_a, mut d_b) = (vec![0.0; numerator.len()], vec![0.0; denominator.len()]);
        for (at, (x, d)) in x.iter().zip(&d_y).enumerate() {
            let group = at % channels / (channels / groups);
            let (of_a, of_b) = (group % sets(shared[0]) * (m + 1), group % sets(shared[1]) * n);
            let (a, b) = (&numerator[of_a..of_a + m + 1], &denominator[of_b..of_b + n]);
            let (value, slope, by_a, by_b) = definition(a, b, (*x).into());
            let d = f64::from(*d);
            y.push(value);
            d_x.push(slope * d);
            d_a[of_a..].iter_mut().zip(by_a).for_each(|(to, by)| *to += d * by);
            d_b[of_b..].iter_mut().zip(by_b).for_each(|(to, by)| *to += d * by);
        }
        let (numerator, denominator) = (&numerator[..], &denominator[..]);
        let r = Rational { channels, groups, numerator, denominator, degrees: [m, n] };
        let name = format!("{rows} x {channels}, {groups}, {m} / {n}");
        close(&name, &r.forward(&x), &y, 2e-6);
        let g = r.backward(&x, &d_y, Wanted::ALL);
        close(&name, g.input.as_ref().unwrap(), &d_x, 4e-6);
        close(&name, g.numerator.as_ref().unwrap(), &d_a, 1e-5);
        close(&name, g.denominator.as_ref().unwrap(), &d_b, 1e-5);
        for (input, coefficients) in [(false, false), (true, false), (false, true)] {
            let part = r.backward(&x, &d_y, Wanted { input, coefficients });
            assert_eq!(part.input, g.input.clone().filter(|_| input));
            assert_eq!(part.numerator, g.numerator.clone().filter(|_| coefficients));
            assert_eq!(part.denominator, g.denominator.clone().filter(|_| coefficients));
        }
    }

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for (rows, channels, groups) in [
                (1, 1, 1),
                (40, 7, 7),
                (17, 33, 3),
                (9, 160, 8),
                (19, 136, 2),
                (600, 12, 4),
                (0, 4, 2),
            ] {
                check(rows, channels, groups, [5, 4], [false, false]);
                check(rows, channels, groups, [3, 2], [true, false]);
            }
            for degrees in [[0, 0], [1, 3], [7, 6], [2, 0]] {
                check(50, 6, 2, degrees, [false, true]);
            }
            // More than one block.
            check(2000, 40, 4, [5, 4], [true, false]);
        });
    }

    #[test]
    fn sums_over_many_numbers_keep_their_digits() {
        let len = if cfg!(miri) { 1000 } else { 3_000_000 };
        // Of one sign, so that the sum grows and small terms would be lost.
        let x: Vec<f32> = wave(len, 1).iter().map(|x| 0.6 + 0.5 * x).collect();
        let d_y = vec![1.0; len];
        let (a, b) = ([0.1, 0.2, 0.3, 0.1, 0.2, 0.1], [0.3, 0.2, 0.1, 0.3]);
        let (mut d_a, mut d_b) = (vec![0.0; 6], vec![0.0; 4]);
        for x in &x {
            let (_, _, by_a, by_b) = definition(&a, &b, (*x).into());
            d_a.iter_mut().zip(by_a).for_each(|(to, by)| *to += by);
            d_b.iter_mut().zip(by_b).for_each(|(to, by)| *to += by);
        }
        let r =
            Rational { channels: 1, groups: 1, numerator: &a, denominator: &b, degrees: [5, 4] };
        at_every_level(|level| {
            let g = r.backward(&x, &d_y, Wanted { input: false, coefficients: true });
            let got = g.numerator.unwrap().into_iter().chain(g.denominator.unwrap());
            for (got, e) in got.zip(d_a.iter().chain(&d_b)) {
                let error = (f64::from(got) / e - 1.0).abs();
                assert!(error < 2e-7, "{level:?}: {got}, expected {e}, error {error}");
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_where_it_is() {
        at_every_level(|_| {
            let mut x = wave(60, 1);
            x[7] = f32::NAN;
            let (a, b) = (wave(6, 2), wave(4, 3));
            let r = Rational {
                channels: 3,
                groups: 1,
                numerator: &a,
                denominator: &b,
                degrees: [5, 4],
            };
            let d_x = r.backward(&x, &wave(60, 4), Wanted::ALL).input.unwrap();
            for (at, (y, d)) in r.forward(&x).iter().zip(d_x).enumerate() {
                assert_eq!((y.is_nan(), d.is_nan()), (at == 7, at == 7));
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (a, b) = (wave(4 * 6, 1), wave(4 * 4, 2));
        let r =
            Rational { channels: 40, groups: 4, numerator: &a, denominator: &b, degrees: [5, 4] };
        let (x, d_y) = (wave(5000 * 40, 3), wave(5000 * 40, 4));
        at_every_level(|_| {
            same_with_any_threads(|| r.forward(&x));
            same_with_any_threads(|| r.backward(&x, &d_y, Wanted::ALL));
        });
    }

    #[test]
    #[should_panic(expected = "Rational::forward: numerator has 5 numbers, expected 6 or 12")]
    fn lengths_must_fit() {
        let (numerator, denominator) = (&[0.0; 5][..], &[0.0; 4][..]);
        Rational { channels: 4, groups: 2, numerator, denominator, degrees: [5, 4] }
            .forward(&[0.0; 4]);
    }
}
