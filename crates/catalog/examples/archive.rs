//! How long the archive of a large site takes, and how much memory.
//!
//! ```text
//! cargo run -p pressrun-catalog --example archive
//! ```

use std::time::Instant;

use pressrun_catalog::Catalog;
use pressrun_catalog::archive::{Options, Room};
use sqlx::{AssertSqlSafe, Connection, Executor};

const PAPERS: usize = 87_000;
const PEOPLE: usize = 10_000;
const VOTES: usize = 1_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let catalog = Catalog::open(from.path()).await?;
    fill(&format!("sqlite://{}/pressrun.sqlite", from.path().display())).await?;

    let file = from.path().join("all.tar.zst");
    let started = Instant::now();
    let summary = catalog.export_to(&file, &Options::new("example")).await?;
    let packed = file.metadata()?.len() >> 20;
    println!("export: {:.1} s, {packed} MiB, peak {}", started.elapsed().as_secs_f64(), peak());
    println!("{:?}", summary.rows);

    let other = Catalog::open(to.path()).await?;
    let started = Instant::now();
    other.import_archive(&file, &Room::Empty).await?;
    println!("import: {:.1} s, peak {}", started.elapsed().as_secs_f64(), peak());
    Ok(())
}

/// Papers with abstracts of some 1,300 letters that do not repeat themselves, people, votes.
async fn fill(url: &str) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await?;
    let numbers = |most: usize| {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) ")
    };
    for statement in [
        "BEGIN".to_owned(),
        format!(
            "INSERT INTO papers (added_at, id, dated, listed, title, authors, title_key, summary, \
             revision) {}SELECT i, 'p' || i, '2025-01-01', '2025-01-01', 'Paper ' || i, 'A ' || i, \
             'paper' || i, hex(randomblob(650)), i FROM n",
            numbers(PAPERS)
        ),
        format!(
            "INSERT INTO paper_authors (position, name, paper) {}SELECT i % 4, 'Author ' || (i % 9000), \
             'p' || (i / 4 + 1) FROM n",
            numbers(PAPERS * 4 - 4)
        ),
        format!(
            "INSERT INTO people (joined_at, id, email, handle, name, role) {}SELECT i, i, \
             i || '@example.org', 'h' || i, 'N', 'reader' FROM n",
            numbers(PEOPLE)
        ),
        format!(
            "INSERT INTO votes (at, person, paper) {}SELECT i, i % {PEOPLE} + 1, \
             'p' || (i / {PEOPLE} * 860 + i % 860 + 1) FROM n WHERE true ON CONFLICT DO NOTHING",
            numbers(VOTES)
        ),
        "COMMIT".to_owned(),
    ] {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    connection.close().await
}

/// The most memory that this program has had, on Linux.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or("VmHWM: unknown").trim_start_matches("VmHWM:").trim().to_owned()
}
