//! The transpose of a matrix, 8 x 8 numbers at a time.

use std::mem::MaybeUninit;

use super::vectorized;

vectorized! {
    /// `to[j * to_row + i] = from[i * from_row + j]` for all `i < rows`, `j < cols`.
    ///
    /// # Panics
    /// If an element lies outside of its slice.
    pub(crate) fn transpose(
        s; from: &[f32], from_row: usize, size: [usize; 2], to: &mut [MaybeUninit<f32>], to_row: usize
    ) {
        let [rows, cols] = size;
        if rows == 0 || cols == 0 {
            return;
        }
        assert!(from_row >= cols && (rows - 1) * from_row + cols <= from.len(), "transpose: from");
        assert!(to_row >= rows && (cols - 1) * to_row + rows <= to.len(), "transpose: to");
        let (full_rows, full_cols) = (rows / 8 * 8, cols / 8 * 8);
        for i in (0..full_rows).step_by(8) {
            for j in (0..full_cols).step_by(8) {
                // SAFETY: the last of the elements is inside of both slices, as asserted above.
                unsafe {
                    let from = from.as_ptr().add(i * from_row + j);
                    let to = to.as_mut_ptr().cast::<f32>().add(j * to_row + i);
                    s.transpose_8(from, from_row, to, to_row);
                }
            }
        }
        for i in 0..rows {
            let first = if i < full_rows { full_cols } else { 0 };
            for j in first..cols {
                to[j * to_row + i].write(from[i * from_row + j]);
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
    fn rows_become_columns_and_what_lies_between_is_not_touched() {
        at_every_level(|_| {
            for (rows, cols) in [(0, 3), (1, 1), (7, 9), (8, 8), (16, 24), (17, 33)] {
                let (from_row, to_row) = (cols + 2, rows + 3);
                let from: Vec<f32> = (0..rows * from_row).map(|i| i as f32).collect();
                let mut to = vec![-1.0; cols * to_row];
                transpose(&from, from_row, [rows, cols], as_uninit(&mut to), to_row);
                for (at, to) in to.iter().enumerate() {
                    let (j, i) = (at / to_row, at % to_row);
                    let expected = if i < rows { (i * from_row + j) as f32 } else { -1.0 };
                    assert_eq!(*to, expected, "{rows} x {cols}: ({j}, {i})");
                }
            }
        });
    }
}
