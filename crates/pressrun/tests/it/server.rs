//! The real server on a free port, and a plain HTTP client.
//!
//! The browser's tests in `e2e` use this file too.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program under test: cargo names it to tests of its own package; for other packages it lies
/// beside the folder of the test binary.
pub fn program() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_pressrun") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a path of this test");
    let folder = test.parent().and_then(Path::parent).expect("a target folder");
    let path = folder.join("pressrun");
    assert!(path.is_file(), "`{}` is missing: run `cargo build -p pressrun`", path.display());
    path
}

/// Longest wait for anything: test machines are slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

/// An answer.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header block, as sent.
    pub head: String,
    /// Body.
    pub body: String,
}

impl Server {
    /// Starts a server on this folder and waits for its address.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with further arguments.
    pub fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(["serve", "--addr", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .env("PRESSRUN_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit("http://").next().unwrap_or_default().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "unexpected first line: {line}");
        Self { child, address }
    }

    /// Ends the server as a power cut would: SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it can be waited for");
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// POST of an empty form from the site's own pages.
    pub fn post(&self, path: &str, form: &str) -> Answer {
        self.request("POST", path, form)
    }

    fn request(&self, method: &str, path: &str, form: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let address = &self.address;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
             Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        )
        .expect("the request is sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a header block");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// The state of a run, from the JSON interface.
    pub fn run(&self, id: &str) -> serde_json::Value {
        let answer = self.get(&format!("/api/runs/{id}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Starts a run by the paper page's form and returns its id.
    pub fn start_run(&self, paper: &str, form: &str) -> String {
        let answer = self.post(&format!("/papers/{paper}/runs"), form);
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.location().rsplit('/').next().expect("a run id").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Where the answer redirects to.
    pub fn location(&self) -> &str {
        let line = self.head.lines().find(|l| l.starts_with("location: "));
        line.expect("a location").trim_start_matches("location: ")
    }
}

/// Waits until `condition` gives a value.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
