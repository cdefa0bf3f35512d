//! Signing in, accounts, votes, and what must not work.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{Email, Link, Role, Scope, Secret};
use pressrun_web::Settings;

use crate::site::{Answer, HOST, TestSite};

/// Somebody with a browser.
pub struct Browser<'a> {
    pub site: &'a TestSite,
    pub cookie: String,
}

impl<'a> Browser<'a> {
    pub fn new(site: &'a TestSite) -> Self {
        Self { site, cookie: String::new() }
    }

    /// Signed in, by a link.
    pub async fn of(site: &'a TestSite, email: &str, role: Role) -> Self {
        let (secret, email) = (Secret::new(), email.parse::<Email>().unwrap());
        let link = Link { email: Some(email), role, return_to: "/".into() };
        site.catalog.offer_sign_in(&secret, &link, None).await.unwrap();
        let mut browser = Self::new(site);
        let answer = browser.post("/sign-in/link", &format!("token={}", secret.reveal())).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", HOST).header("accept", "text/html");
        let request = request.header("cookie", &self.cookie).body(Body::empty()).unwrap();
        self.site.ask(request).await
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        let origin = format!("http://{HOST}");
        let cookie = self.cookie.clone();
        let headers =
            [("origin", origin.as_str()), ("sec-fetch-site", "same-origin"), ("cookie", &cookie)];
        let answer = self.site.post_with(path, form, &headers).await;
        if let Some(new) = answer.header("set-cookie").split(';').next().filter(|c| !c.is_empty()) {
            self.cookie = new.to_owned();
        }
        answer
    }
}

/// The secret of the link in the next mail.
async fn mailed(site: &TestSite) -> (String, String) {
    let mail = site.catalog.claim_mail().await.unwrap().expect("a mail");
    let token = mail.body.split("token=").nth(1).expect("a link");
    (mail.recipient.to_string(), token.split_whitespace().next().unwrap().to_owned())
}

#[tokio::test]
async fn a_mailed_link_signs_in_once_and_opening_it_does_nothing() {
    let site = TestSite::new().await;
    let mut browser = Browser::new(&site);
    assert!(browser.get("/").await.body.contains("href=\"/sign-in\""));
    let asked = browser.post("/sign-in", "email=Ada%40Example.org&to=%2Fpapers%2Fall").await;
    assert_eq!((asked.status, asked.header("location")), (StatusCode::SEE_OTHER, "/sign-in/sent"));
    assert!(site.page("/sign-in/sent").await.contains("Look into your mail"));
    let (to, token) = mailed(&site).await;
    assert_eq!(to, "ada@example.org");
    let link = format!("/sign-in/link?token={token}");
    // A mail scanner opens it, twice.
    for _ in 0..2 {
        let page = Browser::new(&site).get(&link).await;
        assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
        assert_eq!(page.header("set-cookie"), "");
    }
    assert!(site.catalog.person_called("ada").await.unwrap().is_none());
    let answer = browser.post("/sign-in/link", &format!("token={token}")).await;
    assert_eq!(answer.header("location"), "/papers/all");
    let cookie = answer.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(&token), "the link's secret is not the session's");
    assert!(browser.get("/").await.body.contains("href=\"/account\""));
    let again = Browser::new(&site).post("/sign-in/link", &format!("token={token}")).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert_eq!(browser.get(&link).await.status, StatusCode::GONE);
    // Out again: the session is over, not only the cookie.
    let before = browser.cookie.clone();
    assert_eq!(browser.post("/sign-out", "").await.status, StatusCode::SEE_OTHER);
    browser.cookie = before;
    assert_eq!(browser.get("/account").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_learns_who_is_registered() {
    let site = TestSite::new().await;
    site.catalog.add_person(&"known@example.org".parse().unwrap(), Role::Reader).await.unwrap();
    let mut answers = Vec::new();
    for email in ["known", "unknown"] {
        let form = format!("email={email}%40example.org");
        let answer = Browser::new(&site).post("/sign-in", &form).await;
        answers.push((answer.status, answer.header("location").to_owned(), answer.body));
        mailed(&site).await;
    }
    assert_eq!(answers[0], answers[1]);
    // Asked for too often, an address gets no more mail, and who asks cannot tell.
    for _ in 0..6 {
        let answer = Browser::new(&site).post("/sign-in", "email=known%40example.org").await;
        assert_eq!(answer.header("location"), "/sign-in/sent");
    }
    let mut mails = 0;
    while site.catalog.claim_mail().await.unwrap().is_some() {
        mails += 1;
    }
    assert_eq!(mails, 4);
    // One network may not ask for any number of mails.
    let mut statuses = Vec::new();
    for i in 0..20 {
        let form = format!("email=p{i}%40example.org");
        statuses.push(Browser::new(&site).post("/sign-in", &form).await.status);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test]
async fn a_session_cannot_be_fixed_beforehand() {
    let site = TestSite::new().await;
    let mallory = Browser::of(&site, "mallory@example.org", Role::Reader).await;
    // The victim's browser has been given Mallory's cookie, then signs in.
    let (secret, email) = (Secret::new(), "ada@example.org".parse::<Email>().unwrap());
    let link = Link { email: Some(email), role: Role::Reader, return_to: "/".into() };
    site.catalog.offer_sign_in(&secret, &link, None).await.unwrap();
    let mut victim = Browser { site: &site, cookie: mallory.cookie.clone() };
    victim.post("/sign-in/link", &format!("token={}", secret.reveal())).await;
    assert_ne!(victim.cookie, mallory.cookie);
    assert_eq!(mallory.get("/account").await.status, StatusCode::UNAUTHORIZED);
    assert!(victim.get("/account").await.body.contains("ada@example.org"));
}

#[tokio::test]
async fn links_lead_to_this_site_only() {
    let site = TestSite::new().await;
    for to in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let form = format!("email=a{}%40example.org&to={to}", to.len());
        let mut browser = Browser::new(&site);
        browser.post("/sign-in", &form).await;
        let (_, token) = mailed(&site).await;
        let answer = browser.post("/sign-in/link", &format!("token={token}")).await;
        assert_eq!(answer.header("location"), "/");
        let page = browser.get(&format!("/sign-in?to={to}")).await.body;
        assert!(page.contains("name=\"to\" value=\"/\""), "{page}");
    }
}

#[tokio::test]
async fn other_sites_cannot_act() {
    let site = TestSite::new().await;
    let browser = Browser::of(&site, "ada@example.org", Role::Reader).await;
    for path in [
        "/sign-in",
        "/sign-in/link",
        "/sign-out",
        "/account",
        "/account/tokens",
        "/account/tokens/remove",
        "/account/sessions/end",
        "/account/delete",
        "/papers/demo-paper/vote",
        "/api/papers/demo-paper/vote",
        "/submit",
        "/submissions",
        "/submissions/1",
        "/submissions/1/withdraw",
        "/submissions/1/accept",
        "/submissions/1/decline",
        "/papers/demo-paper/propose",
        "/papers/demo-paper/list",
        "/papers/demo-paper/links",
        "/api/papers/index",
        "/api/papers/submit",
        "/api/papers/demo-paper/links",
        "/api/papers/demo-paper/list",
        "/account/mail",
        "/papers/demo-paper/comments",
        "/papers/demo-paper/comments/1/edit",
        "/papers/demo-paper/comments/1/delete",
        "/papers/demo-paper/comments/1/report",
        "/papers/demo-paper/comments/1/hide",
        "/papers/demo-paper/claim",
        "/papers/demo-paper/claims/C1/reply",
        "/moderation/claims",
        "/moderation/reports",
        "/moderation/replies",
        "/people/ada/block",
        "/api/papers/demo-paper/comments",
        "/api/settings/papers/claim",
        "/papers/demo-paper/library",
        "/papers/demo-paper/library/remove",
        "/library/tags/rename",
        "/library/tags/delete",
        "/subscribe",
        "/digest/confirm",
        "/digest/manage",
        "/digest/pause",
        "/digest/resume",
        "/digest/test",
        "/digest/admin/resume",
        "/digest/admin/remove",
    ] {
        let foreign = [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("cookie", browser.cookie.as_str()),
        ];
        let answer = site.post_with(path, "vote=1", &foreign).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn votes_in_place_and_by_plain_form() {
    let site = TestSite::new().await;
    let id = site.catalog.list(&Default::default()).await.unwrap().papers[0].id.clone();
    let path = format!("/papers/{id}/vote");
    assert_eq!(site.post(&path, "vote=1").await.status, StatusCode::UNAUTHORIZED);
    assert!(site.page("/papers/all").await.contains("/sign-in?to=%2Fpapers%2F"));
    let mut browser = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let answer = browser.post(&path, "vote=1&to=%2Fpapers%2Fall").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/papers/all"));
    for page in ["/papers/all", &format!("/papers/{id}"), "/papers/trending"] {
        let page = browser.get(page).await.body;
        assert!(page.contains("aria-pressed=\"true\"") && page.contains("1 vote<"), "{page}");
    }
    let off = browser.post(&path, "vote=0").await;
    assert_eq!(off.header("location"), "/");
    assert!(browser.get("/papers/all").await.body.contains("0 votes"));
    assert_eq!(browser.post(&path, "vote=2").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.post("/papers/none/vote", "vote=1").await.status, StatusCode::NOT_FOUND);
    let stolen = browser.post(&path, "vote=1&to=https%3A%2F%2Fevil.example").await;
    assert_eq!(stolen.header("location"), "/");
}

#[tokio::test]
async fn tokens_do_what_they_may_and_no_more() {
    let site = TestSite::new().await;
    let id = site.catalog.list(&Default::default()).await.unwrap().papers[0].id.clone();
    let mut browser = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let page = browser.post("/account/tokens", "name=laptop&scope=read&scope=write").await;
    assert_eq!(page.status, StatusCode::OK);
    let token = page.body.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(!browser.get("/account").await.body.contains(&token), "shown once");
    let with = |token: &str, method: &str, path: &str, body: &'static str| {
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let request = request.header("authorization", format!("Bearer {token}"));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    };
    let vote = format!("/api/papers/{id}/vote");
    let answer = site.ask(with(&token, "POST", &vote, "vote=1")).await;
    assert_eq!(answer.json(), serde_json::json!({ "voted": true, "votes": 1 }));
    let data = site.ask(with(&token, "GET", "/account/data.json", "")).await.json();
    assert_eq!(data["votes"][0]["paper"], id.as_str());
    assert_eq!(data["person"]["email"], "ada@example.org");
    assert!(!data.to_string().contains(&token));
    // It changes no account, and cannot make itself more powerful.
    for (path, body) in [
        ("/account/tokens", "name=more&scope=manage"),
        ("/account/delete", "confirm=x"),
        ("/account", "name=x&handle=xyz"),
        ("/sign-out", ""),
    ] {
        let answer = site.ask(with(&token, "POST", path, body)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let person = site.catalog.add_person(&"ada@example.org".parse().unwrap(), Role::Reader).await;
    let person = person.unwrap().id;
    let weak = site.catalog.add_token(person, "weak", &[Scope::Read], None).await.unwrap();
    let answer = site.ask(with(weak.reveal(), "POST", &vote, "vote=1")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("scope `write`"), "{}", answer.body);
    for wrong in ["", "abc", Secret::new().reveal()] {
        let answer = site.ask(with(wrong, "GET", "/papers/all", "")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    // Somebody else cannot remove it; its owner can.
    let number = site.catalog.tokens(person).await.unwrap()[0].id;
    let mut other = Browser::of(&site, "max@example.org", Role::Administrator).await;
    let form = format!("id={number}");
    let refused = other.post("/account/tokens/remove", &form).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post("/account/tokens/remove", &form).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_account_is_the_persons_own() {
    let site = TestSite::new().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    // Pages that name her are hers alone, the page of an error too.
    for (path, status) in [("/papers/all", StatusCode::OK), ("/nothing", StatusCode::NOT_FOUND)] {
        let answer = ada.get(path).await;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains("href=\"/account\""), "{path}: {}", answer.body);
    }
    assert_eq!(ada.get("/papers/all").await.header("cache-control"), "private, no-cache");
    assert_eq!(site.get("/papers/all").await.header("cache-control"), "no-cache");
    let mut max = Browser::of(&site, "max@example.org", Role::Reader).await;
    let hostile = "name=%3Cscript%3Ealert(1)%3C%2Fscript%3E&handle=ada\
         &about=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E%0D%0Ajavascript%3Aalert(1)";
    assert_eq!(ada.post("/account", hostile).await.status, StatusCode::SEE_OTHER);
    for page in ["/people/ada", "/papers/all"] {
        let page = ada.get(page).await.body;
        assert!(
            page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"),
            "{page}"
        );
        assert!(!page.contains("<img src"));
    }
    assert!(!max.get("/people/ada").await.body.contains("ada@example.org"));
    let taken = max.post("/account", "name=Max&handle=ada").await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let bad = max.post("/account", "name=Max&handle=A+B").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.body.contains("3 to 30 of the letters"), "{}", bad.body);
    assert_eq!(site.get("/people/nobody").await.status, StatusCode::NOT_FOUND);
    // Deleting needs the short name, and takes everything.
    assert_eq!(ada.post("/account/delete", "confirm=max").await.status, StatusCode::BAD_REQUEST);
    let gone = ada.post("/account/delete", "confirm=ada").await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(site.get("/people/ada").await.status, StatusCode::NOT_FOUND);
    assert!(max.get("/account").await.body.contains("max@example.org"));
}

#[tokio::test]
async fn blocked_people_only_read() {
    let site = TestSite::new().await;
    let id = site.catalog.list(&Default::default()).await.unwrap().papers[0].id.clone();
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let person = site.catalog.add_person(&"ada@example.org".parse().unwrap(), Role::Reader).await;
    site.catalog.set_blocked(person.unwrap().id, true).await.unwrap();
    let answer = ada.post(&format!("/papers/{id}/vote"), "vote=1").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(ada.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_acts_too_often_waits() {
    let site = TestSite::new().await;
    let id = site.catalog.list(&Default::default()).await.unwrap().papers[0].id.clone();
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let mut last = StatusCode::OK;
    for i in 0..80 {
        last = ada.post(&format!("/papers/{id}/vote"), &format!("vote={}", i % 2)).await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn runs_may_be_for_people_with_an_account() {
    let settings = Settings { open_runs: false, ..crate::site::settings() };
    let site = TestSite::with_settings(settings).await;
    let id = site.catalog.paper(crate::demo::SLUG).await.unwrap().unwrap().id;
    let path = format!("/papers/{id}/runs");
    let refused = site.post(&path, "profile=quick").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.body.contains("href=\"/sign-in\""), "{}", refused.body);
    let run = site.queued().await.id;
    for action in ["cancel", "restart"] {
        let answer = site.post(&format!("/runs/{run}/{action}"), "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{action}");
    }
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let started = ada.post(&path, "profile=quick").await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.body);
    // A token needs the scope, also where everybody may.
    let open = TestSite::new().await;
    let person = open.catalog.add_person(&"max@example.org".parse().unwrap(), Role::Reader).await;
    let person = person.unwrap().id;
    for (scope, status) in
        [(Scope::Read, StatusCode::FORBIDDEN), (Scope::Run, StatusCode::SEE_OTHER)]
    {
        let token = open.catalog.add_token(person, "t", &[scope], None).await.unwrap();
        let bearer = format!("Bearer {}", token.reveal());
        let answer =
            open.post_with(&path, "profile=quick", &[("authorization", bearer.as_str())]).await;
        assert_eq!(answer.status, status, "{scope}: {}", answer.body);
    }
}
