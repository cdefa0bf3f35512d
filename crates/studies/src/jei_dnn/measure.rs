//! What a model with exits is worth: operating points, and curves through them.

use burn::tensor::{Device, Tensor, TensorData};
use pressrun_data::calibration::{Bins, conformal_quantile, ece, prediction_sets};
use pressrun_lab::Result;
use pressrun_nn::activation::softmax;
use pressrun_nn::gate::Routing;

use super::frozen::{Batch, Part, host};
use super::model::Classifiers;
use super::train::{all_losses, gate_features};

/// Bins of the calibration error.
const BINS: usize = 15;

/// Fewest samples of an exit that is calibrated by itself.
const FEWEST: usize = 20;

/// What is measured at a point, in the order of [`Point::values`].
pub const MEASURES: [&str; 9] = [
    "accuracy",
    "ece",
    "overconfidence",
    "size",
    "coverage",
    "size-by-exit",
    "coverage-by-exit",
    "size-0.01",
    "coverage-0.01",
];

/// Position of a measure.
pub fn position(measure: &str) -> usize {
    MEASURES.iter().position(|name| *name == measure).unwrap_or(MEASURES.len())
}

/// What classifiers say about a part of the data.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Of the right class, `[rows, exits]`.
    pub losses: Tensor<2>,
    /// For the gates, `[rows, gates, 4]`.
    pub features: Tensor<3>,
    /// `[exits, rows, classes]`.
    probabilities: Vec<f32>,
    labels: Vec<i64>,
    classes: usize,
    device: Device,
}

/// A model and rule at work on the reported data.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Mean cost.
    pub cost: f64,
    /// See [`MEASURES`].
    pub values: [f64; MEASURES.len()],
    /// Best accuracy at this cost of any rule on these classifiers.
    pub oracle: f64,
}

/// The points of a method, by cost; between them a model is drawn by lot.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    points: Vec<Point>,
}

impl Outputs {
    /// The outputs of these classifiers and the final head; all on the device without gradients.
    ///
    /// # Errors
    /// If the numbers are no floats.
    pub fn of(model: &Classifiers, part: &Part, device: &Device) -> Result<Self> {
        let batch = part.whole(device);
        let logits = model.forward(&batch.z);
        Self::new(logits, &batch, &part.labels)
    }

    /// From the logits of all exits but the last, one exit below the other.
    ///
    /// # Errors
    /// If the numbers are no floats.
    pub fn new(logits: Tensor<2>, batch: &Batch, labels: &[i64]) -> Result<Self> {
        let all = Tensor::cat(vec![logits.clone(), batch.head.clone()], 0);
        Ok(Self {
            losses: all_losses(logits.clone(), batch),
            features: gate_features(logits, batch.z.len()),
            probabilities: host(softmax(all))?,
            labels: labels.to_vec(),
            classes: batch.head.dims()[1],
            device: batch.head.device(),
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of exits.
    pub fn exits(&self) -> usize {
        self.losses.dims()[1]
    }

    fn p(&self, row: usize, exit: usize) -> &[f32] {
        let at = (exit * self.rows() + row) * self.classes;
        &self.probabilities[at..at + self.classes]
    }

    /// The first of the most likely classes, and its probability.
    fn answer(&self, row: usize, exit: usize) -> (usize, f32) {
        let p = self.p(row, exit);
        let best = (1..p.len()).fold(0, |best, c| if p[c] > p[best] { c } else { best });
        (best, p[best])
    }

    /// Whether the right class is the most likely one.
    pub fn right(&self, row: usize, exit: usize) -> bool {
        self.answer(row, exit).0 as i64 == self.labels[row]
    }

    /// One less the probability of the right class.
    fn score(&self, row: usize, exit: usize) -> f32 {
        1.0 - self.p(row, exit)[self.labels[row] as usize]
    }

    /// The largest probability, `[rows, exits]`.
    pub fn confidence(&self) -> Tensor<2> {
        let (rows, exits) = (self.rows(), self.exits());
        let of = |row| (0..exits).map(move |exit| self.answer(row, exit).1);
        let values: Vec<f32> = (0..rows).flat_map(of).collect();
        Tensor::from_data(TensorData::new(values, [rows, exits]), &self.device)
    }

    /// Mean over the rows of what `of` gives for a row and its exit.
    pub fn mean(&self, taken: &[usize], of: impl Fn(usize, usize) -> f64) -> f64 {
        let sum: f64 = taken.iter().enumerate().map(|(row, &exit)| of(row, exit)).sum();
        sum / self.rows().max(1) as f64
    }

    /// Share of right answers where each row leaves at its exit.
    pub fn accuracy(&self, taken: &[usize]) -> f64 {
        self.mean(taken, |row, exit| f64::from(u8::from(self.right(row, exit))))
    }

    /// Mean of the loss and the weighted cost.
    ///
    /// # Errors
    /// If the losses are no floats.
    pub fn objective(&self, taken: &[usize], cost: &[f64], lambda: f64) -> Result<f64> {
        let (losses, exits) = (host(self.losses.clone())?, self.exits());
        let loss = |row, exit| f64::from(losses[row * exits + exit]);
        Ok(self.mean(taken, |row, exit| loss(row, exit) + lambda * cost[exit]))
    }

    /// The best accuracy of any rule, also of one that knows the labels, at a mean cost.
    ///
    /// All rows leave at the first exit, but those that are right only later: as many of these as
    /// can be paid, the cheapest first, leave where they first are right. A row that is right
    /// nowhere costs least at the first exit.
    pub fn oracle(&self, cost: &[f64], budget: f64) -> f64 {
        let mut firsts = vec![0usize; self.exits()];
        for row in 0..self.rows() {
            if let Some(exit) = (0..self.exits()).find(|&exit| self.right(row, exit)) {
                firsts[exit] += 1;
            }
        }
        let mut left = (budget - cost[0]) * self.rows() as f64;
        let mut right = firsts[0] as f64;
        for (exit, &count) in firsts.iter().enumerate().skip(1) {
            let price = cost[exit] - cost[0];
            let paid = (left / price).clamp(0.0, count as f64);
            right += paid;
            left -= paid * price;
        }
        right / self.rows().max(1) as f64
    }

    /// Mean set size and coverage, calibrated on other outputs.
    fn sets(
        &self,
        taken: &[usize],
        (other, other_taken): (&Self, &[usize]),
        alpha: f64,
        by_exit: bool,
    ) -> [f64; 2] {
        let scores = |of: Option<usize>| -> Vec<f32> {
            let pairs = other_taken.iter().enumerate();
            let pairs = pairs.filter(|(_, exit)| of.is_none_or(|of| of == **exit));
            pairs.map(|(row, &exit)| other.score(row, exit)).collect()
        };
        let whole = conformal_quantile(&scores(None), alpha);
        let quantile = |exit| {
            let own = scores(Some(exit));
            if by_exit && own.len() > FEWEST { conformal_quantile(&own, alpha) } else { whole }
        };
        let quantiles: Vec<f32> = (0..self.exits()).map(quantile).collect();
        let mut sums = [0.0, 0.0];
        for (row, &exit) in taken.iter().enumerate() {
            let set = &prediction_sets(self.p(row, exit), self.classes, quantiles[exit])[0];
            sums[0] += set.len() as f64;
            sums[1] += f64::from(u8::from(set.contains(&(self.labels[row] as usize))));
        }
        sums.map(|sum| sum / self.rows().max(1) as f64)
    }
}

/// The exit of each row.
pub fn exits_of(routing: &Routing) -> Vec<usize> {
    let chosen = &routing.chosen;
    let exit = |row| (0..chosen.experts()).find(|&exit| chosen.get(row, exit)).unwrap_or(0);
    (0..chosen.tokens()).map(exit).collect()
}

impl Point {
    /// What these exits are worth, prediction sets calibrated on other outputs and their exits.
    pub fn new(
        outputs: &Outputs,
        taken: &[usize],
        calibration: (&Outputs, &[usize]),
        cost: &[f64],
    ) -> Self {
        let answers = taken.iter().enumerate().map(|(row, &exit)| outputs.answer(row, exit).1);
        let confidence: Vec<f32> = answers.collect();
        let rows = taken.iter().enumerate();
        let correct: Vec<bool> = rows.map(|(row, &exit)| outputs.right(row, exit)).collect();
        let accuracy = outputs.accuracy(taken);
        let sure = outputs.mean(taken, |row, _| f64::from(confidence[row]));
        let [size, coverage] = outputs.sets(taken, calibration, 0.05, false);
        let [by_exit, by_exit_coverage] = outputs.sets(taken, calibration, 0.05, true);
        let [wide, wide_coverage] = outputs.sets(taken, calibration, 0.01, false);
        let mean_cost = outputs.mean(taken, |_, exit| cost[exit]);
        let ece = ece(&confidence, &correct, BINS, Bins::EqualMass);
        Self {
            cost: mean_cost,
            values: [
                accuracy,
                ece,
                sure - accuracy,
                size,
                coverage,
                by_exit,
                by_exit_coverage,
                wide,
                wide_coverage,
            ],
            oracle: outputs.oracle(cost, mean_cost),
        }
    }
}

impl Curve {
    /// Through these points.
    pub fn new(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        Self { points }
    }

    /// The points, by cost.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// A measure at a cost; beyond its ends a curve is level.
    pub fn at(&self, measure: usize, cost: f64) -> f64 {
        let value = |point: &Point| point.values[measure];
        let after = self.points.partition_point(|point| point.cost <= cost);
        let (below, above) =
            (after.checked_sub(1).map(|at| &self.points[at]), self.points.get(after));
        match (below, above) {
            (Some(a), Some(b)) => {
                let part = (cost - a.cost) / (b.cost - a.cost);
                value(a) + part * (value(b) - value(a))
            }
            (Some(end), None) | (None, Some(end)) => value(end),
            (None, None) => f64::NAN,
        }
    }

    /// Mean of a measure over the costs from `low` to `high`: the area, divided by its width.
    pub fn area(&self, measure: usize, (low, high): (f64, f64)) -> f64 {
        let within = |cost: &f64| (low..high).contains(cost);
        let mut costs = vec![low];
        costs.extend(self.points.iter().map(|point| point.cost).filter(within));
        costs.push(high);
        let part = |pair: &[f64]| {
            // From the right side of one point to the left side of the next, so that of points
            // with the same cost each counts on its own side only.
            let ends = self.at(measure, pair[0]) + self.before(measure, pair[1]);
            0.5 * ends * (pair[1] - pair[0])
        };
        costs.windows(2).map(part).sum::<f64>() / (high - low)
    }

    /// The measure just before a cost.
    fn before(&self, measure: usize, cost: f64) -> f64 {
        match self.points.iter().find(|point| point.cost >= cost) {
            Some(point) if point.cost == cost => point.values[measure],
            _ => self.at(measure, cost),
        }
    }
}

/// Spearman's rank correlation; equal values share their mean rank. NaN if one side is constant.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |v: f64| {
            let below = values.iter().filter(|&&w| w < v).count();
            let equal = values.iter().filter(|&&w| w == v).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(|&v| rank(v)).collect()
    };
    let (x, y) = (ranks(x), ranks(y));
    let mean = (x.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()
}
