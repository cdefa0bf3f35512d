//! Leaving with everything while the site runs, and coming back on another machine.

use std::path::Path;
use std::process::{Command, Output};

use crate::server::{self, Server, program};

fn pressrun(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).arg("--data").arg(data).env("PRESSRUN_LOG", "warn");
    command.output().expect("the program starts")
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

fn done(data: &Path, arguments: &[&str]) -> String {
    let output = pressrun(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

fn refused(data: &Path, arguments: &[&str], why: &str) {
    let output = pressrun(data, arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.contains(why), "{arguments:?}: {said}");
}

#[test]
fn a_site_moves_and_leaves_its_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (old, new, pages) = (at("old"), at("new"), at("pages"));
    let archive = at("all.tar.zst").display().to_string();
    refused(&at("none"), &["export", &archive], "no site in");

    let site = Server::start(&old);
    server::wait_for("the papers", || (site.get("/papers/all").status == 200).then_some(()));
    done(&old, &["user", "add", "ada@example.org", "--admin"]);
    let exported = done(&old, &["export", &archive]);
    assert!(exported.contains("63 papers") && exported.contains("1 people"), "{exported}");
    refused(&old, &["export", &archive], "all.tar.zst");
    refused(&old, &["import", "--replace", &archive], "a site is running");
    let streamed = pressrun(&old, &["export", "-"]);
    assert!(streamed.status.success() && streamed.stdout.starts_with(b"\x28\xb5\x2f\xfd"));
    site.kill();

    // A new machine, on which the program was tried out before.
    let tried = Server::start(&new);
    tried.kill();
    let imported = done(&new, &["import", &archive]);
    assert!(imported.contains("63 papers") && imported.contains("1 people"), "{imported}");
    refused(&new, &["import", &archive], "--replace");
    let replaced = done(&new, &["import", "--replace", &archive]);
    assert!(replaced.contains("before-import-"), "{replaced}");
    let moved = Server::start(&new);
    assert_eq!(moved.get("/papers/2112.14397").status, 200);
    drop(moved);

    let to = pages.display().to_string();
    let written = done(&new, &["export", "--html", &to]);
    assert!(written.contains("index.html"), "{written}");
    let paper = std::fs::read_to_string(pages.join("papers/2112.14397.html")).expect("a page");
    assert!(paper.contains("href=\"../index.html\"") && !paper.contains("<form"));
    done(&new, &["export", "--html", &to]);
    let own = at("own");
    std::fs::create_dir(&own).expect("a folder");
    std::fs::write(own.join("thesis.tex"), "mine").expect("a file");
    refused(&new, &["export", "--html", &own.display().to_string()], "is not empty");
}
