//! Lists, searches and papers in the formats of other programs, and the feed of all verdicts.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use pressrun_catalog::{ListQuery, Paper, VerdictChange};
use pressrun_lab::Record;

use super::discussion;
use crate::format::feed::{self, Entry, Feed};
use crate::format::{Facts, Format, atom, bibtex, csl, jsonfeed, markdown, ris};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result, fresh};

/// Entries of a feed: readers ask every hour.
const ENTRIES: u32 = 100;

pub(super) fn router() -> Router<Shared> {
    let mut router = Router::new();
    for format in Format::ALL.into_iter().filter(|format| format.is_feed()) {
        let answer = async move |State(site): State<Shared>, headers: HeaderMap| {
            verdicts(&site, &headers, format).await
        };
        router = router.route(&format!("/verdicts{}", format.extension()), get(answer));
    }
    router
}

/// Papers of one answer in that format.
pub(super) fn per_page(format: Format) -> u32 {
    if format.is_feed() { ENTRIES } else { ListQuery::MAX_PER_PAGE }
}

/// Papers that were chosen by a list or a search. Addresses begin at the root.
#[derive(Debug)]
pub(super) struct Selection {
    pub title: String,
    /// The page that shows them.
    pub page: String,
    /// This document, the one before it and the one after.
    pub own: String,
    pub previous: Option<String>,
    pub next: Option<String>,
    pub papers: Vec<Paper>,
}

/// Papers in a format.
pub(super) async fn answer(
    site: &Site,
    headers: &HeaderMap,
    format: Format,
    selection: Selection,
) -> Result<Response> {
    let base = site.base(headers)?;
    let facts = Facts { base: &base };
    let slugs: Vec<String> = selection.papers.iter().filter_map(|p| p.slug.clone()).collect();
    let recorded = site.catalog.recorded_at(&slugs).await?;
    let of_paper = |paper| feed::paper(paper, &recorded, &facts);
    let entries: Vec<Entry> = selection.papers.iter().map(of_paper).collect();
    let changed = entries.iter().map(|entry| entry.updated).max();
    let papers = &selection.papers;
    let content = match format {
        Format::BibTex => bibtex::write(papers, &facts).into_bytes(),
        Format::Ris => ris::write(papers, &facts).into_bytes(),
        Format::Csl => csl::write(papers, &facts)?.into_bytes(),
        Format::Markdown => markdown::list(&selection.title, papers, &facts).into_bytes(),
        Format::Atom => atom::write(&in_feed(selection, entries, &base)),
        Format::JsonFeed => jsonfeed::write(&in_feed(selection, entries, &base))?.into_bytes(),
    };
    Ok(fresh::answer(headers, format.mime(), content, changed))
}

/// The entries as a feed. What identifies it is its address without the extension: the two forms are
/// one feed.
fn in_feed(selection: Selection, entries: Vec<Entry>, base: &str) -> Feed {
    let absolute = |path: String| format!("{base}{path}");
    Feed {
        id: feed::urn(&format!("lists{}", selection.page)),
        title: format!("{} · Pressrun", selection.title),
        page: absolute(selection.page),
        own: absolute(selection.own),
        previous: selection.previous.map(absolute),
        next: selection.next.map(absolute),
        updated: Timestamp::UNIX_EPOCH,
        entries,
    }
    .dated()
}

/// One paper in a format; as a feed, the changes of its verdicts.
pub(super) async fn paper(
    site: &Site,
    headers: &HeaderMap,
    format: Format,
    paper: Paper,
) -> Result<Response> {
    if format.is_feed() {
        let changes = match &paper.slug {
            Some(slug) => site.catalog.verdict_changes(Some(slug), ENTRIES).await?,
            None => Vec::new(),
        };
        let title = format!("Verdicts and comments: {}", crate::format::line(&paper.title));
        let said = discussion::entries_of_paper(site, &paper, &site.base(headers)?).await?;
        return changes_in(site, headers, format, &link::paper(&paper.id), title, &changes, said);
    }
    if format == Format::Markdown {
        return in_markdown(site, headers, &paper).await;
    }
    let page = link::paper(&paper.id);
    let selection = Selection {
        title: paper.title.clone(),
        own: format!("{page}{}", format.extension()),
        page,
        previous: None,
        next: None,
        papers: vec![paper],
    };
    answer(site, headers, format, selection).await
}

/// One paper as Markdown, with what was measured.
pub(super) async fn in_markdown(
    site: &Site,
    headers: &HeaderMap,
    paper: &Paper,
) -> Result<Response> {
    let base = site.base(headers)?;
    let entry = paper.slug.as_deref().and_then(|slug| site.library.get(slug));
    let (mut record, mut changed): (Option<Record>, _) = (None, paper.added_at);
    if let Some(slug) = &paper.slug {
        record = site.catalog.latest_record(slug).await?;
        let recorded = site.catalog.recorded_at(std::slice::from_ref(slug)).await?;
        changed = recorded.values().copied().fold(changed, Timestamp::max);
    }
    let manifest = entry.map(|entry| &entry.manifest);
    let text = markdown::paper(paper, manifest, record.as_ref(), &Facts { base: &base });
    Ok(fresh::answer(headers, Format::Markdown.mime(), text, Some(changed)))
}

/// All changes of verdicts.
async fn verdicts(site: &Site, headers: &HeaderMap, format: Format) -> Result<Response> {
    let changes = site.catalog.verdict_changes(None, ENTRIES).await?;
    changes_in(site, headers, format, "/verdicts", "Verdicts".into(), &changes, Vec::new())
}

/// Changes of verdicts as a feed, with what else is in it.
fn changes_in(
    site: &Site,
    headers: &HeaderMap,
    format: Format,
    path: &str,
    title: String,
    changes: &[VerdictChange],
    said: Vec<Entry>,
) -> Result<Response> {
    let base = site.base(headers)?;
    let facts = Facts { base: &base };
    let mut entries: Vec<Entry> =
        changes.iter().map(|change| feed::change(change, &facts)).collect();
    if !said.is_empty() {
        entries.extend(said);
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.updated));
        entries.truncate(ENTRIES as usize);
    }
    // Verdicts of all papers have no page of their own; the table of studies comes nearest.
    let page = if path == "/verdicts" { "/studies" } else { path };
    let feed = Feed {
        id: feed::urn(&format!("verdicts{path}")),
        title: format!("{title} · Pressrun"),
        page: format!("{base}{page}"),
        own: format!("{base}{path}{}", format.extension()),
        previous: None,
        next: None,
        updated: Timestamp::UNIX_EPOCH,
        entries,
    }
    .dated();
    let changed = (!feed.entries.is_empty()).then_some(feed.updated);
    let content = match format {
        Format::Atom => atom::write(&feed),
        Format::JsonFeed => jsonfeed::write(&feed)?.into_bytes(),
        _ => return Err(Error::Status(axum::http::StatusCode::NOT_FOUND)),
    };
    Ok(fresh::answer(headers, format.mime(), content, changed))
}
