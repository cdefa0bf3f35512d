//! Axes: from values to places, with ticks at round numbers.

use crate::number;

/// Beyond this ratio of the largest to the smallest positive value an axis is logarithmic.
const LOG_FROM: f64 = 1000.0;

/// An axis: a range of values, where it lies in the drawing, and its ticks.
///
/// ```text
/// linear:       place(v) = from + (v - low) / (high - low) * (to - from)
/// logarithmic:  the same of lg v, lg low, lg high
/// ```
///
/// # Example
/// ```
/// use pressrun_web::chart::Scale;
///
/// let scale = Scale::new([0.0, 0.93].into_iter(), (0.0, 100.0), 5);
/// assert_eq!(scale.place(0.5), Some(50.0));
/// let labels: Vec<_> = scale.ticks().into_iter().map(|t| t.label).collect();
/// assert_eq!(labels, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    step: f64,
    log: bool,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it lies in the drawing.
    pub place: f64,
    /// Its label.
    pub label: String,
}

impl Scale {
    /// A scale over the finite ones among `values`, drawn between `from` and `to`, with about
    /// `count` ticks. It is logarithmic if all values are positive and span more than three
    /// decades. Without any finite value it goes from 0 to 1.
    pub fn new(values: impl Iterator<Item = f64>, (from, to): (f64, f64), count: usize) -> Self {
        let (low, high) = bounds(values).unwrap_or((0.0, 1.0));
        if low > 0.0 && high / low > LOG_FROM {
            return Self::decimal(low, high, (from, to));
        }
        Self::linear(low, high, (from, to), count, true)
    }

    /// A logarithmic scale over the positive and finite ones among `values`, from one power of ten
    /// to another; if there are none, from 1 to 10.
    pub fn logarithmic(values: impl Iterator<Item = f64>, range: (f64, f64)) -> Self {
        let (low, high) = bounds(values.filter(|v| *v > 0.0)).unwrap_or((1.0, 10.0));
        Self::decimal(low, high, range)
    }

    fn decimal(low: f64, high: f64, (from, to): (f64, f64)) -> Self {
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        let high = high.max(low + 1.0);
        Self { low, high, from, to, step: 1.0, log: true }
    }

    /// A linear scale that ends exactly at `low` and `high`: for steps, of which none is left out.
    pub fn exact(low: f64, high: f64, range: (f64, f64), count: usize) -> Self {
        Self::linear(low, high, range, count, false)
    }

    fn linear(low: f64, high: f64, (from, to): (f64, f64), count: usize, round: bool) -> Self {
        let (low, high) = if high - low > f64::EPSILON * high.abs().max(low.abs()) {
            (low, high)
        } else {
            // One value only: something to either side of it.
            let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low - pad, low + pad)
        };
        let step = nice_step((high - low) / count.max(1) as f64);
        let (low, high) = if round {
            ((low / step).floor() * step, (high / step).ceil() * step)
        } else {
            (low, high)
        };
        Self { low, high, from, to, step, log: false }
    }

    /// Whether the scale is logarithmic.
    pub fn is_log(&self) -> bool {
        self.log
    }

    /// The lowest value on the axis.
    pub fn low(&self) -> f64 {
        if self.log { 10f64.powf(self.low) } else { self.low }
    }

    /// Where a value lies; `None` if it is not finite, or not positive on a logarithmic axis.
    pub fn place(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        let share = (value - self.low) / (self.high - self.low);
        let place = self.from + share * (self.to - self.from);
        place.is_finite().then_some(place)
    }

    /// The ticks, from low to high.
    pub fn ticks(&self) -> Vec<Tick> {
        if self.log {
            return self.decades();
        }
        let first = (self.low / self.step - 1e-9).ceil() as i64;
        let last = (self.high / self.step + 1e-9).floor() as i64;
        let values: Vec<f64> = (first..=last).map(|k| k as f64 * self.step).collect();
        let labels = number::ticks(&values, self.step);
        let tick = |(value, label)| self.place(value).map(|place| Tick { place, label });
        values.into_iter().zip(labels).filter_map(tick).collect()
    }

    fn decades(&self) -> Vec<Tick> {
        let (low, high) = (self.low as i32, self.high as i32);
        // More than six decades: every second, third ... one.
        let every = ((high - low) / 6 + 1) as usize;
        let tick = |exponent: i32| {
            let place = self.place(10f64.powi(exponent))?;
            Some(Tick { place, label: number::power_of_ten(exponent) })
        };
        (low..=high).step_by(every).filter_map(tick).collect()
    }
}

/// The step of ticks next above `rough`: 1, 2 or 5 times a power of ten.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let leading = rough / power;
    let nice = if leading <= 1.0 + 1e-9 {
        1.0
    } else if leading <= 2.0 + 1e-9 {
        2.0
    } else if leading <= 5.0 + 1e-9 {
        5.0
    } else {
        10.0
    };
    nice * power
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |found, v| match found {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], count: usize) -> Vec<String> {
        let scale = Scale::new(values.iter().copied(), (0.0, 100.0), count);
        scale.ticks().into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn steps_are_one_two_or_five() {
        for (rough, step) in [(0.013, 0.02), (0.2, 0.2), (3.0, 5.0), (7.0, 10.0), (1.0, 1.0)] {
            assert!((nice_step(rough) - step).abs() < 1e-12, "{rough}");
        }
    }

    #[test]
    fn ends_at_ticks_and_covers_the_values() {
        assert_eq!(labels(&[0.912, 0.947], 4), ["0.91", "0.92", "0.93", "0.94", "0.95"]);
        assert_eq!(labels(&[-3.0, 4.0], 4), ["−4", "−2", "0", "2", "4"]);
        let scale = Scale::new([0.912, 0.947].into_iter(), (100.0, 0.0), 4);
        let place = scale.place(0.912).unwrap();
        assert!((0.0..=100.0).contains(&place) && place > 90.0, "{place}");
    }

    #[test]
    fn more_than_three_decades_are_logarithmic() {
        assert_eq!(labels(&[0.002, 5.0], 4), ["10⁻³", "10⁻²", "10⁻¹", "1", "10"]);
        let scale = Scale::new([0.002, 5.0].into_iter(), (0.0, 100.0), 4);
        assert!(scale.is_log() && scale.place(0.0).is_none() && scale.place(-1.0).is_none());
        assert!(!Scale::new([0.0, 5000.0].into_iter(), (0.0, 1.0), 4).is_log());
    }

    #[test]
    fn a_logarithmic_scale_is_asked_for_whatever_the_span() {
        let scale = Scale::logarithmic([300.0, 2000.0, 0.0].into_iter(), (0.0, 100.0));
        let labels: Vec<String> = scale.ticks().into_iter().map(|t| t.label).collect();
        assert_eq!(labels, ["10²", "10³", "10⁴"]);
        assert!((scale.place(1000.0).unwrap() - 50.0).abs() < 1e-9);
        assert!(Scale::logarithmic([10.0].into_iter(), (0.0, 1.0)).ticks().len() == 2);
        assert!(Scale::logarithmic([-1.0].into_iter(), (0.0, 1.0)).is_log());
    }

    #[test]
    fn one_value_or_none_still_makes_an_axis() {
        assert!(labels(&[0.5], 4).len() >= 2);
        assert!(labels(&[f64::NAN], 4).len() >= 2);
        assert_eq!(Scale::new([0.0].into_iter(), (0.0, 10.0), 4).place(0.0), Some(5.0));
        assert_eq!(Scale::new([1.0].into_iter(), (0.0, 10.0), 4).place(f64::NAN), None);
    }
}
