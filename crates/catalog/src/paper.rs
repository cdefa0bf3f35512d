//! Papers as they come in and as they stand in the catalogue.

use jiff::Timestamp;
use jiff::civil::Date;
use pressrun_lab::{Manifest, Outcome, Record};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::sql::{count, day, moment};

/// A paper as somebody states it: an importer, a study's manifest, a form.
///
/// Only the title is needed. What is absent says nothing: it never erases what the catalogue knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewPaper {
    /// Id in the catalogue. Empty if the source has none: the arXiv id is taken, else one is made
    /// from the title.
    pub id: String,
    /// Slug of the study that runs the paper.
    pub slug: Option<String>,
    /// Title.
    pub title: String,
    /// Abstract.
    pub summary: String,
    /// Authors in the order of the paper.
    pub authors: Vec<String>,
    /// Date of publication, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as precise as is known.
    pub published: Option<String>,
    /// Day of the list on which the paper stands.
    pub listed: Option<Date>,
    /// Primary arXiv category.
    pub category: Option<String>,
    /// arXiv id; a version suffix or URL around it is taken off.
    pub arxiv_id: Option<String>,
    /// DOI; a URL around it is taken off, and letters are folded to lower case.
    pub doi: Option<String>,
    /// Conference or journal.
    pub venue: Option<String>,
    /// Where the authors' code is.
    pub code_url: Option<String>,
    /// SPDX name of the licence of that code.
    pub code_licence: Option<String>,
    /// The project's own page.
    #[serde(default)]
    pub project_url: Option<String>,
    /// Tags: what the source calls keywords, or a study's family.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl NewPaper {
    /// What a study's manifest states about its paper.
    pub fn from_manifest(manifest: &Manifest) -> Self {
        Self {
            id: manifest.paper_id().to_owned(),
            slug: Some(manifest.slug.clone()),
            title: manifest.title.clone(),
            summary: manifest.summary.clone(),
            authors: manifest.authors.clone(),
            published: Some(manifest.published.clone()),
            listed: manifest.listed.parse().ok(),
            category: manifest.category.clone(),
            arxiv_id: manifest.arxiv_id.clone(),
            doi: None,
            venue: None,
            code_url: manifest.code.as_ref().map(|c| c.url.clone()),
            code_licence: manifest.code.as_ref().and_then(|c| c.licence.clone()),
            project_url: None,
            tags: vec![manifest.family.clone()],
        }
    }
}

/// A paper of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Id: the arXiv id if the paper came with one, else a slug made from its title. It never
    /// changes, because links and mails refer to it.
    pub id: String,
    /// Slug of the study that runs the paper.
    pub slug: Option<String>,
    /// Title.
    pub title: String,
    /// Abstract; empty where none is known.
    pub summary: String,
    /// Authors in the order of the paper.
    pub authors: Vec<String>,
    /// Date of publication, as precise as is known.
    pub published: Option<String>,
    /// Day of the list on which the paper stands.
    pub listed: Option<Date>,
    /// Primary arXiv category.
    pub category: Option<String>,
    /// arXiv id without version.
    pub arxiv_id: Option<String>,
    /// DOI in lower case.
    pub doi: Option<String>,
    /// Conference or journal.
    pub venue: Option<String>,
    /// Where the authors' code is.
    pub code_url: Option<String>,
    /// SPDX name of the licence of that code.
    pub code_licence: Option<String>,
    /// The project's own page.
    #[serde(default)]
    pub project_url: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Votes.
    pub votes: i64,
    /// Comments.
    pub comments: i64,
    /// Outcomes of the newest full record, else of the newest quick one.
    pub verdicts: Option<VerdictCounts>,
    /// When the paper came into the catalogue.
    pub added_at: Timestamp,
}

impl Paper {
    /// A paper that has just come into a catalogue: nobody has voted on it or run it.
    pub fn new(new: NewPaper, added_at: Timestamp) -> Self {
        Self {
            id: new.id,
            slug: new.slug,
            title: new.title,
            summary: new.summary,
            authors: new.authors,
            published: new.published,
            listed: new.listed,
            category: new.category,
            arxiv_id: new.arxiv_id,
            doi: new.doi,
            venue: new.venue,
            code_url: new.code_url,
            code_licence: new.code_licence,
            project_url: new.project_url,
            tags: new.tags,
            votes: 0,
            comments: 0,
            verdicts: None,
            added_at,
        }
    }
}

/// How many claims of a paper had which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct VerdictCounts {
    /// Claims reproduced.
    pub reproduced: u32,
    /// Claims that hold in part.
    pub partly: u32,
    /// Claims that did not hold on our data and budget.
    pub not_at_this_scale: u32,
    /// Claims without a check.
    pub not_tested: u32,
}

impl VerdictCounts {
    /// The counts of a record.
    pub fn of(record: &Record) -> Self {
        let count = |outcome| u32::try_from(record.count(outcome)).unwrap_or(u32::MAX);
        Self {
            reproduced: count(Outcome::Reproduced),
            partly: count(Outcome::Partly),
            not_at_this_scale: count(Outcome::NotAtThisScale),
            not_tested: count(Outcome::NotTested),
        }
    }

    /// The number of claims with an outcome.
    pub fn count(self, outcome: Outcome) -> u32 {
        match outcome {
            Outcome::Reproduced => self.reproduced,
            Outcome::Partly => self.partly,
            Outcome::NotAtThisScale => self.not_at_this_scale,
            Outcome::NotTested => self.not_tested,
        }
    }

    /// How many claims have each outcome.
    pub fn each(self) -> [(Outcome, u32); 4] {
        [
            (Outcome::Reproduced, self.reproduced),
            (Outcome::Partly, self.partly),
            (Outcome::NotAtThisScale, self.not_at_this_scale),
            (Outcome::NotTested, self.not_tested),
        ]
    }

    /// The outcome that colours the whole: green only if every claim is reproduced.
    pub fn tone(self) -> Outcome {
        if self.reproduced == self.total() {
            Outcome::Reproduced
        } else if self.reproduced + self.partly > 0 {
            Outcome::Partly
        } else if self.not_at_this_scale > 0 {
            Outcome::NotAtThisScale
        } else {
            Outcome::NotTested
        }
    }

    /// All claims.
    pub fn total(self) -> u32 {
        self.reproduced + self.partly + self.not_at_this_scale + self.not_tested
    }

    /// The key by which lists are sorted by verdict: the share of claims reproduced, then the
    /// share that holds in part, each in thousandths. Papers without a record have -1.
    pub(crate) fn rank(self) -> i64 {
        let total = i64::from(self.total().max(1));
        let thousandths = |count: u32| i64::from(count) * 1000 / total;
        thousandths(self.reproduced) * 1001 + thousandths(self.partly)
    }
}

/// Columns of a paper as it was stated, in the order in which they are read.
pub(crate) const NEW_PAPER_COLUMNS: &str = "id, slug, title, summary, published, listed, category, \
     arxiv_id, doi, venue, code_url, code_licence, authors, tags, project_url";

/// Columns of a paper: those of [`NEW_PAPER_COLUMNS`], then the catalogue's own.
pub(crate) const PAPER_COLUMNS: &str = "id, slug, title, summary, published, listed, category, \
     arxiv_id, doi, venue, code_url, code_licence, authors, tags, project_url, votes, comments, \
     verdict_rank, reproduced, partly, not_at_this_scale, not_tested, added_at";

/// Reads [`NEW_PAPER_COLUMNS`].
pub(crate) fn new_paper(row: &AnyRow) -> Result<NewPaper, sqlx::Error> {
    Ok(NewPaper {
        id: row.try_get(0)?,
        slug: row.try_get(1)?,
        title: row.try_get(2)?,
        summary: row.try_get(3)?,
        authors: row.try_get::<&str, _>(12)?.lines().map(str::to_owned).collect(),
        published: row.try_get(4)?,
        listed: day(row, 5)?,
        category: row.try_get(6)?,
        arxiv_id: row.try_get(7)?,
        doi: row.try_get(8)?,
        venue: row.try_get(9)?,
        code_url: row.try_get(10)?,
        code_licence: row.try_get(11)?,
        tags: row.try_get::<&str, _>(13)?.lines().map(str::to_owned).collect(),
        project_url: row.try_get(14)?,
    })
}

/// Reads [`PAPER_COLUMNS`].
pub(crate) fn paper(row: &AnyRow) -> Result<Paper, sqlx::Error> {
    let stated = new_paper(row)?;
    let rank: i64 = row.try_get(17)?;
    let verdicts = VerdictCounts {
        reproduced: count(row, 18)?,
        partly: count(row, 19)?,
        not_at_this_scale: count(row, 20)?,
        not_tested: count(row, 21)?,
    };
    Ok(Paper {
        id: stated.id,
        slug: stated.slug,
        title: stated.title,
        summary: stated.summary,
        authors: stated.authors,
        published: stated.published,
        listed: stated.listed,
        category: stated.category,
        arxiv_id: stated.arxiv_id,
        doi: stated.doi,
        venue: stated.venue,
        code_url: stated.code_url,
        code_licence: stated.code_licence,
        project_url: stated.project_url,
        tags: stated.tags,
        votes: row.try_get(15)?,
        comments: row.try_get(16)?,
        verdicts: (rank >= 0).then_some(verdicts),
        added_at: moment(row.try_get(22)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(reproduced: u32, partly: u32, not_at_this_scale: u32, not_tested: u32) -> i64 {
        VerdictCounts { reproduced, partly, not_at_this_scale, not_tested }.rank()
    }

    #[test]
    fn rank_orders_by_share_reproduced_then_partly() {
        let falling = [
            counts(3, 0, 0, 0),
            counts(3, 1, 0, 0),
            counts(1, 1, 0, 0),
            counts(1, 0, 1, 0),
            counts(0, 4, 0, 0),
            counts(0, 1, 3, 0),
            counts(0, 0, 5, 0),
        ];
        assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
        assert_eq!(counts(0, 0, 0, 0), 0);
    }
}
