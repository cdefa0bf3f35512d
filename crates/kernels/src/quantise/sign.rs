//! Two values.

use std::mem::MaybeUninit;

use super::{Scale, Step, by_parts, expect, rows_of};
use crate::simd::{Simd, fold, map, vectorized};
use crate::{buffer, par};

/// What the signs are multiplied by: 1 or a mean of magnitudes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleBy {
    /// 1.
    One,
    /// The mean of all magnitudes.
    Whole,
    /// That of each row.
    Rows,
    /// That of each column.
    Columns,
}

/// The sign of each number, times a mean of magnitudes.
///
/// ```text
/// q(x) = alpha sgn(x),  alpha = 1, or the mean of |x| over all, the row or the column
///
/// sgn(x) = 1 where x >= 0, -1 else
/// ```
///
/// 0 and -0 become `alpha`: there are two values. NaN stays NaN, and is in the means.
///
/// # Source
/// Rastegari et al., "XNOR-Net", arXiv:1603.05279, section 3.1: this `alpha` makes the error
/// smallest. Whole matrices: Wang et al., `BitNet`, arXiv:2310.11453, without its centring.
///
/// # Example
/// ```
/// use pressrun_kernels::quantise::{ScaleBy, Sign};
///
/// let q = Sign { scale_by: ScaleBy::Rows, window: 1.0, through_scale: false };
/// let signs = q.forward(&[0.5, -1.5, 0.0, 4.0], 2);
/// assert_eq!(signs.scale, [1.0, 2.0]);
/// assert_eq!(signs.output, [1.0, -1.0, 2.0, 2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// Which mean.
    pub scale_by: ScaleBy,
    /// Magnitude up to which the gradient passes, 1 in the papers.
    pub window: f32,
    /// Whether it also passes through the mean.
    pub through_scale: bool,
}

/// What [`Sign::forward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Signs {
    /// `[rows, cols]`.
    pub output: Vec<f32>,
    /// What the signs were multiplied by: `[1]`, `[rows]` or `[cols]`.
    pub scale: Vec<f32>,
}

impl Sign {
    /// Every number quantised.
    ///
    /// # Shapes
    /// - `x`, output: `[rows, cols]`
    ///
    /// # Panics
    /// If the length is wrong.
    ///
    /// # Example
    /// See [`Sign`].
    pub fn forward(&self, x: &[f32], cols: usize) -> Signs {
        let rows = rows_of("Sign::forward", x.len(), cols);
        let scale = match self.scale_by {
            ScaleBy::One => vec![1.0],
            _ => self.means(x, x, [rows, cols]),
        };
        let by = self.as_scale(&scale);
        let output = by_parts(x.len(), cols, by, |range, row, y| match by.at(row) {
            Step::Same(scale) => signs(&x[range], scale, y),
            Step::Each(scales) => signs_each(&x[range], scales, y),
        });
        Signs { output, scale }
    }

    /// The straight-through gradient.
    ///
    /// ```text
    /// dL/dx = alpha dL/dy where |x| <= window, else 0
    ///         + sgn(x) / n sum of dL/dy sgn(x)            with `through_scale`
    ///
    /// n, sum: number of, and sum over, the numbers that share alpha
    /// ```
    ///
    /// # Shapes
    /// - `x`, `d_output`, output: `[rows, cols]`; `scale`: what [`Sign::forward`] gave
    ///
    /// # Panics
    /// If a length is wrong.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::quantise::{ScaleBy, Sign};
    ///
    /// let q = Sign { scale_by: ScaleBy::Rows, window: 1.0, through_scale: false };
    /// assert_eq!(q.backward(&[0.5, -1.5], &[1.0], &[3.0, 4.0], 2), [3.0, 0.0]);
    /// let q = Sign { through_scale: true, ..q };
    /// assert_eq!(q.backward(&[0.5, -1.5], &[1.0], &[3.0, 4.0], 2), [2.5, 0.5]);
    /// ```
    pub fn backward(&self, x: &[f32], scale: &[f32], d_output: &[f32], cols: usize) -> Vec<f32> {
        const NAME: &str = "Sign::backward";
        let rows = rows_of(NAME, x.len(), cols);
        expect(NAME, "d_output", d_output.len(), x.len());
        let scales = match self.scale_by {
            ScaleBy::One | ScaleBy::Whole => 1,
            ScaleBy::Rows => rows,
            ScaleBy::Columns => cols,
        };
        expect(NAME, "scale", scale.len(), scales);
        let means = match self.scale_by {
            ScaleBy::One => vec![0.0],
            _ if self.through_scale => self.means(x, d_output, [rows, cols]),
            _ => vec![0.0; scales],
        };
        let (by, through, window) = (self.as_scale(scale), self.as_scale(&means), self.window);
        by_parts(x.len(), cols, by, |range, row, d_x| {
            let (x, d_y) = (&x[range.clone()], &d_output[range]);
            match (by.at(row), through.at(row)) {
                (Step::Each(by), Step::Each(through)) => {
                    pass_each(x, d_y, by, through, window, d_x);
                }
                (Step::Same(by), Step::Same(through)) => pass(x, d_y, by, through, window, d_x),
                _ => unreachable!("both are of one kind"),
            }
        })
    }

    fn as_scale<'a>(&self, scale: &'a [f32]) -> Scale<'a> {
        match self.scale_by {
            ScaleBy::One | ScaleBy::Whole => Scale::One(scale[0]),
            ScaleBy::Rows => Scale::Rows(scale),
            ScaleBy::Columns => Scale::Columns(scale),
        }
    }

    /// Means of `a sgn(x)`, which for `a = x` is the magnitude.
    fn means(&self, x: &[f32], a: &[f32], [rows, cols]: [usize; 2]) -> Vec<f32> {
        match self.scale_by {
            ScaleBy::One | ScaleBy::Whole => {
                let piece = 1 << 14;
                let pieces = made(x.len().div_ceil(piece), piece, |range, sums| {
                    for (sum, piece_of) in sums.iter_mut().zip(range) {
                        let at = piece_of * piece..x.len().min((piece_of + 1) * piece);
                        sum.write(signed_sum(&x[at.clone()], &a[at]));
                    }
                });
                let sum: f64 = pieces.into_iter().map(f64::from).sum();
                vec![if x.is_empty() { 0.0 } else { (sum / x.len() as f64) as f32 }]
            }
            ScaleBy::Rows => made(rows, cols, |range, means| {
                for (mean, row) in means.iter_mut().zip(range) {
                    let at = row * cols..(row + 1) * cols;
                    mean.write(signed_sum(&x[at.clone()], &a[at]) / cols as f32);
                }
            }),
            ScaleBy::Columns => made(cols, rows, |range, means| {
                signed_column_means(x, a, rows, cols, range.start, means);
            }),
        }
    }
}

/// `count` numbers, each of `size` others.
fn made(
    count: usize,
    size: usize,
    f: impl Fn(std::ops::Range<usize>, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    // SAFETY: `f` writes all of its part.
    unsafe {
        buffer::written(count, |out| {
            let outs = [par::Rows { data: out, width: 1 }];
            par::for_rows(count, 16, count * size / 8, outs, |range, [out]| f(range, out));
        })
    }
}

/// 1, -1 below 0, NaN for NaN.
#[inline(always)]
fn sgn<S: Simd>(s: S, x: S::F) -> S::F {
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    s.select(s.lt(x, zero), s.splat(-1.0), s.select(s.le(zero, x), one, x))
}

vectorized! {
    /// The sum of `a sgn(x)`, blocks of it in double precision.
    fn signed_sum(s; x: &[f32], a: &[f32]) -> f32 {
        let mut sum = 0.0f64;
        for (x, a) in x.chunks(4096).zip(a.chunks(4096)) {
            let zero = s.splat(0.0);
            let [part] = fold(s, [x, a], [0.0; 2], [zero], |[sum], [x, a]| [s.fma(a, sgn(s, x), sum)]);
            sum += f64::from(s.sum(part));
        }
        sum as f32
    }
}

vectorized! {
    /// The mean of `a sgn(x)` in columns from `first` on.
    fn signed_column_means(
        s; x: &[f32], a: &[f32], rows: usize, cols: usize, first: usize,
        means: &mut [MaybeUninit<f32>]
    ) {
        for (v, means) in means.chunks_mut(S::LANES).enumerate() {
            let first = first + v * S::LANES;
            let columns = first..first + means.len();
            let mut total = s.splat(0.0);
            for (x, a) in x.chunks(256 * cols).zip(a.chunks(256 * cols)) {
                let mut sum = s.splat(0.0);
                for (x, a) in x.chunks_exact(cols).zip(a.chunks_exact(cols)) {
                    let x = s.load_first(&x[columns.clone()], 0.0);
                    sum = s.fma(s.load_first(&a[columns.clone()], 0.0), sgn(s, x), sum);
                }
                total = s.add(total, sum);
            }
            s.store_first(means, s.div(total, s.splat(rows.max(1) as f32)));
        }
    }
}

vectorized! {
    fn signs(s; x: &[f32], scale: f32, y: &mut [MaybeUninit<f32>]) {
        let scale = s.splat(scale);
        map(s, [x], [y], |[x]| [s.mul(scale, sgn(s, x))]);
    }
}

vectorized! {
    fn signs_each(s; x: &[f32], scales: &[f32], y: &mut [MaybeUninit<f32>]) {
        map(s, [x, scales], [y], |[x, scale]| [s.mul(scale, sgn(s, x))]);
    }
}

/// The gradient of a vector; `through` is the mean that comes through the scale.
#[inline(always)]
fn gradient<S: Simd>(s: S, x: S::F, d_y: S::F, scale: S::F, through: S::F, window: S::F) -> S::F {
    let sgn = sgn(s, x);
    let straight = s.select(s.le(s.abs(x), window), s.mul(scale, d_y), s.splat(0.0));
    s.fma(sgn, through, straight)
}

vectorized! {
    fn pass(
        s; x: &[f32], d_y: &[f32], scale: f32, through: f32, window: f32,
        d_x: &mut [MaybeUninit<f32>]
    ) {
        let (scale, through, window) = (s.splat(scale), s.splat(through), s.splat(window));
        map(s, [x, d_y], [d_x], |[x, d_y]| [gradient(s, x, d_y, scale, through, window)]);
    }
}

vectorized! {
    fn pass_each(
        s; x: &[f32], d_y: &[f32], scales: &[f32], through: &[f32], window: f32,
        d_x: &mut [MaybeUninit<f32>]
    ) {
        let window = s.splat(window);
        map(s, [x, d_y, scales, through], [d_x], |[x, d_y, scale, through]| {
            [gradient(s, x, d_y, scale, through, window)]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{same_with_any_threads, wave};
    use super::*;
    use crate::simd::level::at_every_level;

    const ALL: [ScaleBy; 4] = [ScaleBy::One, ScaleBy::Whole, ScaleBy::Rows, ScaleBy::Columns];

    /// Which numbers share the scale of number `at`.
    fn shares(by: ScaleBy, at: usize, other: usize, cols: usize) -> bool {
        match by {
            ScaleBy::One | ScaleBy::Whole => true,
            ScaleBy::Rows => at / cols == other / cols,
            ScaleBy::Columns => at % cols == other % cols,
        }
    }

    fn check(rows: usize, cols: usize, scale_by: ScaleBy, through_scale: bool) {
        let mut x: Vec<f32> = wave(rows * cols, 1).iter().map(|x| 2.0 * x).collect();
        for (at, x) in x.iter_mut().enumerate() {
            *x = [*x, 0.0, 1.0, -0.0, -1.0, *x, *x][at % 7];
        }
        let d_y = wave(rows * cols, 2);
        let q = Sign { scale_by, window: 1.0, through_scale };
        let Signs { output, scale } = q.forward(&x, cols);
        let d_x = q.backward(&x, &scale, &d_y, cols);
        assert_eq!((output.len(), d_x.len()), (x.len(), x.len()));
        let sgn = |x: f32| if x >= 0.0 { 1.0 } else { -1.0 };
        for at in 0..x.len() {
            let same = || (0..x.len()).filter(|other| shares(scale_by, at, *other, cols));
            let n = same().count() as f64;
            let mean = |f: &dyn Fn(usize) -> f64| same().map(f).sum::<f64>() / n;
            let (mut scale, mut through) = (1.0, 0.0);
            if scale_by != ScaleBy::One {
                scale = mean(&|i| f64::from(x[i].abs()));
                if through_scale {
                    through = mean(&|i| f64::from(d_y[i]) * sgn(x[i]));
                }
            }
            let name = format!("{rows} x {cols} {q:?} {at}");
            assert!((f64::from(output[at]) - scale * sgn(x[at])).abs() < 1e-6, "{name}");
            let straight = if x[at].abs() <= 1.0 { scale * f64::from(d_y[at]) } else { 0.0 };
            let e = straight + through * sgn(x[at]);
            assert!((f64::from(d_x[at]) - e).abs() < 2e-6, "{name}: {} for {e}", d_x[at]);
        }
    }

    #[test]
    fn equals_the_definition() {
        at_every_level(|_| {
            for (rows, cols) in [(0, 3), (3, 0), (1, 1), (5, 17), (33, 7)] {
                for (by, through) in ALL.into_iter().flat_map(|by| [(by, false), (by, true)]) {
                    check(rows, cols, by, through);
                }
            }
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_group() {
        at_every_level(|_| {
            for by in ALL {
                let mut x = wave(5 * 20, 1);
                x[2 * 20 + 3] = f32::NAN;
                x[3 * 20 + 4] = f32::INFINITY;
                let q = Sign { scale_by: by, window: 1.0, through_scale: true };
                let signs = q.forward(&x, 20);
                let d_x = q.backward(&x, &signs.scale, &vec![1.0; 100], 20);
                assert!(signs.output[43].is_nan() && d_x[43].is_nan());
                for at in 0..100 {
                    let bad = match by {
                        ScaleBy::One => at == 43,
                        _ => shares(by, at, 43, 20),
                    };
                    assert_eq!(signs.output[at].is_nan(), bad, "{by:?} {at}");
                }
                if by == ScaleBy::Rows {
                    assert_eq!(signs.scale[3], f32::INFINITY);
                }
            }
        });
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (x, d_y) = (wave(700 * 701, 1), wave(700 * 701, 2));
        at_every_level(|_| {
            for scale_by in ALL {
                let q = Sign { scale_by, window: 1.0, through_scale: true };
                same_with_any_threads(|| {
                    let signs = q.forward(&x, 701);
                    (q.backward(&x, &signs.scale, &d_y, 701), signs)
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "Sign::backward: scale has 1 numbers, expected 2")]
    fn lengths_must_fit() {
        let q = Sign { scale_by: ScaleBy::Rows, window: 1.0, through_scale: false };
        q.backward(&[0.0; 4], &[1.0], &[0.0; 4], 2);
    }
}
