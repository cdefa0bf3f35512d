//! A small library for tests and for the example: one paper with a study that really runs, one that
//! has only its claims, one from elsewhere with a title that means harm.

use std::sync::Arc;

use jiff::civil::date;
use pressrun_catalog::NewPaper;
use pressrun_lab::{
    Arm, Better, DataUse, Entry, Job, Judge, Library, Machine, Manifest, MetricSpec, Options,
    Profile, Record, Result, Results, Run, SeriesSpec, Software, Source, Study, TuningRow, execute,
};
use rand::Rng;

/// Slug of the paper that runs.
pub const SLUG: &str = "heavy-ball";
/// Its id.
pub const ID: &str = "9909.00001";
/// Id of the paper that means harm.
pub const HOSTILE: &str = "9909.66666";

const DIMENSIONS: usize = 20;
const SETTINGS: [(&str, f64); 2] = [("condition 10", 10.0), ("condition 300", 300.0)];
const METHODS: [&str; 4] = ["heavy ball", "gradient descent", "Nesterov", "step too large"];

/// Gradient descent with and without momentum on a random quadratic.
struct HeavyBall;

impl Study for HeavyBall {
    fn series(&self) -> Vec<SeriesSpec> {
        vec![
            SeriesSpec::new("train/objective", "", "step", "value of the quadratic"),
            SeriesSpec::new("eval/distance", "", "step", "distance to the minimum"),
        ]
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        vec![
            MetricSpec::new("test/distance", "", Better::Lower, "distance at the end"),
            MetricSpec::new("cost/steps", "steps", Better::Lower, "steps to a distance of 0.1"),
        ]
    }

    fn run(&self, run: &Run) -> Result<()> {
        run.data(DataUse {
            name: "random quadratic".into(),
            origin: "generated".into(),
            identity: format!("{DIMENSIONS} eigenvalues, log-spaced"),
            part: "one start per seed".into(),
        });
        for (candidate, value, chosen) in [("0.5", 0.31, false), ("0.8", 0.07, true)] {
            run.tuning(TuningRow {
                setting: SETTINGS[0].0.into(),
                method: METHODS[0].into(),
                candidate: format!("momentum {candidate}"),
                metric: "distance on a validation start".into(),
                value,
                chosen,
            });
        }
        let steps = if run.profile() == Profile::Quick { 60 } else { 240 };
        let mut jobs = Vec::new();
        for (setting, condition) in SETTINGS {
            for method in METHODS {
                let of = |&seed| Job::new(setting, method, seed, steps).with(condition);
                jobs.extend(run.seeds().iter().map(of));
            }
        }
        run.arms(jobs, |arm| descend(arm, steps))?;
        run.log("all arms are through");
        Ok(())
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        let stat = |method, metric| results.stat(SETTINGS[1].0, method, metric);
        let (ours, plain) = (METHODS[0], METHODS[1]);
        let distance = "test/distance";
        let pair = ((ours, stat(ours, distance)?), (plain, stat(plain, distance)?));
        judge.compare("C1", "nearer", pair.0, pair.1)?;
        judge.limit("C1", "near", (ours, stat(ours, distance)?))?;
        let nesterov = (METHODS[2], stat(METHODS[2], distance)?);
        judge.compare("C2", "beats-nesterov", pair.0, nesterov)?;
        let diverged = (METHODS[3], stat(METHODS[3], distance)?);
        judge.limit("C3", "bounded", diverged)
    }
}

/// One arm: a start, so many steps, and what it reports.
fn descend(arm: &Arm<'_, f64>, steps: u64) -> Result<()> {
    let condition = *arm.config();
    let mut rng = arm.rng("start");
    let uniform = |r: u32| f64::from(r) / f64::from(u32::MAX) * 2.0 - 1.0;
    let mut x: Vec<f64> = (0..DIMENSIONS).map(|_| uniform(rng.next_u32())).collect();
    let mut velocity = [0.0; DIMENSIONS];
    let eigenvalue = |i: usize| condition.powf(i as f64 / (DIMENSIONS - 1) as f64) / condition;
    let rate = if arm.method() == "step too large" { 2.05 } else { 1.0 };
    let momentum = if arm.method() == "gradient descent" { 0.0 } else { 0.8 };
    let ahead = if arm.method() == "Nesterov" { momentum } else { 0.0 };
    let mut needed = None;
    for step in 1..=steps {
        arm.step()?;
        let (mut objective, mut distance) = (0.0, 0.0);
        for i in 0..DIMENSIONS {
            let gradient = eigenvalue(i) * (x[i] + ahead * velocity[i]);
            let noise = 0.002 * uniform(rng.next_u32());
            velocity[i] = momentum * velocity[i] - rate * (gradient + noise);
            if arm.method() == "step too large" {
                velocity[i] *= 1.9;
            }
            x[i] += velocity[i];
            objective += 0.5 * eigenvalue(i) * x[i] * x[i];
            distance += x[i] * x[i];
        }
        let distance = distance.sqrt();
        if distance < 0.1 && needed.is_none() {
            needed = Some(step);
        }
        // A method that has diverged reports what no chart can show.
        let bounded = |v: f64| if v < 1e3 { v } else { f64::NAN };
        arm.point("train/objective", step, bounded(objective));
        arm.point("eval/distance", step, bounded(distance));
        if step == steps {
            arm.result("test/distance", bounded(distance));
        }
    }
    arm.result("cost/steps", needed.map_or(f64::NAN, |n| n as f64));
    Ok(())
}

const PAPER: &str = r#"
slug = "heavy-ball"
title = "The Heavy Ball Revisited: Momentum on Ill-Conditioned Quadratics"
abstract = "Momentum is the oldest way to hurry gradient descent along. We revisit the heavy ball on quadratics whose condition grows, and find that a single momentum term, tuned once, brings the iterate nearer to the minimum than plain descent with the same number of gradients. The gain grows with the condition. We discuss when the method diverges, and compare it with Nesterov's variant, which looks ahead before it takes a gradient. All of this is made up for this site's own tests."
arxiv_id = "9909.00001"
authors = ["Ada Example", "Boris Beispiel", "Chiara Esempio"]
published = "2024-05-17"
published_note = "day from memory"
listed = "2025-09-09"
category = "math.OC"
family = "optimisers"

[code]
url = "https://example.org/heavy-ball"
licence = "MIT"
note = "not inspected"

[study]
idea = "A ball that rolls downhill keeps part of its speed: along a flat valley it gathers way, across it the swings cancel."
setup = [
  { aspect = "Problem", paper = "quadratics of 1,000 dimensions, condition up to 10,000", ours = "20 dimensions, condition 10 and 300" },
  { aspect = "Budget", paper = "10,000 gradients", ours = "60 (quick) or 240 (full) gradients" },
]
differences = ["Twenty dimensions in place of a thousand (Section 4).", "a little gradient noise, so that seeds differ"]

[[claim]]
id = "C1"
text = "With the same number of gradients the heavy ball ends nearer to the minimum than gradient descent."
source = "abstract"
status = "confirmed"
[[claim.check]]
id = "nearer"
what = "distance at the end, condition 300"
level = "partly"
test = { kind = "lower", by = 1.0, unit = "standard-errors" }
[[claim.check]]
id = "near"
what = "distance at the end, condition 300"
level = "reproduced"
test = { kind = "at-most", limit = 0.5 }

[[claim]]
id = "C2"
text = "The heavy ball is nearer than Nesterov's variant by more than 90 %."
source = "Table 2"
status = "unconfirmed"
[[claim.check]]
id = "beats-nesterov"
what = "distance at the end, condition 300"
level = "reproduced"
test = { kind = "lower", by = 0.9, unit = "relative" }

[[claim]]
id = "C3"
text = "With twice the step the method stays bounded."
source = "Section 5"
status = "confirmed"
[[claim.check]]
id = "bounded"
what = "distance at the end, step too large"
level = "reproduced"
test = { kind = "at-most", limit = 10.0 }

[[claim]]
id = "C4"
text = "On a cluster of 512 machines the gain is the same."
source = "Section 6"
status = "confirmed"
not_tested = "needs 512 machines"
"#;

const UNRUN: &str = r#"
slug = "soft-stop"
title = "Soft Stopping for Small Learners"
abstract = "An early stop that fades out."
authors = ["Dmitri Primer"]
published = "2023-02"
listed = "2025-09-08"
family = "schedules"
[[claim]]
id = "C1"
text = "A soft stop is no worse than a hard one."
source = "abstract"
status = "confirmed"
[[claim.check]]
id = "no-worse"
what = "test accuracy"
level = "reproduced"
test = { kind = "not-lower", slack = 0.01, unit = "absolute" }
"#;

const COMPARISON: &str = r#"
slug = "momenta"
title = "Momenta compared"
abstract = "Every momentum on the same valley: how near, and at what cost?"
authors = ["Pressrun"]
published = "2026"
listed = "2025-09-09"
family = "optimisers"

[study]
idea = "To the lower left is better."
differences = ["One valley only."]

[[study.setup]]
aspect = "valley"
paper = "many"
ours = "one"

[[plot]]
x = "cost/steps"
y = "test/distance"

[[plot]]
x = "no/such"
y = "test/distance"
"#;

const CODE: &str = "//! A study's source, shown on its page.\n\nfn main() {\n    \
                    assert!(1 < 2 && 3 > 2, \"<b>&amp;</b>\");\n}\n";

fn entry(text: &str, study: Option<Box<dyn Study>>) -> Entry {
    let manifest = Manifest::parse(text, "demo").expect("the demo's paper.toml");
    let path = "crates/studies/src/heavy_ball/mod.rs";
    let sources = if study.is_some() { vec![Source { path, text: CODE }] } else { Vec::new() };
    Entry { manifest, study, record: None, sources }
}

/// The library.
pub fn library() -> Arc<Library> {
    let library =
        || Library::new(vec![entry(PAPER, Some(Box::new(HeavyBall))), entry(UNRUN, None)]);
    let mut comparison = entry(COMPARISON, Some(Box::new(HeavyBall)));
    comparison.record = Some(record(&library(), Profile::Quick, "demo-comparison"));
    Arc::new(library().with_comparisons(vec![comparison]))
}

/// The library's papers and one more, whose every field tries to break out of the page.
pub fn papers(library: &Library) -> Vec<NewPaper> {
    let mut papers: Vec<NewPaper> =
        library.entries().iter().map(|e| NewPaper::from_manifest(&e.manifest)).collect();
    papers.push(NewPaper {
        id: HOSTILE.into(),
        slug: None,
        title: r#"<script>alert("title")</script> & "quotes" 'n' <b>bold</b>"#.into(),
        summary: "</p><img src=x onerror=alert(1)> &amp; x < y".into(),
        authors: vec!["<i>Mallory</i>".into(), "\" onmouseover=\"alert(2)".into()],
        published: Some("2025".into()),
        listed: Some(date(2025, 9, 9)),
        category: Some("cs.<em>LG</em>".into()),
        arxiv_id: Some(HOSTILE.into()),
        doi: None,
        venue: Some("</title><script>".into()),
        code_url: Some("javascript:alert(3)".into()),
        code_licence: Some("<MIT>".into()),
        project_url: Some("javascript:alert(4)".into()),
        tags: vec!["<gates>".into()],
    });
    papers
}

/// A record of the study as it really comes out, with what differs from run to run made fixed.
pub fn record(library: &Library, profile: Profile, run: &str) -> Record {
    let entry = library.runnable(SLUG).expect("the demo's study");
    let mut options = Options::new(profile);
    options.run_id = run.into();
    options.threads = Some(2);
    options.software = Software {
        pressrun: "0.1.0".into(),
        commit: "0123456789ab".into(),
        crates: vec!["burn 0.22.1".into()],
        rustc: "rustc 1.95.0".into(),
    };
    let mut record = execute(entry, &options, &|_| {}).expect("the demo's run");
    record.started = "2025-09-10T08:15:30Z".into();
    record.seconds = 12.4;
    record.machine = Machine {
        processor: "Example Processor 5000".into(),
        cores: 2,
        system: "linux x86_64".into(),
        memory_gib: Some(8.0),
    };
    record
}
