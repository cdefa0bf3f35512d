//! The digest on the pages of accounts and administrators, and in the counters.

use axum::http::StatusCode;
use pressrun_catalog::{Delivery, Role};

use super::{exists, mail, subscribed};
use crate::html;
use crate::people::Browser;
use crate::site::TestSite;

#[tokio::test]
async fn an_account_shows_takes_along_and_deletes_its_subscription() {
    let site = TestSite::new().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let account = ada.get("/account").await.body;
    html::check("/account", &account);
    assert!(account.contains("href=\"/subscribe\"") && !account.contains("/digest/"), "{account}");
    assert!(ada.get("/subscribe").await.body.contains("value=\"ada@example.org\""));
    assert_eq!(ada.get("/account/data.json").await.json()["digest"], serde_json::Value::Null);
    let (own, token) = subscribed(&site, "ada").await;
    let (other, foreign) = subscribed(&site, "max").await;
    let account = ada.get("/account").await.body;
    html::check("/account", &account);
    assert!(account.contains(&token) && !account.contains(&foreign), "{account}");
    assert!(account.contains("every day at 07:00 (Europe/Vienna)"), "{account}");
    let data = ada.get("/account/data.json").await.json();
    assert_eq!(data["digest"]["zone"], "Europe/Vienna");
    assert_eq!(data["digest"]["issues"], serde_json::json!([]));
    assert!(!data.to_string().contains(&token));
    let handle = data["person"]["short_name"].as_str().unwrap();
    let gone = ada.post("/account/delete", &format!("confirm={handle}")).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.body);
    assert!(!exists(&site, own.id).await && exists(&site, other.id).await);
}

#[tokio::test]
async fn administrators_see_how_it_fares_and_nobody_else() {
    let site = TestSite::new().await;
    let (ada, _) = subscribed(&site, "ada").await;
    assert_eq!(site.get("/digest/admin").await.status, StatusCode::UNAUTHORIZED);
    let form = format!("id={}", ada.id);
    for role in [Role::Reader, Role::Curator] {
        let mut other = Browser::of(&site, &format!("{role}@example.org"), role).await;
        assert_eq!(other.get("/digest/admin").await.status, StatusCode::FORBIDDEN);
        for page in ["/account", "/moderation"] {
            assert!(!other.get(page).await.body.contains("/digest/admin"), "{role}");
        }
        for path in ["/digest/admin/resume", "/digest/admin/remove"] {
            assert_eq!(other.post(path, &form).await.status, StatusCode::FORBIDDEN, "{role}");
        }
    }
    // Three mails to Ada could not be delivered, and one to somebody else.
    let failed = Delivery::Failed("550 <b>no</b>".into());
    for _ in 0..3 {
        let now = site.catalog.subscription(ada.id).await.unwrap().unwrap();
        let slot = now
            .preferences
            .schedule
            .next(now.next_at.unwrap() - jiff::SignedDuration::from_secs(1), None);
        let issue = pressrun_catalog::NewIssue {
            subscription: ada.id,
            seen: now.next_at.unwrap(),
            slot: slot.unwrap(),
            papers: vec!["p000".into()],
            reason: None,
            body: Some("{}".into()),
            next: now.preferences.schedule.next(now.next_at.unwrap(), None).map(|slot| slot.at),
        };
        site.catalog.publish(&[issue], now.next_at.unwrap()).await.unwrap();
        let id = mail(&site).await.id;
        site.catalog.exchange_mails(&[(id, failed.clone())], 0).await.unwrap();
    }
    let mut root = Browser::of(&site, "root@example.org", Role::Administrator).await;
    for page in ["/account", "/moderation"] {
        assert!(root.get(page).await.body.contains("href=\"/digest/admin\""), "{page}");
    }
    let page = root.get("/digest/admin").await;
    html::check("/digest/admin", &page.body);
    assert_eq!(page.header("cache-control"), "private, no-cache");
    for text in ["ada@example.org", "550 &lt;b&gt;no&lt;/b&gt;", "<dt>Suspended</dt><dd>1</dd>"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert_eq!(root.post("/digest/admin/resume", &form).await.status, StatusCode::SEE_OTHER);
    let resumed = site.catalog.subscription(ada.id).await.unwrap().unwrap();
    assert!(resumed.suspended_at.is_none());
    assert_eq!(root.post("/digest/admin/remove", &form).await.status, StatusCode::SEE_OTHER);
    assert!(!exists(&site, ada.id).await);
    for wrong in ["id=", "id=x", &form] {
        let answer = root.post("/digest/admin/remove", wrong).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn mail_is_counted() {
    let site = TestSite::new().await;
    let text = site.get("/metrics").await.body;
    for line in [
        "pressrun_digest_composed_total 0",
        "pressrun_digest_accepted_total 0",
        "pressrun_digest_deferred_total 0",
        "pressrun_digest_failed_total 0",
        r#"pressrun_outbox_mails{state="composed"} 0"#,
        "pressrun_outbox_oldest_age_seconds 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let (_, token) = subscribed(&site, "ada").await;
    site.post("/digest/test", &format!("token={token}")).await;
    let text = site.get("/metrics").await.body;
    for line in [
        "pressrun_digest_composed_total 1",
        r#"pressrun_outbox_mails{state="composed"} 1"#,
        r#"pressrun_outbox_mails{state="claimed"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
