//! The Hugging Face papers API. The official client itself reads it in `e2e`.

use axum::http::StatusCode;
use pressrun_catalog::NewPaper;
use serde_json::{Value, json};

use crate::demo;
use crate::site::TestSite;

async fn items(site: &TestSite, path: &str) -> Vec<Value> {
    let answer = site.get_as(path, "*/*").await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    answer.json().as_array().unwrap().clone()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["paper"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn daily_lists_by_day_week_month_and_page() {
    let site = TestSite::empty(demo::library(), crate::site::settings()).await;
    let site = site.with_papers(3, "2025-09-09").await;
    let more = |id: &str, listed: Option<&str>| NewPaper {
        id: id.into(),
        title: id.into(),
        published: Some("2025-12-31".into()),
        listed: listed.map(|day| day.parse().unwrap()),
        ..NewPaper::default()
    };
    let papers = [more("later", Some("2025-10-01")), more("nowhere", None)];
    site.catalog.upsert(&papers).await.unwrap();
    for (query, expected) in [
        ("", vec!["later", "p000", "p001", "p002"]),
        ("?limit=2", vec!["later", "p000"]),
        ("?limit=2&p=1", vec!["p001", "p002"]),
        ("?p=1", vec![]),
        ("?p=1000000&limit=100", vec![]),
        ("?date=2025-09-09", vec!["p000", "p001", "p002"]),
        ("?date=2025-09-09&p=1&limit=2", vec!["p002"]),
        ("?date=1999-01-01", vec![]),
        ("?week=2025-W37", vec!["p000", "p001", "p002"]),
        ("?month=2025-10", vec!["later"]),
        ("?month=2025-10&sort=trending", vec!["later"]),
        ("?sort=publishedAt&limit=1", vec!["later"]),
        ("?submitter=nobody", vec![]),
    ] {
        assert_eq!(
            ids(&items(&site, &format!("/api/daily_papers{query}")).await),
            expected,
            "{query}"
        );
    }
    for (query, right) in [
        ("date=today", "a day such as `2025-09-09`"),
        ("week=2025-09", "a week such as `2025-W37`"),
        ("month=", "a month such as `2025-09`"),
        ("date=2025-09-09&week=2025-W37", "only one of `date`, `week` and `month`"),
        ("sort=hot", "`publishedAt` or `trending`"),
        ("p=-1", "a number from 0 to 1000000"),
        ("limit=0", "a number from 1 to 100"),
        ("limit=101", "a number from 1 to 100"),
    ] {
        let answer = site.get_as(&format!("/api/daily_papers?{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.ends_with(&format!("expected {right}.")), "{query}: {error}");
        assert_eq!(answer.header("x-error-message"), error, "{query}");
    }
}

#[tokio::test]
async fn all_papers_by_following_links() {
    let site = TestSite::new().await.with_papers(7, "2025-09-09").await;
    let whole = items(&site, "/api/papers?limit=100").await;
    let (mut seen, mut path) = (Vec::new(), "/api/papers?limit=3".to_owned());
    loop {
        let answer = site.get_as(&path, "*/*").await;
        seen.extend(answer.json().as_array().unwrap().clone());
        let Some(link) = answer.headers.get("link") else { break };
        let (next, kind) = link.to_str().unwrap().split_once(">; ").unwrap();
        assert_eq!(kind, "rel=\"next\"");
        path = next.strip_prefix("<http://papers.example").unwrap().to_owned();
        // Whatever comes in meanwhile moves nothing.
        let new = NewPaper {
            title: format!("New {}", seen.len()),
            listed: "2025-09-10".parse().ok(),
            ..NewPaper::default()
        };
        site.catalog.upsert(&[new]).await.unwrap();
    }
    assert_eq!(ids(&seen), ids(&whole));
    let answer = site.get_as("/api/papers?cursor=x", "*/*").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn fields_where_readers_look_for_them() {
    let site = TestSite::new().await.with_record().await;
    let list = items(&site, "/api/daily_papers").await;
    let item = list.iter().find(|item| item["paper"]["id"] == demo::ID).unwrap();
    let paper = site.get_as(&format!("/api/papers/{}", demo::ID), "*/*").await.json();
    assert_eq!(item["paper"], paper);
    for name in ["title", "summary", "publishedAt", "upvotes", "numComments", "url"] {
        assert_eq!(item[name], paper[name], "{name}");
        assert!(!item[name].is_null(), "{name}");
    }
    // Beside the paper the client would take the raw list for its authors.
    assert!(item.get("authors").is_none());
    assert!(paper["authors"][0]["name"].is_string());
    assert_eq!(paper["submittedOnDailyAt"], "2025-09-09T00:00:00.000Z");
    assert_eq!(paper["runs"], true);
    assert!(paper["verdicts"]["reproduced"].is_number());
    // By its slug, too.
    let by_slug = site.get_as(&format!("/api/papers/{}", demo::SLUG), "*/*").await.json();
    assert_eq!(by_slug, paper);
    let missing = site.get_as("/api/papers/2999.00001", "*/*").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.header("x-error-code"), "EntryNotFound");
    let error = "There is no paper `2999.00001` here.";
    assert_eq!(missing.header("x-error-message"), error);
    assert_eq!(missing.json(), json!({ "error": error, "status": 404 }));
    // What is not ASCII cannot stand in a header.
    let missing = site.get_as("/api/papers/%E4%B8%93", "*/*").await;
    assert_eq!(missing.json()["error"], "There is no paper `专` here.");
    assert!(missing.headers.get("x-error-message").is_none());
}

#[tokio::test]
async fn a_paper_as_markdown() {
    let site = TestSite::new().await;
    let answer = site.get_as(&format!("/papers/{}.md", demo::ID), "*/*").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
    assert!(answer.body.starts_with("# The Heavy Ball Revisited"), "{}", answer.body);
    assert!(answer.body.contains("\n## Abstract\n\n"), "{}", answer.body);
    let hostile = site.get_as(&format!("/papers/{}.md", demo::HOSTILE), "*/*").await.body;
    // Nothing opens a tag; addresses in angle brackets are links of ours.
    let open = hostile.replace("\\<", "").replace("<http", "");
    assert!(!open.contains('<'), "{hostile}");
    let missing = site.get_as("/papers/2999.00001.md", "*/*").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.json()["error"], "There is no paper `2999.00001` here.");
}
