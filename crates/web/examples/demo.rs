//! A site to look at: `cargo run -p pressrun-web --example demo`, then <http://127.0.0.1:8099>.
//!
//! It shows a made-up paper whose study really runs: one full record, and two runs in the queue. A
//! task in the place of a worker takes what you start and runs it slowly, in this process, so that
//! the live page has something to show. The papers of the file given as an argument, a JSON array
//! of `NewPaper`, are listed too.

use std::sync::Mutex;
use std::time::Duration;

use pressrun_catalog::{Catalog, NewPaper, RunEnd, RunRow, RunSignal};
use pressrun_lab::{Event, Library, Options, Profile, execute};
use pressrun_search::{Search, embed};
use pressrun_web::{Site, serve};

#[path = "../tests/it/demo.rs"]
mod demo;

const WORKER: &str = "demo";
const LEASE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8099".into());
    let library = demo::library();
    let catalog = Catalog::in_memory().await?;
    catalog.upsert(&demo::papers(&library)).await?;
    if let Some(file) = std::env::args().nth(1) {
        let papers: Vec<NewPaper> = serde_json::from_slice(&std::fs::read(file)?)?;
        catalog.upsert(&papers).await?;
    }
    catalog.add_record(&demo::record(&library, Profile::Full, "demo-full")).await?;

    // Two runs wait: the first is taken at once, the second when it is through.
    catalog.enqueue(demo::SLUG, Profile::Quick, Some(2), None).await?;
    catalog.enqueue(demo::SLUG, Profile::Quick, None, None).await?;
    let worker = tokio::spawn(work(catalog.clone(), std::sync::Arc::clone(&library)));

    let listener = tokio::net::TcpListener::bind(&address).await?;
    eprintln!("http://{address}/papers/{}", demo::ID);
    let stop = async {
        // Without a signal handler the site just goes on.
        let _ = tokio::signal::ctrl_c().await;
    };
    let folder = tempfile::tempdir()?;
    let search = Search::open(folder.path(), embed::shipped().into())?;
    let following = tokio::spawn({
        let (search, catalog) = (search.clone(), catalog.clone());
        async move { search.follow(&catalog, std::future::pending()).await }
    });
    serve(listener, Site::new(catalog, library, search), stop).await?;
    following.abort();
    worker.abort();
    Ok(())
}

/// Takes runs from the queue, one after the other, and hands on their events a few at a time.
async fn work(catalog: Catalog, library: std::sync::Arc<Library>) -> pressrun_catalog::Result<()> {
    loop {
        match catalog.claim(WORKER, LEASE).await? {
            Some(row) => run(&catalog, &library, &row).await?,
            None => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
}

async fn run(catalog: &Catalog, library: &Library, row: &RunRow) -> pressrun_catalog::Result<()> {
    let Ok(entry) = library.runnable(&row.slug) else {
        return catalog.finish(&row.id, RunEnd::Failed("no such study".into())).await;
    };
    let mut options = Options::new(row.profile);
    options.run_id.clone_from(&row.id);
    options.seeds = row.seeds;
    let events = Mutex::new(Vec::<Event>::new());
    let record = match execute(entry, &options, &|event| events.lock().unwrap().push(event.clone()))
    {
        Ok(record) => record,
        Err(error) => {
            return catalog.finish(&row.id, RunEnd::Failed(error.to_string())).await;
        }
    };
    let mut events = events.into_inner().unwrap();
    events.retain(|event| !matches!(event, Event::Progress { .. }) && !event.is_last());
    let batches = events.chunks((events.len() / 100).max(1));
    let total = batches.len() as u64;
    let mut seq = 0;
    for (done, batch) in (1..).zip(batches) {
        let mut batch = batch.to_vec();
        batch.push(Event::Progress { done, total });
        catalog.append_events(&row.id, seq, &batch).await?;
        seq += batch.len() as i64;
        if catalog.heartbeat(&row.id, WORKER, LEASE).await? == RunSignal::Cancel {
            return catalog.finish(&row.id, RunEnd::Cancelled).await;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    catalog.finish(&row.id, RunEnd::Finished(&record)).await
}
