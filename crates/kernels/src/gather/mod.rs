//! Rows picked by index, and rows added to where an index says.
//!
//! ```text
//! gather    out[i]        =  w[i] table[index[i]]
//! scatter   out[index[i]] += w[i] rows[i]               w: optional, else 1
//! ```
//!
//! Each is the other's gradient; that of `w` is [`row_dots`].

pub(crate) mod kernel;

use std::mem::MaybeUninit;

use crate::buffer;
use crate::par::{self, Rows};

/// Columns of a thread's share begin at multiples of this: one cache line.
const COLUMN_STEP: usize = 16;

/// Rows of a table in the order of the indices, each times its weight.
///
/// ```text
/// out[i] = w[i] table[index[i]]        w: optional
/// ```
///
/// The gradient of the table is [`scatter_add_rows`] with the same indices and weights, that of the
/// weights [`row_dots`].
///
/// # Shapes
/// - `table`: `[n, width]`, `indices` and `weights`: `[k]`
/// - output: `[k, width]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..n`.
///
/// # Example
/// ```
/// use pressrun_kernels::gather::gather_rows;
///
/// let table = [1.0, 2.0, 3.0, 4.0];
/// assert_eq!(gather_rows(&table, [2, 2], &[1, 0], None), [3.0, 4.0, 1.0, 2.0]);
/// assert_eq!(gather_rows(&table, [2, 2], &[1], Some(&[10.0])), [30.0, 40.0]);
/// ```
pub fn gather_rows(
    table: &[f32],
    [n, width]: [usize; 2],
    indices: &[i64],
    weights: Option<&[f32]>,
) -> Vec<f32> {
    check_len("gather_rows: table", table.len(), n * width);
    check_weights("gather_rows", weights, indices.len());
    check_indices("gather_rows", indices, n);
    let k = indices.len();
    // SAFETY: `gather` writes every number of its rows.
    unsafe {
        buffer::written(k * width, |out| {
            let rows = Rows { data: out, width };
            par::for_rows(k, 1, cost(k, width), [rows], |range, [out]| {
                let weights = weights.map(|weights| &weights[range.clone()]);
                kernel::gather(table, width, &indices[range], weights, out);
            });
        })
    }
}

/// Adds rows to the rows of a matrix of zeros that the indices name, each times its weight.
///
/// ```text
/// out[j] = sum over i with index[i] = j of w[i] rows[i]        w: optional
/// ```
///
/// The rows are added in order of their position `i`, by any number of threads. The gradient of
/// `rows` is [`gather_rows`] of the output's gradient with the same indices and weights, that of
/// the weights [`row_dots`].
///
/// # Shapes
/// - `rows`: `[k, width]`, `indices` and `weights`: `[k]`
/// - output: `[n, width]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..n`.
///
/// # Example
/// ```
/// use pressrun_kernels::gather::scatter_add_rows;
///
/// let rows = [1.0, 2.0, 3.0];
/// assert_eq!(scatter_add_rows(&rows, [4, 1], &[2, 0, 2], None), [2.0, 0.0, 4.0, 0.0]);
/// ```
pub fn scatter_add_rows(
    rows: &[f32],
    [n, width]: [usize; 2],
    indices: &[i64],
    weights: Option<&[f32]>,
) -> Vec<f32> {
    let k = indices.len();
    check_len("scatter_add_rows: rows", rows.len(), k * width);
    check_weights("scatter_add_rows", weights, k);
    check_indices("scatter_add_rows", indices, n);
    let (adding, zeroing) = (cost(k, width), n * width / 16);
    let columns = width.div_ceil(COLUMN_STEP);
    // SAFETY: all numbers are zeroed before any is added to; the shares do not overlap.
    unsafe {
        buffer::written(n * width, |out| {
            let zeros = Rows { data: &mut *out, width };
            par::for_rows(n, 1, zeroing, [zeros], |_, [out]| out.fill(MaybeUninit::new(0.0)));
            let shared = kernel::Shared::new(out, width);
            if columns >= par::threads_for(adding) {
                // Divided by columns: no thread has more to do than another, whatever the indices.
                par::for_ranges(columns, adding, |range| {
                    let end = (range.end * COLUMN_STEP).min(width);
                    let columns = range.start * COLUMN_STEP..end;
                    kernel::scatter(&shared, columns, 0..n, rows, indices, weights);
                });
            } else {
                par::for_ranges(n, adding, |range| {
                    kernel::scatter(&shared, 0..width, range, rows, indices, weights);
                });
            }
        })
    }
}

/// The inner product of each row with the row of a table that its index names: the gradient of the
/// weights of [`gather_rows`] and [`scatter_add_rows`].
///
/// ```text
/// out[i] = <rows[i], table[index[i]]>
///
/// gather:  table is its table, rows the output's gradient
/// scatter: rows are its rows, table the output's gradient
/// ```
///
/// # Shapes
/// - `rows`: `[k, width]`, `table`: `[n, width]`, `indices`: `[k]`
/// - output: `[k]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..n`.
///
/// # Example
/// ```
/// use pressrun_kernels::gather::row_dots;
///
/// assert_eq!(row_dots(&[1.0, 2.0], &[0.0, 0.0, 3.0, 4.0], [2, 2], &[1]), [11.0]);
/// ```
pub fn row_dots(rows: &[f32], table: &[f32], [n, width]: [usize; 2], indices: &[i64]) -> Vec<f32> {
    let k = indices.len();
    check_len("row_dots: rows", rows.len(), k * width);
    check_len("row_dots: table", table.len(), n * width);
    check_indices("row_dots", indices, n);
    // SAFETY: `dots` writes every number of its range.
    unsafe {
        buffer::written(k, |out| {
            let out = Rows { data: out, width: 1 };
            par::for_rows(k, 16, cost(k, width), [out], |range, [out]| {
                let rows = &rows[range.start * width..range.end * width];
                kernel::dots(rows, table, width, &indices[range], out);
            });
        })
    }
}

/// Nanoseconds of a core, roughly: a row has to be found, then moved.
fn cost(rows: usize, width: usize) -> usize {
    rows * (2 + width / 16)
}

pub(crate) fn check_len(what: &str, found: usize, expected: usize) {
    assert_eq!(found, expected, "{what}: {found} numbers, expected {expected}");
}

fn check_weights(of: &str, weights: Option<&[f32]>, k: usize) {
    if let Some(weights) = weights {
        let found = weights.len();
        assert_eq!(found, k, "{of}: {found} weights for {k} indices");
    }
}

/// Panics if an index lies outside of `0..n`.
pub(crate) fn check_indices(of: &str, indices: &[i64], n: usize) {
    // All of them without a branch, which the compiler vectorises; a negative one is very large.
    // Blocks, so that what is wrong is found soon.
    for (block, part) in indices.chunks(1024).enumerate() {
        let right = part.iter().fold(true, |right, index| right & ((*index as u64) < n as u64));
        if !right {
            let wrong = part.iter().position(|index| (*index as u64) >= n as u64);
            let at = wrong.expect("one is wrong");
            let value = part[at];
            panic!("{of}: index {value} at position {}, expected 0..{n}", block * 1024 + at);
        }
    }
}

#[cfg(test)]
mod tests;
