//! Elementary functions on vectors.
//!
//! Each reduces its argument to a small interval and evaluates a polynomial there. The
//! coefficients are least-maximum fits made for these intervals in double precision (Lawson's
//! reweighting over 4,000 Chebyshev nodes), rounded to single. NaN stays NaN, infinities go to
//! the limits.

use super::Simd;

/// `c[0] + c[1] x + c[2] x^2 + ..` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::F, c: [f32; N]) -> S::F {
    let mut y = s.splat(c[N - 1]);
    for c in c[..N - 1].iter().rev() {
        y = s.fma(y, x, s.splat(*c));
    }
    y
}

/// exp(x), within 2 units in the last place: x = n ln 2 + r, exp(x) = 2^n exp(r).
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // Beyond, the result is infinite or 0 in any case; `x` second, so that NaN stays.
    let x = s.max(s.splat(-120.0), s.min(s.splat(120.0), x));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, of which the first has few enough bits for n times it to be exact.
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    let p = polynomial(s, r, [0.5, 0.166_665_18, 0.041_666_206, 0.008_368_954, 0.001_395_06]);
    let y = s.add(s.splat(1.0), s.fma(s.mul(r, r), p, r));
    s.scale(y, n)
}

/// 2^x for x up to 127, within 3 units in the last place: 2^n 2^r. Cheaper than [`exp`], for
/// exponents that can be had in this base.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(s: S, x: S::F) -> S::F {
    // `x` second, so that NaN stays.
    let x = s.max(s.splat(-160.0), x);
    let n = s.round(x);
    let r = s.sub(x, n);
    let c = [std::f32::consts::LN_2, 0.240_222_42, 0.055_507_336, 0.009_671_513, 0.001_326_472_7];
    let y = s.fma(r, polynomial(s, r, c), s.splat(1.0));
    s.scale(y, n)
}

/// 2 artanh(z) - 2 z for |z| up to 1/3.
#[inline(always)]
fn artanh_rest<S: Simd>(s: S, z: S::F) -> S::F {
    let u = s.mul(z, z);
    let c = [0.666_664_2, 0.400_215_27, 0.280_018_06, 0.280_119_87];
    s.mul(s.mul(z, u), polynomial(s, u, c))
}

/// ln(x), within 3e-7 of its size or 1e-7: x = 2^e m, ln(m) = 2 artanh((m - 1) / (m + 1)). Numbers
/// below the smallest normal one count as 0.
#[inline(always)]
pub(crate) fn ln<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    // m from 0.707 to 1.414: what is added to the bits moves the larger half to the next e.
    const ROOT_HALF: i32 = 0x3F35_04F3;
    let bits = s.add_int(s.bits(x), 0x3F80_0000 - ROOT_HALF);
    let e = s.to_float(s.and_int(bits, !0x007F_FFFF));
    let e = s.fma(e, s.splat(1.0 / (1 << 23) as f32), s.splat(-127.0));
    let m = s.with_bits(s.add_int(s.and_int(bits, 0x007F_FFFF), ROOT_HALF));
    let z = s.div(s.sub(m, one), s.add(m, one));
    // ln 2 in two parts, of which the first has few enough bits for e times it to be exact.
    let small = s.fma(e, s.splat(-2.121_944_4e-4), artanh_rest(s, z));
    let y = s.fma(e, s.splat(0.693_359_4), s.add(s.add(z, z), small));
    let (least, most) = (s.splat(f32::MIN_POSITIVE), s.splat(f32::MAX));
    // What is no number, and infinity.
    let y = s.select(s.le(x, most), y, x);
    let y = s.select(s.lt(x, least), s.splat(f32::NEG_INFINITY), y);
    s.select(s.lt(x, s.splat(0.0)), s.splat(f32::NAN), y)
}

/// ln(1 + x) for x from 0 to 1, within 3 units in the last place.
#[inline(always)]
pub(crate) fn ln_1p<S: Simd>(s: S, x: S::F) -> S::F {
    let z = s.div(x, s.add(x, s.splat(2.0)));
    s.add(s.add(z, z), artanh_rest(s, z))
}

/// sin(x) and cos(x), absolute error below 1e-7 for |x| up to 10,000 and within the rounding of the
/// library's functions beyond: x = n pi / 2 + r.
#[inline(always)]
pub(crate) fn sin_cos<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::FRAC_2_PI)));
    // pi / 2 in three parts; the products with n are exact up to the last.
    let r = s.fma(n, s.splat(-1.570_312_5), x);
    let r = s.fma(n, s.splat(-4.837_513e-4), r);
    let r = s.fma(n, s.splat(-7.549_79e-8), r);
    let u = s.mul(r, r);
    let p = polynomial(s, u, [-0.166_666_67, 0.008_333_332, -1.984_004e-4, 2.724_287_4e-6]);
    let sine = s.fma(s.mul(r, u), p, r);
    let q = polynomial(s, u, [0.041_666_668, -0.001_388_887_9, 2.479_604_5e-5, -2.677_580_3e-7]);
    let cosine = s.fma(s.mul(u, u), q, s.fma(u, s.splat(-0.5), s.splat(1.0)));
    let quadrant = s.to_int(n);
    let odd = s.has_bit(quadrant, 1);
    let sign = |value, negative| s.select(negative, s.neg(value), value);
    let sin = sign(s.select(odd, cosine, sine), s.has_bit(quadrant, 2));
    let cos = sign(s.select(odd, sine, cosine), s.has_bit(s.add_int(quadrant, 1), 2));
    // Not `le`: also what is no number goes the slow way, which makes it NaN.
    if s.any(s.lt(s.splat(LARGE), s.abs(x))) {
        (far(s, x, sin, f32::sin), far(s, x, cos, f32::cos))
    } else {
        (sin, cos)
    }
}

/// From here on the reduction by three parts is too rough.
const LARGE: f32 = 10_000.0;

/// The library's function for the large lanes.
#[cold]
#[inline(never)]
fn library(x: [f32; 16], mut y: [f32; 16], f: fn(f32) -> f32) -> [f32; 16] {
    for (x, y) in x.into_iter().zip(&mut y) {
        if x.abs() > LARGE {
            *y = f(x);
        }
    }
    y
}

#[inline(always)]
fn far<S: Simd>(s: S, x: S::F, y: S::F, f: fn(f32) -> f32) -> S::F {
    let host = |v| {
        let mut out = [0.0; 16];
        s.store(crate::buffer::as_uninit(&mut out), v);
        out
    };
    s.load(&library(host(x), host(y), f))
}

/// 1 / (1 + exp(-x)).
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    s.div(s.splat(1.0), s.add(s.splat(1.0), exp(s, s.neg(x))))
}

/// tanh(x): a polynomial for small x, 1 - 2 / (exp(2 |x|) + 1) with the sign of x else.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    let size = s.abs(x);
    let u = s.mul(x, x);
    let c = [-0.333_333_28, 0.133_327_75, -0.053_851_03, 0.020_995_524, -0.006_091_889_5];
    let small = s.fma(s.mul(x, u), polynomial(s, u, c), x);
    let e = exp(s, s.add(size, size));
    let large = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    s.select(s.lt(size, s.splat(0.625)), small, s.copysign(large, x))
}

/// erf(z) for |z| < 1.
#[inline(always)]
fn erf_small<S: Simd>(s: S, z: S::F) -> S::F {
    let c = [
        std::f32::consts::FRAC_2_SQRT_PI,
        -0.376_126_38,
        0.112_837_814,
        -0.026_865_376,
        0.005_220_859,
        -8.481_28e-4,
        1.124_371_7e-4,
        -9.598_251e-6,
    ];
    s.mul(z, polynomial(s, s.mul(z, z), c))
}

/// exp(z^2) erfc(z) for z >= 1, a polynomial in 1 / (1 + z / 2).
#[inline(always)]
fn erfc_scaled<S: Simd>(s: S, z: S::F) -> S::F {
    let one = s.splat(1.0);
    let t = s.div(one, s.fma(z, s.splat(0.5), one));
    let c = [
        5.432_637_4e-4,
        0.274_396_42,
        0.326_889_66,
        0.111_846_59,
        0.388_079_5,
        -0.044_948_548,
        -0.057_558_976,
    ];
    polynomial(s, t, c)
}

/// The error function, absolute error below 2e-7.
#[inline(always)]
pub(crate) fn erf<S: Simd>(s: S, z: S::F) -> S::F {
    let one = s.splat(1.0);
    let size = s.abs(z);
    let e = exp(s, s.neg(s.mul(z, z)));
    let large = s.copysign(s.sub(one, s.mul(e, erfc_scaled(s, size))), z);
    s.select(s.lt(size, one), erf_small(s, z), large)
}

/// Phi(x) and phi(x): distribution function and density of N(0, 1).
#[inline(always)]
pub(crate) fn normal<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let (half, one) = (s.splat(0.5), s.splat(1.0));
    let z = s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2));
    let size = s.abs(z);
    // exp(-x^2 / 2) serves both.
    let e = exp(s, s.mul(s.mul(x, x), s.splat(-0.5)));
    let tail = s.mul(half, s.mul(e, erfc_scaled(s, size)));
    // For negative x the tail itself: 1 - (1 - tail) would lose its digits.
    let large = s.select(s.lt(x, s.splat(0.0)), tail, s.sub(one, tail));
    let small = s.fma(half, erf_small(s, z), half);
    const INV_SQRT_TAU: f32 = 0.398_942_3;
    (s.select(s.lt(size, one), small, large), s.mul(e, s.splat(INV_SQRT_TAU)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::as_uninit;
    use crate::simd::{level::at_every_level, map, vectorized};

    /// 0: exp, 1: sin, 2: cos, 3: sigmoid, 4: tanh, 5: erf, 6: Phi, 7: phi, 8: exp2, 9: ln,
    /// 10: `ln_1p`.
    fn apply(which: usize, x: &[f32]) -> Vec<f32> {
        vectorized! {
            fn run(s; which: usize, x: &[f32], out: &mut [std::mem::MaybeUninit<f32>]) {
                match which {
                    0 => map(s, [x], [out], |[x]| [exp(s, x)]),
                    1 => map(s, [x], [out], |[x]| [sin_cos(s, x).0]),
                    2 => map(s, [x], [out], |[x]| [sin_cos(s, x).1]),
                    3 => map(s, [x], [out], |[x]| [sigmoid(s, x)]),
                    4 => map(s, [x], [out], |[x]| [tanh(s, x)]),
                    5 => map(s, [x], [out], |[x]| [erf(s, x)]),
                    6 => map(s, [x], [out], |[x]| [normal(s, x).0]),
                    7 => map(s, [x], [out], |[x]| [normal(s, x).1]),
                    8 => map(s, [x], [out], |[x]| [exp2(s, x)]),
                    9 => map(s, [x], [out], |[x]| [ln(s, x)]),
                    _ => map(s, [x], [out], |[x]| [ln_1p(s, x)]),
                }
            }
        }
        let mut out = vec![0.0; x.len()];
        run(which, x, as_uninit(&mut out));
        out
    }

    /// erf by its series in double precision, good to 1e-12 for |x| < 5.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn grid(low: f32, high: f32) -> Vec<f32> {
        (0..=20_001).map(|i| low + (high - low) * i as f32 / 20_001.0).collect()
    }

    #[test]
    fn values_agree_with_double_precision() {
        let phi = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        type Case = (usize, f32, f32, f64, f64, fn(f64) -> f64);
        let cases: [Case; 13] = [
            (0, -87.0, 88.7, 0.0, 3e-7, f64::exp),
            (1, -9999.0, 9999.0, 2e-7, 0.0, f64::sin),
            (2, -20.0, 20.0, 1.5e-7, 0.0, f64::cos),
            (3, -80.0, 80.0, 0.0, 4e-7, |x| 1.0 / (1.0 + (-x).exp())),
            (4, -12.0, 12.0, 0.0, 3e-7, f64::tanh),
            (5, -4.9, 4.9, 2e-7, 0.0, erf_series),
            (6, -4.9, 4.9, 2e-7, 0.0, |x| 0.5 + 0.5 * erf_series(x / 2f64.sqrt())),
            (7, -6.0, 6.0, 1e-7, 2e-6, |_| 0.0),
            (8, -125.0, 127.0, 0.0, 3e-7, f64::exp2),
            (9, 1e-30, 3.0, 1e-7, 3e-7, f64::ln),
            (9, 2.0, 1e30, 0.0, 3e-7, f64::ln),
            (10, 0.0, 1.0, 0.0, 3e-7, f64::ln_1p),
            (10, 0.0, 1e-6, 0.0, 3e-7, f64::ln_1p),
        ];
        at_every_level(|level| {
            for (which, low, high, absolute, relative, exact) in cases {
                let x = grid(low, high);
                for (x, y) in x.iter().zip(apply(which, &x)) {
                    let expected =
                        if which == 7 { phi(f64::from(*x)) } else { exact(f64::from(*x)) };
                    let error = (f64::from(y) - expected).abs();
                    let bound = absolute + relative * expected.abs();
                    assert!(error <= bound, "{level:?} {which} at {x}: {y} for {expected}");
                }
            }
        });
    }

    #[test]
    fn limits_and_what_is_no_number() {
        let x = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, -0.0, 1e-30, -104.5, 89.0, -100.0];
        at_every_level(|level| {
            let y = apply(0, &x);
            assert_eq!((y[0], y[1], y[3], y[5], y[6]), (0.0, f32::INFINITY, 1.0, 0.0, y[1]));
            // Subnormal results are kept.
            assert!((y[7] / 3.783_51e-44 - 1.0).abs() < 0.05, "{level:?}: {}", y[7]);
            for which in 0..=10 {
                assert!(apply(which, &x)[2].is_nan(), "{level:?} {which}");
            }
            assert_eq!(apply(8, &x)[0], 0.0);
            let powers = apply(8, &[0.0, -1.0, -151.0, -149.0]);
            assert_eq!(powers, [1.0, 0.5, 0.0, f32::from_bits(1)], "{level:?}");
            let logarithms = apply(9, &[0.0, 1.0, f32::INFINITY, 1e-40]);
            assert_eq!(logarithms, [-f32::INFINITY, 0.0, f32::INFINITY, -f32::INFINITY]);
            assert!(apply(9, &[-1.0])[0].is_nan());
            assert!(apply(1, &x)[1].is_nan() && apply(2, &x)[0].is_nan());
            assert_eq!(apply(3, &x)[..2], [0.0, 1.0]);
            assert_eq!(apply(4, &x)[..2], [-1.0, 1.0]);
            assert_eq!(apply(5, &x)[..2], [-1.0, 1.0]);
            assert_eq!(apply(6, &x)[..2], [0.0, 1.0]);
            assert_eq!((apply(4, &x)[4], apply(1, &x)[4]), (1e-30, 1e-30));
            // Far out the reduction is the library's.
            assert!((apply(1, &[1e6])[0] - 1e6f32.sin()).abs() < 1e-6);
        });
    }
}
