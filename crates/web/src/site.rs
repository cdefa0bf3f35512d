//! The site: what its pages are made from, and its routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use pressrun_catalog::{Catalog, Finder};
use pressrun_digest::{Counters, Editor};
use pressrun_lab::Library;
use pressrun_search::{Runs, Search};
use tokio::sync::{Mutex, Semaphore, watch};

use crate::bounded::Bounded;
use crate::edge::limits::Limits;
use crate::edge::metrics::Metrics;
use crate::prose::Proses;
use crate::recommended::Recommender;
use crate::related::Related;
use crate::rendered::Cache;
use crate::topics::SavedSearches;
use crate::{Error, Result, address, edge, pages};

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
    /// The address under which the site is reached, as [`public_url`](crate::public_url) reads it:
    /// feeds, files and mails name it. Without it feeds and files name the host that a request asks.
    pub public_url: Option<String>,
    /// What the links in mails begin with where no public address is set. Never the host that a request
    /// names: anybody can ask for a mail to somebody else under a host of their own.
    pub own_url: String,
}

impl Settings {
    /// The address of the site that no request has a say in.
    pub(crate) fn fixed_url(&self) -> &str {
        self.public_url.as_deref().unwrap_or(&self.own_url)
    }
}

impl Default for Settings {
    /// Four runs, 128 streams, a look every 250 ms, ten seconds of grace, no address of its own.
    fn default() -> Self {
        Self {
            max_active_runs: 4,
            max_streams: 128,
            poll: Duration::from_millis(250),
            grace: Duration::from_secs(10),
            open_runs: true,
            public_url: None,
            own_url: "http://127.0.0.1:8080".into(),
        }
    }
}

/// Largest body of a request: a comment of the most characters in any script, as forms encode it (four
/// bytes a character and three letters a byte), with a few short fields.
pub(crate) const BODY_LIMIT: usize = 128 << 10;

/// Pictures kept; one takes some thirty kilobytes.
const PICTURES: usize = 256;

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
    pub(crate) recommender: Recommender,
    pub(crate) limits: Limits,
    /// Who composes the digest.
    pub(crate) editor: Editor,
    /// What became of mail since the site was started.
    pub(crate) mail: Arc<Counters>,
    /// Who looks papers up elsewhere, if anybody does.
    pub(crate) finder: Option<Arc<dyn Finder>>,
    /// Comments that were shown last, as HTML.
    pub(crate) prose: Proses,
    /// Pictures of papers that were asked for last, by what they show.
    pub(crate) pictures: Bounded<String, Bytes>,
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
        let runs = Arc::clone(&library) as Arc<dyn Runs>;
        let topics = Arc::new(SavedSearches::new(search.clone(), Arc::clone(&runs)));
        let mail = Arc::<Counters>::default();
        Self {
            editor: Editor::new(catalog.clone(), topics).with_counters(Arc::clone(&mail)),
            catalog,
            runs,
            library,
            search,
            related: Related::default(),
            recommender: Recommender::default(),
            limits: Limits::new(),
            finder: None,
            prose: Proses::default(),
            pictures: Bounded::new(PICTURES),
            metrics: Metrics::new(Arc::clone(&mail)),
            mail,
            rendered: Cache::default(),
            starting: Mutex::new(()),
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            closing: watch::Sender::new(false),
            settings,
        }
    }

    /// Who composes the digest of this site, and what counts its mail.
    pub fn digest(&self) -> (Editor, Arc<Counters>) {
        (self.editor.clone(), Arc::clone(&self.mail))
    }

    /// Has papers that people submit looked up elsewhere.
    #[must_use]
    pub fn with_finder(mut self, finder: Arc<dyn Finder>) -> Self {
        self.finder = Some(finder);
        self
    }

    /// What the absolute addresses of this site begin with, in the answer to that request.
    ///
    /// # Errors
    /// [`Error::Invalid`] if no address is set and the request names no host.
    pub(crate) fn base(&self, headers: &HeaderMap) -> Result<String> {
        address::base(self.settings.public_url.as_deref(), headers)
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
    edge::around(routes(), &site).with_state(site)
}

/// The routes for this program itself, which asks for every page.
pub(crate) fn inner_router(site: Shared) -> Router {
    edge::within(routes(), &site).with_state(site)
}

fn routes() -> Router<Shared> {
    pages::router()
        .fallback(async || Error::Status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
