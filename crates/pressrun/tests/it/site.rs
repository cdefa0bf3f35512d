//! What a stranger sees first.

use std::collections::BTreeSet;

use crate::server::Server;

#[test]
fn the_front_page_and_its_pages_show_all_63_papers() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let front = server.get("/");
    assert_eq!(front.status, 200);
    assert!(front.body.contains("Daily Papers"));
    assert!(front.body.contains("Get trending papers in your email inbox"));
    let mut titles = BTreeSet::new();
    let library = pressrun_studies::library().unwrap();
    assert_eq!(library.entries().len(), 63);
    for page in 1..=20 {
        let answer = server.get(&format!("/?page={page}"));
        if answer.status != 200 {
            break;
        }
        for entry in library.entries() {
            let link = format!("href=\"/papers/{}\"", entry.manifest.paper_id());
            if answer.body.contains(&link) {
                titles.insert(entry.manifest.slug.clone());
            }
        }
    }
    assert_eq!(titles.len(), 63, "{titles:?}");
}

#[test]
fn every_paper_has_a_page_with_its_claims_and_every_study_its_source() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let library = pressrun_studies::library().unwrap();
    for entry in library.entries() {
        let answer = server.get(&format!("/papers/{}", entry.manifest.paper_id()));
        assert_eq!(answer.status, 200, "{}", entry.manifest.slug);
        for claim in &entry.manifest.claims {
            let anchor = format!("id=\"{}\"", claim.id.to_lowercase());
            assert!(answer.body.to_lowercase().contains(&anchor), "{}", entry.manifest.slug);
        }
        for source in &entry.sources {
            assert!(answer.body.contains(source.path), "{}", entry.manifest.slug);
        }
    }
}

#[test]
fn errors_have_their_status() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    assert_eq!(server.get("/papers/9999.99999").status, 404);
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get("/?page=x").status, 400);
    assert_eq!(server.get("/papers/date/2025-13-01").status, 400);
    assert_eq!(server.get("/healthz").status, 200);
    let metrics = server.get("/metrics");
    assert!(metrics.body.contains("http"), "{}", metrics.body);
}
