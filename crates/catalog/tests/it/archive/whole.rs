//! Nothing is lost on the way, and nothing that was there.

use std::process::Command;

use pressrun_catalog::archive::{Options, Problem, Room};
use pressrun_catalog::{Error, NewPaper};
use proptest::prelude::*;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::fixture::{Site, assert_same, options};
use crate::support::{studied, titled};

#[tokio::test]
async fn every_row_of_every_table_comes_back() {
    let site = Site::full().await;
    let archive = site.archive("one.tar.zst").await;
    let other = Site::empty().await;
    let summary = other.catalog.import_archive(&archive, &Room::Empty).await.unwrap();
    for (table, rows) in &summary.rows {
        assert!(*rows > 0, "nothing in {table}: add rows of it to the fixture");
    }
    assert_same(&site, other.folder.path()).await;
    let again = other.archive("two.tar.zst").await;
    assert!(std::fs::read(archive).unwrap() == std::fs::read(again).unwrap(), "archives differ");
}

#[tokio::test]
async fn an_archive_can_be_read_without_this_program_and_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::full().await;
    let archive = site.archive("one.tar.zst").await;
    assert_eq!(archive.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let folder = tempfile::tempdir().unwrap();
    let bytes = zstd::decode_all(std::fs::File::open(&archive).unwrap()).unwrap();
    let tar = folder.path().join("one.tar");
    std::fs::write(&tar, bytes).unwrap();
    let done = Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(folder.path()).status();
    assert!(done.unwrap().success());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let votes = "{\"paper\":\"cs/0112017\",\"person\":-5,\"at\":4}\n";
    assert_eq!(read("votes/00001.jsonl"), votes);
    let papers = read("papers/00001.jsonl");
    assert!(papers.contains("\"trending\":\"-1e300\""));
    assert!(papers.contains("\"trending\":\"27.1847564936273"));
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert_eq!(manifest["pressrun_archive"], 1);
    assert_eq!(manifest["written"], "2025-09-09T00:00:00Z");
    let all: String =
        ["mails", "people", "tokens"].map(|t| read(&format!("{t}/00001.jsonl"))).concat();
    assert!(!all.contains("secret link") && !all.contains("sessionhash"));
}

#[tokio::test]
async fn a_public_archive_says_nothing_about_anybody() {
    let site = Site::full().await;
    let file = site.file("public.tar.zst");
    let options = Options { public: true, ..options() };
    site.catalog.export_to(&file, &options).await.unwrap();
    let bytes = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for private in ["example.org", "tokenhash", "sessionhash", "linkhash", "\"person\"", "page 2"] {
        assert!(!text.contains(private), "{private}");
    }
    let other = Site::empty().await;
    let summary = other.catalog.import_archive(&file, &Room::Empty).await.unwrap();
    assert_eq!((summary.of("papers"), summary.of("people")), (4, 0));
    let paper = other.catalog.paper("cs/0112017").await.unwrap().unwrap();
    assert_eq!(paper.votes, 1);
}

#[tokio::test]
async fn nothing_is_overwritten_unasked() {
    let site = Site::full().await;
    let archive = site.archive("one.tar.zst").await;
    let error = site.catalog.export_to(&archive, &options()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. }
        if source.kind() == std::io::ErrorKind::AlreadyExists),
        "{error}"
    );

    let own = Room::Fresh(vec!["gates".into(), "routing".into()]);
    let other = Site::empty().await;
    other.catalog.upsert(&[studied("routing")]).await.unwrap();
    let error = other.catalog.import_archive(&archive, &Room::Empty).await.unwrap_err();
    assert!(error.to_string().contains("rows in `papers` of this one: 1"), "{error}");
    other.catalog.import_archive(&archive, &own).await.unwrap();
    assert_same(&site, other.folder.path()).await;

    // A site that somebody has used is none that was only started.
    let others: [(&str, &str); 2] = [
        ("papers", ""),
        (
            "people",
            "INSERT INTO people (joined_at, id, email, handle, name, role) \
             VALUES (1, 1, 'c@example.org', 'c', '', 'reader')",
        ),
    ];
    for (table, sql) in others {
        let used = Site::empty().await;
        used.catalog.upsert(&[studied("gates")]).await.unwrap();
        if sql.is_empty() {
            used.catalog.upsert(&[titled("My own")]).await.unwrap();
        } else {
            used.send(sql).await;
        }
        let before = used.archive("before.tar.zst").await;
        let error = used.catalog.import_archive(&archive, &own).await.unwrap_err();
        assert!(
            matches!(&error, Error::Archive { problem, .. }
            if matches!(&**problem, Problem::NotEmpty { table: t, .. } if *t == table)),
            "{error}"
        );
        let after = used.archive("after.tar.zst").await;
        assert_eq!(std::fs::read(before).unwrap(), std::fs::read(after).unwrap());
        used.catalog.import_archive(&archive, &Room::Anything).await.unwrap();
        assert_same(&site, used.folder.path()).await;
    }
}

#[tokio::test]
async fn an_imported_site_goes_on() {
    let site = Site::full().await;
    let archive = site.archive("one.tar.zst").await;
    let other = Site::empty().await;
    other.catalog.import_archive(&archive, &Room::Empty).await.unwrap();
    // A paper is known again by its title and gets the next revision; a new one comes beside it.
    let gates = NewPaper { authors: vec!["Ada King".into()], ..titled("Gates") };
    let done = other.catalog.upsert(&[gates, titled("Another one")]).await.unwrap();
    assert_eq!(done.ids[0], "cs/0112017");
    assert_eq!(done.added, 1);
}

#[tokio::test]
async fn an_export_is_of_one_moment_while_the_site_goes_on() {
    let site = Site::full().await;
    let papers: Vec<NewPaper> = (0..3000)
        .map(|n| NewPaper { summary: "word ".repeat(400), ..titled(&format!("Paper {n}")) })
        .collect();
    site.catalog.upsert(&papers).await.unwrap();
    let writing = tokio::spawn({
        let catalog = site.catalog.clone();
        async move {
            for n in 0..200 {
                // Two rows in two tables, always together.
                let paper =
                    NewPaper { authors: vec!["X Y".into()], ..titled(&format!("More {n}")) };
                catalog.upsert(&[paper]).await.unwrap();
            }
        }
    });
    let archive = site.archive("one.tar.zst").await;
    writing.await.unwrap();
    let other = Site::empty().await;
    let summary = other.catalog.import_archive(&archive, &Room::Empty).await.unwrap();
    let papers = summary.of("papers") - 3004;
    assert!(papers < 200, "the export waited for the writer");
    assert_eq!(summary.of("paper_authors"), 3 + papers);
    assert_eq!(summary.of("paper_keys"), 2 + 3000 + papers);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any text, any whole number and any number are the same after the way out and in.
    #[test]
    fn any_value_survives(rows in prop::collection::btree_map(
        any::<String>(),
        (any::<i64>(), any::<f64>(), any::<String>(), prop::option::of(any::<String>())), 1..20)
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let site = Site::empty().await;
            let mut connection = site.connect().await;
            for (id, (at, trending, title, category)) in &rows {
                // SQLite holds no NaN: it is null there, and the column may not be.
                let trending = if trending.is_nan() { f64::INFINITY } else { *trending };
                let sql = "INSERT INTO papers (id, added_at, trending, title, category, dated, authors, \
                    title_key, summary) VALUES ($1, $2, $3, 't' || $4, $5, '', '', '', '')";
                let query = sqlx::query(AssertSqlSafe(sql)).bind(id.clone()).bind(*at).bind(trending);
                let query = query.bind(title.clone()).bind(category.clone());
                connection.execute(query).await.unwrap();
            }
            connection.close().await.unwrap();
            let archive = site.archive("one.tar.zst").await;
            let other = Site::empty().await;
            other.catalog.import_archive(&archive, &Room::Empty).await.unwrap();
            assert_same(&site, other.folder.path()).await;
            let again = other.archive("two.tar.zst").await;
            assert_eq!(std::fs::read(archive).unwrap(), std::fs::read(again).unwrap());
        });
    }
}
