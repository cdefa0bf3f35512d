//! The SMTP server of tests and measurements, and what it took over.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A script of `e2e/mail`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mail").join(name)
}

/// A real SMTP server on loopback (aiosmtpd); ends when dropped.
#[derive(Debug)]
pub struct MailServer {
    child: Child,
    port: u16,
}

impl MailServer {
    /// Starts it on a port, or any for 0, with the moods of `mail/server.py`. What it takes over is
    /// written into the folder.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(python: &Path, port: u16, folder: &Path, moods: &[&str]) -> Self {
        let mut child = Command::new(python)
            .arg(script("server.py"))
            .arg(port.to_string())
            .arg(folder)
            .args(moods)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        lines.read_line(&mut line).expect("a line");
        let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
        Self { child, port: port.unwrap_or_else(|| panic!("not ready: {line}")) }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address for `--smtp`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a mail server has taken over so far: message ids by address.
///
/// # Panics
/// If a line of its file is not as `mail/server.py` writes it.
pub fn accepted(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(folder.join("accepted.jsonl")).unwrap_or_default();
    let mut accepted = BTreeMap::<String, Vec<String>>::new();
    for line in text.lines() {
        // The last line may be being written.
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let text = |name: &str| line[name].as_str().expect("a text").to_owned();
        accepted.entry(text("to")).or_default().push(text("id"));
    }
    accepted
}
