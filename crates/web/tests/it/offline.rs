//! The site as a folder: every link leads to a file that is there, and nothing promises what a folder
//! cannot do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pressrun_catalog::{NewPaper, import};
use pressrun_web::offline::{self, Error, Report};
use pressrun_web::{Settings, Site};

use crate::html;
use crate::site::TestSite;

const LIVING: &str = "https://living.example";

/// A site with everything that has a page: lists of several pages, odd ids, a record, runs.
async fn site() -> TestSite {
    let site = TestSite::new().await.with_record().await.with_papers(70, "2025-09-08").await;
    let odd = ["cs/0112017", "UP", "up", "a?c#d", ".x", "é"];
    let papers: Vec<NewPaper> = (1..)
        .zip(odd)
        .map(|(n, id)| NewPaper {
            id: id.into(),
            title: format!("Odd {n} <script>alert(1)</script>"),
            authors: vec!["Zoë \"Q\" <b>".into()],
            ..NewPaper::default()
        })
        .collect();
    site.catalog.upsert(&papers).await.unwrap();
    site.queued().await;
    site.indexed().await
}

async fn export(site: &TestSite, folder: &Path, living: Option<&str>) -> Result<Report, Error> {
    let settings = Settings { public_url: living.map(str::to_owned), ..Settings::default() };
    let (catalog, library) = (site.catalog.clone(), Arc::clone(&site.library));
    let site = Site::with_settings(catalog, library, site.search.clone(), settings);
    offline::export(site, folder).await
}

/// All files of a folder, by their place in it.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let place = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(place, path);
            }
        }
    }
    found
}

/// The file that a link of another one names.
fn target(from: &str, link: &str) -> String {
    let mut place: Vec<&str> = from.split('/').collect();
    place.pop();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => assert!(place.pop().is_some(), "{from}: {link} leads out"),
            Component::Normal(name) => place.push(name.to_str().unwrap()),
            other => panic!("{from}: {link} has {other:?}"),
        }
    }
    place.join("/")
}

/// Checks every page; the outside addresses that they link to.
fn check(folder: &Path) -> BTreeSet<String> {
    let files = files(folder);
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut links: Vec<(String, String)> = Vec::new();
    let mut outside = BTreeSet::new();
    for (place, path) in &files {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("pressrun.invalid"), "{place} names a host that is none");
        if !place.ends_with(".html") {
            continue;
        }
        let elements = html::elements(&text);
        for element in &elements {
            let scripted = place == "search.html" && element.get("src").contains("offline-");
            assert!(element.name != "script" || scripted, "{place} has a script");
            assert!(element.name != "form" && element.name != "button", "{place} has a form");
            for name in ["href", "src"] {
                let link = element.get(name);
                if link.starts_with("https://") || link.starts_with("http://") {
                    outside.insert(link.to_owned());
                } else if !link.is_empty() {
                    assert!(!link.contains(':') && !link.starts_with('/'), "{place}: {link}");
                    links.push((place.clone(), link.to_owned()));
                }
            }
        }
        let of_page = elements.iter().map(|e| e.get("id").to_owned()).collect();
        ids.insert(place.clone(), of_page);
    }
    for (from, link) in links {
        let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
        let place = if path.is_empty() { from.clone() } else { target(&from, path) };
        assert!(files.contains_key(&place), "{from}: {link} is not there");
        assert!(
            fragment.is_empty() || ids[&place].contains(fragment),
            "{from}: {link} has no place"
        );
    }
    outside
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_to_a_file() {
    let site = site().await;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("pages");
    let report = export(&site, &folder, None).await.unwrap();
    let outside = check(&folder);
    assert!(outside.iter().all(|url| !url.contains("living")), "{outside:?}");
    let files = files(&folder);
    // The marker is not counted.
    assert_eq!(report.files + 1, files.len() as u64);
    let bytes: u64 = files.values().map(|path| path.metadata().unwrap().len()).sum();
    assert!(report.bytes < bytes && report.searchable);
    for expected in [
        "index.html",
        "search.html",
        "studies.html",
        "methodology.html",
        "lists/all.html",
        "lists/all-2.html",
        "lists/2025-09-08-3.html",
        "lists/2025-w37.html",
        "lists/2025-09.html",
        "lists/trending.html",
        "papers/9909.00001.html",
        "papers/cs~2f0112017.html",
        "papers/~55~50.html",
        "papers/up.html",
        "papers/a~3fc~23d.html",
        "papers/~2ex.html",
        "records/paper-9909.00001.json",
        "records/run-demo-full.json",
        "records/comparison-momenta.json",
        "comparisons/momenta.html",
        "runs/index.html",
        "runs/demo-full.html",
        "record.schema.json",
        "api/studies.json",
        "favicon.svg",
    ] {
        assert!(files.contains_key(expected), "{expected} is missing");
    }
    let papers = files.keys().filter(|place| place.starts_with("papers/")).count() as u64;
    assert_eq!(papers, site.catalog.count_papers().await.unwrap());

    let page = fs::read_to_string(&files["papers/9909.00001.html"]).unwrap();
    assert!(page.contains("A copy of this site") && page.contains("Not in this copy."));
    for gone in ["Sign in", "Subscribe", "/sign-in", "og:url", "canonical", "Follow its verdicts"] {
        assert!(!page.contains(gone), "{gone}");
    }
    // Votes are shown, without a way to vote.
    assert!(page.contains("<span class=\"count vote\">"), "{page}");
    let data = fs::read_to_string(&files["assets/offline-papers.js"]).unwrap();
    assert!(data.contains("[\"papers/cs~2f0112017.html\",\"Odd 1 <script>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_leads_to_the_living_site() {
    let site = site().await;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("pages");
    export(&site, &folder, Some(LIVING)).await.unwrap();
    let outside = check(&folder);
    for expected in [
        "/sign-in",
        "/subscribe",
        "/papers/all.bib",
        "/papers/all?sort=votes",
        "/papers/9909.00001",
        "/opensearch.xml",
        "/api",
    ] {
        let expected = format!("{LIVING}{expected}");
        assert!(outside.contains(&expected), "{expected} is missing");
    }
    let files = files(&folder);
    let read = |place: &str| fs::read_to_string(&files[place]).unwrap();
    assert!(read("feeds/daily.atom").contains("https://living.example/papers/"));
    assert!(read("papers/9909.00001.bib").starts_with('@'));
    assert!(read("papers/9909.00001.html").contains("<a href=\"https://living.example\">"));
    assert!(!files.contains_key("papers/p000.bib"));
}

/// Writes the papers of a file as pages into a folder, and tells how long it took:
///
/// ```text
/// PRESSRUN_TEST_PAPERS=papers.jsonl PRESSRUN_TEST_PAGES=/tmp/pages cargo test -p pressrun-web \
///     --test it offline::many_papers -- --ignored --nocapture
/// ```
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement; minutes and hundreds of megabytes"]
async fn many_papers() {
    let site = site().await;
    if let Some(papers) = std::env::var_os("PRESSRUN_TEST_PAPERS") {
        let (options, papers) = (import::Options::default(), Path::new(&papers));
        let imported = import::import_file(&site.catalog, papers, &options, &mut |_| {}).await;
        println!("{} papers", imported.unwrap().added);
        site.index().await;
    }
    let outer = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("PRESSRUN_TEST_PAGES")
        .map_or_else(|| outer.path().join("pages"), PathBuf::from);
    let started = std::time::Instant::now();
    let living = std::env::var("PRESSRUN_TEST_LIVING").ok();
    let report = export(&site, &folder, living.as_deref()).await.unwrap();
    println!("{report:?} in {:.1} s", started.elapsed().as_secs_f64());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    check(&folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_folder_is_touched() {
    let site = TestSite::new().await;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("pages");
    export(&site, &folder, None).await.unwrap();
    fs::write(folder.join("stale.html"), "old").unwrap();
    export(&site, &folder, None).await.unwrap();
    assert!(!folder.join("stale.html").exists());
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);

    let own = outer.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("thesis.tex"), "mine").unwrap();
    let error = export(&site, &own, None).await.unwrap_err();
    assert!(error.to_string().contains("own` is not empty"), "{error}");
    assert_eq!(fs::read_dir(&own).unwrap().count(), 1);
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
}
