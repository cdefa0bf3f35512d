//! Vectors of single-precision numbers, of the width that the processor has.
//!
//! A kernel is written once, over [`Simd`], inside the macro `vectorized!`, which compiles it for
//! every [`Level`] and chooses at run time. Work is divided among threads outside of a kernel: a
//! closure handed to another thread would lose the instructions that the kernel was compiled for.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod level;
pub(crate) mod math;
pub(crate) mod portable;
mod slice;
mod transpose;

use std::mem::MaybeUninit;

pub use level::Level;
pub(crate) use level::Token;
pub(crate) use slice::{first_lanes, fold, map, map_in_place, sums};
pub(crate) use transpose::transpose;

/// Operations on vectors of [`Simd::LANES`] numbers.
///
/// A value of an implementing type exists only where the processor has its instructions, so the
/// operations are safe. `max` and `min` give the second argument if one of the two is NaN.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Numbers in a vector.
    const LANES: usize;
    /// Most vectors side by side in one tile of a matrix product: as many as the registers hold.
    const TILE_VECTORS: usize;
    /// Single-precision numbers.
    type F: Copy;
    /// 32-bit integers.
    type I: Copy;
    /// One truth value for each lane.
    type M: Copy;

    fn splat(self, value: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once where the processor can.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    fn abs(self, a: Self::F) -> Self::F;
    /// The magnitude of `a` with the sign of `b`.
    fn copysign(self, a: Self::F, b: Self::F) -> Self::F;
    /// To the nearest whole number, halves to the even one.
    fn round(self, a: Self::F) -> Self::F;
    /// `a * 2^n`, with right overflow and underflow, for a whole `n` within -300 and 300.
    fn scale(self, a: Self::F, n: Self::F) -> Self::F;

    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    fn le(self, a: Self::F, b: Self::F) -> Self::M;
    fn eq(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a` where the mask is set, else `b`.
    fn select(self, mask: Self::M, a: Self::F, b: Self::F) -> Self::F;
    fn any(self, mask: Self::M) -> bool;

    /// To the nearest integer.
    fn to_int(self, a: Self::F) -> Self::I;
    /// The nearest number to each integer.
    fn to_float(self, a: Self::I) -> Self::F;
    /// Whether a bit of each integer is set.
    fn has_bit(self, a: Self::I, bit: i32) -> Self::M;
    fn add_int(self, a: Self::I, b: i32) -> Self::I;
    fn and_int(self, a: Self::I, b: i32) -> Self::I;
    /// The bits of each number.
    fn bits(self, a: Self::F) -> Self::I;
    /// The number of each 32 bits.
    fn with_bits(self, a: Self::I) -> Self::F;

    /// Lanes of `a` and `b` by turns: the first vector begins with the first lanes of both.
    fn zip(self, a: Self::F, b: Self::F) -> (Self::F, Self::F);

    fn sum(self, a: Self::F) -> f32;
    /// The largest lane; unspecified if one is NaN.
    fn largest(self, a: Self::F) -> f32;

    /// The transpose of 8 x 8 numbers: element (i, j) at `from + i * from_row + j` goes to
    /// `to + j * to_row + i`.
    ///
    /// # Safety
    /// They can be read and written, and do not overlap.
    unsafe fn transpose_8(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize);

    /// Reads `LANES` numbers.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_ptr(self, from: *const f32) -> Self::F;
    /// Reads the first `n < LANES` numbers; the other lanes are 0.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_ptr_first(self, from: *const f32, n: usize) -> Self::F;
    /// Writes `LANES` numbers.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_ptr(self, to: *mut f32, value: Self::F);
    /// Writes the first `n < LANES` lanes.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_ptr_first(self, to: *mut f32, n: usize, value: Self::F);

    /// Reads the first `LANES` numbers of a slice.
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        assert!(from.len() >= Self::LANES);
        // SAFETY: the slice is long enough.
        unsafe { self.load_ptr(from.as_ptr()) }
    }

    /// Reads at most `LANES` numbers of a slice; the other lanes are `fill`.
    #[inline(always)]
    fn load_first(self, from: &[f32], fill: f32) -> Self::F {
        let n = from.len();
        if n >= Self::LANES {
            return self.load(from);
        }
        let mut buffer = [fill; 16];
        buffer[..n].copy_from_slice(from);
        self.load(&buffer)
    }

    /// Writes the first `LANES` numbers of a slice.
    #[inline(always)]
    fn store(self, to: &mut [MaybeUninit<f32>], value: Self::F) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: the slice is long enough.
        unsafe { self.store_ptr(to.as_mut_ptr().cast(), value) }
    }

    /// Writes at most `LANES` numbers of a slice.
    #[inline(always)]
    fn store_first(self, to: &mut [MaybeUninit<f32>], value: Self::F) {
        if to.len() >= Self::LANES {
            self.store(to, value);
        } else {
            // SAFETY: no more than the slice's length is written.
            unsafe { self.store_ptr_first(to.as_mut_ptr().cast(), to.len(), value) }
        }
    }

    /// `a` negated.
    #[inline(always)]
    fn neg(self, a: Self::F) -> Self::F {
        self.sub(self.splat(-0.0), a)
    }
}

/// Makes a function that runs its body with the widest vectors of the processor.
///
/// `vectorized! { fn name(s; x: &[f32], ..) -> T { .. } }`: in the body, `s` is a [`Simd`]. The
/// types are written out, without generic parameters. With `(s, token; ..)` the function's first
/// argument is the [`Token`] to use: for several calls that must agree on the width of a vector.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($s:ident; $($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) $(-> $out)? {
            $crate::simd::vectorized! { fn at($s, token; $($arg: $type),*) $(-> $out)? $body }
            at($crate::simd::Token::current(), $($arg),*)
        }
    };
    ($(#[$meta:meta])* $vis:vis fn $name:ident($s:ident, $token:ident; $($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        // The calls need `unsafe` because the callee uses instructions that this function may not.
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($token: $crate::simd::Token, $($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body<S: $crate::simd::Simd>($s: S, $($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512(s: $crate::simd::avx512::Avx512, $($arg: $type),*) $(-> $out)? {
                body(s, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2(s: $crate::simd::avx2::Avx2, $($arg: $type),*) $(-> $out)? {
                body(s, $($arg),*)
            }
            match $token {
                // SAFETY: the token exists only where the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Token::Avx512(s) => unsafe { avx512(s, $($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Token::Avx2(s) => unsafe { avx2(s, $($arg),*) },
                $crate::simd::Token::Portable(s) => body(s, $($arg),*),
            }
        }
    };
}
pub(crate) use vectorized;

#[cfg(test)]
mod tests {
    use super::level::at_every_level;

    vectorized! {
        fn lanes_by_turns(s;) {
            let numbers: Vec<f32> = (0..2 * S::LANES).map(|i| i as f32).collect();
            let (x, y) = s.zip(s.load(&numbers), s.load(&numbers[S::LANES..]));
            let mut out = vec![0.0; 2 * S::LANES];
            let (low, high) = crate::buffer::as_uninit(&mut out).split_at_mut(S::LANES);
            s.store(low, x);
            s.store(high, y);
            let expected = |i: usize| i / 2 + i % 2 * S::LANES;
            assert!(out.iter().enumerate().all(|(i, v)| *v == expected(i) as f32), "{out:?}");
        }
    }

    #[test]
    fn lanes_are_zipped() {
        at_every_level(|_| lanes_by_turns());
    }
}
