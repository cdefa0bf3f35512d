//! `pressrun serve`: the site with its worker.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pressrun_catalog::{Catalog, Link, NewPaper, Role, Secret};
use pressrun_digest::Publisher;
use pressrun_harvest::Schedule;
use pressrun_lab::{Cancel, Library, Limits};
use pressrun_search::{Search, Status};
use pressrun_web::{Settings, Site, sign_in_url};
use pressrun_worker::{Worker, WorkerConfig};
use tokio::task::JoinHandle;

use super::digest;
use super::import::{harvester, lookup};
use super::search::{folder as search_folder, vectors};
use super::{catalog, library};
use crate::cli::{FetchArgs, ScheduleArgs, ServeArgs};

/// How long the worker may take to end its child when the site stops.
const STOP: Duration = Duration::from_secs(8);

/// Starts the site and serves until interrupted.
pub async fn serve(args: ServeArgs) -> Result<ExitCode> {
    let library = Arc::new(library()?);
    let folder = &args.site.data;
    std::fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    let _lock = lock(folder)?;
    let catalog = catalog(folder).await?;
    shelve(&catalog, &library).await?;
    let search = Search::open(&search_folder(folder), vectors(&args.embedder)?)
        .context("opening the search index")?;
    if let Status::Building { reason, .. } = search.status() {
        tracing::info!("the search index is being built: {reason}");
    }
    let listener = tokio::net::TcpListener::bind(args.addr)
        .await
        .with_context(|| format!("listening on {} (choose another with --addr)", args.addr))?;
    let own_url = format!("http://{}", listener.local_addr()?);
    let url = args.public_url.clone().unwrap_or_else(|| own_url.clone());
    let mail = digest::outbox(&catalog, &args.mail, folder, &url)?;
    if !(args.trending_hours.is_finite() && args.trending_hours > 0.0) {
        bail!("`--trending-hours` is {}; expected more than 0", args.trending_hours);
    }
    let half_life = Duration::from_secs_f64(args.trending_hours * 3600.0);
    catalog.set_trending_half_life(half_life).await?;
    // Standard output carries the address alone, so that a script can wait for it.
    println!("Pressrun is on {own_url}");
    offer_set_up(&catalog, &url).await?;
    match &args.mail.smtp {
        Some(_) => eprintln!("Mail goes to {}.", mail.whereto),
        None => eprintln!("Mail is written to files in `{}`.", mail.whereto),
    }

    let stop = Cancel::default();
    let config = WorkerConfig {
        name: "local".into(),
        program: std::env::current_exe().context("finding this program")?,
        arguments: vec!["run-child".into()],
        data_dir: args.data_sets.data_dir,
        limits: Limits {
            time: Duration::from_secs(args.run_seconds),
            memory: args.run_memory << 20,
        },
    };
    let worker = Worker::new(catalog.clone(), config);
    let working = {
        let stop = stop.clone();
        tokio::spawn(async move { worker.run(stop).await })
    };
    let (closing, closed) = tokio::sync::oneshot::channel::<()>();
    let following = {
        let (search, catalog) = (search.clone(), catalog.clone());
        tokio::spawn(async move { search.follow(&catalog, async { _ = closed.await }).await })
    };
    let (halting, halted) = tokio::sync::oneshot::channel::<()>();
    let importing = schedule(&catalog, &args.schedule, &args.fetch, async { _ = halted.await })?;
    let open_runs = match args.runs.as_deref() {
        Some(who) => who == "everybody",
        None => args.addr.ip().is_loopback(),
    };
    let settings =
        Settings { own_url, open_runs, public_url: args.public_url, ..Settings::default() };
    let finder = Arc::new(lookup(&args.fetch)?);
    let site = Site::with_settings(catalog.clone(), library, search, settings).with_finder(finder);
    let (editor, counters) = site.digest();
    let (sent, sending) = tokio::sync::oneshot::channel::<()>();
    let outbox = mail.outbox.with_counters(counters);
    let sending = tokio::spawn(async move { outbox.run(async { _ = sending.await }).await });
    let (published, publishing) = tokio::sync::oneshot::channel::<()>();
    let publisher = Publisher::new(catalog, editor, &url);
    let publishing =
        tokio::spawn(async move { publisher.run(async { _ = publishing.await }).await });
    pressrun_web::serve(listener, site, interrupted()).await?;
    drop(halting);
    let _ = tokio::time::timeout(STOP, importing).await;
    drop(closing);
    drop(published);
    let _ = tokio::time::timeout(STOP, publishing).await;
    drop(sent);
    // What is under way is waited for; what is not over by then goes out again after the next start.
    let _ = tokio::time::timeout(STOP, sending).await;
    // What it had not committed is taken in at the next start.
    let _ = tokio::time::timeout(STOP, following).await;
    stop.cancel();
    if tokio::time::timeout(STOP, working).await.is_err() {
        tracing::warn!("the worker did not stop in time; its run is marked at the next start");
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports on a schedule until `stop` ends; nothing if nothing is to be imported.
fn schedule(
    catalog: &Catalog,
    args: &ScheduleArgs,
    fetch: &FetchArgs,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let harvester = harvester(catalog, fetch)?;
    let schedule = Schedule { sources: args.import.clone(), every: args.import_every };
    Ok(tokio::spawn(async move {
        if !schedule.sources.is_empty() {
            schedule.run(&harvester, stop).await;
        }
    }))
}

/// Puts the papers and records of this build into the catalogue; what is there already stays.
pub async fn shelve(catalog: &Catalog, library: &Library) -> Result<()> {
    let papers: Vec<NewPaper> =
        library.entries().iter().map(|e| NewPaper::from_manifest(&e.manifest)).collect();
    catalog.upsert(&papers).await.context("storing the papers of this build")?;
    for record in library.entries().iter().filter_map(|e| e.record.as_ref()) {
        catalog.add_record(record).await.context("storing the records of this build")?;
    }
    Ok(())
}

/// Shows, on the console only, how to become the administrator of a site that has none.
async fn offer_set_up(catalog: &Catalog, url: &str) -> Result<()> {
    if catalog.has_administrator().await? {
        return Ok(());
    }
    let secret = Secret::new();
    let link = Link { email: None, role: Role::Administrator, return_to: "/account".into() };
    catalog.offer_sign_in(&secret, &link, None).await?;
    eprintln!(
        "This site has no administrator. Whoever opens this within half an hour becomes it: {}",
        sign_in_url(url, &secret)
    );
    Ok(())
}

/// One site per folder: a second one would take the first one's runs for interrupted, and send its mail a
/// second time.
fn lock(folder: &Path) -> Result<File> {
    try_lock(folder)?
        .with_context(|| format!("another Pressrun is running on `{}`", folder.display()))
}

/// The lock of a folder; `None` if a site is running on it.
pub fn try_lock(folder: &Path) -> Result<Option<File>> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("opening `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking `{}`", path.display()))
        }
    }
}

/// Ends with an interrupt or a request to terminate.
async fn interrupted() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
    tracing::info!("stopping");
}
