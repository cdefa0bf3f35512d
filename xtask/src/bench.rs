//! `cargo xtask bench site`: start-up, memory and page times of the real program. `cargo xtask bench
//! recommend`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::shell::run;

/// Where a site that is measured answers.
pub const ADDRESS: &str = "127.0.0.1:18089";
const REQUESTS: usize = 500;

/// The server under measurement, ended when dropped.
pub struct Server {
    child: Child,
    /// Time from its start to its first answer.
    pub start_ms: f64,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the program's site on a folder, and waits until it answers.
    pub fn start(data: &Path) -> Result<Self> {
        let started = Instant::now();
        let child = Command::new(program())
            .args(["serve", "--addr", ADDRESS, "--data"])
            .arg(data)
            .stderr(Stdio::null())
            .spawn()
            .context("starting the site")?;
        let mut server = Self { child, start_ms: 0.0 };
        while get("/healthz").is_err() {
            if started.elapsed() > Duration::from_secs(20) {
                bail!("the site does not answer");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        server.start_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(server)
    }

    /// Its resident memory.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kib / 1024.0)
    }
}

/// The program, which has to be built.
pub fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| crate::root().join("target"), PathBuf::from).join("debug/pressrun")
}

/// A folder for a site that is measured.
pub fn data() -> PathBuf {
    std::env::temp_dir().join(format!("pressrun-bench-{}", std::process::id()))
}

/// Measures and prints one JSON object.
pub fn site() -> Result<()> {
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    let data = data();
    let server = Server::start(&data)?;
    std::thread::sleep(Duration::from_secs(2));
    let idle_mib = server.resident_mib()?;
    let mut pages = Vec::new();
    for path in ["/", "/papers/2112.14397", "/papers/all?page=2"] {
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let begin = Instant::now();
            get(path)?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        pages.push(format!(
            "{{\"path\": \"{path}\", \"p50_ms\": {:.2}, \"p99_ms\": {:.2}}}",
            times[REQUESTS / 2],
            times[REQUESTS * 99 / 100]
        ));
    }
    let after_mib = server.resident_mib()?;
    println!(
        "{{\"start_ms\": {:.0}, \"idle_mib\": {idle_mib:.1}, \"after_mib\": {after_mib:.1}, \
         \"pages\": [{}]}}",
        server.start_ms,
        pages.join(", ")
    );
    drop(server);
    std::fs::remove_dir_all(&data).context("removing the bench's database")
}

/// Measures recommendations, by the example of the crate that makes them.
pub fn recommend(corpus: &Path, all: bool) -> Result<()> {
    let corpus = std::path::absolute(corpus)?;
    let corpus = corpus.to_str().context("the corpus has a name that is no text")?;
    let mut arguments = vec![
        "run",
        "--quiet",
        "--package",
        "pressrun-search",
        "--example",
        "recommend",
        "--",
        corpus,
    ];
    arguments.extend(all.then_some("--all"));
    run("cargo", &arguments)
}

/// One request on a connection of its own; fails unless the status is 200.
fn get(path: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("`{path}` did not answer 200");
    }
    Ok(answer.len())
}
