use std::sync::Mutex;

use pressrun_lab::manifest::Manifest;
use pressrun_lab::{Entry, Event, Job, Options, Outcome, Record, Verdict, execute};

use super::data::Truth;
use super::train::{Model, search};
use super::*;

const PAPER: &str = include_str!("paper.toml");

/// A log on which everything shows within a second: 680 features, 40 of them useful.
fn small() -> Config {
    Config {
        planted: CtrConfig {
            informative_fields: 4,
            informative_values: 20,
            useful_values: 10,
            noise_fields: 6,
            noise_values: 100,
            weight_std: 0.7,
            latent_std: 1.0,
            pairs: vec![(0, 1), (1, 2), (2, 3)],
            ..CtrConfig::default()
        },
        rows: [12_000, 2_000, 6_000],
        batch: 128,
        lr: vec![1e-2],
        l2: vec![1e-4],
        lambda: vec![3e-4],
        ..Config::quick()
    }
}

fn record(study: impl Study + 'static, seeds: u64, threads: usize) -> Record {
    let manifest = Manifest::parse(PAPER, "optfs").unwrap();
    let entry = Entry { manifest, study: Some(Box::new(study)), record: None, sources: vec![] };
    let mut options = Options::new(Profile::Quick);
    (options.seeds, options.threads) = (Some(seeds), Some(threads));
    execute(&entry, &options, &|_: &Event| {}).unwrap()
}

fn run_small(config: Config) -> Record {
    record(OptFs { config: Some(config) }, 1, 2)
}

/// The small run with another method under the name of `OptFS`.
fn swapped(method: Method) -> Record {
    let mut config = small();
    config.arms[0].1 = method;
    run_small(config)
}

fn holds(record: &Record, check: &str) -> bool {
    let all = record.verdicts.iter().flat_map(|v| &v.comparisons);
    all.into_iter().find(|c| c.check == check).unwrap_or_else(|| panic!("no {check}")).holds
}

fn value(record: &Record, method: &str, metric: &str) -> f64 {
    let row = record.rows.iter().find(|r| r.method == method && r.metric == metric).unwrap();
    row.values.iter().sum::<f64>() / row.values.len() as f64
}

/// A study that runs one arm and hands what it found to a test.
struct Probe<F>(Config, Task, F);

impl<F: Fn(&pressrun_lab::Arm<'_, Task>, &Config) + Send + Sync> Study for Probe<F> {
    fn series(&self) -> Vec<SeriesSpec> {
        OptFs::default().series()
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        OptFs::default().metrics()
    }

    fn run(&self, run: &Run) -> Result<()> {
        let job = Job::new("probe", OPTFS, 0, 1).with(self.1.clone());
        run.arms(vec![job], |arm| {
            self.2(arm, &self.0);
            Ok(())
        })?;
        Ok(())
    }

    fn check(&self, _: &Results, _: &mut Judge<'_>) -> Result<()> {
        Ok(())
    }
}

/// The models that a search ends with: the last and the checkpoint.
fn searched(config: Config, l2: f64, lambda: f64) -> (Model, Model, Arc<Log>) {
    let log = Arc::new(Log::load(Source::Planted, &config, 0).unwrap());
    let task = Task {
        log: Arc::clone(&log),
        network: Network::Fm,
        method: Method::OptFs,
        candidate: Candidate { lr: 1e-2, l2, lambda },
        kept: None,
        report: false,
    };
    let found = Arc::new(Mutex::new(None));
    let out = Arc::clone(&found);
    let probe = move |arm: &pressrun_lab::Arm<'_, Task>, config: &Config| {
        let device = pressrun_nn::device::named("flex").unwrap();
        *out.lock().unwrap() = Some(search(arm, config, &device).unwrap());
    };
    record(Probe(config, task, probe), 1, 1);
    let (last, checkpoint) = found.lock().unwrap().take().unwrap();
    (last, checkpoint, log)
}

fn host<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

#[test]
fn the_method_passes_and_every_fake_fails() {
    let real = run_small(small());
    let checks = ["planted-fm", "ratio-fm", "parameters-fm", "multiply-adds-fm", "hardening-fm"];
    for check in checks.into_iter().chain(["recall-fm", "lift-fm", "pairs-fm"]) {
        assert!(holds(&real, check), "{check}: {:#?}", real.verdicts);
    }
    // The baseline in the method's place gains nothing and keeps everything.
    let backbone = swapped(Method::Backbone);
    for check in ["planted-fm", "ratio-fm", "parameters-fm", "multiply-adds-fm", "lift-fm"] {
        assert!(!holds(&backbone, check), "{check}: {:#?}", backbone.verdicts);
    }
    // Gates that stay soft never reach 0, and hardening them changes the model.
    let soft = swapped(Method::NeverHard);
    for check in ["ratio-fm", "parameters-fm", "hardening-fm", "lift-fm"] {
        assert!(!holds(&soft, check), "{check}: {:#?}", soft.verdicts);
    }
    // Without a penalty nothing closes the gates.
    let free = swapped(Method::NoPenalty);
    for check in ["ratio-fm", "lift-fm"] {
        assert!(!holds(&free, check), "{check}: {:#?}", free.verdicts);
    }
}

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let mut config = small();
    config.rows = [4_000, 500, 500];
    config.arms = Config::full().arms;
    let one = record(OptFs { config: Some(config.clone()) }, 1, 1);
    let two = record(OptFs { config: Some(config.clone()) }, 1, 2);
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.tuning, two.tuning);
    // Every arm reported, the re-initialised one under the mask that it shares.
    for (name, _) in &config.arms {
        assert!(one.rows.iter().any(|r| r.method == *name && r.metric == "test/auc"), "{name}");
    }
    assert_eq!(value(&one, OPTFS, "gate/ratio"), value(&one, NO_REWIND, "gate/ratio"));
    assert_eq!(value(&one, OPTFS, "gate/ratio"), value(&one, FREQUENCY, "gate/ratio"));
    assert_ne!(value(&one, OPTFS, "test/auc"), value(&one, NO_REWIND, "test/auc"));
}

#[test]
fn a_hotter_end_hardens_better() {
    let run = |gamma| run_small(Config { gamma, ..small() });
    let steps = [2.0, 30.0, 1000.0].map(|gamma| value(&run(gamma), OPTFS, "gate/hardening"));
    assert!(steps[0] > steps[1] && steps[1] >= steps[2], "{steps:?}");
    assert!(steps[2] < 0.002, "{steps:?}");
}

#[test]
fn decay_shrinks_the_rows_of_absent_features_and_leaves_their_gates() {
    let mut config = small();
    config.rows = [300, 500, 500];
    let (last, start, log) = searched(Config { rewind: 0, ..config }, 1e-2, 0.0);
    let absent = log.frequencies().iter().position(|&n| n == 0).expect("a rare value is absent");
    let row = |model: &Model| {
        let width = model.embedding.table.dims()[1];
        let table = host(model.embedding.table.val());
        table[absent * width..(absent + 1) * width].iter().map(|w| w.abs()).sum::<f32>()
    };
    assert!(row(&last) < 0.5 * row(&start), "{} of {}", row(&last), row(&start));
    assert_eq!(host(last.embedding.gate.val())[absent], 0.5);
    // With a penalty the gates of absent features close like all useless ones.
    let (last, _, _) = searched(Config { rows: [8_000, 500, 500], ..small() }, 0.0, 5e-4);
    let gates = host(last.embedding.gate.val());
    let noise = &gates[80..];
    assert!(noise.iter().filter(|m| **m < 0.0).count() > noise.len() * 9 / 10);
}

#[test]
fn temperature_grows_by_the_same_factor_every_epoch() {
    // 1000^(1/9) = 2.154434690
    let config = Config { epochs: 10, gamma: 1000.0, ..Config::full() };
    let schedule = train::temperature(&config, Method::OptFs);
    assert_eq!((schedule.at(0), schedule.at(9)), (1.0, 1000.0));
    for epoch in 1..10 {
        let growth = schedule.at(epoch) / schedule.at(epoch - 1);
        assert!((growth - 2.154_434_690).abs() < 1e-8, "{growth}");
    }
}

#[test]
fn a_search_too_short_to_close_a_gate_is_refused() {
    let manifest = Manifest::parse(PAPER, "optfs").unwrap();
    let config = Config { lr: vec![1e-3], ..small() };
    let study: Box<dyn Study> = Box::new(OptFs { config: Some(config) });
    let entry = Entry { manifest, study: Some(study), record: None, sources: vec![] };
    let error = execute(&entry, &Options::new(Profile::Quick), &|_: &Event| {}).unwrap_err();
    assert!(error.to_string().starts_with("gates can move by `0.47"), "{error}");
}

#[test]
fn pair_lift_by_hand() {
    // Fields of 2, 2 and 4 values; the first of each of the first two is useful and they interact.
    // All: pairs 2*2 + 2*4 + 2*4 = 20, planted 1. Kept (0, 2, 3, 4): 1*2 + 1*1 + 2*1 = 5, planted 1.
    let mut log = Log::load(Source::Planted, &small(), 0).unwrap();
    log.sizes = vec![2, 2, 4];
    let useful = [true, false, true, false, false, false, false, false].to_vec();
    log.truth = Some(Truth { useful, pairs: vec![(0, 1)], bayes_auc: 1.0 });
    let kept = [true, false, true, true, true, false, false, false];
    assert!((plan::pair_lift(&log, &kept) - 4.0).abs() < 1e-12);
    assert_eq!(plan::pair_lift(&log, &[false; 8]), 0.0);
}

#[test]
fn both_logs_number_their_features_by_field() {
    let config = Config::full();
    for source in [Source::Planted, Source::Census] {
        let log = Log::load(source, &Config { rows: [2_000, 200, 200], ..config.clone() }, 3);
        let log = log.unwrap();
        let fields = log.sizes.len();
        for rows in [&log.train, &log.validation, &log.test] {
            assert_eq!(rows.ids.len(), fields * rows.len());
            for row in rows.ids.chunks(fields) {
                let mut start = 0;
                for (&id, &size) in row.iter().zip(&log.sizes) {
                    assert!((start..start + size).contains(&(id as usize)));
                    start += size;
                }
            }
        }
        assert_eq!(log.frequencies().iter().sum::<usize>(), fields * log.train.len());
    }
}

#[test]
fn every_check_of_the_paper_is_filled_by_a_full_run() {
    let manifest = Manifest::parse(PAPER, "optfs").unwrap();
    let study = OptFs::default();
    let mut results = Results::default();
    for &(source, network) in &Config::full().settings {
        for (name, _) in Config::full().arms {
            for metric in study.metrics() {
                results.add(&setting(source, network), name, &metric.name, 0, 0.5);
            }
        }
    }
    let mut judge = Judge::new(&manifest);
    study.check(&results, &mut judge).unwrap();
    let verdicts: Vec<Verdict> = judge.conclude();
    for (claim, verdict) in manifest.claims.iter().zip(&verdicts) {
        assert_eq!(claim.checks.len(), verdict.comparisons.len(), "{}", claim.id);
        assert_ne!(verdict.outcome, Outcome::NotTested);
    }
}
