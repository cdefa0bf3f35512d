//! Papers that people propose for the lists, and curators' decisions about lists.
//!
//! A submission names a paper of the catalogue, or carries a draft: what the person states about a paper
//! that the catalogue does not have. A draft is nobody's business but its author's and the curators' until
//! one of them accepts it; the paper then comes into the catalogue, and onto the list of a day if the
//! curator names one.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::changes::last_revision;
use crate::paper::{PAPER_COLUMNS, paper};
use crate::people::random_id;
use crate::sql::{moment, now, padded, rows};
use crate::tidy::tidy;
use crate::upsert::upsert_within;
use crate::{Catalog, Error, ListQuery, NewPaper, Paper, Result, Sort};

/// A paper that somebody proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Number.
    pub id: i64,
    /// Who proposes it; `None` once their account is deleted.
    pub person: Option<Submitter>,
    /// When.
    pub created_at: Timestamp,
    /// How it stands.
    pub state: SubmissionState,
    /// What it is about.
    pub about: About,
    /// What the person says to the curators.
    pub remark: String,
    /// What a curator says to the person.
    pub answer: String,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// Who proposed a paper, as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitter {
    /// Number.
    pub id: i64,
    /// Short name.
    pub handle: String,
    /// Name.
    pub name: String,
}

/// How a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionState {
    /// A curator will look at it.
    Waiting,
    /// The paper is in the catalogue.
    Accepted,
    /// It was not taken.
    Declined,
}

impl SubmissionState {
    /// The name in the database and on pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }
}

/// What a submission is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A paper of the catalogue.
    Paper {
        /// Its id.
        id: String,
        /// Its title.
        title: String,
    },
    /// One that the catalogue does not have, as the person states it.
    Draft(Box<NewPaper>),
}

impl About {
    /// The title of the paper.
    pub fn title(&self) -> &str {
        match self {
            Self::Paper { title, .. } => title,
            Self::Draft(paper) => &paper.title,
        }
    }
}

/// What somebody proposes.
#[derive(Debug, Clone, Copy)]
pub enum Proposal<'p> {
    /// A paper of the catalogue, by its id.
    Paper(&'p str),
    /// One that it does not have.
    Draft(&'p NewPaper),
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It waits, under this number.
    Waiting(i64),
    /// The catalogue has the paper of the draft.
    Known(String),
}

/// Longest remark or answer, in characters.
const MAX_REMARK: usize = 1000;
/// Most submissions of one person that wait.
const MAX_WAITING: i64 = 50;
/// Most bytes of a draft.
const MAX_DRAFT: usize = 40_000;

const COLUMNS: &str = "s.id, s.created_at, s.state, s.paper, papers.title, s.draft, s.remark, \
     s.answer, s.decided_at, people.id, people.handle, people.name";
const TABLES: &str = "submissions s LEFT JOIN papers ON papers.id = s.paper \
     LEFT JOIN people ON people.id = s.person";

fn submission(row: &AnyRow) -> Result<Submission> {
    let id: i64 = row.try_get(0)?;
    let stored =
        |message: String| Error::Stored { what: "submission", key: id.to_string(), message };
    let state = match row.try_get::<&str, _>(2)? {
        "accepted" => SubmissionState::Accepted,
        "declined" => SubmissionState::Declined,
        _ => SubmissionState::Waiting,
    };
    let about = match row.try_get::<Option<String>, _>(3)? {
        Some(paper) => About::Paper { id: paper, title: row.try_get(4)? },
        None => {
            let draft: Option<String> = row.try_get(5)?;
            let draft = serde_json::from_str(&draft.unwrap_or_default());
            About::Draft(draft.map_err(|error| stored(error.to_string()))?)
        }
    };
    let person = match row.try_get::<Option<i64>, _>(9)? {
        Some(id) => Some(Submitter { id, handle: row.try_get(10)?, name: row.try_get(11)? }),
        None => None,
    };
    Ok(Submission {
        id,
        person,
        created_at: moment(row.try_get(1)?),
        state,
        about,
        remark: row.try_get(6)?,
        answer: row.try_get(7)?,
        decided_at: row.try_get::<Option<i64>, _>(8)?.map(moment),
    })
}

/// A draft in the stored form.
fn draft(paper: &NewPaper) -> Result<NewPaper> {
    let checked = tidy(paper)?.paper;
    // What only a study or a curator says.
    let draft = NewPaper { id: String::new(), slug: None, listed: None, ..checked };
    for (what, url) in [("code address", &draft.code_url), ("project page", &draft.project_url)] {
        let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if let Some(url) = url.as_deref().filter(|url| !web(url) || url.contains(' ')) {
            let expected = "an address such as `https://github.com/name/project`";
            return Err(Error::Invalid { what, value: short(url), expected });
        }
    }
    Ok(draft)
}

fn written(paper: &NewPaper) -> Result<String> {
    let text = serde_json::to_string(paper).map_err(|error| Error::Stored {
        what: "submission",
        key: short(&paper.title),
        message: error.to_string(),
    })?;
    if text.len() > MAX_DRAFT {
        let expected = "at most 40,000 bytes in all its fields";
        return Err(Error::Invalid { what: "paper", value: short(&paper.title), expected });
    }
    Ok(text)
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn remark(text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > MAX_REMARK {
        let expected = "at most 1,000 characters";
        return Err(Error::Invalid { what: "remark", value: short(text), expected });
    }
    Ok(text.to_owned())
}

impl Catalog {
    /// Proposes a paper for the lists. What the same person has proposed already and what waits is not
    /// proposed once more: it keeps its number.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a draft that cannot be a paper and where too many wait,
    /// [`Error::UnknownPaper`] if there is no such paper.
    pub async fn submit(
        &self,
        person: i64,
        proposal: Proposal<'_>,
        says: &str,
    ) -> Result<Submitted> {
        let says = remark(says)?;
        let draft = match proposal {
            Proposal::Paper(_) => None,
            Proposal::Draft(paper) => Some(draft(paper)?),
        };
        let text = draft.as_ref().map(written).transpose()?;
        let mut transaction = self.write().await?;
        let paper = match (proposal, &draft) {
            (Proposal::Paper(id), _) => {
                exists(&mut transaction, id).await?;
                Some(id.to_owned())
            }
            (_, Some(draft)) => {
                if let Some(id) = known(&mut transaction, draft).await? {
                    return Ok(Submitted::Known(id));
                }
                None
            }
            (_, None) => None,
        };
        let sql = "SELECT id FROM submissions WHERE state = 'waiting' \
             AND (paper = $1 OR (person = $2 AND draft = $3))";
        let query = sqlx::query(sql).bind(paper.clone()).bind(person).bind(text.clone());
        if let Some(row) = query.fetch_optional(&mut *transaction).await? {
            return Ok(Submitted::Waiting(row.try_get(0)?));
        }
        let sql = "SELECT COUNT(*) FROM submissions WHERE person = $1 AND state = 'waiting'";
        let row = sqlx::query(sql).bind(person).fetch_one(&mut *transaction).await?;
        if row.try_get::<i64, _>(0)? >= MAX_WAITING {
            return Err(Error::Invalid {
                what: "number of papers that wait",
                value: MAX_WAITING.to_string(),
                expected: "fewer; a curator has to look at them first",
            });
        }
        let id = random_id();
        let sql = "INSERT INTO submissions (created_at, id, person, state, paper, draft, remark) \
             VALUES ($1, $2, $3, 'waiting', $4, $5, $6)";
        sqlx::query(sql)
            .bind(now())
            .bind(id)
            .bind(person)
            .bind(paper)
            .bind(text)
            .bind(says)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Submitted::Waiting(id))
    }

    /// A submission.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn submission(&self, id: i64) -> Result<Option<Submission>> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE s.id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(self.readers()).await?;
        row.as_ref().map(submission).transpose()
    }

    /// What a person has proposed, the last first, at most 200.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn submissions_of(&self, person: i64) -> Result<Vec<Submission>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE s.person = $1 \
             ORDER BY s.created_at DESC, s.id LIMIT 200"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(person).fetch_all(self.readers()).await?;
        rows.iter().map(submission).collect()
    }

    /// What waits for a curator, the longest waiting first, at most 200.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn waiting_submissions(&self) -> Result<Vec<Submission>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE s.state = 'waiting' \
             ORDER BY s.created_at, s.id LIMIT 200"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(self.readers()).await?;
        rows.iter().map(submission).collect()
    }

    /// Changes a draft of the person that waits; whether there was one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that cannot be a paper.
    pub async fn edit_submission(
        &self,
        id: i64,
        person: i64,
        paper: &NewPaper,
        says: &str,
    ) -> Result<bool> {
        let (text, says) = (written(&draft(paper)?)?, remark(says)?);
        let mut transaction = self.write().await?;
        let sql = "UPDATE submissions SET draft = $1, remark = $2 \
             WHERE id = $3 AND person = $4 AND state = 'waiting' AND draft IS NOT NULL";
        let query = sqlx::query(sql).bind(text).bind(says).bind(id).bind(person);
        let changed = query.execute(&mut *transaction).await?.rows_affected() > 0;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Takes a submission of the person back that waits; whether there was one.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn withdraw_submission(&self, id: i64, person: i64) -> Result<bool> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM submissions WHERE id = $1 AND person = $2 AND state = 'waiting'";
        let query = sqlx::query(sql).bind(id).bind(person);
        let gone = query.execute(&mut *transaction).await?.rows_affected() > 0;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Accepts a submission that waits: its paper comes into the catalogue, and onto the list of a day if
    /// one is named. Returns the paper's id; `None` if no such submission waits.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the draft cannot be a paper any more.
    pub async fn accept_submission(
        &self,
        id: i64,
        curator: i64,
        day: Option<Date>,
    ) -> Result<Option<String>> {
        let mut transaction = self.write().await?;
        let Some(about) = waiting(&mut transaction, id).await? else { return Ok(None) };
        let paper = match about {
            About::Paper { id, .. } => id,
            About::Draft(draft) => match known(&mut transaction, &draft).await? {
                // Somebody else brought it in meanwhile: what stands there is not overwritten.
                Some(id) => id,
                None => {
                    let written = upsert_within(&mut transaction, vec![tidy(&draft)?]).await?;
                    written.done.ids.into_iter().next().unwrap_or_default()
                }
            },
        };
        if day.is_some() {
            list_on(&mut transaction, &paper, day).await?;
        }
        decide(&mut transaction, id, curator, "accepted", Some(&paper), "").await?;
        transaction.commit().await?;
        Ok(Some(paper))
    }

    /// Declines a submission that waits, with a word to the person; whether there was one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the answer is too long.
    pub async fn decline_submission(&self, id: i64, curator: i64, answer: &str) -> Result<bool> {
        let answer = remark(answer)?;
        let mut transaction = self.write().await?;
        if waiting(&mut transaction, id).await?.is_none() {
            return Ok(false);
        }
        decide(&mut transaction, id, curator, "declined", None, &answer).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Puts a paper on the list of a day, in place of the one on which it stands, or takes it off its list.
    ///
    /// # Errors
    /// [`Error::UnknownPaper`] if there is no such paper.
    pub async fn put_on_list(&self, paper: &str, day: Option<Date>) -> Result<()> {
        let mut transaction = self.write().await?;
        exists(&mut transaction, paper).await?;
        list_on(&mut transaction, paper, day).await?;
        Ok(transaction.commit().await?)
    }

    /// Sets where the code and the project of a paper are; `None` leaves as it is, an empty text takes
    /// away.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no address, [`Error::UnknownPaper`] if there is no such paper.
    pub async fn set_links(
        &self,
        paper: &str,
        code: Option<&str>,
        project: Option<&str>,
    ) -> Result<()> {
        let stated = |text: Option<&str>| text.filter(|t| !t.trim().is_empty()).map(str::to_owned);
        let probe = NewPaper {
            title: "links".into(),
            code_url: stated(code),
            project_url: stated(project),
            ..NewPaper::default()
        };
        let NewPaper { code_url, project_url, .. } = draft(&probe)?;
        let mut transaction = self.write().await?;
        exists(&mut transaction, paper).await?;
        let revision = last_revision(&mut transaction).await? + 1;
        for (given, sql, value) in [
            (
                code.is_some(),
                "UPDATE papers SET code_url = $1, revision = $2 WHERE id = $3",
                code_url,
            ),
            (
                project.is_some(),
                "UPDATE papers SET project_url = $1, revision = $2 WHERE id = $3",
                project_url,
            ),
        ] {
            if given {
                let query = sqlx::query(sql).bind(value).bind(revision).bind(paper.to_owned());
                query.execute(&mut *transaction).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Who proposed these papers, by their id: of each the first whose proposal was accepted.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn submitters(&self, papers: &[&str]) -> Result<HashMap<String, Submitter>> {
        /// Papers that one statement asks for.
        const LOOKUP: usize = 64;
        let mut found = HashMap::new();
        for part in papers.chunks(LOOKUP) {
            // A few sizes, so that the statement stays prepared: the first stands for the rest.
            let size = part.len().next_power_of_two();
            let sql = format!(
                "SELECT s.paper, people.id, people.handle, people.name FROM submissions s \
                 JOIN people ON people.id = s.person \
                 WHERE s.paper IN {} AND s.state = 'accepted' ORDER BY s.created_at DESC, s.id",
                rows(1, size)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for paper in padded(part, size) {
                query = query.bind((*paper).to_owned());
            }
            // The first comes last and stays.
            for row in query.fetch_all(self.readers()).await? {
                let person = Submitter {
                    id: row.try_get(1)?,
                    handle: row.try_get(2)?,
                    name: row.try_get(3)?,
                };
                found.insert(row.try_get(0)?, person);
            }
        }
        Ok(found)
    }

    /// A page of the papers whose proposal by a person was accepted: those of a period, or all, trending
    /// ones first or newest first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn submitted_by(&self, person: i64, list: &ListQuery) -> Result<Vec<Paper>> {
        let order = match list.sort {
            Sort::Trending => "trending DESC, dated DESC, id",
            _ => "dated DESC, id",
        };
        let range = list.period.range();
        let within = if range.is_some() { "AND listed BETWEEN $4 AND $5 " } else { "" };
        let sql = format!(
            "SELECT {PAPER_COLUMNS} FROM (SELECT DISTINCT paper AS chosen FROM submissions \
             WHERE person = $1 AND state = 'accepted') AS own CROSS JOIN papers \
             WHERE id = chosen {within}ORDER BY {order} LIMIT $2 OFFSET $3"
        );
        let per_page = i64::from(list.per_page.clamp(1, ListQuery::MAX_PER_PAGE));
        let offset = i64::from(list.page.max(1) - 1) * per_page;
        let query = sqlx::query(AssertSqlSafe(sql)).bind(person);
        let mut query = query.bind(per_page).bind(offset);
        if let Some((first, last)) = range {
            query = query.bind(first.to_string()).bind(last.to_string());
        }
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(paper).collect::<Result<_, _>>()?)
    }
}

/// Fails unless there is that paper.
async fn exists(transaction: &mut Transaction<'_, Any>, id: &str) -> Result<()> {
    let query = sqlx::query("SELECT id FROM papers WHERE id = $1").bind(id.to_owned());
    let found = query.fetch_optional(&mut **transaction).await?;
    found.map(|_| ()).ok_or_else(|| Error::UnknownPaper { paper: id.to_owned() })
}

/// The paper that a draft names by its arXiv id or DOI.
async fn known(transaction: &mut Transaction<'_, Any>, draft: &NewPaper) -> Result<Option<String>> {
    let sql = "SELECT id FROM papers WHERE arxiv_id = $1 OR id = $1 OR doi = $2 ORDER BY id";
    let query = sqlx::query(sql).bind(draft.arxiv_id.clone()).bind(draft.doi.clone());
    let row = query.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// What a submission that waits is about.
async fn waiting(transaction: &mut Transaction<'_, Any>, id: i64) -> Result<Option<About>> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE s.id = $1 AND s.state = 'waiting'");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&mut **transaction).await?;
    Ok(row.as_ref().map(submission).transpose()?.map(|found| found.about))
}

async fn decide(
    transaction: &mut Transaction<'_, Any>,
    id: i64,
    curator: i64,
    state: &str,
    paper: Option<&str>,
    answer: &str,
) -> Result<()> {
    // An accepted draft is the paper now.
    let sql = "UPDATE submissions SET state = $1, decided_at = $2, decided_by = $3, answer = $4, \
         paper = COALESCE($5, paper), draft = CASE WHEN $1 = 'accepted' THEN NULL ELSE draft END \
         WHERE id = $6";
    sqlx::query(sql)
        .bind(state.to_owned())
        .bind(now())
        .bind(curator)
        .bind(answer.to_owned())
        .bind(paper.map(str::to_owned))
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn list_on(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    day: Option<Date>,
) -> Result<()> {
    let day = day.map(|day| day.to_string());
    let revision = last_revision(transaction).await? + 1;
    let sql = "UPDATE papers SET listed = $1, dated = COALESCE($1, published, ''), revision = $2 \
         WHERE id = $3";
    let query = sqlx::query(sql).bind(day).bind(revision).bind(paper.to_owned());
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// Removes what a person has proposed that nobody accepted.
pub(crate) async fn remove_open(transaction: &mut Transaction<'_, Any>, person: i64) -> Result<()> {
    let sql = "DELETE FROM submissions WHERE person = $1 AND state <> 'accepted'";
    sqlx::query(sql).bind(person).execute(&mut **transaction).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
