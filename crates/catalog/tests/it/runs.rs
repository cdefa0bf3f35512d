//! The queue of runs.

use std::collections::HashSet;
use std::time::Duration;

use pressrun_catalog::{Catalog, Error, RunEnd, RunSignal, RunState};
use pressrun_lab::{Event, Outcome, Profile};

use crate::support::{record, studied};

const LEASE: Duration = Duration::from_secs(60);

async fn catalog() -> Catalog {
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&[studied("gates"), studied("norms")]).await.unwrap();
    catalog
}

async fn state(catalog: &Catalog, run: &str) -> RunState {
    catalog.run(run).await.unwrap().unwrap().state
}

#[tokio::test]
async fn from_the_queue_to_the_record() {
    let catalog = catalog().await;
    assert_eq!(catalog.claim("w", LEASE).await.unwrap(), None);
    let run = catalog.enqueue("gates", Profile::Full, Some(3), None).await.unwrap();
    assert_eq!((run.state, run.seeds, run.started_at), (RunState::Queued, Some(3), None));
    assert_eq!(catalog.run(&run.id).await.unwrap().unwrap(), run);

    let claimed = catalog.claim("w", LEASE).await.unwrap().unwrap();
    assert_eq!((claimed.id.as_str(), claimed.state), (run.id.as_str(), RunState::Running));
    assert!(claimed.started_at.unwrap() >= run.created_at);
    assert_eq!(catalog.claim("w", LEASE).await.unwrap(), None);
    let signal = catalog.heartbeat(&run.id, "w", LEASE).await.unwrap();
    assert_eq!(signal, RunSignal::Continue);
    let stranger = catalog.heartbeat(&run.id, "v", LEASE).await.unwrap();
    assert_eq!(stranger, RunSignal::Lost);

    let record = record(&run.id, "gates", Profile::Full, 0, &[Outcome::Reproduced]);
    catalog.finish(&run.id, RunEnd::Finished(&record)).await.unwrap();
    let row = catalog.run(&run.id).await.unwrap().unwrap();
    assert!(row.state == RunState::Finished && row.state.is_over() && row.finished_at.is_some());
    assert_eq!(catalog.record(&run.id).await.unwrap().unwrap(), record);
    assert_eq!(catalog.paper("gates").await.unwrap().unwrap().verdicts.unwrap().reproduced, 1);
    assert_eq!(catalog.heartbeat(&run.id, "w", LEASE).await.unwrap(), RunSignal::Lost);
    // The same end twice is harmless, another end is not.
    catalog.finish(&run.id, RunEnd::Finished(&record)).await.unwrap();
    let error = catalog.finish(&run.id, RunEnd::Cancelled).await.unwrap_err();
    let is_over = matches!(&error, Error::RunOver { state: RunState::Finished, .. });
    assert!(is_over, "{error}");
}

#[tokio::test]
async fn record_and_state_are_one() {
    let catalog = catalog().await;
    let run = catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
    catalog.claim("w", LEASE).await.unwrap().unwrap();
    let foreign = record("another", "gates", Profile::Quick, 0, &[]);
    let error = catalog.finish(&run.id, RunEnd::Finished(&foreign)).await.unwrap_err();
    assert!(matches!(error, Error::ForeignRecord { .. }), "{error}");
    // A record that cannot be stored leaves the run as it was.
    let mut stray = record(&run.id, "none", Profile::Quick, 0, &[]);
    let error = catalog.finish(&run.id, RunEnd::Finished(&stray)).await.unwrap_err();
    assert!(matches!(error, Error::UnknownStudy { .. }), "{error}");
    assert_eq!(state(&catalog, &run.id).await, RunState::Running);
    assert_eq!(catalog.record(&run.id).await.unwrap(), None);
    stray.slug = "gates".into();
    catalog.finish(&run.id, RunEnd::Finished(&stray)).await.unwrap();
    assert_eq!(state(&catalog, &run.id).await, RunState::Finished);
}

#[tokio::test]
async fn failures_keep_their_reason() {
    let catalog = catalog().await;
    let run = catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
    catalog.claim("w", LEASE).await.unwrap().unwrap();
    catalog.finish(&run.id, RunEnd::Failed("it broke".into())).await.unwrap();
    let row = catalog.run(&run.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.error.as_deref()), (RunState::Failed, Some("it broke")));
    for error in [
        catalog.finish("none", RunEnd::Cancelled).await.unwrap_err(),
        catalog.request_cancel("none").await.unwrap_err(),
        catalog.append_events("none", 1, &[Event::Cancelled]).await.unwrap_err(),
        catalog.enqueue("gates", Profile::Full, None, Some("none")).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "no run `none`");
    }
    let error = catalog.enqueue("none", Profile::Full, None, None).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownStudy { slug } if slug == "none"), "{error}");
    for seeds in [0, u64::MAX] {
        let error = catalog.enqueue("gates", Profile::Full, Some(seeds), None).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    assert_eq!(catalog.runs(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn cancelling() {
    let catalog = catalog().await;
    let queued = catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
    assert!(catalog.request_cancel(&queued.id).await.unwrap());
    let row = catalog.run(&queued.id).await.unwrap().unwrap();
    assert!(row.state == RunState::Cancelled && row.finished_at.is_some());
    assert_eq!(catalog.claim("w", LEASE).await.unwrap(), None);
    assert!(!catalog.request_cancel(&queued.id).await.unwrap());

    let running = catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
    catalog.claim("w", LEASE).await.unwrap().unwrap();
    assert!(catalog.request_cancel(&running.id).await.unwrap());
    assert!(catalog.run(&running.id).await.unwrap().unwrap().cancel_requested);
    assert_eq!(state(&catalog, &running.id).await, RunState::Running);
    let signal = catalog.heartbeat(&running.id, "w", LEASE).await.unwrap();
    assert_eq!(signal, RunSignal::Cancel);
    catalog.finish(&running.id, RunEnd::Cancelled).await.unwrap();
    assert_eq!(state(&catalog, &running.id).await, RunState::Cancelled);
}

#[tokio::test]
async fn a_vanished_worker_leaves_an_interrupted_run_that_can_be_done_again() {
    let catalog = catalog().await;
    let run = catalog.enqueue("gates", Profile::Full, Some(2), None).await.unwrap();
    catalog.claim("w", Duration::ZERO).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(catalog.interrupt_expired().await.unwrap(), [run.id.as_str()]);
    assert_eq!(catalog.interrupt_expired().await.unwrap(), [""; 0]);
    assert_eq!(state(&catalog, &run.id).await, RunState::Interrupted);
    assert_eq!(catalog.heartbeat(&run.id, "w", LEASE).await.unwrap(), RunSignal::Lost);

    let again = catalog.enqueue("gates", run.profile, run.seeds, Some(&run.id)).await.unwrap();
    assert_eq!(again.restart_of.as_deref(), Some(run.id.as_str()));
    assert_eq!(catalog.claim("v", LEASE).await.unwrap().unwrap().id, again.id);
    // A heartbeat keeps a lease from running out.
    catalog.heartbeat(&again.id, "v", LEASE).await.unwrap();
    assert_eq!(catalog.interrupt_expired().await.unwrap(), [""; 0]);
    assert_eq!(catalog.interrupt_worker("w").await.unwrap(), [""; 0]);
    assert_eq!(catalog.interrupt_worker("v").await.unwrap(), [again.id.as_str()]);
    // What was measured is measured: the worker was slow, not dead.
    let late = record(&again.id, "gates", Profile::Full, 0, &[Outcome::Partly]);
    catalog.finish(&again.id, RunEnd::Finished(&late)).await.unwrap();
    assert_eq!(state(&catalog, &again.id).await, RunState::Finished);
}

#[tokio::test]
async fn runs_are_claimed_oldest_first_and_shown_newest_first() {
    let catalog = catalog().await;
    let mut ids = Vec::new();
    for slug in ["gates", "norms", "gates"] {
        let run = catalog.enqueue(slug, Profile::Quick, None, None).await.unwrap();
        ids.push(run.id);
    }
    let shown = catalog.runs(None, 2).await.unwrap();
    assert_eq!([&shown[0].id, &shown[1].id], [&ids[2], &ids[1]]);
    let of_gates = catalog.runs(Some("gates"), 9).await.unwrap();
    assert_eq!([&of_gates[0].id, &of_gates[1].id], [&ids[2], &ids[0]]);
    for id in &ids {
        assert_eq!(catalog.claim("w", LEASE).await.unwrap().unwrap().id, *id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_workers_get_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    // Two catalogues of one folder stand for two processes.
    let catalogs =
        [Catalog::open(folder.path()).await.unwrap(), Catalog::open(folder.path()).await.unwrap()];
    catalogs[0].upsert(&[studied("gates")]).await.unwrap();
    let runs = 40;
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let catalog = catalogs[worker % 2].clone();
        tasks.push(tokio::spawn(async move {
            // Half of the workers fill the queue while all empty it.
            for _ in 0..if worker < 4 { runs / 4 } else { 0 } {
                catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
            }
            let mut claimed = Vec::new();
            while let Some(run) = catalog.claim(&worker.to_string(), LEASE).await.unwrap() {
                claimed.push(run.id);
            }
            claimed
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let different: HashSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (runs, runs));
}

#[tokio::test]
async fn events_are_numbered_and_the_same_batch_twice_is_harmless() {
    let catalog = catalog().await;
    let run = catalog.enqueue("gates", Profile::Quick, None, None).await.unwrap();
    let log = |text: &str| Event::Log { text: text.into() };
    let first = [log("a"), Event::Progress { done: 1, total: 4 }, log("b")];
    let second = [Event::Progress { done: 3, total: 5 }, log("c")];
    for _ in 0..2 {
        catalog.append_events(&run.id, 1, &first).await.unwrap();
        catalog.append_events(&run.id, 4, &second).await.unwrap();
    }
    // A late, old batch takes no progress back, and no number is given twice.
    catalog.append_events(&run.id, 1, &first).await.unwrap();
    catalog.append_events(&run.id, 5, &[log("other")]).await.unwrap();
    let row = catalog.run(&run.id).await.unwrap().unwrap();
    assert_eq!((row.done, row.total), (3, 5));
    let events = catalog.events(&run.id, 0, 100).await.unwrap();
    let numbers: Vec<i64> = events.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let expected: Vec<Event> = first.iter().chain(&second).cloned().collect();
    assert_eq!(events.into_iter().map(|(_, e)| e).collect::<Vec<_>>(), expected);
    let after = catalog.events(&run.id, 2, 2).await.unwrap();
    assert_eq!(after, [(3, log("b")), (4, Event::Progress { done: 3, total: 5 })]);
    let many: Vec<Event> = (0..1000).map(|n| log(&n.to_string())).collect();
    catalog.append_events(&run.id, 6, &many).await.unwrap();
    assert_eq!(catalog.events(&run.id, 5, 2000).await.unwrap().len(), 1000);
}
