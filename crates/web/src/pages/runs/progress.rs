//! What a run has reported so far, gathered from its events.

use pressrun_catalog::Catalog;
use pressrun_lab::{Curve, DataUse, Event, MetricSpec, Results, Row, SeriesSpec, TuningRow};

use crate::Result;
use crate::chart::Palette;
use crate::view::Measured;

/// Events read at once.
const BATCH: u32 = 5000;

/// What a run has reported so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Arms side by side and seeds, once the run has begun.
    pub started: Option<(usize, Vec<u64>)>,
    pub series: Vec<SeriesSpec>,
    pub metrics: Vec<MetricSpec>,
    pub curves: Vec<Curve>,
    pub rows: Vec<Row>,
    pub tuning: Vec<TuningRow>,
    pub data: Vec<DataUse>,
    pub log: Vec<String>,
    pub palette: Palette,
}

impl Progress {
    /// Reads all events of a run.
    pub(super) async fn read(catalog: &Catalog, run: &str) -> Result<Self> {
        let mut events = Vec::new();
        let mut after = super::events::BEFORE_ALL;
        loop {
            let batch = catalog.events(run, after, BATCH).await?;
            let full = batch.len() == BATCH as usize;
            after = batch.last().map_or(after, |(seq, _)| *seq);
            events.extend(batch.into_iter().map(|(_, event)| event));
            if !full {
                return Ok(Self::of(events));
            }
        }
    }

    /// Gathers events; curves are thinned as in a record, because a page can draw no more.
    fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let mut progress = Self::default();
        let mut results = Results::default();
        for event in events {
            progress.add(event, &mut results);
        }
        for curve in &mut progress.curves {
            curve.thin();
        }
        progress.rows = results.into_rows();
        // In the order in which methods appear, so that none changes its colour while others come.
        let methods = progress.curves.iter().map(|c| &c.method);
        let methods = methods.chain(progress.rows.iter().map(|r| &r.method)).cloned();
        progress.palette = Palette::new(methods);
        progress
    }

    fn add(&mut self, event: Event, results: &mut Results) {
        match event {
            Event::Started { seeds, threads, series, metrics, .. } => {
                self.started = Some((threads, seeds));
                self.series = series;
                self.metrics = metrics;
            }
            Event::Point { setting, method, seed, series, step, value } => {
                let curve = Curve { setting, method, seed, series, points: Vec::new() };
                self.curve(curve).points.push((step, value));
            }
            Event::Result { setting, method, metric, seed, value } => {
                results.add(&setting, &method, &metric, seed, value.unwrap_or(f64::NAN));
            }
            Event::Tuning(row) => self.tuning.push(row),
            Event::Data(data) => self.data.push(data),
            Event::Log { text } => self.log.push(text),
            // The queue's own row says how far a run is and how it ended.
            Event::Progress { .. }
            | Event::Finished { .. }
            | Event::Failed { .. }
            | Event::Cancelled => {}
        }
    }

    fn curve(&mut self, new: Curve) -> &mut Curve {
        let same = |c: &Curve| {
            c.seed == new.seed
                && c.series == new.series
                && c.method == new.method
                && c.setting == new.setting
        };
        // Points of one arm come together: the one sought is among the last.
        let at = self.curves.iter().rposition(same).unwrap_or_else(|| {
            self.curves.push(new);
            self.curves.len() - 1
        });
        &mut self.curves[at]
    }

    pub(super) fn measured(&self) -> Measured<'_> {
        Measured {
            metrics: &self.metrics,
            rows: &self.rows,
            series: &self.series,
            curves: &self.curves,
            tuning: &self.tuning,
            data: &self.data,
            palette: &self.palette,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(method: &str, seed: u64, step: u64) -> Event {
        Event::Point {
            setting: "s".into(),
            method: method.into(),
            seed,
            series: "x".into(),
            step,
            value: Some(step as f64),
        }
    }

    #[test]
    fn points_of_arms_side_by_side_are_kept_apart() {
        let progress = Progress::of([
            point("b", 0, 1),
            point("a", 0, 1),
            point("b", 0, 2),
            point("b", 1, 1),
            Event::Log { text: "hello".into() },
        ]);
        let lengths: Vec<_> =
            progress.curves.iter().map(|c| (&*c.method, c.seed, c.points.len())).collect();
        assert_eq!(lengths, [("b", 0, 2), ("a", 0, 1), ("b", 1, 1)]);
        assert_eq!(progress.palette.methods(), ["b", "a"]);
        assert_eq!(progress.log, ["hello"]);
    }

    #[test]
    fn results_become_rows_and_a_missing_number_stays_missing() {
        let result = |seed, value| Event::Result {
            setting: "s".into(),
            method: "m".into(),
            metric: "x".into(),
            seed,
            value,
        };
        let progress = Progress::of([result(1, None), result(0, Some(0.5))]);
        assert_eq!(progress.rows[0].seeds, [0, 1]);
        assert!(progress.rows[0].values[1].is_nan());
    }
}
