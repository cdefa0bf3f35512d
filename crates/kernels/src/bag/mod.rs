//! Weighted sums of a table's rows, one for each bag of indices.
//!
//! ```text
//! y[b]      = sum over i in bag b of w[i] table[index[i]]
//! dtable[j] = sum over b, and i in bag b with index[i] = j, of w[i] dy[b]
//! ```
//!
//! The same as picking the rows, and adding them up by bag, without the rows in between: those of a
//! batch of texts are many times its sums.

mod kernel;

use std::mem::MaybeUninit;

use crate::buffer;
use crate::gather::check_len;
use crate::par::{self, Rows};

/// Columns of a thread's share begin at multiples of this: one cache line.
const COLUMN_STEP: usize = 16;

/// Bags of indices, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Bags<'a> {
    /// Rows of the table.
    pub indices: &'a [u32],
    /// The factor of each.
    pub weights: &'a [f32],
    /// Where each bag begins, and at last the number of indices.
    pub offsets: &'a [usize],
}

impl Bags<'_> {
    /// Number of bags.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Panics unless all indices lie within `0..n` and the offsets divide them.
    fn check(&self, of: &str, n: usize) {
        let (k, weights) = (self.indices.len(), self.weights.len());
        assert_eq!(weights, k, "{of}: {weights} weights for {k} indices");
        let (first, last) = (self.offsets.first(), self.offsets.last());
        let whole = first == Some(&0) && last == Some(&k) && self.offsets.is_sorted();
        assert!(whole, "{of}: offsets `{first:?}..{last:?}`; expected to rise from 0 to {k}");
        let largest = self.indices.iter().fold(0, |largest, index| largest.max(*index));
        assert!(k == 0 || (largest as usize) < n, "{of}: index {largest}, expected 0..{n}");
    }
}

/// The weighted sum of a table's rows for each bag; zeros for an empty one.
///
/// # Shapes
/// - `table`: `[n, width]`
/// - output: `[bags, width]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..n`.
///
/// # Example
/// ```
/// use pressrun_kernels::bag::{Bags, bag_sums};
///
/// let bags = Bags { indices: &[0, 1, 1], weights: &[1.0, 1.0, 0.5], offsets: &[0, 2, 2, 3] };
/// let y = bag_sums(&[1.0, 2.0, 10.0, 20.0], [2, 2], bags);
/// assert_eq!(y, [11.0, 22.0, 0.0, 0.0, 5.0, 10.0]);
/// ```
pub fn bag_sums(table: &[f32], [n, width]: [usize; 2], bags: Bags<'_>) -> Vec<f32> {
    check_len("bag_sums: table", table.len(), n * width);
    bags.check("bag_sums", n);
    let rows = bags.len();
    // SAFETY: `sums` writes every number of its rows.
    unsafe {
        buffer::written(rows * width, |out| {
            let out = Rows { data: out, width };
            par::for_rows(rows, 1, cost(bags, width), [out], |range, [out]| {
                let offsets = &bags.offsets[range.start..=range.end];
                kernel::sums(table, width, Bags { offsets, ..bags }, out);
            });
        })
    }
}

/// The gradient of the table of [`bag_sums`].
///
/// A row's terms are added in the order of the bags, by any number of threads.
///
/// # Shapes
/// - `grad`: `[bags, width]`
/// - output: `[n, width]`
///
/// # Panics
/// If a length does not fit, or an index lies outside of `0..n`.
///
/// # Example
/// ```
/// use pressrun_kernels::bag::{Bags, bag_sums_backward};
///
/// let bags = Bags { indices: &[0, 2, 2], weights: &[1.0, 1.0, 0.5], offsets: &[0, 2, 3] };
/// assert_eq!(bag_sums_backward(&[3.0, 4.0], [3, 1], bags), [3.0, 0.0, 5.0]);
/// ```
pub fn bag_sums_backward(grad: &[f32], [n, width]: [usize; 2], bags: Bags<'_>) -> Vec<f32> {
    check_len("bag_sums_backward: gradient", grad.len(), bags.len() * width);
    bags.check("bag_sums_backward", n);
    let columns = width.div_ceil(COLUMN_STEP);
    // SAFETY: all numbers are zeroed before any is added to; the shares do not overlap.
    unsafe {
        buffer::written(n * width, |out| {
            let zeros = Rows { data: &mut *out, width };
            let zeroing = n * width / 16;
            par::for_rows(n, 1, zeroing, [zeros], |_, [out]| out.fill(MaybeUninit::new(0.0)));
            let table = par::Shared::new(out.as_mut_ptr().cast::<f32>());
            par::for_ranges(columns, cost(bags, width), |range| {
                let end = (range.end * COLUMN_STEP).min(width);
                let columns = range.start * COLUMN_STEP..end;
                // Indices have been checked above, and the columns are this thread's.
                kernel::scatter(*table.get(), width, columns, grad, bags);
            });
        })
    }
}

/// Adds a row of 8-bit numbers, times a factor, to a sum; on the caller's thread.
///
/// ```text
/// sum[j] += factor row[j]        each product rounded, then added: the same bits on every processor
/// ```
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// let mut sum = [1.0, 2.0];
/// pressrun_kernels::bag::add_bytes(&mut sum, &[-128, 3], 0.5);
/// assert_eq!(sum, [-63.0, 3.5]);
/// ```
pub fn add_bytes(sum: &mut [f32], row: &[i8], factor: f32) {
    check_len("add_bytes: row", row.len(), sum.len());
    kernel::add_bytes(sum, row, factor);
}

/// Nanoseconds of a core, roughly: a row has to be found, then added.
fn cost(bags: Bags<'_>, width: usize) -> usize {
    bags.len() + bags.indices.len() * (2 + width / 16)
}

#[cfg(test)]
mod tests;
