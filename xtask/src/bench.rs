//! `cargo xtask bench site`: start-up, memory and page times of the real program.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::shell::run;

const ADDRESS: &str = "127.0.0.1:18089";
const REQUESTS: usize = 500;

/// The server under measurement, ended when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures and prints one JSON object.
pub fn bench(what: &str) -> Result<()> {
    debug_assert_eq!(what, "site");
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| crate::root().join("target"), PathBuf::from);
    let data = std::env::temp_dir().join(format!("pressrun-bench-{}", std::process::id()));
    let started = Instant::now();
    let child = Command::new(target.join("debug/pressrun"))
        .args(["serve", "--addr", ADDRESS, "--data"])
        .arg(&data)
        .stderr(Stdio::null())
        .spawn()
        .context("starting the site")?;
    let server = Server(child);
    while get("/healthz").is_err() {
        if started.elapsed() > Duration::from_secs(20) {
            bail!("the site does not answer");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let start_ms = started.elapsed().as_secs_f64() * 1e3;
    std::thread::sleep(Duration::from_secs(2));
    let idle_mib = resident_mib(server.0.id())?;
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
    let after_mib = resident_mib(server.0.id())?;
    println!(
        "{{\"start_ms\": {start_ms:.0}, \"idle_mib\": {idle_mib:.1}, \"after_mib\": {after_mib:.1}, \
         \"pages\": [{}]}}",
        pages.join(", ")
    );
    drop(server);
    std::fs::remove_dir_all(&data).context("removing the bench's database")
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

fn resident_mib(id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}
