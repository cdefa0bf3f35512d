//! Records as JSON.

use axum::http::StatusCode;
use pressrun_lab::{Profile, Record};

use crate::demo;
use crate::site::TestSite;

#[tokio::test]
async fn the_newest_full_record_wins_and_each_has_its_address() {
    let site = TestSite::new().await.with_record().await;
    let mut quick = demo::record(&site.library, Profile::Quick, "demo-quick");
    quick.started = "2025-09-11T08:00:00Z".into();
    quick.reason = Some("a <b>reason</b>".into());
    site.catalog.add_record(&quick).await.unwrap();
    let newest: Record =
        serde_json::from_str(&site.get("/papers/heavy-ball/record.json").await.body).unwrap();
    assert_eq!(newest.run, "demo-full");
    let answer = site.get("/runs/demo-quick/record.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let record: Record = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((record.run, record.profile), ("demo-quick".into(), Profile::Quick));
    let page = site.page("/papers/9909.00001").await;
    assert!(page.contains("/runs/demo-quick/record.json") && page.contains("a &lt;b&gt;reason"));
}

#[tokio::test]
async fn what_has_no_record_says_so_in_json() {
    let site = TestSite::new().await;
    for path in ["/papers/9909.00001/record.json", "/runs/none/record.json"] {
        let answer = site.get_as(path, "*/*").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["status"], 404);
    }
}

#[tokio::test]
async fn a_record_follows_the_schema_that_the_site_gives_out() {
    let site = TestSite::new().await.with_record().await;
    let schema = site.get("/record.schema.json").await.json();
    let record = site.get("/papers/9909.00001/record.json").await.json();
    assert_eq!(schema, Record::json_schema());
    for name in schema["required"].as_array().unwrap() {
        assert!(record.get(name.as_str().unwrap()).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_record_that_came_with_the_source_has_a_page() {
    let site = TestSite::new().await.with_record().await;
    let page = site.page("/runs/demo-full").await;
    assert!(page.contains("recorded with the source") && page.contains("Example Processor 5000"));
    assert!(!page.contains("<form method") && !page.contains("data-live"));
}
