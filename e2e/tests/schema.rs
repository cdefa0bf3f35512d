//! schemathesis: does every interface answer as its description says?

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::process::Command;

use server::Server;

/// All but that whatever fits the schema is accepted: it cannot say that at most one of day, week and
/// month may be given, nor what the language of the search box is.
const CHECKS: [&str; 4] = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"];

/// Starts a study, and none may run for minutes here.
const STARTS: &str = "^/api/papers/\\{id\\}/runs$";

#[test]
fn every_interface_answers_as_described() {
    let Some(python) = pressrun_e2e::python() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let url = format!("http://{}/api/openapi.json", server.address);
    let run = |arguments: &[&str]| {
        let output = Command::new(python.with_file_name("st"))
            .args(["run", &url, "--seed", "1", "--warnings", "off"])
            .args(CHECKS)
            .args(["--no-color", "--max-failures", "10"])
            .args(arguments)
            .current_dir(data.path())
            .output()
            .expect("schemathesis starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let text = run(&["--max-time", "30", "--exclude-path-regex", STARTS]);
    assert!(text.contains("No issues found"), "{text}");
    // Without an id from an earlier answer nothing starts.
    let phases = ["--phases", "coverage,fuzzing", "--max-examples", "50"];
    run(&[&phases[..], &["--include-path-regex", STARTS]].concat());
}
