//! Small profiles that really train, the method in place and replaced, and sound and broken bounds.

use pressrun_data::digits;
use pressrun_lab::{Entry, Manifest, Options, Outcome, Record, Results, Verdict, execute, stream};
use pressrun_nn::bound::{Bounded, BoundedNet, IntervalBounds};
use pressrun_nn::device;

use super::evaluate::{escapes, still};
use super::train::network;
use super::*;

fn entry(config: Config) -> Entry {
    Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "fast_ibp").unwrap(),
        study: Some(Box::new(FastIbp { config: Some(config) })),
        record: None,
        sources: Vec::new(),
    }
}

fn run(config: Config, profile: Profile, threads: usize) -> Record {
    let options = Options { threads: Some(threads), ..Options::new(profile) };
    execute(&entry(config), &options, &|_| ()).unwrap()
}

/// The quick profile on half of the pictures, with this in the method's place.
fn small(method: Method) -> Config {
    let mut config = Config::quick();
    config.settings.truncate(1);
    let setting = &mut config.settings[0];
    setting.sizes.train = 600;
    setting.plan = Plan { epochs: 16, start: 2, length: 8, milestones: vec![13] };
    setting.arms[0].1 = method;
    config.gate = GateConfig { boxes: 5, points: 50 };
    config.attack_steps = 5;
    config
}

fn holds(verdicts: &[Verdict], claim: &str, check: &str) -> bool {
    let verdict = verdicts.iter().find(|v| v.claim == claim).unwrap();
    verdict.comparisons.iter().find(|c| c.check == check).unwrap().holds
}

const CORE: [(&str, &str); 4] =
    [("C2", "balance"), ("C2", "balance-mean"), ("C3", "vanilla"), ("C4", "vanilla")];

#[test]
fn the_method_passes_and_the_baseline_in_its_place_fails() {
    let record = run(small(Method::Fast), Profile::Quick, 2);
    for (claim, check) in CORE {
        assert!(holds(&record.verdicts, claim, check), "{claim} {check}: {:?}", record.rows);
    }
    let swapped = run(small(Method::Vanilla), Profile::Quick, 2);
    for (claim, check) in CORE {
        assert!(!holds(&swapped.verdicts, claim, check), "{claim} {check}");
    }
    let failed = swapped.verdicts.iter().filter(|v| v.outcome == Outcome::NotAtThisScale);
    assert_eq!(failed.map(|v| v.claim.as_str()).collect::<Vec<_>>(), ["C2", "C3", "C4"]);
}

#[test]
fn same_seed_same_numbers_with_any_number_of_threads() {
    let tiny = || {
        let mut config = Config::quick();
        for setting in &mut config.settings {
            setting.sizes.train = 200;
            setting.plan = Plan { epochs: 3, start: 2, length: 1, milestones: vec![2] };
        }
        config.gate = GateConfig { boxes: 2, points: 20 };
        config.attack_steps = 2;
        config
    };
    let [one, two, again] = [1, 2, 2].map(|threads| run(tiny(), Profile::Quick, threads));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(two.rows, again.rows);
}

/// The full profile with hardly any pictures, epochs and samples.
#[test]
fn the_full_profile_fills_every_check_that_can_be_filled() {
    let mut config = Config::full();
    for setting in &mut config.settings {
        setting.sizes = Sizes { train: 60, validation: 20, test: 30 };
        setting.plan = Plan { epochs: 3, start: 2, length: 1, milestones: vec![2] };
        setting.hidden.iter_mut().for_each(|width| *width = 16);
        setting.lr.truncate(2);
    }
    config.gate = GateConfig { boxes: 2, points: 20 };
    config.attack_steps = 2;
    config.draws = 2;
    let entry = entry(config.clone());
    let record = run(config, Profile::Full, 2);
    for (claim, verdict) in entry.manifest.claims.iter().zip(&record.verdicts) {
        for check in claim.checks.iter().filter(|check| check.id != "absolute") {
            let found = verdict.comparisons.iter().find(|c| c.check == check.id);
            assert!(found.is_some(), "{} {}", claim.id, check.id);
        }
    }
    assert_eq!(record.tuning.len(), 2 * (6 + 2));
    assert_eq!(record.tuning.iter().filter(|row| row.chosen).count(), 6 + 2);
}

#[test]
fn one_violation_takes_every_verdict_away() {
    let record = run(small(Method::Fast), Profile::Quick, 2);
    let entry = entry(small(Method::Fast));
    let mut results = Results::new(record.rows);
    results.add("digits, MLP 64-64x4", FAST, "gate/violations", 1, 1.0);
    for verdict in entry.judge(&results).unwrap() {
        assert_eq!(verdict.outcome, Outcome::NotAtThisScale, "{}", verdict.claim);
    }
}

/// What the bounds would be if the radius went through the signed weights.
fn unsound(net: &BoundedNet, input: IntervalBounds<2>) -> Bounded {
    let mut last = input;
    for block in &net.hidden {
        let weight = block.layer.weight.val();
        let bias = block.layer.bias.as_ref().map(|b| b.val());
        let radius = last.radius.clone().matmul(weight.clone());
        last = IntervalBounds { radius, ..last.linear(weight, bias) }.relu();
    }
    Bounded { pre_relu: Vec::new(), last }
}

#[test]
fn the_gate_lets_sound_bounds_through_and_stops_unsound_ones() {
    let device = device::named("flex").unwrap();
    let config = Config::quick();
    let setting = &config.settings[0];
    let recipe = Method::NoBn.recipe();
    let net = network(setting, recipe).init(&device, &mut stream(3, "init")).unwrap();
    let net = still(&net);
    let gate = GateConfig { boxes: 5, points: 100 };
    let count = |bounds: &dyn Fn(IntervalBounds<2>) -> Bounded| {
        let rng = &mut stream(3, "gate");
        escapes(&net, bounds, &digits(), setting.eps, gate, (&device, rng))
    };
    assert_eq!(count(&|input| net.bounds(input)), 0);
    assert!(count(&|input| unsound(&net, input)) > 0);
}

#[test]
fn the_ramp_is_the_authors() {
    // start = 2, length = 20, 100 batches an epoch, eps 0.3; values of the authors' scheduler
    let plan = Plan { epochs: 70, start: 2, length: 20, milestones: vec![50, 60] };
    let ramp = plan.ramp(0.3, 100);
    for (step, eps) in [
        (0, 0.0),
        (100, 0.0),
        (200, 3.7e-5),
        (400, 0.002991),
        (600, 0.023077),
        (1000, 0.096923),
        (1500, 0.189231),
        (2100, 0.3),
        (6999, 0.3),
    ] {
        assert!((ramp.at(step) - eps).abs() < 1e-6, "{step}: {}", ramp.at(step));
    }
    // The regularisers' weight, 1 - eps / 0.3, is gone when their last epoch ends.
    assert_eq!(plan.last_ramp_epoch(), 21);
    let rate = plan.rate(1e-3, 100);
    for (step, lr) in [(4999, 1e-3), (5000, 2e-4), (6000, 4e-5)] {
        assert!((rate.at(step) - lr).abs() < 1e-12, "{step}: {}", rate.at(step));
    }
    let long = plan.stretched(3);
    assert_eq!((long.epochs, long.start, long.length), (208, 2, 60));
    assert_eq!(long.milestones, [148, 178]);
}
