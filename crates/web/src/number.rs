//! Numbers as the pages print them: few digits, a true minus sign, spread in step with the mean.

use pressrun_lab::Stat;
use pressrun_lab::manifest::MarginUnit;

/// Printed where a study produced no finite number.
pub(crate) const NOT_FINITE: &str = "not finite";

/// Numbers in this range are printed plainly, others with a power of ten.
const PLAIN: std::ops::Range<f64> = 1e-4..1e7;

/// Significant digits of a number that stands alone.
const DIGITS: i32 = 4;

/// A number with four significant digits.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return NOT_FINITE.into();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !PLAIN.contains(&size) {
        return power(value, 2);
    }
    let decimals = DIGITS - 1 - size.log10().floor() as i32;
    trim(fixed(value, decimals.max(0) as usize))
}

/// Mean and standard deviation, the mean to the second digit of the deviation.
pub(crate) fn stat(stat: &Stat) -> String {
    let sd = stat.spread();
    if stat.n < 2 || sd == 0.0 || !sd.is_finite() || !stat.mean.is_finite() {
        return number(stat.mean);
    }
    let size = stat.mean.abs().max(sd);
    if !PLAIN.contains(&size) {
        return format!("{} ± {}", power(stat.mean, 2), power(sd, 1));
    }
    // A spread far below the mean would otherwise print the mean with a dozen digits.
    let decimals = (1 - sd.log10().floor() as i32).clamp(0, 6);
    let spread = fixed(sd, decimals as usize);
    let spread = if spread.chars().all(|c| matches!(c, '0' | '.')) { power(sd, 1) } else { spread };
    format!("{} ± {spread}", fixed(stat.mean, decimals as usize))
}

/// A margin with its unit.
pub(crate) fn margin(value: f64, unit: MarginUnit) -> String {
    match unit {
        MarginUnit::Absolute => number(value),
        MarginUnit::StandardErrors => format!("{} s.e.", trim(fixed_or(value, 2))),
        MarginUnit::Relative => format!("{} %", trim(fixed_or(value * 100.0, 2))),
    }
}

/// Labels of ticks that are `step` apart, all in one form.
pub(crate) fn ticks(values: &[f64], step: f64) -> Vec<String> {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let smallest_place = if step > 0.0 { step.log10().floor() as i32 } else { 0 };
    let one = |value: f64| {
        if value == 0.0 {
            "0".into()
        } else if !PLAIN.contains(&largest) {
            power(value, 1)
        } else if largest >= 10_000.0 && step >= 100.0 {
            format!("{}k", trim(fixed(value / 1000.0, 1)))
        } else {
            fixed(value, (-smallest_place).max(0) as usize)
        }
    };
    values.iter().map(|&v| one(v)).collect()
}

/// `10⁻³`.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    match exponent {
        0 => "1".into(),
        1 => "10".into(),
        _ => format!("10{}", superscript(exponent)),
    }
}

/// Seconds as `8.4 s` or `6 min 40 s`.
pub(crate) fn seconds(value: f64) -> String {
    if value < 60.0 {
        return format!("{} s", trim(fixed(value, 1)));
    }
    let whole = value.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// `1 vote`, `3 votes`.
pub(crate) fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// `87 000`, with a narrow no-break space from five digits on.
pub(crate) fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let sign = if n < 0 { "−" } else { "" };
    if digits.len() < 5 {
        return format!("{sign}{digits}");
    }
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    match text.strip_prefix('-') {
        Some(rest) if zero => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

fn fixed_or(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        NOT_FINITE.into()
    } else if value.abs() >= PLAIN.end {
        power(value, 1)
    } else {
        fixed(value, decimals)
    }
}

fn trim(text: String) -> String {
    if text.contains('.') && !text.contains('×') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn power(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = trim(mantissa.replace('-', "−"));
    if exponent == 0 {
        return mantissa;
    }
    format!("{mantissa}×10{}", superscript(exponent))
}

fn superscript(n: i32) -> String {
    let of = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    };
    n.to_string().chars().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(mean: f64, sd: f64) -> String {
        stat(&Stat { mean, sd, n: 3 })
    }

    #[test]
    fn four_significant_digits() {
        let shown = [0.0, 0.93, 0.931_249, 12.345_6, 1234.5, 87_000.0, 3.21e-5, -0.5, 2.5e9];
        let shown: Vec<String> = shown.into_iter().map(number).collect();
        let expected =
            ["0", "0.93", "0.9312", "12.35", "1234", "87000", "3.21×10⁻⁵", "−0.5", "2.5×10⁹"];
        assert_eq!(shown, expected);
        assert_eq!(number(f64::NAN), "not finite");
    }

    #[test]
    fn the_mean_is_printed_to_the_second_digit_of_its_deviation() {
        assert_eq!(spread(0.931_249, 0.004_12), "0.9312 ± 0.0041");
        assert_eq!(spread(1234.56, 12.3), "1235 ± 12");
        assert_eq!(spread(-0.5, 0.25), "−0.50 ± 0.25");
        assert_eq!(spread(0.5, 1e-9), "0.500000 ± 1×10⁻⁹");
        assert_eq!(spread(0.5, 0.0), "0.5");
        assert_eq!(stat(&Stat::exact(0.25)), "0.25");
    }

    #[test]
    fn margins_name_their_unit() {
        assert_eq!(margin(2.5, MarginUnit::StandardErrors), "2.5 s.e.");
        assert_eq!(margin(-0.031, MarginUnit::Relative), "−3.1 %");
        assert_eq!(margin(f64::NAN, MarginUnit::StandardErrors), "not finite s.e.");
    }

    #[test]
    fn ticks_share_one_form() {
        assert_eq!(ticks(&[0.0, 0.05, 0.1], 0.05), ["0", "0.05", "0.10"]);
        assert_eq!(ticks(&[0.0, 5000.0, 10_000.0], 5000.0), ["0", "5k", "10k"]);
        assert_eq!(power_of_ten(-3), "10⁻³");
    }

    #[test]
    fn durations_and_counts() {
        assert_eq!(seconds(8.42), "8.4 s");
        assert_eq!(seconds(400.0), "6 min 40 s");
        assert_eq!(seconds(7260.0), "2 h 1 min");
        assert_eq!(counted(1, "vote", "votes"), "1 vote");
        assert_eq!(counted(87_000, "paper", "papers"), "87\u{202f}000 papers");
        assert_eq!(grouped(-1234), "−1234");
    }
}
