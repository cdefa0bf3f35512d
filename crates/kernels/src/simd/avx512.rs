//! AVX-512: 16 lanes.

use std::arch::x86_64::*;

use super::Simd;

/// Proof of AVX-512 F, DQ, BW and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma");
        all.then_some(Self(()))
    }
}

/// A method that is one intrinsic.
macro_rules! lanes {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty = $value:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $type),*) -> $out {
            // SAFETY: `self` proves that the instructions are there.
            unsafe { $value }
        }
    )*};
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const TILE_VECTORS: usize = 4;
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;

    lanes! {
        splat(value: f32) -> __m512 = _mm512_set1_ps(value);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        abs(a: __m512) -> __m512 = _mm512_abs_ps(a);
        copysign(a: __m512, b: __m512) -> __m512 =
            _mm512_or_ps(_mm512_abs_ps(a), _mm512_and_ps(b, _mm512_set1_ps(-0.0)));
        round(a: __m512) -> __m512 =
            _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        scale(a: __m512, n: __m512) -> __m512 = _mm512_scalef_ps(a, n);
        lt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        le(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
        eq(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
        select(mask: __mmask16, a: __m512, b: __m512) -> __m512 =
            _mm512_mask_blend_ps(mask, b, a);
        to_int(a: __m512) -> __m512i = _mm512_cvtps_epi32(a);
        to_float(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
        has_bit(a: __m512i, bit: i32) -> __mmask16 =
            _mm512_test_epi32_mask(a, _mm512_set1_epi32(bit));
        add_int(a: __m512i, b: i32) -> __m512i = _mm512_add_epi32(a, _mm512_set1_epi32(b));
        and_int(a: __m512i, b: i32) -> __m512i = _mm512_and_si512(a, _mm512_set1_epi32(b));
        bits(a: __m512) -> __m512i = _mm512_castps_si512(a);
        with_bits(a: __m512i) -> __m512 = _mm512_castsi512_ps(a);
        zip(a: __m512, b: __m512) -> (__m512, __m512) = {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
        };
        sum(a: __m512) -> f32 = _mm512_reduce_add_ps(a);
        largest(a: __m512) -> f32 = _mm512_reduce_max_ps(a);
    }

    #[inline(always)]
    fn any(self, mask: __mmask16) -> bool {
        mask != 0
    }

    #[inline(always)]
    unsafe fn transpose_8(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: the caller's promise; `self` proves that the instructions are there.
        unsafe { super::avx2::transpose_8(from, from_row, to, to_row) }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_ptr_first(self, from: *const f32, n: usize) -> __m512 {
        // SAFETY: a masked lane is not read.
        unsafe { _mm512_maskz_loadu_ps(first(n), from) }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32, value: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn store_ptr_first(self, to: *mut f32, n: usize, value: __m512) {
        // SAFETY: a masked lane is not written.
        unsafe { _mm512_mask_storeu_ps(to, first(n), value) }
    }

    #[inline(always)]
    fn load_first(self, from: &[f32], fill: f32) -> __m512 {
        if from.len() >= 16 {
            return self.load(from);
        }
        // SAFETY: a masked lane is not read.
        unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(from.len()), from.as_ptr()) }
    }
}

/// The mask of the first `n < 16` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    debug_assert!(n < 16);
    (1u16 << n) - 1
}
