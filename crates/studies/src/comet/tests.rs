//! The study in a small profile: determinism, what the arms share, and the negative controls.

use pressrun_lab::{Entry, Manifest, Options, Outcome, Profile, Record, Verdict, execute};

use super::data::{Data, Inputs, Part, Targets};
use super::*;

/// Seconds instead of minutes: few rows, and a gamma and lambda that decide the trees soon.
fn tiny(arms: &[&'static str]) -> Config {
    let setting = Setting { lr: 2e-2, gamma: 0.01, lambda: 5.0, search_epochs: 1 };
    Config {
        rows: 2_000,
        arms: arms.to_vec(),
        epochs: 12,
        batch: 64,
        fixed: Some(setting),
        path_steps: 512,
        ..Config::quick()
    }
}

fn run(config: &Config, seeds: u64, threads: usize) -> Record {
    let study = Comet { quick: vec![config.clone()], full: Vec::new() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "comet").unwrap(),
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

/// Results with the loss of `gate` in the place of the method's.
fn swapped(record: &Record, gate: &str) -> Vec<Verdict> {
    let mut results = Results::default();
    for row in record.results().rows() {
        if row.method == COMET_PLUS {
            continue;
        }
        for (seed, value) in row.seeds.iter().zip(&row.values) {
            results.add(&row.setting, &row.method, &row.metric, *seed, *value);
            if row.method == gate {
                results.add(&row.setting, COMET_PLUS, &row.metric, *seed, *value);
            }
        }
    }
    let manifest = Manifest::parse(include_str!("paper.toml"), "comet").unwrap();
    let mut judge = Judge::new(&manifest);
    Comet { quick: Vec::new(), full: Vec::new() }.check(&results, &mut judge).unwrap();
    judge.conclude()
}

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let all: Vec<&'static str> = METHODS.iter().map(|m| m.name).collect();
    let config = Config { rows: 1_000, epochs: 2, fixed: None, ..tiny(&all) };
    let (one, two) = (run(&config, 2, 1), run(&config, 2, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(one.tuning, two.tuning);
    assert_eq!(one.tuning.len(), 2 * METHODS.len());
    let drawn = |method: &str| -> Vec<String> {
        let rows = one.tuning.iter().filter(|row| row.method == method);
        rows.map(|row| row.candidate.clone()).collect()
    };
    assert_eq!(drawn(COMET_PLUS), drawn(HASH), "every gate is given the same draws");
    assert_ne!(drawn(HASH)[0], drawn(HASH)[1]);
}

/// COMET ends with at most k experts for a row; with an entropy factor of 0 it stays dense.
#[test]
fn without_the_entropy_the_gate_stays_dense_and_fails_c5() {
    let record = run(&tiny(&[COMET_PLUS]), 1, 2);
    let c5 = verdict(&record, "C5");
    assert!(holds(&record, "C5", "sparse") && holds(&record, "C5", "sums"), "{c5:#?}");
    let config = tiny(&[COMET_PLUS]);
    let dense = Setting { lambda: 0.0, gamma: 10.0, ..config.fixed.unwrap() };
    let record = run(&Config { fixed: Some(dense), ..config }, 1, 2);
    assert!(!holds(&record, "C5", "sparse"));
    assert_eq!(verdict(&record, "C5").outcome, Outcome::NotAtThisScale);
}

/// Top-k in the place of the method: it gains nothing over itself, and exchanges experts at once.
#[test]
fn top_k_in_place_of_the_method_fails_c1_and_c5() {
    let record = run(&tiny(&[COMET_PLUS, TOP_K, HASH, DSELECT_K]), 1, 2);
    let verdicts = swapped(&record, TOP_K);
    let of = |claim: &str, check: &str| {
        let verdict = verdicts.iter().find(|v| v.claim == claim).unwrap();
        verdict.comparisons.iter().find(|c| c.check == check).unwrap().holds
    };
    assert!(!of("C1", "top-k-ratings") && !of("C1", "somewhere") && !of("C5", "smooth"));
    let verdicts = swapped(&record, DSELECT_K);
    let c2 = verdicts.iter().find(|v| v.claim == "C2").unwrap();
    assert_eq!(c2.outcome, Outcome::NotAtThisScale);
}

/// A study that only loads the data and looks at it.
struct Probe;

impl Study for Probe {
    fn series(&self) -> Vec<SeriesSpec> {
        Vec::new()
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        Vec::new()
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let data = Data::load(run, Source::Ratings, 2_000)?;
        let watched = |part: &Part| match &part.targets {
            Targets::Watched { watched, .. } => watched.iter().sum::<f32>(),
            Targets::Class(_) => f32::NAN,
        };
        let total = watched(&data.train) + watched(&data.validation) + watched(&data.test);
        assert_eq!(total, 400.0, "one pair in five was watched");
        let pairs = |part: &Part| match &part.inputs {
            Inputs::Pairs { users, items, .. } => {
                users.iter().copied().zip(items.iter().copied()).collect::<Vec<_>>()
            }
            Inputs::Pixels(_) => Vec::new(),
        };
        let (train, test) = (pairs(&data.train), pairs(&data.test));
        assert_eq!((train.len(), test.len()), (1_600, 200));
        assert!(test.iter().all(|pair| !train.contains(pair)));
        let pictures = Data::load(run, Source::Pictures, 600)?;
        assert_eq!((pictures.widths.0, pictures.symbols), (196, 600));
        Ok(())
    }

    fn check(&self, _: &Results, _: &mut Judge<'_>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_data_is_what_its_documentation_says() {
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "comet").unwrap(),
        study: Some(Box::new(Probe)),
        record: None,
        sources: Vec::new(),
    };
    let record = execute(&entry, &Options::new(Profile::Quick), &|_| {}).unwrap();
    let names: Vec<&str> = record.data.iter().map(|used| &used.name[..]).collect();
    assert_eq!(names, ["planted ratings", "fashion-mnist", "digits"]);
}
