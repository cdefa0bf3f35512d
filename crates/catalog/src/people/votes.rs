//! Votes, and the order of trending papers that they make.
//!
//! ```text
//! trending = ln( sum over votes of e^(lambda t) )        lambda = ln 2 / half-life, t in seconds
//! ```
//!
//! A vote counts half as much after each half-life, for every paper alike: instead of all votes
//! shrinking, each new one is larger than the last (forward decay). The order then changes only when
//! somebody votes, and a vote is one update. The logarithm keeps the sum in the range of a number.
//!
//! # Source
//! Cormode, Shkapenyuk, Srivastava and Xu, Forward decay: a practical time decay model for streaming
//! systems, 2009.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::Any;
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::sql::{moment, now, padded, rows};
use crate::{Catalog, Error, Result, dialect};

/// How a paper stands after a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voted {
    /// Whether the person's vote is there now.
    pub voted: bool,
    /// Votes of the paper.
    pub votes: i64,
}

/// The name under which the half-life is stored.
const HALF_LIFE: &str = "trending half-life in seconds";
/// Until another one is set.
const DEFAULT_HALF_LIFE: f64 = 2.0 * 24.0 * 3600.0;
/// What stands for the logarithm of nothing; see the first migration.
const NOTHING: f64 = -1e300;
/// Share of a paper's weight up to which a vote is taken out by subtraction: what is left then has lost
/// three binary digits at most. Beyond it the votes that stay are added up anew.
const SUBTRACTED: f64 = 0.9;

/// The logarithm of a vote's weight.
fn weight(at: i64, half_life: f64) -> f64 {
    std::f64::consts::LN_2 / half_life * (at as f64 / 1e6)
}

/// ln(e^a + e^b)
fn added(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low <= NOTHING { high } else { high + (low - high).exp().ln_1p() }
}

impl Catalog {
    /// Votes for a paper, or takes the vote back. Doing the same again changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownPaper`] if there is no such paper.
    pub async fn vote(&self, person: i64, paper: &str, wanted: bool) -> Result<Voted> {
        let mut transaction = self.write().await?;
        let voted = vote_at(&mut transaction, person, paper, wanted, now()).await?;
        transaction.commit().await?;
        Ok(voted)
    }

    /// Which of these papers a person has voted for.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn voted_for(&self, person: i64, papers: &[&str]) -> Result<HashSet<String>> {
        /// Papers that one statement asks for.
        const LOOKUP: usize = 64;
        let mut voted = HashSet::new();
        for part in papers.chunks(LOOKUP) {
            // A few sizes, so that the statement stays prepared: the first stands for the rest.
            let size = part.len().next_power_of_two();
            let mut sql =
                format!("SELECT paper FROM votes WHERE paper IN {} AND person = ", rows(1, size));
            dialect::placeholder(&mut sql, size + 1);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for paper in padded(part, size) {
                query = query.bind((*paper).to_owned());
            }
            query = query.bind(person);
            for row in query.fetch_all(self.readers()).await? {
                voted.insert(row.try_get(0)?);
            }
        }
        Ok(voted)
    }

    /// What a person has voted for, the last vote first.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be read.
    pub async fn votes_of(&self, person: i64) -> Result<Vec<(String, Timestamp)>> {
        let sql = "SELECT paper, at FROM votes WHERE person = $1 ORDER BY at DESC, paper";
        let rows = sqlx::query(sql).bind(person).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, moment(row.try_get(1)?)))).collect()
    }

    /// Sets after how long a vote counts half in the order of trending papers. If it is another one than
    /// before, the order is made anew from all votes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for less than a minute.
    pub async fn set_trending_half_life(&self, half_life: Duration) -> Result<()> {
        if half_life < Duration::from_secs(60) {
            return Err(Error::Invalid {
                what: "half-life",
                value: format!("{half_life:?}"),
                expected: "at least a minute",
            });
        }
        let wanted = half_life.as_secs_f64();
        let mut transaction = self.write().await?;
        if half_life_of(&mut transaction).await? == wanted {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(HALF_LIFE)
        .bind(wanted.to_string())
        .execute(&mut *transaction)
        .await?;
        let papers = sqlx::query("SELECT DISTINCT paper FROM votes ORDER BY paper");
        for row in papers.fetch_all(&mut *transaction).await? {
            let paper: String = row.try_get(0)?;
            let trending = summed(&mut transaction, &paper, wanted).await?;
            let sql = "UPDATE papers SET trending = $1 WHERE id = $2";
            let query = sqlx::query(sql).bind(trending).bind(paper);
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}

async fn half_life_of(transaction: &mut Transaction<'_, Any>) -> Result<f64> {
    let query = sqlx::query("SELECT value FROM settings WHERE name = $1").bind(HALF_LIFE);
    let Some(row) = query.fetch_optional(&mut **transaction).await? else {
        return Ok(DEFAULT_HALF_LIFE);
    };
    let text: String = row.try_get(0)?;
    text.parse().map_err(|error: std::num::ParseFloatError| Error::Stored {
        what: "setting",
        key: HALF_LIFE.to_owned(),
        message: error.to_string(),
    })
}

/// The order of a paper from its votes as they are.
async fn summed(
    transaction: &mut Transaction<'_, Any>,
    paper: &str,
    half_life: f64,
) -> Result<f64> {
    let query = sqlx::query("SELECT at FROM votes WHERE paper = $1").bind(paper.to_owned());
    let mut sum = NOTHING;
    for row in query.fetch_all(&mut **transaction).await? {
        sum = added(sum, weight(row.try_get(0)?, half_life));
    }
    Ok(sum)
}

/// A vote at a given time, in microseconds.
async fn vote_at(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
    paper: &str,
    wanted: bool,
    at: i64,
) -> Result<Voted> {
    let query = sqlx::query("SELECT votes, trending FROM papers WHERE id = $1");
    let row = query.bind(paper.to_owned()).fetch_optional(&mut **transaction).await?;
    let row = row.ok_or_else(|| Error::UnknownPaper { paper: paper.to_owned() })?;
    let (votes, trending): (i64, f64) = (row.try_get(0)?, row.try_get(1)?);
    let change = if wanted {
        let sql =
            "INSERT INTO votes (at, person, paper) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(at).bind(person).bind(paper.to_owned());
        let new = query.execute(&mut **transaction).await?.rows_affected() > 0;
        let weight = weight(at, half_life_of(transaction).await?);
        new.then(|| (1, added(trending, weight)))
    } else {
        withdraw(transaction, person, paper, trending).await?.map(|trending| (-1, trending))
    };
    let Some((step, trending)) = change else { return Ok(Voted { voted: wanted, votes }) };
    // Without votes nothing is left of rounding either.
    let trending = if votes + step > 0 { trending } else { NOTHING };
    sqlx::query("UPDATE papers SET votes = $1, trending = $2 WHERE id = $3")
        .bind(votes + step)
        .bind(trending)
        .bind(paper.to_owned())
        .execute(&mut **transaction)
        .await?;
    Ok(Voted { voted: wanted, votes: votes + step })
}

/// Removes a vote; the paper's order without it, if it was there.
async fn withdraw(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
    paper: &str,
    trending: f64,
) -> Result<Option<f64>> {
    let sql = "SELECT at FROM votes WHERE paper = $1 AND person = $2";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(person);
    let Some(row) = query.fetch_optional(&mut **transaction).await? else { return Ok(None) };
    let at: i64 = row.try_get(0)?;
    let sql = "DELETE FROM votes WHERE paper = $1 AND person = $2";
    let query = sqlx::query(sql).bind(paper.to_owned()).bind(person);
    query.execute(&mut **transaction).await?;
    let half_life = half_life_of(transaction).await?;
    let share = (weight(at, half_life) - trending).exp();
    Ok(Some(if share < SUBTRACTED {
        trending + (-share).ln_1p()
    } else {
        summed(transaction, paper, half_life).await?
    }))
}

/// Takes back all votes of a person.
pub(super) async fn withdraw_all(
    transaction: &mut Transaction<'_, Any>,
    person: i64,
) -> Result<()> {
    let query = sqlx::query("SELECT paper FROM votes WHERE person = $1").bind(person);
    for row in query.fetch_all(&mut **transaction).await? {
        let paper: String = row.try_get(0)?;
        vote_at(transaction, person, &paper, false, now()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::people::{Email, Role};
    use crate::{ListQuery, NewPaper, Period, Sort};

    const DAY: i64 = 24 * 3600 * 1_000_000;

    async fn catalog(papers: usize, people: usize) -> (Catalog, Vec<i64>) {
        let catalog = Catalog::in_memory().await.unwrap();
        let paper = |i: usize| NewPaper {
            id: format!("p{i}"),
            title: format!("Paper {i}"),
            ..NewPaper::default()
        };
        catalog.upsert(&(0..papers).map(paper).collect::<Vec<_>>()).await.unwrap();
        let mut ids = Vec::new();
        for i in 0..people {
            let email: Email = format!("p{i}@example.org").parse().unwrap();
            ids.push(catalog.add_person(&email, Role::Reader).await.unwrap().id);
        }
        (catalog, ids)
    }

    async fn stored(catalog: &Catalog) -> Vec<(i64, f64)> {
        let rows = sqlx::query("SELECT votes, trending FROM papers ORDER BY id");
        let rows = rows.fetch_all(catalog.readers()).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// What the numbers of each paper should be, by adding everything up.
    async fn brute_force(catalog: &Catalog, papers: usize, half_life: f64) -> Vec<(i64, f64)> {
        let rows = sqlx::query("SELECT paper, at FROM votes").fetch_all(catalog.readers()).await;
        let rows = rows.unwrap();
        (0..papers)
            .map(|i| {
                let of = |row: &&sqlx::any::AnyRow| row.get::<String, _>(0) == format!("p{i}");
                let times: Vec<i64> = rows.iter().filter(of).map(|row| row.get(1)).collect();
                let latest = times.iter().copied().max().unwrap_or(0);
                let decay = |at: &i64| 0.5_f64.powf((latest - at) as f64 / 1e6 / half_life);
                let sum: f64 = times.iter().map(decay).sum();
                let trending = weight(latest, half_life) + sum.ln();
                (times.len() as i64, if times.is_empty() { NOTHING } else { trending })
            })
            .collect()
    }

    async fn agree(catalog: &Catalog, papers: usize, half_life: f64) {
        let expected = brute_force(catalog, papers, half_life).await;
        for (i, (found, expected)) in stored(catalog).await.into_iter().zip(expected).enumerate() {
            assert_eq!(found.0, expected.0, "p{i}");
            assert!((found.1 - expected.1).abs() < 1e-6, "p{i}: {found:?}, expected {expected:?}");
        }
    }

    #[tokio::test]
    async fn a_vote_counts_once_and_can_be_taken_back() {
        let (catalog, people) = catalog(2, 2).await;
        let vote = async |person: usize, wanted| catalog.vote(people[person], "p0", wanted).await;
        assert_eq!(vote(0, true).await.unwrap(), Voted { voted: true, votes: 1 });
        assert_eq!(vote(0, true).await.unwrap(), Voted { voted: true, votes: 1 });
        assert_eq!(vote(1, true).await.unwrap().votes, 2);
        assert_eq!(catalog.voted_for(people[0], &["p1", "p0"]).await.unwrap().len(), 1);
        assert_eq!(vote(0, false).await.unwrap(), Voted { voted: false, votes: 1 });
        assert_eq!(vote(0, false).await.unwrap().votes, 1);
        assert!(catalog.voted_for(people[0], &["p0"]).await.unwrap().is_empty());
        agree(&catalog, 2, DEFAULT_HALF_LIFE).await;
        let unknown = catalog.vote(people[0], "p9", true).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownPaper { .. }), "{unknown}");
        // With the person their votes go.
        catalog.delete_person(people[1]).await.unwrap();
        assert_eq!(stored(&catalog).await, [(0, NOTHING), (0, NOTHING)]);
    }

    #[tokio::test]
    async fn newer_votes_count_more_and_the_half_life_can_be_set() {
        let (catalog, people) = catalog(2, 3).await;
        let start = 1_700_000_000_000_000;
        let mut transaction = catalog.write().await.unwrap();
        for (person, paper, at) in
            [(0, "p0", start), (1, "p0", start + DAY), (2, "p1", start + 3 * DAY)]
        {
            vote_at(&mut transaction, people[person], paper, true, at).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let first = async || {
            let query = ListQuery::new(Period::All, Sort::Trending);
            catalog.list(&query).await.unwrap().papers[0].id.clone()
        };
        // After two days half: 1 against 2^-1.5 + 2^-1.
        assert_eq!(first().await, "p1");
        agree(&catalog, 2, DEFAULT_HALF_LIFE).await;
        // After a year half: two are more than one.
        let year = Duration::from_secs(365 * 24 * 3600);
        catalog.set_trending_half_life(year).await.unwrap();
        assert_eq!(first().await, "p0");
        agree(&catalog, 2, year.as_secs_f64()).await;
        assert!(catalog.set_trending_half_life(Duration::from_secs(1)).await.is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn any_votes_leave_what_adding_up_gives(
            votes in prop::collection::vec((0..4_usize, 0..6_usize, any::<bool>(), 0..40 * DAY), 1..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (catalog, people) = catalog(4, 6).await;
                let mut transaction = catalog.write().await.unwrap();
                for (paper, person, wanted, at) in votes {
                    let (paper, at) = (format!("p{paper}"), 1_700_000_000_000_000 + at);
                    vote_at(&mut transaction, people[person], &paper, wanted, at).await.unwrap();
                }
                transaction.commit().await.unwrap();
                agree(&catalog, 4, DEFAULT_HALF_LIFE).await;
            });
        }
    }
}
