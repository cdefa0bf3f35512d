//! Every arm for a few steps.

use pressrun_lab::{Entry, Manifest, Options, Profile, Record, execute};

use super::*;

fn run(threads: usize) -> Record {
    let shape = Shape {
        reader: Reader::Window { embedding: 4 },
        context: 4,
        d_model: 8,
        d_ff: 8,
        experts: 4,
    };
    let tiny = Config { shape, batch: 32, steps: 20, grid: vec![8e-3], ..full() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("comparison.toml"), "gates").unwrap(),
        study: Some(Box::new(Gates { quick: tiny.clone(), full: tiny })),
        record: None,
        sources: Vec::new(),
    };
    let mut options = Options::new(Profile::Quick);
    options.threads = Some(threads);
    execute(&entry, &options, &|_| {}).unwrap()
}

#[test]
fn every_gate_trains_and_is_a_point_of_both_plots_whatever_the_threads() {
    let (one, two) = (run(1), run(2));
    assert_eq!(one.rows, two.rows);
    let manifest = Manifest::parse(include_str!("comparison.toml"), "gates").unwrap();
    let results = one.results();
    for method in methods() {
        for plot in &manifest.plots {
            for metric in [&plot.x, &plot.y] {
                let stat = results.stat(SETTING, method.name, metric).unwrap();
                assert!(stat.mean.is_finite(), "{}: {metric}", method.name);
            }
        }
    }
    let tokens = 20.0 * 32.0 / 1e6;
    let evaluations = |method: &str| {
        let stat = results.stat(SETTING, method, "train/expert_evaluations").unwrap();
        (stat.mean / tokens * 1000.0).round() / 1000.0
    };
    let of = ["All experts alike", "Top-2", "Noisy top-2", "Switch", "BASE", "One dense expert"];
    assert_eq!(of.map(evaluations), [4.0, 2.0, 2.0, 1.0, 1.0, 1.0]);
}
