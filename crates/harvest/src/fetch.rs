//! Downloads from strangers.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use ureq::Agent;
use ureq::http::{HeaderMap, Response};
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use crate::address::{Guard, Refused};
use crate::retry::{backoff, is_passing, retry_after};
use crate::source::http;
use crate::{Clock, Error, Names, Result, SystemClock, SystemNames};

/// What the operator of a site allows and says of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether addresses of private networks and of this machine may be fetched.
    pub allow_private: bool,
    /// Addresses and ports that may be fetched though they are private.
    pub allowed: Vec<SocketAddr>,
    /// An address at which whoever runs a server can reach whoever runs this site.
    pub contact: Option<String>,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of one download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most redirects.
    pub redirects: u32,
    /// Most bytes of the answer, unpacked.
    pub bytes: u64,
    /// Longest time for a name, a connection and the beginning of an answer, each.
    pub patience: Duration,
    /// Longest time for one try in all.
    pub time: Duration,
    /// Most tries.
    pub tries: u32,
    /// Longest wait that a server may ask for.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            redirects: 5,
            bytes: 256 << 20,
            patience: Duration::from_secs(60),
            time: Duration::from_secs(600),
            tries: 6,
            wait: Duration::from_secs(3600),
        }
    }
}

/// By what a server tells whether something has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// Nothing has changed.
    Unchanged,
    /// A file, unpacked, at its beginning; gone with its handle.
    File(File, Validators),
}

/// Downloads over http and https.
///
/// Answers are whole or an error: one that breaks off is asked for again.
#[derive(Clone)]
pub struct Fetcher {
    agent: Agent,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// Which form is asked for, where a server has several.
    accept: Option<&'static str>,
}

/// Why one try failed.
struct Failure {
    error: Error,
    /// Whether another may not.
    passing: bool,
    /// What the server says about when.
    wait: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, passing: false, wait: None }
    }
}

impl Fetcher {
    /// One that uses the system's names and clock.
    pub fn new(policy: Policy) -> Self {
        Self::with_parts(policy, Arc::new(SystemNames), Arc::new(SystemClock))
    }

    /// One with names and a clock of its own, for tests.
    pub fn with_parts(policy: Policy, names: Arc<dyn Names>, clock: Arc<dyn Clock>) -> Self {
        let Policy { allow_private, allowed, contact, limits } = policy;
        let contact = contact.filter(|text| text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        let contact = contact.map_or(String::new(), |text| format!("; {text}"));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Redirects are followed here, where each is checked.
            .max_redirects(0)
            // A proxy would resolve names where nobody checks them.
            .proxy(None)
            .user_agent(format!(
                "Pressrun/{} (+{}{contact})",
                env!("CARGO_PKG_VERSION"),
                env!("CARGO_PKG_REPOSITORY")
            ))
            .timeout_resolve(Some(limits.patience))
            .timeout_connect(Some(limits.patience))
            .timeout_recv_response(Some(limits.patience))
            .timeout_global(Some(limits.time))
            .build();
        let guard = Guard { names, allow_private, allowed };
        let agent = Agent::with_parts(config, DefaultConnector::default(), guard);
        Self { agent, clock, limits, accept: None }
    }

    /// Asks for a document in that form (RFC 9110, section 12.5.1).
    #[must_use]
    pub fn accepting(self, media_type: &'static str) -> Self {
        Self { accept: Some(media_type), ..self }
    }

    /// The clock by which it waits.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fetches an address, with further tries where a failure may pass.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Private`], [`Error::Redirects`], [`Error::TooLarge`] and
    /// [`Error::Status`] at once, [`Error::Broken`] and passing states after the last try,
    /// [`Error::Later`] if the server asks for more patience than there is.
    pub async fn fetch(&self, url: &Url, validators: &Validators) -> Result<Answer> {
        let mut tried = 0;
        loop {
            let (this, address, validators) = (self.clone(), url.clone(), validators.clone());
            let attempt = move || this.attempt(&address, &validators);
            let Failure { error, passing, wait } = match apart(attempt).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(failure)) => failure,
                None => broken(url, "the download ended without a word".into()),
            };
            tried += 1;
            if !passing || tried >= self.limits.tries {
                return Err(error);
            }
            let chance = self.clock.chance();
            let wait = match wait {
                Some(wait) if wait > self.limits.wait => {
                    let seconds = wait.as_secs();
                    return Err(match error {
                        Error::Status { url, status } => Error::Later { url, status, seconds },
                        other => other,
                    });
                }
                // A little more than asked for: not everybody at the same moment.
                Some(wait) => wait + Duration::from_secs_f64(chance),
                None => backoff(tried - 1, chance),
            };
            tracing::warn!(wait_s = wait.as_secs(), "{error}; trying again");
            self.clock.sleep(wait).await;
        }
    }

    fn attempt(&self, first: &Url, validators: &Validators) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut url = http(first.as_str())?;
        for _ in 0..=self.limits.redirects {
            let answer = self.request(&url, first, validators)?;
            let status = answer.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                url = redirected(&url, answer.headers())?;
                continue;
            }
            let name = || url.to_string();
            return match status {
                304 => Ok(Answer::Unchanged),
                200 => self.receive(&url, answer, started),
                status => {
                    let now = self.clock.now();
                    let wait = header(answer.headers(), "retry-after");
                    Err(Failure {
                        error: Error::Status { url: name(), status },
                        passing: is_passing(status),
                        wait: wait.and_then(|value| retry_after(&value, now)),
                    })
                }
            };
        }
        Err(Error::Redirects { url: first.to_string(), limit: self.limits.redirects }.into())
    }

    fn request(
        &self,
        url: &Url,
        first: &Url,
        validators: &Validators,
    ) -> Result<Response<ureq::Body>, Failure> {
        let mut request = self.agent.get(url.as_str()).header("accept-encoding", "gzip");
        if let Some(accept) = self.accept {
            request = request.header("accept", accept);
        }
        // What they say holds for the address that they came from, and for its server alone.
        if url.origin() == first.origin() {
            if let Some(etag) = &validators.etag {
                request = request.header("if-none-match", etag);
            }
            if let Some(date) = &validators.last_modified {
                request = request.header("if-modified-since", date);
            }
        }
        request.call().map_err(|error| failure(url, error))
    }

    /// Takes an answer into a file without a name.
    fn receive(
        &self,
        url: &Url,
        answer: Response<ureq::Body>,
        started: Instant,
    ) -> Result<Answer, Failure> {
        let validators = Validators {
            etag: header(answer.headers(), "etag"),
            last_modified: header(answer.headers(), "last-modified"),
        };
        let packed = header(answer.headers(), "content-encoding");
        let limit = self.limits.bytes;
        // The client's own limit is another, and counts packed bytes.
        let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut body: Box<dyn Read> =
            match packed.as_deref().map(str::to_ascii_lowercase).as_deref() {
                None | Some("identity" | "") => Box::new(body),
                Some("gzip" | "x-gzip") => Box::new(MultiGzDecoder::new(body)),
                Some(other) => {
                    let reason = format!("the answer is packed by `{other}`; expected `gzip`");
                    return Err(Error::Broken { url: url.to_string(), reason }.into());
                }
            };
        let disk = |error: io::Error| Error::Broken {
            url: url.to_string(),
            reason: format!("writing a temporary file: {error}"),
        };
        let mut file = tempfile::tempfile().map_err(disk)?;
        let mut buffer = vec![0; 64 << 10];
        let mut received = 0;
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(url, format!("after {received} bytes: {error}"))),
            };
            received += read as u64;
            if received > limit {
                return Err(Error::TooLarge { url: url.to_string(), limit }.into());
            }
            if started.elapsed() > self.limits.time {
                return Err(broken(url, format!("too slow: {received} bytes in time")));
            }
            file.write_all(&buffer[..read]).map_err(disk)?;
        }
        file.rewind().map_err(disk)?;
        Ok(Answer::File(file, validators))
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Carries out work that waits, on a thread of its own; `None` if it panicked. The runtime's threads
/// for such work would be waited for when the program ends: a slow server could hold it for minutes.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Whoever asked may have gone.
        let _ = sender.send(work());
    });
    receiver.await.ok()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|value| value.trim().to_owned())
}

/// Where an answer sends us; checked like an address that somebody typed.
fn redirected(url: &Url, headers: &HeaderMap) -> Result<Url> {
    let target = header(headers, "location").ok_or_else(|| Error::Broken {
        url: url.to_string(),
        reason: "a redirect without `Location`".into(),
    })?;
    let joined = url.join(&target).map_err(|error| Error::Address {
        url: target,
        reason: format!("{error}, in a redirect from `{url}`"),
    })?;
    http(joined.as_str())
}

fn broken(url: &Url, reason: String) -> Failure {
    Failure { error: Error::Broken { url: url.to_string(), reason }, passing: true, wait: None }
}

fn failure(url: &Url, error: ureq::Error) -> Failure {
    if let ureq::Error::Io(error) = &error
        && let Some(Refused { address, reason, .. }) =
            error.get_ref().and_then(|e| e.downcast_ref())
    {
        let error = Error::Private { url: url.to_string(), address: *address, reason };
        return error.into();
    }
    broken(url, error.to_string())
}
