//! What stands on the page of a subscription.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};
use pressrun_catalog::{Issue, IssueState, NoPapers, Paper, Purpose, Subscription};

use super::UNTIL;
use crate::Result;
use crate::pages::digest::form::{self, Problems, Typed};
use crate::pages::digest::{own_page, words};
use crate::site::Site;
use crate::view::{date, link};

/// A subscription with what is known about it.
#[derive(Debug)]
pub(super) struct Manage {
    token: String,
    leave: String,
    subscription: Subscription,
    typed: Typed,
    until: String,
    last: Option<Issue>,
    /// Why nothing could be delivered, where that is so.
    refused: Option<String>,
    /// Ids and reason of what an issue of now would have; `None` if it cannot be told.
    sample: Option<(Vec<String>, Option<NoPapers>)>,
    papers: HashMap<String, Paper>,
    now: Timestamp,
}

impl Manage {
    pub(super) async fn of(
        site: &Site,
        token: &str,
        subscription: Subscription,
        typed: Typed,
    ) -> Result<Self> {
        /// Issues among which the one is looked for that was refused.
        const RECENT: u32 = 10;
        let now = Timestamp::now();
        let key = site.catalog.signing_key().await?;
        let issues = site.catalog.issues(subscription.id, RECENT).await?;
        let refused = issues.iter().find_map(|issue| match &issue.state {
            IssueState::Failed(answer) => Some(answer.clone()),
            _ => None,
        });
        let last = issues.into_iter().next();
        let sample = site.editor.sample(subscription.id, &subscription.preferences, now).await;
        let sample = match sample {
            Ok(content) => {
                let reason = content.reason.as_deref().and_then(|reason| reason.parse().ok());
                Some((content.papers, reason))
            }
            Err(error) => {
                tracing::error!(%error, "an issue of now could not be composed");
                None
            }
        };
        let of_last = last.iter().flat_map(|issue| &issue.papers);
        let of_sample = sample.iter().flat_map(|(papers, _)| papers);
        let ids: Vec<String> = of_last.chain(of_sample).cloned().collect();
        let papers = site.catalog.papers_of(&ids).await?;
        let papers = papers.into_iter().map(|paper| (paper.id.clone(), paper)).collect();
        Ok(Self {
            token: token.to_owned(),
            leave: key.token(Purpose::Unsubscribe, subscription.id),
            until: String::new(),
            subscription,
            typed,
            last,
            refused,
            sample,
            papers,
            now,
        })
    }

    /// With a day of a pause that was typed and cannot be.
    pub(super) fn until(mut self, text: &str) -> Self {
        self.until = text.chars().take(100).collect();
        self
    }

    pub(super) fn render(
        &self,
        problems: &Problems,
        done: Option<&str>,
        status: StatusCode,
    ) -> Response {
        let body = html! {
            div.narrow.account {
                h1 { "Your papers by e-mail" }
                p.fine {
                    "To " (self.subscription.email) ". Whoever has the address of this page can do what you "
                    "can do here."
                }
                @if let Some(done) = done { p.notice role="status" { (done) } }
                (form::notice(problems))
                (self.next())
                (self.last())
                (self.now())
                section aria-labelledby="wanted" {
                    h2 #wanted { "What you get" }
                    form.stack.digest method="post" action="/digest/manage" {
                        (self.hidden())
                        (self.typed.fields(problems))
                        button.button { "Save" }
                    }
                }
                (self.pause(problems))
                (self.leave())
            }
        };
        own_page(status, "Your papers by e-mail", body)
    }

    fn hidden(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.token); }
    }

    /// The day until which it is paused, if it is.
    fn paused_until(&self) -> Option<jiff::civil::Date> {
        let zone = self.subscription.preferences.schedule.time_zone();
        let today = zone.to_datetime(self.now).date();
        self.subscription.paused_until.filter(|until| *until > today)
    }

    fn next(&self) -> Markup {
        let subscription = &self.subscription;
        let schedule = &subscription.preferences.schedule;
        html! {
            section aria-labelledby="next" {
                h2 #next { "The next mail" }
                @if let Some(since) = subscription.suspended_at {
                    div.problem {
                        p {
                            strong { "Nothing is sent any more." } " Since " (words::moment(since, schedule))
                            ", because " (subscription.failures) " mails one after the other could not be "
                            "delivered."
                        }
                        @if let Some(answer) = &self.refused {
                            p { "The last answer of the server: " q.answer { (answer) } }
                        }
                        form.row method="post" action="/digest/resume" {
                            (self.hidden())
                            button.button { "Send mails again" }
                        }
                    }
                } @else {
                    @if let Some(until) = self.paused_until() {
                        p { "Paused: nothing comes before " (date::day(until)) "." }
                    }
                    p {
                        @match subscription.next_at {
                            Some(at) if at <= self.now => "It is due now.",
                            Some(at) => {
                                "It comes on " (words::moment(at, schedule)) "."
                                @if !subscription.preferences.send_empty {
                                    " If there is no paper for you then, none is sent, and this page says why."
                                }
                            }
                            None => "None is planned.",
                        }
                    }
                }
            }
        }
    }

    fn last(&self) -> Markup {
        html! {
            section aria-labelledby="last" {
                h2 #last { "The last mail" }
                @match &self.last {
                    None => p { "None yet." },
                    Some(issue) => (self.issue(issue)),
                }
            }
        }
    }

    fn issue(&self, issue: &Issue) -> Markup {
        let preferences = &self.subscription.preferences;
        html! {
            p {
                "That of " strong { (date::day(issue.slot.day)) }
                @match &issue.state {
                    IssueState::NotSent => " was not sent: it would have been empty.",
                    IssueState::Waiting => " is written and waits for the server that delivers it.",
                    IssueState::Accepted => {
                        " was taken over by the server that delivers it. If you do not find it, look among what "
                        "your mail program takes for spam."
                    }
                    IssueState::Failed(answer) => {
                        " could not be delivered. The server answered: " q.answer { (answer) }
                    }
                }
            }
            @if issue.late() {
                p {
                    "It was late: due " (words::moment(issue.slot.at, &preferences.schedule))
                    ", written " (words::moment(issue.composed_at, &preferences.schedule)) "."
                }
            }
            @if let Some(reason) = issue.reason {
                p { "Why it has no papers: " (words::no_papers(reason, preferences, issue.slot.day)) }
            }
            (self.links(&issue.papers))
        }
    }

    fn now(&self) -> Markup {
        let preferences = &self.subscription.preferences;
        let day = preferences.schedule.time_zone().to_datetime(self.now).date();
        html! {
            section aria-labelledby="now" {
                h2 #now { "If one came now" }
                @match &self.sample {
                    None => p { "This cannot be told just now: the search does not work. Try again soon." },
                    Some((_, Some(reason))) => p { (words::no_papers(*reason, preferences, day)) },
                    Some((papers, None)) => {
                        p.fine { "As if nothing had come before:" }
                        (self.links(papers))
                    }
                }
                form.row method="post" action="/digest/test" {
                    (self.hidden())
                    button.button.second { "Send me a test" }
                }
            }
        }
    }

    fn links(&self, papers: &[String]) -> Markup {
        html! {
            @if !papers.is_empty() {
                ol.papers {
                    @for id in papers {
                        li {
                            @match self.papers.get(id) {
                                Some(paper) => a href=(link::paper(id)) { (paper.title) },
                                None => { (id) ", which is not here any more" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn pause(&self, problems: &Problems) -> Markup {
        html! {
            section aria-labelledby="pause" {
                h2 #pause { "A pause" }
                @if let Some(until) = self.paused_until() {
                    p { "Nothing comes before " (date::day(until)) "." }
                    form.row method="post" action="/digest/pause" {
                        (self.hidden())
                        input type="hidden" name="go-on" value="1";
                        button.button { "Go on now" }
                    }
                }
                form.stack method="post" action="/digest/pause" {
                    (self.hidden())
                    label for=(UNTIL) { "Send nothing before" }
                    input type="date" id=(UNTIL) name=(UNTIL) value=(self.until) required
                        aria-invalid=[problems.of(UNTIL).map(|_| "true")]
                        aria-describedby=[form::describes(UNTIL, problems, None)];
                    (form::problem(UNTIL, problems))
                    button.button.second { "Pause" }
                }
            }
        }
    }

    fn leave(&self) -> Markup {
        html! {
            section aria-labelledby="leave" {
                h2 #leave { "Unsubscribe" }
                p { "No more mails, at once. Your address and what you chose are forgotten here." }
                form.row method="post" action=(link::unsubscribe(&self.leave)) {
                    button.button.second { "Unsubscribe" }
                }
            }
        }
    }
}
