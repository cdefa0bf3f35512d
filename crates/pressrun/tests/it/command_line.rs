//! The command line as a user or a script sees it.

use std::process::Command;

use serde_json::Value;

use crate::server::program;

fn pressrun(arguments: &[&str]) -> std::process::Output {
    Command::new(program()).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn studies_lists_63_papers_and_what_runs() {
    let output = pressrun(&["studies", "--json"]);
    assert!(output.status.success());
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list.len(), 63);
    for slug in ["optfs", "fast-ibp", "evomoe"] {
        let study = list.iter().find(|s| s["slug"] == slug).unwrap();
        assert_eq!(study["runs"], true, "{slug}");
        assert!(study["record"]["verdicts"].is_object(), "{slug} has no record");
    }
}

/// Two runs of the quick profile with one seed: the same numbers to the last bit.
fn is_deterministic(slug: &str) {
    let rows = || {
        let output = pressrun(&["run", slug, "--profile", "quick", "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let last = text(&output.stdout).lines().last().map(str::to_owned).unwrap();
        let event: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(event["event"], "finished");
        let record = &event["record"];
        assert!(!record["rows"].as_array().unwrap().is_empty());
        assert!(!record["curves"].as_array().unwrap().is_empty());
        (record["rows"].clone(), record["curves"].clone(), record["verdicts"].clone())
    };
    assert_eq!(rows(), rows());
}

#[test]
fn optfs_is_deterministic() {
    is_deterministic("optfs");
}

#[test]
fn fast_ibp_is_deterministic() {
    is_deterministic("fast-ibp");
}

#[test]
fn evomoe_is_deterministic() {
    is_deterministic("evomoe");
}

#[test]
fn a_wrong_word_gets_an_answer_that_helps() {
    for (arguments, expected) in [
        (&["run", "nothing"][..], "`pressrun studies` lists"),
        (&["run", "optfs", "--profile", "slow"][..], "expected `quick` or `full`"),
        (&["run", "optfs", "--seeds", "0"][..], "--seeds"),
        (&["run", "optfs", "--record"][..], "only a full run is recorded"),
        (&["show", "nothing"][..], "`pressrun studies` lists"),
    ] {
        let output = pressrun(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn show_and_doctor() {
    let output = pressrun(&["show", "2301.10909"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("Optimizing Feature Set"));
    let data = tempfile::tempdir().unwrap();
    let output = pressrun(&["doctor", "--data", data.path().to_str().unwrap()]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("63, of which"), "{stdout}");
}
