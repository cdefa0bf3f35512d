//! Runs: pages while they wait, run and are over; cancelling; starting again.

use std::time::Duration;

use axum::http::StatusCode;
use pressrun_catalog::{RunEnd, RunState};
use pressrun_lab::{Event, Profile};

use crate::site::{TestSite, snapshot};
use crate::{demo, html};

const LEASE: Duration = Duration::from_secs(60);

/// Events of a run that is half through, one curve with a gap.
pub fn events(site: &TestSite) -> Vec<Event> {
    let study = site.library.runnable(demo::SLUG).unwrap().study.as_ref().unwrap();
    let mut events = vec![
        Event::Started {
            slug: demo::SLUG.into(),
            profile: "quick".into(),
            seeds: vec![0, 1],
            threads: 2,
            series: study.series(),
            metrics: study.metrics(),
        },
        Event::Log { text: "data <ready>".into() },
    ];
    for step in 1..=6_u32 {
        for seed in 0..2_u32 {
            events.push(Event::Point {
                setting: "condition 10".into(),
                method: "heavy ball".into(),
                seed: seed.into(),
                series: "eval/distance".into(),
                step: step.into(),
                value: (step != 4).then(|| f64::from(8 - step) + f64::from(seed) / 2.0),
            });
        }
    }
    events.push(Event::Result {
        setting: "condition 10".into(),
        method: "heavy ball".into(),
        metric: "test/distance".into(),
        seed: 0,
        value: Some(2.0),
    });
    events.push(Event::Progress { done: 30, total: 120 });
    events
}

#[tokio::test]
async fn a_waiting_run() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let page = site.page(&format!("/runs/{}", run.id)).await;
    for text in ["queued", "Waiting for its turn.", "Cancel the run", "Nothing", "/events"] {
        assert!(text == "Nothing" || page.contains(text), "{text}");
    }
    assert!(page.contains(r#"<noscript><meta http-equiv="refresh" content="3"></noscript>"#));
}

#[tokio::test]
async fn a_run_that_goes_on_is_complete_at_each_load() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    site.catalog.append_events(&run.id, 0, &events(&site)).await.unwrap();
    let page = site.page(&format!("/runs/{}", run.id)).await;
    assert!(page.contains("25 % done.") && page.contains("value=\"25\""));
    assert!(page.contains("<li>data &lt;ready&gt;</li>"));
    assert!(page.contains("eval/distance") && page.contains("test/distance"));
    insta::assert_snapshot!("run", snapshot(&page, Some(&run)));
}

#[tokio::test]
async fn a_finished_run_shows_its_verdicts_and_no_script() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    let record = demo::record(&site.library, Profile::Quick, &run.id);
    site.catalog.finish(&run.id, RunEnd::Finished(&record)).await.unwrap();
    let page = site.page(&format!("/runs/{}", run.id)).await;
    assert!(page.contains("id=\"verdicts\"") && page.contains("One seed: no standard error"));
    assert!(page.contains("all arms are through"));
    let elements = html::elements(&page);
    let own = |e: &&html::Element| {
        e.name == "noscript"
            || e.name == "form" && e.get("role") != "search"
            || e.name == "script"
                && !["/assets/search-", "/assets/vote-"]
                    .iter()
                    .any(|own| e.get("src").starts_with(own))
    };
    assert!(elements.iter().find(own).is_none(), "nothing but what every page has");
}

#[tokio::test]
async fn a_failed_run_says_why_and_can_be_started_again() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    let why = "the loss is <NaN>".to_owned();
    site.catalog.finish(&run.id, RunEnd::Failed(why)).await.unwrap();
    let page = site.page(&format!("/runs/{}", run.id)).await;
    assert!(page.contains("Failed: The loss is &lt;NaN&gt;."));
    let answer = site.post(&format!("/runs/{}/restart", run.id), "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let new = &site.catalog.runs(None, 1).await.unwrap()[0];
    assert_eq!(answer.header("location"), format!("/runs/{}", new.id));
    assert_eq!(new.restart_of.as_deref(), Some(run.id.as_str()));
    let page = site.page(&format!("/runs/{}", new.id)).await;
    assert!(page.contains("Again, after"));
}

#[tokio::test]
async fn only_what_ended_without_a_record_can_be_started_again() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let restart = async || site.post(&format!("/runs/{}/restart", run.id), "").await;
    let answer = restart().await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("The run is queued;"));
    site.catalog.claim("w", LEASE).await.unwrap();
    site.catalog.interrupt_worker("w").await.unwrap();
    let page = site.page(&format!("/runs/{}", run.id)).await;
    assert!(page.contains("Was interrupted") && page.contains("Start again"));
    assert_eq!(restart().await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn cancelling() {
    let site = TestSite::new().await;
    let waiting = site.queued().await;
    let cancel = async |id: &str| site.post(&format!("/runs/{id}/cancel"), "").await;
    let answer = cancel(&waiting.id).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), format!("/runs/{}", waiting.id));
    let row = site.catalog.run(&waiting.id).await.unwrap().unwrap();
    assert_eq!(row.state, RunState::Cancelled);
    // A second time is no error: it is what was wanted.
    assert_eq!(cancel(&waiting.id).await.status, StatusCode::SEE_OTHER);
    let running = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    cancel(&running.id).await;
    let page = site.page(&format!("/runs/{}", running.id)).await;
    assert!(page.contains("Stopping at the next step.") && !page.contains("Cancel the run"));
    assert_eq!(cancel("none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_list_of_runs() {
    let site = TestSite::new().await;
    assert!(site.page("/runs").await.contains("Nothing has run yet."));
    let run = site.queued().await;
    let page = site.page("/runs").await;
    assert!(page.contains(&run.id) && page.contains("The Heavy Ball Revisited"));
    assert_eq!(site.get("/runs/none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_as_json() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let json = site.get(&format!("/api/runs/{}", run.id)).await.json();
    assert_eq!((&json["state"], &json["over"]), (&"queued".into(), &false.into()));
    assert_eq!(json["record_url"], serde_json::Value::Null);
    site.catalog.claim("w", LEASE).await.unwrap();
    let record = demo::record(&site.library, Profile::Quick, &run.id);
    site.catalog.finish(&run.id, RunEnd::Finished(&record)).await.unwrap();
    let json = site.get(&format!("/api/runs/{}", run.id)).await.json();
    assert_eq!((&json["state"], &json["over"]), (&"finished".into(), &true.into()));
    let url = json["record_url"].as_str().unwrap();
    assert_eq!(site.get(url).await.status, StatusCode::OK);
    let missing = site.get_as("/api/runs/none", "*/*").await;
    assert_eq!(missing.json()["error"], "There is no run `none` here.");
}
