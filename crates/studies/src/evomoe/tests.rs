//! The study in a small profile: determinism, what the arms share, and the negative controls.

use pressrun_lab::{Entry, Manifest, Options, Outcome, Profile, Record, Verdict, execute};

use super::data::{Batch, cover};
use super::*;

/// Seconds instead of minutes; the phases are those of the real profiles.
fn tiny(methods: Vec<Method>) -> Config {
    let shape = Shape {
        reader: Reader::Window { embedding: 8 },
        context: 4,
        d_model: 16,
        d_ff: 16,
        experts: 4,
    };
    Config {
        methods,
        shape,
        batch: 64,
        steps: 80,
        grid: vec![8e-3],
        eval_characters: 256,
        ..Config::quick()
    }
}

fn run(config: &Config, threads: usize) -> Record {
    let study = EvoMoe { quick: config.clone(), full: config.clone() };
    let entry = Entry {
        manifest: Manifest::parse(include_str!("paper.toml"), "evomoe").unwrap(),
        study: Some(Box::new(study)),
        record: None,
        sources: Vec::new(),
    };
    let mut options = Options::new(Profile::Quick);
    options.threads = Some(threads);
    execute(&entry, &options, &|_| {}).unwrap()
}

fn switch() -> Method {
    method(SWITCH, Experts::Random, GateKind::Switch)
}

fn verdict<'r>(record: &'r Record, claim: &str) -> &'r Verdict {
    record.verdicts.iter().find(|v| v.claim == claim).unwrap()
}

fn holds(verdict: &Verdict, check: &str) -> bool {
    verdict.comparisons.iter().find(|c| c.check == check).unwrap().holds
}

#[test]
fn same_seed_same_numbers_whatever_the_threads() {
    let random = |name, gate| method(name, Experts::Random, gate);
    let config = tiny(vec![
        evomoe(),
        switch(),
        random(HASH, GateKind::Hash),
        random(BASE, GateKind::Base),
        random(STABLE, GateKind::Stable),
    ]);
    let grid = vec![4e-3, 8e-3];
    let config = Config { steps: 30, tuning_steps: 10, grid, control_steps: 20, ..config };
    let (one, two) = (run(&config, 1), run(&config, 2));
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.curves, two.curves);
    assert_eq!(one.verdicts, two.verdicts);
    assert_eq!(one.tuning, two.tuning);
    assert_eq!(one.tuning.iter().filter(|row| row.chosen).count(), config.methods.len());
    assert!(one.rows.iter().flat_map(|row| &row.values).all(|value| value.is_finite()));
}

/// The method in the place of the method holds C3's checks of a falling number of experts.
/// A Switch gate with a temperature, and Switch itself, have one expert from the start.
#[test]
fn a_gate_that_is_sparse_from_the_start_fails_c3() {
    let mature = Experts::Mature { rho: RHO };
    for (gate, dense_to_sparse) in [
        (GateKind::Dts(GateWeights::Gumbel), true),
        (GateKind::AnnealedTop1, false),
        (GateKind::Switch, false),
    ] {
        let record = run(&tiny(vec![method(EVOMOE, mature, gate), switch()]), 2);
        let c3 = verdict(&record, "C3");
        assert_eq!(holds(c3, "starts-dense"), dense_to_sparse, "{gate:?}");
        assert_eq!(holds(c3, "adaptive"), dense_to_sparse, "{gate:?}");
        assert_eq!(c3.outcome == Outcome::NotAtThisScale, !dense_to_sparse, "{gate:?}");
    }
}

/// Experts that are always dense never thin out and never end with one.
#[test]
fn a_gate_that_stays_dense_fails_c3() {
    let mature = Experts::Mature { rho: RHO };
    let record = run(&tiny(vec![method(EVOMOE, mature, GateKind::Uniform), switch()]), 2);
    let c3 = verdict(&record, "C3");
    assert!(holds(c3, "starts-dense") && !holds(c3, "thins-out") && !holds(c3, "ends-sparse"));
    assert_eq!(c3.outcome, Outcome::NotAtThisScale);
}

/// Switch in the place of the method gains nothing over Switch.
#[test]
fn switch_in_place_of_the_method_fails_c1_and_c4() {
    let swapped = method(EVOMOE, Experts::Random, GateKind::Switch);
    let record = run(&tiny(vec![swapped, switch()]), 2);
    assert!(!holds(verdict(&record, "C1"), "switch"));
    assert_eq!(verdict(&record, "C4").outcome, Outcome::NotAtThisScale);
}

/// C2's control holds for copies that are not masked, and masked copies are told apart.
#[test]
fn copies_separate_only_if_they_are_masked() {
    let diversify = method(DIVERSIFY, Experts::Mature { rho: RHO }, GateKind::Switch);
    let config = Config { control_steps: 40, ..tiny(vec![evomoe(), switch(), diversify]) };
    let record = run(&config, 2);
    let c2 = verdict(&record, "C2");
    assert!(holds(c2, "not-masked") && holds(c2, "masked"));
    let cosine = |method| record.results().stat(config.setting, method, "expert/cosine");
    assert!(cosine(EVOMOE).unwrap().mean < 0.9999);
}

/// The first phase of the method is the dense model: same weights, same batches, same numbers.
#[test]
fn the_first_phase_is_the_dense_arm() {
    let config = Config { eval_every: 5, ..tiny(vec![evomoe(), dense(), switch()]) };
    let record = run(&config, 2);
    let curve = |method: &str| {
        let of = |c: &&pressrun_lab::Curve| c.method == method && c.series == "eval/nll";
        record.curves.iter().find(of).unwrap().points.clone()
    };
    let (evomoe, dense) = (curve(EVOMOE), curve(DENSE));
    let phase = config.steps / 4 / config.eval_every;
    assert_eq!(evomoe[..phase], dense[..phase]);
    assert_ne!(evomoe[phase], dense[phase]);
}

#[test]
fn experts_are_paid_by_evaluation() {
    let config = tiny(vec![evomoe(), switch(), dense()]);
    let record = run(&config, 2);
    let results = record.results();
    let of = |method| results.stat(config.setting, method, "train/expert_evaluations").unwrap();
    let tokens = (config.steps * config.batch) as f64 / 1e6;
    assert!((of(SWITCH).mean - tokens).abs() < 1e-9 && (of(DENSE).mean - tokens).abs() < 1e-9);
    // A quarter with one expert, a half with at most four, a quarter with one.
    assert!(of(EVOMOE).mean > 1.2 * tokens && of(EVOMOE).mean < 2.5 * tokens);
}

#[test]
fn documents_stand_on_one_side_and_evaluation_covers_each_character_once() {
    let text = Text::new(&crate::abstracts().unwrap()).unwrap();
    let lines = |corpus: &pressrun_data::text::CharCorpus| -> Vec<Vec<u32>> {
        (0..corpus.documents()).map(|at| corpus.document(at).to_vec()).collect()
    };
    let (train, test) = (lines(&text.train), lines(&text.test));
    assert!(lines(&text.validation).iter().all(|d| !train.contains(d) && !test.contains(d)));
    assert!(test.iter().all(|document| !train.contains(document)));

    let device = pressrun_nn::device::named("flex").unwrap();
    for reader in [Reader::Window { embedding: 1 }, Reader::Transformer { heads: 1 }] {
        let batches = cover(&text.test, (8, 16), usize::MAX, reader, &device);
        let targets = |batch: &Batch| batch.targets.clone().try_into_vec_as::<i64>().unwrap();
        let targets: Vec<u32> =
            batches.iter().flat_map(targets).map(|id| u32::try_from(id).unwrap()).collect();
        let first = if matches!(reader, Reader::Window { .. }) { 8 } else { 1 };
        assert_eq!(targets, text.test.ids()[first..first + targets.len()]);
        assert!(targets.len() + 16 > text.test.ids().len());
        let symbols: Vec<u32> = batches.iter().flat_map(|b| b.symbols.clone()).collect();
        assert_eq!(symbols, text.test.ids()[first - 1..first - 1 + symbols.len()]);
    }
}
