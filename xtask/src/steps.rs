//! `cargo xtask bench steps`: training steps of our engine beside PyTorch's.
//!
//! Both sides begin with the same bits and run in turns on the same machine, so that what else it
//! does meets both. Times are medians; what counts is the ratio.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::shell::run;

/// What is measured: name, steps in a turn.
const WORKLOADS: &[(&str, usize)] = &[
    ("W1", 60),
    ("W2", 20),
    ("W3", 10),
    ("W4", 20),
    ("W5", 15),
    ("W6", 15),
    ("W7", 200),
    ("OA", 40),
    ("OB", 40),
    ("OC", 20),
    ("OD", 40),
    ("OE", 20),
    ("OF", 40),
    ("OG", 40),
];
/// Turns of each side.
const TURNS: usize = 12;
/// Steps over which the losses are compared.
const LOSSES: usize = 50;

/// A setting of both sides.
struct Setting {
    title: &'static str,
    threads: usize,
    simd: Option<&'static str>,
}

const SETTINGS: &[Setting] = &[
    Setting { title: "2 threads", threads: 2, simd: None },
    Setting { title: "1 thread", threads: 1, simd: None },
    Setting { title: "2 threads, AVX2 forced", threads: 2, simd: Some("avx2") },
];

/// One line of the table.
struct Measured {
    name: &'static str,
    ours: f64,
    torch: f64,
    loss_diff: f64,
}

/// Measures all workloads in all settings and prints a table, or JSON.
pub fn steps(as_json: bool) -> Result<()> {
    let python = environment()?;
    // The one optimised profile, and together with the program: so that the engine is not compiled a
    // second time, with other features.
    let packages = ["--package", "pressrun-nn", "--package", "pressrun", "--example", "steps"];
    run("cargo", &[&["build", "--quiet"], &packages[..]].concat())?;
    let ours = target().join("debug/examples/steps");
    let mut rows = Vec::new();
    for setting in SETTINGS {
        let measured = measure(setting, &ours, &python)?;
        if !as_json {
            print(setting, &measured);
        }
        rows.extend(measured.iter().map(|m| {
            json!({
                "name": m.name,
                "ours_ms": m.ours,
                "torch_ms": m.torch,
                "ratio": m.ours / m.torch,
                "threads": setting.threads,
                "simd": setting.simd.unwrap_or("best"),
                "loss_diff": m.loss_diff,
            })
        }));
    }
    if as_json {
        println!("{}", json!({ "workloads": rows }));
    }
    Ok(())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// The Python of a virtual environment with PyTorch, made beside the build if it is not there.
fn environment() -> Result<PathBuf> {
    let folder = target().join("steps-venv");
    let python = folder.join("bin/python");
    if !python.exists() {
        let folder = folder.to_str().context("a target folder in UTF-8")?;
        run("python3", &["-m", "venv", folder])?;
    }
    let python_text = python.to_str().context("a target folder in UTF-8")?;
    if !crate::shell::succeeds(python_text, &["-c", "import torch, numpy"]) {
        run(python_text, &["-m", "pip", "install", "--quiet", "torch", "numpy"])?;
    }
    Ok(python)
}

/// One side: a program that answers `W n` with times and losses.
struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Side {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let input = child.stdin.take().context("standard input")?;
        let output = BufReader::new(child.stdout.take().context("standard output")?);
        Ok(Self { child, input, output })
    }

    /// Times in milliseconds and losses of `steps` steps.
    fn ask(&mut self, workload: &str, steps: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        writeln!(self.input, "{workload} {steps}")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("`{workload}` was answered by `{}`", line.trim()))?;
        let list = |key: &str| -> Result<Vec<f64>> {
            let values =
                answer[key].as_array().with_context(|| format!("no `{key}` in {answer}"))?;
            values.iter().map(|v| v.as_f64().context("a number")).collect()
        };
        Ok((list("t")?, list("l")?))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(setting: &Setting, ours: &Path, python: &Path) -> Result<Vec<Measured>> {
    let threads = setting.threads.to_string();
    let mut command = Command::new(ours);
    command.env("STEPS_THREADS", &threads).env_remove("PRESSRUN_SIMD");
    if let Some(simd) = setting.simd {
        command.env("PRESSRUN_SIMD", simd);
    }
    let mut ours = Side::start(&mut command)?;
    let script = crate::root().join("xtask/bench/torch_steps.py");
    let mut command = Command::new(python);
    command.arg(script).arg("eager").env("OMP_NUM_THREADS", &threads);
    let mut torch = Side::start(&mut command)?;
    let mut measured = Vec::new();
    for &(name, turn) in WORKLOADS {
        // The first steps warm both up and show whether they compute the same.
        let (_, a) = ours.ask(name, LOSSES)?;
        let (_, b) = torch.ask(name, LOSSES)?;
        if a.len() != b.len() {
            bail!("`{name}`: {} losses of ours and {} of PyTorch's", a.len(), b.len());
        }
        let loss_diff = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let (mut times, mut torch_times) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            times.extend(ours.ask(name, turn)?.0);
            torch_times.extend(torch.ask(name, turn)?.0);
        }
        let (ours, torch) = (median(times), median(torch_times));
        measured.push(Measured { name, ours, torch, loss_diff });
    }
    Ok(measured)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(setting: &Setting, measured: &[Measured]) {
    println!("\n{}\n       ours ms  torch ms   ratio  loss diff", setting.title);
    for m in measured {
        let ratio = m.ours / m.torch;
        println!("{:4} {:9.3} {:9.3} {ratio:7.3}  {:9.1e}", m.name, m.ours, m.torch, m.loss_diff);
    }
    let whole: Vec<f64> = measured
        .iter()
        .filter(|m| m.name.starts_with('W'))
        .map(|m| (m.ours / m.torch).ln())
        .collect();
    let mean = (whole.iter().sum::<f64>() / whole.len() as f64).exp();
    println!("geometric mean over W1..W7: {mean:.3}");
}
