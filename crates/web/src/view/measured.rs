//! What a run measured: result tables, charts, tuning, data. The same for a finished record and for
//! what a run has reported so far.

use std::collections::BTreeSet;

use maud::{Markup, html};
use pressrun_lab::manifest::PlotSpec;
use pressrun_lab::{Better, Curve, DataUse, MetricSpec, Record, Row, SeriesSpec, Stat, TuningRow};

use super::{icon, link};
use crate::chart::{self, Palette};
use crate::number;

/// Charts shown at once; the others are folded away.
const OPEN_CHARTS: usize = 6;
/// A tuning grid longer than this is folded away.
const OPEN_TUNING: usize = 12;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub metrics: &'a [MetricSpec],
    pub rows: &'a [Row],
    pub series: &'a [SeriesSpec],
    pub curves: &'a [Curve],
    pub tuning: &'a [TuningRow],
    pub data: &'a [DataUse],
    pub palette: &'a Palette,
}

impl<'a> Measured<'a> {
    /// What a record holds.
    pub(crate) fn of(record: &'a Record, palette: &'a Palette) -> Self {
        Self {
            metrics: &record.metrics,
            rows: &record.rows,
            series: &record.series,
            curves: &record.curves,
            tuning: &record.tuning,
            data: &record.data,
            palette,
        }
    }

    /// Result tables, one per setting, and a chart per metric and setting.
    pub(crate) fn results(&self) -> Markup {
        let settings = distinct(self.rows.iter().map(|r| r.setting.as_str()));
        html! {
            @if settings.is_empty() { p.empty { "No result has been reported yet." } }
            @for setting in &settings { (self.table(setting)) }
            (fold(self.bars(&settings), "more charts of results"))
        }
    }

    /// A line chart per series and setting.
    pub(crate) fn curves(&self) -> Markup {
        html! {
            @if self.curves.is_empty() { p.empty { "No curve has been reported yet." } }
            (fold(self.lines(), "more curves"))
        }
    }

    fn lines(&self) -> Vec<Markup> {
        let mut charts = Vec::new();
        for series in self.series {
            let of_series = || self.curves.iter().filter(|c| c.series == series.name);
            for setting in distinct(of_series().map(|c| c.setting.as_str())) {
                let curves: Vec<&Curve> = of_series().filter(|c| c.setting == setting).collect();
                let id = format!("curve-{}", charts.len());
                charts.push(chart::lines(&id, series, setting, &curves, self.palette));
            }
        }
        charts
    }

    fn bars(&self, settings: &[&str]) -> Vec<Markup> {
        let mut charts = Vec::new();
        for metric in self.metrics {
            for setting in settings {
                let same = |r: &&Row| r.setting == *setting && r.metric == metric.name;
                let rows: Vec<&Row> = self.rows.iter().filter(same).collect();
                if !rows.is_empty() {
                    let id = format!("result-{}", charts.len());
                    charts.push(chart::bars(&id, metric, setting, &rows, self.palette));
                }
            }
        }
        charts
    }

    /// One metric against another, a chart for each setting that has both; `number` tells several
    /// plots of a page apart.
    pub(crate) fn scatters(&self, number: usize, plot: &PlotSpec) -> Markup {
        let metric = |name: &str| self.metrics.iter().find(|m| m.name == name);
        let (Some(x), Some(y)) = (metric(&plot.x), metric(&plot.y)) else { return html! {} };
        let settings = distinct(self.rows.iter().map(|r| r.setting.as_str()));
        html! {
            @for (at, setting) in settings.iter().enumerate() {
                @let rows: Vec<&Row> =
                    self.rows.iter().filter(|r| r.setting == *setting).collect();
                @let id = format!("plot-{number}-{at}");
                (chart::scatter(&id, (x, y), setting, &rows, self.palette))
            }
        }
    }

    fn table(&self, setting: &str) -> Markup {
        let rows: Vec<&Row> = self.rows.iter().filter(|r| r.setting == setting).collect();
        let has = |m: &&MetricSpec| rows.iter().any(|r| r.metric == m.name);
        let metrics: Vec<&MetricSpec> = self.metrics.iter().filter(has).collect();
        let mut methods = distinct(rows.iter().map(|r| r.method.as_str()));
        methods.sort_by_key(|m| self.palette.order(m));
        let counts: BTreeSet<usize> = rows.iter().map(|r| r.values.len()).collect();
        let same_n = counts.len() == 1;
        let cell = |method: &str, metric: &MetricSpec| {
            let row = rows.iter().find(|r| r.method == method && r.metric == metric.name);
            row.map(|r| Stat::of(&r.values))
        };
        html! {
            div.scroll tabindex="0" role="group" aria-label={ "Results, " (setting) } {
                table.results {
                    caption {
                        strong { (setting) } " "
                        @match counts.first() {
                            Some(1) if same_n => "one seed",
                            Some(n) if same_n => {
                                "mean ± standard deviation over " (n) " seeds"
                            }
                            _ => "mean ± standard deviation, number of seeds in brackets",
                        }
                    }
                    thead {
                        tr {
                            th scope="col" { "method" }
                            @for metric in &metrics {
                                th.num scope="col" title=(metric.meaning) {
                                    (metric.name)
                                    @if !metric.unit.is_empty() { " " span.unit { "(" (metric.unit) ")" } }
                                    (direction(metric.better))
                                }
                            }
                        }
                    }
                    tbody {
                        @for method in &methods {
                            tr {
                                th scope="row" { (method) }
                                @for metric in &metrics {
                                    td.num {
                                        @if let Some(stat) = cell(method, metric) {
                                            @if is_best(metric, stat, &rows) {
                                                strong { (number::stat(&stat)) }
                                            } @else { (number::stat(&stat)) }
                                            @if !same_n { " (" (stat.n) ")" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Every candidate of every grid: the evidence that all methods were tuned alike.
    pub(crate) fn tuning(&self) -> Markup {
        let table = html! {
            div.scroll tabindex="0" role="group" aria-label="Tuning" {
                table.data {
                    thead {
                        tr {
                            @for name in ["setting", "method", "candidate", "chosen by"] {
                                th scope="col" { (name) }
                            }
                            th.num scope="col" { "value" }
                            th scope="col" { "chosen" }
                        }
                    }
                    tbody {
                        @for row in self.tuning {
                            tr {
                                td { (row.setting) }
                                td { (row.method) }
                                td { (row.candidate) }
                                td { (row.metric) }
                                td.num { (number::number(row.value)) }
                                td { @if row.chosen { span.yes { (icon::yes()) "chosen" } } }
                            }
                        }
                    }
                }
            }
        };
        html! {
            @if self.tuning.len() > OPEN_TUNING {
                details {
                    summary { "All " (self.tuning.len()) " candidates" }
                    (table)
                }
            } @else { (table) }
        }
    }

    /// The data sets used.
    pub(crate) fn data(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="group" aria-label="Data" {
                table.data {
                    thead {
                        tr {
                            @for name in ["data set", "part", "origin", "identity"] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for data in self.data {
                            tr {
                                th scope="row" { (data.name) }
                                td { (data.part) }
                                td { (data.origin) }
                                td.identity { (data.identity) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Results, curves, tuning and data of a record, a section each.
pub(crate) fn sections(record: &Record) -> Markup {
    let palette = Palette::of(record);
    let measured = Measured::of(record, &palette);
    html! {
        (section("Results", &measured.results()))
        @if !record.curves.is_empty() { (section("Curves", &measured.curves())) }
        @if !record.tuning.is_empty() {
            (section("Tuning", &html! {
                p { "Every candidate that was tried, for the method and for each baseline." }
                (measured.tuning())
            }))
        }
        @if !record.data.is_empty() { (section("Data", &measured.data())) }
    }
}

/// The lines that a study logged.
pub(crate) fn log(lines: &[String]) -> Markup {
    html! {
        ol.log data-role="log" tabindex="0" aria-label="Log" { @for line in lines { li { (line) } } }
    }
}

/// A heading with an address of its own.
pub(crate) fn section(title: &str, content: &Markup) -> Markup {
    let id = link::anchor(title);
    html! {
        section id=(id) aria-labelledby={ (id) "-h" } {
            h2 id={ (id) "-h" } { (title) }
            (content)
        }
    }
}

/// The first charts, and the others folded away.
fn fold(mut charts: Vec<Markup>, more: &str) -> Markup {
    let rest = charts.split_off(charts.len().min(OPEN_CHARTS));
    html! {
        @if !charts.is_empty() { div.charts { @for chart in &charts { (chart) } } }
        @if !rest.is_empty() {
            details.more {
                summary { (rest.len()) " " (more) }
                div.charts { @for chart in &rest { (chart) } }
            }
        }
    }
}

fn direction(better: Better) -> Markup {
    let (arrow, words) = match better {
        Better::Higher => ("↑", "more is better"),
        Better::Lower => ("↓", "less is better"),
        Better::Neither => return html! {},
    };
    html! { " " span.better title=(words) aria-label=(words) role="img" { (arrow) } }
}

/// Whether no other method of the setting has a better mean. With one method there is no best.
fn is_best(metric: &MetricSpec, stat: Stat, rows: &[&Row]) -> bool {
    let means: Vec<f64> = rows
        .iter()
        .filter(|r| r.metric == metric.name)
        .map(|r| Stat::of(&r.values).mean)
        .filter(|m| m.is_finite())
        .collect();
    let best = match metric.better {
        Better::Higher => means.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Better::Lower => means.iter().copied().fold(f64::INFINITY, f64::min),
        Better::Neither => return false,
    };
    means.len() > 1 && stat.mean == best
}

/// The distinct ones, in the order of their first appearance.
fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_best_finite_mean_in_the_metric_s_direction() {
        let row = |value: f64| Row {
            setting: "s".into(),
            method: format!("m{value}"),
            metric: "x".into(),
            seeds: vec![0],
            values: vec![value],
        };
        let rows = [row(0.2), row(0.7), row(f64::NAN)];
        let rows: Vec<&Row> = rows.iter().collect();
        let best = |better, value| {
            is_best(&MetricSpec::new("x", "", better, ""), Stat::exact(value), &rows)
        };
        assert!(best(Better::Higher, 0.7) && !best(Better::Higher, 0.2));
        assert!(best(Better::Lower, 0.2) && !best(Better::Lower, f64::NAN));
        assert!(!best(Better::Neither, 0.7));
        let alone = MetricSpec::new("x", "", Better::Higher, "");
        assert!(!is_best(&alone, Stat::exact(0.7), &rows[1..2]));
    }
}
