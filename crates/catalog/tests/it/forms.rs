//! Feeds, harvests and reference lists, each read from a file in its documented form.

use std::path::{Path, PathBuf};

use jiff::civil::date;
use pressrun_catalog::import::{Options, Report, import_file, import_open};
use pressrun_catalog::{Catalog, NewPaper, Paper};

use crate::support::{everything, listed, titled};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data").join(name)
}

async fn import(catalog: &Catalog, path: &Path) -> Report {
    import_file(catalog, path, &Options::default(), &mut |_| {}).await.unwrap()
}

/// Imports a file into a catalogue of its own, and again: that changes nothing.
async fn fresh(name: &str) -> (Vec<Paper>, Report) {
    let catalog = Catalog::in_memory().await.unwrap();
    let report = import(&catalog, &data(name)).await;
    let papers = everything(&catalog).await;
    let again = import(&catalog, &data(name)).await;
    assert_eq!((again.added, again.updated), (0, 0), "{name}");
    assert_eq!(everything(&catalog).await, papers);
    (papers, report)
}

fn find<'p>(papers: &'p [Paper], id: &str) -> &'p Paper {
    papers.iter().find(|paper| paper.id == id).unwrap_or_else(|| panic!("{id}: {papers:#?}"))
}

#[tokio::test]
async fn the_arxiv_api() {
    let (papers, report) = fresh("arxiv.atom").await;
    assert_eq!((report.read, report.added, report.total), (3, 2, Some(1234)));
    assert_eq!(report.bad[0].line, 25);
    assert_eq!(report.bad[0].reason, "no title; expected an element `title`");
    let paper = find(&papers, "2509.00001");
    assert_eq!(paper.title, "Gates That Open For $a <b and c> d$");
    assert_eq!(paper.summary, "We open gates & keep them open.");
    assert_eq!(paper.authors, ["Ada King", "Max Born"]);
    assert_eq!(paper.published.as_deref(), Some("2025-09-08"));
    assert_eq!(paper.category.as_deref(), Some("cs.LG"));
    assert_eq!(paper.doi.as_deref(), Some("10.1000/gates.1"));
    assert_eq!(paper.venue.as_deref(), Some("J. Gates 1 (2025)"));
    assert!(paper.tags.is_empty() && paper.listed.is_none());
    assert_eq!(find(&papers, "cs/0112017").authors, ["Emmy Noether"]);
}

#[tokio::test]
async fn the_arxiv_api_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("error.atom");
    let text = r#"<feed xmlns="http://www.w3.org/2005/Atom"><entry>
        <id>http://arxiv.org/api/errors#incorrect_id_format_for_1</id><title>Error</title>
        <summary>incorrect id format for 1</summary></entry></feed>"#;
    std::fs::write(&path, text).unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let report = import(&catalog, &path).await;
    assert_eq!((report.added, report.bad.len()), (0, 1));
    assert_eq!(report.bad[0].reason, "arXiv answers: incorrect id format for 1");
}

#[tokio::test]
async fn oai_pmh_of_both_forms() {
    let (papers, report) = fresh("oai_arxiv.xml").await;
    assert_eq!((report.read, report.added, report.deleted), (3, 1, 1));
    assert_eq!(report.next.as_deref(), Some("6511260|1001"));
    assert_eq!(report.total, Some(2500));
    assert_eq!(report.bad[0].reason, "record `oai:arXiv.org:2509.00003` has no metadata");
    let paper = find(&papers, "2509.00001");
    assert_eq!(paper.authors, ["Ada King", "Max Born Jr"]);
    assert_eq!(paper.published.as_deref(), Some("2025-09-08"));
    assert_eq!(paper.category.as_deref(), Some("cs.LG"));
    assert_eq!(paper.doi.as_deref(), Some("10.1000/gates.1"));

    let (papers, report) = fresh("oai_dc.xml").await;
    assert_eq!((report.read, report.added, report.next), (1, 1, None));
    let paper = find(&papers, "2509.00004");
    assert_eq!(paper.authors, ["Ada King", "Plato"]);
    assert_eq!(paper.summary, "We close doors, and then some more.");
    assert_eq!(paper.published.as_deref(), Some("2025-09-08"));
    assert_eq!(paper.doi.as_deref(), Some("10.1000/doors"));
}

#[tokio::test]
async fn rss_and_rdf() {
    let (papers, report) = fresh("feed.rss").await;
    assert_eq!((report.read, report.added, report.bad.len()), (3, 3, 0));
    let paper = find(&papers, "gates-doors");
    assert_eq!(paper.title, "Gates & Doors");
    assert_eq!(paper.summary, "We open them.\n\nTwice\u{2026}");
    assert_eq!(paper.authors, ["Ada King"]);
    assert_eq!(paper.published.as_deref(), Some("2025-09-09"));
    assert_eq!(paper.tags, ["gates"]);
    assert_eq!(find(&papers, "windows").doi.as_deref(), Some("10.1000/windows"));
    let paper = find(&papers, "2509.00005");
    assert_eq!(paper.summary, "We announce.");
    assert_eq!(paper.authors, ["Ada King", "Max Born"]);
    assert_eq!(paper.category.as_deref(), Some("cs.CL"));

    let (papers, _) = fresh("feed.rdf").await;
    let paper = find(&papers, "hinges");
    assert_eq!(paper.authors, ["Ada King", "Max Born"]);
    assert_eq!(paper.doi.as_deref(), Some("10.1000/hinges"));
    assert_eq!(paper.venue.as_deref(), Some("J. Hinges"));
}

#[tokio::test]
async fn forms_are_told_by_their_first_bytes_and_half_a_file_gives_what_it_has() {
    let whole = std::fs::read(data("arxiv.atom")).unwrap();
    let at = whole.windows(10).rposition(|w| w == b"<published").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-name");
    std::fs::write(&path, &whole[..at]).unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let report = import(&catalog, &path).await;
    assert_eq!((report.added, report.bad.len(), report.cut), (1, 2, true));
    assert_eq!(report.bad[1].line, 30);
    assert!(report.bad[1].reason.ends_with("is it whole?"), "{:?}", report.bad);
    // A download has a name, and no path.
    let file = std::fs::File::open(data("feed.rss")).unwrap();
    let options = Options::default();
    let name = "https://lab.example/feed";
    let report = import_open(&catalog, name, file, &options, &mut |_| {}).await.unwrap();
    assert_eq!(report.added, 3);
}

#[tokio::test]
async fn a_packed_file_from_a_stranger_is_read_up_to_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.jsonl.zst");
    let text = "{\"title\": \"One\"}\n".to_owned() + &" ".repeat(10 << 20);
    std::fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    let catalog = Catalog::in_memory().await.unwrap();
    let options = Options { max_bytes: Some(1 << 20), ..Options::default() };
    let report = import_file(&catalog, &path, &options, &mut |_| {}).await.unwrap();
    assert_eq!((report.added, report.bad.len()), (1, 1));
    assert!(report.bad[0].reason.contains("more than 1048576 bytes"), "{:?}", report.bad);
}

#[tokio::test]
async fn a_list_never_loses_a_paper() {
    let catalog = Catalog::in_memory().await.unwrap();
    let day = date(2025, 9, 9);
    catalog.upsert(&[listed("Gates", day), titled("Doors")]).await.unwrap();
    let listed_on = async |id: &str| catalog.paper(id).await.unwrap().unwrap().listed;

    // Without a day, or with another: the first one stays.
    catalog.upsert(&[titled("Gates")]).await.unwrap();
    assert_eq!(listed_on("gates").await, Some(day));
    let done = catalog.upsert(&[listed("Gates", date(2025, 9, 10))]).await.unwrap();
    assert_eq!((done.updated, listed_on("gates").await), (0, Some(day)));

    // An import puts what stands on no list on the day that was asked for, whatever the file says.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papers.json");
    let text = r#"[{"title": "Gates"}, {"title": "Doors"},
        {"paper": {"id": "2509.00001", "title": "New"}, "publishedAt": "2025-09-12T00:00:00Z"}]"#;
    std::fs::write(&path, text).unwrap();
    let options = Options { list_on: Some(date(2025, 9, 11)), ..Options::default() };
    let report = import_file(&catalog, &path, &options, &mut |_| {}).await.unwrap();
    assert_eq!((report.added, report.updated, report.unchanged), (1, 1, 1), "{report:?}");
    assert_eq!(listed_on("gates").await, Some(day));
    assert_eq!(listed_on("doors").await, Some(date(2025, 9, 11)));
    assert_eq!(listed_on("2509.00001").await, Some(date(2025, 9, 11)));
    // Half of the file again, without a day: nobody leaves.
    std::fs::write(&path, r#"[{"title": "Doors"}]"#).unwrap();
    import(&catalog, &path).await;
    assert_eq!(listed_on("doors").await, Some(date(2025, 9, 11)));
    let absent = NewPaper { summary: "More is known.".into(), ..titled("Doors") };
    catalog.upsert(&[absent]).await.unwrap();
    assert_eq!(listed_on("doors").await, Some(date(2025, 9, 11)));
}
