//! The random searches of a run, and what they found.

use pressrun_lab::{Better, Job, Result, Run, Trial};

use super::data::{Data, log_uniform, one_of};
use super::model::{GateKind, Setting};
use super::train::{Found, Task, draws, train};
use super::{Config, METHODS, Method};

/// Share of the trials, the best by validation, of which the test loss is reported.
const TOP: f64 = 0.25;

/// Runs a setting: every gate with the same trials.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn search(run: &Run<'_>, config: &Config) -> Result<()> {
    let data = Data::load(run, config.source, config.rows)?;
    let (trials, methods) = (run.seeds().to_vec(), config.methods());
    let steps = (config.epochs * (data.train.len() / config.batch)) as u64;
    let jobs = trials.iter().flat_map(|&trial| {
        let setting = draw(config, trial);
        methods.iter().map(move |m: &Method| {
            let curves = trial == trials_with_curves();
            let task = Task { gate: m.gate, search: m.search, setting, curves };
            Job::new(config.setting, m.name, trial, steps).with(task)
        })
    });
    let found = run.arms(jobs.collect(), |arm| train(arm, config, &data))?;
    for (at, method) in methods.iter().enumerate() {
        let own: Vec<Found> = found.iter().skip(at).step_by(methods.len()).copied().collect();
        report(run, config, method, &own);
    }
    ratios(run, config, &found, &methods);
    Ok(())
}

/// The only trial whose curves are shown.
fn trials_with_curves() -> u64 {
    0
}

/// What a trial is given; in quick runs the setting that stands in the configuration.
fn draw(config: &Config, trial: u64) -> Setting {
    if let Some(setting) = config.fixed {
        return setting;
    }
    let mut rng = draws(trial);
    Setting {
        lr: log_uniform(config.lr.0, config.lr.1, &mut rng),
        gamma: one_of(&config.gammas, &mut rng),
        lambda: one_of(&config.lambdas, &mut rng),
        search_epochs: one_of(&config.search_epochs, &mut rng),
    }
}

fn report(run: &Run<'_>, config: &Config, method: &Method, found: &[Found]) {
    let seeds = run.seeds();
    let put = |metric, trial: usize, value| {
        run.result(config.setting, method.name, metric, seeds[trial], value);
    };
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|a, b| found[*a].validation.total_cmp(&found[*b].validation));
    let top = ((TOP * found.len() as f64).round() as usize).max(1);
    let rows = found.iter().zip(seeds).map(|(found, &trial)| {
        let s = draw(config, trial);
        Trial {
            setting: config.setting.into(),
            method: method.name.into(),
            candidate: format!(
                "lr {:.1e}, gamma {}, lambda {}, search {} epochs",
                s.lr, s.gamma, s.lambda, s.search_epochs
            ),
            value: found.validation,
        }
    });
    run.choose("validation loss", Better::Lower, &rows.collect::<Vec<_>>());
    for &trial in &order[..top] {
        let found = &found[trial];
        put("top/test_loss", trial, found.test);
        put("top/score", trial, found.score);
        put("gate/overfull", trial, found.overfull);
        put("gate/sum_error", trial, found.sum_error);
        put("gate/active", trial, found.active);
        put("gate/jump", trial, found.jump);
    }
    for (trial, found) in found.iter().enumerate() {
        put("trial/validation_loss", trial, found.validation);
        put("trial/test_loss", trial, found.test);
    }
}

/// The expected test loss of the best, by validation, of `m` trials drawn without replacement.
///
/// ```text
/// sum_r P(r) loss_r        P(r) = C(n - r - 1, m - 1) / C(n, m), r the rank by validation from 0
/// ```
pub fn best_of(found: &[(f64, f64)], m: usize) -> f64 {
    let mut ranked = found.to_vec();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = ranked.len();
    let (mut expected, mut left) = (0.0, 1.0);
    for (rank, (_, test)) in ranked.iter().enumerate().take(n + 1 - m) {
        // Given that no better one was drawn, this one is among the m with probability m / rest.
        let p = m as f64 / (n - rank) as f64;
        expected += left * p * test;
        left *= 1.0 - p;
    }
    expected
}

/// How many trials a gate with local search needs for what its plain form has after all of them.
fn ratios(run: &Run<'_>, config: &Config, found: &[Found], methods: &[Method]) {
    let n = found.len() / methods.len();
    let of = |name: &str| {
        let at = methods.iter().position(|m| m.name == name)?;
        let own = found.iter().skip(at).step_by(methods.len());
        Some(own.map(|f| (f.validation, f.test)).collect::<Vec<_>>())
    };
    for pair in METHODS.iter().filter(|m| m.search && m.gate != GateKind::Comet) {
        let plain = pair.name.trim_end_matches('+');
        let (Some(searched), Some(plain)) = (of(pair.name), of(plain)) else { continue };
        let target = best_of(&plain, n);
        let needed = (1..=n).find(|m| best_of(&searched, *m) <= target);
        let ratio = needed.map_or(0.0, |m| n as f64 / m as f64);
        run.result(config.setting, pair.name, "search/ratio", run.seeds()[0], ratio);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three trials with test losses 1, 2, 6 in the order of validation: of one drawn the mean, 3;
    /// of two the first in 2 of 3 cases, else the second; of three the first.
    #[test]
    fn the_best_of_m_by_hand() {
        let found = [(0.3, 6.0), (0.1, 1.0), (0.2, 2.0)];
        let expected = [3.0, 2.0 / 3.0 + 2.0 / 3.0, 1.0];
        for (m, expected) in (1..).zip(expected) {
            assert!((best_of(&found, m) - expected).abs() < 1e-12, "{m}");
        }
    }
}
