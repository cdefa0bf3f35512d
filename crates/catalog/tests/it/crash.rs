//! Killing an import in the middle.
//!
//! The child is this test binary again, told by an environment variable which folder and file to use.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use pressrun_catalog::Catalog;
use pressrun_catalog::import::{Options, import_file};

const PAPERS: usize = 6000;
const BATCH: usize = 250;

#[test]
#[ignore = "the child of `a_killed_import_keeps_every_batch_it_reported`"]
fn child() {
    let Some(folder) = std::env::var_os("PRESSRUN_TEST_IMPORT") else {
        return;
    };
    let folder = Path::new(&folder);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let catalog = Catalog::open(folder).await.unwrap();
        let options = Options { batch: BATCH, ..Options::default() };
        let path = folder.join("papers.jsonl");
        let mut said = std::io::stdout();
        let report = import_file(&catalog, &path, &options, &mut |progress| {
            writeln!(said, "on disk: {}", progress.read).unwrap();
            said.flush().unwrap();
        })
        .await
        .unwrap();
        assert_eq!(report.added + report.unchanged, PAPERS as u64);
    });
}

#[test]
fn a_killed_import_keeps_every_batch_it_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for n in 0..PAPERS {
        let summary = "We are killed. ".repeat(20);
        let paper = serde_json::json!({
            "title": format!("Paper number {n}"), "abstract": summary,
            "authors": [format!("Author Number{n}")],
        });
        text.push_str(&format!("{paper}\n"));
    }
    std::fs::write(folder.path().join("papers.jsonl"), text).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count = || {
        runtime.block_on(async {
            let catalog = Catalog::open(folder.path()).await.unwrap();
            let count = catalog.count_papers().await.unwrap();
            catalog.close().await;
            count as usize
        })
    };
    // Each attempt starts from the beginning of the file, and is killed a little later than the one
    // before; the last is left alone.
    for batches in [1, 4, 9, 15, usize::MAX] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env("PRESSRUN_TEST_IMPORT", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reported = 0;
        let mut left = batches;
        let stdout = BufReader::new(child.stdout.take().unwrap());
        for line in stdout.lines().map_while(Result::ok) {
            // The harness prints on the same line before the test's first output.
            let Some((_, number)) = line.split_once("on disk: ") else {
                continue;
            };
            reported = number.parse().unwrap();
            left -= 1;
            if left == 0 {
                child.kill().unwrap();
                break;
            }
        }
        let status = child.wait().unwrap();
        assert_eq!(status.success(), batches == usize::MAX, "{status}");
        let there = count();
        assert!(there >= reported, "{there} papers of {reported} reported ones are there");
        assert!(there == PAPERS || there % BATCH == 0, "half a batch is there: {there}");
    }
    assert_eq!(count(), PAPERS);
}
