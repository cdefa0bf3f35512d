//! What the site hands to other programs, read by the programs' own libraries: pybtex, rispy,
//! feedparser, lxml.

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::process::Command;

use serde_json::json;
use server::{Server, program};

/// Titles that mean harm to one format or another.
const TITLES: [&str; 12] = [
    "An { open brace",
    "A close } brace }}",
    "50% of \\LaTeX & others: $x_1$ #2 ^ ~",
    "<script>alert(1)</script> <b>bold</b>",
    "Two\nlines\nTY  - JOUR",
    "]]> --> <![CDATA[ &amp; &nope;",
    "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd} right to left",
    "\u{1f600}\u{200d}\u{1f525} emoji",
    "Escape \u{1b}[31m and bell \u{7} and \u{ffff}",
    "\" onload=\"x' @misc{a, title = {b}}",
    "# [a](javascript:alert(1)) | `b` *c*",
    "BERT meets T5: Pre-training in ImageNet",
];

/// Reads everything through the libraries, and exits with an error if one of them objects.
const READER: &str = include_str!("formats.py");

#[test]
fn other_programs_read_what_the_site_writes() {
    let Some(python) = pressrun_e2e::python() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("hostile.jsonl");
    let long = format!("Ten thousand characters {}", "\u{1f642} long ".repeat(1_500));
    let titles = TITLES.into_iter().chain([long.as_str()]).enumerate();
    let lines = titles.map(|(at, title)| {
        json!({
            "arxiv_id": format!("2501.{at:05}"), "title": title, "abstract": title,
            "authors": ["Ada Lovelace", "Alice and Bob", "Acme, Inc.", title],
            "published": "2025-01-02", "listed": "2025-09-10", "category": "cs.LG",
            "keywords": ["gates", title],
        })
        .to_string()
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("a file");
    let site = data.path().join("site");
    let imported =
        Command::new(program()).arg("import").arg(&file).arg("--data").arg(&site).output();
    let imported = imported.expect("the program starts");
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let server = Server::start(&site);
    let output = Command::new(python)
        .args(["-c", READER, &format!("http://{}", server.address), &TITLES.len().to_string()])
        .env("PYTHONWARNINGS", "ignore")
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all read"), "{said}");
}
