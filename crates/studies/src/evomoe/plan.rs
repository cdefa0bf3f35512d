//! The trainings of a run: the grid, the arms, how soon each got where, and the control.

use pressrun_lab::{Better, Job, Result, Run, Trial};

use super::data::Text;
use super::model::GateKind;
use super::train::{Moment, Task, train};
use super::{COPIES, Config, Experts, Method, SWITCH, method};

/// A finished training.
#[derive(Debug)]
pub struct Curve {
    method: String,
    seed: u64,
    moments: Vec<Moment>,
}

/// Trains every arm under its seeds, with its learning rate, longest first.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn arms(run: &Run<'_>, config: &Config, text: &Text, rates: &[f64]) -> Result<Vec<Curve>> {
    let mut jobs = Vec::new();
    for (method, &lr) in config.methods.iter().zip(rates) {
        let seeds = run.seeds();
        let count = seeds.len().saturating_sub(method.fewer_seeds).max(1);
        for &seed in &seeds[..count] {
            jobs.push(job(config, method, seed, lr, config.steps, true));
        }
    }
    let names: Vec<(String, u64)> = jobs.iter().map(|j| (j.method.clone(), j.seed)).collect();
    let curves = run.arms(jobs, |arm| train(arm, config, text))?;
    let curve = |((method, seed), moments)| Curve { method, seed, moments };
    Ok(names.into_iter().zip(curves).map(curve).collect())
}

fn job(
    config: &Config,
    method: &Method,
    seed: u64,
    lr: f64,
    steps: usize,
    report: bool,
) -> Job<Task> {
    let task = Task { recipe: method.recipe, lr, steps, report };
    Job::new(config.setting, method.name, seed, steps as u64).with(task)
}

/// The learning rate of each arm: the best of the same grid on the first seed.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn tune(run: &Run<'_>, config: &Config, text: &Text) -> Result<Vec<f64>> {
    if let [rate] = config.grid[..] {
        return Ok(vec![rate; config.methods.len()]);
    }
    let seed = run.seeds()[0];
    let jobs = config.methods.iter().flat_map(|method| {
        let one = |&lr: &f64| job(config, method, seed, lr, config.tuning_steps, false);
        config.grid.iter().map(one).collect::<Vec<_>>()
    });
    let curves = run.arms(jobs.collect(), |arm| train(arm, config, text))?;
    let last = |curve: &Vec<Moment>| curve.last().map_or(f64::NAN, |moment| moment.sparse);
    let tried = config.methods.iter().flat_map(|m| config.grid.iter().map(move |&lr| (m, lr)));
    let trial = |((method, lr), curve): ((&Method, f64), &Vec<Moment>)| Trial {
        setting: config.setting.into(),
        method: method.name.into(),
        candidate: format!("lr {lr}"),
        value: last(curve),
    };
    let trials: Vec<Trial> = tried.zip(&curves).map(trial).collect();
    let metric = format!("validation NLL after {} updates", config.tuning_steps);
    let chosen = run.choose(&metric, Better::Lower, &trials);
    Ok(chosen.into_iter().map(|at| config.grid[at % config.grid.len()]).collect())
}

/// Reports the final validation NLL of each training, and how much sooner than Switch, under the
/// same seed, it reached Switch's. A training that never did has speed 0.
pub fn speeds(run: &Run<'_>, config: &Config, curves: &[Curve]) {
    for curve in curves {
        let report =
            |metric, value| run.result(config.setting, &curve.method, metric, curve.seed, value);
        let Some(last) = curve.moments.last() else { continue };
        report("validation/nll", last.sparse);
        let switch = curves.iter().find(|c| c.method == SWITCH && c.seed == curve.seed);
        let Some(switch) = switch.map(|c| &c.moments[..]) else { continue };
        let target = switch.last().map_or(f64::NAN, |moment| moment.sparse);
        let ratio = |nll: fn(&Moment) -> f64, cost: fn(&Moment) -> f64| {
            let first = |c: &[Moment]| c.iter().find(|m| nll(m) <= target).map(cost);
            match (first(switch), first(&curve.moments)) {
                (Some(switch), Some(own)) => switch / own,
                _ => 0.0,
            }
        };
        report("speed/updates", ratio(|m| m.as_trained, |m| m.step as f64));
        report("speed/updates_sparse", ratio(|m| m.sparse, |m| m.step as f64));
        report("speed/flops", ratio(|m| m.as_trained, |m| m.flops as f64));
    }
}

/// The control of the copies: not masked and under a gate that treats all alike, they stay equal.
///
/// # Errors
/// If the run is cancelled or the training fails.
pub fn control(run: &Run<'_>, config: &Config, text: &Text) -> Result<()> {
    if config.control_steps == 0 {
        return Ok(());
    }
    let copies = method(COPIES, Experts::Mature { rho: 0.0 }, GateKind::Uniform);
    let (seed, lr) = (run.seeds()[0], config.grid[0]);
    let job = job(config, &copies, seed, lr, config.control_steps, true);
    run.arms(vec![job], |arm| train(arm, config, text))?;
    Ok(())
}
