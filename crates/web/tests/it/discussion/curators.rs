//! What curators decide: reports, blocking, who is an author.

use axum::http::StatusCode;
use pressrun_catalog::Role;

use super::{form, page, paper, post, somebody};
use crate::site::TestSite;

#[tokio::test]
async fn curators_settle_reports_and_block_people() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, _) = somebody(&site, "max", Role::Curator).await;
    let (_, root) = somebody(&site, "root", Role::Administrator).await;
    post(&mut ada, &paper, "Harmless.").await;
    let comment = format!("{paper}/comments/1");
    ada.post(&format!("{comment}/report"), &form(&[("reason", "To try it.")])).await;
    let id = paper.trim_start_matches("/papers/");
    let settle = form(&[("paper", id), ("number", "1")]);
    assert_eq!(ada.post("/moderation/reports", &settle).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.post("/moderation/reports", &settle).await.status, StatusCode::SEE_OTHER);
    assert_eq!(max.post("/moderation/reports", &settle).await.status, StatusCode::NOT_FOUND);
    assert!(!page(&max, "/moderation").await.contains("To try it."));

    assert!(page(&max, "/people/ada").await.contains("Block"));
    assert_eq!(ada.post("/people/max/block", "blocked=1").await.status, StatusCode::FORBIDDEN);
    for other in [&*root.handle, "max"] {
        let path = format!("/people/{other}/block");
        assert_eq!(max.post(&path, "blocked=1").await.status, StatusCode::FORBIDDEN, "{other}");
    }
    assert_eq!(max.post("/people/ada/block", "blocked=1").await.status, StatusCode::SEE_OTHER);
    assert_eq!(post(&mut ada, &paper, "More.").await.status, StatusCode::FORBIDDEN);
    assert!(page(&ada, &paper).await.contains("no longer write"));
    assert!(page(&max, "/moderation").await.contains("Let ADA write again"));
    max.post("/people/ada/block", "blocked=0").await;
    assert_eq!(post(&mut ada, &paper, "More.").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn authors_reply_to_verdicts() {
    let site = TestSite::new().await.with_record().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, _) = somebody(&site, "max", Role::Curator).await;
    let id = paper.trim_start_matches("/papers/");
    let known = site.catalog.paper(id).await.unwrap().unwrap();
    let author = known.authors[0].as_str();
    page(&ada, &format!("{paper}/claim")).await;
    let claim = format!("{paper}/claim");
    let nobody = ada.post(&claim, &form(&[("author", "Nobody Here")])).await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
    let reply = format!("{paper}/claims/C1/reply");
    let words =
        form(&[("run", "demo-full"), ("text", "Your *step* is too large."), ("disputed", "1")]);
    assert_eq!(ada.post(&reply, &words).await.status, StatusCode::FORBIDDEN);
    let fields = form(&[("author", author), ("proof", "My <b>page</b>")]);
    assert_eq!(ada.post(&claim, &fields).await.status, StatusCode::SEE_OTHER);
    assert!(page(&ada, &claim).await.contains("waits for a curator"));
    assert_eq!(ada.post(&reply, &words).await.status, StatusCode::FORBIDDEN);
    let queue = page(&max, "/moderation").await;
    assert!(queue.contains("My &lt;b&gt;page"), "{queue}");
    let person = site.catalog.person_called("ada").await.unwrap().unwrap().id.to_string();
    let decide = form(&[("paper", id), ("person", &person), ("decision", "confirm")]);
    assert_eq!(ada.post("/moderation/claims", &decide).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.post("/moderation/claims", &decide).await.status, StatusCode::SEE_OTHER);

    assert!(page(&ada, &paper).await.contains("Reply to the verdict of C1"));
    assert!(!page(&max, &paper).await.contains("Reply to the verdict of C1"));
    page(&ada, &format!("{reply}?run=demo-full")).await;
    assert_eq!(ada.get(&format!("{reply}?run=none")).await.status, StatusCode::NOT_FOUND);
    let preview = format!("{words}&do=preview");
    assert!(ada.post(&reply, &preview).await.body.contains("<em>step</em>"));
    let posted = ada.post(&reply, &words).await;
    assert_eq!(posted.header("location"), format!("{paper}#c1"));
    for path in [paper.as_str(), "/runs/demo-full"] {
        let shown = site.page(path).await;
        assert!(
            shown.contains("disputed by an author") && shown.contains("<em>step</em>"),
            "{path}"
        );
    }
    assert!(site.page("/people/ada").await.contains(&known.title));
    assert!(site.page(&paper).await.contains("Here: "));
    let feed = site.get(&format!("{paper}.atom")).await.body;
    assert!(feed.contains("ADA disputes the verdict of C1"), "{feed}");
    // A newer one takes its place.
    let words = form(&[("run", "demo-full"), ("text", "It is fine.")]);
    ada.post(&reply, &words).await;
    let shown = site.page(&paper).await;
    assert!(!shown.contains("disputed by an author") && shown.contains("What was said before"));
    post(&mut ada, &paper, "As an author.").await;
    assert!(site.page(&paper).await.contains("<span class=\"tag author\">author</span>"));
    // Hidden, it is read nowhere.
    let id = site.catalog.verdict_replies("demo-full", pressrun_catalog::Audience::Public).await;
    let id = id.unwrap()[0].id.to_string();
    page(&max, &format!("/moderation/replies/{id}")).await;
    let hide = form(&[("id", &id), ("hidden", "1"), ("reason", "Off the matter.")]);
    assert_eq!(ada.post("/moderation/replies", &hide).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.post("/moderation/replies", &hide).await.status, StatusCode::SEE_OTHER);
    assert!(!site.page(&paper).await.contains("It is fine."));
    assert!(!site.get(&format!("{paper}.atom")).await.body.contains("It is fine."));
    assert!(page(&max, "/moderation").await.contains("It is fine."));
}
