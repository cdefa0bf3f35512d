//! Whether a difference is more than chance.

/// `McNemar`'s exact test: the chance of so large a difference between equally good classifiers.
///
/// ```text
/// p = min(1, 2 P(X <= min(b, c)))        X ~ Binomial(b + c, 1/2)
/// ```
///
/// `b` rows are right by the first classifier alone, `c` by the second alone; rows on which both
/// agree say nothing. Two-sided. Without such rows `p` is 1.
///
/// # Source
/// `McNemar`, 1947, in its exact form.
///
/// # Example
/// ```
/// use pressrun_data::significance::mcnemar;
///
/// // 2 (1 + 5) / 2^5
/// assert!((mcnemar(1, 4) - 0.375).abs() < 1e-12);
/// assert_eq!(mcnemar(3, 3), 1.0);
/// ```
pub fn mcnemar(first_only: usize, second_only: usize) -> f64 {
    let (n, least) = (first_only + second_only, first_only.min(second_only));
    // ln C(n, k) - n ln 2, term by term: n runs to thousands, where 2^-n is no longer a number.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = term.exp();
    for k in 1..=least {
        term += ((n - k + 1) as f64).ln() - (k as f64).ln();
        tail += term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// Student's t test of differences between pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// Mean of the differences.
    pub mean: f64,
    /// The mean in its standard errors.
    pub t: f64,
    /// The chance of so large a `t`, of either sign, where the true mean is 0.
    pub p: f64,
}

/// Student's t test of whether differences between pairs have mean 0; two-sided.
///
/// ```text
/// t = mean / (s / sqrt n)        s: standard deviation (n - 1)
/// p = I_x(v / 2, 1 / 2)          v = n - 1, x = v / (v + t^2), I: regularised incomplete beta
/// ```
///
/// `None` with fewer than two differences. Differences that are all equal and not 0 have `p` 0.
///
/// # Source
/// Student, 1908.
///
/// # Example
/// ```
/// use pressrun_data::significance::paired_t;
///
/// // mean 2, s 1, t = 2 sqrt 3; with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2).
/// let test = paired_t(&[1.0, 2.0, 3.0]).unwrap();
/// assert!((test.t - 12f64.sqrt()).abs() < 1e-12);
/// assert!((test.p - (1.0 - (12.0f64 / 14.0).sqrt())).abs() < 1e-10);
/// ```
pub fn paired_t(differences: &[f64]) -> Option<PairedT> {
    let n = differences.len();
    if n < 2 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n as f64;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    let error = (squares / (n - 1) as f64 / n as f64).sqrt();
    if error == 0.0 {
        let (t, p) = if mean == 0.0 { (0.0, 1.0) } else { (mean.signum() * f64::INFINITY, 0.0) };
        return Some(PairedT { mean, t, p });
    }
    let (t, v) = (mean / error, (n - 1) as f64);
    Some(PairedT { mean, t, p: incomplete_beta(v / (v + t * t), 0.5 * v, 0.5) })
}

/// The regularised incomplete beta function `I_x(a, b)`, by its continued fraction.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges fast below the mean; above, the other tail does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    // Lentz's method.
    let away_from_0 = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away_from_0(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for term in [even, odd] {
            d = 1.0 / away_from_0(1.0 + term * d);
            c = away_from_0(1.0 + term / c);
            fraction *= c * d;
        }
        if (fraction / before - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front.exp() * fraction / a
}

/// `ln Gamma(x)` for `x > 0`: Stirling's series, after a shift to where it is exact.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn p_values_of_t_by_closed_forms() {
        // One degree of freedom: p = 1 - (2 / pi) atan t.
        let test = paired_t(&[1.0, 2.0]).unwrap();
        assert_eq!(test.t, 3.0);
        assert!((test.p - (1.0 - std::f64::consts::FRAC_2_PI * 3f64.atan())).abs() < 1e-12);
        // The table's 1 % point of 9 degrees of freedom is 3.2498.
        let p = |t: f64| incomplete_beta(9.0 / (9.0 + t * t), 4.5, 0.5);
        assert!((p(3.2498) - 0.01).abs() < 1e-6, "{}", p(3.2498));
        assert!((p(0.0) - 1.0).abs() < 1e-12);
        assert_eq!(paired_t(&[0.5, 0.5]).unwrap().p, 0.0);
        assert_eq!(paired_t(&[0.0, 0.0]).unwrap().p, 1.0);
        assert_eq!(paired_t(&[1.0]), None);
    }

    #[test]
    fn ln_gamma_of_whole_and_half_numbers() {
        assert!((ln_gamma(0.5) - 0.5 * std::f64::consts::PI.ln()).abs() < 1e-12);
        assert!((ln_gamma(5.0) - 24f64.ln()).abs() < 1e-12);
        assert!(ln_gamma(1.0).abs() < 1e-12);
    }

    #[test]
    fn many_rows_neither_overflow_nor_vanish() {
        // 5,000 rows, 2,400 of them on one side: 2.83 standard deviations from the middle.
        let p = mcnemar(2_400, 2_600);
        assert!((0.0045..0.0050).contains(&p), "{p}");
        assert!(mcnemar(0, 2_000) == 0.0 && mcnemar(1_000, 1_000) == 1.0);
        assert_eq!(mcnemar(0, 0), 1.0);
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_a_larger_difference_is_less_likely(
            b in 0usize..60,
            c in 0usize..60,
        ) {
            prop_assert_eq!(mcnemar(b, c), mcnemar(c, b));
            let (less, more) = (b.min(c), b.max(c));
            if less > 0 {
                prop_assert!(mcnemar(less - 1, more + 1) <= mcnemar(less, more));
            }
        }
    }
}
