//! AVX2 with FMA: 8 lanes.

use std::arch::x86_64::*;

use super::Simd;

/// Proof of AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        all.then_some(Self(()))
    }
}

/// A method that is a few intrinsics.
macro_rules! lanes {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty = $value:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $type),*) -> $out {
            // SAFETY: `self` proves that the instructions are there.
            unsafe { $value }
        }
    )*};
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const TILE_VECTORS: usize = 2;
    type F = __m256;
    type I = __m256i;
    type M = __m256;

    lanes! {
        splat(value: f32) -> __m256 = _mm256_set1_ps(value);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        abs(a: __m256) -> __m256 = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        copysign(a: __m256, b: __m256) -> __m256 = {
            let sign = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b))
        };
        round(a: __m256) -> __m256 =
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        lt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        le(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        eq(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        select(mask: __m256, a: __m256, b: __m256) -> __m256 = _mm256_blendv_ps(b, a, mask);
        any(mask: __m256) -> bool = _mm256_movemask_ps(mask) != 0;
        to_int(a: __m256) -> __m256i = _mm256_cvtps_epi32(a);
        to_float(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        has_bit(a: __m256i, bit: i32) -> __m256 = {
            let bit = _mm256_set1_epi32(bit);
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(a, bit), bit))
        };
        add_int(a: __m256i, b: i32) -> __m256i = _mm256_add_epi32(a, _mm256_set1_epi32(b));
        and_int(a: __m256i, b: i32) -> __m256i = _mm256_and_si256(a, _mm256_set1_epi32(b));
        bits(a: __m256) -> __m256i = _mm256_castps_si256(a);
        with_bits(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        zip(a: __m256, b: __m256) -> (__m256, __m256) = {
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            (
                _mm256_permute2f128_ps::<0x20>(low, high),
                _mm256_permute2f128_ps::<0x31>(low, high),
            )
        };
        sum(a: __m256) -> f32 = {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        };
        largest(a: __m256) -> f32 = {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        };
        // 2^n may be out of range where a * 2^n is not: three factors, of which each is in range.
        scale(a: __m256, n: __m256) -> __m256 = {
            let n = _mm256_cvtps_epi32(n);
            let third = _mm256_srai_epi32::<2>(n);
            let rest = _mm256_sub_epi32(n, _mm256_add_epi32(third, third));
            let power = |n| {
                let biased = _mm256_add_epi32(n, _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            };
            // The largest factor first: the product must not become subnormal before the last.
            let most = _mm256_srai_epi32::<1>(rest);
            let last = _mm256_sub_epi32(rest, most);
            let a = _mm256_mul_ps(_mm256_mul_ps(a, power(third)), power(third));
            _mm256_mul_ps(_mm256_mul_ps(a, power(most)), power(last))
        };
    }

    #[inline(always)]
    unsafe fn transpose_8(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: the caller's promise; `self` proves that the instructions are there.
        unsafe { transpose_8(from, from_row, to, to_row) }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_ptr_first(self, from: *const f32, n: usize) -> __m256 {
        // SAFETY: a masked lane is not read.
        unsafe { _mm256_maskload_ps(from, first(n)) }
    }

    #[inline(always)]
    fn load_first(self, from: &[f32], fill: f32) -> __m256 {
        if from.len() >= 8 {
            return self.load(from);
        }
        // SAFETY: a masked lane is not read.
        unsafe {
            let mask = first(from.len());
            let values = _mm256_maskload_ps(from.as_ptr(), mask);
            _mm256_blendv_ps(_mm256_set1_ps(fill), values, _mm256_castsi256_ps(mask))
        }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32, value: __m256) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn store_ptr_first(self, to: *mut f32, n: usize, value: __m256) {
        // SAFETY: a masked lane is not written.
        unsafe { _mm256_maskstore_ps(to, first(n), value) }
    }
}

/// As [`Simd::transpose_8`], also for AVX-512, whose processors have AVX2.
///
/// # Safety
/// As there, and the processor has AVX2.
#[inline(always)]
pub(super) unsafe fn transpose_8(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        // Halves of rows, so that only steps within 128 bits are left: [row 0..4 | row 4..8].
        let half = |row: usize, column: usize| {
            let low = _mm_loadu_ps(from.add(row * from_row + column));
            let high = _mm_loadu_ps(from.add((row + 4) * from_row + column));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
        };
        for column in [0, 4] {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row| half(row, column));
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ef, gh) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            let to = to.add(column * to_row);
            _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(ab, cd));
            _mm256_storeu_ps(to.add(to_row), _mm256_shuffle_ps::<0xEE>(ab, cd));
            _mm256_storeu_ps(to.add(2 * to_row), _mm256_shuffle_ps::<0x44>(ef, gh));
            _mm256_storeu_ps(to.add(3 * to_row), _mm256_shuffle_ps::<0xEE>(ef, gh));
        }
    }
}

/// The mask of the first `n < 8` lanes.
#[inline(always)]
fn first(n: usize) -> __m256i {
    debug_assert!(n < 8);
    // SAFETY: called by methods of `Avx2` only, whose value proves that the instructions are there.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lane)
    }
}
