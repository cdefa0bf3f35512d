//! Small profiles that really train, the method in place and replaced, and the parts by hand.

use burn::module::Module;
use pressrun_data::split;
use pressrun_lab::{
    Entry, Job, Manifest, Options, Outcome as Judged, Record, Results, Verdict, execute,
};
use pressrun_nn::conv::LeNet5Config;
use pressrun_nn::device;

use super::arms::{Fitted, gate_costs};
use super::data::{Parts, drawn, shifted, style};
use super::global::{Global, Seen, largest, right};
use super::local::{Bench, LocalExpert, gate, gate_target, local_expert};
use super::measure::{Side, share};
use super::tune::{Mine, fine_tune};
use super::*;

fn entry(study: Box<dyn Study>) -> Entry {
    Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "moe_customization").unwrap(),
        study: Some(study),
        record: None,
        sources: Vec::new(),
    }
}

fn run(config: Config, profile: Profile, threads: usize) -> Record {
    let study = MoeCustomization { quick: config.clone(), full: config };
    let options = Options { threads: Some(threads), ..Options::new(profile) };
    execute(&entry(Box::new(study)), &options, &|_| ()).unwrap()
}

/// The full profile's digits and their users under one seed.
fn ten_users() -> Record {
    let mut config = Config::full();
    config.data.remove(0);
    config.data[0].tuning_users = 0;
    config.data[0].per_class = vec![8];
    config.lr = vec![3e-3];
    config.tuning_epochs = 1;
    config.arms.retain(|arm| ![SOFT, IN_FOLD, ERRORS_ONLY].contains(&arm.0));
    run(config, Profile::Quick, 2)
}

/// The verdicts with what this arm did in the place of what the other did.
fn verdicts_with(record: &Record, arm: &str, in_place_of: &str) -> Vec<Verdict> {
    let measured = ["user/", "generic/", "gate/"];
    let of_arms = |row: &pressrun_lab::Row| measured.iter().any(|m| row.metric.starts_with(m));
    let kept = record.rows.iter().filter(|row| row.method != in_place_of || !of_arms(row));
    let mut rows: Vec<pressrun_lab::Row> = kept.cloned().collect();
    for row in record.rows.iter().filter(|row| row.method == arm && of_arms(row)) {
        rows.push(pressrun_lab::Row { method: in_place_of.into(), ..row.clone() });
    }
    entry(study()).judge(&Results::new(rows)).unwrap()
}

/// Seconds for all of a profile: hardly any pictures and epochs.
fn tiny(mut config: Config) -> Config {
    for data in &mut config.data {
        data.sizes = Sizes { generic: 60, buffer: 20, pool: 40, test: 30, user_test: 20 };
        data.epochs = 2;
        data.batch = 20;
        data.users = 3;
        data.tuning_users = data.tuning_users.min(1);
        data.per_class = vec![1, 2];
    }
    config.epochs = 3;
    config.gate_epochs = 2;
    config.tuning_epochs = 2;
    config
}

fn holds(verdicts: &[Verdict], claim: &str, check: &str) -> bool {
    let verdict = verdicts.iter().find(|v| v.claim == claim).unwrap();
    verdict.comparisons.iter().find(|c| c.check == check).unwrap().holds
}

#[test]
fn same_seed_same_numbers_with_any_number_of_threads() {
    let [one, two, again] =
        [1, 2, 2].map(|threads| run(tiny(Config::quick()), Profile::Quick, threads));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(two.rows, again.rows);
    assert!(one.rows.iter().flat_map(|row| &row.values).all(|value| value.is_finite()));
}

#[test]
fn the_full_profile_fills_every_check_and_tunes_every_arm_alike() {
    let record = run(tiny(Config::full()), Profile::Full, 2);
    let manifest = entry(study()).manifest;
    for (claim, verdict) in manifest.claims.iter().zip(&record.verdicts) {
        for check in &claim.checks {
            let found = verdict.comparisons.iter().any(|c| c.check == check.id);
            assert!(found, "{} {}", claim.id, check.id);
        }
    }
    let arms = 1 + FINE_TUNING.len();
    assert_eq!(record.tuning.len(), 2 * 4 * arms);
    assert_eq!(record.tuning.iter().filter(|row| row.chosen).count(), 2 * arms);
}

#[test]
fn the_method_passes_and_what_is_put_in_its_place_fails_where_it_should() {
    let record = ten_users();
    let core = [
        ("C1", "style-digits"),
        ("C1", "gain-digits"),
        ("C1", "t-test-digits"),
        ("C1", "oracle-digits"),
        ("C2", "drop-digits"),
        ("C2", "selective-digits"),
        ("C2", "coin-digits"),
        ("C3", "parameters-digits"),
        ("C4", "same-passes-digits"),
    ];
    for (claim, check) in core {
        assert!(holds(&record.verdicts, claim, check), "{check}: {:?}", record.verdicts);
    }
    assert!(record.verdicts.iter().all(|verdict| verdict.outcome == Judged::Partly));

    // Without anything local nothing is gained; without a gate, by chance, by confidence and
    // without generic pictures, generic accuracy is lost.
    let global = verdicts_with(&record, GLOBAL, METHOD);
    assert!(!holds(&global, "C1", "gain-digits") && !holds(&global, "C1", "t-test-digits"));
    assert_eq!(global[0].outcome, Judged::NotAtThisScale);
    for arm in [LOCAL, CONFIDENT, COIN, NO_BUFFER, FINE] {
        let verdicts = verdicts_with(&record, arm, METHOD);
        assert!(!holds(&verdicts, "C2", "drop-digits"), "{arm}");
        assert_eq!(verdicts[1].outcome, Judged::NotAtThisScale, "{arm}");
    }
    let coin = verdicts_with(&record, COIN, METHOD);
    assert!(!holds(&coin, "C2", "selective-digits"));
    // A coin that does as well as the oracle is noticed, and so is an arm above the oracle.
    assert!(!holds(&verdicts_with(&record, ORACLE, COIN), "C2", "coin-digits"));
    let setting = Config::full().data[1].setting(8);
    let mut results = Results::new(record.rows.clone());
    results.add(&setting, METHOD, "gate/above-oracle", 7, 0.001);
    let verdicts = entry(study()).judge(&results).unwrap();
    assert!(!holds(&verdicts, "C1", "oracle-digits"));
    assert_eq!(verdicts[0].outcome, Judged::NotAtThisScale);

    // A gate that only tells whose a picture is takes from the global expert what it has right.
    let rate = |method| record.results().stat(&setting, method, "gate/rate-right").unwrap().mean;
    assert!(rate(USER_OR_GENERIC) > 2.0 * rate(METHOD));
}

#[test]
fn targets_of_the_gate() {
    assert_eq!(gate_target(true, true), Some(0.0));
    assert_eq!(gate_target(true, false), Some(0.0));
    assert_eq!(gate_target(false, true), Some(1.0));
    assert_eq!(gate_target(false, false), None);
}

#[test]
fn sizes_and_multiply_adds_are_those_of_the_dossier() {
    let device = device::named("flex").unwrap();
    let rng = &mut pressrun_lab::stream(0, "sizes");
    let mut mlp = |sizes: Vec<usize>| {
        pressrun_nn::mlp::MlpConfig::new(sizes).init(&device, rng).unwrap().num_params()
    };
    // 84 * 8 + 8 + 8 * 10 + 10; 84 * 8 + 8 + 8 + 1; 784 * 2 + 2 + 2 * 10 + 10
    assert_eq!(
        [mlp(vec![84, 8, 10]), mlp(vec![84, 8, 1]), mlp(vec![784, 2, 10])],
        [770, 689, 1600]
    );
    let global = LeNet5Config::new(CLASSES);
    assert_eq!(global.parameters(), 61_706);
    assert!((1_459.0 / global.parameters() as f64 - 0.023_64).abs() < 1e-5);
    let added = LocalExpert::costs(8).forward() + gate_costs(8).forward();
    assert_eq!((added, global.costs().forward()), (1_432, 416_520));
    // Every picture once forward, once for the weights, and but for the first layer once back.
    assert_eq!(LocalExpert::costs(8).training(), 752 + 752 + 80);
    assert_eq!(FineTuning::All.cost(10, 3), 30 * (2 * 416_520 + 298_920));
    assert_eq!(FineTuning::Replay.cost(10, 3), 2 * FineTuning::All.cost(10, 3));
    assert_eq!(FineTuning::LastLayer.cost(10, 3), 10 * 416_520 + 30 * 2 * 840);
}

#[test]
fn routing_is_accounted_for_picture_by_picture() {
    let seen =
        Seen { answers: vec![0, 0, 1, 1, 2], labels: vec![0, 1, 1, 2, 0], ..Seen::default() };
    // Right by the global expert: 0 and 2; by the local one: 1 and 2. Routed: 1, 3 and 2.
    let side = Side::of_routing(&seen, &[1, 1, 1, 0, 1], vec![false, true, true, true, false]);
    assert_eq!(side.right, [true, true, true, false, false]);
    assert!((side.accuracy() - 0.6).abs() < 1e-12 && (side.gain() - 0.2).abs() < 1e-12);
    assert_eq!(side.oracle(), Some(0.6));
    assert_eq!(side.rate(Some(true)), Some(0.5));
    assert_eq!(side.rate(Some(false)), Some(2.0 / 3.0));
    assert_eq!(side.rate(None), Some(0.6));
}

/// A study that only hands out what its run would train with.
struct Probe<F>(F);

impl<F: Fn(&Run<'_>) -> Result<()> + Send + Sync> Study for Probe<F> {
    fn series(&self) -> Vec<SeriesSpec> {
        study().series()
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        study().metrics()
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        (self.0)(run)
    }

    fn check(&self, _: &Results, _: &mut Judge<'_>) -> Result<()> {
        Ok(())
    }
}

fn probe(look: impl Fn(&Run<'_>) -> Result<()> + Send + Sync + 'static) {
    execute(&entry(Box::new(Probe(look))), &Options::new(Profile::Quick), &|_| ()).unwrap();
}

/// The quick profile's global expert, and its first user's 60 pictures.
fn with_user(look: impl Fn(&Bench<'_>, &Global, &Mine) + Send + Sync + 'static) {
    probe(move |run| {
        let (config, device) = (Config::quick(), device::named("flex").unwrap());
        let job = Job::new("digits", GLOBAL, 0, 1).with(config.data[0].clone());
        run.arms(vec![job], |arm| {
            let parts = Parts::load(arm.run(), arm.config())?;
            let global = global::train(arm, parts, &device)?;
            let bench =
                Bench { run: arm.run(), config: &config, device: &device, seed: 0, user: 0 };
            let pool = style(0, CLASSES).apply(&global.parts.pool);
            let rows = drawn(pool.labels(), CLASSES, 6, &mut bench.rng("drawn"));
            let images = pool.subset(&rows);
            let seen = Seen::new(&global.net, &images, &device);
            look(&bench, &global, &Mine { images, seen });
            Ok(())
        })?;
        Ok(())
    });
}

#[test]
fn thresholds_at_the_ends_are_the_experts_themselves_and_the_oracle_bounds_all() {
    with_user(|bench, global, mine| {
        let mut fitted = Fitted::new(bench, &mine.seen, &global.buffer, 1e-2).unwrap();
        let gate = fitted.gate.net.clone();
        fitted.gate.net = gate.clone().with_threshold(1.0);
        let side = fitted.side(bench, &global.test);
        assert_eq!(side.right, global.test.right());
        assert_eq!(side.rate(None), Some(0.0));
        fitted.gate.net = gate.clone().with_threshold(-1.0);
        let side = fitted.side(bench, &global.test);
        let local = fitted.expert.answers(&global.test, bench.device);
        assert_eq!(side.right, right(&local, &global.test.labels));
        assert_eq!(side.rate(None), Some(1.0));
        for theta in [-1.0, 0.2, 0.5, 0.8, gate.threshold(), 1.0] {
            fitted.gate.net = gate.clone().with_threshold(theta);
            let side = fitted.side(bench, &global.test);
            let (oracle, routed) = (side.oracle().unwrap(), side.routed.clone().unwrap());
            let local = side.local.clone().unwrap();
            let parts = (0..routed.len())
                .filter(|&i| if routed[i] { local[i] } else { side.global[i] })
                .count();
            assert!((side.accuracy() - parts as f64 / routed.len() as f64).abs() < 1e-12);
            assert!(side.accuracy() <= oracle);
            assert!(oracle >= share(&local).max(share(&side.global)));
        }
    });
}

#[test]
fn training_on_the_device_leaves_the_global_expert_as_it_is() {
    with_user(|bench, global, mine| {
        let before = Seen::new(&global.net, &global.parts.test, bench.device);
        assert_eq!(before, global.test);
        Fitted::new(bench, &mine.seen, &global.buffer, 1e-2).unwrap();
        let task = (FineTuning::All, 1e-3, 1);
        let tuned = fine_tune(bench, global, mine, task, |_| Ok(())).unwrap();
        assert_eq!(Seen::new(&global.net, &global.parts.test, bench.device), before);
        assert_ne!(Seen::new(&tuned, &global.parts.test, bench.device), before);
        // With the last layer only, features stay those that were computed before.
        let task = (FineTuning::LastLayer, 1e-3, 2);
        let tuned = fine_tune(bench, global, mine, task, |_| Ok(())).unwrap();
        let after = Seen::new(&tuned, &global.parts.test, bench.device);
        assert_eq!(after.features, before.features);
        assert_ne!(after.probabilities, before.probabilities);
        let found =
            tune::answers(bench, &tuned, FineTuning::LastLayer, (&global.parts.test, &global.test));
        assert_eq!(found, after.answers);
    });
}

/// The trap: on its own training pictures the local expert looks better than it is, so that the
/// gate has more pictures to trust it with.
#[test]
fn the_local_expert_looks_better_inside_than_outside_its_training_pictures() {
    with_user(|bench, global, mine| {
        let expert = local_expert(bench, &mine.seen, 1e-2, 0.3).unwrap();
        let correct = |answers: &[u8]| right(answers, &mine.seen.labels);
        let repaired = |answers: &[u8]| {
            let pairs = mine.seen.right().into_iter().zip(correct(answers));
            pairs.filter(|pair| gate_target(pair.0, pair.1) == Some(1.0)).count()
        };
        assert!(share(&correct(&expert.inside)) > share(&correct(&expert.outside)) + 0.1);
        assert!(repaired(&expert.inside) > repaired(&expert.outside));
        // The two kinds of targets give two gates.
        let trust = |kind| {
            let gate = gate(bench, (&mine.seen, &expert), &global.buffer, kind).unwrap();
            gate.trust(&global.test, bench.device)
        };
        assert_ne!(trust(Targets::InFold), trust(Targets::OutOfFold));
        // Passes: every round has four fifths of 60 pictures, and the last training all of them.
        let epochs = expert.curve.len() as u64;
        let least = expert.curve.iter().copied().fold(f64::INFINITY, f64::min);
        let best = expert.curve.iter().position(|&l| l == least).unwrap() as u64 + 1;
        assert_eq!(expert.passes, 5 * 48 * epochs + 60 * best);
        assert_eq!(expert.looks, 60 * epochs);
    });
}

#[test]
fn no_picture_is_in_two_parts_and_fewer_drawn_pictures_are_among_more() {
    probe(|run| {
        let parts = Parts::load(run, &Config::quick().data[0])?;
        let whole = [&parts.generic, &parts.buffer, &parts.pool, &parts.test];
        assert_eq!(whole.map(pressrun_data::Images::len), [800, 300, 160, 537]);
        let mut rows: Vec<Vec<u32>> = whole
            .into_iter()
            .flat_map(|part| (0..part.len()).map(|at| part.image(at)))
            .map(|image| image.iter().map(|pixel| pixel.to_bits()).collect())
            .collect();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), 1797);
        let draw =
            |n| drawn(parts.pool.labels(), CLASSES, n, &mut pressrun_lab::stream(1, "drawn"));
        let (few, more) = (draw(2), draw(8));
        assert_eq!((few.len(), more.len()), (20, 80));
        assert!(few.iter().all(|row| more.contains(row)));
        let folds = split::folds(parts.pool.labels(), 5, &mut pressrun_lab::stream(1, "folds"));
        assert!(folds.iter().all(|fold| fold.held_out.len() == 32));
        Ok(())
    });
}

#[test]
fn shifts_move_pictures_and_lose_what_leaves_the_frame() {
    let mut picture = vec![0.0; 784];
    picture[14 * 28 + 14] = 1.0;
    let mut rng = pressrun_lab::stream(0, "shifts");
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let moved = shifted(&picture, 1, &mut rng);
        let at = moved.iter().position(|&pixel| pixel == 1.0).unwrap();
        assert!((at / 28).abs_diff(14) <= 1 && (at % 28).abs_diff(14) <= 1);
        places.insert(at);
    }
    assert_eq!(places.len(), 9);
    assert_eq!(shifted(&picture, 0, &mut rng), picture);
    assert_eq!(largest(&[0.1; 10]), [0]);
}
