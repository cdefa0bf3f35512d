//! Products of one thread, without the preparations that large matrices are worth.

use crate::matrix::tile::{self, Tile};
use crate::simd::{Token, vectorized};

/// `C = A B`, with the starting values of a [`Tile`], for any number of columns.
///
/// # Safety
/// As [`tile::rows`].
pub(super) unsafe fn product(token: Token, whole: Tile, rows: usize) {
    panels(token, &whole, rows);
}

vectorized! {
    /// As `product`, whose caller promises.
    fn panels(s, token; whole: &Tile, rows: usize) {
        let width = S::TILE_VECTORS * S::LANES;
        for first in (0..whole.cols).step_by(width) {
            // SAFETY: the columns lie within those that the caller promises.
            unsafe {
                let part = Tile {
                    b: whole.b.add(first),
                    from: if whole.from.is_null() { whole.from } else { whole.from.add(first) },
                    bias: if whole.bias.is_null() { whole.bias } else { whole.bias.add(first) },
                    c: whole.c.add(first),
                    cols: width.min(whole.cols - first),
                    ..*whole
                };
                tile::rows(s, part, rows);
            }
        }
    }
}

/// The distance of rows of so many columns in scratch: whole cache lines, and an odd number of them
/// where there are many, so that a column does not fall into the same few sets of the cache.
pub(super) fn row_of(cols: usize) -> usize {
    let lines = cols.div_ceil(16).max(1);
    16 * if lines >= 8 { lines | 1 } else { lines }
}

/// Queries that are worked on together: their scratch of `numbers` for each fits the cache.
pub(super) fn rows_together(numbers: usize, causal: bool) -> usize {
    const CACHE: usize = 32_768;
    // Later queries see more keys: the fewer together, the less is computed in vain.
    let most = if causal { 24 } else { 64 };
    (CACHE / numbers.max(1) / 8 * 8).clamp(8, most)
}
