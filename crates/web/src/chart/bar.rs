//! Charts of result rows: one bar or dot per method, with its spread and its seeds.

use maud::{Markup, html};
use pressrun_lab::{Better, MetricSpec, Row, Stat};

use super::{Figure, Palette, Scale, at, cut, with_unit};
use crate::number;

const WIDTH: f64 = 400.0;
const LEFT: f64 = 4.0;
const RIGHT: f64 = 392.0;
/// Height of a method: a line of text and, below it, its bar.
const BAND: f64 = 38.0;
const TOP: f64 = 4.0;
const FOOT: f64 = 38.0;
/// Height of a bar.
const BAR: f64 = 10.0;

/// Where the values lie closer together than this share of the largest, bars from zero would all
/// look alike: dots on an axis of their own are drawn instead.
const CLOSE: f64 = 0.25;

/// How the values of a chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Bars from zero.
    Bars,
    /// Dots; the axis need not contain zero.
    Dots,
}

/// A chart of one metric in one setting, a line per method.
///
/// Bars begin at zero. Where the values lie so close together that bars would all look alike, or
/// so far apart that the axis is logarithmic, dots take their place and the description says that
/// the axis does not begin at zero. Whiskers are one sample standard deviation to either side; the
/// small dots are the seeds.
///
/// `rows` are the rows of that metric and setting, and `id` must be unique on the page.
///
/// # Example
/// ```
/// use pressrun_lab::{Better, MetricSpec, Row};
/// use pressrun_web::chart::{Palette, bars};
///
/// let metric = MetricSpec::new("test/auc", "", Better::Higher, "area under the curve");
/// let row = |method: &str, values: [f64; 2]| Row {
///     setting: "log".into(),
///     method: method.into(),
///     metric: metric.name.clone(),
///     seeds: vec![0, 1],
///     values: values.to_vec(),
/// };
/// let rows = [row("OptFS", [0.9, 0.8]), row("FM", [0.1, 0.3])];
/// let palette = Palette::new(["OptFS", "FM"].map(String::from));
/// let svg = bars("b", &metric, "log", &rows.iter().collect::<Vec<_>>(), &palette).into_string();
/// assert!(svg.contains("OptFS 0.850 ± 0.071; FM 0.20 ± 0.14"));
/// ```
pub fn bars(
    id: &str,
    metric: &MetricSpec,
    setting: &str,
    rows: &[&Row],
    palette: &Palette,
) -> Markup {
    let mut rows: Vec<(&Row, Stat)> = rows.iter().map(|r| (*r, Stat::of(&r.values))).collect();
    rows.sort_by_key(|(row, _)| palette.order(&row.method));
    let (form, scale) = scale(&rows);
    let bottom = TOP + BAND * rows.len() as f64;
    let drawing = html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (bottom + FOOT) } role="img"
            aria-labelledby={ (id) "-t " (id) "-d" } {
            title id={ (id) "-t" } { (metric.name) ", " (setting) }
            desc id={ (id) "-d" } { (describe(form, &rows)) }
            g.grid {
                @for tick in scale.ticks() {
                    path d={ "M" (at(tick.place)) " " (at(TOP)) "V" (at(bottom)) } {}
                }
            }
            g.axis {
                @for tick in scale.ticks() {
                    text.x.(anchor(tick.place)) x=(at(tick.place)) y=(at(bottom + 16.0)) {
                        (tick.label)
                    }
                }
                text.label.end x=(at(RIGHT)) y=(at(bottom + 32.0)) {
                    (cut(&with_unit(&metric.name, &metric.unit), 48))
                    (direction(metric.better))
                    @if scale.is_log() { ", log scale" }
                }
            }
            @for (i, (row, stat)) in rows.iter().enumerate() {
                (band(TOP + BAND * i as f64, row, stat, form, &scale, palette))
            }
        }
    };
    Figure {
        id,
        name: &metric.name,
        setting,
        meaning: &metric.meaning,
        drawing,
        legend: html! {},
        table: table(metric, &rows),
    }
    .render()
}

fn scale(rows: &[(&Row, Stat)]) -> (Form, Scale) {
    let ends = |s: &Stat| [s.mean - s.sd, s.mean + s.sd];
    let spread = || {
        let values = rows.iter().flat_map(|(row, _)| row.values.iter().copied());
        // A whisker that would reach below zero must not turn a logarithmic axis into a linear one.
        let positive = values.clone().filter(|v| v.is_finite()).all(|v| v > 0.0);
        let whiskers = rows.iter().flat_map(move |(_, s)| ends(s));
        values.chain(whiskers.filter(move |v| !positive || *v > 0.0))
    };
    let range = (LEFT, RIGHT);
    let own = Scale::new(spread(), range, 4);
    let finite = || rows.iter().map(|(_, s)| s.mean).filter(|m| m.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let several = finite().count() > 1;
    let close = several && low.signum() == high.signum() && {
        (high - low) < CLOSE * high.abs().max(low.abs())
    };
    if own.is_log() || close {
        (Form::Dots, own)
    } else {
        (Form::Bars, Scale::new(spread().chain([0.0]), range, 4))
    }
}

fn band(top: f64, row: &Row, stat: &Stat, form: Form, scale: &Scale, palette: &Palette) -> Markup {
    let middle = top + 26.0;
    let mean = scale.place(stat.mean);
    let zero = scale.place(0.0).filter(|_| form == Form::Bars);
    let whisker = (stat.n > 1 && stat.sd > 0.0)
        .then(|| {
            let low = scale.place(stat.mean - stat.sd).unwrap_or(LEFT);
            scale.place(stat.mean + stat.sd).map(|high| (low.max(LEFT), high))
        })
        .flatten();
    html! {
        g.bar-mark.(palette.class(&row.method)) {
            text.method x=(at(LEFT)) y=(at(top + 14.0)) { (cut(&row.method, 34)) }
            text.value.end x=(at(RIGHT)) y=(at(top + 14.0)) { (number::stat(stat)) }
            @if let (Some(zero), Some(mean)) = (zero, mean) {
                rect x=(at(zero.min(mean))) y=(at(middle - BAR / 2.0))
                    width=(at((mean - zero).abs().max(1.0))) height=(at(BAR)) {}
            }
            @if let Some((low, high)) = whisker {
                path.whisker d={
                    "M" (at(low)) " " (at(middle - 4.0)) "v8m0 -4H" (at(high)) "m0 -4v8"
                } {}
            }
            @if row.values.len() > 1 {
                @for place in row.values.iter().filter_map(|&v| scale.place(v)) {
                    circle.seed cx=(at(place)) cy=(at(middle)) r="2" {}
                }
            }
            @if let (Form::Dots, Some(mean)) = (form, mean) {
                circle.mean cx=(at(mean)) cy=(at(middle)) r="5" {}
            }
        }
    }
}

/// Tick labels at the edges of the drawing stay inside of it.
fn anchor(place: f64) -> &'static str {
    if place < LEFT + 16.0 {
        "start"
    } else if place > RIGHT - 16.0 {
        "end"
    } else {
        "middle"
    }
}

fn direction(better: Better) -> &'static str {
    match better {
        Better::Higher => ", more is better",
        Better::Lower => ", less is better",
        Better::Neither => "",
    }
}

fn describe(form: Form, rows: &[(&Row, Stat)]) -> String {
    let values: Vec<String> =
        rows.iter().map(|(row, s)| format!("{} {}", row.method, number::stat(s))).collect();
    match form {
        Form::Bars => format!("Bars from zero: {}.", values.join("; ")),
        Form::Dots => {
            format!("Dots on an axis that does not begin at zero: {}.", values.join("; "))
        }
    }
}

fn table(metric: &MetricSpec, rows: &[(&Row, Stat)]) -> Markup {
    html! {
        table.data {
            thead {
                tr {
                    th scope="col" { "method" }
                    th.num scope="col" { (with_unit(&metric.name, &metric.unit)) }
                    th.num scope="col" { "n" }
                    th scope="col" { "each seed" }
                }
            }
            tbody {
                @for (row, stat) in rows {
                    tr {
                        th scope="row" { (row.method) }
                        td.num { (number::stat(stat)) }
                        td.num { (stat.n) }
                        td {
                            @for (i, (seed, value)) in row.seeds.iter().zip(&row.values).enumerate()
                            {
                                @if i > 0 { ", " }
                                span.seed { (seed) ": " (number::number(*value)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, values: &[f64]) -> Row {
        Row {
            setting: "s".into(),
            method: method.into(),
            metric: "test/x".into(),
            seeds: (0..values.len() as u64).collect(),
            values: values.to_vec(),
        }
    }

    fn form(rows: &[Row]) -> (Form, bool) {
        let rows: Vec<(&Row, Stat)> = rows.iter().map(|r| (r, Stat::of(&r.values))).collect();
        let (form, scale) = scale(&rows);
        (form, scale.is_log())
    }

    #[test]
    fn bars_begin_at_zero_unless_they_would_all_look_alike() {
        assert_eq!(form(&[row("a", &[0.9]), row("b", &[0.3])]), (Form::Bars, false));
        assert_eq!(form(&[row("a", &[0.93]), row("b", &[0.94])]), (Form::Dots, false));
        assert_eq!(form(&[row("a", &[-0.2]), row("b", &[0.3])]), (Form::Bars, false));
        assert_eq!(form(&[row("a", &[0.93])]), (Form::Bars, false));
        // One value is far from its mean: the whisker ends below zero, the axis is still log.
        assert_eq!(form(&[row("a", &[1e-4, 9.0]), row("b", &[3.0])]), (Form::Dots, true));
    }

    #[test]
    fn a_method_that_diverged_is_named_but_not_drawn() {
        let metric = MetricSpec::new("test/x", "", Better::Lower, "x");
        let rows = [row("good", &[0.2, 0.3]), row("diverged", &[f64::NAN, 1.0])];
        let html = bars("b", &metric, "s", &rows.iter().collect::<Vec<_>>(), &Palette::default()).0;
        assert!(html.contains("diverged") && html.contains("not finite"));
        assert_eq!(html.matches("<rect").count(), 1);
        assert!(!html.contains("NaN"));
    }
}
