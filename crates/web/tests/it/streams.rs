//! Live streams.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use pressrun_catalog::RunEnd;
use pressrun_lab::{Event, Profile};
use pressrun_web::Settings;

use crate::site::{HOST, TestSite, settings};
use crate::{demo, runs};

const LEASE: Duration = Duration::from_secs(60);

/// One message of a stream.
#[derive(Debug, PartialEq)]
struct Message {
    id: Option<i64>,
    event: String,
    data: serde_json::Value,
}

fn messages(text: &str) -> Vec<Message> {
    let blocks = text.split("\n\n").filter(|b| !b.trim().is_empty() && !b.starts_with(':'));
    let message = |block: &str| {
        let field = |name: &str| {
            block.lines().find_map(|l| l.strip_prefix(&format!("{name}: "))).map(str::to_owned)
        };
        Message {
            id: field("id").map(|id| id.parse().unwrap()),
            event: field("event").unwrap(),
            data: serde_json::from_str(&field("data").unwrap()).unwrap(),
        }
    };
    blocks.map(message).collect()
}

async fn finished() -> (TestSite, String) {
    let site = TestSite::new().await;
    let run = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    let record = demo::record(&site.library, Profile::Quick, &run.id);
    let mut events = runs::events(&site);
    events.push(Event::Finished { record: Box::new(record.clone()) });
    site.catalog.append_events(&run.id, 0, &events).await.unwrap();
    site.catalog.finish(&run.id, RunEnd::Finished(&record)).await.unwrap();
    (site, run.id)
}

#[tokio::test]
async fn a_stream_tells_all_events_in_order_and_ends() {
    let (site, run) = finished().await;
    let answer = site.get(&format!("/runs/{run}/events")).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("content-encoding"), "", "a compressed stream would be held back");
    let messages = messages(&answer.body);
    let told: Vec<&str> = messages.iter().map(|m| m.event.as_str()).collect();
    let expected: Vec<&str> = ["state", "started", "log"]
        .into_iter()
        .chain(std::iter::repeat_n("point", 12))
        .chain(["result", "progress", "end"])
        .collect();
    assert_eq!(told, expected);
    let ids: Vec<i64> = messages.iter().filter_map(|m| m.id).collect();
    assert_eq!(ids, (0..16).collect::<Vec<_>>());
    let point: Event = serde_json::from_value(messages[3].data.clone()).unwrap();
    assert!(matches!(point, Event::Point { step: 1, seed: 0, .. }), "{point:?}");
    assert_eq!(messages.last().unwrap().data["state"], "finished");
    assert!(!answer.body.contains("\"verdicts\""), "the record has an address of its own");
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_that_was_received() {
    let (site, run) = finished().await;
    let path = format!("/runs/{run}/events");
    let ask = async |path: &str, last: Option<&str>| {
        let mut request = Request::get(path).header("host", HOST);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        site.ask(request.body(Body::empty()).unwrap()).await
    };
    let ids = |text: &str| messages(text).into_iter().filter_map(|m| m.id).collect::<Vec<_>>();
    assert_eq!(ids(&ask(&path, Some("12")).await.body), [13, 14, 15]);
    assert_eq!(ids(&ask(&format!("{path}?after=13"), None).await.body), [14, 15]);
    // A browser that resumes by itself repeats the address it was first given.
    assert_eq!(ids(&ask(&format!("{path}?after=3"), Some("14")).await.body), [15]);
    let all = ask(&path, Some("15")).await.body;
    assert_eq!(messages(&all).last().unwrap().event, "end");
    let wrong = ask(&path, Some("x")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask("/runs/none/events", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stream_follows_a_run_to_its_end() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let request = Request::get(format!("/runs/{}/events", run.id)).header("host", HOST);
    let mut body = site.send(request.body(Body::empty()).unwrap()).await.into_body();
    let mut text = String::new();
    let mut read_until = async |what: &str| {
        while !text.contains(what) {
            let frame = tokio::time::timeout(Duration::from_secs(20), body.frame());
            let frame = frame.await.expect(what).expect("the stream goes on").unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        text.clone()
    };
    read_until("queued").await;
    site.catalog.claim("w", LEASE).await.unwrap();
    read_until("running").await;
    let events = runs::events(&site);
    site.catalog.append_events(&run.id, 0, &events[..3]).await.unwrap();
    assert!(!read_until("id: 2\n").await.contains("id: 3\n"));
    site.catalog.append_events(&run.id, 3, &events[3..]).await.unwrap();
    site.catalog.finish(&run.id, RunEnd::Failed("no luck".into())).await.unwrap();
    let all = read_until("event: end").await;
    let messages = messages(&all);
    let last = messages.last().unwrap();
    assert_eq!((&last.data["state"], &last.data["error"]), (&"failed".into(), &"no luck".into()));
    let ids: Vec<i64> = messages.iter().filter_map(|m| m.id).collect();
    assert_eq!(ids, (0..events.len() as i64).collect::<Vec<_>>());
    assert!(body.frame().await.is_none(), "nothing comes after the end");
}

#[tokio::test]
async fn more_events_than_fit_into_one_look_come_all() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    site.catalog.claim("w", LEASE).await.unwrap();
    let line = |i: usize| Event::Log { text: format!("line {i}") };
    let events: Vec<Event> = (0..2500).map(line).collect();
    site.catalog.append_events(&run.id, 0, &events).await.unwrap();
    site.catalog.finish(&run.id, RunEnd::Cancelled).await.unwrap();
    let answer = site.get(&format!("/runs/{}/events", run.id)).await;
    let logs = messages(&answer.body).into_iter().filter(|m| m.event == "log").count();
    assert_eq!(logs, 2500);
    let page = site.page(&format!("/runs/{}", run.id)).await;
    assert!(page.contains("line 2499") && page.contains("Was cancelled"));
}

#[tokio::test]
async fn only_so_many_streams_are_open_at_once() {
    let site = TestSite::with_settings(Settings { max_streams: 1, ..settings() }).await;
    let run = site.queued().await;
    let path = format!("/runs/{}/events", run.id);
    let request = || Request::get(&path).header("host", HOST).body(Body::empty()).unwrap();
    let first = site.send(request()).await;
    assert_eq!(first.status(), StatusCode::OK);
    let second = site.ask(request()).await;
    assert_eq!(second.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(site.get("/metrics").await.body.contains("pressrun_live_streams 1"));
    drop(first);
    assert_eq!(site.send(request()).await.status(), StatusCode::OK);
}
