//! What studies of rates of convergence report: errors on logarithmic axes, and their slopes.

use pressrun_lab::{Better, MetricSpec, Run, SeriesSpec, stream};
use pressrun_nn::mixture::loglog_slope;

/// Resamples of a bootstrap interval.
const RESAMPLES: usize = 1000;

/// The series of errors with these names and meanings, against the size of the sample.
pub(crate) fn series(errors: &[(&str, &str)]) -> Vec<SeriesSpec> {
    let rate = |(name, meaning): &(&str, &str)| {
        SeriesSpec::new(&format!("rate/{name}"), "", "sample", meaning).log_log()
    };
    errors.iter().map(rate).collect()
}

/// The metrics of their slopes, each with its interval.
pub(crate) fn metrics(errors: &[(&str, &str)]) -> Vec<MetricSpec> {
    let mut metrics = Vec::new();
    for (name, meaning) in errors {
        let m = |part: &str, meaning: &str| {
            MetricSpec::new(&format!("slope/{name}{part}"), "", Better::Neither, meaning)
        };
        metrics.push(m("", &format!("slope of ln mean error on ln n: {meaning}")));
        metrics.push(m("_low", "lower end of its 95 % bootstrap interval over seeds"));
        metrics.push(m("_high", "upper end of it"));
    }
    metrics
}

/// Reports the slope of one error and its interval; `errors` holds, for each of the sizes `ns`, the
/// error under each seed.
pub(crate) fn slope(
    run: &Run<'_>,
    (setting, method, error): (&str, &str, &str),
    ns: &[f64],
    errors: &[Vec<f64>],
) {
    let seed = run.seeds()[0];
    let slope = loglog_slope(ns, errors, RESAMPLES, &mut stream(seed, error));
    for (part, value) in [("", slope.slope), ("_low", slope.low), ("_high", slope.high)] {
        run.result(setting, method, &format!("slope/{error}{part}"), seed, value);
    }
}
