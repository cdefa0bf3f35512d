//! schemathesis: does every interface answer as its description says?

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::process::Command;

use server::Server;

/// What the description promises. Left out is `positive_data_acceptance`: that a query is of the
/// language of the search box cannot be said by a schema; and `negative_data_rejection`: names that
/// nobody knows are left alone on purpose.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,unsupported_method,\
                      allow_header_conformance";

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
            .args(["run", &url, "--checks", CHECKS, "--seed", "1", "--warnings", "off"])
            .args(["--no-color", "--max-failures", "10"])
            .args(arguments)
            .current_dir(data.path())
            .env("SCHEMATHESIS_HOOKS", "")
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
