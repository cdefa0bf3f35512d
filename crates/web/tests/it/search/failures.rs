//! Queries that cannot be read, searches that fail, and whatever else can be typed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use pressrun_search::embed::{self, Embedder};
use pressrun_search::{Search, Vectors};

use super::{address, api, boxed, encoded, shelf, site};
use crate::site::{TestSite, settings};
use crate::{demo, html};

/// The error as JSON, after a look at its page.
async fn refused(site: &TestSite, query: &str) -> serde_json::Value {
    let page = site.get(&address(query)).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
    html::check(query, &page.body);
    assert_eq!(boxed(&page.body), query);
    assert!(page.body.contains("class=\"here\""));
    let answer = site.get(&format!("/api/papers/search?q={}", encoded(query))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_pointed_at() {
    let site = site().await;
    let error = refused(&site, "experts autor:hinton").await;
    assert_eq!((error["status"].as_u64(), error["position"].as_u64()), (Some(400), Some(9)));
    let text = error["error"].as_str().unwrap();
    assert_eq!(
        text,
        "The query cannot be read: no field `autor` (character 9); expected `author:`, or a space \
         after the colon."
    );
    let page = site.get(&address("experts autor:hinton")).await.body;
    assert!(page.contains("experts <span class=\"here\">a</span>utor:hinton"), "{page}");
    assert!(page.contains("No field `autor` (character 9)"));
    for (query, position) in [
        ("größe \"offen", 7),
        ("year:soon", 6),
        ("门 year:", 3),
        ("has:everything", 5),
        ("\"\"", 1),
        ("a\n\"b", 3),
    ] {
        assert_eq!(refused(&site, query).await["position"].as_u64(), Some(position), "{query}");
    }
}

#[tokio::test]
async fn a_query_may_be_long_but_not_too_long() {
    let site = site().await;
    for query in ["x".repeat(10_000), "experts ".repeat(1250), "专".repeat(3400)] {
        let error = refused(&site, query.trim()).await;
        assert!(error["error"].as_str().unwrap().contains("at most 4096"), "{error}");
        let answer = site.get(&format!("/api/suggest?q={}", encoded(&query))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    let answer = site.get(&address(&"experts ".repeat(500))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let error = refused(&site, &"-a ".repeat(65)).await;
    assert!(error["error"].as_str().unwrap().contains("at most 64"));
}

/// An embedder that fails on one word.
struct Fragile;

impl Embedder for Fragile {
    fn dims(&self) -> usize {
        embed::DIMS
    }

    fn identity(&self) -> String {
        "fragile".into()
    }

    fn embed(&self, texts: &[&str]) -> Vec<f32> {
        assert!(!texts.contains(&"fall"), "it fell");
        let one = |_| std::iter::once(1.0).chain(std::iter::repeat_n(0.0, embed::DIMS - 1));
        texts.iter().flat_map(one).collect()
    }
}

#[tokio::test]
async fn a_search_that_fails_says_so_and_hurts_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(folder.path(), Vectors::Model(Arc::new(Fragile))).unwrap();
    let site = TestSite::searched(demo::library(), settings(), folder, search).await;
    site.catalog.upsert(&shelf()).await.unwrap();
    let site = site.indexed().await;
    for path in ["/search?q=fall", "/api/papers/search?q=fall"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.body.contains("Search does not work just now"), "{}", answer.body);
        assert!(!answer.body.contains("fell") && !answer.header("retry-after").is_empty());
    }
    html::check("503", &site.get("/search?q=fall").await.body);
    // To this embedder everything means the same.
    let page = site.page("/search?q=drop+unheard").await;
    assert!(page.contains("<span class=\"tag\">similar in meaning</span>"), "{page}");
    let list = api(&site, "q=drop+unheard").await.json();
    assert_eq!(list.as_array().unwrap().last().unwrap()["byMeaningAlone"], true);
    for path in ["/search?q=gates", "/search?q=fall+%22", "/", "/papers/2103.00001"] {
        assert!(!site.get(path).await.status.is_server_error(), "{path}");
    }
}

#[tokio::test]
async fn whatever_is_typed_is_answered() {
    const PIECES: [&str; 44] = [
        "\"",
        "-",
        ":",
        " ",
        "..",
        "(",
        ")",
        "*",
        "?",
        "~",
        "^",
        "+",
        "&&",
        "||",
        "\\",
        "/",
        "[",
        "]",
        "{",
        "}",
        "author:",
        "year:",
        "has:",
        "verdict:",
        "venue:",
        "category:",
        "tag:",
        "autor:",
        "2021",
        "run",
        "any",
        "experts",
        "dropout",
        "Ada",
        "é",
        "ﬀ",
        "ß",
        "İ",
        "专家",
        "👩‍🔬",
        "\u{0}",
        "\u{202e}",
        "\u{301}",
        "<b>",
    ];
    let site = site().await;
    // Knuth's generator of 64 bits: the same texts on every machine, and no crate for it.
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let started = Instant::now();
    let mut tried = 0;
    while tried < 2000 && started.elapsed() < Duration::from_secs(20) {
        let mut text = String::new();
        for _ in 0..next() % 9 {
            let random = next();
            match random % 8 {
                0 => text.extend(char::from_u32(random / 8 % 0x11_0000)),
                _ => text.push_str(PIECES[random as usize / 8 % PIECES.len()]),
            }
        }
        let readable = text.parse::<pressrun_search::query::Query>().is_ok();
        for path in ["/search", "/api/papers/search", "/api/suggest"] {
            let answer = site.get(&format!("{path}?q={}", encoded(&text))).await;
            let status = answer.status;
            assert!(
                status == StatusCode::OK || status == StatusCode::BAD_REQUEST,
                "{path} {text:?}"
            );
            if path == "/search" {
                assert_eq!(status == StatusCode::OK, readable, "{text:?}");
                html::check(&text, &answer.body);
            }
        }
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
    // What is no text at all is read as far as it goes.
    for raw in ["%FF%FE", "%", "%zz", "a%00b", "+++"] {
        assert!(!site.get(&format!("/search?q={raw}")).await.status.is_server_error(), "{raw}");
    }
}
