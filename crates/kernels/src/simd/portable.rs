//! 8 lanes in plain Rust, which the compiler turns into whatever the target has.

use std::array::from_fn;

use super::Simd;

/// Plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type F = [f32; 8];

impl Simd for Portable {
    const LANES: usize = 8;
    const TILE_VECTORS: usize = 1;
    type F = F;
    type I = [i32; 8];
    type M = [bool; 8];

    #[inline(always)]
    fn splat(self, value: f32) -> F {
        [value; 8]
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        from_fn(|i| a[i] / b[i])
    }
    /// Rounded twice where the target has no such instruction: calling the library's exact one
    /// would be many times slower.
    #[inline(always)]
    fn fma(self, a: F, b: F, c: F) -> F {
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn sqrt(self, a: F) -> F {
        from_fn(|i| a[i].sqrt())
    }
    #[inline(always)]
    fn abs(self, a: F) -> F {
        from_fn(|i| a[i].abs())
    }
    #[inline(always)]
    fn copysign(self, a: F, b: F) -> F {
        from_fn(|i| a[i].copysign(b[i]))
    }
    /// Adding and taking away 1.5 * 2^23 leaves a whole number; larger ones are whole already.
    #[inline(always)]
    fn round(self, a: F) -> F {
        const MAGIC: f32 = 12_582_912.0;
        from_fn(|i| {
            let whole = (a[i].abs() + MAGIC - MAGIC).copysign(a[i]);
            if a[i].abs() < 4_194_304.0 { whole } else { a[i] }
        })
    }
    /// 2^n may be out of range where a * 2^n is not: two steps for each half.
    #[inline(always)]
    fn scale(self, a: F, n: F) -> F {
        let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
        from_fn(|i| {
            let n = n[i] as i32;
            let quarter = n >> 2;
            let rest = n - 2 * quarter;
            let most = rest >> 1;
            a[i] * power(quarter) * power(quarter) * power(most) * power(rest - most)
        })
    }

    #[inline(always)]
    fn lt(self, a: F, b: F) -> [bool; 8] {
        from_fn(|i| a[i] < b[i])
    }
    #[inline(always)]
    fn le(self, a: F, b: F) -> [bool; 8] {
        from_fn(|i| a[i] <= b[i])
    }
    #[inline(always)]
    fn eq(self, a: F, b: F) -> [bool; 8] {
        from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn select(self, mask: [bool; 8], a: F, b: F) -> F {
        from_fn(|i| if mask[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn any(self, mask: [bool; 8]) -> bool {
        mask.contains(&true)
    }

    #[inline(always)]
    fn to_int(self, a: F) -> [i32; 8] {
        let a = self.round(a);
        from_fn(|i| a[i] as i32)
    }
    #[inline(always)]
    fn to_float(self, a: [i32; 8]) -> F {
        from_fn(|i| a[i] as f32)
    }
    #[inline(always)]
    fn has_bit(self, a: [i32; 8], bit: i32) -> [bool; 8] {
        from_fn(|i| a[i] & bit != 0)
    }
    #[inline(always)]
    fn add_int(self, a: [i32; 8], b: i32) -> [i32; 8] {
        from_fn(|i| a[i].wrapping_add(b))
    }
    #[inline(always)]
    fn and_int(self, a: [i32; 8], b: i32) -> [i32; 8] {
        from_fn(|i| a[i] & b)
    }
    #[inline(always)]
    fn bits(self, a: F) -> [i32; 8] {
        from_fn(|i| a[i].to_bits() as i32)
    }
    #[inline(always)]
    fn with_bits(self, a: [i32; 8]) -> F {
        from_fn(|i| f32::from_bits(a[i] as u32))
    }

    #[inline(always)]
    fn zip(self, a: F, b: F) -> (F, F) {
        let lane = |i: usize| if i.is_multiple_of(2) { a[i / 2] } else { b[i / 2] };
        (from_fn(lane), from_fn(|i| lane(i + 8)))
    }

    #[inline(always)]
    fn sum(self, a: F) -> f32 {
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }
    #[inline(always)]
    fn largest(self, a: F) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    unsafe fn transpose_8(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for (i, j) in (0..8).flat_map(|i| (0..8).map(move |j| (i, j))) {
            // SAFETY: the caller's promise.
            unsafe { to.add(j * to_row + i).write(from.add(i * from_row + j).read()) }
        }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> F {
        // SAFETY: the caller's promise; nothing is asked of the alignment beyond that of f32.
        unsafe { from.cast::<F>().read() }
    }

    #[inline(always)]
    unsafe fn load_ptr_first(self, from: *const f32, n: usize) -> F {
        // SAFETY: only the first n are read.
        from_fn(|i| if i < n { unsafe { from.add(i).read() } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32, value: F) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<F>().write(value) }
    }

    #[inline(always)]
    unsafe fn store_ptr_first(self, to: *mut f32, n: usize, value: F) {
        for (i, value) in value.into_iter().enumerate().take(n) {
            // SAFETY: only the first n are written.
            unsafe { to.add(i).write(value) }
        }
    }
}
