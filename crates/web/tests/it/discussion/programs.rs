//! Comments for programs and for readers of feeds.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{Role, Scope};

use super::{ask, form, paper, post, somebody};
use crate::site::{HOST, TestSite};

#[tokio::test]
async fn programs_take_part() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (_, ada) = somebody(&site, "ada", Role::Reader).await;
    let token = async |scopes: &[Scope]| {
        let token = site.catalog.add_token(ada.id, "t", scopes, None).await.unwrap();
        token.reveal().to_owned()
    };
    let (write, read) = (token(&[Scope::Write, Scope::Read]).await, token(&[Scope::Read]).await);
    let list = format!("/api{paper}/comments");
    let said = ask(&site, &write, "POST", &list, r#"{"text":"By a *program*."}"#).await;
    assert_eq!(
        (said.status, said.header("location")),
        (StatusCode::CREATED, &*format!("{list}/1"))
    );
    assert_eq!(said.json()["author"]["user"], "ada");
    let one = format!("{list}/1");
    for (method, path, body) in [
        ("POST", &list, "{\"text\":\"x\"}"),
        ("PUT", &one, "{\"text\":\"x\"}"),
        ("DELETE", &one, ""),
        ("POST", &"/api/settings/papers/claim".to_owned(), "{\"paperId\":\"x\"}"),
    ] {
        let answer = ask(&site, &read, method, path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let request = request.header("content-type", "application/json");
        let answer = site.ask(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    let answer = ask(&site, &write, "POST", &list, r#"{"text":"Below.","parent":1}"#).await.json();
    assert_eq!((answer["parent"].as_i64(), answer["depth"].as_i64()), (Some(1), Some(1)));
    let edited = ask(&site, &write, "PUT", &one, r#"{"text":"Other."}"#).await.json();
    assert!(edited["text"] == "Other." && edited["editedAt"].is_string());
    for bad in ["", "{", "{\"text\":7}", "{\"text\":\"\"}", "[]"] {
        let answer = ask(&site, &write, "POST", &list, bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {}", answer.body);
    }
    assert_eq!(ask(&site, &write, "DELETE", &one, "").await.status, StatusCode::NO_CONTENT);
    let all = site.get(&list).await.json();
    assert_eq!(
        (all["numComments"].as_i64(), &all["comments"][0]["deleted"]),
        (Some(1), &true.into())
    );
    assert_eq!(all["comments"][0]["author"], serde_json::Value::Null);
    assert_eq!(site.get("/api/papers/none/comments").await.status, StatusCode::NOT_FOUND);

    let id = paper.trim_start_matches("/papers/");
    let author = site.catalog.paper(id).await.unwrap().unwrap().authors[0].clone();
    let claim = |target: &str| serde_json::json!({ "paperId": id, "claimAuthorId": author, "targetUserId": target });
    let address = "/api/settings/papers/claim";
    let answer = ask(&site, &write, "POST", address, &claim("ada").to_string()).await;
    assert_eq!(answer.json(), serde_json::json!({ "paperId": id, "status": "claimed" }));
    let other = ask(&site, &write, "POST", address, &claim("max").to_string()).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    let none = ask(&site, &write, "POST", address, "{\"paperId\":\"none\"}").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let data = ask(&site, &read, "GET", "/account/data.json", "").await.json();
    assert_eq!(data["discussion"]["comments"][0]["text"], "Below.");
    assert_eq!(data["discussion"]["claims_of_authorship"][0]["author"], author.as_str());
}

#[tokio::test]
async fn feeds_carry_what_is_said_and_are_asked_for_again() {
    let site = TestSite::new().await.with_record().await;
    let paper = paper(&site).await;
    assert_eq!(site.get("/comments.atom").await.status, StatusCode::OK, "an empty one");
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    post(&mut ada, &paper, "Well & good, @ada.").await;
    for path in [format!("{paper}.atom"), "/comments.atom".into()] {
        let feed = site.get(&path).await;
        assert!(feed.body.contains("<name>ADA</name>"), "{}", feed.body);
        assert!(feed.body.contains(&format!("http://{HOST}/people/ada")), "{}", feed.body);
        assert!(feed.body.contains("Well &amp;amp; good"), "{}", feed.body);
        let request = Request::get(&path).header("host", HOST);
        let request = request.header("if-none-match", feed.header("etag"));
        let again = site.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        ada.post(&format!("{paper}/comments/1/edit"), &form(&[("text", "Well & good, @ada.")]))
            .await;
        let same = site.get(&path).await;
        assert_eq!(same.header("etag"), feed.header("etag"), "nothing was changed");
    }
    let feed = site.get(&format!("{paper}.feed.json")).await.json();
    assert_eq!(feed["items"].as_array().unwrap().len(), 2, "the verdict and the comment");
    // With the account the text goes.
    let answer = ada.post("/account/delete", "confirm=ada").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(!site.get("/comments.atom").await.body.contains("Well"));
    assert!(site.page(&paper).await.contains("Nobody has said anything"));
}
