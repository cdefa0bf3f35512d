//! The study in a small profile: determinism and the negative controls.

use pressrun_lab::{Entry, Manifest, Options, Record, Verdict, execute};

use super::*;

fn tiny() -> Config {
    Config { sizes: vec![1_000, 3_000], iterations: 150, fisher_sample: 20_000, ..Config::quick() }
}

fn run(config: &Config, seeds: u64, threads: usize) -> Record {
    let study = Temperature { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "softmax_temperature_moe").unwrap(),
        study: Some(Box::new(study)),
        record: None,
        sources: Vec::new(),
    };
    let mut options = Options::new(Profile::Quick);
    (options.threads, options.seeds) = (Some(threads), Some(seeds));
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
    let config = Config { sizes: vec![200, 400], gelu_from: 0, iterations: 20, ..tiny() };
    let config = Config { over: true, ..config };
    let (one, two) = (run(&config, 2, 1), run(&config, 2, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
}

/// The information is singular along the gate for identity and ReLU, and for these only.
#[test]
fn only_homogeneous_gates_are_singular() {
    let config = Config { sizes: vec![200, 400], gelu_from: 0, iterations: 3, ..tiny() };
    let record = run(&config, 1, 2);
    for check in ["identity-singular", "identity-direction", "relu-singular", "relu-direction"] {
        assert!(holds(&record, "C2", check), "{check}: {:#?}", verdict(&record, "C2"));
    }
    assert!(holds(&record, "C3", "tanh-regular") && holds(&record, "C3", "gelu-regular"));
}

/// With the standard gate in the place of the activated one the gate's parameters have no rate, and
/// with the activated one in its place there is no failure to show.
#[test]
fn exchanging_the_gates_fails_both_claims() {
    let sizes = vec![1_000, 10_000];
    let gates = vec![(TANH, Activation::Tanh), (IDENTITY, Activation::Identity)];
    let all = |gates: Vec<(&'static str, Activation)>| {
        let rest = [(RELU, Activation::Relu), (GELU, Activation::Gelu)];
        let gates = gates.into_iter().chain(rest).collect();
        Config { sizes: sizes.clone(), gelu_from: 0, gates, ..tiny() }
    };
    let record = run(&all(gates), 4, 2);
    assert!(holds(&record, "C3", "tanh-wide"), "{:#?}", verdict(&record, "C3"));
    assert!(holds(&record, "C2", "identity-gate") && holds(&record, "C2", "identity-ratios"));
    let exchanged = vec![(TANH, Activation::Identity), (IDENTITY, Activation::Tanh)];
    let record = run(&all(exchanged), 4, 2);
    assert!(!holds(&record, "C3", "tanh-wide") && !holds(&record, "C3", "tanh-regular"));
    assert!(!holds(&record, "C2", "identity-gate") && !holds(&record, "C2", "identity-singular"));
}

/// A start that comes closer with the sample shows a rate for the standard gate where there is none.
#[test]
fn a_start_that_shrinks_with_the_sample_fakes_a_rate() {
    let config = Config { sizes: vec![1_000, 3_000, 10_000], iterations: 60, ..tiny() };
    let fair = run(&config, 4, 2);
    let fake = run(&Config { shrinking: true, ..config }, 4, 2);
    let slope =
        |record: &Record| record.results().stat(RATES, IDENTITY, "slope/gate").unwrap().mean;
    assert!(slope(&fair) > -0.15 && slope(&fake) < -0.3, "{} {}", slope(&fair), slope(&fake));
}
