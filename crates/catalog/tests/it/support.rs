//! What the tests share.

use std::path::Path;

use jiff::civil::Date;
use pressrun_catalog::{Catalog, ListQuery, NewPaper, Paper, Period, Sort};
use pressrun_lab::{Machine, Outcome, Profile, RECORD_SCHEMA, Record, Software, Verdict};
use sqlx::{AssertSqlSafe, Connection, Executor};

/// A paper of which only the title is known.
pub fn titled(title: &str) -> NewPaper {
    NewPaper { title: title.into(), ..NewPaper::default() }
}

/// A paper with a study.
pub fn studied(slug: &str) -> NewPaper {
    NewPaper { slug: Some(slug.into()), ..titled(&format!("The study of {slug}")) }
}

/// A paper that stands on the list of a day.
pub fn listed(title: &str, day: Date) -> NewPaper {
    NewPaper { listed: Some(day), ..titled(title) }
}

/// A record with these outcomes, started at that second of a day.
pub fn record(
    run: &str,
    slug: &str,
    profile: Profile,
    second: i64,
    outcomes: &[Outcome],
) -> Record {
    let start = jiff::Timestamp::from_second(1_757_376_000 + second).unwrap();
    let verdicts = outcomes.iter().enumerate().map(|(n, &outcome)| Verdict {
        claim: format!("C{}", n + 1),
        outcome,
        comparisons: Vec::new(),
        reason: None,
    });
    Record {
        schema: RECORD_SCHEMA,
        run: run.into(),
        slug: slug.into(),
        profile,
        seeds: vec![1, 2],
        command: format!("pressrun run {slug}"),
        supersedes: None,
        reason: Some("a test".into()),
        started: start.to_string(),
        seconds: 1.5,
        threads: 2,
        device: "flex".into(),
        machine: Machine {
            processor: "none".into(),
            cores: 2,
            system: "linux x86_64".into(),
            memory_gib: Some(3.5),
        },
        software: Software {
            pressrun: "0.1.0".into(),
            commit: "unknown".into(),
            crates: vec![],
            rustc: "1.95".into(),
        },
        data: vec![],
        verdicts: verdicts.collect(),
        metrics: vec![],
        rows: vec![],
        tuning: vec![],
        series: vec![],
        curves: vec![],
        log: vec!["a line".into()],
    }
}

/// Sends a statement to the database file directly: for what the catalogue stores but has no call to
/// change, such as votes.
pub async fn send(dir: &Path, statement: &str) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/pressrun.sqlite", dir.display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// All papers, by id, without the time at which they came.
pub async fn everything(catalog: &Catalog) -> Vec<Paper> {
    let mut query = ListQuery::new(Period::All, Sort::Title);
    query.per_page = ListQuery::MAX_PER_PAGE;
    let mut papers = Vec::new();
    loop {
        let page = catalog.list(&query).await.unwrap();
        papers.extend(page.papers);
        if query.page >= page.pages {
            break;
        }
        query.page += 1;
    }
    for paper in &mut papers {
        paper.added_at = jiff::Timestamp::UNIX_EPOCH;
    }
    papers.sort_by(|a, b| a.id.cmp(&b.id));
    papers
}
