//! Health, counters, the access log, compression.

use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tracing_subscriber::fmt::MakeWriter;

use crate::site::{HOST, TestSite};

#[tokio::test]
async fn health_is_that_of_the_database() {
    let site = TestSite::new().await;
    let well = site.get("/healthz").await;
    assert_eq!((well.status, &well.json()["status"]), (StatusCode::OK, &"ok".into()));
    site.catalog.close().await;
    let ill = site.get("/healthz").await;
    assert_eq!(ill.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ill.json()["status"], "the database does not answer");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_address() {
    let site = TestSite::new().await;
    site.queued().await;
    site.get("/papers/soft-stop").await;
    site.get("/papers/9909.00001").await;
    site.get("/papers/none").await;
    site.get("/wp-login.php").await;
    let text = site.get("/metrics").await.body;
    for line in [
        r#"pressrun_http_requests_total{route="/papers/{id}",method="GET",status="200"} 2"#,
        r#"pressrun_http_requests_total{route="/papers/{id}",method="GET",status="404"} 1"#,
        r#"pressrun_http_requests_total{route="unmatched",method="GET",status="404"} 1"#,
        r#"pressrun_http_request_duration_seconds_count{route="/papers/{id}"} 3"#,
        r#"pressrun_runs{state="queued"} 1"#,
        r#"pressrun_runs{state="failed"} 0"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("wp-login"), "addresses are not labels");
    assert!(text.ends_with("# EOF\n"));
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn one_line_per_request() {
    let site = TestSite::new().await;
    let lines = Lines::default();
    // For all threads: a subscriber of one thread misses events that another thread met first. Other
    // tests are logged too; the ids tell this one's requests from theirs.
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).json().finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let request = Request::get("/papers/all?sort=title&token=secret").header("host", HOST);
    let request = request.header("x-request-id", "proxy-17").body(Body::empty()).unwrap();
    assert_eq!(site.ask(request).await.header("x-request-id"), "proxy-17");
    let forged = Request::get("/nowhere").header("x-request-id", "a b").body(Body::empty());
    let forged = site.ask(forged.unwrap()).await;
    let given = forged.header("x-request-id");
    assert_ne!(given, "a b");
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let logged: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["target"] == "pressrun_web::access")
        .filter(|line| ["proxy-17", given].iter().any(|id| line["fields"]["request_id"] == *id))
        .collect();
    assert_eq!(logged.len(), 2, "{text}");
    let first = &logged[0]["fields"];
    assert_eq!((&first["method"], &first["status"]), (&"GET".into(), &200.into()));
    assert_eq!((&first["path"], &first["request_id"]), (&"/papers/all".into(), &"proxy-17".into()));
    assert!(first["latency_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(logged[1]["fields"]["status"], 404);
    assert!(!text.contains("secret"));
}

#[tokio::test]
async fn text_is_compressed_for_who_can_read_it() {
    let site = TestSite::new().await;
    let request = Request::get("/").header("host", HOST).header("accept-encoding", "gzip");
    let answer = site.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(site.get("/").await.header("content-encoding"), "");
}
