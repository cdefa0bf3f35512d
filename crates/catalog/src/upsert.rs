//! Writing papers.

use std::collections::HashSet;

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::changes::last_revision;
use crate::paper::{NEW_PAPER_COLUMNS, new_paper};
use crate::plan::{Change, Entry, Key, KeyChange, Plan};
use crate::sql::{chunks, moment, now, padded, rows};
use crate::tidy::{Tidy, tidy};
use crate::{Catalog, NewPaper, Paper, Result};

/// What became of the papers of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upserted {
    /// Papers that were not in the catalogue.
    pub added: u64,
    /// Papers that were, and of which something new was learnt.
    pub updated: u64,
    /// Papers that were, with all that was said of them.
    pub unchanged: u64,
    /// Ids in the catalogue of the papers given, in their order.
    pub ids: Vec<String>,
}

/// What one transaction has written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) done: Upserted,
    /// The papers that were added, by revision.
    pub(crate) new: Vec<(i64, Paper)>,
}

/// How many keys one look-up asks for.
const LOOKUP: usize = 128;

impl Catalog {
    /// Takes in papers, all or none. The same papers again change nothing.
    ///
    /// A paper is the same as one in the catalogue if it has its id, slug, arXiv id or DOI, else if
    /// it has its title and its first author's surname; where one of the two has no authors, the
    /// title suffices. It then adds to what is known; nothing is overwritten by something emptier.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if a paper has no title, or an id or date that is
    /// none; nothing is written then.
    pub async fn upsert(&self, papers: &[NewPaper]) -> Result<Upserted> {
        let papers: Vec<Tidy> = papers.iter().map(tidy).collect::<Result<_>>()?;
        Ok(self.upsert_tidy(papers).await?.done)
    }

    /// [`Catalog::upsert`] of papers that [`tidy`] has been over.
    pub(crate) async fn upsert_tidy(&self, papers: Vec<Tidy>) -> Result<Written> {
        if papers.is_empty() {
            return Ok(Written::default());
        }
        let mut transaction = self.write().await?;
        let written = upsert_within(&mut transaction, papers).await?;
        transaction.commit().await?;
        Ok(written)
    }
}

/// Takes papers in as part of a transaction.
pub(crate) async fn upsert_within(
    transaction: &mut Transaction<'_, Any>,
    papers: Vec<Tidy>,
) -> Result<Written> {
    let mut done = Upserted::default();
    let mut plan = known(transaction, &papers).await?;
    let mut indices = Vec::with_capacity(papers.len());
    for paper in papers {
        let (index, change) = plan.apply(paper);
        indices.push(index);
        match change {
            Change::Added => done.added += 1,
            Change::Updated => done.updated += 1,
            Change::Unchanged => done.unchanged += 1,
        }
    }
    let ids = indices.iter().map(|&i| plan.entries[i].paper.id.clone());
    done.ids = ids.collect();
    let now = now();
    write(transaction, &mut plan, now).await?;
    let added = plan.entries.into_iter().filter(|entry| entry.change == Change::Added);
    let mut new: Vec<(i64, Paper)> =
        added.map(|entry| (entry.revision, Paper::new(entry.paper, moment(now)))).collect();
    new.sort_unstable_by_key(|(revision, _)| *revision);
    Ok(Written { done, new })
}

/// One of the optional texts of a paper.
type Field = fn(&NewPaper) -> &Option<String>;

/// A plan that holds every stored paper which one of `papers` might be.
async fn known(transaction: &mut Transaction<'_, Any>, papers: &[Tidy]) -> Result<Plan> {
    let titles = papers.iter().map(|p| p.title.clone()).collect();
    let keys = load_keys(transaction, titles).await?;
    let mut plan = Plan::default();
    let ids = papers.iter().map(|p| p.id.clone());
    let ids = ids.chain(keys.iter().map(|(_, _, paper)| paper.clone()));
    load(transaction, &mut plan, "id", ids.collect()).await?;
    let columns: [(&str, Field); 3] =
        [("slug", |p| &p.slug), ("arxiv_id", |p| &p.arxiv_id), ("doi", |p| &p.doi)];
    for (column, get) in columns {
        let values = papers.iter().filter_map(|p| get(&p.paper).clone());
        load(transaction, &mut plan, column, values.collect()).await?;
    }
    // Where the first choice of an id is taken, or may be by one of this batch, the others count.
    let mut met = HashSet::new();
    let mut more = Vec::new();
    for paper in papers.iter().filter(|p| p.paper.id.is_empty()) {
        if plan.entry(&paper.id).is_some() || !met.insert(&paper.id) {
            more.extend(paper.other_ids());
        }
    }
    load(transaction, &mut plan, "id", more).await?;
    for (title, surname, paper) in keys {
        if let Some(entry) = plan.entry(&paper) {
            plan.load_key(title, surname, entry);
        }
    }
    Ok(plan)
}

/// Title, surname and paper of every key of these titles, oldest first.
async fn load_keys(
    transaction: &mut Transaction<'_, Any>,
    titles: Vec<String>,
) -> Result<Vec<(String, String, String)>> {
    let titles = in_order(titles);
    let sql = format!(
        "SELECT title_key, surname, paper FROM paper_keys WHERE title_key IN {} \
         ORDER BY added_at, paper, surname",
        rows(1, LOOKUP)
    );
    let mut keys = Vec::new();
    for titles in titles.chunks(LOOKUP) {
        for row in repeat(&sql, titles).fetch_all(&mut **transaction).await? {
            keys.push((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(keys)
}

/// Loads the papers of which `column` is one of `values`.
async fn load(
    transaction: &mut Transaction<'_, Any>,
    plan: &mut Plan,
    column: &str,
    values: Vec<String>,
) -> Result<()> {
    let values = in_order(values);
    let sql =
        format!("SELECT {NEW_PAPER_COLUMNS} FROM papers WHERE {column} IN {}", rows(1, LOOKUP));
    for values in values.chunks(LOOKUP) {
        for row in repeat(&sql, values).fetch_all(&mut **transaction).await? {
            let paper = new_paper(&row)?;
            if plan.entry(&paper.id).is_none() {
                plan.load(paper);
            }
        }
    }
    Ok(())
}

/// Keys in the order of the index, each once: neighbours are on the same pages.
fn in_order(mut keys: Vec<String>) -> Vec<String> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A look-up of [`LOOKUP`] keys; where there are fewer the first stands for the rest, so that the
/// text is always the same and stays prepared.
fn repeat<'q>(sql: &str, keys: &[String]) -> Query<'q, Any, AnyArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for key in padded(keys, LOOKUP) {
        query = query.bind(key.clone());
    }
    query
}

/// Writes all entries of a plan that have changed.
async fn write(transaction: &mut Transaction<'_, Any>, plan: &mut Plan, now: i64) -> Result<()> {
    let changed = plan.entries.iter_mut().filter(|e| e.change != Change::Unchanged);
    // In the order of the keys, here and below: neighbours then fall into the same index pages.
    let mut changed: Vec<&mut Entry> = changed.collect();
    changed.sort_unstable_by(|a, b| a.paper.id.cmp(&b.paper.id));
    let last = last_revision(transaction).await?;
    let changed: Vec<&Entry> = (last + 1..)
        .zip(changed)
        .map(|(revision, entry)| {
            entry.revision = revision;
            &*entry
        })
        .collect();
    for chunk in chunks(&changed, 19) {
        // One statement for new and known papers: what the catalogue adds to a paper itself (votes,
        // verdicts, the time it came) is not among the columns of the update.
        let columns = "added_at, id, slug, listed, dated, published, arxiv_id, doi, category, venue, \
             code_url, code_licence, title, authors, title_key, summary, \
             tags, project_url, revision";
        let sql = format!(
            "INSERT INTO papers ({columns}) VALUES {} ON CONFLICT (id) DO UPDATE SET \
             slug = excluded.slug, listed = excluded.listed, dated = excluded.dated, \
             published = excluded.published, arxiv_id = excluded.arxiv_id, doi = excluded.doi, \
             category = excluded.category, venue = excluded.venue, code_url = excluded.code_url, \
             code_licence = excluded.code_licence, title = excluded.title, \
             authors = excluded.authors, title_key = excluded.title_key, summary = excluded.summary, \
             tags = excluded.tags, project_url = excluded.project_url, \
             revision = excluded.revision",
            rows(chunk.len(), 19)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for entry in chunk {
            query = bind(query, entry, now).bind(entry.revision);
        }
        query.execute(&mut **transaction).await?;
    }
    write_authors(transaction, &changed).await?;
    write_keys(transaction, plan, now).await
}

fn bind<'q>(
    query: Query<'q, Any, AnyArguments>,
    entry: &Entry,
    now: i64,
) -> Query<'q, Any, AnyArguments> {
    let paper = &entry.paper;
    let listed = paper.listed.map(|day| day.to_string());
    let dated = listed.clone().or_else(|| paper.published.clone());
    query
        .bind(now)
        .bind(paper.id.clone())
        .bind(paper.slug.clone())
        .bind(listed)
        .bind(dated.unwrap_or_default())
        .bind(paper.published.clone())
        .bind(paper.arxiv_id.clone())
        .bind(paper.doi.clone())
        .bind(paper.category.clone())
        .bind(paper.venue.clone())
        .bind(paper.code_url.clone())
        .bind(paper.code_licence.clone())
        .bind(paper.title.clone())
        .bind(paper.authors.join("\n"))
        .bind(entry.title.clone())
        .bind(paper.summary.clone())
        .bind(paper.tags.join("\n"))
        .bind(paper.project_url.clone())
}

/// Brings the rows by which a person's papers are found in line with the papers' author lists.
async fn write_authors(transaction: &mut Transaction<'_, Any>, changed: &[&Entry]) -> Result<()> {
    let mut new: Vec<(i64, &str, &str)> = Vec::new();
    for entry in changed {
        let (before, after) = (&entry.authors_before, &entry.paper.authors);
        let id = entry.paper.id.as_str();
        for (position, name) in (0..).zip(before) {
            if after.get(position) == Some(name) {
                continue;
            }
            let sql = "DELETE FROM paper_authors WHERE name = $1 AND paper = $2 AND position = $3";
            let query = sqlx::query(sql).bind(name.clone()).bind(id.to_owned());
            let query = query.bind(i64::try_from(position).unwrap_or(i64::MAX));
            query.execute(&mut **transaction).await?;
        }
        for (position, name) in (0..).zip(after) {
            if before.get(usize::try_from(position).unwrap_or(usize::MAX)) != Some(name) {
                new.push((position, name, id));
            }
        }
    }
    new.sort_unstable_by_key(|&(position, name, paper)| (name, paper, position));
    for chunk in chunks(&new, 3) {
        let sql = format!(
            "INSERT INTO paper_authors (position, name, paper) VALUES {}",
            rows(chunk.len(), 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for &(position, name, paper) in chunk {
            query = query.bind(position).bind(name.to_owned()).bind(paper.to_owned());
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn write_keys(transaction: &mut Transaction<'_, Any>, plan: &Plan, now: i64) -> Result<()> {
    let id = |key: &Key| plan.entries[key.entry].paper.id.clone();
    for key in plan.keys.iter().filter(|k| k.change == KeyChange::Named) {
        let sql = "UPDATE paper_keys SET surname = $1 \
             WHERE title_key = $2 AND surname = '' AND paper = $3";
        let query = sqlx::query(sql).bind(key.surname.clone());
        let query = query.bind(key.title.clone()).bind(id(key));
        query.execute(&mut **transaction).await?;
    }
    // One microsecond after another: their age is their order.
    let new = plan.keys.iter().filter(|k| k.change == KeyChange::New);
    let mut new: Vec<(i64, &Key)> = (now..).zip(new).collect();
    new.sort_unstable_by(|(_, a), (_, b)| a.title.cmp(&b.title));
    for chunk in chunks(&new, 4) {
        let sql = format!(
            "INSERT INTO paper_keys (added_at, title_key, surname, paper) VALUES {}",
            rows(chunk.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for &(added_at, key) in chunk {
            query = query.bind(added_at).bind(key.title.clone());
            query = query.bind(key.surname.clone()).bind(id(key));
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}
