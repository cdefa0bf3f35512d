//! `cargo xtask bench load --corpus FILE`: pages and writes of a site with many papers, people and votes.
//!
//! Papers are imported by the program; people and votes are put into its database by `bench/fill.py`.
//! Times are of the real program over HTTP on connections that are kept. Results are JSON, one object a
//! line.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::{Server, data, program};
use crate::http::Client;
use crate::shell::{output, run};

/// The size of the site.
const PAPERS: usize = 87_000;
const PEOPLE: usize = 10_000;
const VOTES: usize = 1_000_000;
/// Requests of one kind by one client, after as many to warm up.
const REQUESTS: usize = 2000;
/// Clients that read at once, and what each reads.
const READERS: usize = 16;
const EACH: usize = 1500;
/// Clients that write at once, and the votes and comments of each: fewer than one person's limit.
const WRITERS: usize = 50;
const VOTES_EACH: usize = 40;
const COMMENTS_EACH: usize = 10;

/// Fills a site and measures it.
pub fn load(corpus: &Path) -> Result<()> {
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    let data = data();
    let measured = fill(corpus, &data).and_then(|sessions| measure(&data, &sessions));
    let removed = std::fs::remove_dir_all(&data).context("removing the bench's site");
    measured.and(removed)
}

/// Makes the site; the secrets of sessions, each of another person.
fn fill(corpus: &Path, data: &Path) -> Result<Vec<String>> {
    output(Command::new(program()).arg("import").arg(corpus).arg("--data").arg(data))?;
    let script = crate::root().join("xtask/bench/fill.py");
    let numbers = [PAPERS, PEOPLE, VOTES, REQUESTS].map(|number| number.to_string());
    let begun = Instant::now();
    let mut python = Command::new("python3");
    let said = output(python.arg(script).arg(data.join("pressrun.sqlite")).args(numbers))?;
    println!(
        "{}",
        json!({ "papers": PAPERS, "people": PEOPLE, "votes": VOTES, "fill_s": seconds(begun) })
    );
    output(Command::new(program()).arg("index").arg("--data").arg(data))?;
    Ok(said.lines().map(str::to_owned).collect())
}

fn measure(data: &Path, sessions: &[String]) -> Result<()> {
    // A first start makes the order of trending papers anew, which is not measured.
    drop(Server::start_with(data, &["--trending-hours", "72"])?);
    let server = Server::start_with(data, &["--trending-hours", "72"])?;
    println!("{}", json!({ "start_ms": rounded(server.start_ms) }));
    let mut client = Client::new()?;
    let papers = papers(&mut client)?;
    let page = |i: usize| format!("/papers/{}", papers[i * 7 % papers.len()]);
    let front = |_: usize| "/".to_owned();
    let trending = |i: usize| format!("/papers/trending?page={}", i % 5 + 1);
    times("front page", |i| client.get(&front(i)).map(drop))?;
    times("paper page", |i| client.get(&page(i)).map(drop))?;
    times("trending", |i| client.get(&trending(i)).map(drop))?;
    let vote = |i: usize| format!("{}/vote", page(i));
    times("vote", |i| client.post(&vote(i), &sessions[i % sessions.len()], "vote=1&to=%2F"))?;

    let begun = Instant::now();
    together(READERS, |reader, client| {
        for i in 0..EACH {
            let at = i * READERS + reader;
            client.get(&if at.is_multiple_of(4) { front(at) } else { page(at) })?;
        }
        Ok(())
    })?;
    let rate = (READERS * EACH) as f64 / begun.elapsed().as_secs_f64();
    println!("{}", json!({ "clients": READERS, "pages_per_s": rate.round() }));
    writers(&mut client, &papers[..VOTES_EACH], sessions)?;
    println!("{}", json!({ "resident_mib": rounded(server.resident_mib()?) }));
    Ok(())
}

/// Many people vote and comment at once: nothing of it may be lost.
fn writers(client: &mut Client, papers: &[String], sessions: &[String]) -> Result<()> {
    // The last sessions' people may have voted before; what counts is how many stand there afterwards.
    let people = &sessions[sessions.len() - WRITERS..];
    for person in people {
        for paper in papers {
            client.post(&format!("/papers/{paper}/vote"), person, "vote=0&to=%2F")?;
        }
    }
    // Of what a person may do in a burst, two come back a second.
    std::thread::sleep(Duration::from_secs(VOTES_EACH as u64));
    let before = standings(client, papers)?;
    let begun = Instant::now();
    together(WRITERS, |writer, client| {
        for (at, paper) in papers.iter().enumerate() {
            client.post(&format!("/papers/{paper}/vote"), &people[writer], "vote=1&to=%2F")?;
            if at < COMMENTS_EACH {
                let form = format!("text=Comment+{at}+of+{writer}");
                client.post(&format!("/papers/{paper}/comments"), &people[writer], &form)?;
            }
        }
        Ok(())
    })?;
    let elapsed = begun.elapsed().as_secs_f64();
    let after = standings(client, papers)?;
    let (mut votes, mut comments) = (0, 0);
    for (paper, (upvotes, texts)) in &after {
        votes += upvotes - before[paper].0;
        comments += texts - before[paper].1;
    }
    let expected = (WRITERS * VOTES_EACH, WRITERS * COMMENTS_EACH);
    let writes = (expected.0 + expected.1) as f64;
    println!(
        "{}",
        json!({ "writers": WRITERS, "votes": votes, "comments": comments, "writes_per_s": (writes / elapsed).round() })
    );
    if (votes, comments) != (expected.0 as i64, expected.1 as i64) {
        bail!("{votes} votes and {comments} comments stand there; expected {expected:?}");
    }
    Ok(())
}

/// Votes and comments of papers.
fn standings(client: &mut Client, papers: &[String]) -> Result<BTreeMap<String, (i64, i64)>> {
    let mut found = BTreeMap::new();
    for paper in papers {
        let facts: Value = serde_json::from_slice(&client.get(&format!("/api/papers/{paper}"))?)?;
        let number = |name: &str| facts[name].as_i64().context("a paper without numbers");
        found.insert(paper.clone(), (number("upvotes")?, number("numComments")?));
    }
    Ok(found)
}

/// Ids of papers, spread over all.
fn papers(client: &mut Client) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for page in 0..40 {
        let body = client.get(&format!("/api/daily_papers?limit=100&p={page}"))?;
        let items: Vec<Value> = serde_json::from_slice(&body)?;
        ids.extend(items.iter().filter_map(|item| Some(item["paper"]["id"].as_str()?.to_owned())));
    }
    // An id with a slash would have to be encoded.
    ids.retain(|id| !id.contains('/'));
    if ids.len() < 1000 {
        bail!("{} papers are on lists; expected a corpus of some thousands", ids.len());
    }
    Ok(ids)
}

/// Times of requests by one client.
fn times(what: &str, mut request: impl FnMut(usize) -> Result<()>) -> Result<()> {
    let mut times = Vec::with_capacity(REQUESTS);
    for i in 0..2 * REQUESTS {
        let begun = Instant::now();
        request(i)?;
        if i >= REQUESTS {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let [p50, p99] = [50, 99].map(|percent| rounded(times[REQUESTS * percent / 100]));
    println!("{}", json!({ "what": what, "p50_ms": p50, "p99_ms": p99 }));
    Ok(())
}

/// Clients side by side, each with its number.
fn together(clients: usize, work: impl Fn(usize, &mut Client) -> Result<()> + Sync) -> Result<()> {
    let work = &work;
    std::thread::scope(|scope| {
        let one = |number: usize| work(number, &mut Client::new()?);
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || one(number))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => bail!("a client panicked"),
        })
    })
}

fn seconds(begun: Instant) -> f64 {
    rounded(begun.elapsed().as_secs_f64())
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
