//! The function and its gradients on vectors, with a table of coefficients.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{MOST, Rational};
use crate::buffer;
use crate::simd::{Simd, vectorized};

/// Rows that are read side by side.
pub(super) const ROWS: usize = 8;
/// Fewest columns of a table of coefficients.
const COLUMNS: usize = 128;
/// Numbers of the widest vector.
const LANES: usize = 16;

/// What a block writes.
pub(super) struct Share<'a> {
    /// Empty if not wanted.
    pub(super) d_x: &'a mut [MaybeUninit<f32>],
    /// For each group the gradients of its coefficients; empty if not wanted.
    pub(super) sums: Vec<f64>,
}

/// The coefficients of each column: row `k` of `width` numbers for the coefficients of
/// degree `k`, after them those of the denominator.
///
/// A column is a channel, or, where there are few channels, a channel of one of several rows that
/// are read as one, so that vectors are full.
pub(super) struct Table {
    data: Vec<f32>,
    degrees: [usize; 2],
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Columns up to full vectors; those beyond have coefficients of 0.
    width: usize,
    channels: usize,
    groups: usize,
}

impl Table {
    pub(super) fn new(rational: &Rational<'_>) -> Self {
        let Rational { channels, groups, degrees, .. } = *rational;
        let [m, n] = degrees;
        let rows = m + 1 + n;
        let columns = if channels >= COLUMNS {
            channels
        } else {
            let full = LANES >> channels.trailing_zeros().min(LANES.trailing_zeros());
            channels * COLUMNS.div_ceil(channels).next_multiple_of(full)
        };
        let width = columns.next_multiple_of(LANES);
        let mut data = vec![0.0; rows * width];
        for (k, row) in data.chunks_exact_mut(width).enumerate() {
            let (set, k, one) = match k.checked_sub(m + 1) {
                None => (rational.numerator, k, m + 1),
                Some(k) => (rational.denominator, k, n),
            };
            for (group, part) in row[..channels].chunks_exact_mut(channels / groups).enumerate() {
                part.fill(set[if set.len() == one { k } else { group * one + k }]);
            }
            let mut filled = channels;
            while filled < columns {
                let more = filled.min(columns - filled);
                row.copy_within(..more, filled);
                filled += more;
            }
        }
        Self { data, degrees, rows, columns, width, channels, groups }
    }

    /// Where a vector from column `v` on is in numbers of `len`; empty beyond their end.
    #[inline(always)]
    fn place<S: Simd>(&self, row: usize, v: usize, len: usize) -> Range<usize> {
        let at = row * self.columns + v;
        at..(at + S::LANES.min(self.columns - v)).min(len)
    }

    /// The gradients of a block of rows.
    pub(super) fn block(&self, x: &[f32], d_y: &[f32], share: &mut Share<'_>) {
        if share.sums.is_empty() {
            return backward(self, x, d_y, share.d_x, &mut []);
        }
        buffer::scratch(self.data.len(), |sums| {
            sums.fill(MaybeUninit::new(0.0));
            // SAFETY: filled.
            let sums = unsafe { buffer::as_written_mut(sums) };
            backward(self, x, d_y, share.d_x, sums);
            let of_group = self.channels / self.groups;
            for (k, row) in sums.chunks_exact(self.width).enumerate() {
                for (at, part) in row[..self.columns].chunks_exact(of_group).enumerate() {
                    share.sums[at % self.groups * self.rows + k] += sum(part);
                }
            }
        });
    }
}

/// The sum in double precision.
fn sum(x: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (full, rest) = x.as_chunks::<8>();
    for x in full {
        sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    sums.into_iter().sum::<f64>() + rest.iter().copied().map(f64::from).sum::<f64>()
}

/// Calls `$f` with the degrees as constants where they are those of the paper.
macro_rules! by_degrees {
    ($degrees:expr, $f:ident($($arg:expr),*)) => {
        match $degrees {
            [5, 4] => $f::<S, 6, 4>($($arg),*),
            _ => $f::<S, { MOST + 1 }, MOST>($($arg),*),
        }
    };
}

vectorized! {
    /// Whole rows of the table, but for the last.
    pub(super) fn forward(s; table: &Table, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        by_degrees!(table.degrees, forward_of(s, table, x, y));
    }
}

vectorized! {
    /// As [`forward`]; adds to `sums`, which are as the table, and writes `d_x`, if not empty.
    fn backward(
        s; table: &Table, x: &[f32], d_y: &[f32], d_x: &mut [MaybeUninit<f32>], sums: &mut [f32]
    ) {
        by_degrees!(table.degrees, backward_of(s, table, x, d_y, d_x, sums));
    }
}

/// A vector of each coefficient.
#[derive(Clone, Copy)]
struct Set<F, const A: usize, const B: usize> {
    a: [F; A],
    b: [F; B],
    /// How many there are.
    len: [usize; 2],
}

impl<F: Copy, const A: usize, const B: usize> Set<F, A, B> {
    /// `f` for each row of the table.
    #[inline(always)]
    fn new<S: Simd<F = F>>(s: S, table: &Table, f: impl Fn(usize) -> F) -> Self {
        let [m, n] = table.degrees;
        let len = if A == MOST + 1 { [m + 1, n] } else { [A, B] };
        let (mut a, mut b) = ([s.splat(0.0); A], [s.splat(0.0); B]);
        for (k, a) in a[..len[0]].iter_mut().enumerate() {
            *a = f(k);
        }
        for (k, b) in b[..len[1]].iter_mut().enumerate() {
            *b = f(len[0] + k);
        }
        Self { a, b, len }
    }
}

/// A polynomial and its derivative.
#[inline(always)]
fn polynomial<S: Simd>(s: S, x: S::F, c: &[S::F]) -> [S::F; 2] {
    let [lower @ .., highest] = c else { return [s.splat(0.0); 2] };
    let (mut value, mut slope) = (*highest, s.splat(0.0));
    for c in lower.iter().rev() {
        slope = s.fma(slope, x, value);
        value = s.fma(value, x, *c);
    }
    [value, slope]
}

#[inline(always)]
fn forward_of<S: Simd, const A: usize, const B: usize>(
    s: S,
    table: &Table,
    x: &[f32],
    y: &mut [MaybeUninit<f32>],
) {
    for first in (0..x.len().div_ceil(table.columns)).step_by(ROWS) {
        for v in (0..table.columns).step_by(S::LANES) {
            let set =
                Set::<S::F, A, B>::new(s, table, |k| s.load(&table.data[k * table.width + v..]));
            for row in first..first + ROWS {
                let place = table.place::<S>(row, v, x.len());
                if place.is_empty() {
                    break;
                }
                let x = s.load_first(&x[place.clone()], 0.0);
                let [p, _] = polynomial(s, x, &set.a[..set.len[0]]);
                let [b, _] = polynomial(s, x, &set.b[..set.len[1]]);
                let q = s.add(s.splat(1.0), s.abs(s.mul(b, x)));
                s.store_first(&mut y[place], s.div(p, q));
            }
        }
    }
}

#[inline(always)]
fn backward_of<S: Simd, const A: usize, const B: usize>(
    s: S,
    table: &Table,
    x: &[f32],
    d_y: &[f32],
    d_x: &mut [MaybeUninit<f32>],
    sums: &mut [f32],
) {
    let one = s.splat(1.0);
    for first in (0..x.len().div_ceil(table.columns)).step_by(ROWS) {
        for v in (0..table.columns).step_by(S::LANES) {
            let set =
                Set::<S::F, A, B>::new(s, table, |k| s.load(&table.data[k * table.width + v..]));
            let mut sum = Set::<S::F, A, B>::new(s, table, |_| s.splat(0.0));
            for row in first..first + ROWS {
                let place = table.place::<S>(row, v, x.len());
                if place.is_empty() {
                    break;
                }
                let x = s.load_first(&x[place.clone()], 0.0);
                let d_y = s.load_first(&d_y[place.clone()], 0.0);
                let [p, d_p] = polynomial(s, x, &set.a[..set.len[0]]);
                let [b, d_b] = polynomial(s, x, &set.b[..set.len[1]]);
                let (a, d_a) = (s.mul(b, x), s.fma(d_b, x, b));
                let inverse = s.div(one, s.add(one, s.abs(a)));
                // What multiplies P' and A': dy / Q and -dy y sgn(A) / Q.
                let of_p = s.mul(d_y, inverse);
                let signed = s.mul(s.mul(of_p, s.mul(p, inverse)), s.copysign(one, a));
                let zero = s.splat(0.0);
                let of_a = s.select(s.eq(a, zero), zero, s.neg(signed));
                if !d_x.is_empty() {
                    s.store_first(&mut d_x[place], s.fma(of_a, d_a, s.mul(of_p, d_p)));
                }
                if !sums.is_empty() {
                    sum.add(s, x, of_p, of_a);
                }
            }
            if !sums.is_empty() {
                sum.add_to(s, &mut sums[v..], table.width);
            }
        }
    }
}

impl<F: Copy, const A: usize, const B: usize> Set<F, A, B> {
    /// Adds `of_p x^k` for each k of a, and `of_a x^k` for each of b.
    #[inline(always)]
    fn add<S: Simd<F = F>>(&mut self, s: S, x: F, of_p: F, of_a: F) {
        let [len_a, len_b] = self.len;
        self.a[0] = s.add(self.a[0], of_p);
        let mut power = x;
        for k in 1..len_a.max(len_b + 1) {
            if k < len_a {
                self.a[k] = s.fma(of_p, power, self.a[k]);
            }
            if k <= len_b {
                self.b[k - 1] = s.fma(of_a, power, self.b[k - 1]);
            }
            power = s.mul(power, x);
        }
    }

    /// Adds to a column of a table, whose rows are `width` apart.
    #[inline(always)]
    fn add_to<S: Simd<F = F>>(&self, s: S, table: &mut [f32], width: usize) {
        let [len_a, len_b] = self.len;
        for (k, sum) in self.a[..len_a].iter().chain(&self.b[..len_b]).enumerate() {
            let to = &mut table[k * width..][..S::LANES];
            let new = s.add(s.load(to), *sum);
            s.store(buffer::as_uninit(to), new);
        }
    }
}
