//! The matrix product.
//!
//! ```text
//! C = A B + D + b        D: matrix to start from, b: a row added to every row; both optional
//! ```
//!
//! Rows of B lie side by side in vectors; a tile of C of a few rows by a few vectors stays in
//! registers while the inner index runs. A is read in place through any strides. B is read in place
//! where its rows are contiguous and packed into panels of a tile's width where they are not.

mod product;
pub(crate) mod tile;

use std::mem::MaybeUninit;

pub use product::{Start, product, product_from, product_into};
pub(crate) use product::{pack, panel_width};

/// A matrix in a slice, with any strides.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row: usize,
    pub(crate) col: usize,
}

impl<'a> Mat<'a> {
    /// `rows` rows of `cols` numbers, one after another.
    ///
    /// # Panics
    /// If the slice has another length.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix of {rows} x {cols}: length of the slice");
        Self { data, rows, cols, row: cols, col: 1 }
    }

    /// Element (i, j) at `i * row + j * col`.
    ///
    /// # Panics
    /// If an element lies outside of the slice.
    pub fn strided(data: &'a [f32], [rows, cols]: [usize; 2], [row, col]: [usize; 2]) -> Self {
        if rows > 0 && cols > 0 {
            let last = (rows - 1) * row + (cols - 1) * col;
            assert!(last < data.len(), "matrix of {rows} x {cols}: the last element is outside");
        }
        Self { data, rows, cols, row, col }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }

    /// Rows from `first` on, `count` of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn rows(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows);
        let start = if count == 0 { 0 } else { first * self.row };
        Self { data: &self.data[start..], rows: count, ..self }
    }
}

/// Where a product goes: `rows` rows of `cols` numbers, beginning `row` apart.
#[derive(Debug)]
pub struct MatMut<'a> {
    pub(crate) data: &'a mut [MaybeUninit<f32>],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row: usize,
}

impl<'a> MatMut<'a> {
    /// Element (i, j) at `i * row + j`; what lies between the rows is not touched.
    ///
    /// # Panics
    /// If an element lies outside of the slice or rows overlap.
    pub fn strided(data: &'a mut [MaybeUninit<f32>], [rows, cols]: [usize; 2], row: usize) -> Self {
        assert!(row >= cols || rows <= 1, "rows of a result overlap");
        if rows > 0 && cols > 0 {
            assert!((rows - 1) * row + cols <= data.len(), "a result's last element is outside");
        }
        Self { data, rows, cols, row }
    }
}
