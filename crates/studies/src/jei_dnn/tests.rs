//! The study in a small profile: determinism, the oracles, and the negative controls.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use pressrun_lab::{Entry, Manifest, Options, Outcome, Profile, Record, Verdict, execute, stream};
use pressrun_nn::device;
use pressrun_nn::gate::{ExitGateConfig, exit_targets};

use super::frozen::Batch;
use super::measure::{Curve, Outputs, Point, position, spearman};
use super::model::Classifiers;
use super::train::{classifier_loss, exit_losses, gate_features, gate_loss, joint_loss, rho};
use super::*;

/// Seconds instead of minutes; the phases are those of the real profiles.
fn tiny(methods: &[(&'static str, Recipe)]) -> Config {
    let kind = Kind::Mlp { width: 8, hidden: 8 };
    let method = |&(name, recipe)| Method { name, recipe };
    Config {
        methods: methods.iter().map(method).collect(),
        sizes: Sizes { train: 256, validation: 100, calibration: 100, test: 200 },
        shape: Shape { kind, blocks: 3, side: 8, classes: 10 },
        backbone_epochs: 20,
        epochs: 12,
        warm_up: 4,
        patience: 2,
        switch: 2,
        ..Config::quick()
    }
}

fn run(config: &Config, threads: usize) -> Record {
    let study = JeiDnn { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "jei_dnn").unwrap(),
        study: Some(Box::new(study)),
        record: None,
        sources: Vec::new(),
    };
    let mut options = Options::new(Profile::Quick);
    options.threads = Some(threads);
    execute(&entry, &options, &|_| {}).unwrap()
}

fn verdict<'r>(record: &'r Record, claim: &str) -> &'r Verdict {
    record.verdicts.iter().find(|v| v.claim == claim).unwrap()
}

fn holds(verdict: &Verdict, check: &str) -> bool {
    verdict.comparisons.iter().find(|c| c.check == check).unwrap().holds
}

const JOINT: Recipe = Recipe::Joint { detach: true, weighted: true };
const WARM: Recipe = Recipe::Thresholds { as_long: false };

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let config = Config { grid: vec![0.01, 0.03], ..tiny(&[]) };
    let config = Config { methods: Config::full().methods, ..config };
    let (one, two) = (run(&config, 1), run(&config, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(one.tuning, two.tuning);
    assert_eq!(one.tuning.iter().filter(|row| row.chosen).count(), config.methods.len());
    assert!(one.rows.iter().flat_map(|row| &row.values).all(|value| value.is_finite()));
    // No arm is above the best rule, and the bound is worth something.
    let c1 = verdict(&one, "C1");
    assert!(holds(c1, "oracle") && holds(c1, "oracle-loss"));
    let area = |method| one.results().stat(config.setting, method, "test/area").unwrap().mean;
    assert!(config.methods.iter().all(|method| area(method.name) < area(ORACLE)));
}

/// Thresholds on the largest probability are the baseline: as gates they win nothing.
#[test]
fn thresholds_in_place_of_the_gates_fail_c1_and_c4() {
    let record = run(&tiny(&[(JEI, WARM), (DECOUPLED, WARM), (THRESHOLDS, WARM)]), 2);
    assert!(!holds(verdict(&record, "C1"), "thresholds"));
    for (claim, check) in
        [("C2", "thresholds-sign"), ("C2", "own-costs"), ("C3", "thresholds-sign")]
    {
        assert!(!holds(verdict(&record, claim), check), "{claim}");
    }
    let c4 = verdict(&record, "C4");
    assert!(!holds(c4, "decoupled") && !holds(c4, "decoupled-sign"));
    assert_eq!(c4.outcome, Outcome::NotAtThisScale);
    assert_eq!(verdict(&record, "C5").outcome, Outcome::NotTested);
}

#[test]
fn classifiers_that_are_never_trained_again_fail_c4() {
    let record = run(&tiny(&[(JEI, Recipe::Decoupled), (DECOUPLED, Recipe::Decoupled)]), 2);
    assert_eq!(verdict(&record, "C4").outcome, Outcome::NotAtThisScale);
    let methods = [(JEI, JOINT), (DECOUPLED, Recipe::Decoupled)];
    let results = run(&tiny(&methods), 2).results();
    let area = |method| results.stat(QUICK, method, "test/area").unwrap().mean;
    assert_ne!(area(JEI), area(DECOUPLED));
}

#[test]
fn a_weight_of_the_cost_without_effect_fails_c5() {
    let config = Config { lambdas: vec![0.3, 0.3], ..tiny(&[(JEI, JOINT)]) };
    let c5 = verdict(&run(&config, 2), "C5").clone();
    assert!(!holds(&c5, "monotone") && !holds(&c5, "span"));
    // Gates learn slowly at the method's rate; a larger one saves epochs.
    let config = Config { lambdas: vec![0.0, 20.0], grid: vec![0.1], epochs: 60, ..config };
    let c5 = verdict(&run(&config, 2), "C5").clone();
    assert!(holds(&c5, "monotone"), "{c5:?}");
}

fn cpu() -> Device {
    device::named("flex").unwrap()
}

fn near(found: Tensor<2>, expected: &[f32]) {
    let found: Vec<f32> = found.try_into_vec_as().unwrap();
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(near && found.len() == expected.len(), "{found:?} {expected:?}");
}

/// CE = (1.2, 0.5, 0.2), P = (0.1, 0.5, 0.4): sum CE = 1.9, sum P CE = 0.45, r = 4.222222.
#[test]
fn the_ratio_keeps_the_size_and_detached_the_weights() {
    let p = Tensor::<2>::from_floats([[0.1, 0.5, 0.4]], &cpu());
    for (detach, expected) in [(true, [0.422, 2.111, 1.689]), (false, [1.0; 3])] {
        let ce = Tensor::<2>::from_floats([[1.2, 0.5, 0.2]], &cpu()).require_grad();
        // The loss is a mean over three exits.
        let total = classifier_loss(ce.clone(), p.clone(), detach) * 3.0;
        assert!((total.clone().into_scalar::<f32>() - 1.9).abs() < 1e-5);
        near(ce.grad(&total.backward()).unwrap(), &expected);
    }
    // A sample that the gates send to the last exit alone counts nothing, and breaks nothing.
    let none = classifier_loss(Tensor::ones([1, 3], &cpu()), Tensor::zeros([1, 3], &cpu()), true);
    assert_eq!(none.into_scalar::<f32>(), 0.0);
}

/// h = (0, 0) and t = (0, 1): ln 2 each, the second weighs 5.
#[test]
fn seldom_exits_weigh_more() {
    let (h, t) = (Tensor::zeros([1, 2], &cpu()), exit_targets(&[1], 2, &cpu()));
    let loss = gate_loss(h, t, &[1.0, 5.0]).into_scalar::<f32>();
    assert!((loss - 3.0 * 2f32.ln()).abs() < 1e-5);
    // Of four samples three leave at the first exit, none at the second, one at the last.
    let weights = rho(&[0, 0, 2, 0], 2);
    assert!((weights[0] - 1.0 / 3.0).abs() < 1e-12 && weights[1] == 5.0);
}

fn sample(shape: &Shape, rows: usize) -> Batch {
    let value = |i: usize| (i as f32 * 0.7).sin();
    let tensor = |width: usize, from: usize| {
        let values: Vec<f32> = (0..rows * width).map(|i| 2.0 * value(i + from)).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([rows, width])
    };
    let labels: Vec<i64> = (0..rows).map(|row| (row * 7 % shape.classes) as i64).collect();
    Batch {
        z: (0..shape.gates()).map(|gate| tensor(shape.features(), 31 * gate)).collect(),
        head: tensor(shape.classes, 5),
        labels: Tensor::<1, Int>::from_ints(labels.as_slice(), &cpu()),
    }
}

/// Each of the two losses moves its own side only.
#[test]
fn gates_give_no_gradient_to_classifiers_and_classifiers_none_to_gates() {
    let shape = tiny(&[]).shape;
    let (gates, batch) = (shape.gates(), sample(&shape, 6));
    let model = Classifiers::new(&shape, &cpu(), &mut stream(0, "classifiers")).unwrap();
    let gate = ExitGateConfig::new(gates).init(&cpu(), &mut stream(0, "gate")).unwrap();
    let h = gate.forward(gate_features(model.forward(&batch.z), gates));
    let targets = exit_targets(&[0, 1, 2, 0, 1, 2], gates, &cpu());
    let grads = gate_loss(h, targets, &[1.0, 1.0]).backward();
    assert!(gate.weight.val().grad(&grads).is_some());
    assert!(model.layers.iter().all(|layer| layer.weight.val().grad(&grads).is_none()));
    let grads = joint_loss(&model, &gate, &batch, true).backward();
    assert!(gate.weight.val().grad(&grads).is_none());
    assert!(model.layers.iter().all(|layer| layer.weight.val().grad(&grads).is_some()));
    // Not detached, the gates do not count: the gradient is that of the plain sum.
    let weights = |loss: Tensor<1>| model.layers[0].weight.val().grad(&loss.backward()).unwrap();
    let plain = exit_losses(model.forward(&batch.z), &batch).mean();
    let attached = weights(joint_loss(&model, &gate, &batch, false));
    let plain = weights(plain);
    assert!((attached - plain.clone()).abs().max().into_scalar::<f32>() < 1e-5);
    let detached = weights(joint_loss(&model, &gate, &batch, true));
    assert!((detached - plain).abs().max().into_scalar::<f32>() > 1e-3);
}

/// Two MLP blocks on 2 x 2 pixels: stem 4 * 3 = 12, block 2 * 3 * 5 = 30, classifier 3 * 2 + 2 = 8,
/// gate 4 * 2 + 4 = 12. To the first exit 12 + 30 + 8 + 12 = 62, to the last 62 + 30 + 8 = 100.
#[test]
fn costs_by_hand_include_classifiers_and_gates() {
    let kind = Kind::Mlp { width: 3, hidden: 5 };
    let costs = Shape { kind, blocks: 2, side: 2, classes: 2 }.costs();
    assert_eq!(costs.gated, [0.62, 1.0]);
    assert_eq!(costs.plain, [0.5, 0.88]);
    assert_eq!(costs.backbone, 0.8);
    // A convolution of 4 channels on 2 x 2 places: stem 9 * 4 * 4, blocks 9 * 16 * 4 each, no
    // classifier's features are those of the places: 4 * 4 * 2 + 2 = 34.
    let kind = Kind::Conv { channels: 4 };
    let costs = Shape { kind, blocks: 2, side: 4, classes: 2 }.costs();
    let whole = 144.0 + 2.0 * 576.0 + 34.0 + 12.0 + 34.0;
    assert_eq!(costs.gated, [(144.0 + 576.0 + 34.0 + 12.0) / whole, 1.0]);
}

fn outputs(shape: &Shape, rows: usize) -> Outputs {
    let batch = sample(shape, rows);
    let model = Classifiers::new(shape, &cpu(), &mut stream(3, "classifiers")).unwrap();
    let labels: Vec<i64> = batch.labels.clone().try_into_vec_as().unwrap();
    Outputs::new(model.valid().forward(&batch.z), &batch, &labels).unwrap()
}

/// Random exits never reach the bound, and the exits by which it is made do.
#[test]
fn no_rule_is_better_than_the_oracle() {
    use rand::RngExt;
    let shape = Shape { classes: 3, ..tiny(&[]).shape };
    let (seen, cost) = (outputs(&shape, 90), [0.3, 0.6, 1.0]);
    let (mut rng, exits) = (stream(0, "exits"), seen.exits());
    for _ in 0..50 {
        let taken: Vec<usize> = (0..90).map(|_| rng.random_range(0..exits)).collect();
        let point = Point::new(&seen, &taken, (&seen, &taken), &cost);
        assert!(point.values[0] <= point.oracle + 1e-12);
    }
    let first = |row| (0..exits).find(|&exit| seen.right(row, exit));
    let best: Vec<usize> = (0..90).map(|row| first(row).unwrap_or(0)).collect();
    let point = Point::new(&seen, &best, (&seen, &best), &cost);
    let first = seen.accuracy(&[0; 90]);
    assert!(point.values[0] > first && (point.values[0] - point.oracle).abs() < 1e-12);
    assert!((seen.oracle(&cost, cost[0]) - first).abs() < 1e-12);
    // One row more than all at the first exit can be paid, at the second exit.
    let one = seen.oracle(&cost, cost[0] + 0.3 / 90.0);
    assert!((one - first - 1.0 / 90.0).abs() < 1e-12);
}

/// Sets that are calibrated on the same rows cover ceil(91 * 0.95) = 87 of 90 of them, or more
/// where scores are equal; so do those of exits that are calibrated by themselves.
#[test]
fn sets_cover_what_they_were_calibrated_on() {
    let shape = Shape { classes: 3, ..tiny(&[]).shape };
    let (seen, taken) = (outputs(&shape, 90), [0, 1, 2].repeat(30));
    let point = Point::new(&seen, &taken, (&seen, &taken), &[0.3, 0.6, 1.0]);
    let coverage = point.values[position("coverage")];
    assert!((87.0 / 90.0..=89.0 / 90.0).contains(&coverage), "{coverage}");
    assert!(point.values[position("size")] >= coverage);
    // Each exit has 30 rows: the ceil(31 * 0.95) = 30th score, the largest, covers all.
    assert_eq!(point.values[position("coverage-by-exit")], 1.0);
    // At alpha 0.01 k is ceil(91 * 0.99) = 91 of 90: nothing can be ruled out.
    assert_eq!(point.values[position("size-0.01")], 3.0);
    assert!((point.cost - 19.0 / 30.0).abs() < 1e-12);
}

#[test]
fn curves_by_hand() {
    let point = |cost, accuracy| {
        let mut values = [0.0; 9];
        values[0] = accuracy;
        Point { cost, values, oracle: 1.0 }
    };
    let curve = Curve::new(vec![point(1.0, 0.9), point(0.2, 0.5), point(0.6, 0.8)]);
    let at = |cost| curve.at(0, cost);
    assert!((at(0.4) - 0.65).abs() < 1e-12 && (at(0.8) - 0.85).abs() < 1e-12);
    assert_eq!([at(0.1), at(0.2), at(0.6), at(1.0), at(1.1)], [0.5, 0.5, 0.8, 0.9, 0.9]);
    // (0.5 + 0.8) / 2 * 0.4 + (0.8 + 0.9) / 2 * 0.4, by 0.8; half of it up from 0.6.
    assert!((curve.area(0, (0.2, 1.0)) - 0.75).abs() < 1e-12);
    assert!((curve.area(0, (0.6, 1.0)) - 0.85).abs() < 1e-12);
    assert_eq!(spearman(&[0.1, 1.0, 2.0], &[0.9, 0.7, 0.4]), -1.0);
    // Ranks 0, 1, 2 and 1.5, 1.5, 0: -1.5 / sqrt(2 * 1.5).
    let tied = spearman(&[0.1, 1.0, 2.0], &[0.9, 0.9, 0.4]);
    assert!((tied + 1.5 / 3f64.sqrt()).abs() < 1e-12);
    assert!(spearman(&[0.1, 1.0], &[0.5, 0.5]).is_nan());
}
