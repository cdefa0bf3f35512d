//! Blocks, panels and threads of the product.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use super::tile::{self, Tile};
use super::{Mat, MatMut};
use crate::buffer;
use crate::par::{self, Shared};
use crate::simd::{Token, transpose, vectorized};

/// Inner length of a block: a panel of B of this many rows fits the second-level cache.
const BLOCK_K: usize = 256;
/// Rows of a block of A, which is read once for every panel.
const BLOCK_ROWS: usize = 96;
/// Rows of a thread's share begin at multiples of this, so that full tiles fit.
const ROW_STEP: usize = 24;
/// Multiplications and additions of a core in a nanosecond, roughly, for deciding about threads.
const PER_NANOSECOND: usize = 40;

/// What a product starts from, in place of zeros.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// A matrix of the result's size, whose rows are contiguous.
    pub add: Option<Mat<'a>>,
    /// A row that is added to every row.
    pub bias: Option<&'a [f32]>,
}

/// `A B`.
///
/// # Shapes
/// - `a`: `[m, k]`, `b`: `[k, n]`
/// - output: `[m, n]`
///
/// # Panics
/// If the inner sizes differ.
///
/// # Example
/// ```
/// use pressrun_kernels::matrix::{Mat, product};
///
/// let a = Mat::new(&[1.0, 2.0], 1, 2);
/// assert_eq!(product(a, Mat::new(&[3.0, 4.0], 2, 1)), [11.0]);
/// assert_eq!(product(a.t(), a), [1.0, 2.0, 2.0, 4.0]);
/// ```
pub fn product(a: Mat<'_>, b: Mat<'_>) -> Vec<f32> {
    product_from(a, b, Start::default())
}

/// `A B + D + b`.
///
/// # Panics
/// If the sizes do not fit.
pub fn product_from(a: Mat<'_>, b: Mat<'_>, start: Start<'_>) -> Vec<f32> {
    let (m, n) = (a.rows, b.cols);
    // SAFETY: `product_into` writes every element.
    unsafe { buffer::written(m * n, |c| product_into(MatMut::strided(c, [m, n], n), a, b, start)) }
}

/// `C = A B + D + b`; writes every element of C.
///
/// # Panics
/// If the sizes do not fit.
pub fn product_into(c: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, start: Start<'_>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "product: columns of A and rows of B");
    assert_eq!((c.rows, c.cols), (m, n), "product: size of C");
    if let Some(add) = start.add {
        assert!((add.rows, add.cols) == (m, n) && (add.col == 1 || n <= 1), "product: D");
    }
    assert!(start.bias.is_none_or(|bias| bias.len() == n), "product: length of the row");
    if m == 0 || n == 0 {
        return;
    }
    let token = Token::current();
    let width = panel_width(token);
    let job = Job { a, k, n, width, start, c: c.data.as_mut_ptr().cast(), c_row: c.row };
    let direct = b.col == 1 && (m <= 2 * ROW_STEP || n <= width || b.row <= 4 * width);
    if direct || k == 0 {
        job.run(token, Panels { b: b.data.as_ptr(), row: b.row, panel: width });
    } else {
        let panels = n.div_ceil(width);
        buffer::scratch(panels * width * k, |packed| {
            let rows = par::Rows { data: packed, width: width * k };
            par::for_rows(panels, 1, k * n / 2, [rows], |range, [part]| {
                for (panel, part) in range.zip(part.chunks_exact_mut(width * k)) {
                    pack(b, panel * width..n.min((panel + 1) * width), width, part);
                }
            });
            job.run(token, Panels { b: packed.as_ptr().cast(), row: width, panel: width * k });
        });
    }
}

vectorized! {
    /// Columns of a full tile.
    pub(crate) fn panel_width(s, token;) -> usize {
        let _ = s;
        S::TILE_VECTORS * S::LANES
    }
}

/// Copies columns of B to rows of `width` numbers.
pub(crate) fn pack(b: Mat<'_>, columns: Range<usize>, width: usize, to: &mut [MaybeUninit<f32>]) {
    if b.col == 1 {
        for (p, to) in to.chunks_exact_mut(width).enumerate() {
            let from = &b.data[p * b.row..][columns.clone()];
            for (to, from) in to.iter_mut().zip(from) {
                to.write(*from);
            }
        }
        return;
    }
    let (first, rows) = (columns.start * b.col, to.len() / width);
    if b.row == 1 && b.col >= rows {
        transpose(&b.data[first..], b.col, [columns.len(), rows], to, width);
        return;
    }
    // Blocks of rows, so that the lines written to stay in the first-level cache.
    const BLOCK: usize = 16;
    for (block, to) in to.chunks_mut(width * BLOCK).enumerate() {
        let (first, rows) = (block * BLOCK, to.len() / width);
        for (j, column) in columns.clone().enumerate() {
            let from = &b.data[first * b.row + column * b.col..];
            for p in 0..rows {
                to[p * width + j].write(from[p * b.row]);
            }
        }
    }
}

/// Where the panels of B are: rows of a panel `row` apart, panels `panel` apart.
#[derive(Clone, Copy)]
struct Panels {
    b: *const f32,
    row: usize,
    panel: usize,
}

/// A product whose sizes have been checked.
struct Job<'a> {
    a: Mat<'a>,
    k: usize,
    n: usize,
    width: usize,
    start: Start<'a>,
    c: *mut f32,
    c_row: usize,
}

impl Job<'_> {
    fn run(&self, token: Token, b: Panels) {
        let (m, panels) = (self.a.rows, self.n.div_ceil(self.width));
        let cost = m * self.n * self.k / PER_NANOSECOND;
        let threads = par::threads_for(cost);
        // SAFETY: threads write to different rows or columns of C, and only read the rest.
        let shared = unsafe { Shared::new((self, b)) };
        let by_rows = |range: Range<usize>| {
            let (job, b) = shared.get();
            let rows = range.start * ROW_STEP..(range.end * ROW_STEP).min(m);
            block(token, job, *b, rows, 0..panels);
        };
        let by_panels = |range: Range<usize>| {
            let (job, b) = shared.get();
            block(token, job, *b, 0..m, range);
        };
        if threads <= 1 {
            block(token, self, b, 0..m, 0..panels);
        } else if m >= threads * ROW_STEP || panels < threads {
            par::for_ranges(m.div_ceil(ROW_STEP), cost, by_rows);
        } else {
            par::for_ranges(panels, cost, by_panels);
        }
    }
}

vectorized! {
    /// Rows and panels of one thread.
    fn block(s, token; job: &Job<'_>, b: Panels, rows: Range<usize>, panels: Range<usize>) {
        debug_assert_eq!(job.width, S::TILE_VECTORS * S::LANES);
        let Job { a, n, width, start, .. } = *job;
        let null = ptr::null::<f32>();
        // An inner length of 0 still has one block, which writes what the product starts from.
        for from_k in (0..job.k.max(1)).step_by(BLOCK_K) {
            let k = BLOCK_K.min(job.k - from_k);
            for first in rows.clone().step_by(BLOCK_ROWS) {
                let count = BLOCK_ROWS.min(rows.end - first);
                for panel in panels.clone() {
                    let column = panel * width;
                    // SAFETY: `product_into` has checked the sizes, the ranges lie within them, and
                    // no other thread has the same rows and panels.
                    unsafe {
                        let c = job.c.add(first * job.c_row + column);
                        let (from, from_row) = match start.add {
                            _ if from_k > 0 => (c.cast_const(), job.c_row),
                            Some(d) => (d.data.as_ptr().add(first * d.row + column), d.row),
                            None => (null, 0),
                        };
                        let bias = match start.bias {
                            Some(bias) if from_k == 0 => bias.as_ptr().add(column),
                            _ => null,
                        };
                        let (a_row, a_col) = (a.row, a.col);
                        let part = Tile {
                            a: a.data.as_ptr().wrapping_add(first * a_row + from_k * a_col),
                            a_row,
                            a_col,
                            b: b.b.wrapping_add(panel * b.panel + from_k * b.row),
                            b_row: b.row,
                            k,
                            from,
                            from_row,
                            bias,
                            c,
                            c_row: job.c_row,
                            cols: width.min(n - column),
                        };
                        tile::rows(s, part, count);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::level::at_every_level;

    fn wave(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
    }

    /// The definition in double precision.
    fn by_definition(a: Mat<'_>, b: Mat<'_>, start: Start<'_>) -> Vec<f32> {
        let mut c = Vec::new();
        for (i, j) in (0..a.rows).flat_map(|i| (0..b.cols).map(move |j| (i, j))) {
            let mut sum = start.add.map_or(0.0, |d| f64::from(d.data[i * d.row + j]));
            sum += start.bias.map_or(0.0, |bias| f64::from(bias[j]));
            for p in 0..a.cols {
                let a = a.data[i * a.row + p * a.col];
                sum += f64::from(a) * f64::from(b.data[p * b.row + j * b.col]);
            }
            c.push(sum as f32);
        }
        c
    }

    fn check(m: usize, k: usize, n: usize, transposed: (bool, bool), extra: usize) {
        let of = |rows: usize, cols: usize, t: bool, data| {
            let (r, c) = if t { (cols, rows) } else { (rows, cols) };
            let mat = Mat::strided(data, [r, c], [c + extra, 1]);
            if t { mat.t() } else { mat }
        };
        let size = |rows: usize, cols: usize| (rows + extra) * (cols + extra) + extra;
        let (a, b) = (wave(size(m, k), 1), wave(size(k, n), 2));
        let (d, bias) = (wave(m * n, 3), wave(n, 4));
        let a = of(m, k, transposed.0, &a);
        let b = of(k, n, transposed.1, &b);
        let add = Some(Mat::new(&d, m, n));
        for start in [
            Start::default(),
            Start { add, bias: None },
            Start { add, bias: Some(&bias) },
            Start { add: None, bias: Some(&bias) },
        ] {
            let expected = by_definition(a, b, start);
            let c = product_from(a, b, start);
            let bound = 1e-6 * (k as f32 + 8.0);
            for (at, (c, e)) in c.iter().zip(&expected).enumerate() {
                assert!((c - e).abs() < bound, "{m} {k} {n} {transposed:?} {at}: {c} for {e}");
            }
        }
    }

    #[test]
    fn equals_the_definition_at_the_edges_of_tiles_and_blocks() {
        at_every_level(|_| {
            for m in [1, 2, 3, 5, 6, 7, 8, 9, 13, 97] {
                for n in [1, 7, 8, 9, 15, 16, 17, 31, 48, 63, 64, 65, 80, 129] {
                    check(m, 5, n, (false, false), 0);
                }
            }
            for k in [0, 1, 255, 256, 257, 513] {
                check(7, k, 18, (false, true), 1);
                check(7, k, 18, (true, false), 0);
            }
            // Packed, although the rows are contiguous: many rows, and B wide.
            check(49, 3, 4 * 64 + 5, (false, false), 3);
            check(49, 3, 4 * 64 + 5, (true, true), 0);
        });
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            m in 0usize..40, k in 0usize..40, n in 0usize..140,
            ta: bool, tb: bool, extra in 0usize..3,
        ) {
            at_every_level(|_| check(m, k, n, (ta, tb), extra));
        }
    }

    #[test]
    fn several_threads_give_the_same_bits() {
        let (a, b) = (wave(100 * 200, 1), wave(200 * 300, 2));
        let (a, b) = (Mat::new(&a, 100, 200), Mat::new(&b, 200, 300));
        let run = |threads: usize, a: Mat<'_>, b: Mat<'_>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| product(a, b))
        };
        at_every_level(|_| {
            assert_eq!(run(1, a, b), run(3, a, b));
            // Few rows: divided by columns.
            assert_eq!(run(1, a.rows(0, 20), b), run(4, a.rows(0, 20), b));
            assert_eq!(run(1, b.t(), a.t()), run(2, b.t(), a.t()));
        });
    }

    #[test]
    fn what_is_no_number_stays_in_its_row_or_column() {
        at_every_level(|_| {
            let mut a = wave(9 * 4, 1);
            a[4] = f32::NAN;
            a[9] = f32::INFINITY;
            let b = vec![1.0; 4 * 17];
            let c = product(Mat::new(&a, 9, 4), Mat::new(&b, 4, 17));
            for (at, c) in c.iter().enumerate() {
                match at / 17 {
                    1 => assert!(c.is_nan()),
                    2 => assert_eq!(*c, f32::INFINITY),
                    _ => assert!(c.is_finite()),
                }
            }
        });
    }

    #[test]
    #[should_panic(expected = "columns of A and rows of B")]
    fn sizes_must_fit() {
        product(Mat::new(&[1.0], 1, 1), Mat::new(&[1.0, 1.0], 2, 1));
    }
}
