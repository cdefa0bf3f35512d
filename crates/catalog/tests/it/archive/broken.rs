//! Archives that are not as they were written: an error that says what, and a database as it was.

use std::path::Path;

use pressrun_catalog::Error;
use pressrun_catalog::archive::{Problem, Room, is_archive};
use sha2::{Digest, Sha256};

use super::fixture::Site;

/// The files of an archive, to be changed and packed again.
#[derive(Clone)]
struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    fn read(archive: &Path) -> Self {
        let mut tar =
            tar::Archive::new(zstd::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap());
        let entries = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            std::io::copy(&mut entry, &mut bytes).unwrap();
            (name, bytes)
        });
        Self(entries.collect())
    }

    fn text(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(n, _)| n == name).unwrap().1
    }

    fn replace(&mut self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        let new = String::from_utf8(text.clone()).unwrap();
        assert!(new.contains(from), "{from} is not in {name}");
        *text = new.replacen(from, to, 1).into_bytes();
    }

    /// Checksums of what there is now, as whoever means ill would make them.
    fn seal(mut self) -> Self {
        let parts = self.0.iter().filter(|(name, _)| name.ends_with(".jsonl")).map(|(name, bytes)| {
            let sha256: String =
                Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            let rows = bytes.iter().filter(|&&byte| byte == b'\n').count();
            serde_json::json!({"name": name, "rows": rows, "bytes": bytes.len(), "sha256": sha256})
        });
        let parts: Vec<_> = parts.collect();
        let list = serde_json::to_vec(&serde_json::json!({ "parts": parts })).unwrap();
        *self.text("checksums.json") = list;
        self
    }

    fn write(&self, to: &Path) {
        let mut tar =
            tar::Builder::new(zstd::Encoder::new(std::fs::File::create(to).unwrap(), 1).unwrap());
        for (name, bytes) in &self.0 {
            let mut header = tar::Header::new_ustar();
            // Not through a call that refuses `..`.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, bytes.as_slice()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }
}

/// Imports into a site with data, which may be replaced, and sees that it is not.
async fn refused(site: &Site, archive: &Path) -> Problem {
    let before = site.archive("before.tar.zst").await;
    let error = site.catalog.import_archive(archive, &Room::Anything).await.unwrap_err();
    let after = site.archive("after.tar.zst").await;
    assert!(std::fs::read(&before).unwrap() == std::fs::read(&after).unwrap(), "changed: {error}");
    std::fs::remove_file(before).unwrap();
    std::fs::remove_file(after).unwrap();
    match error {
        Error::Archive { problem, .. } => *problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn bytes_that_are_lost_or_changed() {
    let site = Site::full().await;
    let archive = site.archive("one.tar.zst").await;
    let bytes = std::fs::read(&archive).unwrap();
    let bad = site.file("bad.tar.zst");
    for length in [4, 20, bytes.len() / 2, bytes.len() - 5, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..length]).unwrap();
        let problem = refused(&site, &bad).await;
        assert!(
            matches!(problem, Problem::Unreadable(_) | Problem::Unexpected { .. }),
            "{problem}"
        );
    }
    for place in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x10;
        std::fs::write(&bad, &bytes).unwrap();
        refused(&site, &bad).await;
    }
    std::fs::write(&bad, "{\"title\": \"A paper\"}\n").unwrap();
    assert!(!is_archive(&bad).unwrap());
    refused(&site, &bad).await;
    std::fs::write(&bad, zstd::encode_all(&b"{\"title\": \"A paper\"}\n"[..], 1).unwrap()).unwrap();
    assert!(!is_archive(&bad).unwrap());
    assert!(matches!(refused(&site, &bad).await, Problem::NotAnArchive));
}

#[tokio::test]
async fn files_that_are_missing_or_changed_or_too_many() {
    let site = Site::full().await;
    let files = Files::read(&site.archive("one.tar.zst").await);
    let bad = site.file("bad.tar.zst");
    let expect = async |files: &Files, expected: &str| {
        files.write(&bad);
        let problem = refused(&site, &bad).await.to_string();
        assert!(problem.contains(expected), "{problem}");
    };

    let without = |name: &str| Files(files.0.iter().filter(|(n, _)| n != name).cloned().collect());
    expect(&without("votes/00001.jsonl"), "`submissions/00001.jsonl` where `votes/00001.jsonl`")
        .await;
    expect(&without("checksums.json"), "`the end` where `harvests/00002.jsonl` or").await;
    expect(&without("harvests/00001.jsonl"), "where `harvests/00001.jsonl` was expected").await;
    expect(&without("manifest.json"), "is not an archive of Pressrun").await;

    let mut changed = files.clone();
    changed.replace("people/00001.jsonl", "reader", "curator");
    expect(&changed, "`people/00001.jsonl` is not as it was written: bytes").await;
    let mut changed = files.clone();
    changed.replace("people/00001.jsonl", "ada@", "eve@");
    expect(&changed, "`people/00001.jsonl` is not as it was written: checksum").await;

    for name in ["../papers/00001.jsonl", "/etc/passwd", "papers/../people/1", "papers/1.jsonl"] {
        let mut added = files.clone();
        added.0.insert(2, (name.into(), b"{}\n".to_vec()));
        expect(&added, &format!("holds `{name}`")).await;
    }
    let mut twice = files.clone();
    let first = twice.0[1].clone();
    twice.0.insert(2, first);
    expect(&twice, "`papers/00001.jsonl` where `papers/00002.jsonl` or `checksums.json`").await;
    let mut more = files.clone();
    more.0.push(("papers/00002.jsonl".into(), Vec::new()));
    expect(&more, "`papers/00002.jsonl` where the end was expected").await;
}

#[tokio::test]
async fn lists_of_another_form() {
    let site = Site::full().await;
    let files = Files::read(&site.archive("one.tar.zst").await);
    let bad = site.file("bad.tar.zst");
    for (from, to, expected) in [
        ("\"pressrun_archive\": 1", "\"pressrun_archive\": 2", "has form 2 of archives"),
        ("\"schema\": ", "\"schema\": 1000", "written by Pressrun 0.1.0"),
        ("\"summary\"", "\"sumary\"", "no column `sumary` in `papers`"),
        ("\"summary\",", "", "columns of `papers` are missing"),
        ("\"name\": \"votes\"", "\"name\": \"sessions\"", "no table `sessions` there"),
        ("\"name\": \"votes\"", "\"name\": \"papers\"", "no table `papers` there"),
        ("\"public\": false,", "", "missing field `public`"),
        ("{", "[", "`manifest.json`: "),
    ] {
        let mut changed = files.clone();
        changed.replace("manifest.json", from, to);
        changed.seal().write(&bad);
        let problem = refused(&site, &bad).await.to_string();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[tokio::test]
async fn rows_that_the_tables_cannot_hold() {
    let site = Site::full().await;
    let files = Files::read(&site.archive("one.tar.zst").await);
    let bad = site.file("bad.tar.zst");
    let cases: [(&str, &str, &str, &str); 10] = [
        ("votes", "\"at\":4", "\"at\":4.5", "line 1: `at` is not a whole number"),
        ("votes", "\"at\":4", "\"at\":9223372036854775808", "`at` is not a whole number"),
        ("votes", "\"at\":4", "\"when\":4", "line 1: `at` is missing"),
        ("votes", "\"at\":4", "\"at\":4,\"x\":1", "there is no column `x`"),
        ("votes", "{", "", "`votes/00001.jsonl`, line 1: "),
        ("votes", "\n", "", "no end of the line"),
        ("papers", "\"-1e300\"", "-1e300", "a number in quotation marks"),
        ("people", "\"administrator\"", "\"king\"", "line 2: the database refuses it: CHECK"),
        ("people", "ada@example.org", "bob@example.org", "UNIQUE constraint failed: people.email"),
        (
            "votes",
            "-5",
            "-6",
            "rows of `people` that it does not have: `person` = `-6` in `votes`; such rows: 1",
        ),
    ];
    for (table, from, to, expected) in cases {
        let mut changed = files.clone();
        changed.replace(&format!("{table}/00001.jsonl"), from, to);
        changed.seal().write(&bad);
        let problem = refused(&site, &bad).await.to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    let mut twice = files.clone();
    let rows = twice.text("run_events/00001.jsonl");
    *rows = rows.repeat(2);
    twice.seal().write(&bad);
    let problem = refused(&site, &bad).await.to_string();
    assert!(problem.contains("UNIQUE constraint failed: run_events"), "{problem}");
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let site = Site::full().await;
    let bad = site.file("bomb.tar.zst");
    let file = std::fs::File::create(&bad).unwrap();
    let files = Files::read(&site.archive("one.tar.zst").await);
    let mut tar = tar::Builder::new(zstd::Encoder::new(file, 1).unwrap());
    let mut header = tar::Header::new_ustar();
    header.set_path("manifest.json").unwrap();
    header.set_size(files.0[0].1.len() as u64);
    header.set_cksum();
    tar.append(&header, files.0[0].1.as_slice()).unwrap();
    header.set_path("papers/00001.jsonl").unwrap();
    header.set_size(3 << 30);
    header.set_cksum();
    tar.append(&header, std::io::Read::take(std::io::repeat(b'\n'), 3 << 30)).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    assert!(bad.metadata().unwrap().len() < 1 << 20);
    let started = std::time::Instant::now();
    let problem = refused(&site, &bad).await;
    assert!(matches!(problem, Problem::TooLong { .. }), "{problem}");
    assert!(started.elapsed().as_secs() < 30);
}
