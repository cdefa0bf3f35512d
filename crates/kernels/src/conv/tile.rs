//! The innermost loops: tiles of sums in registers.

use crate::simd::Simd;

/// Rows of a block of the results, for the level's number of registers.
#[inline(always)]
pub(super) fn most_rows<S: Simd>() -> usize {
    if S::TILE_VECTORS >= 4 { 8 } else { 4 }
}

/// Rows of the block that begins where `left` rows are left: 8, 4, 2 or 1.
#[inline(always)]
pub(super) fn block_rows(most: usize, left: usize) -> usize {
    match left.min(most) {
        8.. => 8,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Vectors side by side in a tile of so many rows.
#[inline(always)]
fn most_vectors<S: Simd>(rows: usize) -> usize {
    match (S::TILE_VECTORS, rows) {
        (4.., 8) => 3,
        (4.., _) => 6,
        (2.., 1) => 6,
        (2.., _) => 3,
        (_, 1) => 2,
        _ => 1,
    }
}

/// Calls a function of the sizes of a tile as constants.
macro_rules! with_sizes {
    ($rows:expr, $vectors:expr, $f:ident::<$s:ident>$args:tt) => {
        match ($rows, $vectors) {
            (8, 3) if $s::TILE_VECTORS >= 4 => $f::<$s, 8, 3>$args,
            (8, 2) if $s::TILE_VECTORS >= 4 => $f::<$s, 8, 2>$args,
            (8, 1) if $s::TILE_VECTORS >= 4 => $f::<$s, 8, 1>$args,
            (4, 6) if $s::TILE_VECTORS >= 4 => $f::<$s, 4, 6>$args,
            (4, 3) if $s::TILE_VECTORS >= 2 => $f::<$s, 4, 3>$args,
            (4, 2) if $s::TILE_VECTORS >= 2 => $f::<$s, 4, 2>$args,
            (4, 1) => $f::<$s, 4, 1>$args,
            (2, 6) if $s::TILE_VECTORS >= 4 => $f::<$s, 2, 6>$args,
            (2, 3) if $s::TILE_VECTORS >= 2 => $f::<$s, 2, 3>$args,
            (2, 2) if $s::TILE_VECTORS >= 2 => $f::<$s, 2, 2>$args,
            (2, 1) => $f::<$s, 2, 1>$args,
            (1, 6) if $s::TILE_VECTORS >= 2 => $f::<$s, 1, 6>$args,
            (1, 3) if $s::TILE_VECTORS >= 2 => $f::<$s, 1, 3>$args,
            (1, 2) => $f::<$s, 1, 2>$args,
            (1, 1) => $f::<$s, 1, 1>$args,
            _ => unreachable!("no tile of this size"),
        }
    };
}

/// Vectors of the next tile, if so many are left.
#[inline(always)]
fn tile_vectors(most: usize, left: usize) -> usize {
    match left.min(most) {
        6.. => 6,
        3.. => 3,
        2.. => 2,
        _ => 1,
    }
}

/// A matrix product in which the rows of the second matrix are runs of one slice, which overlap.
#[derive(Clone, Copy)]
pub(super) struct Runs<'a> {
    /// The first matrix, column after column of a block of rows.
    pub(super) weights: *const f32,
    /// Where the runs begin.
    pub(super) source: *const f32,
    pub(super) runs: &'a [usize],
    /// What the sums start from, one for each row, or null.
    pub(super) bias: *const f32,
    /// The results: rows `row` apart.
    pub(super) to: *mut f32,
    pub(super) row: usize,
}

/// Computes `rows` rows (8, 4, 2 or 1) of `vectors` whole vectors.
///
/// # Safety
/// Weights, bias, every run and every row of the results can be read or written that far.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(s: S, mut job: Runs<'_>, rows: usize, vectors: usize) {
    let most = most_vectors::<S>(rows);
    let mut left = vectors;
    while left > 0 {
        let now = tile_vectors(most, left);
        // SAFETY: the caller's promise.
        unsafe {
            with_sizes!(rows, now, product_tile::<S>(s, &job));
            job.source = job.source.add(now * S::LANES);
            job.to = job.to.add(now * S::LANES);
        }
        left -= now;
    }
}

#[inline(always)]
unsafe fn product_tile<S: Simd, const M: usize, const V: usize>(s: S, job: &Runs<'_>) {
    // SAFETY: (all of the function) the caller's promise.
    unsafe {
        let mut sums = [[s.splat(0.0); V]; M];
        if !job.bias.is_null() {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = [s.splat(*job.bias.add(i)); V];
            }
        }
        let mut weights = job.weights;
        for run in job.runs {
            let from = job.source.add(*run);
            let mut values = [s.splat(0.0); V];
            for (v, value) in values.iter_mut().enumerate() {
                *value = s.load_ptr(from.add(v * S::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let weight = s.splat(*weights.add(i));
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = s.fma(weight, value, *sum);
                }
            }
            weights = weights.add(M);
        }
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                s.store_ptr(job.to.add(i * job.row + v * S::LANES), *sum);
            }
        }
    }
}

/// Inner products of the rows of one matrix with runs, summed over images.
#[derive(Clone, Copy)]
pub(super) struct Dots<'a> {
    /// First row of the first image, rows and images so far apart.
    pub(super) rows: *const f32,
    pub(super) row: usize,
    pub(super) row_image: usize,
    /// Where the runs of the first image begin, and how far the images are apart.
    pub(super) source: *const f32,
    pub(super) runs: &'a [usize],
    pub(super) source_image: usize,
    pub(super) images: usize,
    /// Vectors of a row.
    pub(super) vectors: usize,
    /// The results: one row of numbers for each row, one number for each run.
    pub(super) to: *mut f32,
    /// Whether the results are added to what is there.
    pub(super) add: bool,
}

/// Computes the results of `rows` rows (8, 4, 2 or 1).
///
/// # Safety
/// Rows and runs can be read as far as the vectors go; the results can be written, and read if
/// `add`.
#[inline(always)]
pub(super) unsafe fn dots<S: Simd>(s: S, job: Dots<'_>, rows: usize) {
    let most = most_vectors::<S>(rows);
    let mut at = 0;
    while at < job.runs.len() {
        let now = tile_vectors(most, job.runs.len() - at);
        // SAFETY: the caller's promise.
        unsafe { with_sizes!(rows, now, dots_tile::<S>(s, &job, at)) }
        at += now;
    }
}

#[inline(always)]
unsafe fn dots_tile<S: Simd, const M: usize, const N: usize>(s: S, job: &Dots<'_>, at: usize) {
    // SAFETY: (all of the function) the caller's promise.
    unsafe {
        let mut sums = [[s.splat(0.0); N]; M];
        for image in 0..job.images {
            let rows = job.rows.add(image * job.row_image);
            let source = job.source.add(image * job.source_image);
            let mut from = [source; N];
            for (from, run) in from.iter_mut().zip(&job.runs[at..at + N]) {
                *from = source.add(*run);
            }
            for vector in 0..job.vectors {
                let q = vector * S::LANES;
                let mut values = [s.splat(0.0); N];
                for (value, from) in values.iter_mut().zip(from) {
                    *value = s.load_ptr(from.add(q));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let row = s.load_ptr(rows.add(i * job.row + q));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = s.fma(row, value, *sum);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                let to = job.to.add(i * job.runs.len() + at + j);
                let sum = s.sum(*sum);
                *to = if job.add { *to + sum } else { sum };
            }
        }
    }
}
