//! `cargo xtask bench search --corpus FILE`: how well and how fast search finds papers.
//!
//! Quality is measured by `pressrun score` on papers held out from the embedder's training, speed on
//! the real program over HTTP. Both need a corpus, which is not part of the repository. Results are
//! JSON, one object a line.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::{Server, data, program};
use crate::http::Client;
use crate::shell::{output, run};

/// Searches of one client, after as many to warm up.
const SEARCHES: usize = 3000;
/// Clients at once for the throughput.
const CLIENTS: usize = 8;
/// Titles that queries are made of.
const TITLES: usize = 1000;
/// Titles asked for at once: the most that the interface gives.
const PAGE: usize = 100;
/// MRR@10 that the fused search is to reach with 87,000 papers.
const TARGETS: [(&str, f64); 5] = [
    ("title", 0.85),
    ("closing", 0.55),
    ("passage", 0.22),
    ("keywords", 0.965),
    ("verbatim", 0.995),
];
/// By how much the fused search may be under the words alone.
const SLACK: f64 = 0.005;

/// Measures quality, unless only `speed` is asked for, then speed.
pub fn search(corpus: &Path, speed: bool) -> Result<()> {
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    if !speed {
        quality(corpus)?;
    }
    let data = data();
    let measured = measure(corpus, &data);
    let removed = std::fs::remove_dir_all(&data).context("removing the bench's site");
    measured.and(removed)
}

fn quality(corpus: &Path) -> Result<()> {
    let said = output(Command::new(program()).args(["score", "--json", "--corpus"]).arg(corpus))?;
    for line in said.lines() {
        let mut score: Value = serde_json::from_str(line)?;
        // The judged topics have none.
        let target = TARGETS.into_iter().find(|(name, _)| score["task"] == *name);
        let Some((_, target)) = target else {
            println!("{score}");
            continue;
        };
        let mrr = |part: &str| score[part]["mrr"].as_f64().context("a score without a number");
        let (fused, lexical) = (mrr("fused")?, mrr("lexical")?);
        score["target"] = target.into();
        score["reached"] = (fused >= target && fused >= lexical - SLACK).into();
        println!("{score}");
    }
    Ok(())
}

fn measure(corpus: &Path, data: &Path) -> Result<()> {
    let begun = Instant::now();
    let said = output(Command::new(program()).arg("import").arg(corpus).arg("--data").arg(data))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({ "import_s": rounded(seconds), "said": said.lines().collect::<Vec<_>>() })
    );
    let begun = Instant::now();
    let said = output(Command::new(program()).arg("index").arg("--data").arg(data))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", json!({ "index_s": rounded(seconds), "said": said.trim() }));

    let server = Server::start(data)?;
    println!("{}", json!({ "start_ms": rounded(server.start_ms) }));
    let mut client = Client::new()?;
    let titles = titles(&mut client)?;
    for (kind, query) in QUERIES {
        let queries: Vec<String> = titles.iter().map(|title| query(title)).collect();
        let mut times = Vec::with_capacity(SEARCHES);
        for i in 0..2 * SEARCHES {
            let begun = Instant::now();
            search_for(&mut client, &queries[i % queries.len()], 20)?;
            if i >= SEARCHES {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        let [p50, p99] = [50, 99].map(|percent| rounded(times[SEARCHES * percent / 100]));
        println!(
            "{}",
            json!({ "queries": kind, "such_as": queries[0], "p50_ms": p50, "p99_ms": p99 })
        );
    }
    for (kind, query) in QUERIES {
        let queries: Vec<String> = titles.iter().map(|title| query(title)).collect();
        let rate = throughput(&queries)?;
        println!(
            "{}",
            json!({ "queries": kind, "clients": CLIENTS, "searches_per_s": rate.round() })
        );
    }
    println!("{}", json!({ "resident_mib": rounded(server.resident_mib()?) }));
    Ok(())
}

/// Searches a second of all clients together.
fn throughput(queries: &[String]) -> Result<f64> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let ask = |first: usize| -> Result<()> {
            let mut client = Client::new()?;
            for i in 0..SEARCHES {
                search_for(&mut client, &queries[(i * CLIENTS + first) % queries.len()], 20)?;
            }
            Ok(())
        };
        let clients: Vec<_> = (0..CLIENTS).map(|first| scope.spawn(move || ask(first))).collect();
        clients.into_iter().try_for_each(|client| match client.join() {
            Ok(done) => done,
            Err(_) => bail!("a client panicked"),
        })
    })?;
    Ok((CLIENTS * SEARCHES) as f64 / begun.elapsed().as_secs_f64())
}

/// Kinds of queries, each made of a title.
type Kind = (&'static str, fn(&str) -> String);
const QUERIES: [Kind; 2] = [("keywords", keywords), ("questions", question)];

/// The three longest words of a title.
fn keywords(title: &str) -> String {
    let mut words: Vec<&str> = title.split_whitespace().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(3);
    words.join(" ")
}

fn question(title: &str) -> String {
    format!("what is a good way to do {}?", title.to_lowercase())
}

/// Titles of the catalogue, of letters, digits and spaces only: the rest is the query language's.
fn titles(client: &mut Client) -> Result<Vec<String>> {
    let mut titles = Vec::new();
    for word in ["learning", "networks", "language", "vision", "models", "data", "robust", "graph"]
    {
        for year in 2010..2030 {
            for item in search_for(client, &format!("{word} year:{year}"), PAGE)? {
                let title = item["title"].as_str().context("a paper without a title")?;
                let plain = |c: char| if c.is_alphanumeric() { c } else { ' ' };
                titles.push(title.chars().map(plain).collect::<String>());
            }
        }
    }
    titles.sort();
    titles.dedup();
    // Spread over all words and years.
    let step = (titles.len() / TITLES).max(1);
    let titles: Vec<String> = titles.into_iter().step_by(step).take(TITLES).collect();
    if titles.len() < PAGE {
        bail!("{} titles to search for; expected a corpus with some hundreds", titles.len());
    }
    Ok(titles)
}

/// The papers that a query finds.
fn search_for(client: &mut Client, query: &str, limit: usize) -> Result<Vec<Value>> {
    let query: String = query
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let body = client.get(&format!("/api/papers/search?limit={limit}&q={query}"))?;
    // What a client does with the answer is not the server's time: the list is only parsed where
    // it is wanted.
    if limit == PAGE { Ok(serde_json::from_slice(&body)?) } else { Ok(Vec::new()) }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
