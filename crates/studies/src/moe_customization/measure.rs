//! What an arm did on the test pictures of each user, and what is reported of it.

use pressrun_data::significance::{mcnemar, paired_t};
use pressrun_lab::Run;

use super::global::{Seen, right};

/// An arm on test pictures of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Where its answer is right.
    pub right: Vec<bool>,
    /// Where the global expert's is.
    pub global: Vec<bool>,
    /// Where the local expert's is, for arms that choose between the two.
    pub local: Option<Vec<bool>>,
    /// Which pictures went to the local expert, for the same arms.
    pub routed: Option<Vec<bool>>,
}

impl Side {
    /// An arm that answers by itself.
    pub fn of_answers(seen: &Seen, answers: &[u8]) -> Self {
        let (right, global) = (right(answers, &seen.labels), seen.right());
        Self { right, global, local: None, routed: None }
    }

    /// An arm that takes the local expert's answer where `routed`, else the global expert's.
    pub fn of_routing(seen: &Seen, local: &[u8], routed: Vec<bool>) -> Self {
        let (global, local) = (seen.right(), right(local, &seen.labels));
        let experts = global.iter().zip(&local);
        let right = experts.zip(&routed).map(|((&g, &l), &to_local)| if to_local { l } else { g });
        Self { right: right.collect(), global, local: Some(local), routed: Some(routed) }
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        share(&self.right)
    }

    /// How much higher the share of right answers is than the global expert's.
    pub fn gain(&self) -> f64 {
        self.accuracy() - share(&self.global)
    }

    /// Share of the pictures that one of the experts has right.
    pub fn oracle(&self) -> Option<f64> {
        let either = self.global.iter().zip(self.local.as_ref()?).map(|(&g, &l)| g || l);
        Some(share(&either.collect::<Vec<_>>()))
    }

    /// Share that went to the local expert of the pictures that the global expert has right
    /// (`Some(true)`), wrong, or of all.
    pub fn rate(&self, global: Option<bool>) -> Option<f64> {
        let rows = self.global.iter().zip(self.routed.as_ref()?);
        let of = rows.filter(|(g, _)| global.is_none_or(|wanted| **g == wanted));
        Some(share(&of.map(|(_, &to_local)| to_local).collect::<Vec<_>>()))
    }
}

/// An arm on the two kinds of test pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Pictures that the user drew.
    pub user: Side,
    /// Generic pictures.
    pub generic: Side,
}

/// Share of `true`; of none, 0.
pub fn share(rows: &[bool]) -> f64 {
    rows.iter().filter(|&&row| row).count() as f64 / rows.len().max(1) as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Reports an arm over all users.
pub fn report(run: &Run<'_>, setting: &str, method: &str, seed: u64, outcomes: &[Outcome]) {
    let result = |metric: &str, value: f64| run.result(setting, method, metric, seed, value);
    let over = |part: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(part).collect::<Vec<f64>>();
    let gains = over(&|o| o.user.gain());
    // Not the negative: a gain of 0 is a drop of 0, not of -0.
    let drops = over(&|o| 0.0 - o.generic.gain());
    let worst = drops.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    result("user/accuracy", mean(&over(&|o| o.user.accuracy())));
    result("user/gain", mean(&gains));
    result("user/gain-least", gains.iter().copied().fold(f64::INFINITY, f64::min));
    result("generic/accuracy", mean(&over(&|o| o.generic.accuracy())));
    result("generic/drop", mean(&drops));
    result("generic/drop-worst", worst);
    if gains.len() >= 3
        && let Some(test) = paired_t(&gains)
    {
        result("user/p-t", test.p);
    }
    let exact = over(&|o| {
        let pairs = || o.user.right.iter().zip(&o.user.global);
        mcnemar(pairs().filter(|p| *p.0 && !p.1).count(), pairs().filter(|p| !p.0 && *p.1).count())
    });
    result("user/p-mcnemar", exact.into_iter().fold(0.0, f64::max));
    let both = mean(&gains) >= 0.05 && mean(&drops) <= 0.01;
    result("gate/keeps-both", f64::from(u8::from(both)));
    let rates = |part: &dyn Fn(&Outcome) -> Option<f64>| {
        outcomes.iter().map(part).collect::<Option<Vec<f64>>>().map(|rates| mean(&rates))
    };
    if let (Some(user), Some(generic), Some(wrong), Some(right)) = (
        rates(&|o| o.user.rate(None)),
        rates(&|o| o.generic.rate(None)),
        rates(&|o| o.user.rate(Some(false))),
        rates(&|o| o.user.rate(Some(true))),
    ) {
        result("gate/rate-user", user);
        result("gate/rate-generic", generic);
        result("gate/rate-errors", wrong);
        result("gate/rate-right", right);
        result("gate/selectivity", wrong - generic);
    }
    let above = |side: &Side| side.oracle().map(|oracle| side.accuracy() - oracle);
    let sides = outcomes.iter().flat_map(|o| [above(&o.user), above(&o.generic)]);
    if let Some(above) = sides.collect::<Option<Vec<f64>>>() {
        result("gate/above-oracle", above.into_iter().fold(f64::NEG_INFINITY, f64::max));
    }
}
