//! Reading papers: one, or a page of a list.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::paper::{PAPER_COLUMNS, paper};
use crate::{Catalog, Error, Paper, Period, Reference, Result, sql};

/// The order of a list. Ties are broken by date, newest first, then by id: the order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    /// Newest first: by listed day, else by date of publication.
    #[default]
    Date,
    /// Most votes first.
    Votes,
    /// Most recently voted for; papers without votes after them, newest first.
    Trending,
    /// Most comments first.
    Comments,
    /// Largest share of claims reproduced first; papers without a record last.
    Verdict,
    /// From A to Z.
    Title,
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 6] =
        [Self::Date, Self::Votes, Self::Trending, Self::Comments, Self::Verdict, Self::Title];

    /// The name in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Votes => "votes",
            Self::Trending => "trending",
            Self::Comments => "comments",
            Self::Verdict => "verdict",
            Self::Title => "title",
        }
    }

    /// What a paper must have to come first; those without follow, newest first. Each is the
    /// condition of a partial index of the first migration, and its contrary.
    fn first(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Date | Self::Title => None,
            Self::Votes | Self::Trending => Some(("votes > 0", "votes = 0")),
            Self::Comments => Some(("comments > 0", "comments = 0")),
            Self::Verdict => Some(("verdict_rank >= 0", "verdict_rank < 0")),
        }
    }

    /// `ORDER BY`: for each the columns of an index of the first migration.
    fn order(self) -> &'static str {
        match self {
            Self::Date => "dated DESC, id",
            Self::Votes => "votes DESC, dated DESC, id",
            Self::Trending => "trending DESC, dated DESC, id",
            Self::Comments => "comments DESC, dated DESC, id",
            Self::Verdict => "verdict_rank DESC, dated DESC, id",
            Self::Title => "title_key, id",
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Sort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|sort| sort.name() == text);
        found.ok_or_else(|| Error::Invalid {
            what: "sort order",
            value: text.to_owned(),
            expected: "`date`, `votes`, `trending`, `comments`, `verdict` or `title`",
        })
    }
}

/// Which page of which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery {
    /// The papers of this period.
    pub period: Period,
    /// In this order.
    pub sort: Sort,
    /// Page, from 1; 0 counts as 1.
    pub page: u32,
    /// Papers a page, from 1 to [`ListQuery::MAX_PER_PAGE`]; a number outside counts as the nearest.
    pub per_page: u32,
}

impl ListQuery {
    /// Most papers of one page.
    pub const MAX_PER_PAGE: u32 = 256;

    /// The first page of a period, in the given order.
    pub fn new(period: Period, sort: Sort) -> Self {
        Self { period, sort, ..Self::default() }
    }
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { period: Period::All, sort: Sort::Date, page: 1, per_page: 30 }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Its papers; none on a page after the last.
    pub papers: Vec<Paper>,
    /// Papers of the whole list.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Pages of the list; 1 if it is empty.
    pub pages: u32,
}

/// The nearest periods of the same kind that have papers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// The one before.
    pub previous: Option<Period>,
    /// The one after.
    pub next: Option<Period>,
}

impl Catalog {
    /// The paper of that id, else of that arXiv id, else the one whose study has that slug.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn paper(&self, id: &str) -> Result<Option<Paper>> {
        let sql = format!(
            "SELECT {PAPER_COLUMNS} FROM papers WHERE id = $1 OR arxiv_id = $1 OR slug = $1"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(id.to_owned());
        let rows = query.fetch_all(self.readers()).await?;
        let mut papers: Vec<Paper> = rows.iter().map(paper).collect::<Result<_, _>>()?;
        let arxiv = |p: &Paper| p.arxiv_id.as_deref() == Some(id);
        papers.sort_by_key(|p| (p.id != id, !arxiv(p)));
        Ok((!papers.is_empty()).then(|| papers.swap_remove(0)))
    }

    /// The paper that somebody names by an arXiv id or a DOI.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn paper_named(&self, reference: &Reference) -> Result<Option<Paper>> {
        match reference {
            Reference::Arxiv(id) => self.paper(id).await,
            Reference::Doi(doi) => {
                let sql = format!("SELECT {PAPER_COLUMNS} FROM papers WHERE doi = $1");
                let query = sqlx::query(AssertSqlSafe(sql)).bind(doi.clone());
                let row = query.fetch_optional(self.readers()).await?;
                Ok(row.as_ref().map(paper).transpose()?)
            }
            Reference::Page(_) => Ok(None),
        }
    }

    /// A page of a list.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage> {
        let per_page = query.per_page.clamp(1, ListQuery::MAX_PER_PAGE);
        let page = query.page.max(1);
        let limit = i64::from(per_page);
        let offset = i64::from(page - 1) * limit;
        let (total, papers) = match query.period.range() {
            Some(range) => self.list_of(range, query.sort, (limit, offset)).await?,
            // A week or month that the calendar does not have.
            None if query.period != Period::All => (0, Vec::new()),
            None => {
                // One transaction: number, first part and rest are of the same moment.
                let mut snapshot = self.readers().begin().await?;
                let total = count(&mut snapshot, COUNT_ALL).await?;
                let papers = whole_list(&mut snapshot, query.sort, limit, offset).await?;
                snapshot.commit().await?;
                (total, papers)
            }
        };
        let pages = u32::try_from(total.div_ceil(u64::from(per_page))).unwrap_or(u32::MAX);
        Ok(ListPage { papers, total, page, pages: pages.max(1) })
    }

    /// How many papers stand on lists of these days, and a stretch of them. One statement, for it is
    /// what most visitors ask first; only beyond the end is the number asked for by itself.
    async fn list_of(
        &self,
        (first, last): (Date, Date),
        sort: Sort,
        (limit, offset): (i64, i64),
    ) -> Result<(u64, Vec<Paper>)> {
        let (first, last) = (first.to_string(), last.to_string());
        let query = sqlx::query(AssertSqlSafe(range_sql(sort)));
        let query = query.bind(first.clone()).bind(last.clone()).bind(limit).bind(offset);
        let rows = query.fetch_all(self.readers()).await?;
        let total: i64 = match rows.first() {
            Some(row) => row.try_get("total")?,
            None if offset == 0 => 0,
            None => {
                let query = sqlx::query(COUNT_RANGE).bind(first).bind(last);
                query.fetch_one(self.readers()).await?.try_get(0)?
            }
        };
        Ok((total.unsigned_abs(), rows.iter().map(paper).collect::<Result<_, _>>()?))
    }

    /// The newest day that has a list.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn latest_day(&self) -> Result<Option<Date>> {
        let row = sqlx::query(LATEST_DAY).fetch_one(self.readers()).await?;
        Ok(sql::day(&row, 0)?)
    }

    /// The nearest periods of the same kind that have papers; none for [`Period::All`].
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn neighbours(&self, period: Period) -> Result<Neighbours> {
        let Some((first, last)) = period.range() else {
            return Ok(Neighbours::default());
        };
        let query = sqlx::query(NEIGHBOURS).bind(first.to_string()).bind(last.to_string());
        let row = query.fetch_one(self.readers()).await?;
        let of_same_kind = |day: Option<Date>| day.map(|day| period.of_same_kind(day));
        Ok(Neighbours {
            previous: of_same_kind(sql::day(&row, 0)?),
            next: of_same_kind(sql::day(&row, 1)?),
        })
    }

    /// Ids of papers in their order, each with the moment at which it came in, from the one at
    /// `offset` on: what a site map is made of.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn ids(&self, offset: u64, limit: u32) -> Result<Vec<(String, Timestamp)>> {
        let query = sqlx::query("SELECT id, added_at FROM papers ORDER BY id LIMIT $1 OFFSET $2");
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let query = query.bind(i64::from(limit)).bind(offset);
        let rows = query.fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, sql::moment(row.try_get(1)?)))).collect()
    }

    /// Papers in the catalogue.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn count_papers(&self) -> Result<u64> {
        let mut connection = self.readers().acquire().await?;
        count(&mut connection, COUNT_ALL).await
    }
}

/// With the condition of the index on days, without which all papers would be looked at.
const LATEST_DAY: &str = "SELECT MAX(listed) FROM papers WHERE listed IS NOT NULL";
const NEIGHBOURS: &str = "SELECT (SELECT MAX(listed) FROM papers WHERE listed < $1), \
     (SELECT MIN(listed) FROM papers WHERE listed > $2)";
const COUNT_ALL: &str = "SELECT COUNT(*) FROM papers";
const COUNT_RANGE: &str = "SELECT COUNT(*) FROM papers WHERE listed BETWEEN $1 AND $2";

/// A stretch of the list of all papers: of those that come first, then of the rest.
async fn whole_list(
    connection: &mut AnyConnection,
    sort: Sort,
    limit: i64,
    offset: i64,
) -> Result<Vec<Paper>> {
    let Some((first, rest)) = sort.first() else {
        return read(connection, all_sql(sort, None), (limit, offset)).await;
    };
    let number = format!("{COUNT_ALL} WHERE {first}");
    let number = i64::try_from(count(connection, number).await?).unwrap_or(i64::MAX);
    let mut papers = Vec::new();
    if offset < number {
        papers = read(connection, all_sql(sort, Some(first)), (limit, offset)).await?;
    }
    let left = limit - i64::try_from(papers.len()).unwrap_or(limit);
    if left > 0 {
        let slice = (left, (offset - number).max(0));
        let sql = all_sql(Sort::Date, Some(rest));
        papers.extend(read(connection, sql, slice).await?);
    }
    Ok(papers)
}

/// All papers, or those of one side of [`Sort::first`]: a stretch of the order's own index.
fn all_sql(sort: Sort, only: Option<&str>) -> String {
    let only = only.map(|condition| format!("WHERE {condition} "));
    format!(
        "SELECT {PAPER_COLUMNS} FROM papers {}ORDER BY {} LIMIT $1 OFFSET $2",
        only.unwrap_or_default(),
        sort.order()
    )
}

/// The papers of a period are found by their day and then sorted, by what they are sorted by alone: a
/// year has thousands. Subqueries and the join that names its order keep a planner from walking the
/// whole order instead in search of the few that lie in the period.
fn range_sql(sort: Sort) -> String {
    let order = sort.order();
    format!(
        "WITH of_period AS MATERIALIZED (SELECT id, dated, votes, trending, comments, verdict_rank, \
         title_key FROM papers WHERE listed BETWEEN $1 AND $2), \
         page AS MATERIALIZED (SELECT id AS chosen FROM of_period ORDER BY {order} \
         LIMIT $3 OFFSET $4) \
         SELECT {PAPER_COLUMNS}, (SELECT COUNT(*) FROM of_period) AS total \
         FROM page CROSS JOIN papers WHERE id = chosen ORDER BY {order}"
    )
}

async fn count(connection: &mut AnyConnection, sql: impl Into<String>) -> Result<u64> {
    let row = sqlx::query(AssertSqlSafe(sql.into())).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}

async fn read(
    connection: &mut AnyConnection,
    sql: String,
    (limit, offset): (i64, i64),
) -> Result<Vec<Paper>> {
    let query = sqlx::query(AssertSqlSafe(sql)).bind(limit).bind(offset);
    let rows = query.fetch_all(connection).await?;
    Ok(rows.iter().map(paper).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of SQLite's plan for a statement.
    async fn plan(catalog: &Catalog, sql: &str) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(catalog.readers());
        let steps = rows.await.unwrap();
        steps.iter().map(|row| row.try_get(3).unwrap()).collect()
    }

    #[tokio::test]
    async fn every_order_is_a_stretch_of_an_index() {
        let catalog = Catalog::in_memory().await.unwrap();
        for (sort, index) in [
            (Sort::Date, "papers_dated_idx"),
            (Sort::Votes, "papers_votes_idx"),
            (Sort::Trending, "papers_trending_idx"),
            (Sort::Comments, "papers_comments_idx"),
            (Sort::Verdict, "papers_verdict_idx"),
            (Sort::Title, "papers_title_idx"),
        ] {
            let first = sort.first().map(|(first, _)| first);
            let steps = plan(&catalog, &all_sql(sort, first)).await;
            // One step: nothing is sorted.
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].contains(&format!(" USING INDEX {index}")), "{steps:?}");
            if let Some((first, rest)) = sort.first() {
                let steps = plan(&catalog, &all_sql(Sort::Date, Some(rest))).await;
                assert_eq!(steps, ["SCAN papers USING INDEX papers_dated_idx"], "{sort}");
                let steps = plan(&catalog, &format!("{COUNT_ALL} WHERE {first}")).await;
                assert!(steps[0].contains("USING COVERING INDEX"), "{steps:?}");
            }
            let steps = plan(&catalog, &range_sql(sort)).await;
            let found = "SEARCH papers USING INDEX papers_listed_idx (listed>? AND listed<?)";
            assert!(steps.iter().any(|step| step == found), "{steps:?}");
            let read = "SEARCH papers USING INDEX sqlite_autoindex_papers_1 (id=?)";
            assert!(steps.iter().any(|step| step == read), "{steps:?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN papers")), "{steps:?}");
        }
        let steps = plan(&catalog, LATEST_DAY).await;
        assert_eq!(steps, ["SEARCH papers USING COVERING INDEX papers_listed_idx (listed>?)"]);
        let steps = plan(&catalog, NEIGHBOURS).await;
        let searches =
            steps.iter().filter(|step| step.contains("COVERING INDEX papers_listed_idx"));
        assert_eq!(searches.count(), 2, "{steps:?}");
        let steps = plan(&catalog, COUNT_RANGE).await;
        let found = "SEARCH papers USING COVERING INDEX papers_listed_idx (listed>? AND listed<?)";
        assert_eq!(steps, [found]);
    }

    #[test]
    fn names_of_orders() {
        for sort in Sort::ALL {
            assert_eq!(sort.to_string().parse::<Sort>().unwrap(), sort);
        }
        let error = "hot".parse::<Sort>().unwrap_err().to_string();
        assert!(error.starts_with("sort order `hot` is not valid; expected `date`"), "{error}");
    }
}
