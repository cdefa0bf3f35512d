//! How results look on a terminal and in a file.

use std::fmt::Write as _;

use pressrun_lab::manifest::MarginUnit;
use pressrun_lab::{Comparison, Entry, Outcome, Record, Stat};
use serde_json::Value;

/// A JSON text that a reviewer can read and a diff can show: objects are spread over lines, lists
/// of plain values and small objects stay on one.
pub fn compact_json(value: &Value) -> String {
    let mut text = String::new();
    write_json(&mut text, value, 0);
    text.push('\n');
    text
}

/// A value whose compact form is at most this long stays on one line.
const LINE: usize = 96;

fn write_json(text: &mut String, value: &Value, depth: usize) {
    let compact = value.to_string();
    let flat = !has_objects(value) && value.is_array();
    if compact.len() + 2 * depth <= LINE || flat || (!value.is_array() && !value.is_object()) {
        text.push_str(&compact);
        return;
    }
    let pad = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    match value {
        Value::Array(items) => {
            text.push_str("[\n");
            for (i, item) in items.iter().enumerate() {
                text.push_str(&pad);
                write_json(text, item, depth + 1);
                text.push_str(if i + 1 < items.len() { ",\n" } else { "\n" });
            }
            let _ = write!(text, "{end}]");
        }
        Value::Object(fields) => {
            text.push_str("{\n");
            for (i, (key, item)) in fields.iter().enumerate() {
                let _ = write!(text, "{pad}{}: ", Value::String(key.clone()));
                write_json(text, item, depth + 1);
                text.push_str(if i + 1 < fields.len() { ",\n" } else { "\n" });
            }
            let _ = write!(text, "{end}}}");
        }
        _ => unreachable!("plain values were written above"),
    }
}

fn has_objects(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(has_objects),
        _ => false,
    }
}

/// A number with the digits that matter.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "none".into();
    }
    match value.abs() {
        0.0 => "0".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{value:.2e}"),
        a if a >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

/// Mean and spread.
pub fn stat(stat: &Stat) -> String {
    if stat.n > 1 {
        format!("{} ± {} (n={})", number(stat.mean), number(stat.spread()), stat.n)
    } else {
        number(stat.mean)
    }
}

fn comparison(c: &Comparison) -> String {
    let unit = match c.unit {
        MarginUnit::Absolute => "",
        MarginUnit::StandardErrors => " s.e.",
        MarginUnit::Relative => " (relative)",
    };
    format!(
        "{} {}: {} {} | {} {} | margin {}{unit}, rule: {}",
        if c.holds { "✓" } else { "✗" },
        c.what,
        c.measured_label,
        stat(&c.measured),
        c.against_label,
        stat(&c.against),
        number(c.margin),
        c.rule,
    )
}

/// A run's verdicts and results.
pub fn record(entry: &Entry, record: &Record) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", entry.manifest.title);
    let _ = writeln!(
        text,
        "{} · {} · {} seed(s) · {} s · {}\n",
        record.badge(),
        record.profile.name(),
        record.seeds.len(),
        record.seconds,
        record.machine.processor
    );
    for verdict in &record.verdicts {
        let claim = entry.manifest.claim(&verdict.claim).map_or("", |c| c.text.as_str());
        let _ = writeln!(text, "{} {}: {claim}", verdict.claim, symbol(verdict.outcome));
        for c in &verdict.comparisons {
            let _ = writeln!(text, "     {}", comparison(c));
        }
        if let Some(reason) = &verdict.reason {
            let _ = writeln!(text, "     {reason}");
        }
    }
    let mut setting = "";
    for row in &record.rows {
        if row.setting != setting {
            setting = &row.setting;
            let _ = writeln!(text, "\n{setting}");
        }
        let value = stat(&Stat::of(&row.values));
        let _ = writeln!(text, "  {:28} {:28} {value}", row.metric, row.method);
    }
    text
}

/// Outcome in a word with its sign.
pub fn symbol(outcome: Outcome) -> String {
    let sign = match outcome {
        Outcome::Reproduced => "●",
        Outcome::Partly => "◐",
        Outcome::NotAtThisScale => "○",
        Outcome::NotTested => "–",
    };
    format!("{sign} {}", outcome.label())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value_and_spreads_objects() {
        let value = serde_json::json!({
            "rows": (0..3).map(|i| serde_json::json!({"name": "x".repeat(30), "i": i})).collect::<Vec<_>>(),
            "points": (0..100).collect::<Vec<_>>(),
        });
        let text = compact_json(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.lines().count() < 12, "{text}");
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        assert_eq!(number(0.78251), "0.7825");
        assert_eq!(number(1234.56), "1234.6");
        assert_eq!(number(0.00004), "4.00e-5");
        assert_eq!(number(f64::NAN), "none");
    }
}
