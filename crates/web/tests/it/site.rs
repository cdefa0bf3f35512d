//! A site over a private catalogue and the demo's library, asked without a network.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use pressrun_catalog::{Catalog, NewPaper, RunRow};
use pressrun_lab::{Library, Profile};
use pressrun_search::{Search, embed};
use pressrun_web::{Settings, Site, router};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::elsewhere::Elsewhere;
use crate::{demo, html};

/// Host of the site, as a browser would send it.
pub const HOST: &str = "papers.example";

/// A site to be tested.
pub struct TestSite {
    pub catalog: Catalog,
    pub library: Arc<Library>,
    pub search: Search,
    /// Of the search index; it goes when the site goes.
    _folder: TempDir,
    router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl TestSite {
    /// A site with the demo's papers and without any record.
    pub async fn new() -> Self {
        Self::with_settings(settings()).await
    }

    /// The same with other settings.
    pub async fn with_settings(settings: Settings) -> Self {
        let library = demo::library();
        let site = Self::empty(library, settings).await;
        site.catalog.upsert(&demo::papers(&site.library)).await.unwrap();
        site
    }

    /// A site without papers.
    pub async fn empty(library: Arc<Library>, settings: Settings) -> Self {
        let (folder, search) = search();
        Self::searched(library, settings, folder, search).await
    }

    /// A site without papers, over this search index.
    pub async fn searched(
        library: Arc<Library>,
        settings: Settings,
        folder: TempDir,
        search: Search,
    ) -> Self {
        let catalog = Catalog::in_memory().await.unwrap();
        let site =
            Site::with_settings(catalog.clone(), Arc::clone(&library), search.clone(), settings)
                .with_finder(Arc::new(Elsewhere));
        Self { catalog, library, search, _folder: folder, router: router(site) }
    }

    /// Puts all papers into the search index, which otherwise is empty.
    pub async fn indexed(self) -> Self {
        self.index().await;
        self
    }

    /// Takes into the search index what has changed.
    pub async fn index(&self) {
        self.search.catch_up(&self.catalog, None, &mut |_| {}).await.unwrap();
    }

    /// Adds the demo's full record.
    pub async fn with_record(self) -> Self {
        let record = demo::record(&self.library, Profile::Full, "demo-full");
        assert!(self.catalog.add_record(&record).await.unwrap());
        self
    }

    /// Adds `count` papers of one day, `p000`, `p001` ...
    pub async fn with_papers(self, count: usize, listed: &str) -> Self {
        let paper = |i| NewPaper {
            id: format!("p{i:03}"),
            title: format!("Paper {i:03}"),
            summary: "An abstract.".into(),
            authors: vec!["A. Author".into()],
            listed: Some(listed.parse().unwrap()),
            ..NewPaper::default()
        };
        let papers: Vec<NewPaper> = (0..count).map(paper).collect();
        self.catalog.upsert(&papers).await.unwrap();
        self
    }

    /// A queued run of the demo's study.
    pub async fn queued(&self) -> RunRow {
        self.catalog.enqueue(demo::SLUG, Profile::Quick, None, None).await.unwrap()
    }

    /// Any request; the answer's body is not read yet.
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Any request, with the answer.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// `GET`, as a browser asks for a page.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(path, "text/html,application/xhtml+xml,*/*;q=0.8").await
    }

    /// `GET` with an `Accept` of its own.
    pub async fn get_as(&self, path: &str, accept: &str) -> Answer {
        let request = Request::get(path).header("host", HOST).header("accept", accept);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// A page that must be there and must be right.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        html::check(path, &answer.body);
        answer.body
    }

    /// `POST` of a form from the site's own page.
    pub async fn post(&self, path: &str, form: &str) -> Answer {
        let origin = format!("http://{HOST}");
        self.post_with(path, form, &[("origin", &origin), ("sec-fetch-site", "same-origin")]).await
    }

    /// `POST` of a form with these headers.
    pub async fn post_with(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", HOST)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

/// An empty search index of its own.
pub fn search() -> (TempDir, Search) {
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(folder.path(), embed::shipped().into()).unwrap();
    (folder, search)
}

/// Settings under which a test need not wait.
pub fn settings() -> Settings {
    Settings { poll: std::time::Duration::from_millis(5), ..Settings::default() }
}

impl Answer {
    /// A header as text; empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A page with a line per tag, fit to be compared, without what differs from run to run.
pub fn snapshot(page: &str, run: Option<&RunRow>) -> String {
    let mut text = page.replace("><", ">\n<");
    if let Some(run) = run {
        text = text.replace(&run.id, "[run]");
        let created = run.created_at;
        text = text.replace(&created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "[time]");
        text = text.replace(&created.strftime("%Y-%m-%d %H:%M UTC").to_string(), "[time]");
    }
    // The hashes in the addresses of style sheet and script change with every touch of them.
    let mut out = String::new();
    for line in text.lines() {
        let line = match (line.find("/assets/"), line.find('-')) {
            (Some(start), Some(_)) => {
                let end = start + line[start..].find('"').unwrap_or(0);
                let name = line[start..end].split('-').next().unwrap_or_default();
                format!("{}{name}-[hash]{}", &line[..start], &line[end..])
            }
            _ => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}
