//! The worker with a real queue and real child processes: shell scripts in the place of studies.

use std::time::Duration;

use pressrun_catalog::{Catalog, NewPaper, RunRow, RunState};
use pressrun_lab::{Cancel, Event, Limits, Manifest, Profile};
use pressrun_worker::{Worker, WorkerConfig};

const PATIENCE: Duration = Duration::from_secs(60);

async fn catalog() -> Catalog {
    let catalog = Catalog::in_memory().await.unwrap();
    let text = "slug = \"demo\"\ntitle = \"Demo\"\nabstract = \"A.\"\nauthors = [\"A\"]\n\
                published = \"2024\"\nlisted = \"2025-09-09\"\nfamily = \"demo\"";
    let manifest = Manifest::parse(text, "demo").unwrap();
    catalog.upsert(&[NewPaper::from_manifest(&manifest)]).await.unwrap();
    catalog
}

fn worker(catalog: &Catalog, script: &str) -> (Worker, Cancel) {
    let config = WorkerConfig {
        name: "test".into(),
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into(), "sh".into()],
        data_dir: None,
        limits: Limits::default(),
    };
    (Worker::new(catalog.clone(), config), Cancel::default())
}

async fn reaches(catalog: &Catalog, run: &str, state: RunState) -> RunRow {
    let wait = async {
        loop {
            let row = catalog.run(run).await.unwrap().unwrap();
            if row.state == state {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the state is reached")
}

/// Runs one queued run of `script` until it is in `state`, then stops the worker.
async fn carried_out(script: &str, state: RunState) -> (Catalog, RunRow) {
    let catalog = catalog().await;
    let id = catalog.enqueue("demo", Profile::Quick, None, None).await.unwrap().id;
    let (worker, stop) = worker(&catalog, script);
    let stopped = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopped).await });
    let row = reaches(&catalog, &id, state).await;
    stop.cancel();
    tokio::time::timeout(PATIENCE, working).await.expect("the worker stops").unwrap();
    (catalog, row)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_stored_in_order_and_a_crash_is_told() {
    let script = r#"
        for i in 1 2 3; do echo "{\"event\":\"log\",\"text\":\"line $i\"}"; done
        echo '{"event":"progress","done":3,"total":10}'
        echo 'out of luck' >&2; exit 7"#;
    let (catalog, row) = carried_out(script, RunState::Failed).await;
    let error = row.error.unwrap();
    assert!(error.contains("out of luck") && error.contains('7'), "{error}");
    assert_eq!((row.done, row.total), (3, 10));
    let events = catalog.events(&row.id, -1, 100).await.unwrap();
    let lines: Vec<String> = events
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Log { text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_fails_the_run_and_not_the_worker() {
    let catalog = catalog().await;
    let id = catalog.enqueue("demo", Profile::Quick, None, None).await.unwrap().id;
    let config = WorkerConfig {
        name: "test".into(),
        program: "/nowhere/pressrun".into(),
        arguments: Vec::new(),
        data_dir: None,
        limits: Limits::default(),
    };
    let (worker, stop) = (Worker::new(catalog.clone(), config), Cancel::default());
    let stopped = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopped).await });
    let row = reaches(&catalog, &id, RunState::Failed).await;
    assert!(row.error.unwrap().contains("could not be started"));
    stop.cancel();
    working.await.unwrap();
}

/// A study that goes on until its leash is let go.
const ENDLESS: &str = r#"echo '{"event":"log","text":"on the way"}'
    read line || echo '{"event":"cancelled"}'"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_stops() {
    let catalog = catalog().await;
    let id = catalog.enqueue("demo", Profile::Quick, None, None).await.unwrap().id;
    let (worker, stop) = worker(&catalog, ENDLESS);
    let stopped = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopped).await });
    reaches(&catalog, &id, RunState::Running).await;
    assert!(catalog.request_cancel(&id).await.unwrap());
    reaches(&catalog, &id, RunState::Cancelled).await;
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_leaves_its_run_interrupted_and_restartable() {
    let (catalog, row) = carried_out(ENDLESS, RunState::Running).await;
    reaches(&catalog, &row.id, RunState::Interrupted).await;
    let again = catalog.enqueue("demo", Profile::Quick, None, Some(&row.id)).await.unwrap();
    assert_eq!(again.restart_of, Some(row.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_left_running_is_marked_at_the_next_start() {
    let catalog = catalog().await;
    let id = catalog.enqueue("demo", Profile::Quick, None, None).await.unwrap().id;
    // Claimed under the same name, long ago or not: this process is not carrying it out.
    let claimed = catalog.claim("test", Duration::from_secs(3600)).await.unwrap().unwrap();
    assert_eq!(claimed.id, id);
    let (worker, stop) = worker(&catalog, ENDLESS);
    let stopped = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopped).await });
    reaches(&catalog, &id, RunState::Interrupted).await;
    stop.cancel();
    working.await.unwrap();
}
