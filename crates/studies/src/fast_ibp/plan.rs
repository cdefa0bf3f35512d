//! What is run in which order: learning rates, arms, and widths at initialisation.

use std::sync::Arc;

use burn::tensor::Device;
use pressrun_lab::{Arm, Better, Job, Result, Run, Trial};
use pressrun_nn::attack::PgdConfig;
use pressrun_nn::bound::{BoundedNet, HiddenInit, ibp_std, normal_mean_abs, width_gain};
use pressrun_nn::device;
use pressrun_nn::init::Init;

use super::data::Pictures;
use super::evaluate::{Boxes, attacked, errors, escapes, share, still};
use super::train::{failed, network, train};
use super::{Config, Recipe, Setting, Task, XAVIER, width};

/// What the name of a setting ends with where nothing is trained.
pub const AT_INIT: &str = ", untrained";

/// Initial weights whose widths are measured, by name, with the id of their check.
pub const INITS: [(&str, HiddenInit, &str); 3] = [
    ("IBP init", HiddenInit::Ibp, "ibp-gain"),
    ("Xavier init", XAVIER, "xavier-gain"),
    (
        "Kaiming init",
        HiddenInit::Rule(Init::KaimingNormal { gain: std::f64::consts::SQRT_2 }),
        "kaiming-gain",
    ),
];

/// Name of the setting in which the widths of untrained networks stand.
pub fn at_init(setting: &str) -> String {
    format!("{setting}{AT_INIT}")
}

/// Runs all of it.
pub fn run(run: &Run<'_>, config: &Config) -> Result<()> {
    let device = device::named(run.device()).map_err(failed)?;
    let mut tasks = Vec::new();
    for setting in &config.settings {
        let setting = Arc::new(setting.clone());
        for &seed in run.seeds() {
            let pictures = Pictures::load(run, setting.source, setting.sizes, seed)?;
            let pictures = Arc::new(pictures);
            for &(name, method) in &setting.arms {
                let task = Task {
                    setting: setting.clone(),
                    pictures: pictures.clone(),
                    method,
                    lr: setting.lr[0],
                    report: true,
                };
                tasks.push((name, seed, task));
            }
        }
    }
    let chosen = pilot(run, config, &tasks, &device)?;
    for ((_, _, task), lr) in tasks.iter_mut().zip(chosen) {
        task.lr = lr;
    }
    let mut jobs: Vec<Job<Task>> =
        tasks.iter().map(|(name, seed, t)| job(name, *seed, t)).collect();
    longest_first(&mut jobs);
    run.arms(jobs, |arm| {
        let net = train(arm, config, &device)?;
        report(arm, config, &still(&net), &device);
        Ok(())
    })?;
    untrained(run, config, &tasks, &device)
}

fn job(name: &str, seed: u64, task: &Task) -> Job<Task> {
    let setting = &task.setting;
    let epochs = setting.plan.stretched(task.method.stretch()).epochs;
    let steps = epochs * task.pictures.train.len().div_ceil(setting.batch);
    Job::new(&setting.name, name, seed, steps as u64).with(task.clone())
}

/// Convolutions cost about four times as much as the fully connected network.
fn longest_first(jobs: &mut [Job<Task>]) {
    jobs.sort_by_key(|job| {
        let cost = job.steps * if job.config.setting.convs.is_empty() { 1 } else { 4 };
        std::cmp::Reverse(cost)
    });
}

/// The learning rate of each task: that of the grid with the least verified error on held-out
/// pictures under the first seed.
fn pilot(
    run: &Run<'_>,
    config: &Config,
    tasks: &[(&str, u64, Task)],
    device: &Device,
) -> Result<Vec<f64>> {
    let first = run.seeds()[0];
    let mut jobs = Vec::new();
    for (name, seed, task) in tasks {
        if *seed == first && task.setting.lr.len() > 1 {
            let candidate = |&lr| job(name, first, &Task { lr, report: false, ..task.clone() });
            jobs.extend(task.setting.lr.iter().map(candidate));
        }
    }
    longest_first(&mut jobs);
    let tried: Vec<(String, String, f64)> =
        jobs.iter().map(|j| (j.setting.clone(), j.method.clone(), j.config.lr)).collect();
    let measured = run.arms(jobs, |arm| {
        let Task { setting, pictures, .. } = arm.config();
        let net = train(arm, config, device)?;
        let errors = errors(&still(&net), &pictures.validation, setting.eps, device);
        Ok(share(&errors.unverified))
    })?;
    let trial = |((setting, method, lr), value): (&(String, String, f64), f64)| Trial {
        setting: setting.clone(),
        method: method.clone(),
        candidate: format!("lr {lr:e}"),
        value,
    };
    let trials: Vec<Trial> = tried.iter().zip(measured).map(trial).collect();
    let chosen = run.choose("verified error on held-out pictures", Better::Lower, &trials);
    let rate = |(name, _, task): &(&str, u64, Task)| {
        let setting = &task.setting;
        let mine = |at: &usize| tried[*at].0 == setting.name && tried[*at].1 == *name;
        chosen.iter().copied().find(mine).map_or(setting.lr[0], |at| tried[at].2)
    };
    Ok(tasks.iter().map(rate).collect())
}

/// Errors, boxes and the gate of a trained network.
fn report(arm: &Arm<'_, Task>, config: &Config, net: &BoundedNet, device: &Device) {
    let Task { setting, pictures, .. } = arm.config();
    let (test, eps) = (&pictures.test, setting.eps);
    let errors = errors(net, test, eps, device);
    let attack = PgdConfig::new(eps).with_steps(config.attack_steps);
    let fooled = attacked(net, test, &attack, device, &mut arm.rng("attack"));
    let boxes = Boxes::of(net, test, config.boxes, eps, device);
    let mut rng = arm.rng("gate");
    let escaped = escapes(net, |b| net.bounds(b), test, eps, config.gate, (device, &mut rng));

    let contradicted = (0..test.len()).filter(|&i| {
        let errs = errors.wrong[i] || fooled[i];
        errs && !errors.unverified[i]
    });
    let (clean, pgd) = (share(&errors.wrong), share(&fooled));
    let unverified = share(&errors.unverified);
    // NaN fails this, too.
    let ordered = clean <= pgd && pgd <= unverified;
    let violations = escaped + contradicted.count() + usize::from(!ordered);
    arm.result("gate/violations", violations as f64);
    arm.result("test/clean-error", clean);
    arm.result("test/pgd-error", pgd);
    arm.result("test/verified-error", unverified);
    arm.result("relu/active", boxes.mean(|s| s.active));
    arm.result("relu/inactive", boxes.mean(|s| s.inactive));
    arm.result("relu/unstable", boxes.mean(|s| s.unstable));
    arm.result("relu/balance", boxes.balance());
    for (index, value) in boxes.widths.iter().enumerate() {
        arm.result(&width(index + 1), *value);
    }
}

/// Widths of networks without batch normalisation before anything is trained.
fn untrained(
    run: &Run<'_>,
    config: &Config,
    tasks: &[(&str, u64, Task)],
    device: &Device,
) -> Result<()> {
    let mut jobs = Vec::new();
    for setting in config.settings.iter().filter(|setting| setting.widths) {
        for &seed in run.seeds() {
            let mut same = tasks.iter().filter(|t| t.1 == seed && t.2.setting.name == setting.name);
            let Some((_, _, task)) = same.next() else {
                continue;
            };
            for (name, init, _) in INITS {
                jobs.push(Job::new(&at_init(&setting.name), name, seed, 1).with((init, task)));
            }
        }
    }
    run.arms(jobs, |arm| {
        let (init, task) = arm.config();
        let recipe = Recipe { init: *init, batch_norm: false, regularise: false };
        let setting = &task.setting;
        let (test, eps) = (&task.pictures.test, setting.eps);
        let mut rng = arm.rng("init");
        // The theory is about the mean over weights: one draw of a narrow layer is far from it.
        let mut widths = vec![0.0; setting.hidden.len()];
        let mut escaped = 0;
        for draw in 0..config.draws {
            let net = still(&network(setting, recipe).init(device, &mut rng).map_err(failed)?);
            let boxes = Boxes::of(&net, test, config.boxes, eps, device);
            for (sum, width) in widths.iter_mut().zip(&boxes.widths) {
                *sum += width / config.draws as f64;
            }
            if draw == 0 {
                let rng = &mut arm.rng("gate");
                let gate = config.gate;
                escaped = escapes(&net, |b| net.bounds(b), test, eps, gate, (device, rng));
            }
        }
        let gains: Vec<f64> = widths.windows(2).map(|pair| pair[1] / pair[0]).collect();
        let expected = expected_gains(setting, *init);
        let error = |(gain, expected): (&f64, &f64)| (gain / expected - 1.0).abs();
        let worst = gains.iter().zip(&expected).map(error).fold(0.0, worse);
        arm.result("init/gain-error", worst);
        let mean = gains.iter().map(|g| g.ln()).sum::<f64>() / gains.len() as f64;
        arm.result("init/gain", mean.exp());
        for (index, value) in widths.iter().enumerate() {
            arm.result(&width(index + 1), *value);
        }
        arm.result("gate/violations", escaped as f64);
        arm.step()
    })?;
    Ok(())
}

/// `(n/2) E|W|` of each fully connected layer after the first.
fn expected_gains(setting: &Setting, init: HiddenInit) -> Vec<f64> {
    let layer = |pair: &[usize]| {
        let (n, out) = (pair[0] as f64, pair[1] as f64);
        let std = match init {
            HiddenInit::Ibp => ibp_std(pair[0]),
            HiddenInit::Rule(Init::XavierNormal { gain }) => gain * (2.0 / (n + out)).sqrt(),
            HiddenInit::Rule(Init::KaimingNormal { gain }) => gain / n.sqrt(),
            HiddenInit::Rule(_) => return f64::NAN,
        };
        width_gain(pair[0], normal_mean_abs(std))
    };
    setting.hidden.windows(2).map(layer).collect()
}

/// The larger of two numbers; what is not a number is worst.
pub fn worse(a: f64, b: f64) -> f64 {
    if b.is_nan() || b > a { b } else { a }
}
