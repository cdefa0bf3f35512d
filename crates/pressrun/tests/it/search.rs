//! Search from the command line, over an index that was killed, thrown away or broken.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::{Server, program, wait_for};

fn pressrun(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let (command, rest) = arguments.split_first().unwrap();
    // Before the rest: what comes after `--` is the query.
    let mut program = Command::new(program());
    let output = program.arg(command).arg("--data").arg(data).args(rest).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Papers of a few words that come in many mixtures.
fn corpus(count: usize) -> String {
    let words = ["gates", "experts", "depth", "stereo", "graphs", "proofs", "robots", "speech"];
    let paper = |i: usize| {
        let pick = |by: usize| words[(i / by) % words.len()];
        serde_json::json!({
            "title": format!("Paper {i} on {} and {}", pick(1), pick(8)),
            "abstract": format!("We study {} with {}. Then {} again.", pick(1), pick(64), pick(8)),
            "year": 2000 + i % 25,
        })
        .to_string()
    };
    (0..count).map(paper).collect::<Vec<_>>().join("\n")
}

const QUERIES: [&str; 4] =
    ["gates experts", "stereo year:2010..2012", "proofs -robots", "\"robots with\""];

fn answers(data: &Path) -> Vec<String> {
    let ask = |query: &&str| {
        let (code, found, errors) = pressrun(data, &["search", "--limit", "30", "--", query]);
        assert_eq!(code, 0, "{errors}");
        found
    };
    QUERIES.iter().map(ask).collect()
}

#[test]
fn papers_of_an_import_are_found_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("site"), folder.path().join("papers.jsonl"));
    std::fs::write(&file, corpus(50)).unwrap();
    let (code, imported, errors) = pressrun(&data, &["import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{errors}");
    assert!(imported.contains("113 papers indexed"), "{imported}");
    let query = "experts start dense and drop out";
    let (code, found, _) = pressrun(&data, &["search", "--explain", "--limit", "3", query]);
    assert_eq!(code, 0);
    let first = found.lines().next().unwrap();
    assert!(first.contains("EvoMoE") && first.contains("[2112.14397]"), "{found}");
    assert!(found.contains("x words 1.000") && found.contains("expert* "), "{found}");
    let (code, _, errors) = pressrun(&data, &["search", "autor:hinton"]);
    assert_eq!(code, 2);
    assert!(errors.contains("no field `autor` (character 1); expected `author:`"), "{errors}");
    let (code, found, _) = pressrun(&data, &["search", "year:1066"]);
    assert_eq!((code, found.as_str()), (0, "Nothing found.\n"));
    let (code, _, errors) = pressrun(&folder.path().join("new"), &["search", "gates"]);
    assert_eq!(code, 2);
    assert!(errors.contains("`pressrun index` builds it"), "{errors}");
}

#[test]
fn an_index_that_was_killed_catches_up_to_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("papers.jsonl");
    std::fs::write(&file, corpus(6000)).unwrap();
    let file = file.to_str().unwrap();
    let calm = folder.path().join("calm");
    assert_eq!(pressrun(&calm, &["import", file]).0, 0);
    let expected = answers(&calm);
    let killed = folder.path().join("killed");
    for wait in [30, 80, 150, 250, 400] {
        let mut child = Command::new(program())
            .args(["import", file, "--data"])
            .arg(&killed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, _, errors) = pressrun(&killed, &["import", file]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(answers(&killed), expected);
    // A build from nothing, killed in between, then done.
    let mut child = Command::new(program())
        .args(["index", "--data"])
        .arg(&killed)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(60));
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, indexed, errors) = pressrun(&killed, &["index"]);
    assert_eq!(code, 0, "{errors}");
    assert!(indexed.starts_with("6063 papers indexed in"), "{indexed}");
    assert_eq!(answers(&killed), expected);
}

#[test]
fn a_site_keeps_its_index_and_mends_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("papers.jsonl");
    std::fs::write(&file, corpus(20)).unwrap();
    let data = folder.path().join("site");
    let server = Server::start(&data);
    let found = |server: &Server, query: &str| {
        let answer = server.get(&format!("/api/papers/search?q={query}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    let until = |server: &Server, query: &str| {
        wait_for("the paper to be found", || {
            found(server, query).as_array().filter(|list| !list.is_empty()).cloned()
        })
    };
    let first = until(&server, "evomoe");
    assert_eq!(first[0]["paper"]["id"], "2112.14397");
    // The index is the site's; what another program imports, it finds soon.
    let (code, _, errors) = pressrun(&data, &["index"]);
    assert_eq!(code, 2);
    assert!(errors.contains("held by another Pressrun"), "{errors}");
    let (code, imported, errors) = pressrun(&data, &["import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{errors}");
    assert!(imported.contains("The site that is running indexes them"), "{imported}");
    until(&server, "%22paper%207%20on%22");
    server.kill();
    let shelf = data.join("search/shelf");
    let mut bytes = std::fs::read(&shelf).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&shelf, bytes).unwrap();
    let server = Server::start(&data);
    until(&server, "%22paper%207%20on%22");
}
