//! The digest, as far as people see it on the site: subscribing, confirming, changing, leaving.
//!
//! Who subscribes needs no account. What they may see and change is told by tokens that only the mails
//! to them hold, one for each [`Purpose`]. A GET never acts, because programs that look at mail open
//! links: it shows a page with a button. A token that is none of this site, of another purpose, or of a
//! subscription that is gone gets one and the same answer, so that nobody learns who is subscribed.

mod admin;
mod confirm;
mod form;
mod mails;
mod manage;
mod subscribe;
mod unsubscribe;
mod words;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::{Markup, html};
use pressrun_catalog::{Email, Issue, IssueState, NoPapers, Purpose, Subscription};
use serde_json::{Value, json};

pub(crate) use self::form::{invitation, script};
pub(crate) use self::words::{schedule, topic};
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .merge(subscribe::router())
        .merge(confirm::router())
        .merge(manage::router())
        .merge(unsubscribe::router())
        .merge(admin::router())
}

/// Most issues of a subscription that are handed out at once: they are kept for two months.
const ISSUES: u32 = 100;

/// A confirmed subscription, as its owner's account shows it.
#[derive(Debug)]
pub(crate) struct Own {
    pub subscription: Subscription,
    issues: Vec<Issue>,
    /// Where it is changed.
    pub manage: String,
}

impl Own {
    /// All of it, to be taken along.
    pub(crate) fn json(&self) -> Value {
        let (own, time) = (&self.subscription, |at: Timestamp| at.to_string());
        let (wanted, schedule) = (&own.preferences, &own.preferences.schedule);
        json!({
            "created_at": time(own.created_at), "confirmed_at": own.confirmed_at.map(time),
            "frequency": schedule.frequency.name(), "hour": schedule.hour, "zone": schedule.zone,
            "search": wanted.query, "fewest_votes": wanted.min_votes, "most_papers": wanted.most,
            "send_empty": wanted.send_empty,
            "paused_until": own.paused_until.map(|day| day.to_string()),
            "suspended_at": own.suspended_at.map(time), "failures": own.failures,
            "next_at": own.next_at.map(time),
            "issues": self.issues.iter().map(|issue| json!({
                "day": issue.slot.day.to_string(), "due_at": time(issue.slot.at),
                "composed_at": time(issue.composed_at), "papers": issue.papers,
                "no_papers": issue.reason.map(NoPapers::name),
                "state": match &issue.state {
                    IssueState::NotSent => "not-sent",
                    IssueState::Waiting => "waiting",
                    IssueState::Accepted => "accepted",
                    IssueState::Failed(_) => "failed",
                },
                "answer": match &issue.state {
                    IssueState::Failed(answer) => Some(answer),
                    _ => None,
                },
            })).collect::<Vec<_>>(),
        })
    }
}

/// The confirmed subscription of an address.
pub(crate) async fn of(site: &Site, email: &Email) -> Result<Option<Own>> {
    let Some(subscription) = site.catalog.subscription_of(email).await? else { return Ok(None) };
    let issues = site.catalog.issues(subscription.id, ISSUES).await?;
    let token = site.catalog.signing_key().await?.token(Purpose::Manage, subscription.id);
    Ok(Some(Own { subscription, issues, manage: link::manage_digest(&token) }))
}

/// The number of the subscription that a token is of.
async fn number(site: &Site, purpose: Purpose, token: &str) -> Result<i64> {
    let key = site.catalog.signing_key().await?;
    key.read(purpose, token).ok_or(Error::DigestLink)
}

/// The subscription that a token is of.
async fn subscription(site: &Site, purpose: Purpose, token: &str) -> Result<Subscription> {
    let number = number(site, purpose, token).await?;
    site.catalog.subscription(number).await?.ok_or(Error::DigestLink)
}

/// A page that somebody's token led to: nobody in between may keep it, and no search engine list it.
///
/// The policy for referrers stays the site's: the token goes to no other site, and with `no-referrer`
/// the forms of the page would be refused where browsers send no `Sec-Fetch-Site`, as over plain http.
fn own_page(status: StatusCode, title: &str, body: Markup) -> Response {
    let head = html! { meta name="robots" content="noindex"; };
    let page = Page::new(title, Nav::Elsewhere, body).with_head(head).render();
    (status, [(CACHE_CONTROL, "no-store")], page).into_response()
}
