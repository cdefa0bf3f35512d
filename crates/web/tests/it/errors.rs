//! Errors as pages and as JSON; causes in the log only.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::html;
use crate::site::TestSite;

#[tokio::test]
async fn by_what_was_asked_for() {
    let site = TestSite::new().await;
    let page = site.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    html::check("/nowhere", &page.body);
    assert!(page.body.contains("There is no such page here."));
    let json = site.get_as("/nowhere", "application/json").await;
    assert_eq!(json.status, StatusCode::NOT_FOUND);
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json()["error"], "There is no such page here.");
}

#[tokio::test]
async fn what_was_asked_for_is_quoted_as_text() {
    let site = TestSite::new().await;
    for path in ["/papers/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/?sort=%3Cscript%3E"] {
        let answer = site.get(path).await;
        html::check(path, &answer.body);
        assert!(answer.body.contains("`&lt;script&gt;"), "{path}");
    }
}

#[tokio::test]
async fn an_address_that_is_no_text_is_a_bad_request() {
    let site = TestSite::new().await;
    let answer = site.get("/papers/%FF%FE").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    html::check("bad address", &answer.body);
}

#[tokio::test]
async fn causes_are_logged_and_not_shown() {
    let site = TestSite::new().await;
    site.catalog.close().await;
    let answer = site.get("/").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    html::check("500", &answer.body);
    assert!(answer.body.contains("Something went wrong here"));
    let body = answer.body.to_lowercase();
    for word in ["database", "sqlite", "pool", "closed"] {
        assert!(!body.contains(word), "{word}");
    }
    assert!(answer.body.contains(answer.header("x-request-id")), "to be told to whoever runs it");
}

#[tokio::test]
async fn an_unknown_method_is_answered_with_a_page() {
    let site = TestSite::new().await;
    let request = Request::builder().method("DELETE").uri("/runs").header("host", "x");
    let answer = site.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    html::check("405", &answer.body);
}
