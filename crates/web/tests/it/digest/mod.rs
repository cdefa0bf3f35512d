//! The digest on the site: subscribing, confirming, changing, leaving, and what must not work.

mod manage;
mod owner;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{Mail, Purpose, Subscription};

use crate::html;
use crate::site::{Answer, HOST, TestSite, settings};

/// What the links of mails begin with: not the host that requests name.
const BASE: &str = "http://127.0.0.1:8080";

/// The next mail that waits.
pub async fn mail(site: &TestSite) -> Mail {
    site.catalog.claim_mail().await.unwrap().expect("a mail")
}

/// The token of the link in a mail to that page.
fn token(mail: &Mail, page: &str) -> String {
    let start = format!("{BASE}/digest/{page}?token=");
    let rest = mail.body.split(&start).nth(1).unwrap_or_else(|| panic!("{}", mail.body));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Somebody who is subscribed to all papers of every day, with the token to manage it.
pub async fn subscribed(site: &TestSite, name: &str) -> (Subscription, String) {
    let form = format!("email={name}%40example.org&frequency=every-day&zone=Europe%2FVienna");
    let answer = site.post("/subscribe", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let token = token(&mail(site).await, "confirm");
    let confirmed = site.post("/digest/confirm", &format!("token={token}")).await;
    assert_eq!(confirmed.status, StatusCode::SEE_OTHER, "{}", confirmed.body);
    let key = site.catalog.signing_key().await.unwrap();
    let id = key.read(Purpose::Confirm, &token).unwrap();
    let subscription = site.catalog.subscription(id).await.unwrap().unwrap();
    (subscription, key.token(Purpose::Manage, id))
}

async fn exists(site: &TestSite, id: i64) -> bool {
    site.catalog.subscription(id).await.unwrap().is_some()
}

#[tokio::test]
async fn subscribing_takes_an_address_a_link_and_a_button() {
    let site = TestSite::new().await;
    let page = site.page("/").await;
    assert!(page.contains("<form class=\"subscribe\" method=\"post\" action=\"/subscribe\">"));
    assert!(page.contains("name=\"zone\" value=\"UTC\" data-zone"), "without script: UTC");
    let asked = site.post("/subscribe", "email=Ada%40Example.org&zone=Europe%2FVienna").await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (StatusCode::SEE_OTHER, "/subscribe/sent")
    );
    assert!(site.page("/subscribe/sent").await.contains("Look into your mail"));
    let mail = mail(&site).await;
    assert_eq!(
        (mail.kind.as_str(), mail.recipient.as_str()),
        ("digest-confirm", "ada@example.org")
    );
    for line in ["on weekdays at 07:00 (Europe/Vienna)", "all papers", "at most 12 at a time"] {
        assert!(mail.body.contains(line), "{line}: {}", mail.body);
    }
    assert!(!mail.body.contains(HOST), "the request's host is not the site's");
    let token = token(&mail, "confirm");
    // A mail scanner opens the link, twice.
    for _ in 0..2 {
        let page = site.get(&format!("/digest/confirm?token={token}")).await;
        html::check("confirm", &page.body);
        assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
        assert!(page.body.contains("ada@example.org"));
    }
    let email = "ada@example.org".parse().unwrap();
    assert!(site.catalog.subscription_of(&email).await.unwrap().is_none());
    // Again is as good as once.
    for _ in 0..2 {
        let answer = site.post("/digest/confirm", &format!("token={token}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let location = answer.header("location").to_owned();
        assert!(location.starts_with("/digest/manage?token="), "{location}");
        assert!(!location.contains(&token), "one purpose each");
        assert!(site.page(&location).await.contains("You are subscribed."));
    }
    let subscription = site.catalog.subscription_of(&email).await.unwrap().unwrap();
    assert!(subscription.next_at.is_some());
}

#[tokio::test]
async fn the_whole_form_keeps_what_was_typed_and_says_what_is_wrong() {
    let site = TestSite::new().await;
    let page = site.page("/subscribe?q=experts%20year%3A2021..").await;
    assert!(page.contains("value=\"experts year:2021..\""), "{page}");
    assert!(page.contains("<option value=\"Europe/Vienna\">"));
    let long = "x".repeat(600);
    let page = site.page(&format!("/subscribe?q={long}")).await;
    assert!(page.contains(&long), "no other search");
    let form = "email=ada%40example.org&frequency=friday&hour=18&zone=Asia%2FTokyo\
         &q=%22open&votes=3&most=5&empty=1";
    let answer = site.post("/subscribe", form).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    html::check("subscribe", &answer.body);
    for kept in [
        "value=\"ada@example.org\"",
        "<option value=\"friday\" selected>",
        "<option value=\"18\" selected>",
        "<option value=\"Asia/Tokyo\" selected>",
        "value=\"&quot;open\"",
        "name=\"votes\" value=\"3\"",
        "name=\"most\" value=\"5\"",
        "name=\"empty\" value=\"1\" checked",
        "id=\"topic-problem\">The query cannot be read",
    ] {
        assert!(answer.body.contains(kept), "{kept}: {}", answer.body);
    }
    assert!(!answer.body.contains("data-zone"), "what was chosen stays");
    for (field, value, problem) in [
        ("email", "ada", "`ada` is no e-mail address"),
        ("frequency", "hourly", "`hourly` is no frequency"),
        ("hour", "24", "`24` is no hour"),
        ("hour", "7.5", "`7.5` is no hour"),
        ("zone", "Mars%2FOlympus", "`Mars/Olympus` is no time zone"),
        ("q", "year%3Ax", "The query cannot be read"),
        ("votes", "-1", "`-1` is no number of votes"),
        ("votes", "1000001", "`1000001` is no number of votes"),
        ("most", "0", "`0` is no number of papers"),
        ("most", "51", "`51` is no number of papers"),
        ("most", "", "`` is no number of papers"),
    ] {
        let form = match field {
            "email" => format!("email={value}"),
            _ => format!("email=ada%40example.org&{field}={value}"),
        };
        let answer = site.post("/subscribe", &form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form}");
        assert!(answer.body.contains(problem), "{form}: {}", answer.body);
        assert!(answer.body.contains("aria-invalid=\"true\""), "{form}");
        html::check(&form, &answer.body);
    }
    let long = format!("email=ada%40example.org&q={}", "x".repeat(501));
    assert_eq!(site.post("/subscribe", &long).await.status, StatusCode::BAD_REQUEST);
    assert!(site.catalog.claim_mail().await.unwrap().is_none());
    let right = form.replace("%22open", "%22open+set%22");
    assert_eq!(site.post("/subscribe", &right).await.status, StatusCode::SEE_OTHER);
    let mail = mail(&site).await;
    assert!(mail.body.contains("on Fridays at 18:00 (Asia/Tokyo)"), "{}", mail.body);
    let id = site.catalog.signing_key().await.unwrap();
    let id = id.read(Purpose::Confirm, &token(&mail, "confirm")).unwrap();
    let wanted = site.catalog.subscription(id).await.unwrap().unwrap().preferences;
    assert_eq!((wanted.query.as_str(), wanted.min_votes, wanted.most), ("\"open set\"", 3, 5));
    assert!(wanted.send_empty);
}

/// An answer without what differs between any two.
fn same(answer: Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
    (answer.status, headers, answer.body)
}

#[tokio::test]
async fn nobody_learns_who_is_subscribed() {
    let site = TestSite::new().await;
    subscribed(&site, "known").await;
    site.post("/subscribe", "email=open%40example.org").await;
    mail(&site).await;
    let mut answers = Vec::new();
    for name in ["new", "open", "known"] {
        let form = format!("email={name}%40example.org&hour=9&q=experts");
        answers.push(same(site.post("/subscribe", &form).await));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    // The two that were asked a moment ago get no second mail.
    assert_eq!(mail(&site).await.recipient.as_str(), "new@example.org");
    assert!(site.catalog.claim_mail().await.unwrap().is_none());
    // What is confirmed stays as it is: anybody can ask.
    let known = site.catalog.subscription_of(&"known@example.org".parse().unwrap()).await;
    assert_eq!(known.unwrap().unwrap().preferences.query, "");
}

#[tokio::test]
async fn strangers_cannot_be_mailed_at_will_or_in_ones_own_words() {
    let site = TestSite::new().await;
    let form = "email=victim%40example.org&q=buy+evil.example+now";
    for _ in 0..8 {
        let answer = site.post("/subscribe", form).await;
        assert_eq!(answer.header("location"), "/subscribe/sent");
    }
    let first = mail(&site).await;
    assert!(!first.body.contains("evil"), "{}", first.body);
    assert!(first.body.contains("a search of your own"), "{}", first.body);
    assert!(site.catalog.claim_mail().await.unwrap().is_none(), "one mail in a quarter of an hour");
    let mut statuses = Vec::new();
    for i in 0..20 {
        statuses.push(site.post("/subscribe", &format!("email=p{i}%40example.org")).await.status);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test]
async fn nothing_that_is_typed_becomes_a_header_or_a_script() {
    let site = TestSite::new().await;
    for form in [
        "email=a%40example.org%0D%0ABcc%3A+b%40example.org",
        "email=%22a%0D%0ABcc%3A+b%22%40example.org",
        "email=a%40example.org%2C+b%40example.org",
        "email=Ada+%3Ca%40example.org%3E",
        "email=a%40example.org&zone=UTC%0D%0ABcc%3A+b",
        "email=a%40example.org&q=x%0D%0ABcc%3A+b",
        "email=a%40example.org&frequency=monday%0D%0AX%3A+y",
    ] {
        assert_eq!(site.post("/subscribe", form).await.status, StatusCode::BAD_REQUEST, "{form}");
    }
    assert!(site.catalog.claim_mail().await.unwrap().is_none());
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for field in ["email", "frequency", "hour", "zone", "q", "votes", "most", "empty"] {
        // The address is wrong, so that the form comes back.
        let answer = site.post("/subscribe", &format!("email=x&{field}={hostile}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}");
        html::check(field, &answer.body);
        assert!(!answer.body.contains("<script>alert"), "{field}");
    }
    for path in [format!("/subscribe?q={hostile}"), format!("/search?q=x{hostile}")] {
        let answer = site.get(&path).await;
        assert!(!answer.body.contains("<script>alert"), "{path}");
    }
    // A search that can be read is stored, and shown where it is confirmed and changed.
    let form = "email=a%40example.org&q=%22%3Cscript%3Ealert(1)%3C%2Fscript%3E%22";
    site.post("/subscribe", form).await;
    let token = token(&mail(&site).await, "confirm");
    let page = site.page(&format!("/digest/confirm?token={token}")).await;
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    let answer = site.post("/digest/confirm", &format!("token={token}")).await;
    let page = site.page(answer.header("location")).await;
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    let done = format!("{}&done={hostile}", answer.header("location"));
    assert!(!site.page(&done).await.contains("<p class=\"notice\""));
}

#[tokio::test]
async fn a_token_opens_what_it_is_for_and_nothing_else() {
    let site = TestSite::new().await;
    let (ada, manage) = subscribed(&site, "ada").await;
    let key = site.catalog.signing_key().await.unwrap();
    let other = TestSite::new().await.catalog.signing_key().await.unwrap();
    let (confirm, leave) =
        (key.token(Purpose::Confirm, ada.id), key.token(Purpose::Unsubscribe, ada.id));
    let broken = format!("{}0", &manage[..manage.len() - 1]);
    let foreign = other.token(Purpose::Manage, ada.id);
    let nobody = |purpose| key.token(purpose, ada.id ^ 1);
    let nothing = String::new();
    let mut bodies = Vec::new();
    for (page, tokens) in [
        ("confirm", [&manage, &leave, &foreign, &nobody(Purpose::Confirm), &nothing]),
        ("manage", [&confirm, &leave, &foreign, &nobody(Purpose::Manage), &broken]),
        ("unsubscribe", [&confirm, &manage, &foreign, &broken, &nothing]),
    ] {
        for token in tokens.into_iter().filter(|token| **token != manage || page != "manage") {
            let get = site.get(&format!("/digest/{page}?token={token}")).await;
            let path = format!("/digest/{page}?token={token}");
            let post = site.post(&path, &format!("token={token}")).await;
            for answer in [get, post] {
                assert_eq!(answer.status, StatusCode::GONE, "{page} {token}");
                assert_eq!(answer.header("cache-control"), "no-store");
                bodies.push(answer.body);
            }
        }
    }
    for path in ["/digest/pause", "/digest/resume", "/digest/test"] {
        for token in [&confirm, &leave, &foreign, &nobody(Purpose::Manage), &nothing] {
            let answer = site.post(path, &format!("token={token}&until=2099-01-01")).await;
            assert_eq!(answer.status, StatusCode::GONE, "{path} {token}");
            bodies.push(answer.body);
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "one and the same page");
    assert!(!bodies[0].contains("example.org"));
    html::check("gone", &bodies[0]);
    let now = site.catalog.subscription(ada.id).await.unwrap().unwrap();
    assert_eq!(now, ada, "nothing has changed");
    // What acts is not reached by opening it, with the right token neither.
    for page in ["pause", "resume", "test", "admin/resume", "admin/remove"] {
        let answer = site.get(&format!("/digest/{page}?token={manage}")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{page}");
    }
    // Before the address is confirmed nothing can be managed.
    site.post("/subscribe", "email=max%40example.org").await;
    let token = token(&mail(&site).await, "confirm");
    let max = key.read(Purpose::Confirm, &token).unwrap();
    let page = format!("/digest/manage?token={}", key.token(Purpose::Manage, max));
    assert_eq!(site.get(&page).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn leaving_takes_one_click_from_anywhere() {
    let site = TestSite::new().await;
    let (ada, _) = subscribed(&site, "ada").await;
    let (max, _) = subscribed(&site, "max").await;
    let key = site.catalog.signing_key().await.unwrap();
    let path = |id| format!("/digest/unsubscribe?token={}", key.token(Purpose::Unsubscribe, id));
    // A mail scanner opens it.
    let page = site.page(&path(ada.id)).await;
    assert!(!page.contains("ada@"), "a mail that is forwarded shows it to others");
    assert!(exists(&site, ada.id).await);
    // As RFC 8058 has it: no cookie, no Origin, no redirect, and a body in either form.
    let one_click = async |path: &str, kind: &str, body: &'static str| {
        let request = Request::post(path).header("host", HOST).header("content-type", kind);
        site.ask(request.body(Body::from(body)).unwrap()).await
    };
    let urlencoded = "application/x-www-form-urlencoded";
    for _ in 0..2 {
        let answer = one_click(&path(ada.id), urlencoded, "List-Unsubscribe=One-Click").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cache-control"), "no-store");
        html::check("unsubscribed", &answer.body);
        assert!(!exists(&site, ada.id).await);
    }
    assert!(exists(&site, max.id).await, "a token is of one person");
    let (eve, _) = subscribed(&site, "eve").await;
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
         One-Click\r\n--x--\r\n";
    let answer = one_click(&path(eve.id), "multipart/form-data; boundary=x", multipart).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!exists(&site, eve.id).await);
    // A webmail's own form is cross-site; the token is what counts.
    let foreign = [("origin", "https://mail.example"), ("sec-fetch-site", "cross-site")];
    let none = site.post_with("/digest/unsubscribe", "", &foreign).await;
    assert_eq!(none.status, StatusCode::GONE);
    let answer = site.post_with(&path(max.id), "List-Unsubscribe=One-Click", &foreign).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!exists(&site, max.id).await);
    // What is over has no page any more, but its end can be asked for still.
    let manage = format!("/digest/manage?token={}", key.token(Purpose::Manage, max.id));
    assert_eq!(site.get(&manage).await.status, StatusCode::GONE);
    assert_eq!(site.get(&path(max.id)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn links_of_mails_begin_with_the_address_that_is_set() {
    let public_url = Some("https://papers.example.net".to_owned());
    let set = pressrun_web::Settings { public_url, ..settings() };
    let site = TestSite::with_settings(set).await;
    let form = "email=ada%40example.org";
    let own = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    site.post_with("/subscribe", form, &own).await;
    let body = mail(&site).await.body;
    assert!(body.contains("https://papers.example.net/digest/confirm?token="), "{body}");
    assert!(!body.contains("evil"), "{body}");
}

#[tokio::test]
async fn a_search_can_be_had_by_mail() {
    let site = TestSite::new().await.indexed().await;
    let page = site.page("/search?q=gates").await;
    assert!(page.contains("href=\"/subscribe?q=gates\""), "{page}");
    let nothing = site.page("/search?q=author%3Anobody").await;
    assert!(nothing.contains("href=\"/subscribe?q=author%3Anobody\""), "{nothing}");
}
