//! Bad input: what is good goes in, what is bad is named, and the exit status says so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, Server, program};

/// Imports bytes under a file name; returns exit status, standard output and standard error.
fn import(data: &Path, name: &str, bytes: &[u8]) -> (i32, String, String) {
    let file = data.join(name);
    std::fs::write(&file, bytes).unwrap();
    let output = Command::new(program())
        .arg("import")
        .arg(&file)
        .arg("--data")
        .arg(data.join("site"))
        .output()
        .expect("the program starts");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A listing in the form of the site's own: 12 papers.
fn listing() -> String {
    let mut text = String::from(
        "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\n\
         byAK and the research community\n\nSep 9\n\n",
    );
    for i in 1..=12 {
        text += &format!(
            "A Listed Paper About Subject {i}\n\nThis is the abstract of paper {i}. It has two sentences.\n\n"
        );
    }
    text
}

#[test]
fn a_listing_goes_in_and_a_second_time_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = import(data.path(), "listing.txt", listing().as_bytes());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("12 read, 12 added"), "{stdout}");
    let (status, stdout, _) = import(data.path(), "listing.txt", listing().as_bytes());
    assert_eq!(status, 0);
    assert!(stdout.contains("0 added, 0 updated, 12 unchanged"), "{stdout}");
}

#[test]
fn a_listing_cut_in_half() {
    let data = tempfile::tempdir().unwrap();
    let text = listing();
    // In the middle of the seventh abstract.
    let at = text.find("abstract of paper 7").unwrap() + 9;
    let (status, stdout, stderr) = import(data.path(), "half.txt", &text.as_bytes()[..at]);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("6 added"), "{stdout}");
    assert!(stderr.contains("half.txt:"), "{stderr}");
}

#[test]
fn invalid_utf_8_costs_only_the_record_that_has_it() {
    let data = tempfile::tempdir().unwrap();
    let mut bytes = listing().into_bytes();
    let at = listing().find("abstract of paper 5").unwrap();
    bytes[at] = 0xff;
    let (status, stdout, stderr) = import(data.path(), "utf.txt", &bytes);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("11 added"), "{stdout}");
    assert!(stderr.contains("utf.txt:") && stderr.contains("UTF-8"), "{stderr}");
}

#[test]
fn an_empty_file() {
    let data = tempfile::tempdir().unwrap();
    for name in ["empty.txt", "empty.jsonl"] {
        let (status, stdout, stderr) = import(data.path(), name, b"");
        assert_ne!(status, 0, "{stdout}");
        assert!(stderr.contains(name) && stderr.contains("empty"), "{stderr}");
    }
}

#[test]
fn json_lines_with_a_broken_line_in_the_middle() {
    let data = tempfile::tempdir().unwrap();
    let text = "{\"title\": \"One\", \"authors\": [\"A\"], \"abstract\": \"x.\"}\n\
                {\"title\": \"Two\", \"auth\n\
                {\"title\": \"Three\", \"authors\": [\"C\"], \"abstract\": \"z.\"}\n";
    let (status, stdout, stderr) = import(data.path(), "papers.jsonl", text.as_bytes());
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("2 added") && stdout.contains("1 bad"), "{stdout}");
    assert!(stderr.contains("papers.jsonl:2: "), "{stderr}");
}

/// Serves a feed of two papers to everybody, whatever they ask for; returns its address.
fn feed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test's process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = "<feed xmlns='http://www.w3.org/2005/Atom'>\
                <entry><id>http://arxiv.org/abs/2509.70001v1</id><title>Fetched Gates</title>\
                <published>2025-09-08T00:00:00Z</published><author><name>Ada King</name></author></entry>\
                <entry><id>urn:x</id><title>Fetched Doors</title><summary type='html'>\
                &lt;script&gt;alert(1)&lt;/script&gt;We close &amp;amp; open.</summary></entry></feed>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

/// Runs `import` with these arguments; returns exit status, standard output and standard error.
fn run(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(program())
        .arg("import")
        .args(arguments)
        .arg("--data")
        .arg(data)
        .env("PRESSRUN_LOG", "warn")
        .output()
        .expect("the program starts");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_feed_and_a_category_from_elsewhere() {
    let data = tempfile::tempdir().unwrap();
    let site = data.path();
    let url = feed();
    // This machine is nowhere that an importer goes unless it is told to.
    let (status, _, stderr) = run(site, &[&url]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("this machine") && stderr.contains("--allow-private"), "{stderr}");

    let (status, stdout, stderr) = run(site, &[&url, "--allow-private", "--list-on", "2025-09-09"]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("2 read, 2 added, 0 updated"), "{stdout}");
    let category = ["--category", "cs.LG", "--since", "2d", "--allow-private", "--arxiv-url", &url];
    let (status, stdout, stderr) = run(site, &category);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("arxiv:cs.LG: 2 read, 0 added, 0 updated, 2 unchanged"), "{stdout}");

    let server = Server::start(site);
    let paper = server.get("/papers/fetched-doors").body;
    assert!(paper.contains("We close &amp; open.") && !paper.contains("alert(1)"), "{paper}");
    let links =
        (1..=20).map(|page| server.get(&format!("/papers/date/2025-09-09?page={page}")).body);
    let listed = links.filter(|page| page.contains("href=\"/papers/2509.70001\"")).count();
    assert!(listed > 0, "the paper stands on the day that was asked for");
}

#[test]
fn what_cannot_be_meant_is_told_before_anything_is_done() {
    let data = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (&["ftp://lab.example/feed"][..], "expected `http://` or `https://`"),
        (&["--arxiv", "cs LG"], "category of arXiv `cs LG` is not valid"),
        (&["--arxiv", "cs.LG", "--since", "two days"], "expected a form like `2d`"),
        (&["--set", "cs"], "--oai"),
        (&[], "FILE|URL"),
    ] {
        let site = data.path().join("site");
        let (status, _, stderr) = run(&site, arguments);
        assert_eq!(status, 2, "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
        assert!(!site.exists(), "{arguments:?}");
    }
}

#[test]
fn a_site_imports_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(program())
        .args(["serve", "--addr", "127.0.0.1:0", "--import", &feed(), "--allow-private", "--data"])
        .arg(data.path())
        .env("PRESSRUN_LOG", "warn,pressrun_harvest=info")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let started = Instant::now();
    let told = lines.find(|line| {
        line.as_ref().is_ok_and(|line| line.contains("imported `http://127.0.0.1"))
            || started.elapsed() > PATIENCE
    });
    let told = told.expect("a line").expect("text");
    assert!(told.contains("2 added, 0 updated"), "{told}");
    // It stops at once, whatever its next round.
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill starts").success());
    let stopping = Instant::now();
    assert!(child.wait().expect("it ends").success());
    assert!(stopping.elapsed() < Duration::from_secs(20), "{:?}", stopping.elapsed());
}
