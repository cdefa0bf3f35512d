//! The held-out tasks, and how an arm does on them.

use burn::tensor::Device;
use pressrun_lab::{Arm, Result, stream};
use pressrun_nn::device;
use pressrun_nn::gate::statistics::{agreement, entropy, histogram};

use super::Config;
use super::cost::{Phase, update_cost};
use super::data::{PATCHES, Pictures, Scene, Set, Strength, all};
use super::model::{Encoder, MAPS, Maps, Plain, Single};
use super::route::{Keys, Mixture, merged};
use super::train::{Contribution, failed, score};
use super::{Kind, Method};

/// Groups of held-out tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// H1: two corruptions, one for each half.
    Halves,
    /// H2: each patch draws its own.
    Scattered,
    /// H3: more of a corruption than in the training.
    Stronger,
    /// H4: nothing.
    Clean,
}

impl Group {
    /// All of them, with their metrics.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Halves, "test/h1"),
        (Self::Scattered, "test/h2"),
        (Self::Stronger, "test/h3"),
        (Self::Clean, "test/h4"),
    ];
}

/// The held-out tasks of a seed, the same for all of its arms.
pub fn tasks(config: &Config, pictures: &Pictures, seed: u64) -> Vec<(Group, Set)> {
    let halves = config.pairs.iter().map(|&(a, b)| (Group::Halves, Scene::Halves(a, b)));
    let stronger = config.pool.iter().enumerate().filter(|(_, c)| c.has_strength());
    let stronger =
        stronger.map(|(z, _)| (Group::Stronger, Scene::Everywhere(z, Strength::Stronger)));
    let single = [(Group::Scattered, Scene::Scattered), (Group::Clean, Scene::Clean)];
    let scenes: Vec<_> = halves.chain(stronger).chain(single).collect();
    let rows = all(&pictures.test);
    let make = |(at, (group, scene)): (usize, (Group, Scene))| {
        let mut rng = stream(seed, &format!("task {at}"));
        (group, Set::of(&pictures.test, &rows, scene, &config.pool, &mut rng))
    };
    scenes.into_iter().enumerate().map(make).collect()
}

/// What an arm may use.
#[derive(Debug, Clone, Copy)]
pub struct Assets<'a> {
    /// The base model, without gradients.
    pub encoder: &'a Encoder,
    /// What the contributors handed over.
    pub pool: &'a [Contribution],
    /// The expert that was trained on the union.
    pub multitask: &'a super::model::Expert,
    /// The held-out tasks.
    pub tasks: &'a [(Group, Set)],
}

/// Measures an arm on all tasks and reports.
///
/// # Errors
/// If the run is cancelled or the arm cannot be made.
pub fn evaluate(arm: &Arm<'_, Method>, config: &Config, assets: &Assets<'_>) -> Result<()> {
    let device = device::named(arm.run().device()).map_err(failed)?;
    let encoder = assets.encoder;
    let accuracies = match arm.config().kind {
        Kind::Base => plain(arm, config, assets, &mut Plain::of(encoder), &device)?,
        Kind::Merged => plain(arm, config, assets, &mut merged(encoder, assets.pool)?, &device)?,
        Kind::Multitask => {
            arm.result("expert/parameters", assets.multitask.parameters() as f64);
            plain(arm, config, assets, &mut Single(assets.multitask), &device)?
        }
        Kind::BestSingle => best_single(arm, config, assets, &device)?,
        Kind::Nearest => {
            mixture(arm, config, assets, || Mixture::nearest(encoder, assets.pool), &device)?
        }
        Kind::Keyed(keys, scope, k) => {
            let make = || {
                let rng = &mut arm.rng("random keys");
                Mixture::keyed(encoder, assets.pool, (keys, scope, k), rng)
            };
            if keys == Keys::Gates {
                gates(arm, config, assets.pool);
            }
            mixture(arm, config, assets, make, &device)?
        }
    };
    let mean = |group: Group| {
        let of = assets.tasks.iter().zip(&accuracies).filter(|((g, _), _)| *g == group);
        let values: Vec<f64> = of.map(|(_, accuracy)| *accuracy).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    for (group, metric) in Group::ALL {
        arm.result(metric, mean(group));
    }
    let held_out = [Group::Halves, Group::Scattered, Group::Stronger].map(mean);
    arm.result("test/mean", held_out.iter().sum::<f64>() / 3.0);
    Ok(())
}

/// Accuracy on each task of one model.
fn plain(
    arm: &Arm<'_, Method>,
    config: &Config,
    assets: &Assets<'_>,
    maps: &mut dyn Maps,
    device: &Device,
) -> Result<Vec<f64>> {
    let of = |(_, set): &(Group, Set)| {
        arm.step()?;
        Ok(score(assets.encoder, set, maps, config, device).accuracy)
    };
    assets.tasks.iter().map(of).collect()
}

/// Accuracy on each task of the expert that is best on it: chosen by the test labels, a bound.
fn best_single(
    arm: &Arm<'_, Method>,
    config: &Config,
    assets: &Assets<'_>,
    device: &Device,
) -> Result<Vec<f64>> {
    let experts = assets.pool.iter();
    let all = experts
        .map(|member| plain(arm, config, assets, &mut Single(&member.expert), device))
        .collect::<Result<Vec<_>>>()?;
    let best = |task: usize| all.iter().map(|expert| expert[task]).fold(0.0, f64::max);
    Ok((0..assets.tasks.len()).map(best).collect())
}

/// Accuracy on each task of routed experts, and what the routing looks like in H1.
fn mixture<'a>(
    arm: &Arm<'_, Method>,
    config: &Config,
    assets: &Assets<'_>,
    make: impl Fn() -> Result<Mixture<'a>>,
    device: &Device,
) -> Result<Vec<f64>> {
    let (mut accuracies, mut looks) = (Vec::new(), Vec::new());
    let (mut evaluations, mut decisions) = (0, 0);
    for (group, set) in assets.tasks {
        arm.step()?;
        let mut maps = make()?;
        accuracies.push(score(assets.encoder, set, &mut maps, config, device).accuracy);
        if *group == Group::Halves {
            looks.push(Look::of(&maps.choices, set, config.pool.len()));
        }
        evaluations += maps.evaluations;
        decisions += (set.len() * PATCHES * maps.choices.len()) as u64;
    }
    let mean = |part: fn(&Look) -> f64| looks.iter().map(part).sum::<f64>() / looks.len() as f64;
    let chance = 1.0 / config.pool.len() as f64;
    arm.result("routing/agreement", mean(|look| look.agreement));
    arm.result("routing/above_chance", mean(|look| look.agreement) - chance);
    arm.result("routing/agreement_changed", mean(|look| look.agreement_changed));
    arm.result("routing/token_entropy", mean(|look| look.token_entropy));
    arm.result("routing/other_than_one", mean(|look| look.other_than_one));
    arm.result("routing/experts", evaluations as f64 / decisions as f64);
    Ok(accuracies)
}

/// What the first choices in a task look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Share of patches whose expert is that of their corruption, mean over the maps of layer 1.
    pub agreement: f64,
    /// The same over the patches that their corruption changed.
    pub agreement_changed: f64,
    /// Entropy of the experts within a picture over its largest value, mean over pictures and maps.
    pub token_entropy: f64,
    /// Share of choices that are not the commonest of all.
    pub other_than_one: f64,
}

impl Look {
    /// Of the choices in each map, `[pictures * PATCHES]`.
    pub fn of(choices: &[Vec<usize>], set: &Set, experts: usize) -> Self {
        let first = &choices[..MAPS.min(choices.len())];
        let agree = |keep: &dyn Fn(usize) -> bool| {
            let known = |token: &usize| set.truth[*token].is_some() && keep(*token);
            let tokens: Vec<usize> = (0..set.truth.len()).filter(known).collect();
            let truth: Vec<usize> = tokens.iter().filter_map(|&t| set.truth[t]).collect();
            let of = |map: &Vec<usize>| {
                let mine: Vec<usize> = tokens.iter().map(|&t| map[t]).collect();
                agreement(&mine, &truth)
            };
            first.iter().map(of).sum::<f64>() / first.len() as f64
        };
        let images = choices.iter().flat_map(|map| map.chunks(PATCHES));
        let entropies: Vec<f64> = images.map(|one| entropy(&histogram(one, experts))).collect();
        let largest = (experts.min(PATCHES) as f64).ln();
        let all = histogram(&choices.concat(), experts);
        let (commonest, total) =
            (all.iter().max().copied().unwrap_or(0), all.iter().sum::<usize>());
        Self {
            agreement: agree(&|_| true),
            agreement_changed: agree(&|token| set.changed[token]),
            token_entropy: entropies.iter().sum::<f64>() / entropies.len() as f64 / largest,
            other_than_one: 1.0 - commonest as f64 / total as f64,
        }
    }
}

/// What the second phase did and what it cost.
fn gates(arm: &Arm<'_, Method>, config: &Config, pool: &[Contribution]) {
    let norms = pool.iter().flat_map(|member| member.gates.iter().map(super::route::norm));
    let norms: Vec<f64> = norms.collect();
    arm.result("gate/norm", norms.iter().sum::<f64>() / norms.len() as f64);
    arm.result("gate/smallest_norm", norms.iter().copied().fold(f64::INFINITY, f64::min));
    let cost = |phase, steps: usize| steps as f64 * update_cost(&config.shape, config.rank, phase);
    let gates = cost(Phase::Gates, config.gate_steps);
    arm.result("gate/cost_share", gates / cost(Phase::Expert, config.expert_steps));
    if let Some(member) = pool.first() {
        arm.result("expert/parameters", member.expert.parameters() as f64);
    }
}
