//! Many readers and writers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pressrun_catalog::{Catalog, ListQuery, NewPaper, Period, Sort};

use crate::support::titled;

fn batch(of: usize, number: usize) -> Vec<NewPaper> {
    (0..50)
        .map(|n| NewPaper {
            authors: vec![format!("Author Number{n}")],
            summary: "We write. ".repeat(40),
            ..titled(&format!("Paper {n} of batch {number} of writer {of}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_batches_while_writers_write() {
    let folder = tempfile::tempdir().unwrap();
    // Two catalogues of one folder stand for two processes: their writers know nothing of each other.
    let catalogs =
        [Catalog::open(folder.path()).await.unwrap(), Catalog::open(folder.path()).await.unwrap()];
    let over = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for reader in 0..4 {
        let (catalog, over) = (catalogs[reader % 2].clone(), Arc::clone(&over));
        readers.push(tokio::spawn(async move {
            let mut last = 0;
            let mut reads = 0;
            while !over.load(Ordering::Relaxed) {
                let query = ListQuery::new(Period::All, Sort::ALL[reads % 6]);
                let page = catalog.list(&query).await.unwrap();
                assert_eq!(page.total % 50, 0, "half a batch was seen");
                assert!(page.total >= last, "papers vanished");
                assert_eq!(page.papers.len() as u64, page.total.min(30));
                assert!(page.papers.iter().all(|p| p.authors.len() == 1));
                last = page.total;
                reads += 1;
            }
            reads
        }));
    }
    let mut writers = Vec::new();
    for writer in 0..6 {
        let catalog = catalogs[writer % 2].clone();
        writers.push(tokio::spawn(async move {
            for number in 0..8 {
                let done = catalog.upsert(&batch(writer, number)).await.unwrap();
                assert_eq!(done.added, 50);
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(catalogs[0].count_papers().await.unwrap(), 6 * 8 * 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_folder_may_be_opened_by_many_at_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data/catalogue");
        let openers: Vec<_> = (0..8)
            .map(|n| {
                let dir = dir.clone();
                tokio::spawn(async move {
                    let catalog = Catalog::open(&dir).await.unwrap();
                    catalog.ping().await.unwrap();
                    catalog.upsert(&[titled(&format!("Paper {n}"))]).await.unwrap();
                })
            })
            .collect();
        for opener in openers {
            opener.await.unwrap();
        }
        let catalog = Catalog::open(&dir).await.unwrap();
        assert_eq!(catalog.count_papers().await.unwrap(), 8);
        catalog.close().await;
        assert!(catalog.ping().await.is_err());
    }
}

#[tokio::test]
async fn a_writer_that_gives_up_leaves_nothing_and_blocks_nobody() {
    let catalog = Catalog::in_memory().await.unwrap();
    for n in 0..20 {
        // Dropped somewhere in the middle: at the first, second, ... point where it waits.
        let papers = batch(0, 0);
        let attempt = tokio::time::timeout(
            std::time::Duration::from_micros(n * 150),
            catalog.upsert(&papers),
        );
        let finished = attempt.await.is_ok();
        let count = catalog.count_papers().await.unwrap();
        // A commit that was on its way when its caller left may have gone through: all or nothing.
        assert!(if finished { count == 50 } else { count == 0 || count == 50 }, "{count}");
    }
    catalog.upsert(&batch(0, 0)).await.unwrap();
    assert_eq!(catalog.count_papers().await.unwrap(), 50);
}

#[tokio::test]
async fn a_private_database_vanishes_with_its_last_clone() {
    let before = Catalog::in_memory().await.unwrap();
    let clone = before.clone();
    before.upsert(&[titled("One")]).await.unwrap();
    drop(before);
    assert_eq!(clone.count_papers().await.unwrap(), 1);
    let other = Catalog::in_memory().await.unwrap();
    assert_eq!(other.count_papers().await.unwrap(), 0);
}
