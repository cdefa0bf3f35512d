//! Proposing papers, drafts that are nobody else's business, and what curators do.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{Role, Scope};

use crate::html;
use crate::people::Browser;
use crate::site::{Answer, HOST, TestSite};

/// A program with a token of a person.
async fn program(site: &TestSite, email: &str, scopes: &[Scope]) -> String {
    let person = site.catalog.add_person(&email.parse().unwrap(), Role::Reader).await.unwrap();
    let secret = site.catalog.add_token(person.id, "bot", scopes, None).await.unwrap();
    secret.reveal().to_owned()
}

async fn send(site: &TestSite, token: &str, path: &str, json: &str) -> Answer {
    let request = Request::post(path)
        .header("host", HOST)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    site.ask(request.body(Body::from(json.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_paper_is_looked_up_proposed_and_put_on_a_day() {
    let site = TestSite::new().await;
    assert!(site.page("/submit").await.contains("/sign-in?to=/submit"));
    assert_eq!(site.post("/submit", "paper=2301.10909").await.status, StatusCode::UNAUTHORIZED);
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let page = ada.get("/submit").await;
    html::check("/submit", &page.body);
    let found = ada.post("/submit", "paper=https%3A%2F%2Farxiv.org%2Fabs%2F2301.10909v2").await;
    assert_eq!(
        (found.status, found.header("location")),
        (StatusCode::SEE_OTHER, "/papers/2301.10909")
    );
    let own = ada.get("/submissions").await.body;
    html::check("/submissions", &own);
    assert!(own.contains(">Found</a>") && own.contains("waits for a curator"), "{own}");
    // Readers do not decide.
    for path in ["/papers/2301.10909/list", "/submissions/1/accept", "/submissions/1/decline"] {
        assert_eq!(ada.post(path, "day=2025-09-09").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(ada.get("/curate").await.status, StatusCode::FORBIDDEN);

    let mut max = Browser::of(&site, "max@example.org", Role::Curator).await;
    let queue = max.get("/curate").await.body;
    html::check("/curate", &queue);
    let address = queue.split("href=\"/submissions/").nth(1).unwrap().split('"').next().unwrap();
    let address = format!("/submissions/{address}");
    let page = max.get(&address).await.body;
    html::check(&address, &page);
    assert!(page.contains("/accept\""), "{page}");
    let bad = max.post(&format!("{address}/accept"), "day=tomorrow").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let accepted = max.post(&format!("{address}/accept"), "day=2025-09-09").await;
    assert_eq!(accepted.header("location"), "/papers/2301.10909");
    assert!(site.page("/papers/date/2025-09-09").await.contains("Found"));
    let paper = site.page("/papers/2301.10909").await;
    assert!(paper.contains("Submitted by"), "{paper}");
    // Off again, and onto another day.
    max.post("/papers/2301.10909/list", "day=").await;
    assert!(!site.page("/papers/date/2025-09-09").await.contains("Found"));
    max.post("/papers/2301.10909/list", "day=2025-09-08").await;
    assert!(site.page("/papers/date/2025-09-08").await.contains("Found"));
    // The links: of who proposed it, not of others.
    let links = "code_url=https%3A%2F%2Fgithub.com%2Fa%2Fb&project_url=";
    let set = ada.post("/papers/2301.10909/links", links).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER);
    assert!(site.page("/papers/2301.10909").await.contains("https://github.com/a/b"));
    let mut eve = Browser::of(&site, "eve@example.org", Role::Reader).await;
    assert_eq!(eve.post("/papers/2301.10909/links", links).await.status, StatusCode::FORBIDDEN);
    let script = ada.post("/papers/2301.10909/links", "code_url=javascript%3Aalert(1)").await;
    assert_eq!(script.status, StatusCode::BAD_REQUEST);
    // What is here is said to be here.
    let known = ada.post("/submit", "paper=2301.10909").await.body;
    assert!(known.contains("It is here already"), "{known}");
    // The profile shows it.
    let handle = paper.split("/people/").nth(1).unwrap().split('"').next().unwrap();
    assert!(site.page(&format!("/people/{handle}")).await.contains(">Found</a>"));
    assert!(ada.get("/account/data.json").await.body.contains("2301.10909"));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_stated_by_hand() {
    let site = TestSite::new().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    for (text, says) in [
        ("paper=10.1%2Fx", "could not be looked up: `https://doi.org` &lt;b&gt;did not answer"),
        ("paper=2301.99999", "Nothing is known under arXiv:2301.99999"),
        ("paper=https%3A%2F%2Fa.example%2Fdraft", "Correct it, then send it"),
    ] {
        let answer = ada.post("/submit", text).await;
        html::check("/submit", &answer.body);
        assert!(answer.body.contains(says), "{}", answer.body);
        assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    }
    let none = ada.post("/submit", "paper=gates").await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert!(none.body.contains("an arXiv id such as"), "{}", none.body);
    // Looking up costs others something: there is a limit.
    let mut statuses = Vec::new();
    for at in 0..12 {
        statuses.push(ada.post("/submit", &format!("paper=2301.{at:05}")).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_draft_is_nobody_elses_business() {
    let site = TestSite::new().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let form = "title=Secret+%3Cscript%3Ealert(1)%3C%2Fscript%3E&authors=Ada+King%0D%0AMax+Born\
                &summary=%3Cimg+src%3Dx+onerror%3Dalert(2)%3E&remark=%3Cb%3Eplease%3C%2Fb%3E\
                &code_url=https%3A%2F%2Fa.example";
    let sent = ada.post("/submissions", form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let address = sent.header("location").to_owned();
    let page = ada.get(&address).await.body;
    html::check(&address, &page);
    assert!(page.contains("&lt;script&gt;") && page.contains("Max Born"), "{page}");
    // Not on any page, in any search, list or feed, and not for another person.
    let mut eve = Browser::of(&site, "eve@example.org", Role::Reader).await;
    assert_eq!(eve.get(&address).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&address).await.status, StatusCode::UNAUTHORIZED);
    for (path, form) in [("", "title=Mine"), ("/withdraw", "")] {
        let answer = eve.post(&format!("{address}{path}"), form).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!eve.get("/submissions").await.body.contains("Secret"));
    assert!(!site.page("/papers/all").await.contains("Secret"));
    for bad in ["title=+&authors=", "title=x&doi=nonsense", "title=x&code_url=javascript%3A1"] {
        assert_eq!(ada.post("/submissions", bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    // Changed, declined with a word, and gone with the account.
    let changed = ada.post(&address, "title=Doors&authors=Ada+King").await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER);
    let mut max = Browser::of(&site, "max@example.org", Role::Curator).await;
    assert!(max.get(&address).await.body.contains("Doors"));
    let declined =
        max.post(&format!("{address}/decline"), "answer=Not+%3Ci%3Eours%3C%2Fi%3E").await;
    assert_eq!(declined.header("location"), "/curate");
    assert!(ada.get("/submissions").await.body.contains("Not &lt;i&gt;ours"));
    let again = max.post(&format!("{address}/accept"), "day=").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn programs_submit_as_the_papers_api_has_it() {
    let site = TestSite::new().await;
    let token = program(&site, "ada@example.org", &[Scope::Write]).await;
    let index = async |json: &str| send(&site, &token, "/api/papers/index", json).await;
    let done = index(r#"{"arxivId": "2301.10909"}"#).await;
    assert_eq!((done.status, done.body.as_str()), (StatusCode::OK, "{}"));
    assert_eq!(index(r#"{"arxivId": "2301.10909"}"#).await.status, StatusCode::OK);
    assert_eq!(index(r#"{"arxivId": "2301.99999"}"#).await.status, StatusCode::NOT_FOUND);
    for bad in ["{}", "[]", "x", r#"{"arxivId": "x"}"#, r#"{"arxivId": "10.1/x"}"#] {
        assert_eq!(index(bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    // In the catalogue, and on no list yet.
    let paper = site.get("/api/papers/2301.10909").await.json();
    assert_eq!(paper["submittedOnDailyAt"], serde_json::Value::Null);
    let submitted = send(&site, &token, "/api/papers/submit", r#"{"paperId": "2301.10909"}"#).await;
    assert_eq!(submitted.json()["url"], "/papers/2301.10909");
    let links = r#"{"githubRepo": "https://github.com/a/b"}"#;
    let path = "/api/papers/2301.10909/links";
    assert_eq!(send(&site, &token, path, links).await.status, StatusCode::FORBIDDEN);
    let list = r#"{"day": "2025-09-09"}"#;
    let on = send(&site, &token, "/api/papers/2301.10909/list", list).await;
    assert_eq!(on.status, StatusCode::FORBIDDEN);
    // Once a curator has accepted it, it is hers.
    let max = site.catalog.add_person(&"max@example.org".parse().unwrap(), Role::Curator).await;
    let waiting = site.catalog.waiting_submissions().await.unwrap();
    let day = Some(jiff::civil::date(2025, 9, 9));
    site.catalog.accept_submission(waiting[0].id, max.unwrap().id, day).await.unwrap();
    assert_eq!(send(&site, &token, path, links).await.status, StatusCode::OK);
    let handle = waiting[0].person.as_ref().unwrap().handle.clone();
    let listed = site.get(&format!("/api/daily_papers?submitter={handle}")).await.json();
    assert_eq!(listed[0]["submittedBy"]["user"], handle);
    assert_eq!(listed[0]["paper"]["githubRepo"], "https://github.com/a/b");
    assert_eq!(listed[0]["thumbnail"], format!("http://{HOST}/papers/2301.10909/og.png"));
    let week = site.get(&format!("/api/daily_papers?submitter={handle}&week=2025-W36")).await;
    assert_eq!(week.body, "[]");
    assert_eq!(site.get("/api/daily_papers?submitter=nobody").await.body, "[]");
    // A token without the scope, and nobody at all.
    let reader = program(&site, "eve@example.org", &[Scope::Read]).await;
    let answer = send(&site, &reader, "/api/papers/index", r#"{"arxivId": "2301.10909"}"#).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let nobody = site.post_with("/api/papers/index", "{}", &[]).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}
