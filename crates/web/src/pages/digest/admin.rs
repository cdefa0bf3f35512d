//! How the digest fares, for administrators.

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use pressrun_catalog::{FailedMail, MailCounts, Role, Scope, Subscription, SubscriptionCounts};
use pressrun_digest::Counted;

use super::words;
use crate::edge::viewer::{SignedIn, Viewer};
use crate::number;
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::{Nav, Page, date, link};
use crate::{Error, Result};

/// Suspended subscriptions and failed mails that the page shows.
const SHOWN: u32 = 100;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route(link::DIGEST, get(page))
        .route("/digest/admin/resume", post(resume))
        .route("/digest/admin/remove", post(remove))
}

/// Addresses are seen by administrators, and by nobody else.
fn administers(viewer: &Viewer) -> Result<()> {
    if viewer.moderates() && viewer.person.role >= Role::Administrator {
        return Ok(());
    }
    Err(Error::Forbidden("This is for administrators."))
}

async fn page(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Markup> {
    administers(&viewer)?;
    let now = Timestamp::now();
    let today = TimeZone::UTC.to_datetime(now).date();
    let subscriptions = site.catalog.subscription_counts(today).await?;
    let mails = site.catalog.mail_counts().await?;
    let suspended = site.catalog.suspended_subscriptions(SHOWN).await?;
    let failed = site.catalog.failed_mails(SHOWN).await?;
    let body = html! {
        div.narrow.account {
            h1 { "The digest" }
            section aria-labelledby="subscriptions" {
                h2 #subscriptions { "Subscriptions" }
                (counts(subscriptions))
            }
            section aria-labelledby="outbox" {
                h2 #outbox { "Outbox" }
                (outbox(&mails, site.mail.get(), now))
            }
            section aria-labelledby="suspended" {
                h2 #suspended { "Suspended" }
                @if suspended.is_empty() { p.fine { "None." } }
                @for subscription in &suspended { (of_suspended(subscription)) }
                @if suspended.len() == SHOWN as usize { p.fine { "The last " (SHOWN) " of them." } }
            }
            section aria-labelledby="failed" {
                h2 #failed { "Mails that were given up" }
                @if failed.is_empty() { p.fine { "None in the last month." } } @else { (table(&failed)) }
                @if failed.len() == SHOWN as usize { p.fine { "The last " (SHOWN) " of them." } }
            }
        }
    };
    Ok(Page::new("The digest", Nav::Elsewhere, body).render())
}

fn grouped(number: u64) -> String {
    number::grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

fn counts(counts: SubscriptionCounts) -> Markup {
    html! {
        dl.facts {
            @for (name, count) in [
                ("Get papers", counts.active),
                ("Paused", counts.paused),
                ("Suspended", counts.suspended),
                ("Not confirmed", counts.open),
            ] {
                dt { (name) } dd { (grouped(count)) }
            }
        }
    }
}

fn outbox(mails: &MailCounts, done: Counted, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            dt { "Composed, not tried yet" } dd { (grouped(mails.composed)) }
            dt { "Being sent" } dd { (grouped(mails.claimed)) }
            dt { "Tried, and to be tried again" } dd { (grouped(mails.deferred)) }
            dt { "Oldest of these" }
            dd {
                @match mails.oldest {
                    Some(at) => { (date::moment(at)) ", " (age(at, now)) }
                    None => "none",
                }
            }
            dt { "Taken over, last month" } dd { (grouped(mails.accepted)) }
            dt { "Given up, last month" } dd { (grouped(mails.failed)) }
            dt { "Since the start" }
            dd {
                (grouped(done.composed)) " issues composed; mails: " (grouped(done.accepted)) " taken over, "
                (grouped(done.deferred)) " put off, " (grouped(done.failed)) " given up"
            }
        }
    }
}

/// How long ago something was.
fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = (now.as_second() - at.as_second()).max(0) / 60;
    match minutes {
        0..120 => format!("{} ago", number::counted(minutes, "minute", "minutes")),
        _ => format!("{} ago", number::counted(minutes / 60, "hour", "hours")),
    }
}

fn of_suspended(subscription: &Subscription) -> Markup {
    let email = &subscription.email;
    html! {
        form.row method="post" action="/digest/admin/resume" {
            input type="hidden" name="id" value=(subscription.id);
            span {
                strong { (email) } " " span.fine {
                    @if let Some(at) = subscription.suspended_at { "since " (date::moment(at)) ", " }
                    (words::schedule(&subscription.preferences.schedule))
                }
            }
            span.buttons {
                button.button aria-label={ "Resume " (email) } { "Resume" }
                button.button.second formaction="/digest/admin/remove"
                    aria-label={ "Remove " (email) } { "Remove" }
            }
        }
    }
}

fn table(failed: &[FailedMail]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Mails that were given up" {
            table.data {
                thead { tr {
                    th scope="col" { "when" } th scope="col" { "to" } th scope="col" { "what" }
                    th scope="col" { "answer" }
                } }
                tbody {
                    @for mail in failed {
                        tr {
                            td { (date::moment(mail.ended_at)) } td { (mail.recipient) } td { (mail.kind) }
                            td { (mail.answer) }
                        }
                    }
                }
            }
        }
    }
}

/// The subscription of a form of the page.
async fn named(site: &Site, viewer: &Viewer, fields: &Fields) -> Result<i64> {
    administers(viewer)?;
    viewer.may(site, Scope::Manage)?;
    let text = fields.get("id");
    let none = || Error::NotFound { what: "subscription", name: text.to_owned() };
    let id: i64 = text.parse().map_err(|_| none())?;
    site.catalog.subscription(id).await?.map(|found| found.id).ok_or_else(none)
}

async fn resume(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    let id = named(&site, &viewer, &fields).await?;
    site.catalog.resume_subscription(id, Timestamp::now()).await?;
    Ok(Redirect::to(&format!("{}#suspended", link::DIGEST)))
}

async fn remove(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    let id = named(&site, &viewer, &fields).await?;
    site.catalog.unsubscribe(id).await?;
    Ok(Redirect::to(&format!("{}#suspended", link::DIGEST)))
}
