//! Mail from the catalogue's outbox to files.

mod editor;

use std::path::Path;
use std::time::{Duration, Instant};

use pressrun_catalog::{Catalog, NewMail};
use pressrun_digest::{Outbox, Transport};

/// What links begin with.
const SITE: &str = "http://papers.example.net:8080";

fn mail(number: usize) -> NewMail {
    NewMail {
        kind: "notice",
        recipient: format!("p{number}@example.org").parse().unwrap(),
        subject: format!("Notice {number}"),
        body: format!("Number {number}.\n"),
        secret: true,
    }
}

fn outbox(catalog: &Catalog, folder: &Path) -> Outbox {
    let from = "Pressrun <papers@example.net>".parse().unwrap();
    Outbox::new(catalog.clone(), from, Transport::Files(folder.join("mail")), SITE)
}

fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("mail")).map(Iterator::collect::<Vec<_>>);
    let mut files: Vec<String> = files
        .unwrap_or_default()
        .into_iter()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn each_mail_becomes_one_file() {
    let catalog = Catalog::in_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        catalog.add_mail(&mail(number)).await.unwrap();
    }
    let outbox = outbox(&catalog, folder.path());
    outbox.send_due().await.unwrap();
    outbox.send_due().await.unwrap();
    let files = files(folder.path());
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|name| name.ends_with(".eml")), "{files:?}");
    let text = std::fs::read_to_string(folder.path().join("mail").join(&files[0])).unwrap();
    assert!(text.contains("Subject: Notice ") && text.contains("Number "), "{text}");
    assert_eq!(catalog.mail_counts().await.unwrap().accepted, 3);
}

#[tokio::test]
async fn what_cannot_be_written_waits() {
    let catalog = Catalog::in_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    catalog.add_mail(&mail(1)).await.unwrap();
    // A file stands where the folder should be.
    std::fs::write(folder.path().join("mail"), "").unwrap();
    let outbox = outbox(&catalog, folder.path());
    let error = outbox.send_due().await.unwrap_err();
    assert!(error.to_string().contains("mail"), "{error}");
    let counts = catalog.mail_counts().await.unwrap();
    assert_eq!((counts.composed, counts.accepted, counts.failed), (1, 0, 0));
}

#[tokio::test]
async fn no_more_mails_a_minute_than_are_allowed() {
    let catalog = Catalog::in_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..5 {
        catalog.add_mail(&mail(number)).await.unwrap();
    }
    let begun = Instant::now();
    // Ten a second: the first at once, the fifth after four tenths.
    outbox(&catalog, folder.path()).with_rate(600).send_due().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(files(folder.path()).len(), 5);
}

#[tokio::test]
async fn an_outbox_that_is_told_to_stop_gives_back_what_waits_for_its_turn() {
    let catalog = Catalog::in_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..5 {
        catalog.add_mail(&mail(number)).await.unwrap();
    }
    // One a minute: the first goes at once.
    let outbox = outbox(&catalog, folder.path()).with_rate(1);
    let sent = async {
        while !files(folder.path()).iter().any(|name| name.ends_with(".eml")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    outbox.run(sent).await;
    let counts = catalog.mail_counts().await.unwrap();
    assert_eq!((counts.accepted, counts.composed, counts.claimed), (1, 4, 0));
}
