//! People: signing in, their account, their public page, their votes.

mod account;
mod profile;
mod sign_in;
mod vote;

use axum::Router;

pub use self::sign_in::sign_in_url;
pub(super) use self::vote::programs;

use crate::site::Shared;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .merge(sign_in::router())
        .merge(account::router())
        .merge(profile::router())
        .merge(vote::router())
}
