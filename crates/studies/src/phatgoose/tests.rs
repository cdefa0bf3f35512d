//! The study in a small profile: determinism, the controls, and what breaks which check.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use pressrun_lab::{
    Entry, Judge, Manifest, Options, Outcome, Profile, Record, Results, Rng, Row, Verdict, execute,
    stream,
};
use pressrun_nn::linear::Linear;

use super::cost::{Phase, update_cost};
use super::data::{PATCHES, PIXELS, SIDE, Scene, Set, Strength};
use super::evaluate::Look;
use super::model::{Encoder, Expert, Maps, Plain, Single};
use super::route::Mixture;
use super::train::Contribution;
use super::*;

fn tiny() -> Config {
    Config {
        shape: Shape { layers: 1, width: 16, heads: 2, ffn: 16 },
        sizes: Sizes { train: 200, validation: 40, test: 50 },
        base_steps: 20,
        expert_steps: 10,
        gate_steps: 5,
        batch: 32,
        averaged: 40,
        stored: 20,
        ..Config::quick()
    }
}

fn manifest() -> Manifest {
    Manifest::parse(include_str!("paper.toml"), "phatgoose").unwrap()
}

fn run(config: &Config, threads: usize) -> Record {
    let study = Phatgoose { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: manifest(),
        study: Some(Box::new(study)),
        record: None,
        sources: Vec::new(),
    };
    let mut options = Options::new(Profile::Quick);
    options.threads = Some(threads);
    execute(&entry, &options, &|_| {}).unwrap()
}

/// The verdicts of a record in which another arm stands in the method's place.
fn in_place_of_the_method(record: &Record, other: &str) -> Vec<Verdict> {
    let results = record.results();
    let rows = results.rows().iter().filter_map(|row| {
        let routed = row.metric.starts_with("test/") || row.metric.starts_with("routing/");
        match &*row.method {
            // Costs and norms are those of the gates, which no other arm has.
            PHATGOOSE if !routed => Some(row.clone()),
            PHATGOOSE => None,
            name if name == other && routed => {
                Some(Row { method: PHATGOOSE.into(), ..row.clone() })
            }
            _ => Some(row.clone()),
        }
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.extend(results.rows().iter().filter(|row| row.method == other).cloned());
    let (study, manifest) = (study(), manifest());
    let mut judge = Judge::new(&manifest);
    study.check(&Results::new(rows), &mut judge).unwrap();
    judge.conclude()
}

fn verdict<'v>(verdicts: &'v [Verdict], claim: &str) -> &'v Verdict {
    verdicts.iter().find(|v| v.claim == claim).unwrap()
}

fn holds(verdicts: &[Verdict], claim: &str, check: &str) -> bool {
    verdict(verdicts, claim).comparisons.iter().find(|c| c.check == check).unwrap().holds
}

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let config = Config { grid: vec![1e-3, 5e-3], ..tiny() };
    let (one, two) = (run(&config, 1), run(&config, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(one.tuning, two.tuning);
    assert_eq!(one.tuning.iter().filter(|row| row.chosen).count(), config.pool.len() + 1);
    assert!(one.rows.iter().flat_map(|row| &row.values).all(|value| value.is_finite()));
}

/// The profile at work, with the method, and then with its controls in its place.
#[test]
fn controls_in_place_of_the_method_fail() {
    let record = run(&Config::quick(), 2);
    assert!(holds(&record.verdicts, "C3", "entropy") && holds(&record.verdicts, "C3", "not-one"));
    assert!(holds(&record.verdicts, "C1", "merged") && holds(&record.verdicts, "C1", "random"));
    let setting = Config::quick().setting;
    let above_chance =
        |method| record.results().stat(setting, method, "routing/above_chance").unwrap().mean;
    let (mine, random) = (above_chance(PHATGOOSE), above_chance(RANDOM));
    assert!(mine > random + 0.1 && random.abs() < 0.1, "{mine}, random {random}");

    // Random directions know nothing: C1, C2 and the agreement fail.
    let random = in_place_of_the_method(&record, RANDOM);
    assert!(!holds(&random, "C1", "two-of-three") && !holds(&random, "C1", "random"));
    assert_eq!(verdict(&random, "C1").outcome, Outcome::NotAtThisScale);
    assert!(!holds(&random, "C3", "agreement") && !holds(&random, "C2", "one-task"));

    // One decision for a whole picture has no entropy within it and gains nothing over itself.
    let image = in_place_of_the_method(&record, PER_IMAGE);
    assert!(!holds(&image, "C3", "entropy") && !holds(&image, "C3", "halves"));
    assert_eq!(verdict(&image, "C3").outcome, Outcome::NotAtThisScale);

    // The main baseline is no better than itself.
    let average = in_place_of_the_method(&record, AVERAGE);
    assert!(!holds(&average, "C1", "average"));
}

/// Seeds 0.1 apart have a standard error of 0.1 / sqrt 3 each. H1 is 0.2 below and H3 0.1; H2, at
/// 0.05 below, has a spread of 0.01 and is further away in standard errors than H3.
#[test]
fn c2_is_judged_on_the_task_that_is_closest_in_standard_errors() {
    let mut results = Results::default();
    for (seed, step) in [(0, -1.0), (1, 0.0), (2, 1.0)] {
        for (metric, below, spread) in
            [("test/h1", 0.2, 0.1), ("test/h2", 0.05, 0.01), ("test/h3", 0.1, 0.1)]
        {
            let value = 0.5 + spread * step;
            results.add(QUICK, MULTITASK, metric, seed, value);
            results.add(QUICK, PHATGOOSE, metric, seed, value - below);
        }
    }
    let (task, mine, other) = checks::closest(QUICK, &results).unwrap();
    assert_eq!(task, "H3");
    assert!((other.mean - mine.mean - 0.1).abs() < 1e-12);
}

/// Gates that were never trained are zeros, and a second phase as long as the first is no small
/// step.
#[test]
fn a_second_phase_that_is_left_out_or_too_long_fails_c4() {
    let methods = || methods().into_iter().filter(|m| m.name == PHATGOOSE).collect();
    let none = run(&Config { gate_steps: 0, methods: methods(), ..tiny() }, 2).verdicts;
    assert!(!holds(&none, "C4", "learned") && holds(&none, "C4", "cost"));
    let long = run(&Config { gate_steps: 10, methods: methods(), ..tiny() }, 2).verdicts;
    assert!(holds(&long, "C4", "learned") && !holds(&long, "C4", "cost"));
    assert_eq!(verdict(&long, "C4").outcome, Outcome::NotAtThisScale);
}

fn device() -> Device {
    pressrun_nn::device::named("flex").unwrap()
}

/// An untrained encoder and contributions with random factors and gates, without gradients.
fn pool(experts: usize) -> (Encoder, Vec<Contribution>) {
    let (device, mut rng) = (device(), stream(3, "pool"));
    let shape = Shape { layers: 2, width: 16, heads: 2, ffn: 16 };
    let encoder = Encoder::new(&shape, &device, &mut rng).unwrap().valid();
    let random = pressrun_nn::init::Init::Normal { mean: 0.0, std: 0.5 };
    let member = |rng: &mut Rng| {
        let mut expert = Expert::new(&encoder, 4, &device, rng).unwrap();
        for layer in &mut expert.layers {
            let (inputs, outputs) = layer.base.sizes();
            layer.lora.a = random.param([inputs, 4], (1, 1), &device, rng);
            layer.lora.b = random.param([4, outputs], (1, 1), &device, rng);
        }
        let vectors = |rng: &mut Rng| {
            let v = |_: &Linear| random.tensor([16], (1, 1), &device, rng).inner();
            encoder.maps().map(v).collect::<Vec<Tensor<1>>>()
        };
        let (gates, means) = (vectors(rng), vectors(rng));
        let examples = random.tensor([5, 16], (1, 1), &device, rng).inner();
        Contribution { expert: expert.valid(), gates, means, examples }
    };
    let pool = (0..experts).map(|_| member(&mut rng)).collect();
    (encoder, pool)
}

fn pictures() -> Tensor<3> {
    let mut rng = stream(4, "pictures");
    let random = pressrun_nn::init::Init::Normal { mean: 0.0, std: 1.0 };
    random.tensor([3, PATCHES, PIXELS], (1, 1), &device(), &mut rng).inner()
}

fn difference(a: Tensor<2>, b: Tensor<2>) -> f32 {
    (a - b).abs().max().into_scalar()
}

/// One contributor and one expert for each token: the model of that contributor.
#[test]
fn with_one_expert_and_top_1_the_mixture_is_that_expert() {
    let (encoder, pool) = pool(1);
    let x = pictures();
    let single = encoder.logits(x.clone(), &mut Single(&pool[0].expert));
    for scope in [Scope::Token, Scope::Image] {
        let choice = (Keys::Gates, scope, 1);
        let mut mixture = Mixture::keyed(&encoder, &pool, choice, &mut stream(0, "keys")).unwrap();
        let y = encoder.logits(x.clone(), &mut mixture);
        assert!(difference(y.clone(), single.clone()) < 1e-4, "{scope:?}");
        let best = |y: Tensor<2>| y.argmax(1).try_into_vec_as::<i64>().unwrap();
        assert_eq!(best(y), best(single.clone()), "{scope:?}");
    }
    // Retrieval has weights of exactly 1.
    let mut nearest = Mixture::nearest(&encoder, &pool).unwrap();
    assert_eq!(difference(encoder.logits(x.clone(), &mut nearest), single.clone()), 0.0);
    let base = encoder.logits(x, &mut Plain::of(&encoder));
    assert!(difference(base, single) > 0.01);
}

/// What one patch contains changes the choice of that patch alone in the first map of a model with
/// a decision for each token, and of the whole picture with one for each picture.
#[test]
fn a_decision_is_for_the_token_or_for_the_picture() {
    let (encoder, pool) = pool(4);
    let choices = |scope, x: Tensor<3>| {
        let choice = (Keys::Gates, scope, 2);
        let mut mixture = Mixture::keyed(&encoder, &pool, choice, &mut stream(0, "keys")).unwrap();
        encoder.logits(x, &mut mixture);
        assert_eq!(mixture.evaluations, 2 * 3 * PATCHES as u64 * mixture.choices.len() as u64);
        mixture.choices
    };
    let image = choices(Scope::Image, pictures());
    assert!(image.iter().flat_map(|m| m.chunks(PATCHES)).all(|p| p.iter().all(|c| *c == p[0])));
    let token = choices(Scope::Token, pictures());
    assert!(token[0].chunks(PATCHES).any(|p| p.iter().any(|c| *c != p[0])));
    assert_ne!(token[0], token[6], "each map has a router of its own");
    let other = pictures().slice_fill([0..1, 0..1, 0..PIXELS], 3.0);
    let moved = choices(Scope::Token, other);
    assert_eq!(token[0][1..], moved[0][1..]);
}

/// The stored example that is nearest decides for the picture, in all maps.
#[test]
fn retrieval_asks_the_owner_of_the_nearest_example() {
    let (encoder, mut pool) = pool(3);
    let features = encoder.features(pictures(), &mut Plain::of(&encoder));
    let row = |at: usize| features.clone().slice([at..at + 1, 0..16]);
    // Picture 0 belongs to expert 2, pictures 1 and 2 to expert 1; lengths do not matter.
    for (expert, at, scale) in [(2, 0, 0.1), (1, 1, 7.0), (1, 2, 1.0)] {
        let old = pool[expert].examples.clone();
        pool[expert].examples = old.slice_assign([at..at + 1, 0..16], row(at) * scale);
    }
    let mut nearest = Mixture::nearest(&encoder, &pool).unwrap();
    encoder.logits(pictures(), &mut nearest);
    for map in &nearest.choices {
        let owners: Vec<usize> = map.chunks(PATCHES).map(|picture| picture[0]).collect();
        assert_eq!(owners, [2, 1, 1]);
    }
}

/// Merging averages the changes: the outputs of a linear map are the mean of the experts'.
#[test]
fn a_merged_map_is_the_mean_of_the_experts() {
    let (encoder, pool) = pool(3);
    let mut merged = route::merged(&encoder, &pool).unwrap();
    let u = pictures().slice([0..3, 0..1, 0..16]).reshape([3, 16]);
    let experts = pool.iter().map(|m| m.expert.layers[2].forward(u.clone()));
    let mean = experts.reduce(|a, b| a + b).unwrap() / 3.0;
    assert!(difference(merged.apply(2, u), mean) < 1e-4);
}

/// Control keys are as long as the gates, and others.
#[test]
fn random_keys_have_the_norms_of_the_gates() {
    let (encoder, pool) = pool(2);
    let draw = |purpose| {
        let choice = (Keys::Random, Scope::Token, 1);
        let mut mixture = Mixture::keyed(&encoder, &pool, choice, &mut stream(0, purpose)).unwrap();
        encoder.logits(pictures(), &mut mixture);
        mixture.choices
    };
    assert_eq!(draw("a"), draw("a"));
    assert_ne!(draw("a"), draw("b"));
    let v = Tensor::<1>::from_floats([3.0, 4.0, 0.0], &device());
    let random = route::random_like(&v, &mut stream(0, "a"));
    assert!((route::norm(&random) - 5.0).abs() < 1e-5);
}

#[test]
fn corruptions_of_a_patch_by_hand() {
    let mut rng = stream(0, "noise");
    let ramp: Vec<f32> = (0..PIXELS).map(|at| at as f32 / 100.0).collect();
    let mut after = |corruption: Corruption, strength| {
        let mut patch = ramp.clone();
        corruption.apply(strength, &mut patch, &mut rng);
        patch
    };
    let trained = Strength::Trained;
    assert_eq!(after(Corruption::Invert, trained)[3], 1.0 - 0.03);
    // The last pixel of the first row comes from the first column's top, and from its left end.
    assert_eq!(after(Corruption::Rotate, trained)[SIDE - 1], ramp[0]);
    assert_eq!(after(Corruption::Rotate, trained)[0], ramp[(SIDE - 1) * SIDE]);
    assert_eq!(after(Corruption::Flip, trained)[SIDE - 1], ramp[0]);
    assert!((after(Corruption::Contrast, trained)[0] - 0.35).abs() < 1e-6);
    assert!((after(Corruption::Contrast, Strength::Stronger)[0] - 0.425).abs() < 1e-6);
    // A ramp is its own mean inside; in the corner the two of each direction count once and twice:
    // 1/3 of a column, 0.01, and of a row, 0.07.
    let mut patch = ramp.clone();
    data::smooth(&mut patch);
    assert!((patch[8] - 0.08).abs() < 1e-6 && (patch[0] - 0.08 / 3.0).abs() < 1e-6);
    let noisy = after(Corruption::Noise, trained);
    assert!(noisy != ramp && noisy.iter().all(|p| (0.0..=1.0).contains(p)));
}

#[test]
fn the_truth_of_a_scene_is_what_was_done() {
    let images = pressrun_data::Fashion::load_balanced(&pressrun_data::Sources::embedded(), 20, 10);
    let images = images.unwrap().train;
    let pool = Corruption::ALL;
    let rows = data::all(&images);
    let set = |scene| Set::of(&images, &rows, scene, &pool, &mut stream(0, "scene"));
    let halves = set(Scene::Halves(0, 3));
    let expected = |at: usize| Some(if at % 4 < 2 { 0 } else { 3 });
    assert!(halves.truth.iter().enumerate().all(|(at, truth)| *truth == expected(at)));
    assert!(set(Scene::Clean).changed.iter().all(|changed| !changed));
    assert!(set(Scene::Everywhere(0, Strength::Trained)).changed.iter().all(|changed| *changed));
    let union = set(Scene::Union);
    assert!(union.truth.chunks(PATCHES).all(|p| p.iter().all(|t| *t == p[0])));
    let scattered = set(Scene::Scattered);
    let found = |z| scattered.truth.iter().filter(|t| **t == Some(z)).count();
    // 320 patches: 53 expected of each, standard deviation 6.7.
    assert!((0..6).all(|z| found(z) > 26 && found(z) < 80));

    // Choices that are the truth, and one expert for all.
    let right: Vec<usize> = halves.truth.iter().flatten().copied().collect();
    let look = Look::of(&[right], &halves, 6);
    assert_eq!((look.agreement, look.agreement_changed, look.other_than_one), (1.0, 1.0, 0.5));
    assert!((look.token_entropy - 2f64.ln() / 6f64.ln()).abs() < 1e-9);
    let one = Look::of(&[vec![3; 320]], &halves, 6);
    assert_eq!((one.agreement, one.token_entropy, one.other_than_one), (0.5, 0.0, 0.0));
}

/// Width 2, feed-forward 3, rank 1: maps 4 x 4 + 2 x 6 = 28, factors 4 x 4 + 2 x 5 = 26, inputs
/// 4 x 2 + 2 + 3 = 13, attention 2 x 16 x 2 = 64, embedding 49 x 2 = 98.
#[test]
fn costs_by_hand() {
    let shape = Shape { layers: 1, width: 2, heads: 1, ffn: 3 };
    let expert = update_cost(&shape, 1, Phase::Expert);
    assert_eq!(expert, f64::from(2 * 28 + 3 * 26 + 3 * 64 + 98));
    let gates = update_cost(&shape, 1, Phase::Gates);
    assert_eq!(gates, f64::from(2 * 28 + 2 * 26 + 3 * 64 + 6 * 13 + 98));
}
