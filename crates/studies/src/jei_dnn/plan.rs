//! The trainings of a run: backbones, the grid, the arms, and the curves through their points.

use pressrun_lab::{Arm, Better, Job, Result, Run, Trial};
use pressrun_nn::device;
use pressrun_nn::gate::{ThresholdExit, optimal_exit};

use super::frozen::{self, Frozen, Part};
use super::measure::{Curve, MEASURES, Outputs, Point, exits_of, position, spearman};
use super::train::{Exits, Task, Training};
use super::{BACKBONE, COSTS, Config, JEI, LONG, Method, ORACLE, Recipe, THRESHOLDS, failed};

/// Baselines that methods are held against at their own costs, and the group of those metrics.
pub const OWN_COSTS: [(&str, &str); 2] = [(THRESHOLDS, "own"), (LONG, "own-long")];

/// What is compared there.
pub const OWN_MEASURES: [&str; 3] = ["accuracy", "ece", "size"];

/// Name of the accuracy at a cost.
pub fn accuracy_at(cost: f64) -> String {
    format!("test/accuracy-at-{cost}")
}

/// What came out of a training.
#[derive(Debug, Clone)]
pub struct Outcome {
    method: Method,
    seed: u64,
    /// Weight of the cost, where the method has one.
    lambda: Option<f64>,
    /// The points of its gates, or of all of its thresholds.
    points: Vec<Point>,
    /// All rows leave at the first exit, and at the last one.
    ends: [Point; 2],
    /// All rows leave at their best exit by the labels.
    best: Point,
}

/// A curve under the name of a method, and what is reported beside it.
#[derive(Debug, Clone)]
struct Plot {
    curve: Curve,
    low: f64,
    extra: Vec<(&'static str, f64)>,
}

/// Pre-trains and freezes a backbone for each seed.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn pretrain(run: &Run<'_>, config: &Config) -> Result<Vec<Frozen>> {
    let steps = config.backbone_steps() as u64;
    let job = |&seed: &u64| Job::new(config.setting, BACKBONE, seed, steps);
    let jobs = run.seeds().iter().map(job).collect();
    run.arms(jobs, |arm| frozen::pretrain(arm, config))
}

/// The weights of the cost that a method is trained with; thresholds have none.
fn weights(method: Method, lambdas: &[f64]) -> Vec<Option<f64>> {
    match method.recipe {
        Recipe::Thresholds { .. } => vec![None],
        _ => lambdas.iter().copied().map(Some).collect(),
    }
}

/// The learning rate of each arm: the best of the same grid on the first seed.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn tune(run: &Run<'_>, config: &Config, frozen: &[Frozen]) -> Result<Vec<f64>> {
    if let [rate] = config.grid[..] {
        return Ok(vec![rate; config.methods.len()]);
    }
    let tried: Vec<(Method, f64)> = config
        .methods
        .iter()
        .flat_map(|&method| config.grid.iter().map(move |&lr| (method, lr)))
        .collect();
    let jobs = tried.iter().flat_map(|&(method, lr)| {
        let weights = weights(method, &config.tuning_lambdas);
        weights.into_iter().map(move |lambda| (method, lr, lambda))
    });
    let seed = run.seeds()[0];
    let jobs: Vec<_> = jobs.map(|(m, lr, l)| job(config, m, seed, lr, l, true, false)).collect();
    let counts = tried.iter().map(|&(method, _)| weights(method, &config.tuning_lambdas).len());
    let counts: Vec<usize> = counts.collect();
    let outcomes = run.arms(jobs, |arm| train(arm, config, &frozen[0]))?;
    let (mut trials, mut rest) = (Vec::new(), &outcomes[..]);
    for (&(method, lr), count) in tried.iter().zip(counts) {
        let (own, others) = rest.split_at(count);
        rest = others;
        trials.push(Trial {
            setting: config.setting.into(),
            method: method.name.into(),
            candidate: format!("lr {lr}"),
            value: curve(own).area(position("accuracy"), (frozen[0].costs.gated[0], 1.0)),
        });
    }
    let chosen = run.choose("mean validation accuracy over the costs", Better::Higher, &trials);
    Ok(chosen.into_iter().map(|at| tried[at].1).collect())
}

/// Trains every arm with every weight of the cost, under every seed.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn arms(
    run: &Run<'_>,
    config: &Config,
    frozen: &[Frozen],
    rates: &[f64],
) -> Result<Vec<Outcome>> {
    let mut jobs = Vec::new();
    for (&method, &lr) in config.methods.iter().zip(rates) {
        for &seed in run.seeds() {
            for lambda in weights(method, &config.lambdas) {
                let curves = method.name == JEI && seed == run.seeds()[0];
                jobs.push(job(config, method, seed, lr, lambda, false, curves));
            }
        }
    }
    let of = |seed: u64| run.seeds().iter().position(|s| *s == seed).unwrap_or(0);
    run.arms(jobs, |arm| train(arm, config, &frozen[of(arm.seed())]))
}

fn job(
    config: &Config,
    method: Method,
    seed: u64,
    lr: f64,
    lambda: Option<f64>,
    tuning: bool,
    curves: bool,
) -> Job<(Method, Task)> {
    let setting = lambda.map_or(config.setting.into(), |lambda| config.with_lambda(lambda));
    let task = Task { recipe: method.recipe, lr, lambda, tuning, curves };
    let epochs = match method.recipe {
        Recipe::Thresholds { as_long: false } => config.warm_up,
        _ => config.epochs,
    };
    let steps = epochs * (config.sizes.train / config.batch);
    Job::new(&setting, method.name, seed, steps as u64).with((method, task))
}

/// Trains an arm and measures it, on test data unless it is a candidate of the grid.
fn train(arm: &Arm<'_, (Method, Task)>, config: &Config, frozen: &Frozen) -> Result<Outcome> {
    let (method, task) = arm.config();
    let exits = Training::new(arm, config, frozen)?.run()?;
    let device = device::named(arm.run().device()).map_err(failed)?.inner();
    let of = |part: &Part| Outputs::of(&exits.classifiers, part, &device);
    let part = if task.tuning { &frozen.validation } else { &frozen.test };
    let (seen, calibration) = (of(part)?, of(&frozen.calibration)?);
    let cost = match exits.gate {
        Some(_) => &frozen.costs.gated,
        None => &frozen.costs.plain,
    };
    let point = |rule: &Rule<'_>| {
        Point::new(&seen, &rule(&seen), (&calibration, &rule(&calibration)), cost)
    };
    let points = rules(&exits, config, &of(&frozen.validation)?)?;
    let points: Vec<Point> = points.iter().map(|rule| point(rule)).collect();
    let lambda = task.lambda.unwrap_or(0.0);
    let best = |outputs: &Outputs| optimal_exit(&outputs.losses, cost, lambda);
    let ends = [0, seen.exits() - 1].map(|exit| point(&|outputs| vec![exit; outputs.rows()]));
    if let (false, Some(gate), [own]) = (task.tuning, &exits.gate, &points[..]) {
        let taken = exits_of(&gate.route(seen.features.clone()));
        let gap =
            seen.objective(&taken, cost, lambda)? - seen.objective(&best(&seen), cost, lambda)?;
        arm.result("test/accuracy", own.values[position("accuracy")]);
        arm.result("test/cost", own.cost);
        arm.result("oracle/gap", gap);
    }
    let best = point(&best);
    Ok(Outcome { method: *method, seed: arm.seed(), lambda: task.lambda, points, ends, best })
}

/// What decides about the exits of outputs.
type Rule<'a> = dyn Fn(&Outputs) -> Vec<usize> + 'a;

/// The gates' rule, or that of thresholds fitted on validation data, one for each share.
fn rules<'a>(
    exits: &'a Exits,
    config: &Config,
    validation: &Outputs,
) -> Result<Vec<Box<Rule<'a>>>> {
    if let Some(gate) = &exits.gate {
        let rule = |outputs: &Outputs| exits_of(&gate.route(outputs.features.clone()));
        return Ok(vec![Box::new(rule)]);
    }
    let confidence = validation.confidence();
    let rule = |share: &f64| {
        let powers = (1..=validation.exits() as i32).map(|k| share.powi(k));
        let fitted = ThresholdExit::fit(&confidence, &powers.collect::<Vec<_>>());
        let fitted = fitted.map_err(failed)?;
        let rule = move |outputs: &Outputs| exits_of(&fitted.route(&outputs.confidence()));
        Ok(Box::new(rule) as Box<Rule<'a>>)
    };
    config.shares.iter().map(rule).collect()
}

/// The curve of a method under one seed: its points and its ends. Leaving at once is the cheapest
/// model's, that with the largest weight of the cost.
fn curve(outcomes: &[Outcome]) -> Curve {
    let mut points: Vec<Point> = outcomes.iter().flat_map(|o| o.points.clone()).collect();
    points.extend(outcomes.last().map(|o| o.ends.clone()).into_iter().flatten());
    Curve::new(points)
}

/// Reports the curve of each method and seed, and that of the best exits by the labels.
///
/// # Errors
/// If the run is cancelled.
pub fn curves(
    run: &Run<'_>,
    config: &Config,
    frozen: &[Frozen],
    outcomes: &[Outcome],
) -> Result<()> {
    let mut jobs = Vec::new();
    let same = |a: &Outcome, b: &Outcome| (a.method.name, a.seed) == (b.method.name, b.seed);
    for own in outcomes.chunk_by(same) {
        let low = frozen[0].costs.gated[0];
        let (method, seed) = (own[0].method.name, own[0].seed);
        let plot = Plot { curve: curve(own), low, extra: extra(own) };
        jobs.push(Job::new(config.setting, method, seed, 1).with(plot));
        if method == JEI && own[0].lambda.is_some() {
            let best: Vec<Outcome> =
                own.iter().map(|o| Outcome { points: vec![o.best.clone()], ..o.clone() }).collect();
            let plot = Plot { curve: curve(&best), low, extra: Vec::new() };
            jobs.push(Job::new(config.setting, ORACLE, seed, 1).with(plot));
        }
    }
    run.arms(jobs, report)?;
    own_costs(run, config, outcomes);
    Ok(())
}

/// Reports each method less thresholds, at the costs of the method's own points: there it is a
/// model, and no lot between one and an end of the curve. Thresholds have points all along.
fn own_costs(run: &Run<'_>, config: &Config, outcomes: &[Outcome]) {
    let same = |a: &Outcome, b: &Outcome| (a.method.name, a.seed) == (b.method.name, b.seed);
    for (baseline, group) in OWN_COSTS {
        let of_baseline = outcomes.iter().filter(|o| o.method.name == baseline);
        let curves: Vec<(u64, Curve)> =
            of_baseline.map(|o| (o.seed, curve(std::slice::from_ref(o)))).collect();
        for own in outcomes.chunk_by(same).filter(|own| own[0].method.name != baseline) {
            let (method, seed) = (own[0].method.name, own[0].seed);
            let Some((_, curve)) = curves.iter().find(|(of, _)| *of == seed) else { continue };
            let points: Vec<&Point> = own.iter().flat_map(|o| &o.points).collect();
            for measure in OWN_MEASURES {
                let at = position(measure);
                let less = points.iter().map(|p| p.values[at] - curve.at(at, p.cost));
                let mean = less.sum::<f64>() / points.len() as f64;
                run.result(config.setting, method, &format!("{group}/{measure}"), seed, mean);
            }
        }
    }
}

/// What is said about the points of a method beside its curve.
fn extra(own: &[Outcome]) -> Vec<(&'static str, f64)> {
    let points = || own.iter().flat_map(|o| &o.points);
    let costs: Vec<f64> = points().map(|point| point.cost).collect();
    let slack = points().map(|point| point.oracle - point.values[position("accuracy")]);
    let mut extra = vec![
        ("oracle/slack", slack.fold(f64::INFINITY, f64::min)),
        ("curve/lowest-cost", costs.iter().copied().fold(f64::INFINITY, f64::min)),
        ("curve/highest-cost", costs.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    ];
    let lambdas: Vec<f64> = own.iter().filter_map(|o| o.lambda).collect();
    if let ([first, .., last], true) = (&costs[..], lambdas.len() == costs.len()) {
        extra.push(("curve/spearman", spearman(&lambdas, &costs)));
        extra.push(("curve/span", first - last));
    }
    extra
}

fn report(arm: &Arm<'_, Plot>) -> Result<()> {
    arm.step()?;
    let Plot { curve, low, extra } = arm.config();
    let accuracy = position("accuracy");
    let mut before = None;
    for point in curve.points() {
        let step = (1000.0 * point.cost).round() as u64;
        if before.replace(step) != Some(step) {
            arm.point("curve/accuracy", step, point.values[accuracy]);
        }
    }
    for cost in COSTS {
        arm.result(&accuracy_at(cost), curve.at(accuracy, cost));
    }
    arm.result("test/area", curve.area(accuracy, (*low, 1.0)));
    for (at, measure) in MEASURES.iter().enumerate() {
        let mean = COSTS.iter().map(|&cost| curve.at(at, cost)).sum::<f64>() / COSTS.len() as f64;
        arm.result(&format!("matched/{measure}"), mean);
    }
    for (metric, value) in extra {
        arm.result(metric, *value);
    }
    Ok(())
}
