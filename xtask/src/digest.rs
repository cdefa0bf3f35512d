//! `cargo xtask bench digest`: how long it takes until ten thousand subscribers have their issue.
//!
//! The real program hands mail to a real SMTP server (aiosmtpd) on the same machine, which writes down
//! every message before it answers. With `--kills` the program is killed at random moments and started
//! again, and what came twice is counted.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::{Server, data};
use crate::shell::{output, run};

/// Seconds until the issues are due, once the site is ready.
const AHEAD: u32 = 4;
/// The longest wait for all mails.
const PATIENCE: Duration = Duration::from_secs(900);

/// Fills a site with subscriptions and measures it.
pub fn digest(subscribers: u32, kills: u32) -> Result<()> {
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    let python = pressrun_e2e::python().context("Python with aiosmtpd is needed")?;
    let data = data();
    std::fs::create_dir_all(&data)?;
    let measured = measure(&python, &data, subscribers, kills);
    let removed = std::fs::remove_dir_all(&data).context("removing the bench's site");
    measured.and(removed)
}

fn measure(python: &Path, data: &Path, subscribers: u32, kills: u32) -> Result<()> {
    let scripts = crate::root().join("e2e/mail");
    // The site's own papers come in when it is first started.
    drop(Server::start(data)?);
    let mut filling = Command::new(python);
    filling.arg(scripts.join("subscribe.py")).arg(data.join("pressrun.sqlite"));
    output(filling.args([subscribers.to_string(), AHEAD.to_string()]))?;
    let due = Instant::now() + Duration::from_secs(AHEAD.into());
    let server = MailServer::start(python, &scripts, data)?;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    let arguments = ["--smtp", url.as_str()];
    let mut site = Server::start_with(data, &arguments)?;
    for kill in 0..kills {
        // Spread over the time that sending takes, at other moments at every run.
        let jitter = Duration::from_micros(u64::from(due.elapsed().subsec_micros() % 900_000));
        let moment = due + Duration::from_secs(u64::from(kill) * 2) + jitter;
        std::thread::sleep(moment.saturating_duration_since(Instant::now()));
        // Dropping it is SIGKILL.
        drop(site);
        site = Server::start_with(data, &arguments)?;
    }
    loop {
        let served = accepted(data)?;
        if served.len() == subscribers as usize {
            break;
        }
        if due.elapsed() > PATIENCE {
            bail!("after {PATIENCE:?} {} of {subscribers} have their issue", served.len());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let seconds = due.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(2));
    let served = accepted(data)?;
    let surplus: usize = served.values().map(|ids| ids.len() - 1).sum();
    if served.values().any(|ids| ids.iter().any(|id| *id != ids[0])) {
        bail!("somebody has two mails with different Message-IDs");
    }
    println!(
        "{}",
        json!({ "subscribers": subscribers, "served_s": (seconds * 10.0).round() / 10.0,
            "mails_per_s": (f64::from(subscribers) / seconds).round(), "kills": kills,
            "came_twice": surplus, "resident_mib": site.resident_mib()?.round() })
    );
    Ok(())
}

/// What the mail server took over: message ids by address.
fn accepted(data: &Path) -> Result<HashMap<String, Vec<String>>> {
    let text = std::fs::read_to_string(data.join("accepted.jsonl")).unwrap_or_default();
    let mut accepted = HashMap::<String, Vec<String>>::new();
    // The last line may be being written.
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let text = |name: &str| line[name].as_str().context("a line without a text");
        accepted.entry(text("to")?.to_owned()).or_default().push(text("id")?.to_owned());
    }
    Ok(accepted)
}

/// The mail server; ends when dropped.
struct MailServer {
    child: Child,
    port: u16,
}

impl MailServer {
    fn start(python: &Path, scripts: &Path, folder: &Path) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(scripts.join("server.py"))
            .arg("0")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the mail server")?;
        let mut line = String::new();
        let lines = child.stdout.take().context("no output")?;
        BufReader::new(lines).read_line(&mut line)?;
        let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
        Ok(Self { child, port: port.with_context(|| format!("the mail server said `{line}`"))? })
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
