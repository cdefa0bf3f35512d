//! Every page that can be reached by links, and pages that say what there is to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::http::StatusCode;

use crate::html;
use crate::site::TestSite;

#[tokio::test]
async fn every_link_leads_to_a_page_that_is_right() {
    let site = TestSite::new().await.with_record().await;
    let run = site.queued().await;
    site.catalog.claim("w", std::time::Duration::from_secs(60)).await.unwrap();
    let mut waiting: VecDeque<String> = VecDeque::from(["/".to_owned()]);
    let mut pages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut anchors: Vec<(String, String, String)> = Vec::new();
    while let Some(path) = waiting.pop_front() {
        if pages.contains_key(&path) {
            continue;
        }
        let answer = site.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let mut ids = BTreeSet::new();
        if answer.header("content-type").starts_with("text/html") {
            html::check(&path, &answer.body);
            let elements = html::elements(&answer.body);
            ids = elements.iter().map(|e| e.get("id").to_owned()).collect();
            for link in html::links(&answer.body) {
                let (page, anchor) = link.split_once('#').unwrap_or((&link, ""));
                if !anchor.is_empty() {
                    anchors.push((path.clone(), page.to_owned(), anchor.to_owned()));
                }
                waiting.push_back(page.to_owned());
            }
        }
        pages.insert(path, ids);
    }
    for (from, page, anchor) in anchors {
        assert!(pages[&page].contains(&anchor), "{from} leads to {page}#{anchor}");
    }
    let run = format!("/runs/{}", run.id);
    for expected in [
        "/studies",
        "/runs",
        "/methodology",
        "/subscribe",
        "/papers/trending",
        "/papers/all",
        "/papers/9909.00001",
        "/papers/9909.66666",
        "/papers/soft-stop",
        "/runs/demo-full",
        "/runs/demo-full/record.json",
        "/papers/9909.00001/record.json",
        "/api/studies",
        "/comparisons/momenta",
        "/comparisons/momenta/record.json",
        "/record.schema.json",
        "/papers/week/2025-W37",
        "/papers/month/2025-09",
        &run,
    ] {
        assert!(pages.contains_key(expected), "{expected} is not reached");
    }
}

#[tokio::test]
async fn a_comparison_plots_one_metric_against_another_and_is_no_paper() {
    let site = TestSite::new().await;
    let page = site.page("/comparisons/momenta").await;
    html::check("/comparisons/momenta", &page);
    assert!(page.contains("test/distance against cost/steps"), "the plot that it declares");
    assert_eq!(page.matches("id=\"plot-").count(), 6, "two settings: figure, title, text");
    assert!(
        page.contains("pressrun run momenta --profile full") && page.contains("One valley only.")
    );
    let record = site.get("/comparisons/momenta/record.json").await;
    assert_eq!(record.json()["run"], "demo-comparison");
    assert!(site.page("/studies").await.contains("Momenta compared"));
    assert!(!site.page("/").await.contains("Momenta compared"));
    let missing = site.get("/comparisons/none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.body.contains("comparison"));
}

#[tokio::test]
async fn the_methodology_explains_every_badge() {
    let page = TestSite::new().await.page("/methodology").await;
    let ids: BTreeSet<String> =
        html::elements(&page).iter().map(|e| e.get("id").to_owned()).collect();
    for id in [
        "claims",
        "reproduced",
        "partly",
        "not-at-this-scale",
        "not-tested",
        "badge",
        "runs-here",
        "not-run-yet",
        "reconstructed",
        "standard-errors",
        "levels",
        "controls",
        "profiles",
        "runs",
        "records",
    ] {
        assert!(ids.contains(id), "#{id}");
    }
}

#[tokio::test]
async fn studies_as_a_table_and_as_json() {
    let site = TestSite::new().await.with_record().await;
    let page = site.page("/studies").await;
    assert!(page.contains("1 paper runs here, of 2 that this build knows."));
    assert!(page.contains("1/4 claims reproduced"));
    let answer = site.get("/api/studies").await;
    assert_eq!(answer.header("content-type"), "application/json");
    insta::assert_snapshot!("studies", serde_json::to_string_pretty(&answer.json()).unwrap());
}
