//! The page of a subscription.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use pressrun_catalog::{
    Delivery, Frequency, ListQuery, NewPaper, Paper, Preferences, Subscription,
};
use pressrun_digest::{Editor, Topics as _};
use pressrun_web::SavedSearches;

use super::{mail, subscribed};
use crate::html;
use crate::site::TestSite;

/// The day, in UTC.
fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// Publishes what is due then.
async fn publish(site: &TestSite, now: Timestamp) {
    let topics = SavedSearches::new(site.search.clone(), site.library.clone());
    Editor::new(site.catalog.clone(), Arc::new(topics)).publish_due(now).await.unwrap();
}

async fn now_of(site: &TestSite, of: &Subscription) -> Subscription {
    site.catalog.subscription(of.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn everything_can_be_changed() {
    let site = TestSite::new().await;
    let (ada, token) = subscribed(&site, "ada").await;
    let page = format!("/digest/manage?token={token}");
    let shown = site.get(&page).await;
    html::check("manage", &shown.body);
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
    assert_eq!(shown.header("referrer-policy"), "same-origin");
    assert!(shown.body.contains("07:00</time> (Europe/Vienna)"), "{}", shown.body);
    assert!(shown.body.contains("None yet."));
    let form = format!(
        "token={token}&frequency=monday&hour=18&zone=Asia%2FTokyo&q=gates&votes=2&most=5&empty=1"
    );
    let saved = site.post("/digest/manage", &form).await;
    assert_eq!(saved.header("location"), format!("{page}&done=saved"));
    assert!(site.page(saved.header("location")).await.contains("Saved."));
    let now = now_of(&site, &ada).await;
    let wanted = Preferences {
        query: "gates".into(),
        min_votes: 2,
        most: 5,
        send_empty: true,
        ..now.preferences.clone()
    };
    assert_eq!(now.preferences, wanted);
    let schedule = &now.preferences.schedule;
    let monday = "monday".parse::<Frequency>().unwrap();
    assert_eq!((schedule.frequency, schedule.hour, &*schedule.zone), (monday, 18, "Asia/Tokyo"));
    assert!(site.page(&page).await.contains("18:00</time> (Asia/Tokyo)"));
    // What cannot be is given back with what is wrong, and nothing is changed.
    let bad = site.post("/digest/manage", &form.replace("q=gates", "q=year%3Ax")).await;
    assert_eq!((bad.status, bad.header("cache-control")), (StatusCode::BAD_REQUEST, "no-store"));
    html::check("manage", &bad.body);
    assert!(bad.body.contains("value=\"year:x\"") && bad.body.contains("id=\"topic-problem\""));
    assert_eq!(now_of(&site, &ada).await, now);
}

#[tokio::test]
async fn a_pause_ends_by_itself_or_by_a_button() {
    let site = TestSite::new().await;
    let (ada, token) = subscribed(&site, "ada").await;
    let today = ada.preferences.schedule.time_zone().to_datetime(Timestamp::now()).date();
    let until = today + 10.days();
    let form = |until: &str| format!("token={token}&until={until}");
    for wrong in ["", "soon", &today.to_string(), "2020-01-01", "9000-01-01", "%3Cscript%3E"] {
        let answer = site.post("/digest/pause", &form(wrong)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        html::check(wrong, &answer.body);
        assert!(answer.body.contains("id=\"until-problem\""), "{wrong}");
    }
    let answer = site.post("/digest/pause", &form(&until.to_string())).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let paused = now_of(&site, &ada).await;
    assert_eq!(paused.paused_until, Some(until));
    assert!(paused.next_at.unwrap() > Timestamp::now() + (24 * 8).hours());
    let page = site.page(answer.header("location")).await;
    assert!(page.contains("Paused: nothing comes before") && page.contains("Go on now"), "{page}");
    site.post("/digest/pause", &format!("token={token}&go-on=1")).await;
    assert_eq!(now_of(&site, &ada).await.next_at, ada.next_at);
}

#[tokio::test]
async fn a_test_can_be_had_but_not_many() {
    let day = today().to_string();
    let site = TestSite::new().await.with_papers(2, &day).await;
    let (_, token) = subscribed(&site, "ada").await;
    let page = site.page(&format!("/digest/manage?token={token}")).await;
    assert!(page.contains("If one came now") && page.contains(">Paper 001</a>"), "{page}");
    let form = format!("token={token}");
    let answer = site.post("/digest/test", &form).await;
    assert!(site.page(answer.header("location")).await.contains("A test is on its way"));
    let test = mail(&site).await;
    assert_eq!((test.kind.as_str(), test.recipient.as_str()), ("digest-test", "ada@example.org"));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(site.post("/digest/test", &form).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test]
async fn the_last_issue_and_how_it_fared() {
    let today = today();
    let site = TestSite::new().await.with_papers(2, &today.to_string()).await;
    let (ada, token) = subscribed(&site, "ada").await;
    let page = format!("/digest/manage?token={token}");
    // An hour after its time.
    publish(&site, ada.next_at.unwrap() + 1.hour()).await;
    let shown = site.page(&page).await;
    for text in ["waits for the server", "It was late", ">Paper 000</a>", "href=\"/papers/p001\""] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let sent = mail(&site).await;
    let note = async |id, delivery: Delivery| {
        site.catalog.exchange_mails(&[(id, delivery)], 0).await.unwrap();
    };
    note(sent.id, Delivery::Accepted("250 OK".into())).await;
    assert!(site.page(&page).await.contains("was taken over by the server"));
    // Both papers came: there is none for the next day.
    publish(&site, now_of(&site, &ada).await.next_at.unwrap()).await;
    let shown = site.page(&page).await;
    assert!(shown.contains("was not sent") && shown.contains("came in earlier issues"), "{shown}");
}

#[tokio::test]
async fn why_there_is_no_paper_is_told_with_ones_own_numbers() {
    let today = today();
    let site = TestSite::new().await;
    let (_, token) = subscribed(&site, "ada").await;
    let page = format!("/digest/manage?token={token}");
    assert!(site.page(&page).await.contains("No paper was put on a list from"));
    let site = site.with_papers(2, &today.to_string()).await.indexed().await;
    let save = async |form: &str| {
        let form = format!("token={token}&frequency=every-day&zone=UTC&{form}");
        let answer = site.post("/digest/manage", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        site.page(&page).await
    };
    let shown = save("votes=7").await;
    assert!(shown.contains("none has 7 votes or more."), "{shown}");
    let shown = save("q=aardvarks").await;
    assert!(shown.contains("none is what your search <code>aardvarks</code> asks for."), "{shown}");
    let shown = save("q=abstract&most=1").await;
    assert!(shown.contains(">Paper 000</a>") && !shown.contains(">Paper 001</a>"), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_delivered_is_suspended_and_goes_on_by_a_button() {
    let today = today();
    let site = TestSite::new().await;
    let (ada, token) = subscribed(&site, "ada").await;
    let form = format!("token={token}&frequency=every-day&zone=UTC&empty=1");
    assert_eq!(site.post("/digest/manage", &form).await.status, StatusCode::SEE_OTHER);
    let site = site.with_papers(1, &today.to_string()).await;
    for _ in 0..3 {
        publish(&site, now_of(&site, &ada).await.next_at.unwrap()).await;
        let failed = Delivery::Failed("550 5.1.1 <script>no such mailbox".into());
        site.catalog.exchange_mails(&[(mail(&site).await.id, failed)], 0).await.unwrap();
    }
    assert!(now_of(&site, &ada).await.suspended_at.is_some());
    let page = format!("/digest/manage?token={token}");
    let shown = site.page(&page).await;
    for text in ["Nothing is sent any more", "3 mails", "550 5.1.1 &lt;script&gt;no such mailbox"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let answer = site.post("/digest/resume", &format!("token={token}")).await;
    assert!(site.page(answer.header("location")).await.contains("Papers come again."));
    let now = now_of(&site, &ada).await;
    assert!(now.suspended_at.is_none() && now.next_at.is_some());
}

#[tokio::test]
async fn a_topic_is_what_has_every_word() {
    let site = TestSite::new().await;
    let paper = |title: &str, summary: &str| NewPaper {
        title: title.into(),
        summary: summary.into(),
        ..NewPaper::default()
    };
    let papers = [
        paper("Gates for a mixture of experts", "They open."),
        paper("An expert's view on gates", "Nothing is mixed."),
        paper("Diffusion", "Of the experts in mixtures, and of gates."),
    ];
    site.catalog.upsert(&papers).await.unwrap();
    let pool = site.catalog.list(&ListQuery::default()).await.unwrap().papers;
    // Without those of the test site itself.
    let own = |paper: &Paper| papers.iter().any(|own| own.title == paper.title);
    let pool: Vec<Arc<Paper>> = pool.into_iter().filter(own).map(Arc::new).collect();
    let topics = SavedSearches::new(site.search.clone(), site.library.clone());
    // Before the index has them all, nobody can tell.
    assert!(topics.of("gates", &pool).await.is_err());
    site.index().await;
    for (query, expected) in [
        ("gates", 3),
        ("mixture of experts", 2),
        ("\"mixture of experts\"", 1),
        ("gates -diffusion", 2),
        ("-diffusion", 2),
        ("gates nowhere", 0),
        ("has:code", 0),
        // What cannot be read finds nothing, and does not hold up the issue.
        ("year:x", 0),
    ] {
        let found = topics.of(query, &pool).await.unwrap();
        assert_eq!(found.len(), expected, "{query}: {found:?}");
    }
    // Papers outside the pool are not found.
    assert_eq!(topics.of("gates", &pool[..1]).await.unwrap().len(), 1);
}
