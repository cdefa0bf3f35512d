//! Changing a library.

use sqlx::any::Any;
use sqlx::{Row, Transaction};

use super::{LibraryState, Tag};
use crate::sql::now;
use crate::{Catalog, Error, Result};

/// Most papers of a library.
const MOST: i64 = 20_000;
/// Most tags of one paper.
const TAGS: i64 = 20;
/// Most different tags of a person.
const ALL_TAGS: i64 = 500;
/// Longest note in characters.
const NOTE: usize = 10_000;

/// What is to change about a paper in a library; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryChange {
    /// How it is to stand.
    pub state: Option<LibraryState>,
    /// Tags in place of all that it has.
    pub tags: Option<Vec<Tag>>,
    /// Tags beside those that it has. With one of them a paper that was not for the person is kept
    /// again.
    pub add: Vec<Tag>,
    /// Tags to take off.
    pub remove: Vec<Tag>,
    /// Markdown in place of what was there.
    pub note: Option<String>,
}

fn invalid(what: &'static str, value: impl ToString, expected: &'static str) -> Error {
    Error::Invalid { what, value: value.to_string(), expected }
}

/// A note as it is stored: line ends as everywhere else, nothing at its end.
fn note(text: &str) -> Result<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_end();
    let unfit = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.chars().count() > NOTE || text.chars().any(unfit) {
        let value: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(invalid("note", value + "…", "at most 10,000 characters of text"));
    }
    Ok(text.to_owned())
}

impl Catalog {
    /// Changes how a paper stands in a person's library; it comes in if it was not there.
    ///
    /// # Errors
    /// [`Error::UnknownPaper`] if there is no such paper; [`Error::Invalid`] for a note of more than
    /// 10,000 characters, more than 20 tags of a paper or 500 of a person, more than 20,000 papers.
    pub async fn change_library(
        &self,
        person: i64,
        paper: &str,
        change: &LibraryChange,
    ) -> Result<()> {
        let mut transaction = self.write().await?;
        change_in(&mut transaction, person, paper, change).await?;
        revise(&mut transaction, person).await?;
        Ok(transaction.commit().await?)
    }

    /// Takes a paper out of a person's library, with its tags and its note; `false` if it was not
    /// there.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn remove_from_library(&self, person: i64, paper: &str) -> Result<bool> {
        let mut transaction = self.write().await?;
        let query = sqlx::query("DELETE FROM library WHERE person = $1 AND paper = $2");
        let query = query.bind(person).bind(paper.to_owned());
        let removed = query.execute(&mut *transaction).await?.rows_affected();
        if removed > 0 {
            revise(&mut transaction, person).await?;
        }
        transaction.commit().await?;
        Ok(removed > 0)
    }

    /// Gives a tag of a person another name; where a paper has both, they become one. Returns how many
    /// papers had the tag.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn rename_library_tag(&self, person: i64, from: &Tag, to: &Tag) -> Result<u64> {
        let mut transaction = self.write().await?;
        if from != to {
            let sql = "INSERT INTO library_tags (person, tag, paper) \
                 SELECT person, $1, paper FROM library_tags WHERE person = $2 AND tag = $3 \
                 ON CONFLICT DO NOTHING";
            let query = sqlx::query(sql).bind(to.as_str().to_owned()).bind(person);
            query.bind(from.as_str().to_owned()).execute(&mut *transaction).await?;
        }
        let changed = if from == to {
            let sql = "SELECT COUNT(*) FROM library_tags WHERE person = $1 AND tag = $2";
            let query = sqlx::query(sql).bind(person).bind(from.as_str().to_owned());
            let count: i64 = query.fetch_one(&mut *transaction).await?.try_get(0)?;
            count.unsigned_abs()
        } else {
            drop_tag(&mut transaction, person, from).await?
        };
        revise(&mut transaction, person).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Takes a tag off all papers of a person, which stay in the library. Returns how many had it.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be written.
    pub async fn delete_library_tag(&self, person: i64, tag: &Tag) -> Result<u64> {
        let mut transaction = self.write().await?;
        let removed = drop_tag(&mut transaction, person, tag).await?;
        revise(&mut transaction, person).await?;
        transaction.commit().await?;
        Ok(removed)
    }
}

async fn drop_tag(transaction: &mut Transaction<'_, Any>, person: i64, tag: &Tag) -> Result<u64> {
    let query = sqlx::query("DELETE FROM library_tags WHERE person = $1 AND tag = $2");
    let query = query.bind(person).bind(tag.as_str().to_owned());
    Ok(query.execute(&mut **transaction).await?.rows_affected())
}

/// Counts a change.
async fn revise(transaction: &mut Transaction<'_, Any>, person: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO library_revisions (person, revision) VALUES ($1, 1) \
         ON CONFLICT (person) DO UPDATE SET revision = library_revisions.revision + 1",
    )
    .bind(person)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn change_in(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
    paper: &str,
    change: &LibraryChange,
) -> Result<()> {
    let note = change.note.as_deref().map(note).transpose()?;
    let at = now();
    let before = find_or_add(transaction, person, paper, at).await?;
    let tagged = !change.add.is_empty() || change.tags.as_ref().is_some_and(|t| !t.is_empty());
    let again = (tagged && before == LibraryState::NotForMe).then_some(LibraryState::None);
    let state = change.state.or(again).unwrap_or(before);
    sqlx::query("UPDATE library SET state = $1, changed_at = $2 WHERE person = $3 AND paper = $4")
        .bind(state.name())
        .bind(at)
        .bind(person)
        .bind(paper.to_owned())
        .execute(&mut **transaction)
        .await?;
    if let Some(note) = note {
        sqlx::query("UPDATE library SET note = $1 WHERE person = $2 AND paper = $3")
            .bind(note)
            .bind(person)
            .bind(paper.to_owned())
            .execute(&mut **transaction)
            .await?;
    }
    if change.tags.is_some() {
        let query = sqlx::query("DELETE FROM library_tags WHERE person = $1 AND paper = $2");
        query.bind(person).bind(paper.to_owned()).execute(&mut **transaction).await?;
    }
    for tag in &change.remove {
        let sql = "DELETE FROM library_tags WHERE person = $1 AND paper = $2 AND tag = $3";
        let query = sqlx::query(sql).bind(person).bind(paper.to_owned());
        query.bind(tag.as_str().to_owned()).execute(&mut **transaction).await?;
    }
    for tag in change.tags.iter().flatten().chain(&change.add) {
        let sql = "INSERT INTO library_tags (person, tag, paper) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(person).bind(tag.as_str().to_owned());
        query.bind(paper.to_owned()).execute(&mut **transaction).await?;
    }
    if tagged { check_tags(transaction, person, paper).await } else { Ok(()) }
}

/// How a paper stands; it comes in if it was not there.
async fn find_or_add(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
    paper: &str,
    at: i64,
) -> Result<LibraryState> {
    let query = sqlx::query("SELECT state FROM library WHERE person = $1 AND paper = $2");
    let query = query.bind(person).bind(paper.to_owned());
    if let Some(row) = query.fetch_optional(&mut **transaction).await? {
        let state: String = row.try_get(0)?;
        return state.parse();
    }
    let query = sqlx::query("SELECT COUNT(*) FROM papers WHERE id = $1").bind(paper.to_owned());
    let there: i64 = query.fetch_one(&mut **transaction).await?.try_get(0)?;
    if there == 0 {
        return Err(Error::UnknownPaper { paper: paper.to_owned() });
    }
    let query = sqlx::query("SELECT COUNT(*) FROM library WHERE person = $1").bind(person);
    let count: i64 = query.fetch_one(&mut **transaction).await?.try_get(0)?;
    if count >= MOST {
        return Err(invalid("number of papers in a library", count, "fewer than 20,000"));
    }
    sqlx::query(
        "INSERT INTO library (added_at, changed_at, person, paper, state) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(at)
    .bind(at)
    .bind(person)
    .bind(paper.to_owned())
    .bind(LibraryState::None.name())
    .execute(&mut **transaction)
    .await?;
    Ok(LibraryState::None)
}

/// Fails if there are too many tags; what was done before is undone with the transaction.
async fn check_tags(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
    paper: &str,
) -> Result<()> {
    let sql = "SELECT COUNT(*) FROM library_tags WHERE person = $1 AND paper = $2";
    let query = sqlx::query(sql).bind(person).bind(paper.to_owned());
    let count: i64 = query.fetch_one(&mut **transaction).await?.try_get(0)?;
    if count > TAGS {
        return Err(invalid("number of tags", count, "at most 20 of one paper"));
    }
    let sql = "SELECT COUNT(DISTINCT tag) FROM library_tags WHERE person = $1";
    let query = sqlx::query(sql).bind(person);
    let count: i64 = query.fetch_one(&mut **transaction).await?.try_get(0)?;
    if count > ALL_TAGS {
        return Err(invalid("number of different tags", count, "at most 500"));
    }
    Ok(())
}
