//! One address at a time.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use pressrun_harvest::{Answer, Error, Fetcher, Limits, Policy, SystemClock, Validators};

use crate::support::{Reply, Server, TestClock, TestNames, fetcher, limits, with};

async fn text(fetcher: &Fetcher, url: &url::Url) -> Result<String, Error> {
    match fetcher.fetch(url, &Validators::default()).await? {
        Answer::Unchanged => Ok("unchanged".into()),
        Answer::File(mut file, _) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            Ok(text)
        }
    }
}

#[tokio::test]
async fn a_file_comes_whole_packed_or_not_and_says_who_asks() {
    let server = Server::start(|_, request| {
        if request.target == "/plain" {
            return Reply::ok("plain");
        }
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"packed").unwrap();
        Reply::Answer(200, vec!["content-encoding: gzip".into()], encoder.finish().unwrap())
    });
    let fetcher = fetcher(&server, &TestClock::new());
    assert_eq!(text(&fetcher, &server.url("/plain")).await.unwrap(), "plain");
    assert_eq!(text(&fetcher, &server.url("/packed")).await.unwrap(), "packed");
    let request = &server.requests()[0];
    assert!(request.has("accept-encoding: gzip"), "{request:?}");
    let agent = request.head.iter().find(|line| line.starts_with("user-agent: ")).unwrap();
    assert!(
        agent.starts_with("user-agent: pressrun/") && agent.contains("; mailto:me@lab.example)")
    );
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let server = Server::start(|number, _| match number {
        0 => Reply::with(429, "retry-after: 120"),
        // The clock stands at 12:02:00 and a half by then.
        1 => Reply::with(503, "retry-after: Tue, 09 Sep 2025 12:05:00 GMT"),
        2 => Reply::status(503),
        _ => Reply::ok("at last"),
    });
    let clock = TestClock::new();
    let fetcher = fetcher(&server, &clock);
    assert_eq!(text(&fetcher, &server.url("/")).await.unwrap(), "at last");
    // What was asked for, and half a second; then our own choice, three quarters of 20 s.
    assert_eq!(clock.slept(), [120, 180, 15]);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let server = Server::start(|_, request| match request.target.as_str() {
        "/tomorrow" => Reply::with(429, "retry-after: 86400"),
        "/never" => Reply::status(500),
        _ => Reply::status(404),
    });
    let clock = TestClock::new();
    let fetcher = fetcher(&server, &clock);
    let error = text(&fetcher, &server.url("/tomorrow")).await.unwrap_err();
    assert!(matches!(error, Error::Later { status: 429, seconds: 86400, .. }), "{error}");
    assert!(clock.slept().is_empty());
    let error = text(&fetcher, &server.url("/never")).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 500, .. }), "{error}");
    assert_eq!(clock.slept(), [3, 7, 15]);
    let error = text(&fetcher, &server.url("/missing")).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error}");
    assert_eq!(server.requests().len(), 1 + 4 + 1);
}

#[tokio::test]
async fn half_a_body_is_asked_for_again() {
    let server = Server::start(|number, request| match (number, request.target.as_str()) {
        (0 | 1, _) => Reply::Half(vec![b'x'; 1000]),
        _ => Reply::ok("whole"),
    });
    let clock = TestClock::new();
    let fetcher = fetcher(&server, &clock);
    assert_eq!(text(&fetcher, &server.url("/")).await.unwrap(), "whole");
    assert_eq!(clock.slept().len(), 2);
}

#[tokio::test]
async fn bodies_without_end_and_slow_ones_are_ended() {
    let server = Server::start(|_, request| match request.target.as_str() {
        "/endless" => Reply::Endless,
        "/bomb" => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(&vec![0; 10 << 20]).unwrap();
            Reply::Answer(200, vec!["content-encoding: gzip".into()], encoder.finish().unwrap())
        }
        _ => Reply::Slow,
    });
    let clock = TestClock::new();
    let impatient = Limits { time: Duration::from_millis(400), tries: 2, ..limits() };
    let fetcher = with(&server, &clock, TestNames::default(), impatient);
    for path in ["/endless", "/bomb"] {
        let error = text(&fetcher, &server.url(path)).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 200_000, .. }), "{path}: {error}");
    }
    let started = Instant::now();
    let error = text(&fetcher, &server.url("/slow")).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn redirects_are_followed_to_public_places_only() {
    let server = Server::start(|_, request| match request.target.as_str() {
        "/fine" => Reply::with(302, "location: /end"),
        "/end" => Reply::ok("the end"),
        "/loop" => Reply::with(301, "location: /loop"),
        "/lost" => Reply::status(302),
        target => Reply::with(307, &format!("location: {}", &target[1..])),
    });
    let clock = TestClock::new();
    let fetcher = fetcher(&server, &clock);
    assert_eq!(text(&fetcher, &server.url("/fine")).await.unwrap(), "the end");
    let error = text(&fetcher, &server.url("/loop")).await.unwrap_err();
    assert!(matches!(error, Error::Redirects { limit: 5, .. }), "{error}");
    assert_eq!(server.targets().iter().filter(|t| *t == "/loop").count(), 6);
    let other = Server::start(|_, _| Reply::ok("secret"));
    for target in [
        "http://metadata.test/latest/".to_owned(),
        "http://169.254.169.254/".into(),
        "http://mapped.test/".into(),
        "https://[::1]/".into(),
        "http://[::ffff:127.0.0.1]/".into(),
        "http://0.0.0.0/".into(),
        // One of two addresses is private; the other is this machine, at a port that is not allowed.
        format!("http://both.test:{}/", server.address.port()),
        format!("http://other.test:{}/", other.address.port()),
        format!("http://127.0.0.1:{}/", other.address.port()),
        // Another way to write 127.0.0.1: addresses are read as browsers read them.
        format!("http://2130706433:{}/", other.address.port()),
        format!("http://0x7f.1:{}/", other.address.port()),
        "//10.0.0.1/".into(),
    ] {
        let error = text(&fetcher, &server.url(&format!("/{target}"))).await.unwrap_err();
        assert!(matches!(error, Error::Private { .. }), "{target}: {error}");
        assert!(error.to_string().contains("--allow-private"), "{error}");
    }
    for target in ["file:///etc/passwd", "ftp://lab.example/", "gopher://x/", "data:text/plain,x"] {
        let error = text(&fetcher, &server.url(&format!("/{target}"))).await.unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "{target}: {error}");
    }
    let error = text(&fetcher, &server.url("/lost")).await.unwrap_err();
    assert!(error.to_string().contains("without `Location`"), "{error}");
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    assert!(clock.slept().is_empty(), "what is refused is not tried again");
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let server = Server::start(|_, _| Reply::ok("public"));
    let names = TestNames { moves_after: Some(1), ..TestNames::default() };
    let fetcher = with(&server, &TestClock::new(), names, limits());
    // The first look-up is the one that is connected to: there is no second one in between.
    assert_eq!(text(&fetcher, &server.url("/")).await.unwrap(), "public");
    let error = text(&fetcher, &server.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::Private { address, .. } if address.to_string() == "10.0.0.1"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn private_addresses_are_fetched_if_they_are_allowed() {
    let server = Server::start(|_, _| Reply::ok("mine"));
    let url: url::Url = format!("http://{}/", server.address).parse().unwrap();
    let refusing = Fetcher::new(Policy::default());
    let error = text(&refusing, &url).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{url}` leads to 127.0.0.1, this machine; private addresses are fetched only with \
             `--allow-private`"
        )
    );
    let policy = Policy { allow_private: true, limits: limits(), ..Policy::default() };
    let names = Arc::new(TestNames::default());
    let allowing = Fetcher::with_parts(policy, names, Arc::new(SystemClock));
    assert_eq!(text(&allowing, &url).await.unwrap(), "mine");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told() {
    let server = Server::start(|_, _| Reply::ok("x"));
    let impatient = Limits { tries: 1, ..limits() };
    let fetcher = with(&server, &TestClock::new(), TestNames::default(), impatient);
    let url = "http://nobody.test/feed".parse().unwrap();
    let error = text(&fetcher, &url).await.unwrap_err();
    assert!(error.to_string().contains("`http://nobody.test/feed`: "), "{error}");
    assert!(error.to_string().contains("no such name"), "{error}");
}
