//! Runs and records for programs, errors as JSON, and the description of all of it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::RunEnd;
use pressrun_lab::{Event, Profile};
use serde_json::{Value, json};

use crate::demo;
use crate::site::{Answer, HOST, TestSite};

const START: &str = "/api/papers/9909.00001/runs";

async fn post(site: &TestSite, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("host", HOST).header("content-type", kind);
    site.ask(request.body(body.into()).unwrap()).await
}

async fn post_json(site: &TestSite, path: &str, body: &Value) -> Answer {
    post(site, path, "application/json", body.to_string()).await
}

#[tokio::test]
async fn a_run_from_start_to_record() {
    let site = TestSite::new().await;
    let answer = post_json(&site, START, &json!({ "profile": "quick", "seeds": 2 })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let run = answer.json();
    assert_eq!((&run["state"], &run["seeds"]), (&json!("queued"), &json!(2)));
    let id = run["run"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/runs/{id}"));
    assert_eq!(site.get(answer.header("location")).await.json(), run);
    assert_eq!(site.get("/api/runs").await.json(), json!([run]));
    assert_eq!(site.get("/api/runs?slug=heavy-ball&limit=1").await.json(), json!([run]));
    assert_eq!(site.get("/api/runs?slug=other").await.json(), json!([]));

    site.catalog.claim("w", Duration::from_secs(60)).await.unwrap();
    let log = |text: &str| Event::Log { text: text.into() };
    site.catalog.append_events(id, 0, &[log("a"), log("b"), log("c")]).await.unwrap();
    let record = demo::record(&site.library, Profile::Quick, id);
    let last = Event::Finished { record: Box::new(record.clone()) };
    site.catalog.append_events(id, 3, &[last]).await.unwrap();
    site.catalog.finish(id, RunEnd::Finished(&record)).await.unwrap();
    let events = site.get(&format!("/api/runs/{id}/events?after=0&limit=5")).await.json();
    assert_eq!(
        events,
        json!([
            { "seq": 1, "event": "log", "text": "b" }, { "seq": 2, "event": "log", "text": "c" }
        ])
    );
    let heads = site.get("/api/papers/heavy-ball/records").await.json();
    assert_eq!((&heads[0]["run"], &heads[0]["profile"]), (&json!(id), &json!("quick")));
    let whole = site.get(heads[0]["url"].as_str().unwrap()).await.json();
    assert_eq!(whole["run"], json!(id));
    assert!(!whole["rows"].as_array().unwrap().is_empty());
    let verdicts = site.get("/api/papers/9909.00001/verdicts").await.json();
    assert_eq!(verdicts["run"], json!(id));
    let claims = verdicts["claims"].as_array().unwrap();
    let study = site.get("/api/studies/heavy-ball").await.json();
    assert_eq!(study["claims"], claims.len());
    for claim in claims {
        assert_eq!(claim["outcome"], claim["verdict"]["outcome"], "{claim}");
    }
    assert_eq!(site.get("/api/studies").await.json()[0], study);
}

#[tokio::test]
async fn stopping_and_starting_again() {
    let site = TestSite::new().await;
    let run = site.queued().await.id;
    let restart = format!("/api/runs/{run}/restart");
    assert_eq!(post(&site, &restart, "", "").await.status, StatusCode::CONFLICT);
    let answer = post(&site, &format!("/api/runs/{run}/cancel"), "", "").await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    let answer = post(&site, &restart, "", "").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["restart_of"], json!(run));
    for _ in 0..3 {
        site.queued().await;
    }
    let full = post_json(&site, START, &json!({ "profile": "full" })).await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!full.header("retry-after").is_empty());
}

#[tokio::test]
async fn what_cannot_be_carried_out_says_why_in_json() {
    let site = TestSite::new().await;
    let asked = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("accept", "text/html")
    };
    let large = "x".repeat(200_000);
    for (method, path, kind, body, status) in [
        ("GET", "/api/none", "", "", 404),
        ("GET", "/api/runs/none", "", "", 404),
        ("GET", "/api/runs/none/events", "", "", 404),
        ("GET", "/api/records/none", "", "", 404),
        ("GET", "/api/studies/none", "", "", 404),
        ("GET", "/api/papers/none/records", "", "", 404),
        ("GET", "/api/papers/9909.66666/verdicts", "", "", 404),
        ("GET", "/api/papers/%FF", "", "", 400),
        ("GET", "/api/runs?limit=x", "", "", 400),
        ("GET", "/api/runs/x/events?after=-2", "", "", 400),
        ("DELETE", "/api/runs", "", "", 405),
        ("POST", "/api/studies", "", "", 405),
        ("POST", START, "application/json", "{", 400),
        ("POST", START, "application/json", "{\"profile\": \"slow\"}", 400),
        ("POST", START, "application/json", "{\"profile\": \"quick\", \"seeds\": 0}", 400),
        ("POST", START, "application/json", "{\"profile\": \"quick\", \"seeds\": -1}", 400),
        ("POST", START, "application/json", &large, 413),
        ("POST", START, "text/plain", "{}", 415),
        ("POST", "/api/papers/none/runs", "application/json", "{\"profile\": \"quick\"}", 404),
        ("POST", "/api/papers/9909.66666/runs", "application/json", "{\"profile\":\"quick\"}", 404),
        ("POST", "/api/runs/none/cancel", "", "", 404),
        ("POST", "/api/runs/none/restart", "", "", 404),
    ] {
        let request = asked(method, path).header("content-type", kind);
        let answer = site.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{method} {path}");
        assert!(problem["error"].as_str().is_some_and(|text| text.ends_with('.')), "{problem}");
    }
    let foreign = asked("POST", START).header("origin", "https://evil.example");
    let answer = site.ask(foreign.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (403, &json!(403)));
}

#[tokio::test]
async fn every_interface_is_described() {
    let site = TestSite::new().await;
    let answer = site.get_as("/api/openapi.json", "*/*").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = site.page("/api").await;
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/api/daily_papers",
        "/api/papers",
        "/api/papers/search",
        "/api/papers/{id}",
        "/api/papers/{id}/records",
        "/api/papers/{id}/runs",
        "/api/papers/{id}/verdicts",
        "/api/records/{run}",
        "/api/runs",
        "/api/runs/{run}",
        "/api/runs/{run}/cancel",
        "/api/runs/{run}/events",
        "/api/runs/{run}/restart",
        "/api/studies",
        "/api/studies/{slug}",
        "/api/suggest",
    ] {
        assert!(paths.contains_key(path), "{path}");
        assert!(page.contains(&format!(" {path}</code>")), "{path}");
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let target = part.split('"').next().unwrap();
        assert!(document.pointer(target).is_some(), "{target}");
    }
    assert!(document["components"]["schemas"]["Record"]["properties"]["rows"].is_object());
}
