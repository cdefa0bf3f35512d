//! The index beside its catalogue: in step, after a crash, and when it is broken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pressrun_catalog::{Catalog, NewPaper};
use pressrun_search::embed::Embedder;
use pressrun_search::{Error, Index, Search, Status, Vectors, embed};

use crate::support::{Site, open, papers};

#[tokio::test]
async fn changes_are_followed_and_nothing_is_doubled() {
    let site = Site::new().await;
    assert_eq!(site.catch_up().await, 0);
    let mut changed = papers().swap_remove(2);
    changed.summary =
        "Now it is about tomographic volumes, at some length, and still depth.".into();
    let new = NewPaper { title: "Tomographic Volumes".into(), ..NewPaper::default() };
    site.catalog.upsert(&[changed, new]).await.unwrap();
    assert_eq!(site.catch_up().await, 2);
    assert_eq!(site.search.index().len(), 6);
    let mut found = site.ids("\"tomographic volumes\"").await;
    found.sort();
    assert_eq!(found, ["depth-from-a-single-photograph", "tomographic-volumes"]);
    // What it said before is no longer found by its words.
    assert!(site.ids("\"convolutional network\"").await.is_empty());
    assert_eq!(site.search.status(), Status::Ready);
}

#[tokio::test]
async fn a_feed_is_taken_in_and_what_it_leaves_out_is_read() {
    let site = Site::of(&papers()[..1]).await;
    let new = |title: &str| NewPaper { title: title.into(), ..NewPaper::default() };
    let (feeder, feed) = pressrun_search::feed();
    let mut after = site.catalog.revision().await.unwrap();
    for (titles, fed) in
        [(["Anise", "Basil"], true), (["Chervil", "Dill"], false), (["Elder", "Fennel"], true)]
    {
        site.catalog.upsert(&titles.map(new)).await.unwrap();
        let changes = site.catalog.changes(after, 10).await.unwrap();
        after = changes.last().unwrap().0;
        if fed {
            feeder.push(changes);
        }
    }
    drop(feeder);
    site.catalog.upsert(&[new("Ginger")]).await.unwrap();
    let taken = site.search.catch_up(&site.catalog, Some(feed), &mut |_| {}).await.unwrap();
    assert_eq!(taken.papers, 7);
    assert_eq!((site.search.index().len(), site.search.index().revision()), (8, 8));
    assert_eq!(site.ids("fennel").await, ["fennel"]);
}

#[tokio::test]
async fn what_is_fed_is_not_read_again() {
    let site = Site::of(&papers()[..1]).await;
    let (feeder, feed) = pressrun_search::feed();
    let after = site.catalog.revision().await.unwrap();
    let (looked, mut looks) = tokio::sync::mpsc::unbounded_channel();
    let indexing = {
        let (search, catalog) = (site.search.clone(), site.catalog.clone());
        let mut progress = move |taken| looked.send(taken).unwrap();
        tokio::spawn(async move { search.catch_up(&catalog, Some(feed), &mut progress).await })
    };
    // What is fed differs here from what is stored, to tell which of them was read.
    let new = |id: &str, title: &str| NewPaper {
        id: id.into(),
        title: title.into(),
        ..NewPaper::default()
    };
    let fed = |id, title| pressrun_catalog::Paper::new(new(id, title), Default::default());
    feeder.push(vec![(after + 1, fed("one", "Fed first"))]);
    assert_eq!(looks.recv().await, Some(1));
    feeder.push(vec![(after + 2, fed("two", "Fed second"))]);
    assert_eq!(looks.recv().await, Some(2));
    site.catalog.upsert(&[new("one", "Stored first"), new("two", "Stored second")]).await.unwrap();
    drop(feeder);
    assert_eq!(indexing.await.unwrap().unwrap().papers, 2);
    let mut found = site.ids("fed").await;
    found.sort();
    assert_eq!(found, ["one", "two"]);
}

#[tokio::test]
async fn a_site_follows_by_itself() {
    let site = Site::new().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (search, catalog) = (site.search.clone(), site.catalog.clone());
    let following = tokio::spawn(async move {
        search.follow(&catalog, async { _ = stopped.await }).await;
    });
    let new = NewPaper { title: "Tomographic Volumes".into(), ..NewPaper::default() };
    site.catalog.upsert(&[new]).await.unwrap();
    for _ in 0..400 {
        if site.search.index().len() == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(site.ids("tomographic").await[0], "tomographic-volumes");
    stop.send(()).unwrap();
    following.await.unwrap();
}

#[tokio::test]
async fn it_opens_as_it_was_closed() {
    let site = Site::new().await;
    let before = site.results("experts gate").await.hits;
    let Site { folder, catalog, search } = site;
    drop(search);
    let search = open(folder.path());
    assert_eq!(search.status(), Status::Ready);
    let site = Site { folder, catalog, search };
    assert_eq!(site.results("experts gate").await.hits, before);
    assert_eq!(site.catch_up().await, 0);
}

#[tokio::test]
async fn what_was_not_committed_was_never_there() {
    let site = Site::new().await;
    let before = site.results("experts gate").await.hits;
    let index = site.search.index();
    let mut writer = index.writer(Index::SMALL).unwrap();
    let changes = site.catalog.changes(0, 10).await.unwrap();
    // More than a block, so that some of it is in the file.
    for i in 0..5000 {
        let mut paper = changes[0].1.clone();
        paper.id = format!("other-{i}");
        writer.put(&paper).unwrap();
    }
    assert_eq!(index.len(), 5);
    drop(writer);
    drop(index);
    let Site { folder, catalog, search } = site;
    drop(search);
    let site = Site { search: open(folder.path()), folder, catalog };
    assert_eq!(site.search.status(), Status::Ready);
    assert_eq!(site.search.index().len(), 5);
    assert_eq!(site.results("experts gate").await.hits, before);
    // And it can be written on.
    let new = NewPaper { title: "Tomographic Volumes".into(), ..NewPaper::default() };
    site.catalog.upsert(&[new]).await.unwrap();
    assert_eq!(site.catch_up().await, 1);
    let Site { folder, search, .. } = site;
    drop(search);
    assert_eq!(open(folder.path()).index().len(), 6);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.retain(|path| !path.to_string_lossy().ends_with("lock"));
    found.sort();
    found
}

#[tokio::test]
async fn any_broken_file_leads_to_a_new_index() {
    let site = Site::new().await;
    let before = site.results("experts gate").await.hits;
    let Site { mut folder, mut catalog, search } = site;
    drop(search);
    let whole = tempfile::tempdir().unwrap();
    let original = folder.path().join("search");
    copy(&original, whole.path());
    let mut damaged = 0;
    for file in files(whole.path()) {
        let name = file.strip_prefix(whole.path()).unwrap();
        for damage in ["gone", "empty", "cut", "flipped"] {
            std::fs::remove_dir_all(&original).unwrap();
            copy(whole.path(), &original);
            let path = original.join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            match damage {
                "gone" => std::fs::remove_file(&path).unwrap(),
                "empty" => std::fs::write(&path, b"").unwrap(),
                "cut" => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0x55;
                    std::fs::write(&path, &bytes).unwrap();
                }
            }
            let search = open(folder.path());
            let status = search.status();
            // The list of files to collect is remade by every commit.
            let spare = name.to_string_lossy().ends_with(".managed.json");
            damaged += usize::from(matches!(status, Status::Building { .. }));
            assert!(spare || matches!(status, Status::Building { .. }), "{name:?} {damage}");
            let site = Site { folder, catalog, search };
            site.catch_up().await;
            assert_eq!(site.search.status(), Status::Ready);
            assert_eq!(site.results("experts gate").await.hits, before, "{name:?} {damage}");
            Site { folder, catalog, .. } = site;
        }
    }
    assert!(damaged > 20, "{damaged}");
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
}

#[tokio::test]
async fn one_program_at_a_time() {
    let site = Site::new().await;
    let folder = site.folder.path().join("search");
    let error = Search::open(&folder, embed::shipped().into()).unwrap_err();
    assert!(matches!(&error, Error::InUse { folder } if folder.ends_with("search")), "{error}");
    // Reading beside it is fine.
    assert_eq!(Index::open(&folder, embed::shipped().into()).unwrap().len(), 5);
}

#[tokio::test]
async fn another_catalogue_or_embedder_is_another_index() {
    let site = Site::new().await;
    // Fewer papers than the index has: it cannot be of this catalogue.
    let other = Catalog::in_memory().await.unwrap();
    other.upsert(&papers()[..2]).await.unwrap();
    assert_eq!(site.search.catch_up(&other, None, &mut |_| {}).await.unwrap().papers, 2);
    assert_eq!(site.search.index().len(), 2);

    /// Counts letters.
    #[derive(Debug)]
    struct Letters;
    impl Embedder for Letters {
        fn dims(&self) -> usize {
            26
        }
        fn identity(&self) -> String {
            "letters".into()
        }
        fn embed(&self, texts: &[&str]) -> Vec<f32> {
            let one = |text: &&str| {
                let mut counts = [0.0_f32; 26];
                text.bytes()
                    .filter(u8::is_ascii_lowercase)
                    .for_each(|b| counts[usize::from(b - b'a')] += 1.0);
                let norm = counts.iter().map(|x| x * x).sum::<f32>().sqrt().max(1.0);
                counts.map(|x| x / norm)
            };
            texts.iter().flat_map(one).collect()
        }
    }
    let Site { folder, catalog, search } = site;
    drop(search);
    let vectors = Vectors::Model(std::sync::Arc::new(Letters));
    let search = Search::open(&folder.path().join("search"), vectors).unwrap();
    let Status::Building { reason, .. } = search.status() else { panic!("an index of another") };
    assert!(reason.contains("not letters"), "{reason}");
    let site = Site { folder, catalog, search };
    site.catch_up().await;
    assert_eq!(site.search.index().len(), 5);
    assert!(!site.ids("experts").await.is_empty());
}
