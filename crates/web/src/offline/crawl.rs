//! Asking the site for its pages, one after another that a page names.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use maud::Markup;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::place::{SEARCH, Scope, Target};
use super::rewrite::rewrite;
use super::{Error, Report, search};
use crate::site::{Site, inner_router};
use crate::view::link;

/// Pages that are made at once.
const AT_ONCE: usize = 8;
/// Most redirects one after another; the site's own are never more than one.
const REDIRECTS: usize = 3;
/// The host that is asked, where the site has no address of its own: no page may name it.
const NOWHERE: &str = "pressrun.invalid";

/// What the workers share.
struct Shared {
    router: Router,
    scope: Scope,
    note: String,
    folder: PathBuf,
}

/// What became of one address.
enum Done {
    Written { bytes: u64, links: Vec<(String, String)> },
    Missing { address: String },
}

/// Writes all pages.
pub(super) async fn write(site: Site, folder: &Path, note: &Markup) -> Result<Report, Error> {
    let site = Arc::new(site);
    let studied = site.library.entries().iter();
    let mut scope = Scope {
        studied: studied.map(|entry| link::segment(entry.manifest.paper_id())).collect(),
        living: site.settings.public_url.clone(),
        missing: Default::default(),
        searchable: false,
    };
    let data = search::data(&site.catalog, &scope).await?;
    scope.searchable = data.is_some();
    let mut shared = Shared {
        router: inner_router(site),
        scope,
        note: note.0.clone(),
        folder: folder.to_owned(),
    };
    // A page links to what the site does not have only by mistake, or because it went meanwhile: then
    // all are written anew without those links.
    let mut report = loop {
        let (passed, report, missing) = pass(shared).await?;
        shared = passed;
        if missing.is_empty() {
            break report;
        }
        shared.scope.missing.extend(missing);
    };
    if let Some(data) = data {
        let page = search::page().0;
        let page = rewrite(&page, SEARCH, &shared.scope, &maud::PreEscaped(shared.note.clone()));
        let page = search::with_scripts(&page.html);
        for (name, text) in
            [(SEARCH, &page), (search::DATA, &data), (search::NAME, &search::SCRIPT.into())]
        {
            report.bytes += put(folder, name, text.as_bytes())?;
            report.files += 1;
        }
        report.searchable = true;
    }
    Ok(report)
}

/// Writes every page that can be reached; which addresses led nowhere.
async fn pass(shared: Shared) -> Result<(Shared, Report, Vec<String>), Error> {
    let shared = Arc::new(shared);
    let mut report = Report::default();
    let mut missing = Vec::new();
    let mut waiting: VecDeque<(String, String)> = VecDeque::new();
    // A file is made once, whatever addresses lead to it.
    let mut known: HashSet<String> = HashSet::new();
    let start = ["/", "/papers/all", "/studies", "/runs", "/methodology", "/record.schema.json"];
    let mut found: Vec<(String, String)> = Vec::new();
    for address in start {
        if let Target::File { place, address, .. } = shared.scope.target(address) {
            found.push((address, place));
        }
    }
    let mut tasks = JoinSet::new();
    loop {
        for (address, place) in found.drain(..) {
            // The page that searches is not the site's.
            if place != SEARCH && known.insert(place.clone()) {
                waiting.push_back((address, place));
            }
        }
        while tasks.len() < AT_ONCE
            && let Some((address, place)) = waiting.pop_front()
        {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { one(&shared, address, &place).await });
        }
        let Some(done) = tasks.join_next().await else { break };
        match done.map_err(|error| Error::Failed(error.to_string()))?? {
            Done::Written { bytes, links } => {
                report.files += 1;
                report.bytes += bytes;
                found = links;
            }
            Done::Missing { address } => missing.push(address),
        }
    }
    drop(tasks);
    let shared = Arc::into_inner(shared);
    let shared = shared.ok_or_else(|| Error::Failed("a page is still being made".into()))?;
    Ok((shared, report, missing))
}

/// Writes the answer of one address.
async fn one(shared: &Shared, address: String, place: &str) -> Result<Done, Error> {
    let mut asked = address.clone();
    for _ in 0..=REDIRECTS {
        let response = ask(shared, &asked).await?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            match to.filter(|to| to.starts_with('/')) {
                Some(to) => to.clone_into(&mut asked),
                None => break,
            }
            continue;
        }
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::GONE) {
            break;
        }
        if status != StatusCode::OK {
            return Err(Error::Answer { address, status });
        }
        let html = response.headers().get(CONTENT_TYPE);
        let html = html.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Error::Failed(error.to_string()))?.to_bytes();
        if !html {
            let bytes = put(&shared.folder, place, &body)?;
            return Ok(Done::Written { bytes, links: Vec::new() });
        }
        let text = String::from_utf8_lossy(&body);
        let note = maud::PreEscaped(shared.note.clone());
        let page = rewrite(&text, place, &shared.scope, &note);
        let bytes = put(&shared.folder, place, page.html.as_bytes())?;
        return Ok(Done::Written { bytes, links: page.links });
    }
    Ok(Done::Missing { address })
}

/// Asks as a browser does that nobody is signed in to.
async fn ask(shared: &Shared, address: &str) -> Result<Response<Body>, Error> {
    let request =
        Request::get(address).header(HOST, NOWHERE).header(ACCEPT, "text/html, */*;q=0.1");
    let request = request.body(Body::empty()).map_err(|error| Error::Failed(error.to_string()))?;
    match shared.router.clone().oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

fn put(folder: &Path, place: &str, bytes: &[u8]) -> Result<u64, Error> {
    let file = folder.join(place);
    let written = match fs::write(&file, bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = file.parent().unwrap_or(folder);
            fs::create_dir_all(parent).and_then(|()| fs::write(&file, bytes))
        }
        other => other,
    };
    written.map_err(|source| Error::Io { path: file, source })?;
    Ok(bytes.len() as u64)
}
