//! The page of a subscription, for who has its link.

mod view;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use pressrun_catalog::{Purpose, Subscription};

use self::view::Manage;
use super::form::{Problems, Typed};
use crate::pages::form::Fields;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::{date, link};
use crate::{Error, Result};

/// The field of the day until which nothing is sent.
const UNTIL: &str = "until";
/// The longest pause: who wants none for longer unsubscribes.
const LONGEST_PAUSE: i64 = 366;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/digest/manage", get(page).post(save))
        .route("/digest/pause", post(pause))
        .route("/digest/resume", post(resume))
        .route("/digest/test", post(test))
}

/// What was done, as the page says it, by its name in the address.
const DONE: [(&str, &str); 6] = [
    ("confirmed", "You are subscribed."),
    ("saved", "Saved."),
    ("paused", "Paused."),
    ("on", "Papers come again."),
    ("resumed", "Papers come again."),
    ("tested", "A test is on its way to you."),
];

async fn page(State(site): State<Shared>, Query(pairs): Query<Pairs>) -> Result<Response> {
    let params = Params(pairs);
    let token = params.value("token").unwrap_or_default();
    let subscription = confirmed(&site, token).await?;
    let done = params.value("done").unwrap_or_default();
    let done = DONE.iter().find(|(name, _)| *name == done).map(|(_, text)| *text);
    let typed = Typed::of(&subscription.preferences);
    let manage = Manage::of(&site, token, subscription, typed).await?;
    Ok(manage.render(&Problems::default(), done, StatusCode::OK))
}

/// The subscription of the token of a form. What is done with it is counted, as with a person.
async fn acting(site: &Site, fields: &Fields) -> Result<Subscription> {
    let subscription = confirmed(site, fields.get("token")).await?;
    site.limits.act(subscription.id)?;
    Ok(subscription)
}

/// A link to change a subscription is sent once the address is confirmed.
async fn confirmed(site: &Site, token: &str) -> Result<Subscription> {
    let subscription = super::subscription(site, Purpose::Manage, token).await?;
    subscription.confirmed_at.is_some().then_some(subscription).ok_or(Error::DigestLink)
}

/// Back to the page, which says what was done. Where the subscription has gone meanwhile there is none.
fn back(fields: &Fields, changed: Option<Subscription>, done: &str) -> Result<Redirect> {
    changed.ok_or(Error::DigestLink)?;
    let page = link::manage_digest(fields.get("token"));
    Ok(Redirect::to(&format!("{page}&done={done}")))
}

async fn save(State(site): State<Shared>, fields: Fields) -> Result<Response> {
    let subscription = acting(&site, &fields).await?;
    let (typed, mut problems) = (Typed::sent(&fields), Problems::default());
    let Some(preferences) = typed.preferences(&mut problems) else {
        let manage = Manage::of(&site, fields.get("token"), subscription, typed).await?;
        return Ok(manage.render(&problems, None, StatusCode::BAD_REQUEST));
    };
    let now = Timestamp::now();
    let saved = site.catalog.save_subscription(subscription.id, &preferences, now).await;
    Ok(back(&fields, saved.map_err(Error::of_form)?, "saved")?.into_response())
}

async fn pause(State(site): State<Shared>, fields: Fields) -> Result<Response> {
    let subscription = acting(&site, &fields).await?;
    let now = Timestamp::now();
    if fields.get("go-on") == "1" {
        let changed = site.catalog.pause_subscription(subscription.id, None, now).await?;
        return Ok(back(&fields, changed, "on")?.into_response());
    }
    let text = fields.get(UNTIL).trim();
    let today = subscription.preferences.schedule.time_zone().to_datetime(now).date();
    match until(text, today) {
        Ok(day) => {
            let changed = site.catalog.pause_subscription(subscription.id, Some(day), now).await?;
            Ok(back(&fields, changed, "paused")?.into_response())
        }
        Err(problem) => {
            let mut problems = Problems::default();
            problems.add(UNTIL, problem);
            let typed = Typed::of(&subscription.preferences);
            let manage = Manage::of(&site, fields.get("token"), subscription, typed).await?;
            let manage = manage.until(text);
            Ok(manage.render(&problems, None, StatusCode::BAD_REQUEST))
        }
    }
}

/// The day of a pause: one after today, and not years from now.
fn until(text: &str, today: Date) -> Result<Date, String> {
    let (first, last) = (today.saturating_add(1.day()), today.saturating_add(LONGEST_PAUSE.days()));
    let expected = format!("expected a day from {} to {}", date::day(first), date::day(last));
    let shown: String = text.chars().take(100).collect();
    let day: Date = text.parse().map_err(|_| format!("`{shown}` is no day; {expected}."))?;
    if !(first..=last).contains(&day) {
        return Err(format!("{} is not possible; {expected}.", date::day(day)));
    }
    Ok(day)
}

async fn resume(State(site): State<Shared>, fields: Fields) -> Result<Redirect> {
    let subscription = acting(&site, &fields).await?;
    let resumed = site.catalog.resume_subscription(subscription.id, Timestamp::now()).await?;
    back(&fields, resumed, "resumed")
}

async fn test(State(site): State<Shared>, fields: Fields) -> Result<Redirect> {
    let subscription = acting(&site, &fields).await?;
    if !site.limits.digest_to(subscription.email.as_str()) {
        return Err(Error::TooOften);
    }
    site.editor.send_test(&subscription, Timestamp::now()).await.map_err(|error| match error {
        pressrun_digest::Error::Catalog(error) => Error::Catalog(error),
        other => {
            tracing::error!(error = %other, "a test of the digest could not be made");
            Error::Status(StatusCode::SERVICE_UNAVAILABLE)
        }
    })?;
    back(&fields, Some(subscription), "tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_after_today_and_within_a_year() {
        let today: Date = "2026-11-26".parse().unwrap();
        assert_eq!(until("2026-11-27", today).unwrap().to_string(), "2026-11-27");
        assert!(until("2027-11-27", today).is_ok());
        for wrong in ["", "2026-11-26", "2020-01-01", "2027-11-28", "9999-12-31", "tomorrow", "1"] {
            let problem = until(wrong, today).unwrap_err();
            assert!(problem.contains("from Nov 27, 2026 to Nov 27, 2027"), "{problem}");
        }
    }
}
