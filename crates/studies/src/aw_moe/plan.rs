//! The trainings of a run: the grids, the arms on each seed's market, and the control market.

use std::sync::Arc;

use pressrun_lab::{Better, Job, Result, Run, Trial};

use super::data::{Market, MarketConfig};
use super::train::{Outcome, Task, slices, steps, train};
use super::{AW, BAYES, CL, CONTROL, Config, DIN, METRICS, Method, SLICES};

/// What is tried of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    lr: f64,
    lambda: f64,
}

/// A training that is reported.
#[derive(Debug)]
struct Trained {
    method: &'static str,
    seed: u64,
    test: [[f64; 3]; 3],
}

/// Place of the AUC within a session among the metrics.
const SESSION_AUC: usize = 1;
/// Place of the NDCG.
const NDCG: usize = 2;

/// Runs the market with personal interactions, and the control where there is one.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn run(run: &Run<'_>, config: &Config) -> Result<()> {
    let leads = setting(run, config)?;
    if config.control.is_empty() {
        return Ok(());
    }
    let control = Config {
        setting: CONTROL,
        methods: config.control.clone(),
        market: MarketConfig { groups: 1, ..config.market.clone() },
        ..config.clone()
    };
    let without = setting(run, &control)?;
    for ((seed, lead), (_, without)) in leads.iter().zip(&without) {
        run.result(config.setting, DIN, "lead/personal", *seed, lead - without);
    }
    Ok(())
}

/// Tunes and trains every arm of one setting; gives the lead over DIN of each seed.
fn setting(run: &Run<'_>, config: &Config) -> Result<Vec<(u64, f64)>> {
    let mut markets = Vec::new();
    for &seed in run.seeds() {
        run.check_cancelled()?;
        let market = Market::generate(&config.market, seed)?;
        run.data(market.data_use.clone());
        markets.push((seed, Arc::new(market)));
    }
    let chosen = tune(run, config, &markets[0])?;
    let mut jobs = Vec::new();
    let mut names = Vec::new();
    for (method, candidate) in config.methods.iter().zip(&chosen) {
        for market in &markets {
            jobs.push(job(config, method, *candidate, market, true));
            names.push((method.name, market.0));
        }
    }
    let outcomes = run.arms(jobs, |arm| train(arm, config))?;
    let trained = names.into_iter().zip(outcomes).filter_map(|((method, seed), outcome)| {
        outcome.test.map(|test| Trained { method, seed, test })
    });
    report(run, config, &trained.collect::<Vec<_>>(), &markets)
}

fn job(
    config: &Config,
    method: &Method,
    candidate: Candidate,
    (seed, market): &(u64, Arc<Market>),
    report: bool,
) -> Job<Task> {
    let Candidate { lr, lambda } = candidate;
    let task = Task { kind: method.kind, lr, lambda, report, market: market.clone() };
    Job::new(config.setting, method.name, *seed, steps(config)).with(task)
}

/// The candidate of each arm: the best of its grid on the first seed.
///
/// The arm with the contrastive loss takes the learning rate of the arm without, so that it differs
/// from it in that loss alone.
fn tune(run: &Run<'_>, config: &Config, market: &(u64, Arc<Market>)) -> Result<Vec<Candidate>> {
    let plain: Vec<&Method> = config.methods.iter().filter(|m| !m.contrastive).collect();
    let rates: Vec<Candidate> = config.lr.iter().map(|&lr| Candidate { lr, lambda: 0.0 }).collect();
    let chosen = try_all(run, config, &plain, &rates, market)?;
    let of = |name: &str| plain.iter().position(|m| m.name == name).map(|at| chosen[at]);
    let lr = of(AW).map_or(config.lr[0], |candidate| candidate.lr);
    let factors: Vec<Candidate> =
        config.lambda.iter().map(|&lambda| Candidate { lr, lambda }).collect();
    let with: Vec<&Method> = config.methods.iter().filter(|m| m.contrastive).collect();
    let mut with = try_all(run, config, &with, &factors, market)?.into_iter();
    let mut plain = chosen.into_iter();
    let next = |m: &Method| if m.contrastive { with.next() } else { plain.next() };
    Ok(config.methods.iter().filter_map(next).collect())
}

fn try_all(
    run: &Run<'_>,
    config: &Config,
    methods: &[&Method],
    grid: &[Candidate],
    market: &(u64, Arc<Market>),
) -> Result<Vec<Candidate>> {
    if let [only] = grid {
        return Ok(vec![*only; methods.len()]);
    }
    let tried: Vec<(&Method, Candidate)> =
        methods.iter().flat_map(|&m| grid.iter().map(move |&c| (m, c))).collect();
    let jobs = tried.iter().map(|(m, c)| job(config, m, *c, market, false)).collect();
    let outcomes = run.arms(jobs, |arm| train(arm, config))?;
    let trial = |((method, c), outcome): (&(&Method, Candidate), &Outcome)| Trial {
        setting: config.setting.into(),
        method: method.name.into(),
        candidate: match method.contrastive {
            true => format!("lr {}, lambda {}", c.lr, c.lambda),
            false => format!("lr {}", c.lr),
        },
        value: outcome.validation,
    };
    let trials: Vec<Trial> = tried.iter().zip(&outcomes).map(trial).collect();
    let chosen = run.choose("AUC within validation sessions", Better::Higher, &trials);
    Ok(chosen.into_iter().map(|at| tried[at].1).collect())
}

/// The reference of each market, and what each arm's numbers are against it and against `AW-MoE`'s.
fn report(
    run: &Run<'_>,
    config: &Config,
    trained: &[Trained],
    markets: &[(u64, Arc<Market>)],
) -> Result<Vec<(u64, f64)>> {
    let mut leads = Vec::new();
    for (seed, market) in markets {
        let of = |method, metric: &str, value| {
            run.result(config.setting, method, metric, *seed, value);
        };
        let bayes = slices(market, &market.test.utility)?;
        for (values, slice) in bayes.iter().zip(SLICES) {
            for (value, metric) in values.iter().zip(METRICS) {
                of(BAYES, &format!("{slice}/{metric}"), *value);
            }
        }
        let arms = || trained.iter().filter(|t| t.seed == *seed);
        let aw = arms().find(|t| t.method == AW).map(|t| t.test);
        for Trained { method, test, .. } in arms() {
            of(method, "bayes/headroom", bayes[0][SESSION_AUC] - test[0][SESSION_AUC]);
            let Some(aw) = aw.filter(|_| *method != AW) else { continue };
            let gain = |slice: usize, metric: usize| test[slice][metric] - aw[slice][metric];
            if *method == CL {
                let [all, head, tail] = [0, 1, 2].map(|slice| gain(slice, SESSION_AUC));
                of(method, "gain/all", all);
                of(method, "gain/head", head);
                of(method, "gain/tail", tail);
                of(method, "gain/tail_minus_head", tail - head);
            } else {
                of(method, "lead/session_auc", -gain(0, SESSION_AUC));
                of(method, "lead/ndcg", -gain(0, NDCG));
            }
            if *method == DIN {
                leads.push((*seed, -gain(0, SESSION_AUC)));
            }
        }
    }
    Ok(leads)
}
