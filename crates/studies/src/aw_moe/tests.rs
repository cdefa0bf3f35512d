//! The study in a small profile: determinism, leaks, sizes, oracles, and the negative controls.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;
use pressrun_data::metric;
use pressrun_lab::{Entry, Manifest, Options, Outcome, Profile, Record, Verdict, execute, stream};
use pressrun_nn::device;

use super::data::{Batch, Market, Slice};
use super::model::Ranker;
use super::train::{Task, losses, score, slices};
use super::*;

const ALL: [Kind; 9] = [
    Kind::Aw { gate_unit: true, activation_unit: true },
    Kind::Aw { gate_unit: false, activation_unit: true },
    Kind::Aw { gate_unit: true, activation_unit: false },
    Kind::AwSoftmax,
    Kind::AwMean,
    Kind::UserMoe,
    Kind::CategoryMoe,
    Kind::Din,
    Kind::Dnn,
];

fn market() -> MarketConfig {
    MarketConfig { users: 80, items: 400, categories: 10, sessions: [80, 40, 80], ..full().market }
}

fn full() -> Config {
    Config::full()
}

/// Seconds instead of minutes.
fn tiny(methods: Vec<Method>) -> Config {
    let shape = Shape { experts: 3, expert: [8, 4], ..full().shape };
    Config { methods, market: market(), shape, epochs: 2, ..Config::quick() }
}

fn run(config: &Config, threads: usize) -> Record {
    let study = AwMoe { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "aw_moe").unwrap(),
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

fn holds(record: &Record, claim: &str, check: &str) -> bool {
    verdict(record, claim).comparisons.iter().find(|c| c.check == check).unwrap().holds
}

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let control = vec![aw(), method(DIN, Kind::Din)];
    let mut config = tiny(full().methods);
    config = Config { lr: vec![2e-3, 4e-3], lambda: vec![0.05, 0.3], control, ..config };
    let (one, two) = (run(&config, 1), run(&config, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(one.tuning, two.tuning);
    let arms = config.methods.len() + config.control.len();
    assert_eq!(one.tuning.len(), 2 * arms);
    assert_eq!(one.tuning.iter().filter(|row| row.chosen).count(), arms);
    assert!(one.rows.iter().flat_map(|row| &row.values).all(|value| value.is_finite()));
    // Every check of the paper is covered by the arms of the full profile.
    let checks = one.verdicts.iter().map(|v| v.comparisons.len()).sum::<usize>();
    assert_eq!(checks, 11 + 2 + 3 + 8);
}

/// DIN in the place of the method leads over DIN by nothing at all, and a gate that is normalised
/// over the experts or the sequence, or that reads the pooled user vector, does not add up.
#[test]
fn other_gates_in_place_of_the_method_are_told_apart() {
    for (kind, adds_up) in
        [(aw().kind, true), (Kind::AwSoftmax, false), (Kind::AwMean, false), (Kind::UserMoe, false)]
    {
        let record = run(&tiny(vec![method(AW, kind), method(DIN, Kind::Din)]), 2);
        assert_eq!(holds(&record, "C4", "additive"), adds_up, "{kind:?}");
        if !adds_up {
            assert_eq!(verdict(&record, "C4").outcome, Outcome::NotAtThisScale, "{kind:?}");
        }
    }
    let record = run(&tiny(vec![method(AW, Kind::Din), method(DIN, Kind::Din)]), 2);
    assert!(!holds(&record, "C1", "din") && !holds(&record, "C1", "din-sign"));
    assert_eq!(verdict(&record, "C1").outcome, Outcome::NotAtThisScale);
}

/// With a factor of 0 the arm with the contrastive loss is the arm without: no gain to report.
#[test]
fn no_contrastive_loss_no_gain() {
    let config = Config { lambda: vec![0.0], ..tiny(vec![contrastive(), aw()]) };
    let record = run(&config, 2);
    for (claim, check) in [("C2", "all"), ("C3", "tail"), ("C3", "tail-sign"), ("C4", "cosine")] {
        assert!(!holds(&record, claim, check), "{claim} {check}");
    }
    assert_eq!(verdict(&record, "C3").outcome, Outcome::NotAtThisScale);
    let config = Config { lambda: vec![0.3], ..config };
    let gain = |record: &Record| record.results().stat(QUICK, CL, "gain/all").unwrap().mean;
    assert_eq!(gain(&record), 0.0);
    assert_ne!(gain(&run(&config, 2)), 0.0);
}

#[test]
fn all_rankers_have_the_same_size_within_a_tenth() {
    let device = device::named("flex").unwrap();
    for config in [Config::quick(), full()] {
        let size = |kind| {
            let mut rng = stream(0, "init");
            let ranker = Ranker::new(kind, &config.shape, &config.market, &device, &mut rng);
            let ranker = ranker.unwrap();
            (ranker.network_parameters() as f64, ranker.num_params())
        };
        let (wanted, with_tables) = size(aw().kind);
        assert!(wanted > 1000.0 && with_tables as f64 > wanted);
        for kind in ALL {
            let (found, _) = size(kind);
            assert!((found / wanted - 1.0).abs() < 0.1, "{kind:?}: {found} of {wanted}");
        }
    }
}

/// Permuting the history, or padding it, changes no score of any ranker; another history does.
#[test]
fn order_and_padding_have_no_influence_on_a_score() {
    let config = tiny(Vec::new());
    let market = Market::generate(&config.market, 1).unwrap();
    let device = device::named("flex").unwrap();
    let longest = (0..market.test.len()).max_by_key(|&at| market.length[market.test.user[at]]);
    let (longest, other) = (longest.unwrap(), market.sessions_of(&market.test, Slice::Tail)[0]);
    for kind in ALL {
        let mut rng = stream(0, "init");
        let ranker = Ranker::new(kind, &config.shape, &config.market, &device, &mut rng).unwrap();
        let logits = |batch: &Batch| -> Vec<f32> {
            let encoded = ranker.encode(batch, &market.items);
            ranker.forward(batch, &encoded).0.try_into_vec_as().unwrap()
        };
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        // Beside a longer history the shorter one is padded.
        let alone = logits(&Batch::new(&market, &market.test, &[other], &device));
        let beside = Batch::new(&market, &market.test, &[other, longest], &device);
        assert!(close(&alone, &logits(&beside)[..alone.len()]), "{kind:?}");

        let batch = Batch::new(&market, &market.test, &[longest], &device);
        let mut turned = batch.clone();
        turned.items[..batch.places].reverse();
        assert!(close(&logits(&batch), &logits(&turned)), "{kind:?}");
        let mut changed = batch.clone();
        changed.items[0] = (0..config.market.items).find(|i| !batch.items.contains(i)).unwrap();
        assert_ne!(logits(&batch), logits(&changed), "{kind:?}");
    }
}

/// g = (0.5, -2), s = (2, 0.25): the logit is 0.5 and the probability 0.622459.
#[test]
fn the_score_is_the_sum_over_experts() {
    let device = device::named("flex").unwrap();
    let g = Tensor::<2>::from_floats([[0.5, -2.0]], &device);
    let s = Tensor::<2>::from_floats([[2.0, 0.25]], &device);
    let logit = model::mixed(g, s);
    assert_eq!(logit.clone().into_scalar::<f32>(), 0.5);
    let y = burn::tensor::activation::sigmoid(logit).into_scalar::<f32>();
    assert!((y - 0.622_459).abs() < 1e-6);
}

/// What a user is shown was never met before, and nothing about the truth is an input.
#[test]
fn sessions_show_what_the_user_has_not_met() {
    let config = market();
    let market = Market::generate(&config, 3).unwrap();
    let mut shown: Vec<Vec<usize>> = market.history.clone();
    for part in [&market.train, &market.validation, &market.test] {
        assert!(part.len() > 0 && part.candidates() == 10);
        for at in 0..part.len() {
            let items = &part.items[at * 10..(at + 1) * 10];
            let met = &mut shown[part.user[at]];
            assert!(items.iter().all(|item| !met.contains(item)));
            assert!(items.iter().all(|item| market.items.category[*item] == part.query[at]));
            met.extend(items);
            let clicks = part.clicks[at * 10..(at + 1) * 10].iter().map(|&y| usize::from(y));
            assert!((1..=2).contains(&clicks.sum::<usize>()));
        }
    }
    assert!(market.history.iter().all(|h| (1..=config.cap).contains(&h.len())));
    let (head, tail) = (Slice::Head, Slice::Tail);
    assert!(
        market.sessions_of(&market.test, tail).len() > market.sessions_of(&market.test, head).len()
    );
    // The same seed, the same market; another seed, another.
    let again = Market::generate(&config, 3).unwrap();
    assert_eq!((&market.test.items, &market.test.clicks), (&again.test.items, &again.test.clicks));
    assert_ne!(market.test.clicks, Market::generate(&config, 4).unwrap().test.clicks);
}

/// The group tells more about the clicks than no group does, and less than the user's utility.
#[test]
fn the_true_utility_is_the_best_score() {
    let config = MarketConfig { sessions: [10, 10, 3000], users: 3000, ..full().market };
    let market = Market::generate(&config, 2).unwrap();
    let bayes = slices(&market, &market.test.utility).unwrap();
    assert!(bayes[0][1] > 0.8, "{bayes:?}");
    let mut rng = stream(0, "noise");
    let noisy: Vec<f64> = market
        .test
        .utility
        .iter()
        .map(|u| u + 0.5 * rand::RngExt::random::<f64>(&mut rng))
        .collect();
    assert!(slices(&market, &noisy).unwrap()[0][1] < bayes[0][1]);
    let constant = slices(&market, &vec![0.0; noisy.len()]).unwrap();
    assert_eq!(constant.map(|slice| slice[1]), [0.5; 3]);
    let perfect: Vec<f64> = market.test.clicks.iter().map(|&y| f64::from(y)).collect();
    assert_eq!(slices(&market, &perfect).unwrap()[0][1..], [1.0, 1.0]);
    assert_eq!(metric::auc(&perfect, &market.test.clicks), Some(1.0));
}

/// No trained ranker ranks better than the true utility, on any seed.
#[test]
fn no_ranker_is_above_the_truth() {
    let record = run(&tiny(vec![contrastive(), aw(), method(DIN, Kind::Din)]), 2);
    let headroom = record.rows.iter().filter(|row| row.metric == "bayes/headroom");
    assert!(headroom.clone().count() == 3);
    assert!(headroom.flat_map(|row| &row.values).all(|value| *value > 0.0));
    assert!(holds(&record, "C1", "bound"));
}

/// The contrastive loss reaches gate, units and embeddings, and no expert.
#[test]
fn the_contrastive_loss_leaves_the_experts_alone() {
    let config = tiny(Vec::new());
    let market = Market::generate(&config.market, 1).unwrap();
    let device = device::named("flex").unwrap();
    let mut rng = stream(0, "init");
    let ranker = Ranker::new(aw().kind, &config.shape, &config.market, &device, &mut rng).unwrap();
    let of: Vec<usize> = (0..20).collect();
    let batch = Batch::new(&market, &market.train, &of, &device);
    let market = Arc::new(market);
    let task = Task { kind: aw().kind, lr: 0.0, lambda: 1.0, report: false, market };
    let market = &task.market;
    let (_, contrastive) = losses(&task, &config, &ranker, &batch, &mut rng);
    let grads = contrastive.unwrap().backward();
    let model::Head::Mixture(mixture) = &ranker.head else { panic!("experts") };
    assert!(mixture.experts.first.weight.val().grad(&grads).is_none());
    let model::Gate::Sequence(gate) = &mixture.gate else { panic!("a gate") };
    assert!(gate.default.val().grad(&grads).is_some());
    let unit = gate.activation_unit.as_ref().unwrap();
    assert!(unit.mlp.layers[0].weight.val().grad(&grads).is_some());
    // Both sessions of a user are no negatives of each other.
    let pairs = batch.same_user();
    assert!((0..20).all(|i| pairs[i * 20 + i]));
    let twice = (0..20).flat_map(|i| (0..i).map(move |j| (i, j)));
    let same = |(i, j): (usize, usize)| market.train.user[i] == market.train.user[j];
    assert!(twice.clone().any(same));
    assert!(twice.clone().all(|(i, j)| pairs[i * 20 + j] == same((i, j))));
    assert!(score(&ranker.valid(), market, &market.test, &device).iter().all(|s| s.is_finite()));
}
