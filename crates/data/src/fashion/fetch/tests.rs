use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// What the server says to a request.
#[derive(Clone)]
struct Answer {
    status: &'static str,
    /// Announced in the header; `None` leaves the header out.
    length: Option<usize>,
    body: Vec<u8>,
}

impl Answer {
    fn ok(body: &[u8]) -> Self {
        Self { status: "200 OK", length: Some(body.len()), body: body.to_vec() }
    }
}

/// A server on the loopback interface that gives its answers one after another, then stops.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                paths.lock().unwrap().push(serve(stream, &answer));
            }
        });
        Self { address, asked, thread }
    }

    /// The paths that were asked for, once every answer has been given.
    fn asked(self) -> Vec<String> {
        self.thread.join().unwrap();
        let asked = self.asked.lock().unwrap();
        asked.clone()
    }
}

/// Reads a request, answers it, closes the connection, and returns the path asked for.
fn serve(mut stream: TcpStream, answer: &Answer) -> String {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    for line in lines {
        if line.unwrap().is_empty() {
            break;
        }
    }
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", answer.status);
    if let Some(length) = answer.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // The client may hang up as soon as it has seen enough.
    let _ = stream.write_all(&answer.body);
    first.split(' ').nth(1).unwrap().to_owned()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

/// Bytes that do not pack away to nothing.
fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn file() -> WholeFile {
    let content = content();
    let sha256 = Box::leak(hash::sha256([&*content]).into_boxed_str());
    WholeFile { name: "made-up-idx1-ubyte", sha256, bytes: content.len() }
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn fetch_from(dir: &TempDir, addresses: &[&str]) -> Result<Fetched> {
    fetch_file(dir.path(), addresses, &file(), &mut |_| {})
}

/// Asks a server with this answer, expects a failure and an empty folder, returns the message.
fn failure(answer: Answer) -> String {
    let dir = TempDir::new().unwrap();
    let server = Server::start(vec![answer]);
    let message = fetch_from(&dir, &[&server.address]).unwrap_err().to_string();
    assert_eq!(names(&dir), [""; 0], "nothing half-written is left");
    let message = message.replace(&server.address, "ADDRESS");
    server.asked();
    message
}

#[test]
fn a_file_is_fetched_once() {
    let dir = TempDir::new().unwrap();
    let packed = gzip(&content());
    let server = Server::start(vec![Answer::ok(&packed)]);
    let mut seen = Vec::new();
    let addresses = [format!("{}/some/folder/", server.address)];
    let addresses = [addresses[0].as_str()];
    let fetched =
        fetch_file(dir.path(), &addresses, &file(), &mut |progress| seen.push(progress)).unwrap();
    assert!(fetched.downloaded);
    assert_eq!(names(&dir), ["made-up-idx1-ubyte.gz"]);
    assert_eq!(fs::read(&fetched.path).unwrap(), packed);
    let last = seen.last().unwrap();
    assert_eq!(last.received, packed.len() as u64);
    assert_eq!(last.total, Some(packed.len() as u64));
    assert_eq!(server.asked(), ["/some/folder/made-up-idx1-ubyte.gz"]);
    // The server is gone: this can only succeed without it.
    let again = fetch_from(&dir, &addresses).unwrap();
    assert_eq!(again, Fetched { path: fetched.path, downloaded: false });
}

#[cfg(unix)]
#[test]
fn others_may_read_what_was_fetched() {
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::new().unwrap();
    let server = Server::start(vec![Answer::ok(&gzip(&content()))]);
    let fetched = fetch_from(&dir, &[&server.address]).unwrap();
    server.asked();
    let mode = fs::metadata(fetched.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o400, 0o400);
    assert_ne!(mode & 0o044, 0, "{mode:o}");
}

#[test]
fn a_download_that_breaks_off_leaves_nothing() {
    let packed = gzip(&content());
    let half = packed[..packed.len() / 2].to_vec();
    let message = failure(Answer { status: "200 OK", length: Some(packed.len()), body: half });
    assert!(
        message.starts_with("`ADDRESS/made-up-idx1-ubyte.gz`: download ended after "),
        "{message}"
    );
}

#[test]
fn a_download_that_breaks_off_unannounced_leaves_nothing() {
    let packed = gzip(&content());
    let half = packed[..packed.len() / 2].to_vec();
    let message = failure(Answer { status: "200 OK", length: None, body: half });
    assert!(
        message.starts_with("`ADDRESS/made-up-idx1-ubyte.gz`: cannot be unpacked after "),
        "{message}"
    );
}

#[test]
fn other_content_leaves_nothing() {
    let message = failure(Answer::ok(&gzip(b"something else")));
    let expected = format!(
        "`ADDRESS/made-up-idx1-ubyte.gz`: expected unpacked content with SHA-256 `{}`, found `{}`",
        file().sha256,
        hash::sha256([&b"something else"[..]])
    );
    assert_eq!(message, expected);
    // A page of a captive portal: a success that is not packed at all.
    let page = failure(Answer::ok(b"<html>please sign in</html>"));
    assert!(page.contains("expected unpacked content with SHA-256"), "{page}");
}

#[test]
fn a_failure_leaves_the_file_that_was_there() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("made-up-idx1-ubyte.gz");
    let damaged = &gzip(&content())[..1_000];
    fs::write(&path, damaged).unwrap();
    let server = Server::start(vec![Answer::ok(&gzip(b"something else"))]);
    fetch_from(&dir, &[&server.address]).unwrap_err();
    server.asked();
    assert_eq!(fs::read(&path).unwrap(), damaged);

    let server = Server::start(vec![Answer::ok(&gzip(&content()))]);
    assert!(fetch_from(&dir, &[&server.address]).unwrap().downloaded);
    server.asked();
    assert_eq!(names(&dir), ["made-up-idx1-ubyte.gz"]);
    assert_eq!(*unpack("f", &fs::read(&path).unwrap()).unwrap(), content());
}

#[test]
fn a_status_other_than_200_is_named() {
    let message = failure(Answer { status: "404 Not Found", ..Answer::ok(b"no such file") });
    assert_eq!(
        message,
        "`ADDRESS/made-up-idx1-ubyte.gz`: expected an answer with status 200, found status 404 Not \
         Found"
    );
}

#[test]
fn the_next_address_is_tried() {
    let dir = TempDir::new().unwrap();
    let missing =
        Server::start(vec![Answer { status: "503 Service Unavailable", ..Answer::ok(b"") }]);
    let there = Server::start(vec![Answer::ok(&gzip(&content()))]);
    let fetched = fetch_from(&dir, &[&missing.address, &there.address]).unwrap();
    assert!(fetched.downloaded);
    assert_eq!((missing.asked().len(), there.asked().len()), (1, 1));
}

#[test]
fn if_no_address_has_it_every_answer_is_told() {
    let dir = TempDir::new().unwrap();
    let wrong = Server::start(vec![Answer::ok(&gzip(b"something else"))]);
    // A port that was free a moment ago refuses the connection.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let message = fetch_from(&dir, &[&wrong.address, &closed]).unwrap_err().to_string();
    assert!(
        message.starts_with(
            "`made-up-idx1-ubyte` could not be fetched from any of 2 addresses: `http://127"
        ),
        "{message}"
    );
    assert!(message.contains("expected unpacked content with SHA-256"), "{message}");
    assert!(message.contains(&format!("`{closed}/made-up-idx1-ubyte.gz`: expected")), "{message}");
    assert_eq!(names(&dir), [""; 0]);
    wrong.asked();
}

#[test]
fn an_unpacked_file_counts_if_it_is_right_and_is_in_the_way_if_not() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("made-up-idx1-ubyte");
    fs::write(&path, content()).unwrap();
    let fetched = fetch_from(&dir, &["http://127.0.0.1:9"]).unwrap();
    assert_eq!(fetched, Fetched { path: path.clone(), downloaded: false });

    fs::write(&path, b"mine").unwrap();
    let message = fetch_from(&dir, &["http://127.0.0.1:9"]).unwrap_err().to_string();
    assert!(message.contains("made-up-idx1-ubyte` is in the way"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let message = fetch(&file, Some("http://127.0.0.1:9")).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot create `{}", file.display())), "{message}");
}

#[test]
fn the_whole_set_is_fetched_and_then_found() {
    let Some(system) = crate::fashion::tests::debian() else {
        return;
    };
    let answers =
        FILES.map(|file| Answer::ok(&fs::read(system.join(format!("{}.gz", file.name))).unwrap()));
    let server = Server::start(answers.to_vec());
    let dir = TempDir::new().unwrap();
    let fetched = fetch(dir.path(), Some(&server.address)).unwrap();
    for (file, fetched) in FILES.iter().zip(&fetched) {
        assert!(fetched.downloaded);
        let packed = fs::read(&fetched.path).unwrap();
        assert_eq!(unpack(file.name, &packed).unwrap().len(), file.bytes);
    }
    server.asked();
    let found = crate::Fashion::load_balanced(&crate::Sources::only(dir.path()), 10, 10).unwrap();
    assert!(found.provenance.verified);
    assert_eq!((found.provenance.train, found.provenance.test), (60_000, 10_000));
    assert_eq!(found.provenance.origin, crate::Origin::Folder(dir.path().join(NAME)));
}
