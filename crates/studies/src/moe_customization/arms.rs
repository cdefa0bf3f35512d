//! The arms: who answers which picture.

use pressrun_data::Images;
use pressrun_lab::Result;
use pressrun_nn::conv::{LayerCosts, LeNet5, LeNet5Config};
use pressrun_nn::gate::DeferralGateConfig;
use rand::RngExt;

use super::global::{Global, Seen, largest};
use super::local::{Bench, Gate, LocalExpert, Targets, gate, local_expert};
use super::measure::{Outcome, Side};
use super::{CLASSES, Config};

/// Who answers a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// The global expert.
    Global,
    /// The local expert.
    Local,
    /// The expert that the gate trusts.
    Gate(Targets),
    /// Both, their probabilities weighted by the gate's trust.
    Soft,
    /// The gate, over a local expert that learnt from the global expert's errors only.
    ErrorsOnly,
    /// The expert whose largest probability is larger.
    Confident,
    /// One that is right, if there is one: an upper bound.
    Oracle,
    /// A coin that sends the local expert as large a share as the gate does of the user's pictures.
    Coin,
}

/// A user with what the global expert makes of the pictures.
#[derive(Debug, Clone)]
pub struct User {
    /// Number of the user.
    pub number: usize,
    /// The pool in the user's style.
    pub pool: Images,
    /// The test pictures in the user's style; none for a user that is for tuning only.
    pub test: Images,
    /// What the global expert makes of the pool.
    pub pool_seen: Seen,
    /// What it makes of the test pictures.
    pub test_seen: Seen,
}

/// What training the method for a user took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Multiply-adds, the features of the device's pictures and all rounds included.
    pub multiply_adds: u64,
    /// The same over those of as many passes through the whole global expert.
    pub share: f64,
}

/// The networks of one user.
pub struct Fitted {
    /// The local expert.
    pub expert: LocalExpert,
    /// The method's gate.
    pub gate: Gate,
}

impl Fitted {
    /// Trains the local expert and the gate as the method does.
    ///
    /// # Errors
    /// If the run is cancelled or a layer cannot be made.
    pub fn new(bench: &Bench<'_>, mine: &Seen, buffer: &Seen, lr: f64) -> Result<Self> {
        let expert = local_expert(bench, mine, lr, bench.config.right_weight)?;
        let gate = gate(bench, (mine, &expert), buffer, Targets::OutOfFold)?;
        Ok(Self { expert, gate })
    }

    /// What the training took.
    pub fn effort(&self, config: &Config, pictures: usize, buffer: usize) -> Effort {
        let global = LeNet5Config::new(CLASSES).costs();
        let expert = LocalExpert::costs(config.hidden);
        let gate = gate_costs(config.hidden);
        let features = (pictures + buffer) as u64 * global.forward();
        let threshold = (buffer - buffer / 2) as u64 * (expert.forward() + gate.forward());
        let multiply_adds = features
            + self.expert.passes * expert.training()
            + self.expert.looks * expert.forward()
            + self.gate.passes * gate.training()
            + threshold;
        let same = (self.expert.passes + self.gate.passes) * global.training();
        Effort { multiply_adds, share: multiply_adds as f64 / same as f64 }
    }

    /// How the method answers these pictures.
    pub fn side(&self, bench: &Bench<'_>, seen: &Seen) -> Side {
        let local = self.expert.answers(seen, bench.device);
        Side::of_routing(seen, &local, self.gate.route(seen, bench.device))
    }
}

/// Multiply-adds of the gate's layers.
pub fn gate_costs(hidden: usize) -> LayerCosts {
    LayerCosts(DeferralGateConfig::new(LeNet5::FEATURES).with_hidden(hidden).costs().to_vec())
}

/// How an arm answers a user's test pictures and the generic ones.
///
/// # Errors
/// If the run is cancelled or a layer cannot be made.
pub fn outcome(
    bench: &Bench<'_>,
    decider: Decider,
    fitted: &Fitted,
    (global, user, mine, lr): (&Global, &User, &Seen, f64),
) -> Result<Outcome> {
    let errors;
    let mut expert = &fitted.expert;
    let gate = match decider {
        Decider::Gate(kind) if kind != Targets::OutOfFold => {
            Some(gate(bench, (mine, expert), &global.buffer, kind)?)
        }
        Decider::ErrorsOnly => {
            errors = local_expert(bench, mine, lr, 0.0)?;
            expert = &errors;
            Some(gate(bench, (mine, expert), &global.buffer, Targets::OutOfFold)?)
        }
        _ => None,
    };
    let gate = gate.as_ref().unwrap_or(&fitted.gate);
    let rate = fitted.gate.route(&user.test_seen, bench.device);
    let rate = super::measure::share(&rate);
    let mut coin = bench.rng("coin");
    let mut side = |seen: &Seen| {
        let p = expert.probabilities(seen, bench.device);
        let local = largest(&p);
        let routed: Vec<bool> = match decider {
            Decider::Global => return Side::of_answers(seen, &seen.answers),
            Decider::Soft => {
                let trust = gate.trust(seen, bench.device);
                return Side::of_answers(seen, &largest(&mixed(&trust, &seen.probabilities, &p)));
            }
            Decider::Local => vec![true; seen.len()],
            Decider::Gate(_) | Decider::ErrorsOnly => gate.route(seen, bench.device),
            Decider::Confident => {
                let rows = p.chunks(CLASSES).zip(seen.probabilities.chunks(CLASSES));
                rows.map(|(local, global)| top(local) > top(global)).collect()
            }
            Decider::Oracle => {
                let rows = seen.answers.iter().zip(&local).zip(&seen.labels);
                rows.map(|((global, local), label)| global != label && local == label).collect()
            }
            Decider::Coin => (0..seen.len()).map(|_| coin.random::<f64>() < rate).collect(),
        };
        Side::of_routing(seen, &local, routed)
    };
    Ok(Outcome { user: side(&user.test_seen), generic: side(&global.test) })
}

fn top(p: &[f32]) -> f32 {
    p.iter().copied().fold(0.0, f32::max)
}

/// `(1 - gamma) p_G + gamma p_L`, row by row.
fn mixed(trust: &[f32], global: &[f32], local: &[f32]) -> Vec<f32> {
    let rows = trust.iter().zip(global.chunks(CLASSES).zip(local.chunks(CLASSES)));
    rows.flat_map(|(gamma, (global, local))| {
        global.iter().zip(local).map(move |(g, l)| (1.0 - gamma) * g + gamma * l)
    })
    .collect()
}
