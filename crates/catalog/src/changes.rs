//! What has changed since: how the search index follows the catalogue.

use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::paper::{PAPER_COLUMNS, paper};
use crate::sql::{padded, rows};
use crate::{Catalog, Paper, Result};

/// Papers that one statement asks for.
const LOOKUP: usize = 64;

impl Catalog {
    /// The revision of the newest change; 0 if there are no papers.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn revision(&self) -> Result<i64> {
        let query = sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM papers");
        Ok(query.fetch_one(self.readers()).await?.try_get(0)?)
    }

    /// The papers of which something changed after a revision, each with the revision of its last
    /// change, the oldest first; at most so many.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    ///
    /// # Example
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use pressrun_catalog::{Catalog, NewPaper};
    ///
    /// let catalog = Catalog::in_memory().await?;
    /// let paper = |title: &str| NewPaper { title: title.into(), ..NewPaper::default() };
    /// catalog.upsert(&[paper("Gates"), paper("Experts")]).await?;
    /// let before = catalog.revision().await?;
    /// let more = NewPaper { summary: "They open.".into(), ..paper("Gates") };
    /// catalog.upsert(&[more, paper("Experts")]).await?;
    /// let changes = catalog.changes(before, 10).await?;
    /// assert_eq!(changes.len(), 1);
    /// assert_eq!(changes[0].1.title, "Gates");
    /// assert_eq!(changes[0].0, catalog.revision().await?);
    /// # Ok::<(), pressrun_catalog::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<(i64, Paper)>> {
        let sql = format!(
            "SELECT {PAPER_COLUMNS}, revision FROM papers WHERE revision > $1 \
             ORDER BY revision LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(i64::from(limit));
        let rows = query.fetch_all(self.readers()).await?;
        let change = |row: &AnyRow| Ok((row.try_get("revision")?, paper(row)?));
        rows.iter().map(change).collect()
    }

    /// The papers with these ids, in their order; ids that there are not are left out.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn papers_of(&self, ids: &[String]) -> Result<Vec<Paper>> {
        let mut found = std::collections::HashMap::with_capacity(ids.len());
        for ids in ids.chunks(LOOKUP) {
            // A few sizes, so that the statement stays prepared: the first id stands for the rest.
            let size = ids.len().next_power_of_two();
            let sql = format!("SELECT {PAPER_COLUMNS} FROM papers WHERE id IN {}", rows(1, size));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for id in padded(ids, size) {
                query = query.bind(id.clone());
            }
            for row in query.fetch_all(self.readers()).await? {
                let paper = paper(&row)?;
                found.insert(paper.id.clone(), paper);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }
}

/// The revision of the newest change, within a transaction that will make more.
pub(crate) async fn last_revision(transaction: &mut Transaction<'_, Any>) -> Result<i64> {
    let query = sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM papers");
    Ok(query.fetch_one(&mut **transaction).await?.try_get(0)?)
}
