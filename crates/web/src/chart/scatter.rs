//! Charts of one metric against another: a point per method.

use maud::{Markup, html};
use pressrun_lab::{MetricSpec, Row, Stat};

use super::{Figure, Palette, Scale, at, cut, with_unit};
use crate::number;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 356.0;
/// Height of a line of text.
const LINE: f64 = 14.0;

/// A method in the plane.
#[derive(Debug)]
struct Point<'a> {
    method: &'a str,
    x: Stat,
    y: Stat,
}

/// A chart of one metric against another in one setting, a point for each method that has both.
///
/// Whiskers are one sample standard deviation to either side. Names stand beside the drawing at the
/// height of their points, moved apart where they would touch, and are joined to them by a line.
///
/// `rows` are the rows of that setting, and `id` must be unique on the page.
///
/// # Example
/// ```
/// use pressrun_lab::{Better, MetricSpec, Row};
/// use pressrun_web::chart::{Palette, scatter};
///
/// let cost = MetricSpec::new("train/cost", "", Better::Lower, "evaluations");
/// let loss = MetricSpec::new("test/loss", "", Better::Lower, "loss");
/// let row = |metric: &MetricSpec, value| Row {
///     setting: "s".into(),
///     method: "Switch".into(),
///     metric: metric.name.clone(),
///     seeds: vec![0],
///     values: vec![value],
/// };
/// let rows = [row(&cost, 2.0), row(&loss, 1.5)];
/// let palette = Palette::new(["Switch".to_owned()]);
/// let svg = scatter("a", (&cost, &loss), "s", &rows.iter().collect::<Vec<_>>(), &palette);
/// assert!(svg.into_string().contains("Points: Switch at"));
/// ```
pub fn scatter(
    id: &str,
    (x_metric, y_metric): (&MetricSpec, &MetricSpec),
    setting: &str,
    rows: &[&Row],
    palette: &Palette,
) -> Markup {
    let stat = |method: &str, metric: &MetricSpec| {
        let row = rows.iter().find(|r| r.method == method && r.metric == metric.name)?;
        Some(Stat::of(&row.values)).filter(|s| s.mean.is_finite())
    };
    let mut points: Vec<Point<'_>> = Vec::new();
    for row in rows.iter().filter(|r| r.metric == y_metric.name) {
        if let (Some(x), Some(y)) = (stat(&row.method, x_metric), stat(&row.method, y_metric)) {
            points.push(Point { method: &row.method, x, y });
        }
    }
    points.sort_by_key(|p| palette.order(p.method));
    let spread = |s: Stat| [s.mean - s.sd, s.mean, s.mean + s.sd];
    let x = Scale::new(points.iter().flat_map(|p| spread(p.x)), (LEFT, RIGHT), 6);
    let y = Scale::new(points.iter().flat_map(|p| spread(p.y)), (BOTTOM, TOP), 6);
    let labels = labels(&points, &y);
    let drawing = html! {
        svg.plot.wide viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-labelledby={ (id) "-t " (id) "-d" } {
            title id={ (id) "-t" } { (y_metric.name) " against " (x_metric.name) ", " (setting) }
            desc id={ (id) "-d" } { (describe(&points)) }
            (axes(&x, &y, x_metric, y_metric))
            @for (point, label) in points.iter().zip(labels) {
                (mark(point, label, &x, &y, palette))
            }
        }
    };
    Figure {
        id,
        name: &y_metric.name,
        setting,
        meaning: &format!("{}, against {}", y_metric.meaning, x_metric.meaning),
        drawing,
        legend: html! {},
        table: table((x_metric, y_metric), &points),
    }
    .render()
}

/// Heights of the names: those of the points, moved apart from top to bottom, and back up where
/// they would leave the drawing.
fn labels(points: &[Point<'_>], y: &Scale) -> Vec<f64> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    let place = |at: usize| y.place(points[at].y.mean).unwrap_or(BOTTOM);
    order.sort_by(|a, b| place(*a).total_cmp(&place(*b)));
    let mut heights = vec![0.0; points.len()];
    let mut lowest = f64::NEG_INFINITY;
    for &at in &order {
        heights[at] = place(at).max(lowest + LINE);
        lowest = heights[at];
    }
    let mut highest = BOTTOM + LINE;
    for &at in order.iter().rev() {
        heights[at] = heights[at].min(highest - LINE);
        highest = heights[at];
    }
    heights
}

fn mark(point: &Point<'_>, label: f64, x: &Scale, y: &Scale, palette: &Palette) -> Markup {
    let whisker = |scale: &Scale, stat: Stat| {
        let low = scale.place(stat.mean - stat.sd)?;
        Some((low, scale.place(stat.mean + stat.sd)?)).filter(|_| stat.n > 1 && stat.sd > 0.0)
    };
    html! {
        @if let (Some(cx), Some(cy)) = (x.place(point.x.mean), y.place(point.y.mean)) {
            g.bar-mark.(palette.class(point.method)) {
                path.whisker d={ "M" (at(cx)) " " (at(cy)) "L" (at(RIGHT + 6.0)) " " (at(label)) }
                    stroke-opacity="0.35" {}
                @if let Some((low, high)) = whisker(x, point.x) {
                    path.whisker d={ "M" (at(low)) " " (at(cy)) "H" (at(high)) } {}
                }
                @if let Some((low, high)) = whisker(y, point.y) {
                    path.whisker d={ "M" (at(cx)) " " (at(low)) "V" (at(high)) } {}
                }
                circle.mean cx=(at(cx)) cy=(at(cy)) r="5" {}
                text.method x=(at(RIGHT + 9.0)) y=(at(label + 4.0)) { (cut(point.method, 20)) }
            }
        }
    }
}

fn axes(x: &Scale, y: &Scale, x_metric: &MetricSpec, y_metric: &MetricSpec) -> Markup {
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
            text.label.end x=(at(RIGHT)) y=(at(HEIGHT - 8.0)) {
                (cut(&with_unit(&x_metric.name, &x_metric.unit), 60))
                @if x.is_log() { ", log scale" }
            }
            text.label x="2" y="12" {
                (cut(&with_unit(&y_metric.name, &y_metric.unit), 60))
                @if y.is_log() { ", log scale" }
            }
        }
    }
}

fn describe(points: &[Point<'_>]) -> String {
    if points.is_empty() {
        return "No method has both numbers.".to_owned();
    }
    let one = |p: &Point<'_>| {
        format!("{} at {}, {}", p.method, number::number(p.x.mean), number::number(p.y.mean))
    };
    format!("Points: {}.", points.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn table((x, y): (&MetricSpec, &MetricSpec), points: &[Point<'_>]) -> Markup {
    html! {
        table.data {
            thead {
                tr {
                    th scope="col" { "method" }
                    th.num scope="col" { (with_unit(&x.name, &x.unit)) }
                    th.num scope="col" { (with_unit(&y.name, &y.unit)) }
                    th.num scope="col" { "n" }
                }
            }
            tbody {
                @for point in points {
                    tr {
                        th scope="row" { (point.method) }
                        td.num { (number::stat(&point.x)) }
                        td.num { (number::stat(&point.y)) }
                        td.num { (point.y.n) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pressrun_lab::Better;

    use super::*;

    fn row(method: &str, metric: &str, values: &[f64]) -> Row {
        Row {
            setting: "s".into(),
            method: method.into(),
            metric: metric.into(),
            seeds: (0..values.len() as u64).collect(),
            values: values.to_vec(),
        }
    }

    fn render(rows: &[Row]) -> String {
        let metric = |name| MetricSpec::new(name, "", Better::Lower, name);
        let (x, y) = (metric("x"), metric("y"));
        let rows: Vec<&Row> = rows.iter().collect();
        scatter("a", (&x, &y), "s", &rows, &Palette::default()).0
    }

    #[test]
    fn a_method_needs_both_numbers() {
        let html = render(&[
            row("whole", "x", &[1.0, 2.0]),
            row("whole", "y", &[3.0, 4.0]),
            row("half", "y", &[3.0]),
            row("diverged", "x", &[1.0]),
            row("diverged", "y", &[f64::NAN]),
        ]);
        assert_eq!(html.matches("<circle").count(), 1);
        assert!(html.contains("whole at 1.5, 3.5") && !html.contains("half"), "{html}");
        assert!(render(&[]).contains("No method has both numbers."));
    }

    #[test]
    fn names_that_would_touch_are_moved_apart_and_stay_inside() {
        let stat = Stat::exact;
        let point = |y| Point { method: "m", x: stat(1.0), y: stat(y) };
        let points = [point(0.0), point(0.001), point(0.002), point(1.0)];
        let scale = Scale::new([0.0, 1.0].into_iter(), (BOTTOM, TOP), 5);
        let mut heights = labels(&points, &scale);
        heights.sort_by(f64::total_cmp);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 1e-9), "{heights:?}");
        assert!(*heights.last().unwrap() <= BOTTOM);
    }
}
