//! The right-hand side of many products that run inside of a thread's share of work.
//!
//! [`crate::matrix::product_into`] packs and divides among threads at each call; here a matrix is
//! made ready once, and products with parts of it neither allocate nor divide.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use crate::matrix::tile::{self, Tile};
use crate::matrix::{Mat, MatMut, pack, panel_width};
use crate::simd::{Token, vectorized};
use crate::{buffer, par};

/// Inner length of a block: a panel of this many rows fits the second-level cache.
const BLOCK_K: usize = 256;

/// A matrix B whose rows lie side by side in panels of a tile's width.
pub(super) struct Operand<'a> {
    token: Token,
    data: &'a [f32],
    /// Distance of rows within a panel, and of panels.
    row: usize,
    panel: usize,
    width: usize,
    k: usize,
    n: usize,
}

/// What a product starts from.
#[derive(Clone, Copy)]
pub(super) enum Begin<'a> {
    Zero,
    /// A row that is added to every row.
    Bias(&'a [f32]),
    /// What is in the result already.
    Itself,
}

/// A part of a product: columns of B, and its rows from `inner` on, as many as A has columns.
pub(super) struct Part<'a> {
    pub(super) a: Mat<'a>,
    pub(super) inner: usize,
    pub(super) columns: Range<usize>,
    pub(super) begin: Begin<'a>,
}

impl Operand<'_> {
    /// Calls `f` with `b`, packed in scratch unless its rows can be read in place.
    pub(super) fn with<R>(b: Mat<'_>, f: impl FnOnce(&Operand<'_>) -> R) -> R {
        let token = Token::current();
        let (width, k, n) = (panel_width(token), b.rows, b.cols);
        // Rows that are far apart would fall into few sets of the cache.
        if b.col == 1 && (n <= width || b.row <= 4 * width) {
            return f(&Operand { token, data: b.data, row: b.row, panel: width, width, k, n });
        }
        let panels = n.div_ceil(width);
        buffer::scratch(panels * width * k, |packed| {
            if !n.is_multiple_of(width) {
                packed[(panels - 1) * width * k..].fill(MaybeUninit::new(0.0));
            }
            let rows = par::Rows { data: packed, width: width * k };
            par::for_rows(panels, 1, k * n / 2, [rows], |range, [part]| {
                for (panel, part) in range.zip(part.chunks_exact_mut((width * k).max(1))) {
                    pack(b, panel * width..n.min((panel + 1) * width), width, part);
                }
            });
            // SAFETY: packed, and the columns that the last panel does not have are 0.
            let data = unsafe { buffer::as_written(packed) };
            f(&Operand { token, data, row: width, panel: width * k, width, k, n })
        })
    }

    /// Writes a part of A B to `c`, on this thread.
    ///
    /// # Safety
    /// If the product begins with `c` itself, it has been written.
    pub(super) unsafe fn multiply(&self, part: Part<'_>, c: MatMut<'_>) {
        let Part { a, inner, columns, begin } = part;
        assert!(inner + a.cols <= self.k && columns.end <= self.n, "a part of the operand");
        assert!(columns.start.is_multiple_of(self.width), "columns begin with a panel");
        assert_eq!((c.rows, c.cols), (a.rows, columns.len()), "size of the part's result");
        if let Begin::Bias(bias) = begin {
            assert_eq!(bias.len(), columns.len(), "bias of the part");
        }
        if c.rows > 0 && c.cols > 0 {
            run(self.token, self, a, inner, columns, begin, c);
        }
    }
}

vectorized! {
    /// The product, whose sizes have been checked.
    fn run(
        s, token; b: &Operand<'_>, a: Mat<'_>, inner: usize, columns: Range<usize>,
        begin: Begin<'_>, c: MatMut<'_>
    ) {
        debug_assert_eq!(b.width, S::TILE_VECTORS * S::LANES);
        let null = ptr::null::<f32>();
        let c_start = c.data.as_mut_ptr().cast::<f32>();
        // An inner length of 0 still has one block, which writes what the product starts from.
        for from_k in (0..a.cols.max(1)).step_by(BLOCK_K) {
            let k = BLOCK_K.min(a.cols - from_k);
            for column in columns.clone().step_by(b.width) {
                let at = column - columns.start;
                let panel = b.data.as_ptr().wrapping_add(column / b.width * b.panel);
                // SAFETY: `multiply` has checked the sizes; only the result is written.
                unsafe {
                    let c_part = c_start.add(at);
                    let (from, bias) = match begin {
                        _ if from_k > 0 => (c_part.cast_const(), null),
                        Begin::Zero => (null, null),
                        Begin::Bias(bias) => (null, bias.as_ptr().add(at)),
                        Begin::Itself => (c_part.cast_const(), null),
                    };
                    let part = Tile {
                        a: a.data.as_ptr().wrapping_add(from_k * a.col),
                        a_row: a.row,
                        a_col: a.col,
                        b: panel.wrapping_add((inner + from_k) * b.row),
                        b_row: b.row,
                        k,
                        from,
                        from_row: c.row,
                        bias,
                        c: c_part,
                        c_row: c.row,
                        cols: b.width.min(columns.end - column),
                    };
                    tile::rows(s, part, a.rows);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::as_uninit;
    use crate::simd::level::at_every_level;

    #[test]
    fn parts_equal_the_definition_packed_or_in_place() {
        let wave = |len: usize| (0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
        at_every_level(|_| {
            for (k, n) in [(3, 5), (300, 70), (10, 300)] {
                let (a, b, start) = (wave(7 * k), wave(k * n), wave(7 * n));
                let mut transposed = vec![0.0; k * n];
                for (at, b) in b.iter().enumerate() {
                    transposed[at % n * k + at / n] = *b;
                }
                let mats = [Mat::new(&b, k, n), Mat::new(&transposed, n, k).t()];
                for (mat, begin) in mats.into_iter().flat_map(|m| [(m, 0), (m, 1), (m, 2)]) {
                    let inner = k / 3;
                    let a = Mat::strided(&a, [7, k - inner], [k, 1]);
                    Operand::with(mat, |operand| {
                        let columns = if n > operand.width { operand.width..n } else { 0..n };
                        let mut c = start[..7 * columns.len()].to_vec();
                        let begin = match begin {
                            0 => Begin::Zero,
                            1 => Begin::Bias(&start[..columns.len()]),
                            _ => Begin::Itself,
                        };
                        let size = [7, columns.len()];
                        let to = MatMut::strided(as_uninit(&mut c), size, columns.len());
                        let part = Part { a, inner, columns: columns.clone(), begin };
                        // SAFETY: it is initialised.
                        unsafe { operand.multiply(part, to) };
                        for (at, c) in c.iter().enumerate() {
                            let (i, j) = (at / columns.len(), at % columns.len());
                            let mut sum = match begin {
                                Begin::Zero => 0.0,
                                Begin::Bias(bias) => f64::from(bias[j]),
                                Begin::Itself => f64::from(start[at]),
                            };
                            for p in 0..k - inner {
                                let b = b[(inner + p) * n + columns.start + j];
                                sum += f64::from(a.data[i * k + p]) * f64::from(b);
                            }
                            assert!((f64::from(*c) - sum).abs() < 1e-4, "{k} {n}: {c} for {sum}");
                        }
                    });
                }
            }
        });
    }
}
