//! What a study is, and the shelf on which studies and papers stand.

use crate::manifest::Manifest;
use crate::record::Record;
use crate::results::{MetricSpec, Results, SeriesSpec};
use crate::run::Run;
use crate::verdict::{Judge, Verdict};
use crate::{Error, Result};

/// A program that runs a paper.
///
/// A study reports through its [`Run`] and never prints. `check` is a pure function of the
/// results, so that the verdicts of any record can be computed again from its numbers.
pub trait Study: Send + Sync {
    /// The scalar series reported while running.
    fn series(&self) -> Vec<SeriesSpec>;

    /// The metrics reported per method, setting and seed.
    fn metrics(&self) -> Vec<MetricSpec>;

    /// Trains and measures the method and its baselines.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the run was cancelled; other errors as the study meets them.
    fn run(&self, run: &Run) -> Result<()>;

    /// Fills in the numbers of every check that the results cover.
    ///
    /// # Errors
    /// If a check is not declared in `paper.toml` or its numbers were not reported.
    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()>;

    /// Seeds of the quick and full profile, unless the caller says how many.
    fn default_seeds(&self, profile: crate::Profile) -> u64 {
        match profile {
            crate::Profile::Quick => 1,
            crate::Profile::Full => 3,
        }
    }
}

/// A source file of a study, readable on the paper's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Path in the repository.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// A paper with, where it has been written, the study that runs it.
pub struct Entry {
    /// The paper.
    pub manifest: Manifest,
    /// The study.
    pub study: Option<Box<dyn Study>>,
    /// The last full run that was recorded with the source.
    pub record: Option<Record>,
    /// The study's source.
    pub sources: Vec<Source>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("slug", &self.manifest.slug)
            .field("runs", &self.study.is_some())
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// The verdicts that follow from these results by this paper's thresholds.
    ///
    /// # Errors
    /// As [`Study::check`]; [`Error::UnknownStudy`] if the paper has no study.
    pub fn judge(&self, results: &Results) -> Result<Vec<Verdict>> {
        let Some(study) = &self.study else {
            return Err(Error::UnknownStudy { slug: self.manifest.slug.clone() });
        };
        let mut judge = Judge::new(&self.manifest);
        study.check(results, &mut judge)?;
        Ok(judge.conclude())
    }
}

/// All papers of this build, and the comparisons across papers.
#[derive(Debug, Default)]
pub struct Library {
    entries: Vec<Entry>,
    comparisons: Vec<Entry>,
}

impl Library {
    /// A library of these papers, ordered by slug.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.manifest.slug.cmp(&b.manifest.slug));
        Self { entries, comparisons: Vec::new() }
    }

    /// The same with these comparisons: studies of no single paper, which stand in no list of
    /// papers and are run by their slug like the others.
    pub fn with_comparisons(mut self, mut comparisons: Vec<Entry>) -> Self {
        comparisons.sort_by(|a, b| a.manifest.slug.cmp(&b.manifest.slug));
        self.comparisons = comparisons;
        self
    }

    /// All comparisons, by slug.
    pub fn comparisons(&self) -> &[Entry] {
        &self.comparisons
    }

    /// The comparison of that slug.
    pub fn comparison(&self, slug: &str) -> Option<&Entry> {
        self.comparisons.iter().find(|e| e.manifest.slug == slug)
    }

    /// All papers, by slug.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The paper of that slug.
    pub fn get(&self, slug: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.manifest.slug == slug)
    }

    /// The paper or comparison of that slug, if it has a study.
    ///
    /// # Errors
    /// [`Error::UnknownStudy`] otherwise.
    pub fn runnable(&self, slug: &str) -> Result<&Entry> {
        self.get(slug)
            .or_else(|| self.comparison(slug))
            .filter(|e| e.study.is_some())
            .ok_or_else(|| Error::UnknownStudy { slug: slug.into() })
    }
}
