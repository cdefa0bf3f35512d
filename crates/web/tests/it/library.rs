//! Libraries: keeping, finding, exporting, recommending; and that none of it is anybody else's.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pressrun_catalog::{LibraryChange, LibraryState, NewPaper, Role, Scope, Tag};
use serde_json::{Value, json};

use crate::html;
use crate::people::Browser;
use crate::site::{Answer, HOST, TestSite};

/// Papers about three things.
fn papers() -> Vec<NewPaper> {
    let topics = [
        ("gates", "Sparse gates route tokens to experts of a mixture", "experts routing sparse"),
        ("depth", "Depth of a scene from a single photograph", "depth stereo camera image"),
        ("proteins", "Folding proteins with graph networks", "protein molecule folding binding"),
    ];
    let paper = |(topic, title, words): &(&str, &str, &str), i: usize| NewPaper {
        id: format!("{topic}-{i}"),
        title: format!("{title}, part {i}"),
        summary: format!("We study {words}. Variant {i} of {topic} is about {words} again."),
        authors: vec!["A. Author".into()],
        listed: Some(format!("2025-09-{:02}", 20 - i).parse().unwrap()),
        ..NewPaper::default()
    };
    topics.iter().flat_map(|topic| (1..=8).map(move |i| paper(topic, i))).collect()
}

async fn site() -> TestSite {
    let site = TestSite::new().await;
    site.catalog.upsert(&papers()).await.unwrap();
    site.indexed().await
}

async fn id_of(site: &TestSite, email: &str) -> i64 {
    site.catalog.add_person(&email.parse().unwrap(), Role::Reader).await.unwrap().id
}

/// A page that is there and right.
async fn page(browser: &Browser<'_>, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    html::check(path, &answer.body);
    answer.body
}

async fn with_token(site: &TestSite, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", HOST);
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    site.ask(request.body(body).unwrap()).await
}

/// Every address that shows something of a library.
const READ: [&str; 9] = [
    "/library",
    "/library?q=secret",
    "/library.bib",
    "/library.ris",
    "/library.csl.json",
    "/library.md",
    "/recommended",
    "/api/library",
    "/api/recommended",
];

#[tokio::test]
async fn a_paper_is_kept_tagged_noted_and_let_go_by_plain_forms() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    assert!(page(&ada, "/library").await.contains("Your library is empty."));
    assert!(!page(&ada, "/papers/gates-1").await.contains("tag kept"));
    let to = "to=%2Fpapers%2Fgates-1%23library";
    for form in ["state=later", "tags=MoE%2C+to+read", "note=Read+**this**%0D%0Afirst"] {
        let answer = ada.post("/papers/gates-1/library", &format!("{form}&{to}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.header("location"), "/papers/gates-1#library");
    }
    let own = page(&ada, "/papers/gates-1").await;
    for part in
        ["Read **this**\nfirst", ">moe<", ">to-read<", "aria-pressed=\"true\" value=\"none\""]
    {
        assert!(own.contains(part), "{part}: {own}");
    }
    // In lists and results there is a mark.
    for list in ["/papers/date/2025-09-19", "/search?q=sparse+gates", "/library"] {
        let list = page(&ada, list).await;
        assert!(list.contains("In your library: </span>Later"), "{list}");
    }
    assert!(!site.page("/papers/date/2025-09-19").await.contains("tag kept"));
    ada.post("/papers/depth-2/library", "state=done").await;
    ada.post("/papers/depth-3/library", "state=not-for-me").await;
    let states =
        [("", "gates-1 depth-2"), ("?state=done", "depth-2"), ("?state=not-for-me", "depth-3")];
    for (query, expected) in states {
        let list = page(&ada, &format!("/library{query}")).await;
        for id in ["gates-1", "depth-2", "depth-3"] {
            let there = list.contains(&format!("<h2><a href=\"/papers/{id}\""));
            assert_eq!(there, expected.contains(id), "{query} {id}");
        }
    }
    assert!(page(&ada, "/library?tag=moe&sort=title").await.contains("The tag moe"));

    let renamed = ada.post("/library/tags/rename", "tag=moe&name=Experts").await;
    assert_eq!(renamed.header("location"), "/library?tag=experts");
    assert!(page(&ada, "/library?tag=experts").await.contains("Sparse gates"));
    ada.post("/papers/gates-1/library", "remove-tag=to-read").await;
    assert!(!page(&ada, "/library").await.contains("to-read"));
    assert_eq!(
        ada.post("/library/tags/delete", "tag=experts").await.header("location"),
        "/library"
    );
    let gone = ada.post("/library/tags/delete", "tag=experts").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    let elsewhere = "to=https%3A%2F%2Fevil.example";
    let removed = ada.post("/papers/gates-1/library/remove", elsewhere).await;
    assert_eq!((removed.status, removed.header("location")), (StatusCode::SEE_OTHER, "/"));
    let again = ada.post("/papers/gates-1/library/remove", "").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_with_what_would_be() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let long = "x".repeat(10_001);
    let many = (0..21).map(|i| format!("t{i}")).collect::<Vec<_>>().join(",");
    for (form, expected) in [
        ("state=read".to_owned(), "expected `none`, `later`"),
        (String::new(), "expected a form with `state`"),
        (format!("tags={}", "x".repeat(41)), "1 to 40 characters"),
        (format!("tags={many}"), "at most 20 of one paper"),
        (format!("note={long}"), "at most 10,000 characters"),
    ] {
        let answer = ada.post("/papers/gates-1/library", &form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert!(answer.body.contains(expected), "{expected}: {}", answer.body);
    }
    assert!(page(&ada, "/library").await.contains("Your library is empty."));
    let unknown = ada.post("/papers/nothing/library", "state=later").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for path in [
        "/library?state=x",
        "/library?sort=votes",
        "/library?page=0",
        "/library?tag=a%2Cb",
        "/library?q=autor%3Ax",
        "/library.bib?q=autor%3Ax",
        "/recommended?window=year",
        "/recommended?sort=worst",
        "/api/library?limit=0",
        "/api/recommended?limit=201",
    ] {
        assert_eq!(ada.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(ada.get("/library?page=2").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.get("/recommended?page=4294967295").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_library_is_its_owners_alone() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let mut max = Browser::of(&site, "max@example.org", Role::Administrator).await;
    let form = "state=reading&tags=secret-tag&note=a+secret+note";
    ada.post("/papers/gates-1/library", form).await;
    for path in READ {
        assert_eq!(site.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let own = ada.get(path).await;
        assert_eq!(own.status, StatusCode::OK, "{path}: {}", own.body);
        assert!(own.header("cache-control").contains("private"), "{path}");
        // Not even an administrator sees any of it.
        let other = max.get(path).await;
        assert_eq!(other.status, StatusCode::OK, "{path}: {}", other.body);
        for secret in ["secret-tag", "a secret note", "Sparse gates"] {
            assert!(!other.body.contains(secret), "{path} shows {secret}: {}", other.body);
        }
    }
    assert!(ada.get("/library.md").await.body.contains("> a secret note"));
    for path in ["/library?tag=secret-tag", "/library.bib?tag=secret-tag", "/api/library/gates-1"] {
        let other = max.get(path).await;
        assert!(!other.body.contains("Sparse gates"), "{path}: {}", other.body);
    }
    assert_eq!(max.get("/api/library/gates-1").await.status, StatusCode::NOT_FOUND);
    let paper = max.get("/papers/gates-1").await.body;
    assert!(!paper.contains("secret") && !paper.contains("aria-pressed=\"true\""), "{paper}");
    for (path, form) in [
        ("/papers/gates-1/library/remove", ""),
        ("/library/tags/rename", "tag=secret-tag&name=mine"),
        ("/library/tags/delete", "tag=secret-tag"),
    ] {
        assert_eq!(max.post(path, form).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(site.post(path, form).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // What Max keeps of the same paper is another entry.
    max.post("/papers/gates-1/library", "state=done&note=mine").await;
    let entry = site.catalog.library_entry(id_of(&site, "ada@example.org").await, "gates-1").await;
    let entry = entry.unwrap().unwrap();
    assert_eq!((entry.state, entry.note.as_str()), (LibraryState::Reading, "a secret note"));
}

#[tokio::test]
async fn nothing_that_is_typed_becomes_markup() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    let hostile = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let image = "%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E";
    let form = format!(
        "tags={hostile}%2C{image}&note=%3C%2Fpre%3E%3C%2Ftextarea%3E{hostile}+%5Ba%5D(javascript%3Aalert(1))"
    );
    let answer = ada.post("/papers/gates-1/library", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    for path in [
        "/library".to_owned(),
        format!("/library?tag={hostile}"),
        format!("/library?q={hostile}"),
        "/papers/gates-1".into(),
        "/recommended".into(),
        format!("/recommended?tag={hostile}"),
    ] {
        let shown = page(&ada, &path).await;
        assert!(!shown.contains("<script>alert") && !shown.contains("<img src"), "{path}");
    }
    assert!(page(&ada, "/library").await.contains("&lt;/pre&gt;&lt;/textarea&gt;"));
    let error = ada.get(&format!("/library?state={hostile}")).await.body;
    assert!(error.contains("&lt;script&gt;") && !error.contains("<script>alert"), "{error}");
    let tag = ada.get("/api/library").await.json()["entries"][0]["tags"][1].clone();
    assert_eq!(tag, "<script>alert(1)</script>");
    assert!(ada.get("/library.md").await.body.contains("\\<script"));
}

#[tokio::test]
async fn programs_need_the_right_scope() {
    let site = site().await;
    let ada = id_of(&site, "ada@example.org").await;
    let token = async |scope| {
        let token = site.catalog.add_token(ada, "t", &[scope], None).await.unwrap();
        token.reveal().to_owned()
    };
    let (read, write) = (token(Scope::Read).await, token(Scope::Write).await);
    let keep = json!({ "state": "later", "tags": ["Gates", "moe"], "note": "first" });
    let path = "/api/library/gates-1";
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        with_token(&site, token, method, path, body).await
    };
    assert_eq!(ask(&read, "PUT", path, keep.clone()).await.status, StatusCode::FORBIDDEN);
    let kept = ask(&write, "PUT", path, keep).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.body);
    let kept = kept.json();
    assert_eq!((&kept["state"], &kept["tags"]), (&json!("later"), &json!(["gates", "moe"])));
    assert_eq!(kept["paper"]["id"], "gates-1");
    // What is absent stays.
    let changed = ask(&write, "PUT", path, json!({ "state": "done" })).await.json();
    assert_eq!((&changed["state"], &changed["note"]), (&json!("done"), &json!("first")));
    for get in READ.into_iter().chain([path]) {
        assert_eq!(
            ask(&write, "GET", get, Value::Null).await.status,
            StatusCode::FORBIDDEN,
            "{get}"
        );
        assert_eq!(ask(&read, "GET", get, Value::Null).await.status, StatusCode::OK, "{get}");
    }
    // A page of everybody shows nothing of it to a token that may not read.
    let list = ask(&write, "GET", "/papers/gates-1", Value::Null).await.body;
    assert!(!list.contains("tag kept") && !list.contains("Your library"), "{list}");
    let listed = ask(&read, "GET", "/api/library?tag=gates&limit=1", Value::Null).await.json();
    assert_eq!((&listed["total"], &listed["entries"][0]["note"]), (&json!(1), &json!("first")));
    for (body, status) in [
        (json!({ "state": "x" }), StatusCode::BAD_REQUEST),
        (json!({ "stat": "later" }), StatusCode::BAD_REQUEST),
        (json!({ "tags": ["a,b"] }), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
    ] {
        let answer = ask(&write, "PUT", path, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(ask(&write, "PUT", "/api/library/x", json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ask(&read, "DELETE", path, Value::Null).await.status, StatusCode::FORBIDDEN);
    let bearer = format!("Bearer {read}");
    for form in
        ["/papers/gates-1/library", "/papers/gates-1/library/remove", "/library/tags/delete"]
    {
        let headers = [("authorization", bearer.as_str())];
        let answer = site.post_with(form, "state=done&tag=gates", &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(ask(&write, "DELETE", path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&write, "DELETE", path, Value::Null).await.status, StatusCode::NOT_FOUND);
    let none =
        site.ask(Request::delete(path).header("host", HOST).body(Body::empty()).unwrap()).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    // Another site's page cannot, though the browser sends the session along.
    let ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    for method in ["PUT", "DELETE"] {
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let request = request.header("origin", "https://evil.example");
        let request = request.header("sec-fetch-site", "cross-site").header("cookie", &ada.cookie);
        let request = request.header("content-type", "application/json");
        let answer = site.ask(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method}");
    }
}

#[tokio::test]
async fn the_library_is_searched_by_words_meaning_and_notes() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    for id in ["gates-1", "gates-2", "depth-1"] {
        ada.post(&format!("/papers/{id}/library"), "tags=kept").await;
    }
    ada.post("/papers/depth-1/library", "note=Compare+with+the+GATES+of+Ödön").await;
    let found = async |query: &str| {
        let page = page(&ada, &format!("/library?{query}")).await;
        let links = page.split("<h2><a href=\"/papers/").skip(1);
        links.map(|part| part.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Only what is kept, though the site has more; then the note.
    let gates = found("q=sparse+gates").await;
    assert_eq!(gates.len(), 2, "{gates:?}");
    assert!(gates.iter().all(|id| id.starts_with("gates-")), "{gates:?}");
    assert!(found("q=gates").await.contains(&"depth-1".to_owned()));
    assert!(page(&ada, "/library?q=%C3%B6d%C3%B6n").await.contains("Found in your note."));
    assert!(found("q=has%3Arun").await.is_empty());
    assert_eq!(found("q=gates&tag=none").await.len(), 0);
    assert_eq!(found("q=-stereo+year%3A2025&tag=kept").await.len(), 2);
    let bib = ada.get("/library.bib?q=sparse+gates").await.body;
    assert_eq!(bib.matches("\n@").count() + usize::from(bib.starts_with('@')), 2, "{bib}");
}

#[tokio::test]
async fn what_is_exported_is_all_that_fits() {
    let site = site().await.with_papers(300, "2025-08-01").await;
    let ada_id = id_of(&site, "ada@example.org").await;
    let ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    for i in 0..300 {
        let tags = if i < 2 { Tag::list("few").unwrap() } else { Vec::new() };
        let change = LibraryChange { add: tags, ..LibraryChange::default() };
        site.catalog.change_library(ada_id, &format!("p{i:03}"), &change).await.unwrap();
    }
    let csl = ada.get("/library.csl.json").await.json();
    assert_eq!(csl.as_array().unwrap().len(), 300);
    assert_eq!(ada.get("/library.csl.json?tag=few").await.json().as_array().unwrap().len(), 2);
    assert_eq!(ada.get("/library.ris").await.body.matches("TY  - ").count(), 300);
    let note = LibraryChange { note: Some("# loud\n- x".into()), ..LibraryChange::default() };
    site.catalog.change_library(ada_id, "p000", &note).await.unwrap();
    let markdown = ada.get("/library.md?tag=few").await.body;
    assert!(markdown.starts_with("# Library, few\n"), "{markdown}");
    assert!(
        markdown.contains("- Tags: few") && markdown.contains("> # loud\n> - x\n"),
        "{markdown}"
    );
    assert_eq!(ada.get("/library.atom").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn recommendations_follow_the_library_at_once() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    assert!(page(&ada, "/recommended").await.contains("nothing to learn from yet"));
    let none = ada.get("/api/recommended").await.json();
    assert_eq!((&none["liked"], &none["papers"]), (&json!(0), &json!([])));
    for id in ["gates-1", "gates-2"] {
        ada.post(&format!("/papers/{id}/library"), "tags=moe").await;
    }
    let ids = async |ada: &Browser<'_>, query: &str| {
        let answer = ada.get(&format!("/api/recommended{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let papers = answer.json()["papers"].clone();
        let id = |paper: &Value| paper["paper"]["id"].as_str().unwrap().to_owned();
        papers.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    let first = ids(&ada, "?limit=6").await;
    assert!(first.iter().all(|id| id.starts_with("gates-")), "{first:?}");
    assert!(!first.contains(&"gates-1".to_owned()));
    let shown = page(&ada, "/recommended").await;
    for part in ["Why: ", "nearest of yours", "What was learnt", "Not for me", "Words for"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let answer = ada.get("/api/recommended?tag=moe&limit=1").await.json();
    assert!(answer["words_for"].as_array().unwrap().len() > 3, "{answer}");
    assert!(answer["papers"][0]["nearest"].as_str().unwrap().starts_with("gates-"), "{answer}");

    // Not for her: gone at once, and for good.
    let back = ada
        .post(&format!("/papers/{}/library", first[0]), "state=not-for-me&to=%2Frecommended")
        .await;
    assert_eq!(back.header("location"), "/recommended");
    let second = ids(&ada, "").await;
    assert!(!second.contains(&first[0]));
    assert!(!ids(&ada, "?tag=moe").await.contains(&first[0]));
    // A vote counts in general, not for a tag.
    ada.post("/papers/depth-1/vote", "vote=1").await;
    let voted = ids(&ada, "?limit=12").await;
    assert!(voted.iter().any(|id| id.starts_with("depth-")), "{voted:?}");
    assert!(!voted.contains(&"depth-1".to_owned()));
    // Windows end at the newest list, which is of the 19th.
    let week = ids(&ada, "?window=day").await;
    assert!(
        week.iter().all(|id| id.ends_with("-1")) && week.contains(&"proteins-1".to_owned()),
        "{week:?}"
    );
    let newest = ids(&ada, "?sort=newest").await;
    assert!(newest[0].ends_with("-1"), "{newest:?}");
    assert!(page(&ada, "/recommended?tag=none").await.contains("has the tag none"));
}

#[tokio::test]
async fn the_library_is_in_the_download_and_goes_with_the_account() {
    let site = site().await;
    let mut ada = Browser::of(&site, "ada@example.org", Role::Reader).await;
    ada.post("/papers/gates-1/library", "state=done&tags=b%2Ca&note=mine").await;
    ada.post("/papers/gates-2/library", "state=not-for-me").await;
    let library = ada.get("/account/data.json").await.json()["library"].clone();
    assert_eq!(library.as_array().unwrap().len(), 2);
    let first = &library[0];
    assert_eq!((&first["paper"], &first["state"]), (&json!("gates-1"), &json!("done")));
    assert_eq!((&first["tags"], &first["note"]), (&json!(["a", "b"]), &json!("mine")));
    let person = id_of(&site, "ada@example.org").await;
    let handle = site.catalog.person(person).await.unwrap().unwrap().handle;
    let gone = ada.post("/account/delete", &format!("confirm={handle}")).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    assert!(site.catalog.whole_library(person).await.unwrap().is_empty());
}
