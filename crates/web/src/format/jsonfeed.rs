//! JSON Feed 1.1.

use serde::Serialize;

use super::feed::{Entry, Feed, moment};

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<&'a str>,
    language: &'static str,
    items: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    id: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<&'a str>,
    title: &'a str,
    content_html: &'a str,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
}

#[derive(Debug, Serialize)]
struct Author<'a> {
    name: &'a str,
}

/// The feed as a document.
///
/// # Errors
/// Only if the serialiser fails.
pub(crate) fn write(feed: &Feed) -> serde_json::Result<String> {
    serde_json::to_string(&Document {
        version: "https://jsonfeed.org/version/1.1",
        title: &feed.title,
        home_page_url: &feed.page,
        feed_url: &feed.own,
        next_url: feed.next.as_deref(),
        language: "en",
        items: feed.entries.iter().map(item).collect(),
    })
}

fn item(entry: &Entry) -> Item<'_> {
    Item {
        id: &entry.id,
        url: &entry.page,
        external_url: entry.outside.as_deref(),
        title: &entry.title,
        content_html: &entry.content,
        date_published: moment(entry.published),
        date_modified: moment(entry.updated),
        authors: entry.authors.iter().map(|name| Author { name }).collect(),
        tags: &entry.tags,
    }
}
