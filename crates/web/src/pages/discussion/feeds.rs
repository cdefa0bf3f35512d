//! Comments, and what authors say about verdicts, as entries of feeds.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use pressrun_catalog::{Comment, Paper, VerdictReply};

use crate::format::feed::{self, Entry, Feed};
use crate::format::{Format, atom, jsonfeed, line};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result, fresh};

/// Entries of a feed: readers ask every hour.
const ENTRIES: u32 = 100;

pub(super) fn router() -> Router<Shared> {
    let mut router = Router::new();
    for format in Format::ALL.into_iter().filter(|format| format.is_feed()) {
        let answer = async move |State(site): State<Shared>, headers: HeaderMap| {
            all(&site, &headers, format).await
        };
        router = router.route(&format!("/comments{}", format.extension()), get(answer));
    }
    router
}

/// The newest comments of the whole site.
async fn all(site: &Site, headers: &HeaderMap, format: Format) -> Result<Response> {
    let base = site.base(headers)?;
    let comments = site.catalog.recent_comments(None, ENTRIES).await?;
    let titles = site.catalog.titles_of(comments.iter().map(|comment| comment.paper.as_str()));
    let titles = titles.await?;
    let entries = comments.iter().zip(&titles).map(|(c, title)| comment(site, c, title, &base));
    let feed = Feed {
        id: feed::urn("comments"),
        title: "Comments · Pressrun".into(),
        page: format!("{base}/"),
        own: format!("{base}/comments{}", format.extension()),
        previous: None,
        next: None,
        updated: Timestamp::UNIX_EPOCH,
        entries: entries.collect(),
    }
    .dated();
    let changed = (!feed.entries.is_empty()).then_some(feed.updated);
    let content = match format {
        Format::Atom => atom::write(&feed),
        Format::JsonFeed => jsonfeed::write(&feed)?.into_bytes(),
        _ => return Err(Error::Status(StatusCode::NOT_FOUND)),
    };
    Ok(fresh::answer(headers, format.mime(), content, changed))
}

/// What is said about a paper and its verdicts, for the paper's own feed.
pub(in crate::pages) async fn of_paper(
    site: &Site,
    paper: &Paper,
    base: &str,
) -> Result<Vec<Entry>> {
    let comments = site.catalog.recent_comments(Some(&paper.id), ENTRIES).await?;
    let replies = site.catalog.recent_verdict_replies(&paper.id, ENTRIES).await?;
    let said = comments.iter().map(|one| comment(site, one, &paper.title, base));
    let replied = replies.iter().map(|one| reply(site, one, &paper.title, base));
    Ok(said.chain(replied).collect())
}

fn comment(site: &Site, comment: &Comment, title: &str, base: &str) -> Entry {
    let by = comment.by.as_ref().map_or("Somebody", |by| &by.name);
    Entry {
        id: feed::urn(&format!("papers/{}/comments/{}", comment.paper, comment.number)),
        title: format!("{} on {}", line(by), line(title)),
        page: format!("{base}{}", link::comment(&comment.paper, comment.number)),
        outside: None,
        authors: vec![line(by)],
        published: comment.created_at,
        updated: comment.edited_at.unwrap_or(comment.created_at),
        tags: Vec::new(),
        content: site.prose.html(&comment.text, &comment.mentions, base).to_string(),
    }
}

fn reply(site: &Site, reply: &VerdictReply, title: &str, base: &str) -> Entry {
    let by = reply.by.as_ref().map_or("Somebody", |by| &by.name);
    let does = if reply.disputed { "disputes the verdict" } else { "replies to the verdict" };
    let page = format!("{base}{}#{}", link::paper(&reply.paper), link::anchor(&reply.claim));
    Entry {
        id: feed::urn(&format!("replies/{}", reply.id)),
        title: format!("{} {does} of {}: {}", line(by), line(&reply.claim), line(title)),
        page,
        outside: None,
        authors: vec![line(by)],
        published: reply.at,
        updated: reply.at,
        tags: Vec::new(),
        content: site.prose.html(&reply.text, &[], base).to_string(),
    }
}
