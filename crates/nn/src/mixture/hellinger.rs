//! The Hellinger distance between densities, on a grid.

use super::gate::Gate;
use super::model::GaussianMoe;

/// Equally spaced points with both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// First point.
    pub low: f64,
    /// Last point.
    pub high: f64,
    /// How many points, 2 or more.
    pub points: usize,
}

impl Grid {
    /// Distance between two points.
    pub fn spacing(&self) -> f64 {
        (self.high - self.low) / (self.points - 1) as f64
    }

    /// The points.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        let (low, spacing) = (self.low, self.spacing());
        (0..self.points).map(move |i| low + spacing * i as f64)
    }
}

/// The Hellinger distance of two densities, by the trapezoid rule.
///
/// ```text
/// h(f, g)^2 = 1/2 integral (sqrt f - sqrt g)^2 dy
/// ```
///
/// For normal mixtures the rule is exact to many digits once the spacing is below the standard
/// deviations; the grid has to reach as far as the densities.
///
/// # Panics
/// If the grid has fewer than 2 points.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Grid, hellinger};
///
/// let normal = |mean: f64| {
///     move |y: f64| (-0.5 * (y - mean).powi(2)).exp() / (2.0 * std::f64::consts::PI).sqrt()
/// };
/// let grid = Grid { low: -12.0, high: 12.0, points: 2401 };
/// // For two unit normals h^2 = 1 - exp(-(difference of the means)^2 / 8).
/// let expected = (1.0 - (-0.16f64 / 8.0).exp()).sqrt();
/// assert!((hellinger(normal(0.0), normal(0.4), &grid) - expected).abs() < 1e-12);
/// ```
pub fn hellinger(f: impl Fn(f64) -> f64, g: impl Fn(f64) -> f64, grid: &Grid) -> f64 {
    assert!(grid.points > 1, "hellinger: a grid of {} points", grid.points);
    let squares = grid.iter().map(|y| (f(y).sqrt() - g(y).sqrt()).powi(2));
    (0.5 * trapezoid(squares, grid)).sqrt()
}

fn trapezoid(values: impl Iterator<Item = f64>, grid: &Grid) -> f64 {
    let last = grid.points - 1;
    let halved = |(i, v): (usize, f64)| if i == 0 || i == last { 0.5 * v } else { v };
    values.enumerate().map(halved).sum::<f64>() * grid.spacing()
}

/// The mean over a grid of inputs of the Hellinger distance of two models with one input.
///
/// ```text
/// mean over x of h(p(. | x), q(. | x))
/// ```
///
/// # Panics
/// If a model has not exactly one input, or a grid fewer than 2 points.
pub fn mean_hellinger<G: Gate, H: Gate>(
    p: &GaussianMoe<G>,
    q: &GaussianMoe<H>,
    xs: &Grid,
    ys: &Grid,
) -> f64 {
    let one = p.gate.inputs() == 1 && q.gate.inputs() == 1;
    assert!(one && xs.points > 1, "mean_hellinger: models of one input, grids of 2 points or more");
    let sum: f64 = xs
        .iter()
        .map(|x| {
            let (f, g) = (p.conditional(x), q.conditional(x));
            hellinger(|y| density(&f, y), |y| density(&g, y), ys)
        })
        .sum();
    sum / xs.points as f64
}

/// Component of a normal mixture: factor, mean and `1 / (2 nu)`.
type Component = (f64, f64, f64);

impl<G: Gate> GaussianMoe<G> {
    /// The normal mixture at an input, without what has no weight.
    fn conditional(&self, x: f64) -> Vec<Component> {
        let weights = self.gate.weights(&[x]);
        let component = |(expert, w): (&super::Expert, f64)| {
            let factor = w / (2.0 * std::f64::consts::PI * expert.variance).sqrt();
            (factor, expert.slope[0] * x + expert.offset, 0.5 / expert.variance)
        };
        self.experts.iter().zip(weights).filter(|(_, w)| *w > 0.0).map(component).collect()
    }
}

#[inline]
fn density(mixture: &[Component], y: f64) -> f64 {
    let term = |&(factor, mean, precision): &Component| {
        factor * (-precision * (y - mean) * (y - mean)).exp()
    };
    mixture.iter().map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::{Expert, TopKGate};

    /// One expert N(a x, 1) against N(a x + e, 1) is `sqrt(1 - exp(-e^2 / 8))` at every x.
    #[test]
    fn shifted_experts_by_hand() {
        let model = |offset| {
            let gate = TopKGate::new(vec![0.0], vec![0.0], 1).unwrap();
            let expert = Expert { slope: vec![1.5], offset, variance: 1.0 };
            GaussianMoe::new(gate, vec![expert]).unwrap()
        };
        let (xs, ys) = (
            Grid { low: -1.0, high: 1.0, points: 20 },
            Grid { low: -12.0, high: 12.0, points: 601 },
        );
        let h = mean_hellinger(&model(0.0), &model(0.3), &xs, &ys);
        assert!((h - (1.0 - (-0.09f64 / 8.0).exp()).sqrt()).abs() < 1e-12);
        assert_eq!(mean_hellinger(&model(0.2), &model(0.2), &xs, &ys), 0.0);
    }
}
