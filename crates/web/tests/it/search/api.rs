//! What programs and the search box get.

use axum::http::StatusCode;

use super::{api, encoded, ids, site};

#[tokio::test]
async fn suggestions_for_what_has_been_typed() {
    let site = site().await;
    let suggested = async |typed: &str| {
        let answer = site.get(&format!("/api/suggest?q={}", encoded(typed))).await;
        assert_eq!(answer.status, StatusCode::OK, "{typed}");
        answer.json()["suggestions"].as_array().unwrap().clone()
    };
    let author = serde_json::json!({
        "kind": "author", "text": "Nina Torgate", "papers": 2,
        "href": "/search?q=author%3A%22Nina%20Torgate%22",
    });
    assert_eq!(suggested("nina tor").await, std::slice::from_ref(&author));
    let title = serde_json::json!({
        "kind": "title", "text": "Dropout Revisited", "href": "/papers/2101.00003",
    });
    assert_eq!(suggested("dropout re").await, [title]);
    let page = site.page(author["href"].as_str().unwrap()).await;
    assert_eq!(ids(&page).len(), 2);
    for typed in
        ["", "d", "author:", "author:tor", "dropout year:", "\"dropout", "-dropout", "\u{0}"]
    {
        assert!(suggested(typed).await.is_empty(), "{typed}");
    }
    let many = site.with_papers(30, "2025-09-10").await.indexed().await;
    let answer = many.get("/api/suggest?q=paper").await.json();
    assert_eq!(answer["suggestions"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn programs_get_a_list() {
    let site = site().await;
    let list = api(&site, "q=sparse+gates+dropout&limit=2").await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    let first = &list[0];
    assert_eq!(first["title"], "Sparse Gates for Mixtures of Experts");
    assert_eq!(first["numComments"], 0);
    assert_eq!(first["byMeaningAlone"], false);
    assert_eq!(first["url"], "/papers/2103.00001");
    assert!(first["score"].as_f64().unwrap() > list[1]["score"].as_f64().unwrap());
    let paper = &first["paper"];
    assert_eq!(paper["id"], "2103.00001");
    assert_eq!(paper["title"], first["title"]);
    assert!(paper["summary"].as_str().unwrap().starts_with("Long ago"));
    assert_eq!(paper["authors"][1], serde_json::json!({ "name": "Ada Example" }));
    assert_eq!(paper["publishedAt"], "2021-03-04T00:00:00.000Z");
    assert_eq!(paper["upvotes"], 0);
    // A day that nobody knows is not made up.
    let list = api(&site, "q=%22drop+out%22").await.json();
    assert_eq!(list[0]["paper"]["published"], "2022-05");
    assert!(list[0]["paper"]["publishedAt"].is_null());
    assert_eq!(api(&site, "q=zyxwv+author%3Anobody").await.json(), serde_json::json!([]));
    for (query, right) in [
        ("q=a&limit=0", "a number from 1 to 120"),
        ("q=a&limit=121", "a number from 1 to 120"),
        ("q=a&limit=x", "a number from 1 to 120"),
        ("q=", "some words or conditions"),
        ("", "some words or conditions"),
    ] {
        let answer = api(&site, query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let message = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(message.contains(right), "{query}: {message}");
    }
}
