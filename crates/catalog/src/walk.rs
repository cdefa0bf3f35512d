//! Papers in one fixed order, for programs that read them all.

use sqlx::AssertSqlSafe;

use crate::paper::{PAPER_COLUMNS, paper};
use crate::{Catalog, Paper, Result};

/// Where a paper stands in the order by date: what comes after it can be asked for, whatever came
/// into the catalogue meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The day of its list, else the date of publication as precise as it is known, else nothing.
    pub dated: String,
    /// Its id.
    pub id: String,
}

impl Place {
    /// The place of a paper.
    pub fn of(paper: &Paper) -> Self {
        let listed = paper.listed.map(|day| day.to_string());
        let dated = listed.or_else(|| paper.published.clone()).unwrap_or_default();
        Self { dated, id: paper.id.clone() }
    }
}

/// The first condition is a stretch of the index; the second takes off what was seen of its first
/// date.
fn after_sql(from: bool) -> String {
    let only = if from { "WHERE dated <= $2 AND (dated < $2 OR id > $3) " } else { "" };
    format!("SELECT {PAPER_COLUMNS} FROM papers {only}ORDER BY dated DESC, id LIMIT $1")
}

/// The papers before the page are walked over in the index alone, not read.
fn daily_sql() -> String {
    format!(
        "SELECT {PAPER_COLUMNS} FROM papers WHERE id IN (SELECT id FROM papers \
         WHERE listed IS NOT NULL ORDER BY listed DESC, id LIMIT $1 OFFSET $2) \
         ORDER BY listed DESC, id"
    )
}

impl Catalog {
    /// At most `limit` papers after a place, or from the first: the newest first, by listed day, else
    /// by date of publication; then by id.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    ///
    /// # Example
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use pressrun_catalog::{Catalog, NewPaper, Place};
    ///
    /// let catalog = Catalog::in_memory().await?;
    /// let paper = |title: &str| NewPaper { title: title.into(), ..NewPaper::default() };
    /// catalog.upsert(&[paper("Gates"), paper("Experts")]).await?;
    /// let first = catalog.after(None, 1).await?;
    /// assert_eq!(first[0].id, "experts");
    /// let rest = catalog.after(Some(&Place::of(&first[0])), 10).await?;
    /// assert_eq!(rest[0].id, "gates");
    /// # Ok::<(), pressrun_catalog::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn after(&self, place: Option<&Place>, limit: u32) -> Result<Vec<Paper>> {
        let mut query = sqlx::query(AssertSqlSafe(after_sql(place.is_some())));
        query = query.bind(i64::from(limit));
        if let Some(place) = place {
            query = query.bind(place.dated.clone()).bind(place.id.clone());
        }
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(paper).collect::<Result<_, _>>()?)
    }

    /// A page, from 0, of the papers that stand on the list of some day, the newest day first.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) if the database cannot be read.
    pub async fn daily(&self, page: u32, per_page: u32) -> Result<Vec<Paper>> {
        let offset = i64::from(page).saturating_mul(i64::from(per_page));
        let query = sqlx::query(AssertSqlSafe(daily_sql()));
        let query = query.bind(i64::from(per_page)).bind(offset);
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(paper).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;
    use crate::NewPaper;

    #[tokio::test]
    async fn both_are_stretches_of_an_index() {
        let catalog = Catalog::in_memory().await.unwrap();
        for (sql, index) in [
            (after_sql(false), "SCAN papers USING INDEX papers_dated_idx"),
            (after_sql(true), "SEARCH papers USING INDEX papers_dated_idx (dated<?)"),
            (daily_sql(), "SEARCH papers USING COVERING INDEX papers_listed_idx (listed>?)"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(catalog.readers()).await;
            let steps: Vec<String> =
                rows.unwrap().iter().map(|row| row.try_get(3).unwrap()).collect();
            assert!(steps.iter().any(|step| step == index), "{steps:?}");
        }
    }

    #[tokio::test]
    async fn every_paper_once() {
        let catalog = Catalog::in_memory().await.unwrap();
        let dates = ["2025-09-09", "2025-09-09", "2025-09", "2025", ""];
        let papers: Vec<NewPaper> = (0..23)
            .map(|i| NewPaper {
                id: format!("p{i:02}"),
                title: format!("Paper {i}"),
                published: Some(dates[i % 5].to_owned()).filter(|date| !date.is_empty()),
                listed: (i % 7 == 0).then(|| "2025-09-10".parse().unwrap()),
                ..NewPaper::default()
            })
            .collect();
        catalog.upsert(&papers).await.unwrap();
        let (mut seen, mut place) = (Vec::new(), None);
        loop {
            let page = catalog.after(place.as_ref(), 4).await.unwrap();
            let Some(last) = page.last() else { break };
            place = Some(Place::of(last));
            seen.extend(page.into_iter().map(|paper| paper.id));
        }
        let whole = catalog.after(None, 100).await.unwrap();
        assert_eq!(seen, whole.iter().map(|paper| paper.id.clone()).collect::<Vec<_>>());
        assert_eq!(seen.len(), 23);
        assert_eq!(&seen[..5], ["p00", "p07", "p14", "p21", "p01"]);
        let daily = catalog.daily(1, 3).await.unwrap();
        assert_eq!(daily.iter().map(|paper| paper.id.as_str()).collect::<Vec<_>>(), ["p21"]);
    }
}
