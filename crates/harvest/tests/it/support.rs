//! A scripted server, names of our own, and a clock that does not wait.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use pressrun_harvest::{Clock, Fetcher, Limits, Names, Policy, Sleep};

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Header lines in lower case.
    pub head: Vec<String>,
}

impl Request {
    pub fn has(&self, line: &str) -> bool {
        self.head.iter().any(|l| l == line)
    }

    /// The value of a parameter, as it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// What the server does.
pub enum Reply {
    /// Status, header lines, body.
    Answer(u16, Vec<String>, Vec<u8>),
    /// The half of a body, then the end of the connection.
    Half(Vec<u8>),
    /// A body without an end.
    Endless,
    /// A byte now and then.
    Slow,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(200, Vec::new(), body.into())
    }

    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub fn with(status: u16, header: &str) -> Self {
        Self::Answer(status, vec![header.into()], Vec::new())
    }
}

/// A server whose requests are kept.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Requests that were under way at once, at most.
    pub most: Arc<AtomicUsize>,
}

impl Server {
    /// Answers every request by `reply`, which gets its number, from 0.
    pub fn start(reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (kept, peak, reply) = (Arc::clone(&requests), Arc::clone(&most), Arc::new(reply));
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, reply) = (Arc::clone(&kept), Arc::clone(&reply));
                let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    // A client that has had enough hangs up.
                    let _ = write(stream, reply(number, &request));
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, requests, most }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }

    /// An address of it under a name.
    pub fn url(&self, path: &str) -> url::Url {
        format!("http://server.test:{}{path}", self.address.port()).parse().unwrap()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let target = first.split(' ').nth(1)?.to_owned();
    let head = lines.map_while(|line| line.ok().filter(|line| !line.is_empty()));
    Some(Request { target, head: head.map(|line| line.to_ascii_lowercase()).collect() })
}

fn write(mut stream: TcpStream, reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
            for header in headers {
                head += &format!("{header}\r\n");
            }
            head += &format!("content-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body)
        }
        Reply::Half(body) => {
            let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body[..body.len() / 2])
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\n")?;
            for _ in 0..10_000 {
                stream.write_all(&[b' '; 4096])?;
            }
            Ok(())
        }
        Reply::Slow => {
            stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n")?;
            for _ in 0..1000 {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
    }
}

/// Every `.test` name is this machine; others are addresses.
#[derive(Debug, Default)]
pub struct TestNames {
    pub asked: Mutex<Vec<String>>,
    /// From which look-up on `server.test` moves to an address of a private network.
    pub moves_after: Option<usize>,
}

impl Names for TestNames {
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(host.to_owned());
        let address = match host {
            "metadata.test" => "169.254.169.254",
            "mapped.test" => "::ffff:10.1.2.3",
            "server.test" if self.moves_after.is_some_and(|n| asked.len() > n) => "10.0.0.1",
            "server.test" | "other.test" => "127.0.0.1",
            "both.test" => {
                return Ok(vec![
                    (std::net::Ipv4Addr::LOCALHOST, port).into(),
                    (std::net::Ipv4Addr::new(192, 168, 0, 1), port).into(),
                ]);
            }
            "nobody.test" => return Err(io::Error::other("no such name")),
            address => address,
        };
        Ok(vec![SocketAddr::new(address.parse().map_err(io::Error::other)?, port)])
    }
}

/// A clock on which waiting takes no time.
pub struct TestClock {
    now: Mutex<Timestamp>,
    slept: Mutex<Vec<Duration>>,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        let now = "2025-09-09T12:00:00Z".parse().unwrap();
        Arc::new(Self { now: Mutex::new(now), slept: Mutex::default() })
    }

    pub fn advance(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now += i64::try_from(time.as_millis()).unwrap().milliseconds();
    }

    /// Whole seconds of every wait so far.
    pub fn slept(&self) -> Vec<u64> {
        self.slept.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        self.advance(time);
        self.slept.lock().unwrap().push(time);
        Box::pin(tokio::time::sleep(Duration::from_millis(1)))
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// Bounds for impatient tests.
pub fn limits() -> Limits {
    Limits {
        bytes: 200_000,
        patience: Duration::from_secs(20),
        time: Duration::from_secs(20),
        tries: 4,
        ..Limits::default()
    }
}

/// A fetcher that may go to this server and nowhere else on this machine.
pub fn fetcher(server: &Server, clock: &Arc<TestClock>) -> Fetcher {
    with(server, clock, TestNames::default(), limits())
}

pub fn with(server: &Server, clock: &Arc<TestClock>, names: TestNames, limits: Limits) -> Fetcher {
    let policy = Policy {
        allowed: vec![server.address],
        contact: Some("mailto:me@lab.example".into()),
        limits,
        ..Policy::default()
    };
    let clock: Arc<TestClock> = Arc::clone(clock);
    Fetcher::with_parts(policy, Arc::new(names), clock)
}
