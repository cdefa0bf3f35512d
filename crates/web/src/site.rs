//! The site: what its pages are made from, and its routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use pressrun_catalog::Catalog;
use pressrun_lab::Library;
use pressrun_search::{Runs, Search};
use tokio::sync::{Mutex, Semaphore, watch};

use crate::edge::limits::Limits;
use crate::edge::metrics::Metrics;
use crate::related::Related;
use crate::rendered::Cache;
use crate::{Error, edge, pages};

/// What can be set about a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Runs that may be queued or running at once.
    pub max_active_runs: usize,
    /// Live streams that may be open at once.
    pub max_streams: usize,
    /// How often a live stream looks for new events.
    pub poll: Duration,
    /// How long open requests may go on once the site is told to stop.
    pub grace: Duration,
    /// Whether people without an account may start and cancel runs.
    pub open_runs: bool,
    /// What the links in mails begin with. Never the host that a request names: anybody can ask for a
    /// mail to somebody else under a host of their own.
    pub mail_url: String,
}

impl Default for Settings {
    /// Four runs, 128 streams, a look every 250 ms, ten seconds of grace.
    fn default() -> Self {
        Self {
            max_active_runs: 4,
            max_streams: 128,
            poll: Duration::from_millis(250),
            grace: Duration::from_secs(10),
            open_runs: true,
            mail_url: "http://127.0.0.1:8080".into(),
        }
    }
}

/// Largest body of a request: forms here have a handful of short fields.
pub(crate) const BODY_LIMIT: usize = 64 << 10;

/// A site over a catalogue, the studies of this build, and search over the catalogue's papers.
#[derive(Debug)]
pub struct Site {
    pub(crate) catalog: Catalog,
    pub(crate) library: Arc<Library>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) rendered: Cache,
    pub(crate) search: Search,
    /// What `has:run` asks.
    pub(crate) runs: Arc<dyn Runs>,
    pub(crate) related: Related,
    pub(crate) limits: Limits,
    /// Held while a run is started, so that counting and queueing are one step.
    pub(crate) starting: Mutex<()>,
    /// One permit per live stream.
    pub(crate) streams: Arc<Semaphore>,
    /// Becomes true when the site is told to stop: live streams then end.
    pub(crate) closing: watch::Sender<bool>,
}

/// The site as handlers get it.
pub(crate) type Shared = Arc<Site>;

impl Site {
    /// A site with the default settings.
    pub fn new(catalog: Catalog, library: Arc<Library>, search: Search) -> Self {
        Self::with_settings(catalog, library, search, Settings::default())
    }

    /// A site with these settings.
    pub fn with_settings(
        catalog: Catalog,
        library: Arc<Library>,
        search: Search,
        settings: Settings,
    ) -> Self {
        Self {
            catalog,
            runs: Arc::clone(&library) as Arc<dyn Runs>,
            library,
            search,
            related: Related::default(),
            limits: Limits::new(),
            metrics: Metrics::new(),
            rendered: Cache::default(),
            starting: Mutex::new(()),
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            closing: watch::Sender::new(false),
            settings,
        }
    }

    /// Whether the paper of that slug has a study.
    pub(crate) fn runs_here(&self, slug: Option<&str>) -> bool {
        slug.is_some_and(|slug| self.library.runnable(slug).is_ok())
    }
}

/// All routes of the site with the layers around them.
pub fn router(site: Site) -> Router {
    shared_router(Arc::new(site))
}

pub(crate) fn shared_router(site: Shared) -> Router {
    let routes = pages::router()
        .fallback(async || Error::Status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    edge::around(routes, &site).with_state(site)
}
