//! Line charts of series: seeds thin, their mean bold.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pressrun_lab::{Axes, Curve, SeriesSpec, Stat};

use super::{Figure, Palette, Scale, at, cut, legend, with_unit};
use crate::number;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 388.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 210.0;

/// Rows of the table below a chart; a series with more steps is thinned to this many.
const TABLE_ROWS: usize = 24;

/// The curves of one method in a chart.
struct Method<'a> {
    name: &'a str,
    curves: Vec<&'a Curve>,
    mean: Vec<(u64, Option<f64>)>,
}

/// A line chart of one series in one setting.
///
/// Each seed is a thin line and the mean over the seeds a bold one; with a single seed there is
/// only the bold line. The mean exists at the steps that all seeds of a method report. A value that
/// is not finite leaves a gap, as does one that a logarithmic axis cannot show.
///
/// `id` must be unique on the page.
///
/// # Example
/// ```
/// use pressrun_lab::{Curve, SeriesSpec};
/// use pressrun_web::chart::{Palette, lines};
///
/// let series = SeriesSpec::new("eval/accuracy", "", "epoch", "accuracy on held-out data");
/// let curve = Curve {
///     setting: "digits".into(),
///     method: "MLP".into(),
///     seed: 0,
///     series: series.name.clone(),
///     points: vec![(1, Some(0.5)), (2, None), (3, Some(0.9))],
/// };
/// let palette = Palette::new(["MLP".to_owned()]);
/// let svg = lines("a", &series, "digits", &[&curve], &palette).into_string();
/// assert!(svg.contains("<title id=\"a-t\">eval/accuracy, digits</title>"));
/// ```
pub fn lines(
    id: &str,
    series: &SeriesSpec,
    setting: &str,
    curves: &[&Curve],
    palette: &Palette,
) -> Markup {
    let methods = by_method(curves, palette);
    let steps = || curves.iter().flat_map(|c| &c.points).map(|&(step, _)| step as f64);
    let (first, last) =
        steps().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), s| (a.min(s), b.max(s)));
    let (first, last) = if first.is_finite() { (first, last) } else { (0.0, 1.0) };
    let values = curves.iter().flat_map(|c| &c.points).filter_map(|&(_, value)| value);
    let (x, y) = match series.axes {
        Axes::Linear => {
            (Scale::exact(first, last, (LEFT, RIGHT), 5), Scale::new(values, (BOTTOM, TOP), 5))
        }
        Axes::LogLog => {
            (Scale::logarithmic(steps(), (LEFT, RIGHT)), Scale::logarithmic(values, (BOTTOM, TOP)))
        }
    };
    let drawing = html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-labelledby={ (id) "-t " (id) "-d" } {
            title id={ (id) "-t" } { (series.name) ", " (setting) }
            desc id={ (id) "-d" } { (describe(series, &methods)) }
            (axes(&x, &y, &step_label(series), &with_unit(short(&series.name), &series.unit)))
            @for method in &methods {
                g.line.(palette.class(method.name)) {
                    @if method.curves.len() > 1 {
                        @for curve in &method.curves {
                            path.seed d=(path(&curve.points, &x, &y)) {}
                        }
                    }
                    @if !method.mean.is_empty() {
                        path.mean d=(path(&method.mean, &x, &y)) {}
                    }
                }
            }
        }
    };
    let names: Vec<&str> = methods.iter().map(|m| m.name).collect();
    Figure {
        id,
        name: &series.name,
        setting,
        meaning: &series.meaning,
        drawing,
        legend: legend(palette, &names),
        table: table(series, &methods),
    }
    .render()
}

fn by_method<'a>(curves: &[&'a Curve], palette: &Palette) -> Vec<Method<'a>> {
    let mut methods: Vec<Method<'a>> = Vec::new();
    for &curve in curves {
        match methods.iter_mut().find(|m| m.name == curve.method) {
            Some(method) => method.curves.push(curve),
            None => {
                let name = &curve.method;
                methods.push(Method { name, curves: vec![curve], mean: Vec::new() });
            }
        }
    }
    methods.sort_by_key(|m| palette.order(m.name));
    for method in &mut methods {
        method.mean = mean(&method.curves);
    }
    methods
}

/// The mean over the seeds at the steps that all of them report.
fn mean(curves: &[&Curve]) -> Vec<(u64, Option<f64>)> {
    let per_step = per_step(curves).into_iter();
    let complete = per_step.filter(|(_, values)| values.len() == curves.len());
    let mean = |values: Vec<Option<f64>>| {
        let sum: Option<f64> = values.iter().copied().sum();
        sum.map(|sum| sum / values.len() as f64)
    };
    complete.map(|(step, values)| (step, mean(values))).collect()
}

fn per_step(curves: &[&Curve]) -> BTreeMap<u64, Vec<Option<f64>>> {
    let mut steps: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for (step, value) in curves.iter().flat_map(|c| &c.points) {
        steps.entry(*step).or_default().push(*value);
    }
    steps
}

/// Path data; a point that has no place lifts the pen, and one that stands alone becomes a dot.
fn path(points: &[(u64, Option<f64>)], x: &Scale, y: &Scale) -> String {
    let mut data = String::new();
    let mut drawing = false;
    let mut lone = false;
    for &(step, value) in points {
        let place = value.and_then(|v| y.place(v)).zip(x.place(step as f64));
        let Some((y, x)) = place else {
            if lone {
                data.push_str("h0");
            }
            (drawing, lone) = (false, false);
            continue;
        };
        data.push(if drawing { 'L' } else { 'M' });
        data.push_str(&format!("{} {}", at(x), at(y)));
        (drawing, lone) = (true, !drawing);
    }
    if lone {
        data.push_str("h0");
    }
    data
}

fn axes(x: &Scale, y: &Scale, x_label: &str, y_label: &str) -> Markup {
    html! {
        g.grid {
            @for tick in y.ticks() {
                path d={ "M" (at(LEFT)) " " (at(tick.place)) "H" (at(RIGHT)) } {}
            }
        }
        g.axis {
            path d={ "M" (at(LEFT)) " " (at(BOTTOM)) "H" (at(RIGHT)) } {}
            @for tick in x.ticks() {
                path d={ "M" (at(tick.place)) " " (at(BOTTOM)) "v4" } {}
                text.x x=(at(tick.place)) y=(at(BOTTOM + 17.0)) { (tick.label) }
            }
            @for tick in y.ticks() {
                text.y x=(at(LEFT - 7.0)) y=(at(tick.place + 4.0)) { (tick.label) }
            }
            text.label.end x=(at(RIGHT)) y=(at(HEIGHT - 6.0)) { (cut(x_label, 48)) }
            text.label x="2" y="10" {
                (cut(y_label, 48))
                @if y.is_log() { ", log scale" }
            }
        }
    }
}

fn step_label(series: &SeriesSpec) -> String {
    match series.axes {
        Axes::Linear => series.step.clone(),
        Axes::LogLog => format!("{}, log scale", series.step),
    }
}

/// The last part of a name: `eval/accuracy` is `accuracy` on its axis.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn describe(series: &SeriesSpec, methods: &[Method<'_>]) -> String {
    let last = |m: &Method<'_>| {
        let (step, value) = m.mean.iter().rev().find_map(|&(s, v)| v.map(|v| (s, v)))?;
        let slope = (series.axes == Axes::LogLog).then(|| slope(&m.mean)).flatten();
        let slope = slope.map_or(String::new(), |slope| format!(", slope {slope:.2}"));
        Some(format!(
            "{} ends at {} ({} {step}){slope}",
            m.name,
            number::number(value),
            series.step
        ))
    };
    let ends: Vec<String> = methods.iter().filter_map(last).collect();
    if ends.is_empty() {
        return format!("Lines against {}; no method has a finite value.", series.step);
    }
    format!("Lines against {}: {}.", series.step, ends.join("; "))
}

/// The slope of the least-squares line through the logarithms of the positive points.
fn slope(points: &[(u64, Option<f64>)]) -> Option<f64> {
    let logs = |&(step, value): &(u64, Option<f64>)| {
        let value = value.filter(|v| *v > 0.0 && v.is_finite())?;
        (step > 0).then(|| ((step as f64).ln(), value.ln()))
    };
    let logs: Vec<(f64, f64)> = points.iter().filter_map(logs).collect();
    let n = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in &logs {
        xy += (x - mx) * (y - my);
        xx += (x - mx) * (x - mx);
    }
    (xx > 0.0).then(|| xy / xx)
}

fn table(series: &SeriesSpec, methods: &[Method<'_>]) -> Markup {
    let columns: Vec<_> = methods.iter().map(|m| per_step(&m.curves)).collect();
    let mut steps: Vec<u64> = columns.iter().flat_map(|c| c.keys().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    let all = steps.len();
    if all > TABLE_ROWS {
        let last = TABLE_ROWS - 1;
        steps = (0..=last).map(|i| steps[i * (all - 1) / last]).collect();
    }
    let cell = |values: Option<&Vec<Option<f64>>>| match values {
        None => String::new(),
        Some(values) => {
            let values: Vec<f64> = values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
            number::stat(&Stat::of(&values))
        }
    };
    html! {
        table.data {
            @if all > TABLE_ROWS {
                caption { (steps.len()) " of " (all) " steps; the record's JSON has them all" }
            }
            thead {
                tr {
                    th.num scope="col" { (series.step) }
                    @for method in methods {
                        th.num scope="col" {
                            (method.name)
                            @if method.curves.len() > 1 {
                                span.unit { " mean ± sd, n = " (method.curves.len()) }
                            }
                        }
                    }
                }
            }
            tbody {
                @for step in &steps {
                    tr {
                        th.num scope="row" { (number::grouped(*step as i64)) }
                        @for column in &columns { td.num { (cell(column.get(step))) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(seed: u64, points: &[(u64, Option<f64>)]) -> Curve {
        Curve {
            setting: "s".into(),
            method: "m".into(),
            seed,
            series: "eval/x".into(),
            points: points.to_vec(),
        }
    }

    #[test]
    fn the_mean_needs_every_seed() {
        let a = curve(0, &[(1, Some(1.0)), (2, Some(2.0)), (3, None), (4, Some(4.0))]);
        let b = curve(1, &[(1, Some(3.0)), (3, Some(1.0)), (4, Some(6.0))]);
        assert_eq!(mean(&[&a, &b]), [(1, Some(2.0)), (3, None), (4, Some(5.0))]);
    }

    #[test]
    fn a_gap_lifts_the_pen_and_a_lone_point_is_a_dot() {
        let unit = Scale::exact(0.0, 10.0, (0.0, 10.0), 5);
        let points =
            [(0, Some(1.0)), (1, Some(2.0)), (2, None), (3, Some(3.0)), (4, None), (5, Some(5.0))];
        assert_eq!(path(&points, &unit, &unit), "M0 1L1 2M3 3h0M5 5h0");
        assert_eq!(path(&[(1, None)], &unit, &unit), "");
    }

    #[test]
    fn a_series_without_any_point_still_draws() {
        let series = SeriesSpec::new("eval/x", "", "step", "x");
        let palette = Palette::default();
        assert!(lines("a", &series, "s", &[], &palette).0.contains("no method has a finite value"));
        let nan = curve(0, &[(1, None)]);
        assert!(lines("a", &series, "s", &[&nan], &palette).0.contains("not finite"));
    }

    #[test]
    fn a_power_is_a_straight_line_with_its_exponent_on_logarithmic_axes() {
        let series = SeriesSpec::new("rate/x", "", "sample", "x").log_log();
        let points: Vec<_> =
            (2..6).map(|e| (10u64.pow(e), Some(3.0 * 10f64.powi(-(e as i32)).sqrt()))).collect();
        let html = lines("a", &series, "s", &[&curve(0, &points)], &Palette::default()).0;
        assert!(html.contains(", slope -0.50") && html.contains("sample, log scale"), "{html}");
        assert_eq!(slope(&[(10, Some(1.0)), (0, Some(2.0)), (20, None)]), None);
    }

    #[test]
    fn a_long_series_is_thinned_in_its_table_only() {
        let points: Vec<_> = (0..100).map(|i| (i, Some(i as f64))).collect();
        let series = SeriesSpec::new("eval/x", "", "step", "x");
        let html = lines("a", &series, "s", &[&curve(0, &points)], &Palette::default()).0;
        assert!(html.contains("24 of 100 steps"));
        assert_eq!(html.matches("<tr>").count(), 25);
        assert_eq!(html.matches('L').count() - html.matches("Lines").count(), 99);
    }
}
