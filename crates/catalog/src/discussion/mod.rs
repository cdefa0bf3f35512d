//! What people say about papers: comments and their order, who may see what of them.
//!
//! Text that is hidden leaves this module for those only who may read it: every reading names its
//! [`Audience`], so that no page, feed or interface has to remember.

mod authors;
mod moderation;
mod notice;
mod own;
mod replies;
mod write;

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

pub use self::authors::{AuthorClaim, ClaimState};
pub use self::moderation::Report;
pub use self::notice::{Notice, Occasion};
pub use self::own::OwnComment;
pub use self::replies::{NewVerdictReply, VerdictReply};
pub use self::write::NewComment;

pub(crate) use self::write::remove_all as remove_comments;

use crate::sql::{moment, padded, rows};
use crate::{Catalog, Error, Result, Role};

/// Most characters of a comment, and of a reply to a verdict.
pub const MAX_COMMENT: usize = 10_000;
/// Most characters of a reason: of a report, of hiding something, of a claim of authorship.
pub const MAX_REASON: usize = 1_000;

/// Digits of a number in a comment's place.
const DIGITS: usize = 7;
/// Deepest reply that stands under its comment; what answers it stands beside it.
const DEEPEST: usize = 4;

/// For whom something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// One person, who sees what is hidden of their own.
    Person(i64),
    /// Curators, who see what is hidden.
    Curators,
}

impl Audience {
    fn may_read(self, author: Option<i64>) -> bool {
        match self {
            Self::Public => false,
            Self::Person(person) => author == Some(person),
            Self::Curators => true,
        }
    }
}

/// Somebody as their words name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Number.
    pub id: i64,
    /// The name in addresses.
    pub handle: String,
    /// The name as it is shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether a curator has confirmed that they are an author of the paper.
    pub is_author: bool,
}

/// That a curator has taken something out of sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A comment, as its audience may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Id of the paper.
    pub paper: String,
    /// Its number within the paper.
    pub number: i64,
    /// The comment that it answers.
    pub parent: Option<i64>,
    /// How deep it stands under others.
    pub depth: usize,
    /// Who wrote it; `None` where it is deleted, and where it is hidden from this audience.
    pub by: Option<Speaker>,
    /// What it says, as Markdown; empty where it is deleted, and where it is hidden from this audience.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub edited_at: Option<Timestamp>,
    /// Whether only its place is left.
    pub deleted: bool,
    /// Whether and why it is hidden.
    pub hidden: Option<Hidden>,
    /// Whom it names: the short name as it was written, and the one of today.
    pub mentions: Vec<(String, String)>,
}

impl Comment {
    /// Whether everybody can read it.
    pub fn is_public(&self) -> bool {
        !self.deleted && self.hidden.is_none()
    }
}

/// A page of a discussion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discussion {
    /// Comments, the oldest first, each followed by its replies.
    pub comments: Vec<Comment>,
    /// This page, from 1.
    pub page: u32,
    /// Pages that there are; at least 1.
    pub pages: u32,
}

/// What a comment said, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// When it was written.
    pub written_at: Timestamp,
    /// What it said.
    pub text: String,
}

/// What is read of a comment, and from where. The claim is joined only where it was confirmed.
const COMMENTS: &str = "SELECT c.paper, c.number, c.parent, c.place, c.created_at, c.edited_at, \
     c.deleted_at, c.hidden_at, c.hidden_reason, c.text, c.person, p.handle, p.name, p.role, a.state \
     FROM comments c LEFT JOIN people p ON p.id = c.person \
     LEFT JOIN author_claims a ON a.paper = c.paper AND a.person = c.person AND a.state = 'confirmed'";

fn comment(row: &AnyRow, audience: Audience) -> Result<Comment> {
    let place: String = row.try_get(3)?;
    let edited_at: Option<i64> = row.try_get(5)?;
    let deleted_at: Option<i64> = row.try_get(6)?;
    let hidden_at: Option<i64> = row.try_get(7)?;
    let person: Option<i64> = row.try_get(10)?;
    let readable = hidden_at.is_none() || audience.may_read(person);
    let reason: Option<String> = row.try_get(8)?;
    Ok(Comment {
        paper: row.try_get(0)?,
        number: row.try_get(1)?,
        parent: row.try_get(2)?,
        depth: (place.len() / DIGITS).saturating_sub(1),
        by: if readable { speaker(row, 10)? } else { None },
        text: if readable { row.try_get(9)? } else { String::new() },
        created_at: moment(row.try_get(4)?),
        edited_at: edited_at.map(moment),
        deleted: deleted_at.is_some(),
        hidden: hidden_at.map(|at| Hidden { at: moment(at), reason: reason.unwrap_or_default() }),
        mentions: Vec::new(),
    })
}

/// Number, short name, name, role and confirmed claim of somebody, from a column on.
fn speaker(row: &AnyRow, first: usize) -> Result<Option<Speaker>> {
    let (id, handle): (Option<i64>, Option<String>) =
        (row.try_get(first)?, row.try_get(first + 1)?);
    let Some((id, handle)) = id.zip(handle) else { return Ok(None) };
    let role: String = row.try_get(first + 3)?;
    let confirmed: Option<String> = row.try_get(first + 4)?;
    let name = row.try_get(first + 2)?;
    Ok(Some(Speaker { id, handle, name, role: role.parse()?, is_author: confirmed.is_some() }))
}

impl Catalog {
    /// A page of a paper's discussion; after the last one, the last.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn discussion(
        &self,
        paper: &str,
        audience: Audience,
        page: u32,
        per_page: u32,
    ) -> Result<Discussion> {
        let per_page = per_page.max(1);
        let read = async |page: u32| {
            let sql = format!("{COMMENTS} WHERE c.paper = $1 ORDER BY c.place LIMIT $2 OFFSET $3");
            let query = sqlx::query(AssertSqlSafe(sql)).bind(paper.to_owned());
            // One more, which tells whether that was all: most discussions are never counted.
            let query = query.bind(i64::from(per_page) + 1);
            let query = query.bind(i64::from(page - 1) * i64::from(per_page));
            Ok::<_, Error>(query.fetch_all(self.readers()).await?)
        };
        let mut page = page.max(1);
        let mut found = read(page).await?;
        let mut pages = page;
        if found.len() > per_page as usize || (found.is_empty() && page > 1) {
            let query = sqlx::query("SELECT COUNT(*) FROM comments WHERE paper = $1");
            let query = query.bind(paper.to_owned());
            let count: i64 = query.fetch_one(self.readers()).await?.try_get(0)?;
            let whole = u64::try_from(count).unwrap_or(0).div_ceil(u64::from(per_page));
            pages = u32::try_from(whole).unwrap_or(u32::MAX).max(1);
            if found.is_empty() {
                page = pages;
                found = read(page).await?;
            }
        }
        found.truncate(per_page as usize);
        let comments = self.with_mentions(&found, audience).await?;
        Ok(Discussion { comments, page, pages })
    }

    /// One comment of a paper.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none of that number.
    pub async fn comment(&self, paper: &str, number: i64, audience: Audience) -> Result<Comment> {
        let sql = format!("{COMMENTS} WHERE c.paper = $1 AND c.number = $2");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(paper.to_owned()).bind(number);
        let row = query.fetch_all(self.readers()).await?;
        let mut found = self.with_mentions(&row, audience).await?;
        found.pop().ok_or_else(|| unknown(paper, number))
    }

    /// The page of the discussion on which a comment stands.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none of that number.
    pub async fn page_of_comment(&self, paper: &str, number: i64, per_page: u32) -> Result<u32> {
        let sql = "SELECT COUNT(*), (SELECT COUNT(*) FROM comments WHERE paper = $1 AND number = $2) \
             FROM comments WHERE paper = $1 AND place < \
             (SELECT place FROM comments WHERE paper = $1 AND number = $2)";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        let row = query.fetch_one(self.readers()).await?;
        let (before, there): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if there == 0 {
            return Err(unknown(paper, number));
        }
        let page = before / i64::from(per_page.max(1)) + 1;
        Ok(u32::try_from(page).unwrap_or(u32::MAX))
    }

    /// The newest comments that everybody can read, of one paper or of all; the newest first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn recent_comments(&self, paper: Option<&str>, limit: u32) -> Result<Vec<Comment>> {
        let which = if paper.is_some() { "c.paper = $1" } else { "$1 = ''" };
        let sql = format!(
            "{COMMENTS} WHERE {which} AND c.deleted_at IS NULL AND c.hidden_at IS NULL \
             ORDER BY c.created_at DESC, c.paper, c.number LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(paper.unwrap_or_default().to_owned());
        let found = query.bind(i64::from(limit)).fetch_all(self.readers()).await?;
        self.with_mentions(&found, Audience::Public).await
    }

    /// What a comment said before it was edited, the oldest first; without what it says now.
    ///
    /// # Errors
    /// [`Error::UnknownComment`] if there is none, or none that this audience may read.
    pub async fn comment_history(
        &self,
        paper: &str,
        number: i64,
        audience: Audience,
    ) -> Result<(Comment, Vec<Version>)> {
        let comment = self.comment(paper, number, audience).await?;
        if comment.by.is_none() {
            return Err(unknown(paper, number));
        }
        let sql = "SELECT written_at, text FROM comment_versions WHERE paper = $1 AND number = $2 \
             ORDER BY version";
        let query = sqlx::query(sql).bind(paper.to_owned()).bind(number);
        let rows = query.fetch_all(self.readers()).await?;
        let version = |row: &AnyRow| {
            Ok(Version { written_at: moment(row.try_get(0)?), text: row.try_get(1)? })
        };
        Ok((comment, rows.iter().map(version).collect::<Result<_>>()?))
    }

    /// Which of these short names, in the text of a comment that is not written yet, are people.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn people_called(&self, handles: &[String]) -> Result<Vec<String>> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let handles = &handles[..handles.len().min(write::MAX_MENTIONS)];
        let size = handles.len().next_power_of_two();
        let sql = format!("SELECT handle FROM people WHERE handle IN {}", rows(1, size));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for handle in padded(handles, size) {
            query = query.bind(handle.clone());
        }
        let rows = query.fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn with_mentions(&self, found: &[AnyRow], audience: Audience) -> Result<Vec<Comment>> {
        let comments = found.iter().map(|row| comment(row, audience)).collect::<Result<Vec<_>>>();
        let mut comments = comments?;
        // Most comments name nobody, and then there is nothing to be asked.
        let naming: Vec<(String, i64)> = comments
            .iter()
            .filter(|comment| comment.text.contains('@'))
            .map(|comment| (comment.paper.clone(), comment.number))
            .collect();
        let mut mentions: HashMap<(String, i64), Vec<(String, String)>> = HashMap::new();
        for part in naming.chunks(32) {
            let size = part.len().next_power_of_two();
            let mut sql = String::from(
                "SELECT m.paper, m.number, m.written, p.handle FROM comment_mentions m \
                 JOIN people p ON p.id = m.person WHERE (m.paper, m.number) IN (VALUES ",
            );
            sql.push_str(&rows(size, 2));
            sql.push_str(") ORDER BY m.written");
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (paper, number) in padded(part, size) {
                query = query.bind(paper.clone()).bind(*number);
            }
            for row in query.fetch_all(self.readers()).await? {
                let key = (row.try_get(0)?, row.try_get(1)?);
                let pair = (row.try_get(2)?, row.try_get(3)?);
                mentions.entry(key).or_default().push(pair);
            }
        }
        for comment in &mut comments {
            let key = (comment.paper.clone(), comment.number);
            comment.mentions = mentions.remove(&key).unwrap_or_default();
        }
        Ok(comments)
    }
}

fn unknown(paper: &str, number: i64) -> Error {
    Error::UnknownComment { paper: paper.to_owned(), number }
}

/// The part of a place that one number is.
fn step(number: i64) -> String {
    format!("{number:0width$}", width = DIGITS)
}

/// Refuses a text that is empty or too long; gives it without space around it.
fn checked(text: &str, what: &'static str, most: usize, expected: &'static str) -> Result<String> {
    let text = text.trim();
    // Tabs and line ends are text; other control characters have no place in a feed or a mail.
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.is_empty() || text.chars().count() > most || text.contains(odd) {
        let value: String = text.chars().filter(|c| !odd(*c)).take(40).collect();
        let value = if value.len() < text.len() { format!("{value}…") } else { value };
        return Err(Error::Invalid { what, value, expected });
    }
    Ok(text.replace("\r\n", "\n"))
}

/// What a comment must be.
fn checked_text(text: &str) -> Result<String> {
    checked(text, "text", MAX_COMMENT, "1 to 10,000 characters, none of them a control character")
}

fn checked_reason(text: &str) -> Result<String> {
    checked(text, "reason", MAX_REASON, "1 to 1,000 characters, none of them a control character")
}

/// Says that there is one, of rows that a statement changed.
fn changed(count: u64, paper: &str, number: i64) -> Result<()> {
    if count == 0 { Err(unknown(paper, number)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_as_a_discussion_reads() {
        let under = |numbers: &[i64]| numbers.iter().map(|n| step(*n)).collect::<String>();
        let mut places =
            vec![under(&[10]), under(&[2, 9]), under(&[2]), under(&[2, 3, 4]), under(&[2, 3])];
        places.sort();
        let wanted: [&[i64]; 5] = [&[2], &[2, 3], &[2, 3, 4], &[2, 9], &[10]];
        assert_eq!(places, wanted.map(under));
    }

    #[test]
    fn texts_have_bounds() {
        assert_eq!(checked_text(" a\r\nb\t ").unwrap(), "a\nb");
        assert_eq!(checked_text(&"é".repeat(MAX_COMMENT)).unwrap().chars().count(), MAX_COMMENT);
        for bad in ["", " \n", "a\0b", "\u{1b}[0m", &"x".repeat(MAX_COMMENT + 1)] {
            let error = checked_text(bad).unwrap_err().to_string();
            assert!(error.len() < 200 && !error.contains('\0'), "{error}");
        }
    }
}
