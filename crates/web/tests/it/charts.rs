//! Charts as they come out, whole.

use pressrun_lab::{Better, Curve, MetricSpec, Row, SeriesSpec};
use pressrun_web::chart::{Palette, bars, lines};

fn curve(method: &str, seed: u64, values: &[Option<f64>]) -> Curve {
    Curve {
        setting: "digits".into(),
        method: method.into(),
        seed,
        series: "train/loss".into(),
        points: (1..).map(|i| i * 10).zip(values.iter().copied()).collect(),
    }
}

fn pretty(svg: &str) -> String {
    svg.replace("><", ">\n<")
}

#[test]
fn a_line_chart_with_two_seeds_a_gap_and_a_log_scale() {
    let series = SeriesSpec::new("train/loss", "nats", "update", "cross-entropy & <more>");
    let curves = [
        curve("MLP", 0, &[Some(9.0), Some(0.9), None, Some(0.009), Some(0.002)]),
        curve("MLP", 1, &[Some(7.0), Some(0.5), Some(0.1), Some(0.005), Some(0.001)]),
        curve("linear", 0, &[Some(8.0), Some(4.0), Some(2.0), Some(f64::NAN), Some(1.0)]),
    ];
    let palette = Palette::new(["MLP", "linear"].map(String::from));
    let chart = lines("loss", &series, "digits", &curves.iter().collect::<Vec<_>>(), &palette);
    insta::assert_snapshot!("line-chart", pretty(&chart.into_string()));
}

#[test]
fn a_bar_chart_with_whiskers_and_seeds() {
    let metric = MetricSpec::new("test/accuracy", "%", Better::Higher, "held-out accuracy");
    let row = |method: &str, values: &[f64]| Row {
        setting: "digits".into(),
        method: method.into(),
        metric: metric.name.clone(),
        seeds: (0..values.len() as u64).collect(),
        values: values.to_vec(),
    };
    let rows = [row("MLP", &[97.0, 96.0, 98.5]), row("linear", &[40.0, 44.0]), row("<none>", &[])];
    let palette = Palette::new(["MLP", "linear"].map(String::from));
    let chart = bars("acc", &metric, "digits", &rows.iter().collect::<Vec<_>>(), &palette);
    insta::assert_snapshot!("bar-chart", pretty(&chart.into_string()));
}
