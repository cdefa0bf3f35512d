//! Search as a visitor and a program meet it.

mod api;
mod failures;

use std::collections::{BTreeSet, VecDeque};

use axum::http::StatusCode;
use pressrun_catalog::NewPaper;

use crate::site::{Answer, TestSite, settings};
use crate::{demo, html};

fn paper(id: &str, title: &str, summary: &str) -> NewPaper {
    NewPaper { id: id.into(), title: title.into(), summary: summary.into(), ..NewPaper::default() }
}

/// Papers with years, venues, authors and scripts of all kinds.
fn shelf() -> Vec<NewPaper> {
    let some = |text: &str| Some(text.to_owned());
    vec![
        NewPaper {
            authors: vec!["Nina Torgate".into(), "Ada Example".into()],
            published: some("2021-03-04"),
            venue: some("ICLR 2021"),
            category: some("cs.LG"),
            code_url: some("https://example.org/gates"),
            ..paper(
                "2103.00001",
                "Sparse Gates for Mixtures of Experts",
                "Long ago nobody routed anything. A sparse gate sends each token to few experts. \
                 Dropout is not needed.",
            )
        },
        NewPaper {
            authors: vec!["Nina Torgate".into()],
            published: some("2022-05"),
            venue: some("NeurIPS 2022"),
            category: some("cs.CL"),
            ..paper("2205.00002", "Experts that Drop Out", "Dropout within experts of a mixture.")
        },
        NewPaper {
            published: some("2021"),
            category: some("cs.LG"),
            ..paper("2101.00003", "Dropout Revisited", "A plain look at dropout in plain networks.")
        },
        paper("ru", "Обучение смеси экспертов", "Разреженная маршрутизация."),
        paper("zh", "稀疏专家混合模型", "门控网络选择专家。"),
        paper("ar", "مزيج من الخبراء", "بوابة متفرقة."),
        paper("el", "Μίγμα ειδικών", "Αραιές πύλες."),
    ]
}

async fn site() -> TestSite {
    let site = TestSite::new().await;
    site.catalog.upsert(&shelf()).await.unwrap();
    site.indexed().await
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn address(query: &str) -> String {
    format!("/search?q={}", encoded(query))
}

/// Ids of the papers found, in order.
fn ids(page: &str) -> Vec<String> {
    let of = html::elements(page).into_iter();
    let titles = of.filter(|e| e.name == "a" && e.parents.last().is_some_and(|p| p == "h2"));
    titles.map(|e| e.get("href").replace("/papers/", "")).collect()
}

/// What stands in the search box.
fn boxed(page: &str) -> String {
    let of = html::elements(page).into_iter();
    let inputs: Vec<_> = of.filter(|e| e.name == "input" && e.get("name") == "q").collect();
    assert_eq!(inputs.len(), 1, "one search box");
    let value = inputs[0].get("value").replace("&lt;", "<").replace("&gt;", ">");
    value.replace("&quot;", "\"").replace("&amp;", "&")
}

/// An answer to a program.
async fn api(site: &TestSite, query: &str) -> Answer {
    site.get(&format!("/api/papers/search?{query}")).await
}

#[tokio::test]
async fn results_with_their_words_marked() {
    let site = site().await;
    let page = site.page("/search?q=sparse+gates").await;
    assert_eq!(ids(&page)[0], "2103.00001");
    assert!(page.contains("<mark>Sparse Gates</mark> for Mixtures of Experts"));
    assert!(page.contains("A <mark>sparse gate</mark> sends each token"));
    assert!(page.contains("ICLR 2021") && page.contains("Mar 4, 2021"));
    assert!(page.contains("Nina Torgate, Ada Example"));
    assert_eq!(boxed(&page), "sparse gates");
    assert!(!page.contains("index is being built"));
}

#[tokio::test]
async fn every_page_has_the_box() {
    let site = site().await;
    for path in ["/", "/papers/all", "/papers/9909.00001", "/studies", "/methodology", "/search"] {
        let page = site.page(path).await;
        assert_eq!(boxed(&page), "", "{path}");
        assert!(page.contains("role=\"search\" action=\"/search\" method=\"get\""), "{path}");
        assert!(page.contains("<label class=\"sr\" for=\"q\">"), "{path}");
    }
}

#[tokio::test]
async fn nothing_asked_and_nothing_found_lead_on() {
    let site = site().await;
    for path in ["/search", "/search?q=", "/search?q=+%09"] {
        let page = site.page(path).await;
        assert!(page.contains("<details class=\"guide\" open>"), "{path}");
        assert!(ids(&page).is_empty() && page.contains("href=\"/search?q=verdict%3Areproduced\""));
    }
    let page = site.page("/search?q=dropout+author%3Anobody").await;
    assert!(page.contains("No paper here fits."));
    assert!(page.contains("href=\"/search?q=dropout\""), "the search without conditions");
}

#[tokio::test]
async fn conditions_come_by_links_and_go_by_links() {
    let site = site().await;
    let page = site.page("/search?q=dropout").await;
    let all = ids(&page);
    assert!(all.len() >= 3, "{all:?}");
    let year = "/search?q=dropout%20year%3A2021";
    assert!(page.contains(&format!("href=\"{year}\"")), "{page}");
    let narrowed = site.page(year).await;
    let found: BTreeSet<String> = ids(&narrowed).into_iter().collect();
    assert_eq!(found, BTreeSet::from(["2103.00001".to_owned(), "2101.00003".to_owned()]));
    assert_eq!(boxed(&narrowed), "dropout year:2021");
    // The chip and the value itself both lead back.
    let back = html::links(&narrowed).into_iter().filter(|link| link == "/search?q=dropout");
    assert_eq!(back.count(), 2);
    assert!(narrowed.contains("<span>year:2021</span>"));
    let venue = site.page("/search?q=dropout%20venue%3AICLR").await;
    assert_eq!(ids(&venue), ["2103.00001"]);
    // Fields, phrases and what is excluded are conditions; words are not.
    let chips = site.page(&address("dropout -plain \"drop out\" author:torgate")).await;
    assert_eq!(chips.matches("class=\"chip\"").count(), 3);
    assert!(chips.contains("<span>&quot;drop out&quot;</span>"));
}

#[tokio::test]
async fn what_runs_here_is_a_condition() {
    let site = site().await;
    let page = site.page("/search?q=has%3Arun").await;
    assert_eq!(ids(&page), [demo::ID]);
    site.catalog
        .add_record(&demo::record(&site.library, pressrun_lab::Profile::Full, "demo-full"))
        .await
        .unwrap();
    site.index().await;
    let page = site.page("/search?q=verdict%3Areproduced").await;
    assert_eq!(ids(&page), [demo::ID]);
    assert!(page.contains("1/4 claims reproduced"));
}

#[tokio::test]
async fn links_of_the_results_lead_to_pages_that_are_right() {
    let site = site().await;
    let mut waiting: VecDeque<String> = VecDeque::from([
        "/search".into(),
        address("dropout"),
        address("<script> \"gates\""),
        address("has:abstract"),
    ]);
    let mut seen = BTreeSet::new();
    // Conditions can be put together without end.
    while let Some(path) = waiting.pop_front().filter(|_| seen.len() < 120) {
        if !seen.insert(path.clone()) {
            continue;
        }
        let page = site.page(&path).await;
        let links = html::links(&page).into_iter().filter(|link| link.starts_with("/search?"));
        waiting.extend(links);
    }
    assert!(seen.len() >= 40, "{}", seen.len());
}

#[tokio::test]
async fn what_means_harm_stays_text() {
    let site = site().await;
    for query in [
        "<script>alert(1)</script>",
        "title",
        "bold quotes script alert",
        "\"></form><script>alert(1)</script>",
        "author:mallory",
        "venue:title",
        "'\"`<!--",
        "&lt;b&gt; &amp; </title>",
    ] {
        let answer = site.get(&address(query)).await;
        html::check(query, &answer.body);
        let elements = html::elements(&answer.body);
        let scripts: Vec<_> = elements.iter().filter(|e| e.name == "script").collect();
        assert_eq!(scripts.len(), html::OWN_SCRIPTS, "{query}");
        let harm = |e: &&html::Element| ["img", "b", "i", "em"].contains(&e.name.as_str());
        assert!(elements.iter().find(harm).is_none(), "{query}");
        assert_eq!(boxed(&answer.body), query);
    }
    let page = site.page("/search?q=bold+title").await;
    assert!(ids(&page).contains(&demo::HOSTILE.to_owned()));
    assert!(page.contains("&lt;b&gt;<mark>bold</mark>&lt;/b&gt;"));
}

#[tokio::test]
async fn pages_cover_all_results_exactly_once() {
    let site = site().await.with_papers(45, "2025-09-10").await.indexed().await;
    let mut seen = BTreeSet::new();
    let mut next = Some("/search?q=author%3Aauthor".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = site.page(&path).await;
        assert!(page.contains("45 papers"), "{path}");
        ids(&page).into_iter().for_each(|id| assert!(seen.insert(id.clone()), "{id} twice"));
        let of = html::elements(&page).into_iter().find(|e| e.get("rel") == "next");
        next = of.map(|e| e.get("href").replace("&amp;", "&"));
        pages += 1;
    }
    assert_eq!((seen.len(), pages), (45, 3));
    let beyond = site.get("/search?q=author%3Aauthor&page=4").await;
    assert_eq!(beyond.status, StatusCode::NOT_FOUND);
    assert!(beyond.body.contains("ends with page 3"));
    for page in ["0", "x", "99999999999"] {
        let answer = site.get(&format!("/search?q=a&page={page}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{page}");
    }
    let far = site.get("/search?q=author%3Aauthor&page=4294967295").await;
    assert_eq!(far.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn more_than_anybody_looks_at() {
    let site = site().await.with_papers(1100, "2025-09-10").await.indexed().await;
    let page = site.page("/search?q=author%3Aauthor").await;
    assert!(page.contains("1000 and more papers") && page.contains("Page 1 of 50"));
    assert!(page.contains("Of the first 1000 papers:"));
    assert_eq!(ids(&site.page("/search?q=author%3Aauthor&page=50").await).len(), 20);
}

#[tokio::test]
async fn any_script_finds_and_is_marked() {
    let site = site().await;
    for (query, id, marked) in [
        ("смеси экспертов", "ru", "<mark>смеси экспертов</mark>"),
        ("稀疏专家", "zh", "<mark>"),
        ("الخبراء", "ar", "<mark>الخبراء</mark>"),
        ("ΕΙΔΙΚΏΝ", "el", "<mark>ειδικών</mark>"),
    ] {
        let page = site.page(&address(query)).await;
        assert_eq!(ids(&page).first().map(String::as_str), Some(id), "{query}");
        assert!(page.contains(marked), "{query}");
    }
}

#[tokio::test]
async fn a_papers_page_names_its_neighbours() {
    let site = site().await;
    let page = site.page("/papers/2205.00002").await;
    assert!(page.contains("Related papers"), "{page}");
    assert!(page.contains("href=\"/papers/2103.00001\""));
    assert!(!page.contains("<li><a href=\"/papers/2205.00002\""), "not itself");
    // What is kept is of one state of the index.
    let copy = paper("copy", "Experts that Drop Out Again", "Dropout within experts of a mixture.");
    site.catalog.upsert(&[copy]).await.unwrap();
    site.index().await;
    let page = site.page("/papers/2205.00002").await;
    assert!(page.contains("<ul class=\"related\"><li><a href=\"/papers/copy\">"));
    for _ in 0..2 {
        assert_eq!(site.page("/papers/2205.00002").await, page);
    }
}

#[tokio::test]
async fn an_index_that_is_being_built_says_so() {
    let site = TestSite::new().await;
    for path in ["/search", "/search?q=momentum"] {
        assert!(site.page(path).await.contains("The search index is being built."), "{path}");
    }
    let site = site.indexed().await;
    let page = site.page("/search?q=momentum").await;
    assert!(!page.contains("is being built") && ids(&page).contains(&demo::ID.to_owned()));
    let empty = TestSite::empty(demo::library(), settings()).await.indexed().await;
    assert!(empty.page("/search?q=momentum").await.contains("No paper here fits."));
}

#[tokio::test]
async fn a_catalogue_that_fails_is_no_fault_of_the_query() {
    let site = site().await;
    site.catalog.close().await;
    let answer = site.get("/search?q=dropout").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    html::check("500", &answer.body);
}
