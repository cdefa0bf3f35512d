//! The digest against a real SMTP server: killed, put off, refused, cut off, encrypted, and read back.

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use pressrun_e2e::mail::{MailServer, accepted, script};
use serde_json::Value;

use server::{PATIENCE, Server, program};

/// What mails may be under way at once.
const CONNECTIONS: usize = 8;

/// A site's folder and what its mail server took over.
struct Site {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Site {
    /// A site with so many subscriptions that are due; `None` where there is no Python.
    fn new(subscriptions: usize) -> Option<Self> {
        let python = pressrun_e2e::python()?;
        let site = Self { folder: tempfile::tempdir().expect("a folder"), python };
        // The site's own papers come in when it is first started.
        drop(site.serve(&["--smtp", "smtp://127.0.0.1:9?tls=none"]));
        site.script(&script("subscribe.py"), &[&subscriptions.to_string(), "0"]);
        Some(site)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// Runs a script on the database.
    fn script(&self, script: &Path, arguments: &[&str]) {
        let database = self.data().join("pressrun.sqlite");
        let output =
            Command::new(&self.python).arg(script).arg(database).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the site.
    fn serve(&self, arguments: &[&str]) -> Server {
        let arguments = [&["--mail-first-wait", "1"], arguments].concat();
        Server::start_with(&self.data(), &arguments)
    }

    /// `pressrun digest ...`.
    fn digest(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("digest").args(arguments).arg("--data").arg(self.data());
        command.env("PRESSRUN_LOG", "off").output().expect("the program starts")
    }

    fn status(&self) -> Value {
        let output = self.digest(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What the mail server took over: message ids by address.
    fn accepted(&self) -> BTreeMap<String, Vec<String>> {
        accepted(self.folder.path())
    }
}

/// Posts as a mail program does: no cookie, no origin, nothing but the form. The status.
fn one_click(site: &Server, path: &str) -> u16 {
    let form = "List-Unsubscribe=One-Click";
    let mut stream = TcpStream::connect(&site.address).expect("the site listens");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: papers.example.org\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "not reached: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asserts that whoever got a mail more than once got the same one; how many came too often.
fn surplus(accepted: &BTreeMap<String, Vec<String>>) -> usize {
    let mut ids = BTreeSet::new();
    let mut surplus = 0;
    for (address, of) in accepted {
        assert!(of.iter().all(|id| *id == of[0]), "{address} has {of:?}");
        assert!(ids.insert(&of[0]), "{} went to two addresses", of[0]);
        surplus += of.len() - 1;
    }
    surplus
}

#[test]
fn killed_ten_times_nobody_misses_an_issue() {
    const READERS: usize = 1500;
    const KILLS: usize = 10;
    let Some(site) = Site::new(READERS) else { return };
    let server = MailServer::start(&site.python, 0, site.folder.path(), &["slow=20"]);
    let arguments = ["--smtp", &server.url(), "--mail-connections", &CONNECTIONS.to_string()];
    let begun = Instant::now();
    for kill in 0..KILLS {
        let running = site.serve(&arguments);
        // Other moments at every run of the test, from before the first issue to the middle of sending.
        let moment = u64::from(begun.elapsed().subsec_micros() % 900);
        std::thread::sleep(Duration::from_millis(100 + moment));
        drop(running);
        println!("killed {kill} after {moment} ms: {} served", site.accepted().len());
    }
    let _running = site.serve(&arguments);
    until("everybody has the issue", || site.accepted().len() == READERS);
    until("all is written down", || site.status()["mails"]["accepted"] == READERS);
    let surplus = surplus(&site.accepted());
    println!("{surplus} mails came twice, of at most {}", KILLS * CONNECTIONS);
    assert!(surplus <= KILLS * CONNECTIONS, "{surplus} mails came twice");
    assert_eq!(site.status()["mails"]["failed"], 0);
}

#[test]
fn a_server_in_every_mood() {
    const READERS: usize = 200;
    let Some(site) = Site::new(READERS) else { return };
    // It is down when the issues are due.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("smtp://127.0.0.1:{port}?tls=none");
    let _running = site.serve(&["--smtp", &url]);
    until("the issues are published", || site.status()["mails"]["composed"] != 0);
    std::thread::sleep(Duration::from_secs(2));
    let moods = ["later=3", "never=reader7", "cut=11", "lost=13", "slow=5"];
    let _server = MailServer::start(&site.python, port, site.folder.path(), &moods);
    until("all is over", || site.status()["mails"]["oldest_unsent_seconds"].is_null());
    let readers: BTreeSet<String> =
        (0..READERS).map(|n| format!("reader{n}@example.org")).collect();
    let (never, served): (BTreeSet<String>, BTreeSet<String>) =
        readers.into_iter().partition(|address| address.contains("reader7"));
    let accepted = site.accepted();
    assert_eq!(accepted.keys().cloned().collect::<BTreeSet<_>>(), served);
    // Only what the server took over without being able to say so came twice.
    let surplus = surplus(&accepted);
    let all: usize = accepted.values().map(Vec::len).sum();
    assert!(surplus > 0 && surplus <= all / 13 + 1, "{surplus} of {all}");
    let status = site.status();
    assert_eq!(status["mails"]["failed"], never.len());
    assert_eq!(status["mails"]["accepted"], served.len());
    let failures = status["failures"].as_array().unwrap();
    assert!(failures.iter().all(|f| f["answer"].as_str().unwrap().contains("550")), "{failures:?}");
    assert!(failures.iter().all(|f| never.contains(f["to"].as_str().unwrap())), "{failures:?}");
}

#[test]
fn encrypted_and_with_a_password_or_not_at_all() {
    let Some(site) = Site::new(3) else { return };
    let own = site.folder.path();
    let made = Command::new(&site.python).args(["-m", "trustme", "-q", "-d"]).arg(own).output();
    assert!(made.unwrap().status.success(), "no certificate");
    let tls = format!("tls={}", own.display());
    let server = MailServer::start(&site.python, 0, own, &[&tls, "login=site:a secret"]);
    let authority = own.join("client.pem");
    let authority = authority.to_str().unwrap();
    let port = server.port();
    let send = |url: &str, more: &[&str]| {
        let output = site.digest(&[&["send", "--smtp", url], more].concat());
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (url, more, problem) in [
        // Nobody vouches for the server.
        (format!("smtp://site:a%20secret@localhost:{port}"), &[][..], "certificate"),
        (format!("smtp://site:wrong@localhost:{port}"), &["--smtp-ca", authority][..], "535"),
        (format!("smtp://localhost:{port}?tls=none"), &[][..], "530"),
        (format!("smtp://localhost:{port}"), &["--smtp-ca", authority][..], "530"),
    ] {
        let (sent, error) = send(&url, more);
        assert!(!sent && error.contains(problem), "{url}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(site.accepted().is_empty());
    let (sent, error) =
        send(&format!("smtp://site:a%20secret@localhost:{port}"), &["--smtp-ca", authority]);
    assert!(sent, "{error}");
    assert_eq!(site.accepted().len(), 3);
    // That nobody could be served cost no mail an attempt, and is no failure of theirs.
    assert_eq!(site.status()["subscriptions"]["suspended"], 0);
}

/// Fields with what begins headers, ends parts, and is not ASCII.
const HOSTILE: &str = r#"
import sqlite3, sys
base = sqlite3.connect(sys.argv[1])
ids = [row[0] for row in base.execute("SELECT id FROM papers WHERE listed IS NOT NULL ORDER BY dated DESC, id LIMIT 6")]
titles = ["Größe\r\nBcc: all@example.org\r\n\r\nBody", "学习 " * 60, "\r\n.\r\nQUIT\r\n", "--boundary <script>alert(1)</script>",
          "=?utf-8?q?Not_encoded?= \u202e evil", "x" * 900]
for id, title in zip(ids, titles):
    base.execute("UPDATE papers SET title = ?, authors = ?, summary = ? WHERE id = ?", (title, "Józef Łoś\nA \"B\" <c@d.example>", title * 3, id))
base.execute("UPDATE subscriptions SET query = 'a' || char(13) || char(10) || 'Bcc: all@example.org' WHERE email LIKE 'reader1@%'")
base.execute("UPDATE subscriptions SET send_empty = 1")
base.commit()
"#;

#[test]
fn letters_are_read_back_by_another_parser() {
    let Some(site) = Site::new(6) else { return };
    let hostile = site.folder.path().join("hostile.py");
    std::fs::write(&hostile, HOSTILE).unwrap();
    site.script(&hostile, &[]);
    let server = MailServer::start(&site.python, 0, site.folder.path(), &["keep"]);
    let url = "https://papers.example.org";
    let from = "Größe \"Papers\" <papers@example.org>";
    let sent = site.digest(&["send", "--smtp", &server.url(), "--url", url, "--mail-from", from]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let read = Command::new(&site.python)
        .arg(script("read.py"))
        .arg(site.folder.path().join("messages"))
        .arg(url)
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let letters: Vec<Value> = String::from_utf8(read.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(letters.len(), 6, "{}", site.status());
    for letter in &letters {
        let text = |name: &str| letter[name].as_str().unwrap();
        assert!(text("from").contains("Größe"), "{}", text("from"));
        assert!(text("to").ends_with("@example.org") && !text("to").starts_with("all"));
        assert!(text("unsubscribe").starts_with(url));
        assert!(!text("html").contains("<script>alert"));
    }
    let with_titles = letters.iter().filter(|l| l["text"].as_str().unwrap().contains("学习"));
    assert!(with_titles.count() >= 4);
}

#[test]
fn one_click_in_the_mail_ends_the_subscription() {
    let Some(site) = Site::new(2) else { return };
    let server = MailServer::start(&site.python, 0, site.folder.path(), &["keep"]);
    let url = "https://papers.example.org";
    let running = site.serve(&["--smtp", &server.url(), "--public-url", url]);
    until("both have the issue", || site.accepted().len() == 2);
    let folder = site.folder.path().join("messages");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let message = std::fs::read_to_string(&files[0]).unwrap();
    let link = message.lines().find_map(|line| {
        line.strip_prefix("List-Unsubscribe: <https://papers.example.org")?.strip_suffix('>')
    });
    let link = link.unwrap_or_else(|| panic!("{message}"));
    // A changed digit is nobody's token.
    let changed = match link.strip_suffix('0') {
        Some(rest) => format!("{rest}1"),
        None => format!("{}0", &link[..link.len() - 1]),
    };
    assert_eq!(one_click(&running, &changed), 410);
    assert_eq!(site.status()["subscriptions"]["active"], 2);
    assert_eq!(one_click(&running, link), 200);
    assert_eq!(site.status()["subscriptions"]["active"], 1);
    assert_eq!(one_click(&running, link), 200);
    assert_eq!(site.status()["subscriptions"]["active"], 1);
}
