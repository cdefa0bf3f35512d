//! Embedders from the command line: trained, described, scored, and refused.

use std::path::Path;
use std::process::Command;

use crate::server::program;

/// Runs `pressrun embed`; returns exit status, standard output and standard error.
fn embed(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(program());
    let output = command.arg("embed").args(arguments).current_dir(folder).output();
    let output = output.expect("the program starts");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// 300 papers on 30 subjects, and a record that is none.
fn corpus() -> String {
    let line = |i: usize| {
        let s = i % 30;
        format!(
            "{{\"title\": \"Subject{s}a number {i}\", \"abstract\": \"It is subject{s}b. There \
             are subject{s}c. Then subject{s}d came. Last subject{s}e left.\"}}\n"
        )
    };
    (0..300).map(line).chain(["{}\n".into()]).collect()
}

#[test]
fn a_model_is_trained_scored_and_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("papers.jsonl"), corpus()).unwrap();
    let mut train = vec!["train", "--corpus", "papers.jsonl", "--out", "a.bin", "--batch", "30"];
    train.extend(["--epochs", "20", "--words", "500", "--full-rate", "10", "--seed", "3"]);
    let (status, stdout, stderr) = embed(folder.path(), &train);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("papers.jsonl:301: no title"), "{stderr}");
    assert!(stdout.contains("papers.jsonl: 300 papers, 1 bad records"), "{stdout}");
    assert!(stdout.contains(", seed 3, ") && stdout.contains("words                4"), "{stdout}");

    let (_, info, _) = embed(folder.path(), &["info", "a.bin"]);
    let first = info.lines().next().unwrap();
    assert!(first.starts_with("static-256-") && stdout.contains(first), "{info}");

    let score = ["score", "--corpus", "papers.jsonl", "--model", "a.bin"];
    let (status, stdout, stderr) = embed(folder.path(), &score);
    assert_eq!(status, 0, "{stderr}");
    for task in ["title", "closing", "passage", "keywords", "verbatim"] {
        assert!(stdout.lines().any(|line| line.starts_with(task)), "{stdout}");
    }

    let (status, stdout, _) =
        embed(folder.path(), &["similar", "subject7a", "--model", "a.bin", "--count", "4"]);
    assert_eq!(status, 0);
    let near = stdout.lines().filter(|line| line.contains("subject7")).count();
    assert!(stdout.lines().count() == 4 && near >= 3, "{stdout}");
}

#[test]
fn what_is_no_model_and_no_corpus_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.bin"), "no model").unwrap();
    let (status, _, stderr) = embed(folder.path(), &["info", "x.bin"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("`x.bin`: not a static model"), "{stderr}");
    let (status, _, stderr) = embed(folder.path(), &["train", "--corpus", "none.jsonl"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("none.jsonl"), "{stderr}");
    let few = std::fs::write(folder.path().join("few.jsonl"), corpus());
    few.unwrap();
    let (status, _, stderr) = embed(folder.path(), &["train", "--corpus", "few.jsonl"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("papers to train on; expected at least `batch`"), "{stderr}");
}
