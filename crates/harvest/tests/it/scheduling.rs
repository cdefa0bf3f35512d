//! Again and again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pressrun_catalog::Catalog;
use pressrun_harvest::{Harvester, Limits, Schedule, Source};

use crate::support::{Reply, Server, TestClock, TestNames, limits, with};

#[tokio::test]
async fn rounds_survive_failures_and_never_overlap() {
    let server = Server::start(|_, request| {
        if request.target == "/failing" {
            return Reply::status(500);
        }
        // Slower than the test's clock, on which the next round is due at once.
        std::thread::sleep(Duration::from_millis(10));
        let item = "<item><title>Gates</title></item>";
        Reply::ok(format!("<rss><channel>{item}</channel></rss>"))
    });
    let clock = TestClock::new();
    let catalog = Catalog::in_memory().await.unwrap();
    let once = Limits { tries: 1, ..limits() };
    let fetcher = with(&server, &clock, TestNames::default(), once);
    let harvester = Harvester::new(catalog.clone(), fetcher);
    let source = |path| Source::File { url: server.url(path) };
    let every = Duration::from_secs(6 * 3600);
    let schedule = Schedule { sources: vec![source("/failing"), source("/fine")], every };
    let requests = || server.targets().iter().filter(|target| *target == "/fine").count();
    let enough = async {
        while requests() < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), schedule.run(&harvester, enough)).await.unwrap();
    assert_eq!(catalog.count_papers().await.unwrap(), 1);
    // In rounds 1, 2, 4 and 8.
    let failing = server.targets().iter().filter(|target| *target == "/failing").count();
    assert_eq!(failing, 4, "{:?}", server.targets());
    assert_eq!(server.most.load(Ordering::SeqCst), 1);
    assert!(clock.slept().iter().all(|&seconds| seconds == every.as_secs()));
}
