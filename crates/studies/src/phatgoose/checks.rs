//! From numbers to verdicts.

use pressrun_lab::{Judge, Result, Results, Stat};

use super::{AVERAGE, MERGED, MULTITASK, PER_IMAGE, PHATGOOSE, RANDOM, RETRIEVAL};

/// The arms that route after the fact, as the paper does, by older means.
const BASELINES: [(&str, &str); 3] =
    [(RETRIEVAL, "retrieval"), (MERGED, "merged"), (AVERAGE, "average")];

/// Fills in every check whose numbers exist.
///
/// # Errors
/// If a check is not declared.
pub fn check(setting: &str, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
    let stat = |method: &str, metric: &str| results.stat(setting, method, metric);
    let has = |method: &str| results.has(setting, method, "test/mean");
    let mine = stat(PHATGOOSE, "test/mean")?;

    // C1: better than each older way, and than two of them by the means alone.
    let mut below = Vec::new();
    for (baseline, check) in BASELINES.into_iter().filter(|(name, _)| has(name)) {
        let other = stat(baseline, "test/mean")?;
        judge.compare("C1", check, (PHATGOOSE, mine), (baseline, other))?;
        below.push(mine.mean > other.mean);
    }
    if below.len() == BASELINES.len() {
        let count = below.iter().filter(|below| **below).count();
        judge.limit("C1", "two-of-three", (PHATGOOSE, Stat::exact(count as f64)))?;
    }
    if has(RANDOM) {
        let random = (RANDOM, stat(RANDOM, "test/mean")?);
        judge.compare("C1", "random", (PHATGOOSE, mine), random)?;
    }

    // C2: against all data at once, on the task on which the method comes closest, and on all.
    if has(MULTITASK) {
        let (task, mine, other) = closest(setting, results)?;
        let label = |method: &str| format!("{method}, {task}");
        let (left, right) = (label(PHATGOOSE), label(MULTITASK));
        judge.compare("C2", "one-task", (&left, mine), (&right, other))?;
        let (mine, other) = (stat(PHATGOOSE, "test/mean")?, stat(MULTITASK, "test/mean")?);
        judge.compare("C2", "gap", (PHATGOOSE, mine), (MULTITASK, other))?;
    }

    // C3: the right expert for each patch, more than one in a picture, and worth it.
    for (check, metric) in [
        ("agreement", "routing/above_chance"),
        ("entropy", "routing/token_entropy"),
        ("not-one", "routing/other_than_one"),
    ] {
        judge.limit("C3", check, (PHATGOOSE, stat(PHATGOOSE, metric)?))?;
    }
    if has(PER_IMAGE) {
        for (check, metric) in [("halves", "test/h1"), ("scattered", "test/h2")] {
            let image = (PER_IMAGE, stat(PER_IMAGE, metric)?);
            judge.compare("C3", check, (PHATGOOSE, stat(PHATGOOSE, metric)?), image)?;
        }
    }

    // C4: little work, and work that did something.
    judge.limit("C4", "cost", (PHATGOOSE, stat(PHATGOOSE, "gate/cost_share")?))?;
    judge.limit("C4", "learned", (PHATGOOSE, stat(PHATGOOSE, "gate/smallest_norm")?))
}

/// Of H1 to H3 the task on which the method is furthest above multitask training, or least below,
/// in standard errors; with one seed by the difference.
///
/// # Errors
/// If a number is missing.
pub fn closest(setting: &str, results: &Results) -> Result<(&'static str, Stat, Stat)> {
    let mut best: Option<(f64, (&'static str, Stat, Stat))> = None;
    for (task, metric) in [("H1", "test/h1"), ("H2", "test/h2"), ("H3", "test/h3")] {
        let mine = results.stat(setting, PHATGOOSE, metric)?;
        let other = results.stat(setting, MULTITASK, metric)?;
        let error = mine.standard_error().hypot(other.standard_error());
        let margin = (mine.mean - other.mean) / if error > 0.0 { error } else { 1.0 };
        if best.is_none_or(|(most, _)| margin > most) {
            best = Some((margin, (task, mine, other)));
        }
    }
    best.map(|(_, found)| found).ok_or_else(|| {
        pressrun_lab::Error::Study("no task on which multitask training was measured".into())
    })
}
