//! Comments, moderation, authors: what people see, and what must not work.

mod curators;
mod programs;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{Email, Person, Profile, Role, Scope};

use crate::people::Browser;
use crate::site::{Answer, HOST, TestSite};
use crate::{demo, html};

/// A form's body.
fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    };
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Somebody whose short name is their name, with a browser.
async fn somebody<'a>(site: &'a TestSite, name: &str, role: Role) -> (Browser<'a>, Person) {
    let email = format!("{name}@example.org");
    let browser = Browser::of(site, &email, role).await;
    let person = site.catalog.add_person(&email.parse::<Email>().unwrap(), role).await.unwrap();
    let profile = Profile { handle: name.into(), name: name.to_uppercase(), about: "".into() };
    site.catalog.edit_profile(person.id, &profile).await.unwrap();
    (browser, site.catalog.person(person.id).await.unwrap().unwrap())
}

async fn paper(site: &TestSite) -> String {
    format!("/papers/{}", site.catalog.paper(demo::SLUG).await.unwrap().unwrap().id)
}

async fn post(browser: &mut Browser<'_>, paper: &str, text: &str) -> Answer {
    browser.post(&format!("{paper}/comments"), &form(&[("text", text), ("do", "post")])).await
}

/// A page that must be there and must be right, as this browser gets it.
async fn page(browser: &Browser<'_>, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    html::check(path, &answer.body);
    answer.body
}

/// What a program with a token asks.
async fn ask(site: &TestSite, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", HOST);
    let request = request.header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}"));
    site.ask(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_comment_is_previewed_posted_answered_edited_and_deleted() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let page_of = site.page(&paper).await;
    assert!(page_of.contains("/sign-in?to=%2Fpapers%2F") && page_of.contains("to take part"));
    let comments = format!("{paper}/comments");
    assert_eq!(site.post(&comments, "text=x").await.status, StatusCode::UNAUTHORIZED);
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, _) = somebody(&site, "max", Role::Reader).await;

    let text = "A *formula*, $e^{i\\pi}$, for @max.";
    let preview = ada.post(&comments, &form(&[("text", text), ("do", "preview")])).await;
    assert_eq!(preview.status, StatusCode::OK);
    html::check("preview", &preview.body);
    assert!(preview.body.contains("<em>formula</em>") && preview.body.contains("<math>"));
    assert!(preview.body.contains("href=\"/people/max\""), "{}", preview.body);
    assert!(preview.body.contains("A *formula*, $e^{i\\pi}$"), "it can be posted from there");
    assert!(site.page(&paper).await.contains("Nobody has said anything"));

    let posted = post(&mut ada, &paper, text).await;
    assert_eq!(posted.header("location"), format!("{paper}#comment-1"));
    let shown = site.page(&paper).await;
    assert!(shown.contains("id=\"comment-1\"") && shown.contains("1 comment<"), "{shown}");
    assert!(shown.contains("<em>formula</em>") && shown.contains("href=\"/people/max\""));
    assert!(site.page("/papers/all").await.contains("1 comment<"));

    page(&max, &format!("{comments}/1/reply")).await;
    let answer = form(&[("text", "Under it."), ("parent", "1"), ("do", "post")]);
    let answered = max.post(&comments, &answer).await;
    assert_eq!(answered.header("location"), format!("{paper}#comment-2"));
    assert!(page(&ada, &paper).await.contains("class=\"comment d1\""));

    page(&ada, &format!("{comments}/1/edit")).await;
    let preview = form(&[("text", "Other *words*."), ("do", "preview")]);
    let preview = ada.post(&format!("{comments}/1/edit"), &preview).await;
    assert!(preview.body.contains("<em>words</em>"), "{}", preview.body);
    let saved = ada.post(&format!("{comments}/1/edit"), &form(&[("text", "Other words.")])).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let history = site.page(&format!("{comments}/1/history")).await;
    assert!(history.contains("Other words.") && history.contains("<em>formula</em>"));
    assert!(site.page(&paper).await.contains(">edited<"));

    let gone = ada.post(&format!("{comments}/1/delete"), "").await;
    assert_eq!(gone.header("location"), format!("{paper}#discussion"));
    let shown = site.page(&paper).await;
    assert!(shown.contains("This comment was deleted.") && shown.contains("Under it."));
    assert!(!shown.contains("Other words."));
    let history = site.get(&format!("{comments}/1/history")).await;
    assert_eq!(history.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&format!("{paper}?comments=2")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&format!("{paper}?comments=0")).await.status, StatusCode::BAD_REQUEST);
    for none in ["0", "9", "-1", "x", "99999999999999999999"] {
        let answer = site.get(&format!("{comments}/{none}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{none}");
    }
}

#[tokio::test]
async fn a_long_discussion_has_pages() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (_, ada) = somebody(&site, "ada", Role::Reader).await;
    let id = paper.trim_start_matches("/papers/");
    for i in 1..=51 {
        let new = pressrun_catalog::NewComment {
            paper: id.into(),
            person: ada.id,
            parent: None,
            text: format!("Number {i}."),
            mentions: vec![],
        };
        site.catalog.add_comment(&new, &|_| unreachable!("nobody wants mail")).await.unwrap();
    }
    let first = site.page(&paper).await;
    assert!(first.contains("Number 50.") && !first.contains("Number 51."));
    assert!(first.contains(&format!("href=\"{paper}?comments=2#discussion\"")), "{first}");
    let second = site.page(&format!("{paper}?comments=2")).await;
    assert!(second.contains("Number 51.") && !second.contains("Number 50."));
    let link = site.get(&format!("{paper}/comments/51")).await;
    assert_eq!(link.header("location"), format!("{paper}?comments=2#comment-51"));
    let list = site.get(&format!("/api{paper}/comments?limit=20&page=3")).await.json();
    assert_eq!((list["numComments"].as_i64(), list["pages"].as_i64()), (Some(51), Some(3)));
    assert_eq!(list["comments"][10]["number"], 51);
}

#[tokio::test]
async fn what_would_act_is_inert_everywhere() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) \
         ]]> $\\href{javascript:alert(1)}{x}$ $\\text{</mtext><script>alert(1)</script>}$ \"><svg onload=alert(1)>";
    let profile = form(&[("name", "<script>alert(2)</script>"), ("handle", "ada")]);
    ada.post("/account", &profile).await;
    post(&mut ada, &paper, hostile).await;
    post(&mut ada, &paper, "before").await;
    ada.post(&format!("{paper}/comments/2/edit"), &form(&[("text", hostile)])).await;
    ada.post(&format!("{paper}/comments/2/edit"), &form(&[("text", "after")])).await;
    let (mut max, _) = somebody(&site, "max", Role::Curator).await;
    max.post(&format!("{paper}/comments/1/report"), &form(&[("reason", hostile)])).await;
    for path in [
        paper.clone(),
        format!("{paper}/comments/1/reply"),
        format!("{paper}/comments/1/report"),
        format!("{paper}/comments/1/hide"),
        format!("{paper}/comments/2/history"),
        "/people/ada".into(),
        "/moderation".into(),
    ] {
        let body = page(&max, &path).await;
        for bad in ["<script>alert", "<img src=x", "<svg onload", "href=\"javascript"] {
            assert!(!body.contains(bad), "{bad} in {path}: {body}");
        }
    }
    page(&ada, &format!("{paper}/comments/1/edit")).await;
    for path in [format!("{paper}.atom"), "/comments.atom".into()] {
        let feed = site.get(&path).await;
        assert_eq!(feed.status, StatusCode::OK);
        assert!(feed.body.contains("&amp;lt;script&amp;gt;"), "{}", feed.body);
        assert!(!feed.body.contains("<script") && !feed.body.contains("]]>"), "{}", feed.body);
    }
    let feed = site.get("/comments.feed.json").await.json();
    let html = feed["items"][1]["content_html"].as_str().unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
}

#[tokio::test]
async fn somebody_elses_is_theirs() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, person) = somebody(&site, "max", Role::Curator).await;
    post(&mut ada, &paper, "Ada's.").await;
    let token = site.catalog.add_token(person.id, "t", &Scope::ALL, None).await.unwrap();
    let comment = format!("{paper}/comments/1");
    assert_eq!(max.get(&format!("{comment}/edit")).await.status, StatusCode::FORBIDDEN);
    for path in ["edit", "delete"] {
        let answer = max.post(&format!("{comment}/{path}"), &form(&[("text", "Max's.")])).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    for (method, body) in [("PUT", "{\"text\":\"Max's.\"}"), ("DELETE", "")] {
        let answer = ask(&site, token.reveal(), method, &format!("/api{comment}"), body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method}");
    }
    // The number of another paper's comment leads nowhere.
    for path in ["edit", "delete", "report", "hide"] {
        let elsewhere = format!("/papers/{}/comments/1/{path}", demo::HOSTILE);
        let fields = form(&[("text", "x"), ("reason", "x"), ("hidden", "1")]);
        let answer = max.post(&elsewhere, &fields).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(
        site.page(&paper).await.contains("Ada&#39;s.")
            || site.page(&paper).await.contains("Ada's.")
    );
}

#[tokio::test]
async fn what_is_hidden_is_read_nowhere() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, _) = somebody(&site, "max", Role::Curator).await;
    let (mut eve, person) = somebody(&site, "eve", Role::Reader).await;
    post(&mut ada, &paper, "Unspeakable words.").await;
    ada.post(&format!("{paper}/comments/1/edit"), &form(&[("text", "Unspeakable, edited.")])).await;
    let comment = format!("{paper}/comments/1");
    let report = form(&[("reason", "It is unspeakable.")]);
    assert_eq!(eve.post(&format!("{comment}/report"), &report).await.status, StatusCode::OK);
    for path in ["/moderation", &format!("{comment}/hide")] {
        assert_eq!(eve.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(site.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let hide = form(&[("hidden", "1"), ("reason", "Not here.")]);
    assert_eq!(eve.post(&format!("{comment}/hide"), &hide).await.status, StatusCode::FORBIDDEN);
    let queue = page(&max, "/moderation").await;
    assert!(queue.contains("It is unspeakable.") && queue.contains("@eve"), "{queue}");
    page(&max, &format!("{comment}/hide")).await;
    assert_eq!(max.post(&format!("{comment}/hide"), &hide).await.status, StatusCode::SEE_OTHER);

    site.index().await;
    let read = site.catalog.add_token(person.id, "t", &[Scope::Read], None).await.unwrap();
    let places = [
        paper.clone(),
        comment.clone(),
        format!("{comment}/history"),
        format!("{comment}/reply"),
        format!("{comment}/report"),
        format!("{comment}/edit"),
        format!("/api{comment}"),
        format!("/api{paper}/comments"),
        format!("/api{paper}"),
        format!("{paper}.atom"),
        format!("{paper}.feed.json"),
        format!("{paper}.md"),
        "/comments.atom".into(),
        "/comments.feed.json".into(),
        "/people/ada".into(),
        "/search?q=unspeakable".into(),
        "/api/papers/search?q=unspeakable".into(),
        "/account/data.json".into(),
    ];
    for path in &places {
        let answers = [
            site.get(path).await,
            eve.get(path).await,
            ask(&site, read.reveal(), "GET", path, "").await,
        ];
        for answer in answers {
            let body = answer.body.replace("unspeakable", "").replace("It is Unspeakable", "");
            assert!(!body.contains("Unspeakable"), "{path}: {body}");
        }
    }
    let shown = site.page(&paper).await;
    assert!(shown.contains("A curator has hidden this comment: Not here."), "{shown}");
    assert!(!shown.contains("1 comment<"));
    assert!(!site.page("/people/ada").await.contains("Recent comments"));
    // Its author and the curators see it.
    for browser in [&ada, &max] {
        assert!(page(browser, &paper).await.contains("Unspeakable, edited."));
        page(browser, &format!("{comment}/history")).await;
    }
    assert!(page(&max, "/moderation").await.contains("Unspeakable, edited."));
    page(&max, &format!("{comment}/hide")).await;
    let edit = ada.post(&format!("{comment}/edit"), &form(&[("text", "Other.")])).await;
    assert_eq!(edit.status, StatusCode::NOT_FOUND);
    max.post(&format!("{comment}/hide"), &form(&[("hidden", "0")])).await;
    assert!(site.page(&paper).await.contains("Unspeakable, edited."));
}

#[tokio::test]
async fn mail_is_sent_to_those_who_want_it() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let (mut max, _) = somebody(&site, "max", Role::Reader).await;
    post(&mut ada, &paper, "Hello @max.").await;
    assert!(site.catalog.claim_mail().await.unwrap().is_none());
    assert_eq!(max.post("/account/mail", "replies=1").await.status, StatusCode::SEE_OTHER);
    assert!(page(&max, "/account").await.contains("name=\"replies\" value=\"1\" checked"));
    post(&mut ada, &paper, "Hello again, @max.\r\nBcc: all@example.org").await;
    let mail = site.catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!(mail.recipient.as_str(), "max@example.org");
    assert!(mail.subject.starts_with("ADA mentioned you: "), "{}", mail.subject);
    let link = format!("http://127.0.0.1:8080{paper}/comments/2");
    assert!(mail.body.contains(&link) && mail.body.contains("/account#mail"), "{}", mail.body);
    assert!(!mail.subject.contains('\n'));
    assert!(site.catalog.claim_mail().await.unwrap().is_none());
}

#[tokio::test]
async fn texts_have_bounds_and_people_a_pace() {
    let site = TestSite::new().await;
    let paper = paper(&site).await;
    let (mut ada, _) = somebody(&site, "ada", Role::Reader).await;
    let huge = "x".repeat(200_000);
    assert_eq!(post(&mut ada, &paper, &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let longest = "\u{1d53d}".repeat(10_000);
    assert_eq!(post(&mut ada, &paper, &longest).await.status, StatusCode::SEE_OTHER);
    for bad in
        ["x".repeat(100_000), "x".repeat(10_001), String::new(), " \r\n ".into(), "a\0b".into()]
    {
        let answer = post(&mut ada, &paper, &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert!(answer.body.len() < 20_000 && answer.body.contains("10,000 characters"));
    }
    let unknown = form(&[("text", "x"), ("parent", "7")]);
    let answer = ada.post(&format!("{paper}/comments"), &unknown).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = post(&mut ada, &paper, "again").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
