//! The pages and interfaces of the site, one module each, with its own routes.

mod badges;
mod comparisons;
mod digest;
mod discovery;
mod discussion;
mod files;
pub(crate) mod form;
mod formats;
mod hub;
mod library;
mod lists;
mod methodology;
mod operations;
mod paper;
mod people;
pub(crate) mod programs;
mod records;
mod runs;
mod search;
mod studies;
mod submissions;

use axum::Router;

use crate::site::Shared;

pub use self::people::sign_in_url;

/// All routes.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .merge(lists::router())
        .merge(paper::router())
        .merge(people::router())
        .merge(library::router())
        .merge(badges::router())
        .merge(formats::router())
        .merge(discovery::router())
        .merge(discussion::router())
        .merge(search::router())
        .merge(runs::router())
        .merge(records::router())
        .merge(studies::router())
        .merge(comparisons::router())
        .merge(methodology::router())
        .merge(digest::router())
        .merge(submissions::router())
        .merge(operations::router())
        .merge(files::router())
        .merge(programs::router())
}
