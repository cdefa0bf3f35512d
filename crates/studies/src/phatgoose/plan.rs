//! What is run in which order: the base model, the experts and their gates, the held-out tasks.

use std::sync::Arc;

use burn::module::Module;
use pressrun_lab::{Better, Error, Job, Result, Run, Trial};

use super::data::Pictures;
use super::evaluate::{Assets, evaluate, tasks};
use super::model::{Encoder, Expert};
use super::train::{Contribution, Material, Trained, contribute, pretrain, train};
use super::{BASE, Config, Kind, Method};

/// What is trained on a material under a seed; `ready` if the grid has trained it already.
#[derive(Debug, Clone)]
struct Growth {
    material: Material,
    lr: f64,
    ready: Option<Arc<Trained>>,
}

/// Runs all of it.
///
/// # Errors
/// If the run is cancelled or a part of it fails.
pub fn run(run: &Run<'_>, config: &Config) -> Result<()> {
    let pictures = Pictures::load(run, config.sizes)?;
    let job = Job::new(config.setting, BASE, run.seeds()[0], config.base_steps as u64);
    let encoder = run.arms(vec![job], |arm| pretrain(arm, config, &pictures))?;
    let encoder = encoder.into_iter().next().ok_or_else(|| lost("base model"))?;
    let tuned = tune(run, config, &pictures, &encoder)?;
    let still = encoder.valid();
    let grown = grow(run, config, &pictures, &encoder, tuned)?;
    for (&seed, (pool, multitask)) in run.seeds().iter().zip(&grown) {
        let tasks = tasks(config, &pictures, seed);
        let assets = Assets { encoder: &still, pool, multitask, tasks: &tasks };
        let steps = |method: &Method| {
            let passes = if method.kind == Kind::BestSingle { pool.len() } else { 1 };
            (passes * tasks.len()) as u64
        };
        let job = |m: &Method| Job::new(config.setting, m.name, seed, steps(m)).with(*m);
        let jobs = config.methods.iter().map(job).collect();
        run.arms(jobs, |arm| evaluate(arm, config, &assets))?;
    }
    Ok(())
}

fn lost(what: &str) -> Error {
    Error::Study(format!("the {what} was not trained"))
}

/// The union, which takes longest, and each corruption.
fn materials(config: &Config) -> Vec<Material> {
    let experts = (0..config.pool.len()).map(Material::One);
    std::iter::once(Material::Union).chain(experts).collect()
}

/// The learning rate of each material: the best of the same grid on the first seed, by validation
/// pictures of that material. What the grid has trained under this rate is kept.
fn tune(
    run: &Run<'_>,
    config: &Config,
    pictures: &Pictures,
    encoder: &Encoder,
) -> Result<Vec<Growth>> {
    let materials = materials(config);
    let with = |material, lr| Growth { material, lr, ready: None };
    if let [lr] = config.grid[..] {
        return Ok(materials.into_iter().map(|material| with(material, lr)).collect());
    }
    let of_grid = |&material: &Material| config.grid.iter().map(move |&lr| with(material, lr));
    let tried: Vec<Growth> = materials.iter().flat_map(of_grid).collect();
    let job = |growth: &Growth| {
        let (name, steps) = (growth.material.name(&config.pool), growth.material.steps(config));
        Job::new(config.setting, &name, run.seeds()[0], steps as u64).with(growth.clone())
    };
    let trained = run.arms(tried.iter().map(job).collect(), |arm| {
        let Growth { material, lr, .. } = *arm.config();
        train(arm, config, pictures, encoder, (material, lr))
    })?;
    let trial = |(growth, trained): (&Growth, &Trained)| Trial {
        setting: config.setting.into(),
        method: growth.material.name(&config.pool),
        candidate: format!("lr {}", growth.lr),
        value: trained.best.nll,
    };
    let trials: Vec<Trial> = tried.iter().zip(&trained).map(trial).collect();
    let chosen = run.choose("NLL on the material's validation pictures", Better::Lower, &trials);
    let keep =
        |at: usize| Growth { ready: Some(Arc::new(trained[at].clone())), ..tried[at].clone() };
    Ok(chosen.into_iter().map(keep).collect())
}

/// The pool of contributions and the multitask expert of each seed.
fn grow(
    run: &Run<'_>,
    config: &Config,
    pictures: &Pictures,
    encoder: &Encoder,
    tuned: Vec<Growth>,
) -> Result<Vec<(Vec<Contribution>, Expert)>> {
    let mut jobs = Vec::new();
    for (at, &seed) in run.seeds().iter().enumerate() {
        for growth in &tuned {
            let ready = growth.ready.clone().filter(|_| at == 0);
            let (name, material) = (growth.material.name(&config.pool), growth.material);
            let steps = if ready.is_some() { 0 } else { material.steps(config) };
            let job = Job::new(config.setting, &name, seed, (steps + config.gate_steps) as u64);
            jobs.push(job.with(Growth { ready, ..growth.clone() }));
        }
    }
    let grown = run.arms(jobs, |arm| {
        let Growth { material, lr, ready } = arm.config().clone();
        let trained = match ready {
            Some(trained) => trained,
            None => Arc::new(train(arm, config, pictures, encoder, (material, lr))?),
        };
        for &(step, loss, nll) in &trained.curve {
            arm.point("train/loss", step, loss);
            arm.point("eval/nll", step, nll);
        }
        arm.result("validation/nll", trained.best.nll);
        arm.result("validation/accuracy", trained.best.accuracy);
        arm.result("validation/accuracy_base", trained.base.accuracy);
        let expert = trained.expert.clone();
        let handed_over = match material {
            Material::Union => None,
            Material::One(_) => {
                Some(contribute(arm, config, pictures, encoder, (material, lr), &expert)?)
            }
        };
        Ok((expert, handed_over))
    })?;
    let of_seed = |members: &[(Expert, Option<Contribution>)]| {
        let pool = members.iter().filter_map(|(_, handed_over)| handed_over.clone()).collect();
        let multitask = members.iter().find(|(_, handed_over)| handed_over.is_none());
        let (multitask, _) = multitask.ok_or_else(|| lost("multitask expert"))?;
        Ok((pool, multitask.clone()))
    };
    grown.chunks(tuned.len()).map(of_seed).collect()
}
