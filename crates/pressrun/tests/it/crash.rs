//! `kill -9` of the server during a run, and of an import.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::{Server, program, wait_for};

#[test]
fn a_killed_server_leaves_a_run_that_is_interrupted_and_can_be_restarted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    // A finished run first: it must still be there afterwards.
    let kept = server.start_run("2301.10909", "profile=quick");
    wait_for("the first run", || (server.run(&kept)["state"] == "finished").then_some(()));
    let id = server.start_run("2112.14397", "profile=full");
    wait_for("the run to make progress", || {
        (server.run(&id)["state"] == "running" && server.run(&id)["done"].as_i64()? > 0)
            .then_some(())
    });
    let acknowledged = server.get(&format!("/runs/{id}")).status;
    assert_eq!(acknowledged, 200);
    server.kill();
    wait_for("the child to end by itself", || (!child_alive(&id)).then_some(()));

    let server = Server::start(data.path());
    wait_for("the run to be marked", || (server.run(&id)["state"] == "interrupted").then_some(()));
    assert_eq!(server.run(&kept)["state"], "finished");
    assert_eq!(server.get(&format!("/runs/{kept}/record.json")).status, 200);

    let answer = server.post(&format!("/runs/{id}/restart"), "");
    assert_eq!(answer.status, 303);
    let again = answer.location().rsplit('/').next().unwrap().to_owned();
    assert_ne!(again, id);
    wait_for("the restarted run", || (server.run(&again)["state"] == "running").then_some(()));
    let answer = server.post(&format!("/runs/{again}/cancel"), "");
    assert_eq!(answer.status, 303);
    wait_for("cancelling", || (server.run(&again)["state"] == "cancelled").then_some(()));
    assert_eq!(server.run(&id)["state"], "interrupted");
}

/// Whether a process with this run id on its command line exists.
fn child_alive(run: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("a proc file system");
    processes.flatten().any(|process| {
        std::fs::read(process.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(run))
    })
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let _server = Server::start(data.path());
    let output = Command::new(program())
        .args(["serve", "--addr", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("another Pressrun is running"), "{text}");
}

#[test]
fn a_killed_import_loses_nothing_acknowledged_and_a_second_one_completes_it() {
    const PAPERS: usize = 30_000;
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("papers.jsonl");
    let lines: String = (0..PAPERS)
        .map(|i| format!("{{\"title\": \"Paper number {i}\", \"authors\": [\"A {i}\"], \"abstract\": \"Text {i}.\"}}\n"))
        .collect();
    std::fs::write(&file, lines).unwrap();
    let site = data.path().join("site");
    let import = || {
        let mut command = Command::new(program());
        command.arg("import").arg(&file).arg("--data").arg(&site);
        command
    };
    // Killed again and again, each time a little later: what is there only ever grows.
    let mut before = 0;
    for delay in [50, 150, 300, 500] {
        let mut child =
            import().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        // It may be through already.
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(papers) = count(&site) {
            assert!(papers >= before, "papers were lost: {before} -> {papers}");
            before = papers;
        }
    }
    let output = import().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(&site), Some(PAPERS + 63));
    let output = import().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("0 added"), "{text}");
    assert_eq!(count(&site), Some(PAPERS + 63));
}

/// Papers in the database, as `pressrun doctor` counts them.
fn count(site: &std::path::Path) -> Option<usize> {
    let output = Command::new(program()).arg("doctor").arg("--data").arg(site).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|l| l.contains("database: "))?;
    line.split(", ").nth(1)?.split(' ').next()?.parse().ok()
}
