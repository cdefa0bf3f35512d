//! Lists, their orders, and what lies beside them.

use jiff::civil::date;
use pressrun_catalog::{Catalog, ListQuery, NewPaper, Paper, Period, Sort, identity};

use crate::support::{listed, send, titled};

/// What the statement under test sorts by, computed here from the papers themselves.
fn sorted(mut papers: Vec<(Paper, f64)>, sort: Sort) -> Vec<String> {
    let dated = |p: &Paper| {
        let listed = p.listed.map(|d| d.to_string());
        listed.or_else(|| p.published.clone()).unwrap_or_default()
    };
    let share = |p: &Paper| {
        p.verdicts.map_or((-1, -1), |v| {
            (v.reproduced * 1000 / v.total(), v.partly * 1000 / v.total()).into_signed()
        })
    };
    papers.sort_by(|(a, trend_a), (b, trend_b)| {
        let first = match sort {
            Sort::Date => std::cmp::Ordering::Equal,
            Sort::Votes => b.votes.cmp(&a.votes),
            Sort::Trending => (b.votes > 0).cmp(&(a.votes > 0)).then(trend_b.total_cmp(trend_a)),
            Sort::Comments => b.comments.cmp(&a.comments),
            Sort::Verdict => share(b).cmp(&share(a)),
            Sort::Title => {
                let keys = (identity::title_key(&a.title), identity::title_key(&b.title));
                return keys.0.cmp(&keys.1).then(a.id.cmp(&b.id));
            }
        };
        first.then_with(|| dated(b).cmp(&dated(a))).then_with(|| a.id.cmp(&b.id))
    });
    papers.into_iter().map(|(p, _)| p.id).collect()
}

trait IntoSigned {
    fn into_signed(self) -> (i64, i64);
}

impl IntoSigned for (u32, u32) {
    fn into_signed(self) -> (i64, i64) {
        (i64::from(self.0), i64::from(self.1))
    }
}

/// A hundred papers of which some have votes, comments, records, days, dates, equal titles.
async fn mixed(dir: &std::path::Path) -> (Catalog, Vec<(Paper, f64)>) {
    let catalog = Catalog::open(dir).await.unwrap();
    let papers: Vec<NewPaper> = (0..100)
        .map(|n: i8| NewPaper {
            authors: vec![format!("Author Number{n}")],
            listed: (n % 3 > 0).then(|| date(2025, 8 + n % 2, 1 + n % 27)),
            published: (n % 4 > 0).then(|| format!("202{}", n % 5)),
            ..titled(&format!("Title {}", n % 40))
        })
        .collect();
    let done = catalog.upsert(&papers).await.unwrap();
    assert_eq!(done.added, 100);
    let mut trends = Vec::new();
    for (n, id) in done.ids.iter().enumerate() {
        let votes = if n % 4 == 0 { n % 7 } else { 0 };
        let trend = if votes > 0 { (n % 5) as f64 - 2.0 } else { 0.0 };
        trends.push(trend);
        // Reproduced, of how many: one in four, three in three, or no record.
        let counts = match n % 6 {
            0 => ", verdict_rank = 250250, reproduced = 1, not_at_this_scale = 3",
            1 => ", verdict_rank = 1001000, reproduced = 3",
            _ => "",
        };
        let trending = if votes > 0 { format!(", trending = {trend}") } else { String::new() };
        let comments = if n % 9 == 0 { n % 3 } else { 0 };
        send(
            dir,
            &format!(
                "UPDATE papers SET votes = {votes}, comments = {comments}{trending}{counts} \
                 WHERE id = '{id}'"
            ),
        )
        .await;
    }
    let mut all = Vec::new();
    for (id, trend) in done.ids.iter().zip(trends) {
        all.push((catalog.paper(id).await.unwrap().unwrap(), trend));
    }
    (catalog, all)
}

#[tokio::test]
async fn every_order_is_total_and_its_pages_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, all) = mixed(folder.path()).await;
    let week = Period::week_of(date(2025, 9, 9));
    for period in
        [Period::All, Period::Day(date(2025, 9, 9)), week, Period::month_of(date(2025, 8, 1))]
    {
        let within = all.iter().filter(|(paper, _)| match period.range() {
            Some((first, last)) => paper.listed.is_some_and(|day| first <= day && day <= last),
            None => true,
        });
        let within: Vec<(Paper, f64)> = within.cloned().collect();
        assert!(!within.is_empty(), "{period}");
        for sort in Sort::ALL {
            let expected = sorted(within.clone(), sort);
            for per_page in [1, 7, 100] {
                let mut query = ListQuery { per_page, ..ListQuery::new(period, sort) };
                let mut got = Vec::new();
                loop {
                    let page = catalog.list(&query).await.unwrap();
                    assert_eq!(page.total, expected.len() as u64);
                    got.extend(page.papers.into_iter().map(|p| p.id));
                    if query.page == page.pages {
                        break;
                    }
                    query.page += 1;
                }
                assert_eq!(got, expected, "{period} by {sort}, {per_page} a page");
            }
        }
    }
}

#[tokio::test]
async fn without_votes_trending_is_newest_first() {
    let catalog = Catalog::in_memory().await.unwrap();
    let papers =
        [listed("Old", date(2024, 1, 1)), listed("New", date(2025, 9, 9)), titled("Undated")];
    catalog.upsert(&papers).await.unwrap();
    for sort in [Sort::Trending, Sort::Votes, Sort::Date] {
        let page = catalog.list(&ListQuery::new(Period::All, sort)).await.unwrap();
        let titles: Vec<&str> = page.papers.iter().map(|p| p.title.as_str()).collect();
        assert_eq!(titles, ["New", "Old", "Undated"], "{sort}");
    }
}

#[tokio::test]
async fn pages_outside_the_list() {
    let catalog = Catalog::in_memory().await.unwrap();
    let empty = catalog.list(&ListQuery::default()).await.unwrap();
    assert_eq!((empty.total, empty.page, empty.pages), (0, 1, 1));
    let papers: Vec<NewPaper> = (0..5).map(|n| titled(&format!("T{n}"))).collect();
    catalog.upsert(&papers).await.unwrap();
    let query = |page, per_page| ListQuery { page, per_page, ..ListQuery::default() };
    let first = catalog.list(&query(0, 2)).await.unwrap();
    assert_eq!((first.page, first.pages, first.papers.len()), (1, 3, 2));
    let beyond = catalog.list(&query(u32::MAX, u32::MAX)).await.unwrap();
    assert_eq!((beyond.total, beyond.papers.len(), beyond.pages), (5, 0, 1));
    let no_week = ListQuery::new(Period::Week { year: 2025, week: 60 }, Sort::Date);
    assert_eq!(catalog.list(&no_week).await.unwrap().total, 0);
    let smallest = catalog.list(&query(2, 0)).await.unwrap();
    assert_eq!((smallest.papers.len(), smallest.pages), (1, 5));
}

#[tokio::test]
async fn neighbours_are_the_nearest_that_have_papers() {
    let catalog = Catalog::in_memory().await.unwrap();
    assert_eq!(catalog.latest_day().await.unwrap(), None);
    let days = [date(2024, 12, 30), date(2025, 9, 9), date(2025, 9, 12), date(2025, 12, 1)];
    let papers = days.map(|day| listed(&format!("Of {day}"), day));
    catalog.upsert(&papers).await.unwrap();
    catalog.upsert(&[titled("Never listed")]).await.unwrap();
    assert_eq!(catalog.latest_day().await.unwrap(), Some(days[3]));
    for (of, previous, next) in [
        ("2025-09-09", "2024-12-30", "2025-09-12"),
        ("2025-09-10", "2025-09-09", "2025-09-12"),
        ("2025-W37", "2025-W01", "2025-W49"),
        ("2025-09", "2024-12", "2025-12"),
        ("2024-12-30", "", "2025-09-09"),
        ("2026-01", "2025-12", ""),
        ("all", "", ""),
    ] {
        let got = catalog.neighbours(of.parse().unwrap()).await.unwrap();
        let text = |p: Option<Period>| p.map_or(String::new(), |p| p.to_string());
        assert_eq!(
            (text(got.previous).as_str(), text(got.next).as_str()),
            (previous, next),
            "{of}"
        );
    }
}
