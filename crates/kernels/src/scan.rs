//! One 8-bit vector against many: the inner products by which nearest neighbours are found.
//!
//! ```text
//! out[i] = sum over j of rows[i, j] query[j]        whole numbers, exact
//! ```
//!
//! The rows are read once and in order, so that a scan is as fast as the memory that holds them.
//! It stays on the caller's thread: a server has one search per thread.

use crate::Level;
use crate::simd::vectorized;

/// Inner products of each row with the query.
///
/// # Shapes
/// - `rows`: `[n, width]`, `query`: `[width]`, `out`: `[n]`
///
/// # Panics
/// If a length does not fit, or `width` is 0 or above 65,536 (sums could leave 32 bits).
///
/// # Example
/// ```
/// let mut out = [0; 2];
/// pressrun_kernels::scan::dots(&[1, 2, -3, 100], &[10, -128], &mut out);
/// assert_eq!(out, [-246, -12_830]);
/// ```
pub fn dots(rows: &[i8], query: &[i8], out: &mut [i32]) {
    let width = query.len();
    assert!(width > 0 && width <= 1 << 16, "scan: width {width}; expected 1 to 65536");
    assert_eq!(rows.len(), out.len() * width, "scan: rows of {} x {width}", out.len());
    match Level::current() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: the level has F and BW, and VNNI has just been asked for.
            unsafe { vnni(rows, query, out) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => {
            // SAFETY: both levels have AVX2.
            unsafe { avx2(rows, query, out) }
        }
        _ => portable(rows, query, out),
    }
}

/// What every processor can do; the compiler makes vectors of sixteen bits of it.
fn portable(rows: &[i8], query: &[i8], out: &mut [i32]) {
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        *out = dot(row, query);
    }
}

#[inline(always)]
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// Sixteen products at a time: both sides are widened to 16 bits, whose pairs cannot overflow.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(rows: &[i8], query: &[i8], out: &mut [i32]) {
    use std::arch::x86_64::*;

    const STEP: usize = 16;
    let (body, tail) = query.split_at(query.len() / STEP * STEP);
    let wide = |chunk: &[i8]| {
        debug_assert_eq!(chunk.len(), STEP);
        // SAFETY: a chunk has `STEP` bytes; the load needs no alignment.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) })
    };
    let queries: Vec<__m256i> = body.chunks_exact(STEP).map(wide).collect();
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let (row, rest) = row.split_at(body.len());
        // Two sums, so that one addition need not wait for the one before.
        let mut sums = [_mm256_setzero_si256(); 2];
        for (i, (chunk, query)) in row.chunks_exact(STEP).zip(&queries).enumerate() {
            let products = _mm256_madd_epi16(wide(chunk), *query);
            sums[i % 2] = _mm256_add_epi32(sums[i % 2], products);
        }
        let sum = _mm256_add_epi32(sums[0], sums[1]);
        let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum));
        *out = _mm_cvtsi128_si32(sum) + dot(rest, tail);
    }
}

/// Sixty-four products at a time. The instruction multiplies unsigned by signed bytes: the rows'
/// sign bit is flipped, which adds 128 to each, and 128 times the query's sum is taken off.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni(rows: &[i8], query: &[i8], out: &mut [i32]) {
    use std::arch::x86_64::*;

    const STEP: usize = 64;
    let (body, tail) = query.split_at(query.len() / STEP * STEP);
    // SAFETY: a chunk has `STEP` bytes; the load needs no alignment.
    let load = |chunk: &[i8]| unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
    let queries: Vec<__m512i> = body.chunks_exact(STEP).map(load).collect();
    let flip = _mm512_set1_epi8(i8::MIN);
    let excess = 128 * body.iter().map(|value| i32::from(*value)).sum::<i32>();
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let (row, rest) = row.split_at(body.len());
        let mut sums = [_mm512_setzero_si512(); 2];
        for (i, (chunk, query)) in row.chunks_exact(STEP).zip(&queries).enumerate() {
            let unsigned = _mm512_xor_si512(load(chunk), flip);
            sums[i % 2] = _mm512_dpbusd_epi32(sums[i % 2], unsigned, *query);
        }
        let sum = _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]));
        *out = sum - excess + dot(rest, tail);
    }
}

/// How two scores of a row become one.
///
/// ```text
/// s = a x + b p    for rows with x > 0 or p >= least;    -inf for all others
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fusion {
    /// a, the factor of the first scores.
    pub of_first: f32,
    /// b, the factor of the inner products.
    pub of_product: f32,
    /// Least inner product by which a row without a first score counts.
    pub least: i32,
}

/// Rows that [`fuse`] takes at a time.
pub const FUSED: usize = 64;

/// Fuses the scores of 64 rows. Returns how many rows count, and how many of these have more than
/// `threshold`.
///
/// # Example
/// ```
/// use pressrun_kernels::scan::{FUSED, Fusion, fuse};
///
/// let (mut first, mut products) = ([0.0; FUSED], [0; FUSED]);
/// (first[3], products[3], products[7]) = (2.0, 10, 30);
/// let fusion = Fusion { of_first: 1.0, of_product: 0.1, least: 20 };
/// let mut scores = [0.0; FUSED];
/// assert_eq!(fuse(&first, &products, fusion, 2.9, &mut scores), (2, 2));
/// assert_eq!((scores[3], scores[7], scores[0]), (3.0, 3.0, f32::NEG_INFINITY));
/// ```
pub fn fuse(
    first: &[f32; FUSED],
    products: &[i32; FUSED],
    fusion: Fusion,
    threshold: f32,
    scores: &mut [f32; FUSED],
) -> (u32, u32) {
    fuse_rows(first, products, fusion, threshold, scores)
}

vectorized! {
    // Without a branch, and with whole numbers for what is summed up, so that the compiler makes
    // vectors of it.
    fn fuse_rows(
        _s;
        first: &[f32; FUSED],
        products: &[i32; FUSED],
        fusion: Fusion,
        threshold: f32,
        scores: &mut [f32; FUSED],
    ) -> (u32, u32) {
        let Fusion { of_first, of_product, least } = fusion;
        let (mut count, mut above) = (0, 0);
        for i in 0..FUSED {
            let counts = (first[i] > 0.0) | (products[i] >= least);
            let fused = of_first * first[i] + of_product * products[i] as f32;
            let score = if counts { fused } else { f32::NEG_INFINITY };
            scores[i] = score;
            count += u32::from(counts);
            above += u32::from(score > threshold);
        }
        (count, above)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::level::at_every_level;

    /// The sum as it is written, in 64 bits.
    fn plainly(rows: &[i8], query: &[i8]) -> Vec<i32> {
        let product = |row: &[i8]| -> i64 {
            row.iter().zip(query).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
        };
        rows.chunks_exact(query.len()).map(|row| product(row).try_into().unwrap()).collect()
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        at_every_level(|level| {
            for (a, b) in [(-128, -128), (-128, 127), (127, 127)] {
                let (rows, query) = ([a; 2 * 4099], [b; 4099]);
                let mut out = [0; 2];
                dots(&rows, &query, &mut out);
                assert_eq!(out.to_vec(), plainly(&rows, &query), "{level:?} {a} {b}");
            }
        });
    }

    #[test]
    #[should_panic(expected = "scan: rows of 2 x 3")]
    fn rows_that_do_not_fit_panic() {
        dots(&[0; 5], &[0; 3], &mut [0; 2]);
    }

    #[test]
    fn fused_scores_are_those_of_the_formula() {
        let first: [f32; FUSED] = std::array::from_fn(|i| (i as f32 * 0.7 - 9.0).max(0.0));
        let products: [i32; FUSED] = std::array::from_fn(|i| (i as i32 * 37) % 101 - 50);
        let fusion = Fusion { of_first: 0.3, of_product: 0.02, least: 11 };
        let expected: Vec<f32> = (0..FUSED)
            .map(|i| match first[i] > 0.0 || products[i] >= 11 {
                true => 0.3 * first[i] + 0.02 * products[i] as f32,
                false => f32::NEG_INFINITY,
            })
            .collect();
        let counting = expected.iter().filter(|score| **score > f32::NEG_INFINITY).count() as u32;
        let above = expected.iter().filter(|score| **score > 5.0).count() as u32;
        assert!(above > 0 && above < counting && counting < FUSED as u32);
        at_every_level(|level| {
            let mut scores = [0.0; FUSED];
            let found = fuse(&first, &products, fusion, 5.0, &mut scores);
            assert_eq!(
                (found, scores.to_vec()),
                ((counting, above), expected.clone()),
                "{level:?}"
            );
        });
    }

    proptest! {
        #[test]
        fn every_level_gives_the_sum(
            query in prop::collection::vec(any::<i8>(), 1..300),
            n in 0..5_usize,
            seed in any::<u32>(),
        ) {
            let value = |i: usize| (seed.wrapping_mul(2_654_435_761).wrapping_add(i as u32 * 40_503) >> 13) as i8;
            let rows: Vec<i8> = (0..n * query.len()).map(value).collect();
            at_every_level(|level| {
                let mut out = vec![0; n];
                dots(&rows, &query, &mut out);
                assert_eq!(out, plainly(&rows, &query), "{level:?}");
            });
        }
    }
}
