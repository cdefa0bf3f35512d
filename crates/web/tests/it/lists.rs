//! Lists of papers.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use jiff::civil::date;

use crate::site::{TestSite, settings, snapshot};
use crate::{demo, html};

/// Ids of the papers of a list page, in order.
fn ids(page: &str) -> Vec<String> {
    let of = html::elements(page).into_iter();
    let titles = of.filter(|e| e.name == "a" && e.parents.last().is_some_and(|p| p == "h2"));
    titles.map(|e| e.get("href").replace("/papers/", "")).collect()
}

#[tokio::test]
async fn the_front_page_is_the_newest_list() {
    let site = TestSite::new().await.with_record().await;
    let page = site.page("/").await;
    for text in ["Get trending papers in your email inbox!", "Subscribe", "Daily Papers"] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(ids(&page), [demo::ID, demo::HOSTILE]);
    insta::assert_snapshot!("front", snapshot(&page, None));
}

#[tokio::test]
async fn each_paper_has_one_of_three_badges() {
    let site = TestSite::new().await;
    let page = site.page("/papers/all").await;
    assert!(page.contains("runs here") && page.contains("not run yet"));
    let site = site.with_record().await;
    let page = site.page("/papers/all").await;
    assert!(page.contains("1/4 claims reproduced") && !page.contains("runs here"));
}

#[tokio::test]
async fn pages_cover_all_papers_exactly_once() {
    let site = TestSite::new().await.with_papers(95, "2025-09-10").await;
    for base in ["/papers/all", "/papers/date/2025-09-10", "/papers/trending"] {
        for sort in ["date", "votes", "trending", "comments", "verdict", "title"] {
            let mut seen = BTreeSet::new();
            let mut next = Some(format!("{base}?sort={sort}"));
            let mut pages = 0;
            while let Some(path) = next {
                let page = site.page(&path).await;
                for id in ids(&page) {
                    assert!(seen.insert(id.clone()), "{path}: {id} twice");
                }
                let of = html::elements(&page).into_iter();
                let link = |e: &html::Element| {
                    e.get("rel") == "next" && e.parents.last().is_some_and(|p| p == "nav")
                };
                let hrefs = of.filter(link).map(|e| e.get("href").replace("&amp;", "&"));
                next = hrefs.into_iter().find(|href| href.contains("page="));
                pages += 1;
            }
            let total = if base.contains("date") { 95 } else { 98 };
            assert_eq!((seen.len(), pages), (total, 4), "{base} by {sort}");
        }
    }
}

#[tokio::test]
async fn title_order_is_from_a_to_z() {
    let site = TestSite::new().await.with_papers(5, "2025-09-10").await;
    let page = site.page("/papers/date/2025-09-10?sort=title").await;
    assert_eq!(ids(&page), ["p000", "p001", "p002", "p003", "p004"]);
}

#[tokio::test]
async fn wrong_parameters_say_what_would_be_right() {
    let site = TestSite::new().await;
    for (path, right) in [
        ("/?sort=best", "`date`, `votes`, `trending`, `comments`, `verdict` or `title`"),
        ("/papers/all?page=0", "a number from 1"),
        ("/papers/all?page=x", "a number from 1"),
        ("/papers/date/2025-W37", "a day such as `2025-09-09`"),
        ("/papers/date/2025-02-30", "a day such as `2025-09-09`"),
        ("/papers/week/2025-09", "a week such as `2025-W37`"),
        ("/papers/month/september", "a month such as `2025-09`"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        html::check(path, &answer.body);
        assert!(answer.body.contains(right), "{path}: {}", answer.body);
    }
    let beyond = site.get("/papers/all?page=9").await;
    assert_eq!(beyond.status, StatusCode::NOT_FOUND);
    assert!(beyond.body.contains("This list ends with page 1; there is no page 9."));
}

#[tokio::test]
async fn an_empty_day_says_so_and_leads_on() {
    let site = TestSite::new().await;
    let page = site.page("/papers/date/2025-10-01").await;
    assert!(page.contains("No papers are listed for Oct 1, 2025."));
    assert!(page.contains("href=\"/papers/date/2025-09-09\""));
    assert!(page.contains("nothing later"));
    assert!(ids(&page).is_empty());
}

#[tokio::test]
async fn a_site_without_papers_says_how_to_get_some() {
    let site = TestSite::empty(demo::library(), settings()).await;
    let page = site.page("/").await;
    assert!(page.contains("This site has no papers yet.") && page.contains("pressrun import"));
}

#[tokio::test]
async fn weeks_and_months_hold_the_days_within_them() {
    let site = TestSite::new().await;
    let week = site.page("/papers/week/2025-W37").await;
    assert_eq!(ids(&week).len(), 3);
    assert!(week.contains("Week 37, 2025") && week.contains("Sep 8 – 14"));
    let month = site.page("/papers/month/2025-09").await;
    assert_eq!(ids(&month).len(), 3);
    let day = site.page("/papers/date/2025-09-08").await;
    assert_eq!(ids(&day), ["soft-stop"]);
    assert!(day.contains("href=\"/papers/date/2025-09-09\""), "the next day");
    assert_eq!(date(2025, 9, 8).iso_week_date().week(), 37);
}
