//! The study in a small profile: determinism and the negative controls.

use pressrun_lab::{Entry, Manifest, Options, Outcome, Record, Verdict, execute};

use super::*;

fn tiny() -> Config {
    Config {
        sizes: vec![300, 1_000, 3_000],
        over_sizes: vec![300, 1_000],
        iterations: 120,
        ..Config::quick()
    }
}

fn run(config: &Config, seeds: u64, threads: usize) -> Record {
    let study = TopKGaussian { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "topk_gaussian_moe").unwrap(),
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
    let config = Config { sizes: vec![100, 300], over_sizes: vec![100, 300], ..tiny() };
    let config = Config { iterations: 20, control: true, ..config };
    let (one, two) = (run(&config, 2, 1), run(&config, 2, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
}

/// What needs no sample holds whatever the fits do.
#[test]
fn conditions_and_orders_without_a_sample() {
    let config = Config { sizes: vec![50, 100], over_sizes: vec![50, 100], ..tiny() };
    let record = run(&Config { iterations: 3, ..config }, 1, 2);
    assert_eq!(verdict(&record, "C3").outcome, Outcome::Reproduced);
    for check in ["one-atom", "two-atoms", "two-atoms-narrow", "three-atoms"] {
        assert!(holds(&record, "C5", check), "{check}");
    }
    // Where an expert is selected on one side only, more selected let a wrong one in.
    let local = |method| record.results().stat(LOCAL, method, "local/hellinger").unwrap().mean;
    assert!(local("expert 1 split, 3 selected") > 0.05);
}

/// The method reaches the parametric rate; selected by the full logit it does not.
#[test]
fn another_selection_fails_the_rates() {
    let record = run(&tiny(), 4, 2);
    for claim in ["C1", "C2"] {
        assert!(holds(&record, claim, "slope-wide"), "{:#?}", verdict(&record, claim));
    }
    let full = Config { select: Select::Full, ..tiny() };
    let record = run(&full, 4, 2);
    assert!(!holds(&record, "C2", "slope"), "{:#?}", verdict(&record, "C2"));
}

/// Expectation and maximisation never lose likelihood under the paper's selection.
#[test]
fn likelihood_never_falls() {
    let config = Config { sizes: vec![300, 1_000], over_sizes: vec![300, 1_000], ..tiny() };
    let record = run(&config, 2, 2);
    for method in [EXACT, OVER] {
        let fall = record.results().stat(RATES, method, "em/fall").unwrap();
        assert!(fall.mean < 1e-8, "{method}: {}", fall.mean);
    }
}
