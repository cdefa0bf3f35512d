//! Headers, requests from other sites, bodies that are too large.

use axum::http::StatusCode;

use crate::html;
use crate::site::{HOST, TestSite};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let site = TestSite::new().await;
    for path in [
        "/",
        "/none",
        "/healthz",
        "/api/runs/none",
        "/papers/all?page=0",
        "/metrics",
        "/search?q=%22",
        "/api/suggest?q=gates",
        "/subscribe",
        "/digest/manage?token=none",
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn requests_from_other_sites_change_nothing() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let own = format!("http://{HOST}");
    let foreign: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://other.papers.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://papers.example.evil.example")],
    ];
    let cancel = format!("/runs/{}/cancel", run.id);
    let restart = format!("/runs/{}/restart", run.id);
    for headers in foreign {
        for path in ["/papers/9909.00001/runs", &cancel, &restart] {
            let answer = site.post_with(path, "profile=quick", headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
            html::check(path, &answer.body);
            assert!(answer.body.contains("came from another site"), "{path}");
        }
    }
    let runs = site.catalog.runs(None, 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].state.as_str()), (1, "queued"));
    // The site's own pages, and programs that are no browser, are welcome.
    let welcome: [&[(&str, &str)]; 3] =
        [&[("sec-fetch-site", "same-origin"), ("origin", &own)], &[("origin", &own)], &[]];
    for headers in welcome {
        let answer = site.post_with("/papers/9909.00001/runs", "profile=quick", headers).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{headers:?}");
    }
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let site = TestSite::new().await;
    let run = site.queued().await;
    let cancel = format!("/runs/{}/cancel", run.id);
    let paths: [(&str, &str); 2] = [(&cancel, "POST"), ("/papers/9909.00001/runs", "POST")];
    for (path, allowed) in paths {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), allowed, "{path}");
        html::check(path, &answer.body);
    }
    let row = site.catalog.run(&run.id).await.unwrap().unwrap();
    assert_eq!(row.state.as_str(), "queued");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let site = TestSite::new().await;
    let form = format!("profile=quick&x={}", "x".repeat(200_000));
    let answer = site.post("/papers/9909.00001/runs", &form).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    html::check("413", &answer.body);
    assert!(answer.body.contains("at most 131072 bytes"));
}
