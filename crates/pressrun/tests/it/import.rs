//! Bad input: what is good goes in, what is bad is named, and the exit status says so.

use std::path::Path;
use std::process::Command;

use crate::server::program;

/// Imports bytes under a file name; returns exit status, standard output and standard error.
fn import(data: &Path, name: &str, bytes: &[u8]) -> (i32, String, String) {
    let file = data.join(name);
    std::fs::write(&file, bytes).unwrap();
    let output = Command::new(program())
        .arg("import")
        .arg(&file)
        .arg("--data")
        .arg(data.join("site"))
        .output()
        .expect("the program starts");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A listing in the form of the site's own: 12 papers.
fn listing() -> String {
    let mut text = String::from(
        "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\n\
         byAK and the research community\n\nSep 9\n\n",
    );
    for i in 1..=12 {
        text += &format!(
            "A Listed Paper About Subject {i}\n\nThis is the abstract of paper {i}. It has two sentences.\n\n"
        );
    }
    text
}

#[test]
fn a_listing_goes_in_and_a_second_time_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = import(data.path(), "listing.txt", listing().as_bytes());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("12 read, 12 added"), "{stdout}");
    let (status, stdout, _) = import(data.path(), "listing.txt", listing().as_bytes());
    assert_eq!(status, 0);
    assert!(stdout.contains("0 added, 0 updated, 12 unchanged"), "{stdout}");
}

#[test]
fn a_listing_cut_in_half() {
    let data = tempfile::tempdir().unwrap();
    let text = listing();
    // In the middle of the seventh abstract.
    let at = text.find("abstract of paper 7").unwrap() + 9;
    let (status, stdout, stderr) = import(data.path(), "half.txt", &text.as_bytes()[..at]);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("6 added"), "{stdout}");
    assert!(stderr.contains("half.txt:"), "{stderr}");
}

#[test]
fn invalid_utf_8_costs_only_the_record_that_has_it() {
    let data = tempfile::tempdir().unwrap();
    let mut bytes = listing().into_bytes();
    let at = listing().find("abstract of paper 5").unwrap();
    bytes[at] = 0xff;
    let (status, stdout, stderr) = import(data.path(), "utf.txt", &bytes);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("11 added"), "{stdout}");
    assert!(stderr.contains("utf.txt:") && stderr.contains("UTF-8"), "{stderr}");
}

#[test]
fn an_empty_file() {
    let data = tempfile::tempdir().unwrap();
    for name in ["empty.txt", "empty.jsonl"] {
        let (status, stdout, stderr) = import(data.path(), name, b"");
        assert_ne!(status, 0, "{stdout}");
        assert!(stderr.contains(name) && stderr.contains("empty"), "{stderr}");
    }
}

#[test]
fn json_lines_with_a_broken_line_in_the_middle() {
    let data = tempfile::tempdir().unwrap();
    let text = "{\"title\": \"One\", \"authors\": [\"A\"], \"abstract\": \"x.\"}\n\
                {\"title\": \"Two\", \"auth\n\
                {\"title\": \"Three\", \"authors\": [\"C\"], \"abstract\": \"z.\"}\n";
    let (status, stdout, stderr) = import(data.path(), "papers.jsonl", text.as_bytes());
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("2 added") && stdout.contains("1 bad"), "{stdout}");
    assert!(stderr.contains("papers.jsonl:2: "), "{stderr}");
}
