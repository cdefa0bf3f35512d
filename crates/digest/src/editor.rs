//! Chooses what is in each issue, and publishes it when it is due.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use pressrun_catalog::{
    Catalog, Email, NewIssue, NewMail, NoPapers, Paper, Preferences, Slot, Subscription,
};

use crate::content::Content;
use crate::counters::Counters;
use crate::{Error, Result};

/// Subscriptions whose issues are published in one transaction.
const BATCH: usize = 256;
/// Most days of lists from which the issue takes papers that comes after a long standstill.
const LONGEST: i64 = 31;

/// What a saved search answers.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<HashSet<String>, TopicError>> + Send + 'a>>;

/// Why a saved search gave no answer.
pub type TopicError = Box<dyn std::error::Error + Send + Sync>;

/// Which papers a saved search is about. It reads what is on this machine, and fetches nothing.
pub trait Topics: fmt::Debug + Send + Sync {
    /// Ids of those of the papers that have every word and meet every condition of the query; none if it
    /// cannot be read any more.
    ///
    /// # Errors
    /// If it cannot be told now. The issue then waits.
    fn of<'a>(&'a self, query: &'a str, papers: &'a [Arc<Paper>]) -> Found<'a>;
}

/// Composes issues out of the catalogue.
#[derive(Debug, Clone)]
pub struct Editor {
    catalog: Catalog,
    topics: Arc<dyn Topics>,
    counters: Arc<Counters>,
}

/// What an issue has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Ids of its papers, the most trending first.
    pub papers: Vec<String>,
    /// Why there are none.
    pub reason: Option<NoPapers>,
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Issues that go out as mail.
    pub mails: u64,
    /// Issues without papers that are not sent.
    pub silent: u64,
    /// Subscriptions whose search could not be asked: they are due still.
    pub waiting: u64,
}

/// The papers of the lists of some days, and which of them searches are about.
#[derive(Debug)]
struct Pool {
    days: (Date, Date),
    papers: Vec<Arc<Paper>>,
    /// By query; `None` where it could not be told.
    topics: HashMap<String, Option<HashSet<String>>>,
}

impl Editor {
    /// An editor of a catalogue.
    pub fn new(catalog: Catalog, topics: Arc<dyn Topics>) -> Self {
        Self { catalog, topics, counters: Arc::default() }
    }

    /// Has what is composed counted there.
    #[must_use]
    pub fn with_counters(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Publishes every issue that is due.
    ///
    /// Of several that were missed the last one comes, late, and looks back as far as the first. An
    /// issue is published with the date of the next in one transaction: whatever happens, it is
    /// published once.
    ///
    /// # Errors
    /// If the catalogue cannot be used; what was published stays so.
    pub async fn publish_due(&self, now: Timestamp) -> Result<Published> {
        let mut all = Published::default();
        let mut pool: Option<Pool> = None;
        // Those that wait stay due and come first again.
        let mut waiting: HashSet<i64> = HashSet::new();
        loop {
            let most = u32::try_from(BATCH + waiting.len()).unwrap_or(u32::MAX);
            let mut due = self.catalog.due_subscriptions(now, most).await?;
            due.retain(|subscription| !waiting.contains(&subscription.id));
            if due.is_empty() {
                break;
            }
            let ids: Vec<i64> = due.iter().map(|of| of.id).collect();
            let days: Vec<(Slot, Date)> = due.iter().map(|of| slot(of, now)).collect();
            let whole = days.iter().map(|(slot, first)| (*first, slot.day));
            let Some(whole) = whole.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { break };
            let pool = self.pool(&mut pool, whole).await?;
            let had = self.catalog.papers_had(&ids, whole.0.saturating_sub(LONGEST.days())).await?;
            let none = HashSet::new();
            let mut issues = Vec::with_capacity(due.len());
            for (of, (slot, first)) in due.iter().zip(days) {
                let had = had.get(&of.id).unwrap_or(&none);
                let choice = self.choose(pool, &of.preferences, (first, slot.day), had).await;
                let Some(choice) = choice else {
                    waiting.insert(of.id);
                    continue;
                };
                let issue = issue(of, slot, choice, now);
                all.silent += u64::from(issue.body.is_none());
                issues.push(issue);
            }
            let mails = self.catalog.publish(&issues, now).await?;
            self.counters.composed(mails);
            all.mails += mails;
        }
        all.waiting = waiting.len() as u64;
        Ok(all)
    }

    /// What an issue of now would have for these preferences, had nothing come before.
    ///
    /// # Errors
    /// If the catalogue cannot be read or the search cannot be asked.
    pub async fn sample(
        &self,
        subscription: i64,
        preferences: &Preferences,
        now: Timestamp,
    ) -> Result<Content> {
        let day = preferences.schedule.time_zone().to_datetime(now).date();
        let days = (preferences.schedule.first_day(day), day);
        let mut pool = None;
        let pool = self.pool(&mut pool, days).await?;
        let choice = self.choose(pool, preferences, days, &HashSet::new()).await;
        let choice = choice.ok_or_else(|| Error::Topic { query: preferences.query.clone() })?;
        Ok(Content::new(subscription, Slot { at: now, day }, now, &choice))
    }

    /// Puts a test into the outbox: what an issue of now would have, had nothing come before.
    ///
    /// # Errors
    /// As [`Editor::sample`].
    pub async fn send_test(&self, to: &Subscription, now: Timestamp) -> Result<()> {
        let mut content = self.sample(to.id, &to.preferences, now).await?;
        content.test = true;
        let recipient: Email = to.email.clone();
        let (subject, body) = (String::new(), content.to_text());
        let mail = NewMail { kind: "digest-test", recipient, subject, body, secret: false };
        self.catalog.add_mail(&mail).await?;
        self.counters.composed(1);
        Ok(())
    }

    /// The papers of these days: those at hand, if they reach as far.
    async fn pool<'a>(
        &self,
        pool: &'a mut Option<Pool>,
        days: (Date, Date),
    ) -> Result<&'a mut Pool> {
        let reaches = |pool: &Pool| pool.days.0 <= days.0 && pool.days.1 >= days.1;
        if !pool.as_ref().is_some_and(reaches) {
            let papers = self.catalog.papers_listed(days.0, days.1).await?;
            let papers = papers.into_iter().map(Arc::new).collect();
            *pool = Some(Pool { days, papers, topics: HashMap::new() });
        }
        pool.as_mut().ok_or_else(|| Error::Compose("no papers were read".into()))
    }

    /// The papers of an issue; `None` if its search cannot be asked.
    async fn choose(
        &self,
        pool: &mut Pool,
        preferences: &Preferences,
        (first, last): (Date, Date),
        had: &HashSet<String>,
    ) -> Option<Choice> {
        let query = &preferences.query;
        if !query.is_empty() && !pool.topics.contains_key(query) {
            let found = self.topics.of(query, &pool.papers).await;
            let found = found.inspect_err(|error| {
                tracing::warn!(query, error, "a saved search could not be asked")
            });
            pool.topics.insert(query.clone(), found.ok());
        }
        let topic = match query.as_str() {
            "" => None,
            query => Some(pool.topics.get(query)?.as_ref()?),
        };
        let mut reason = NoPapers::NothingListed;
        let mut papers = Vec::new();
        for paper in &pool.papers {
            // The reason is that of the paper which came furthest.
            let missed = if !paper.listed.is_some_and(|day| (first..=last).contains(&day)) {
                NoPapers::NothingListed
            } else if topic.is_some_and(|topic| !topic.contains(&paper.id)) {
                NoPapers::OffTopic
            } else if paper.votes < i64::from(preferences.min_votes) {
                NoPapers::FewVotes
            } else if had.contains(&paper.id) {
                NoPapers::AllHad
            } else {
                papers.push(paper.id.clone());
                if papers.len() >= preferences.most as usize {
                    break;
                }
                continue;
            };
            reason = reason.max(missed);
        }
        let reason = papers.is_empty().then_some(reason);
        Some(Choice { papers, reason })
    }
}

/// The issue of a slot. One without papers is sent to who asked for it.
fn issue(of: &Subscription, slot: Slot, choice: Choice, now: Timestamp) -> NewIssue {
    let sent = !choice.papers.is_empty() || of.preferences.send_empty;
    let body = sent.then(|| Content::new(of.id, slot, now, &choice).to_text());
    NewIssue {
        subscription: of.id,
        seen: of.next_at.unwrap_or(now),
        slot,
        papers: choice.papers,
        reason: choice.reason,
        body,
        next: of.preferences.schedule.next(now.max(slot.at), None).map(|slot| slot.at),
    }
}

/// The slot that a due subscription's issue fills, and the first day of lists that it looks at.
fn slot(due: &Subscription, now: Timestamp) -> (Slot, Date) {
    let schedule = &due.preferences.schedule;
    let seen = due.next_at.unwrap_or(now);
    let day = |at| schedule.time_zone().to_datetime(at).date();
    let slot = schedule.last(now).filter(|slot| slot.at >= seen);
    let slot = slot.unwrap_or_else(|| Slot { at: seen, day: day(seen) });
    // What was missed is made good.
    let missed = slot.day - day(seen);
    let first = schedule.first_day(slot.day).saturating_sub(missed);
    (slot, first.max(slot.day.saturating_sub((LONGEST - 1).days())))
}
