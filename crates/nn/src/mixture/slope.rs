//! How fast an error falls with the size of the sample.

use rand::{Rng, RngExt};

/// A slope in double-logarithmic axes, with a bootstrap interval over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The slope of the logarithm of the mean error over seeds against `ln n`.
    pub slope: f64,
    /// Standard deviation over the resamples.
    pub standard_error: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Share of the resamples inside the interval.
const LEVEL: f64 = 0.95;

/// The rate at which an error falls: a slope of -1/2 is an error of the order `n^(-1/2)`.
///
/// ```text
/// slope = least squares of ln(mean over seeds of error) on ln n
/// ```
///
/// The interval holds the middle 95 % of the slopes of resamples. A resample draws as many seeds as
/// there are, with replacement, and keeps a seed's errors at all `n` together, because they have a
/// start in common.
///
/// # Shapes
/// - `ns`: the sizes; `errors`: for each size, one error for each seed, in the same order
///
/// # Panics
/// If there are fewer than two sizes, no seeds, no resamples, or the lengths do not fit.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::loglog_slope;
/// use rand::SeedableRng;
///
/// let ns = [100.0, 400.0, 1600.0];
/// let errors = [vec![1.0, 3.0], vec![0.5, 1.5], vec![0.25, 0.75]];
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let rate = loglog_slope(&ns, &errors, 200, &mut rng);
/// assert!((rate.slope + 0.5).abs() < 1e-12 && rate.high - rate.low < 1e-12);
/// ```
pub fn loglog_slope(
    ns: &[f64],
    errors: &[Vec<f64>],
    resamples: usize,
    rng: &mut (impl Rng + ?Sized),
) -> Slope {
    let seeds = errors.first().map_or(0, Vec::len);
    let fits = ns.len() == errors.len() && errors.iter().all(|e| e.len() == seeds);
    assert!(fits && ns.len() > 1, "loglog_slope: two sizes or more, and errors for each seed");
    assert!(seeds > 0 && resamples > 0, "loglog_slope: {seeds} seeds, {resamples} resamples");
    let logs: Vec<f64> = ns.iter().map(|n| n.ln()).collect();
    let of = |drawn: &[usize]| {
        let mean = |e: &Vec<f64>| drawn.iter().map(|&s| e[s]).sum::<f64>() / drawn.len() as f64;
        let means: Vec<f64> = errors.iter().map(|e| mean(e).ln()).collect();
        fit_slope(&logs, &means)
    };
    let slope = of(&(0..seeds).collect::<Vec<_>>());
    let mut slopes: Vec<f64> = (0..resamples)
        .map(|_| of(&(0..seeds).map(|_| rng.random_range(0..seeds)).collect::<Vec<_>>()))
        .collect();
    slopes.sort_by(f64::total_cmp);
    let mean = slopes.iter().sum::<f64>() / resamples as f64;
    let variance = slopes.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / resamples as f64;
    let tail = (0.5 * (1.0 - LEVEL) * resamples as f64) as usize;
    let (low, high) = (slopes[tail], slopes[resamples - 1 - tail]);
    Slope { slope, standard_error: variance.sqrt(), low, high }
}

/// The slope of the least squares line through the points.
///
/// # Panics
/// If the lengths differ.
pub fn fit_slope(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "fit_slope: {} and {} numbers", x.len(), y.len());
    let n = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let cross: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    cross / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    /// ln n = 0, 1, 2 and ln e = 0, -1, -1: the mean is -2/3, the slope ((1)(2/3) - (1)(1/3)) / 2
    /// with the sign of a fall, -1/2.
    #[test]
    fn slope_by_hand() {
        assert!((fit_slope(&[0.0, 1.0, 2.0], &[0.0, -1.0, -1.0]) + 0.5).abs() < 1e-15);
    }

    /// Errors |N(0, 1)| n^(-1/2): the interval covers -1/2 about as often as it says, and a flat
    /// error is never taken for one that falls.
    #[test]
    fn the_interval_covers_the_truth() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let ns = [300.0, 1e3, 3e3, 1e4, 3e4];
        let (mut covered, mut flat) = (0, 0);
        for _ in 0..60 {
            let mut draw = |power: f64| -> Vec<Vec<f64>> {
                let error = |n: f64, rng: &mut ChaCha8Rng| {
                    rng.sample::<f64, _>(StandardNormal).abs() * n.powf(power)
                };
                ns.iter().map(|&n| (0..10).map(|_| error(n, &mut rng)).collect()).collect()
            };
            let (falling, level) = (draw(-0.5), draw(0.0));
            let mut bootstrap = ChaCha8Rng::seed_from_u64(6);
            let rate = loglog_slope(&ns, &falling, 200, &mut bootstrap);
            covered += usize::from(rate.low <= -0.5 && -0.5 <= rate.high);
            flat += usize::from(loglog_slope(&ns, &level, 200, &mut bootstrap).high > -0.3);
        }
        assert!(covered >= 48, "{covered} of 60");
        assert_eq!(flat, 60);
    }
}
