//! Numbers that change while a model trains: learning rates, temperatures, radii.

/// A number as a function of the step.
///
/// ```text
/// Constant     v
/// Linear       from + (to - from) t / steps                  then to
/// Exponential  from (to / from)^(t / steps)                  then to
/// Cosine       to + (from - to) (1 + cos(pi t / steps)) / 2  then to
/// Smoothed     0 until `start`; a (t - start)^4 up to a quarter of the ramp;
///              then linear with the same slope at the joint; `to` from `end` on
/// Steps        the value of the last milestone that was reached
/// WarmUp       from 0 linearly to the other schedule's value over its first `steps`
/// ```
///
/// `t` counts steps from 0.
///
/// # Source
/// Exponential and linear: temperatures of EvoMoE, arXiv:2112.14397 (`fairseq_cli/train.py` of the
/// authors). Smoothed: radius of certified training, arXiv:2103.17268.
///
/// # Example
/// ```
/// use pressrun_nn::schedule::Schedule;
///
/// let temperature = Schedule::Exponential { from: 2.0, to: 0.3, steps: 1000 };
/// assert_eq!(temperature.at(0), 2.0);
/// assert!((temperature.at(500) - 0.774597).abs() < 1e-6);
/// assert_eq!(temperature.at(1500), 0.3);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// The same value at all times.
    Constant(f64),
    /// A straight line.
    Linear {
        /// Value at step 0.
        from: f64,
        /// Value from `steps` on.
        to: f64,
        /// Length of the way.
        steps: usize,
    },
    /// A geometric progression; both values have the same sign and are not 0.
    Exponential {
        /// Value at step 0.
        from: f64,
        /// Value from `steps` on.
        to: f64,
        /// Length of the way.
        steps: usize,
    },
    /// Half a period of the cosine.
    Cosine {
        /// Value at step 0.
        from: f64,
        /// Value from `steps` on.
        to: f64,
        /// Length of the way.
        steps: usize,
    },
    /// From 0 to a value, slowly at first.
    Smoothed {
        /// Value from `end` on.
        to: f64,
        /// Last step with value 0.
        start: usize,
        /// First step with the whole value.
        end: usize,
    },
    /// Piecewise constant.
    Steps {
        /// Value before the first milestone.
        from: f64,
        /// (Step, value from then on), in order of steps.
        milestones: Vec<(usize, f64)>,
    },
    /// Another schedule, dampened at first.
    WarmUp {
        /// First step with the whole value.
        steps: usize,
        /// The schedule that is dampened.
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// The value at step `t`.
    pub fn at(&self, t: usize) -> f64 {
        let part = |steps: usize| (t as f64 / steps.max(1) as f64).min(1.0);
        match self {
            Self::Constant(value) => *value,
            Self::Linear { to, steps, .. }
            | Self::Exponential { to, steps, .. }
            | Self::Cosine { to, steps, .. }
                if t >= *steps =>
            {
                *to
            }
            Self::Linear { from, to, steps } => from + (to - from) * part(*steps),
            Self::Exponential { from, to, steps } => from * (to / from).powf(part(*steps)),
            Self::Cosine { from, to, steps } => {
                to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * part(*steps)).cos())
            }
            Self::Smoothed { to, start, end } => smoothed(t, *to, *start, *end),
            Self::Steps { from, milestones } => {
                milestones.iter().take_while(|(step, _)| *step <= t).last().map_or(*from, |m| m.1)
            }
            Self::WarmUp { steps, then } => then.at(t) * part(*steps),
        }
    }
}

fn smoothed(t: usize, to: f64, start: usize, end: usize) -> f64 {
    if t <= start {
        return 0.0;
    }
    if t >= end {
        return to;
    }
    let quarter = (end - start) / 4;
    let (i0, im, i1) = (start as f64, (start + quarter) as f64, end as f64);
    // a is such that the fourth power and the line meet at im with equal slope and the line
    // reaches `to` at i1: a (im-i0)^4 + 4 a (im-i0)^3 (i1-im) = to.
    let cube = (im - i0).powi(3);
    let a = to / ((i1 - im) * 4.0 * cube + (im - i0) * cube);
    let x = t as f64;
    if quarter == 0 {
        to * (x - i0) / (i1 - i0)
    } else if x < im {
        a * (x - i0).powi(4)
    } else {
        let joint = a * (im - i0).powi(4);
        joint + (to - joint) * (x - im) / (i1 - im)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn temperatures_of_the_evomoe_code() {
        let exponential = Schedule::Exponential { from: 2.0, to: 0.3, steps: 1000 };
        for (t, expected) in [(0, 2.0), (500, 0.774_597), (1000, 0.3), (1500, 0.3)] {
            assert!((exponential.at(t) - expected).abs() < 1e-6, "step {t}");
        }
        let linear = Schedule::Linear { from: 2.0, to: 0.3, steps: 1000 };
        for (t, expected) in [(0, 2.0), (500, 1.15), (1000, 0.3), (1500, 0.3)] {
            assert!((linear.at(t) - expected).abs() < 1e-12, "step {t}");
        }
    }

    /// Epochs of 100 batches, ramp from epoch 2 over 20 epochs, up to 0.3; expected numbers from
    /// `a = eps/((i1-im)*4*t+(im-i0)*t); a*(s-i0)**4 if s < im else ...` in Python.
    #[test]
    fn radii_of_the_smoothed_ramp() {
        let ramp = Schedule::Smoothed { to: 0.3, start: 100, end: 2100 };
        let expected = [
            (100, 0.0),
            (200, 3.7e-5),
            (400, 0.002_991),
            (600, 0.023_077),
            (1000, 0.096_923),
            (1500, 0.189_231),
            (2100, 0.3),
        ];
        for (t, eps) in expected {
            assert!((ramp.at(t) - eps).abs() < 1e-3 * eps.max(1e-3), "step {t}: {}", ramp.at(t));
        }
    }

    #[test]
    fn milestones_warm_up_and_cosine_by_hand() {
        let steps = Schedule::Steps { from: 1.0, milestones: vec![(10, 0.2), (20, 0.04)] };
        assert_eq!([9, 10, 19, 20].map(|t| steps.at(t)), [1.0, 0.2, 0.2, 0.04]);
        let warm = Schedule::WarmUp { steps: 4, then: Box::new(Schedule::Constant(8.0)) };
        assert_eq!([0, 1, 4, 9].map(|t| warm.at(t)), [0.0, 2.0, 8.0, 8.0]);
        let cosine = Schedule::Cosine { from: 1.0, to: 0.0, steps: 100 };
        assert!((cosine.at(50) - 0.5).abs() < 1e-12 && cosine.at(100) == 0.0);
        assert_eq!(Schedule::Linear { from: 1.0, to: 0.5, steps: 0 }.at(0), 0.5);
    }

    proptest! {
        #[test]
        fn a_smoothed_ramp_never_falls_and_stays_within(
            start in 0..50usize, length in 1..200usize, t in 0..300usize,
        ) {
            let ramp = Schedule::Smoothed { to: 0.3, start, end: start + length };
            prop_assert!((0.0..=0.3).contains(&ramp.at(t)));
            prop_assert!(ramp.at(t + 1) >= ramp.at(t) - 1e-12);
        }
    }
}
