//! Page after page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::civil::date;
use pressrun_catalog::Catalog;
use pressrun_catalog::import::{Options, Report};
use pressrun_harvest::{Error, Harvester, Source, Wish};

use crate::support::{Reply, Request, Server, TestClock, fetcher};

/// Papers `start..end` as the arXiv API gives them.
fn atom(start: u64, end: u64, total: u64) -> String {
    let entries = (start..end).map(|n| {
        format!(
            "<entry><id>http://arxiv.org/abs/2509.{n:05}v1</id><title>Paper {n}</title>\
             <published>2025-09-08T00:00:00Z</published><author><name>A. King{n}</name></author></entry>"
        )
    });
    format!(
        "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:o='http://a9.com/-/spec/opensearch/1.1/'>\
         <o:totalResults>{total}</o:totalResults>{}</feed>",
        entries.collect::<String>()
    )
}

/// The page of a request, of so many papers in all.
fn page(request: &Request, total: u64) -> Reply {
    let start: u64 = request.parameter("start").unwrap().parse().unwrap();
    let size: u64 = request.parameter("max_results").unwrap().parse().unwrap();
    Reply::ok(atom(start, (start + size).min(total), total))
}

struct Site {
    server: Server,
    clock: Arc<TestClock>,
    catalog: Catalog,
    harvester: Harvester,
}

impl Site {
    async fn new(reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let (server, clock) = (Server::start(reply), TestClock::new());
        let catalog = Catalog::in_memory().await.unwrap();
        let harvester = Harvester::new(catalog.clone(), fetcher(&server, &clock))
            .with_arxiv(server.url("/api").as_str())
            .unwrap();
        Self { server, clock, catalog, harvester }
    }

    async fn harvest(&self, source: &Source, since: Option<&str>) -> Result<Report, Error> {
        let since = since.map(|since| since.parse().unwrap());
        let wish = Wish { since, ..Wish::default() };
        self.harvester.harvest(source, &wish, &mut |_| {}).await
    }

    async fn position(&self, source: &Source) -> Option<String> {
        self.catalog.harvest(&source.to_string()).await.unwrap().unwrap().position
    }

    fn starts(&self) -> Vec<u64> {
        let requests = self.server.requests();
        requests.iter().map(|r| r.parameter("start").unwrap().parse().unwrap()).collect()
    }
}

fn arxiv() -> Source {
    "arxiv:cs.LG".parse().unwrap()
}

#[tokio::test]
async fn arxiv_page_by_page_with_pauses() {
    let site = Site::new(|_, request| page(request, 1200)).await;
    let report = site.harvest(&arxiv(), Some("2d")).await.unwrap();
    assert_eq!((report.read, report.added, report.bad.len()), (1200, 1200, 0));
    assert_eq!(site.starts(), [0, 500, 1000]);
    assert_eq!(site.clock.slept(), [3, 3]);
    let first = &site.server.requests()[0];
    assert_eq!(
        first.parameter("search_query"),
        Some("cat%3Acs.LG+AND+submittedDate%3A%5B202509071200+TO+202509091200%5D")
    );
    assert_eq!(first.parameter("sortOrder"), Some("ascending"));
    assert_eq!(site.position(&arxiv()).await, None);
    // Again: the same stretch of time, and nothing new.
    let report = site.harvest(&arxiv(), Some("2d")).await.unwrap();
    assert_eq!((report.read, report.added, report.updated), (1200, 0, 0));
    // Without a wish: from five days before the end of the last one.
    site.harvest(&arxiv(), None).await.unwrap();
    let last = site.server.requests().pop().unwrap();
    assert!(last.parameter("search_query").unwrap().contains("%5B20250904"), "{last:?}");
}

#[tokio::test]
async fn a_harvest_that_breaks_off_goes_on_where_it_was() {
    let broken = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&broken);
    let site = Site::new(move |_, request| match request.parameter("start") {
        Some("1000") if flag.load(Ordering::SeqCst) => Reply::status(404),
        _ => page(request, 1700),
    })
    .await;
    let error = site.harvest(&arxiv(), Some("2d")).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 404, .. }), "{error}");
    assert_eq!(site.catalog.count_papers().await.unwrap(), 1000);
    assert_eq!(site.position(&arxiv()).await.as_deref(), Some("1000"));
    broken.store(false, Ordering::SeqCst);
    site.clock.advance(Duration::from_secs(600));
    let report = site.harvest(&arxiv(), Some("2d")).await.unwrap();
    assert_eq!((report.read, report.added), (700, 700));
    assert_eq!(site.starts(), [0, 500, 1000, 1000, 1500]);
    // The question is the one that was asked at first, so that its pages are the same.
    let asked = site.server.requests();
    assert_eq!(asked[4].parameter("search_query"), asked[0].parameter("search_query"));
    assert_eq!(site.catalog.count_papers().await.unwrap(), 1700);
}

#[tokio::test]
async fn one_that_broke_off_long_ago_is_completed_by_what_came_since() {
    let broken = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&broken);
    let site = Site::new(move |_, request| match request.parameter("start") {
        Some("500") if flag.load(Ordering::SeqCst) => Reply::status(404),
        _ => page(request, 600),
    })
    .await;
    site.harvest(&arxiv(), Some("2d")).await.unwrap_err();
    broken.store(false, Ordering::SeqCst);
    site.clock.advance(Duration::from_secs(86_400));
    site.harvest(&arxiv(), Some("3d")).await.unwrap();
    let asked: Vec<_> = site.server.requests();
    let windows: Vec<&str> = asked.iter().map(|r| r.parameter("search_query").unwrap()).collect();
    assert_eq!(site.starts(), [0, 500, 500, 0, 500]);
    assert_eq!(windows[2], windows[0]);
    assert!(windows[3].contains("%5B202509041200+TO+202509101200"), "{}", windows[3]);
    // One that is asked to reach further back than what broke off begins anew.
    broken.store(true, Ordering::SeqCst);
    site.harvest(&arxiv(), Some("1d")).await.unwrap_err();
    broken.store(false, Ordering::SeqCst);
    site.harvest(&arxiv(), Some("2w")).await.unwrap();
    assert_eq!(site.starts()[5..], [0, 500, 0, 500]);
}

#[tokio::test]
async fn an_empty_or_broken_page_is_asked_for_again() {
    let site = Site::new(|number, request| match number {
        0 => Reply::ok(atom(0, 0, 3)),
        1 => Reply::ok(&atom(0, 3, 3).into_bytes()[..400]),
        2 => Reply::ok(&b"<html><p>Rate exceeded."[..]),
        _ => page(request, 3),
    })
    .await;
    let report = site.harvest(&arxiv(), Some("2d")).await.unwrap();
    assert_eq!((report.bad.len(), report.cut), (0, false));
    assert_eq!(site.catalog.count_papers().await.unwrap(), 3);
    assert_eq!(site.clock.slept(), [3, 7, 15]);
    let site = Site::new(|_, _| Reply::ok(atom(0, 0, 3))).await;
    let error = site.harvest(&arxiv(), Some("2d")).await.unwrap_err();
    assert!(error.to_string().contains("an empty page where there are papers"), "{error}");
}

#[tokio::test]
async fn more_papers_than_one_query_may_have_are_asked_for_in_parts() {
    // One paper every hour, numbered by its hour of this time.
    let zero: jiff::civil::DateTime = date(2023, 1, 1).at(0, 0, 0, 0);
    let hour = move |text: &str| {
        let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M", text).unwrap();
        u64::try_from(at.duration_since(zero).as_hours()).unwrap()
    };
    let site = Site::new(move |_, request| {
        let query = request.parameter("search_query").unwrap();
        let (_, range) = query.split_once("%5B").unwrap();
        let (from, to) = range.trim_end_matches("%5D").split_once("+TO+").unwrap();
        let (first, last) = (hour(from), hour(to));
        let start: u64 = request.parameter("start").unwrap().parse().unwrap();
        let total = last + 1 - first;
        let from = first + start.min(total);
        Reply::ok(atom(from, (from + 500).min(last + 1), total))
    })
    .await;
    let report = site.harvest(&arxiv(), Some("2024-01-01")).await.unwrap();
    let hours = hour("202509091200") + 1 - hour("202401010000");
    assert!(hours > 10_000, "one query does not suffice");
    assert_eq!((report.added, report.bad.len()), (hours, 0));
    assert_eq!(site.catalog.count_papers().await.unwrap(), hours);
    let site = Site::new(|_, request| page(request, 40_000)).await;
    let error = site.harvest(&arxiv(), Some("52w")).await.unwrap_err();
    assert!(error.to_string().contains("expected at most 10000"), "{error}");
}

/// A page of a repository.
fn records(numbers: std::ops::Range<u64>, rest: &str) -> Reply {
    let records = numbers.map(|n| {
        format!(
            "<record><header><identifier>oai:x:{n}</identifier></header><metadata>\
             <dc xmlns='urn:dc'><title>Paper {n}</title><creator>King{n}, Ada</creator></dc>\
             </metadata></record>"
        )
    });
    let records: String = records.collect();
    Reply::ok(format!("<OAI-PMH><ListRecords>{records}{rest}</ListRecords></OAI-PMH>"))
}

fn token(text: &str) -> String {
    format!("<resumptionToken>{text}</resumptionToken>")
}

#[tokio::test]
async fn a_repository_token_by_token() {
    let expired = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&expired);
    let site = Site::new(move |number, request| match request.parameter("resumptionToken") {
        None if number == 0 => Reply::with(503, "retry-after: 10"),
        None => records(0..2, &token("a|1")),
        Some("a%7C1") => records(2..4, &token("b&amp;2")),
        Some("b%262") if number == 3 => Reply::status(410),
        Some("b%262") if flag.load(Ordering::SeqCst) => {
            Reply::ok("<OAI-PMH><error code='badResumptionToken'>expired</error></OAI-PMH>")
        }
        Some(_) => records(4..5, "<resumptionToken/>"),
    })
    .await;
    let source = Source::oai(site.server.url("/oai").as_str(), Some("cs"), None).unwrap();
    site.harvest(&source, Some("2025-09-01")).await.unwrap_err();
    assert_eq!(site.position(&source).await.as_deref(), Some("b&2"));
    expired.store(true, Ordering::SeqCst);
    // The token has expired: from the start, once. It expires at once again: that is an error.
    let error = site.harvest(&source, Some("2025-09-01")).await.unwrap_err();
    assert!(error.to_string().contains("`badResumptionToken`: expired"), "{error}");
    expired.store(false, Ordering::SeqCst);
    let report = site.harvest(&source, Some("2025-09-01")).await.unwrap();
    assert_eq!((report.read, report.added), (1, 1));
    assert_eq!(site.catalog.count_papers().await.unwrap(), 5);
    let first = &site.server.targets()[1];
    assert_eq!(first, "/oai?verb=ListRecords&metadataPrefix=oai_dc&set=cs&from=2025-09-01");
    assert_eq!(site.server.targets()[2], "/oai?verb=ListRecords&resumptionToken=a%7C1");
    // Without a wish: from before the end of the last one.
    site.harvest(&source, None).await.unwrap();
    let targets = site.server.targets();
    assert!(targets.iter().any(|t| t.ends_with("&from=2025-09-04")), "{targets:?}");
}

#[tokio::test]
async fn a_repository_without_news_is_no_error() {
    let site = Site::new(|_, request| match request.parameter("set") {
        None => Reply::ok("<OAI-PMH><error code='noRecordsMatch'/></OAI-PMH>"),
        Some(_) => Reply::ok("<OAI-PMH><error code='badArgument'>no such set</error></OAI-PMH>"),
    })
    .await;
    let url = site.server.url("/oai");
    let report = site.harvest(&Source::oai(url.as_str(), None, None).unwrap(), None).await.unwrap();
    assert_eq!((report.read, report.bad.len()), (0, 0));
    let set = Source::oai(url.as_str(), Some("x"), None).unwrap();
    let error = site.harvest(&set, None).await.unwrap_err();
    assert!(error.to_string().contains("`badArgument`: no such set"), "{error}");
}

#[tokio::test]
async fn a_feed_that_has_not_changed_is_not_read_again() {
    let rss = "<rss><channel><item><title>Gates</title></item></channel></rss>";
    let site = Site::new(move |_, request| {
        if request.has("if-none-match: \"v1\"") {
            return Reply::status(304);
        }
        let headers = ["etag: \"v1\"", "last-modified: Tue, 09 Sep 2025 10:00:00 GMT"];
        Reply::Answer(200, headers.map(str::to_owned).to_vec(), rss.into())
    })
    .await;
    let source = Source::File { url: site.server.url("/feed.xml") };
    assert_eq!(site.harvest(&source, None).await.unwrap().added, 1);
    assert_eq!(site.harvest(&source, None).await.unwrap(), Report::default());
    let requests = site.server.requests();
    assert!(requests[1].has("if-modified-since: tue, 09 sep 2025 10:00:00 gmt"), "{requests:?}");
    // To be put on a day is asked of papers that have not changed, too.
    let options = Options { list_on: Some(date(2025, 9, 9)), ..Options::default() };
    let wish = Wish { since: None, options };
    let report = site.harvester.harvest(&source, &wish, &mut |_| {}).await.unwrap();
    assert_eq!(report.updated, 1);
    let paper = site.catalog.paper("gates").await.unwrap().unwrap();
    assert_eq!(paper.listed, Some(date(2025, 9, 9)));
}

#[tokio::test]
async fn half_a_feed_is_read_again_although_it_has_not_changed() {
    let site = Site::new(|_, _| {
        let half = b"<rss><channel><item><title>Gates</title></item><item><title>Do".to_vec();
        Reply::Answer(200, vec!["etag: \"v1\"".into()], half)
    })
    .await;
    let source = Source::File { url: site.server.url("/feed.xml") };
    let report = site.harvest(&source, None).await.unwrap();
    assert_eq!((report.added, report.bad.len()), (1, 1));
    assert!(report.bad[0].file.starts_with("http://server.test:"), "{:?}", report.bad);
    site.harvest(&source, None).await.unwrap();
    assert!(!site.server.requests()[1].head.iter().any(|line| line.starts_with("if-none-match")));
}
