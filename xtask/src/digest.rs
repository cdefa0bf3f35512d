//! `cargo xtask bench digest`: how long it takes until ten thousand subscribers have their issue.
//!
//! The real program hands mail to a real SMTP server (aiosmtpd) on the same machine, which writes down
//! every message before it answers. With `--kills` the program is killed at random moments and started
//! again, and what came twice is counted.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pressrun_e2e::mail::{MailServer, accepted, script};
use serde_json::json;

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
    // The site's own papers come in when it is first started.
    drop(Server::start(data)?);
    let mut filling = Command::new(python);
    filling.arg(script("subscribe.py")).arg(data.join("pressrun.sqlite"));
    output(filling.args([subscribers.to_string(), AHEAD.to_string()]))?;
    let due = Instant::now() + Duration::from_secs(AHEAD.into());
    let server = MailServer::start(python, 0, data, &[]);
    let url = server.url();
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
        let served = accepted(data);
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
    let served = accepted(data);
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
