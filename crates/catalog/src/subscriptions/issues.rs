//! Issues: what a subscriber got, and why at times nothing.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{COLUMNS, Slot, Subscription, subscription};
use crate::paper::{PAPER_COLUMNS, paper};
use crate::people::random_id;
use crate::sql::{moment, padded, rows};
use crate::{Catalog, Error, Paper, Result};

/// How long after its hour an issue is still in time.
const IN_TIME: Duration = Duration::from_secs(15 * 60);
/// Subscriptions that one statement asks for.
const LOOKUP: usize = 256;

/// Why an issue has no papers: the first of these that leaves none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoPapers {
    /// No paper was put on a list in the days from which the issue takes them.
    NothingListed,
    /// None of them is what the subscriber searches.
    OffTopic,
    /// None of those has as many votes as the subscriber asks for.
    FewVotes,
    /// All of those came in earlier issues.
    AllHad,
}

impl NoPapers {
    const ALL: [Self; 4] = [Self::NothingListed, Self::OffTopic, Self::FewVotes, Self::AllHad];

    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingListed => "nothing-listed",
            Self::OffTopic => "off-topic",
            Self::FewVotes => "few-votes",
            Self::AllHad => "all-had",
        }
    }
}

impl fmt::Display for NoPapers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NoPapers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == text).ok_or_else(|| Error::Invalid {
            what: "reason",
            value: text.to_owned(),
            expected: "`nothing-listed`, `off-topic`, `few-votes` or `all-had`",
        })
    }
}

/// An issue to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIssue {
    /// Of which subscription.
    pub subscription: i64,
    /// When the subscription was due as it was read: if that has changed, the issue is not published.
    pub seen: Timestamp,
    /// The slot that it fills.
    pub slot: Slot,
    /// Ids of its papers.
    pub papers: Vec<String>,
    /// Why there are none.
    pub reason: Option<NoPapers>,
    /// What the mail is made of; `None` if none is sent.
    pub body: Option<String>,
    /// When the next one is due.
    pub next: Option<Timestamp>,
}

/// How the mail of an issue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueState {
    /// There is no mail: the issue has no papers.
    NotSent,
    /// It is on its way.
    Waiting,
    /// The server took it over, or it was forgotten since.
    Accepted,
    /// It could not be delivered; with the server's answer.
    Failed(String),
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number; that of its mail, too.
    pub id: i64,
    /// The slot that it filled.
    pub slot: Slot,
    /// When it was composed.
    pub composed_at: Timestamp,
    /// Ids of its papers.
    pub papers: Vec<String>,
    /// Why there are none.
    pub reason: Option<NoPapers>,
    /// How its mail stands.
    pub state: IssueState,
}

impl Issue {
    /// Whether it came more than a quarter of an hour after its time.
    pub fn late(&self) -> bool {
        self.slot.is_late(self.composed_at)
    }
}

impl Slot {
    /// Whether an issue that is composed then is late: more than a quarter of an hour.
    pub fn is_late(&self, composed_at: Timestamp) -> bool {
        composed_at.duration_since(self.at).unsigned_abs() > IN_TIME && composed_at > self.at
    }
}

impl Catalog {
    /// Subscriptions of which an issue is due, the longest due first; at most so many.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn due_subscriptions(&self, now: Timestamp, limit: u32) -> Result<Vec<Subscription>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE next_at IS NOT NULL AND next_at <= $1 \
             ORDER BY next_at LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(now.as_microsecond());
        let query = query.bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(subscription).collect()
    }

    /// Papers on the lists of these days, the most trending first, then the newest.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn papers_listed(&self, first: Date, last: Date) -> Result<Vec<Paper>> {
        let sql = format!(
            "SELECT {PAPER_COLUMNS} FROM papers WHERE listed BETWEEN $1 AND $2 \
             ORDER BY trending DESC, dated DESC, id"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(first.to_string()).bind(last.to_string());
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(paper).collect::<Result<_, _>>()?)
    }

    /// Ids of the papers that came in issues of these subscriptions since a day.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn papers_had(
        &self,
        subscriptions: &[i64],
        since: Date,
    ) -> Result<HashMap<i64, HashSet<String>>> {
        let mut had: HashMap<i64, HashSet<String>> = HashMap::new();
        for ids in subscriptions.chunks(LOOKUP) {
            let size = ids.len().next_power_of_two();
            let mut sql = format!(
                "SELECT subscription, papers FROM issues WHERE subscription IN {} AND day >= ",
                rows(1, size)
            );
            crate::dialect::placeholder(&mut sql, size + 1);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for id in padded(ids, size) {
                query = query.bind(*id);
            }
            for row in query.bind(since.to_string()).fetch_all(self.readers()).await? {
                let papers: &str = row.try_get(1)?;
                let of = had.entry(row.try_get(0)?).or_default();
                of.extend(papers.lines().map(str::to_owned));
            }
        }
        Ok(had)
    }

    /// Publishes issues, each with its mail and the date of the next one, all or none. Those whose
    /// subscription has changed meanwhile, and those of a day that had its issue, are left out. Returns
    /// how many mails went into the outbox.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn publish(&self, issues: &[NewIssue], now: Timestamp) -> Result<u64> {
        let mut mails = 0;
        let composed_at = now.as_microsecond();
        let mut transaction = self.write().await?;
        for issue in issues {
            let sql = "UPDATE subscriptions SET next_at = $1 WHERE id = $2 AND next_at = $3 \
                 RETURNING email";
            let query = sqlx::query(sql)
                .bind(issue.next.map(Timestamp::as_microsecond))
                .bind(issue.subscription)
                .bind(issue.seen.as_microsecond());
            let Some(row) = query.fetch_optional(&mut *transaction).await? else { continue };
            let email: String = row.try_get(0)?;
            let id = random_id();
            let sql = "INSERT INTO issues (due_at, composed_at, id, subscription, day, papers, \
                 reason) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subscription, day) DO NOTHING";
            let inserted = sqlx::query(sql)
                .bind(issue.slot.at.as_microsecond())
                .bind(composed_at)
                .bind(id)
                .bind(issue.subscription)
                .bind(issue.slot.day.to_string())
                .bind(issue.papers.join("\n"))
                .bind(issue.reason.map(NoPapers::name))
                .execute(&mut *transaction)
                .await?;
            let Some(body) = issue.body.as_ref().filter(|_| inserted.rows_affected() > 0) else {
                continue;
            };
            let sql = "INSERT INTO mails (created_at, due_at, secret, bulk, id, state, kind, \
                 recipient, subject, body) VALUES ($1, $2, 0, 1, $3, 'waiting', 'digest', $4, '', $5)";
            sqlx::query(sql)
                .bind(composed_at)
                .bind(crate::sql::now())
                .bind(id)
                .bind(email)
                .bind(body.clone())
                .execute(&mut *transaction)
                .await?;
            mails += 1;
        }
        transaction.commit().await?;
        Ok(mails)
    }

    /// The last issues of a subscription, the newest first; at most so many.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn issues(&self, subscription: i64, limit: u32) -> Result<Vec<Issue>> {
        let sql = "SELECT issues.id, issues.due_at, day, composed_at, papers, reason, state, answer \
             FROM issues LEFT JOIN mails ON mails.id = issues.id \
             WHERE subscription = $1 ORDER BY day DESC LIMIT $2";
        let query = sqlx::query(sql).bind(subscription).bind(i64::from(limit));
        query.fetch_all(self.readers()).await?.iter().map(issue).collect()
    }
}

fn issue(row: &AnyRow) -> Result<Issue> {
    let day = crate::sql::day(row, 2)?;
    let papers: &str = row.try_get(4)?;
    let papers: Vec<String> = papers.lines().map(str::to_owned).collect();
    let reason: Option<String> = row.try_get(5)?;
    let state: Option<String> = row.try_get(6)?;
    let answer: Option<String> = row.try_get(7)?;
    let state = match state.as_deref() {
        Some("waiting" | "claimed") => IssueState::Waiting,
        Some("failed") => IssueState::Failed(answer.unwrap_or_default()),
        Some(_) => IssueState::Accepted,
        None if papers.is_empty() => IssueState::NotSent,
        None => IssueState::Accepted,
    };
    Ok(Issue {
        id: row.try_get(0)?,
        slot: Slot { at: moment(row.try_get(1)?), day: day.unwrap_or(Date::MIN) },
        composed_at: moment(row.try_get(3)?),
        papers,
        reason: reason.map(|reason| reason.parse()).transpose()?,
        state,
    })
}
