//! How far papers have been fetched from elsewhere.

use sqlx::Row;

use crate::sql::now;
use crate::{Catalog, Result};

/// The state of fetching from one source.
///
/// The catalogue keeps it and does not read it: what time and position mean is the source's.
///
/// # Example
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use pressrun_catalog::{Catalog, Harvest};
///
/// let catalog = Catalog::in_memory().await?;
/// let mut harvest = Harvest { source: "arxiv:cs.LG".into(), ..Harvest::default() };
/// harvest.position = Some("200".into());
/// catalog.save_harvest(&harvest).await?;
/// assert_eq!(catalog.harvest("arxiv:cs.LG").await?, Some(harvest));
/// assert_eq!(catalog.harvest("arxiv:cs.CL").await?, None);
/// # Ok::<(), pressrun_catalog::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Harvest {
    /// What is harvested.
    pub source: String,
    /// Beginning of the stretch of time that is being fetched, or was last.
    pub from_time: Option<String>,
    /// Its end.
    pub to_time: Option<String>,
    /// The page that comes next; `None` once there is none.
    pub position: Option<String>,
    /// The source's `ETag`.
    pub etag: Option<String>,
    /// The source's `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Catalog {
    /// The state of a source; `None` if nothing was fetched from it yet.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn harvest(&self, source: &str) -> Result<Option<Harvest>> {
        let sql = "SELECT source, from_time, to_time, position, etag, last_modified \
             FROM harvests WHERE source = $1";
        let row = sqlx::query(sql).bind(source.to_owned()).fetch_optional(self.readers()).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Harvest {
            source: row.try_get(0)?,
            from_time: row.try_get(1)?,
            to_time: row.try_get(2)?,
            position: row.try_get(3)?,
            etag: row.try_get(4)?,
            last_modified: row.try_get(5)?,
        }))
    }

    /// Sets the state of a source.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn save_harvest(&self, harvest: &Harvest) -> Result<()> {
        let sql = "INSERT INTO harvests \
             (source, from_time, to_time, position, etag, last_modified, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (source) DO UPDATE SET \
             from_time = excluded.from_time, to_time = excluded.to_time, \
             position = excluded.position, etag = excluded.etag, \
             last_modified = excluded.last_modified, changed_at = excluded.changed_at";
        let mut transaction = self.write().await?;
        sqlx::query(sql)
            .bind(harvest.source.clone())
            .bind(harvest.from_time.clone())
            .bind(harvest.to_time.clone())
            .bind(harvest.position.clone())
            .bind(harvest.etag.clone())
            .bind(harvest.last_modified.clone())
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
