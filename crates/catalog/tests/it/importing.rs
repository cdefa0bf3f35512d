//! Importing files of every form, whole and broken.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use jiff::civil::date;
use pressrun_catalog::import::{Options, Progress, Report, import_file};
use pressrun_catalog::{Catalog, Error, NewPaper};

use crate::support::everything;

const LISTING: &str = include_str!("data/listing.txt");

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn import(catalog: &Catalog, path: &Path) -> Report {
    let options = Options { year: Some(2025), batch: 3, ..Options::default() };
    import_file(catalog, path, &options, &mut |_| {}).await.unwrap()
}

/// Imports bytes under a name into a catalogue of their own.
async fn import_bytes(name: &str, bytes: &[u8]) -> (Catalog, Report) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let report = import(&catalog, &write(folder.path(), name, bytes)).await;
    (catalog, report)
}

fn lines(papers: usize) -> String {
    (0..papers)
        .map(|n| {
            let paper = serde_json::json!({
                "title": format!("Paper number {n}"),
                "abstract": "We count.",
                "authors": [format!("Author Number{n}"), "Ada King"],
                "arxiv_id": (n % 3 == 0).then(|| format!("2301.{n:05}v2")),
                "year": 2023,
                "venue": "iclr2023",
                "github": null,
            });
            format!("{paper}\n")
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn reasons(report: &Report) -> Vec<String> {
    let bad = report.bad.iter().cloned();
    bad.map(|mut bad| {
        let name = Path::new(&bad.file).file_name().unwrap();
        bad.file = name.to_str().unwrap().to_owned();
        bad.to_string()
    })
    .collect()
}

#[tokio::test]
async fn a_listing_goes_in_and_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let path = write(folder.path(), "listing.txt", LISTING.as_bytes());
    let report = import(&catalog, &path).await;
    assert_eq!((report.read, report.added, report.bad.len()), (3, 3, 0));
    let paper = catalog
        .paper("evomoe-an-evolutional-mixture-of-experts-training-framework-via")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(paper.listed, Some(date(2025, 9, 9)));
    let before = everything(&catalog).await;
    let again = import(&catalog, &path).await;
    assert_eq!((again.added, again.updated, again.unchanged), (0, 0, 3));
    assert_eq!(everything(&catalog).await, before);
}

#[tokio::test]
async fn a_listing_sets_the_day_of_known_papers_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let known = NewPaper {
        title: "Evolving normalization-activation layers".into(),
        summary: "A longer abstract that the listing does not have.".into(),
        authors: vec!["Hanxiao Liu".into()],
        arxiv_id: Some("2004.02967".into()),
        ..NewPaper::default()
    };
    catalog.upsert(&[known]).await.unwrap();
    let path = write(folder.path(), "today.txt", LISTING.as_bytes());
    let report = import(&catalog, &path).await;
    assert_eq!((report.added, report.updated), (2, 1));
    let paper = catalog.paper("2004.02967").await.unwrap().unwrap();
    assert_eq!(paper.listed, Some(date(2025, 9, 9)));
    assert_eq!(paper.authors, ["Hanxiao Liu"]);
}

#[tokio::test]
async fn a_listing_cut_in_half_is_completed_by_the_whole() {
    let catalog = Catalog::in_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let half = write(folder.path(), "half.txt", &LISTING.as_bytes()[..LISTING.len() - 30]);
    let report = import(&catalog, &half).await;
    assert_eq!((report.read, report.added, report.bad.len()), (3, 2, 1));
    assert_eq!(
        reasons(&report),
        ["half.txt:23: the file ends in the middle of the abstract of `Neural Metamorphosis`; \
          expected a full stop or the like"]
    );
    let whole = write(folder.path(), "whole.txt", LISTING.as_bytes());
    let report = import(&catalog, &whole).await;
    assert_eq!((report.added, report.unchanged), (1, 2));
}

#[tokio::test]
async fn what_is_no_listing_and_no_json_is_told() {
    for (name, bytes, reason) in [
        ("empty.txt", &b""[..], "empty.txt:1: file is empty; expected a listing"),
        ("empty.jsonl", b"", "empty.jsonl:1: file is empty; expected JSON Lines"),
        ("letter.txt", b"Dear all,\n\nhello", "letter.txt:1: not a listing"),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00", "image.png:1: not a listing"),
        ("array.jsonl", b"[{\"title\": \"x\"}]", "array.jsonl:1: not an object; expected"),
        ("page.html", b"<!doctype html><html></html>", "page.html:1: the document is a `html`"),
        ("empty.bib", b"", "empty.bib:1: no entry; expected BibTeX"),
        ("empty.xml", b"<?xml version='1.0'?>", "empty.xml:1: no element; expected XML"),
    ] {
        let (catalog, report) = import_bytes(name, bytes).await;
        assert_eq!((report.read, report.added), (1, 0));
        let reasons = reasons(&report);
        assert!(reasons[0].starts_with(reason), "{reasons:?}");
        assert_eq!(catalog.count_papers().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn json_lines_plain_gzip_and_zstd_by_content() {
    let text = lines(10);
    let two = [gzip(lines(4).as_bytes()), gzip(&text.as_bytes()[lines(4).len()..])].concat();
    for (name, bytes) in [
        ("a.jsonl", text.clone().into_bytes()),
        ("a.jsonl.gz", gzip(text.as_bytes())),
        ("a.jsonl.zst", zstd(text.as_bytes())),
        ("a", text.clone().into_bytes()),
        ("a.txt", zstd(text.as_bytes())),
        ("members.gz", two),
    ] {
        let (catalog, report) = import_bytes(name, &bytes).await;
        assert_eq!((report.read, report.added, report.bad.len()), (10, 10, 0), "{name}");
        let paper = catalog.paper("2301.00009").await.unwrap().unwrap();
        assert_eq!(paper.authors, ["Author Number9", "Ada King"]);
    }
    let (catalog, report) = import_bytes("listing.zst", &zstd(LISTING.as_bytes())).await;
    assert_eq!((report.added, catalog.count_papers().await.unwrap()), (3, 3));
}

#[tokio::test]
async fn a_compressed_file_cut_in_half_gives_what_it_has() {
    let text = lines(5000);
    for (name, bytes) in
        [("a.jsonl.gz", gzip(text.as_bytes())), ("a.jsonl.zst", zstd(text.as_bytes()))]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), name, &bytes[..bytes.len() / 2]);
        let catalog = Catalog::in_memory().await.unwrap();
        let options = Options::default();
        let report = import_file(&catalog, &path, &options, &mut |_| {}).await.unwrap();
        assert!(report.added > 1000, "{name}: {report:?}");
        assert_eq!(report.bad.len(), 1);
        assert_eq!(report.bad[0].line, report.added + 1);
        assert!(report.bad[0].reason.contains("is it whole?"), "{report:?}");
    }
}

#[tokio::test]
async fn bad_lines_in_the_middle_cost_themselves_only() {
    let good = lines(7);
    let mut bytes = Vec::new();
    for (n, line) in good.lines().enumerate() {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        match n {
            1 => bytes.extend_from_slice(b"{\"title\": \"cut\n"),
            3 => bytes.extend_from_slice(b"{\"title\": \"\xc3\x28\"}\n"),
            5 => bytes.extend_from_slice(b"{\"title\": \"x\", \"arxiv_id\": \"no\"}\n"),
            _ => {}
        }
    }
    let (catalog, report) = import_bytes("mixed.jsonl", &bytes).await;
    assert_eq!((report.read, report.added), (10, 7));
    assert_eq!(
        reasons(&report),
        [
            "mixed.jsonl:3: EOF while parsing a string (column 14)",
            "mixed.jsonl:6: not UTF-8 (byte 12 of the line)",
            "mixed.jsonl:9: arXiv id `no` is not valid; expected a form like `2301.10909` or \
             `cs/0112017`",
        ]
    );
    assert_eq!(catalog.count_papers().await.unwrap(), 7);
}

#[tokio::test]
async fn a_file_of_nothing_but_errors_does_not_fill_the_memory() {
    let text = "{}\n".repeat(Report::MAX_BAD + 5);
    let (_, report) = import_bytes("bad.jsonl", text.as_bytes()).await;
    assert_eq!(report.read, Report::MAX_BAD as u64 + 5);
    assert_eq!((report.bad.len(), report.more_bad), (Report::MAX_BAD, 5));
}

#[tokio::test]
async fn progress_grows_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", format!("{}{{}}\n", lines(10)).as_bytes());
    let catalog = Catalog::in_memory().await.unwrap();
    let options = Options { batch: 4, ..Options::default() };
    // One of the papers is there already, with less said of it.
    let known = NewPaper { title: "Paper number 5".into(), ..NewPaper::default() };
    catalog.upsert(&[known]).await.unwrap();
    let mut seen: Vec<Progress> = Vec::new();
    let mut note = |progress| seen.push(progress);
    let importing = import_file(&catalog, &path, &options, &mut note);
    // A server imports in a task of its own.
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    sendable(importing).await.unwrap();
    let read: Vec<(u64, u64)> = seen.iter().map(|p| (p.read, p.bad)).collect();
    assert_eq!(read, [(4, 0), (8, 0), (11, 1)]);
    assert_eq!(seen[2].bytes, seen[2].total_bytes);
    // What came new is handed on as a reader of the catalogue would find it.
    let new: Vec<_> = seen.into_iter().flat_map(|progress| progress.new).collect();
    let mut stored = catalog.changes(1, 100).await.unwrap();
    stored.retain(|(_, paper)| paper.title != "Paper number 5");
    assert_eq!((new.len(), new), (9, stored));
    let missing = folder.path().join("none");
    let error = import_file(&catalog, &missing, &options, &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == missing), "{error}");
}
