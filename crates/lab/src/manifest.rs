//! `paper.toml`: one paper, its claims, and the thresholds by which they are judged.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Everything known about a paper before anything runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Stable name in URLs: lower case, digits and hyphens.
    pub slug: String,
    /// Title as the listing prints it.
    pub title: String,
    /// Abstract as the listing prints it.
    #[serde(rename = "abstract")]
    pub summary: String,
    /// arXiv identifier, e.g. `2301.10909`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arxiv_id: Option<String>,
    /// Authors in the order of the paper.
    pub authors: Vec<String>,
    /// Date of first publication: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as precise as is known.
    pub published: String,
    /// What is uncertain about the date, e.g. "day from memory".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_note: Option<String>,
    /// Day of the list on which the paper stands, `YYYY-MM-DD`.
    pub listed: String,
    /// Primary arXiv category, e.g. `cs.LG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What is uncertain about the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_note: Option<String>,
    /// Family of methods, e.g. `gates`.
    pub family: String,
    /// Official code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What the study changes of the paper; absent while no study exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<StudySpec>,
    /// Pairs of metrics that the page plots against each other.
    #[serde(rename = "plot", default, skip_serializing_if = "Vec::is_empty")]
    pub plots: Vec<PlotSpec>,
    /// Numbered claims, in order.
    #[serde(rename = "claim", default)]
    pub claims: Vec<ClaimSpec>,
}

/// Two metrics of which each method is a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlotSpec {
    /// Name of the metric on the horizontal axis.
    pub x: String,
    /// Name of the metric on the vertical axis.
    pub y: String,
}

/// The authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Where it is.
    pub url: String,
    /// SPDX name of its licence; absent where the repository has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// A remark, e.g. "announced, not inspected".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// "What we ran against what the paper ran".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySpec {
    /// One or two sentences: the idea, as the page's reader needs it.
    pub idea: String,
    /// Details of the method had to be reconstructed; no verdict is then better than `partly`.
    #[serde(default)]
    pub reconstructed: bool,
    /// Aspect by aspect, the paper's setting and ours.
    pub setup: Vec<SetupRow>,
    /// Numbered differences from the paper, each with section, table or page where known.
    #[serde(default)]
    pub differences: Vec<String>,
}

/// One row of the comparison of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRow {
    /// Data, model, budget, tuning ...
    pub aspect: String,
    /// What the paper ran.
    pub paper: String,
    /// What the study runs.
    pub ours: String,
}

/// Whether a claim's wording was seen in the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimStatus {
    /// Read in the abstract, the paper or its repository.
    Confirmed,
    /// Stated from memory by the dossier.
    Unconfirmed,
}

/// One testable sentence of a paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimSpec {
    /// `C1`, `C2`, ...
    pub id: String,
    /// The claim in one sentence, with its numbers.
    pub text: String,
    /// Where the claim stands: "abstract", "Table 2", "README", "dossier".
    pub source: String,
    /// Confirmed or from memory.
    pub status: ClaimStatus,
    /// Why no check exists: the claim is then `not tested` for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_tested: Option<String>,
    /// Checks with their thresholds, fixed before the full run.
    #[serde(rename = "check", default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
}

/// One comparison on which a claim's verdict rests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// Name by which the study's code fills in the numbers.
    pub id: String,
    /// What is compared, in words: "test AUC on the planted log (FM)".
    pub what: String,
    /// What holding this check is needed for.
    pub level: Level,
    /// The comparison and its threshold.
    pub test: Test,
}

/// For which verdict a check is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Needed for `partly` and for `reproduced`.
    Partly,
    /// Needed for `reproduced` only.
    Reproduced,
}

/// A comparison and its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Test {
    /// `measured - against > by`.
    Higher {
        /// Needed margin.
        by: f64,
        /// Its unit.
        unit: MarginUnit,
    },
    /// `against - measured > by`.
    Lower {
        /// Needed margin.
        by: f64,
        /// Its unit.
        unit: MarginUnit,
    },
    /// `measured >= against - slack`: no worse where more is better.
    NotLower {
        /// Allowed shortfall.
        slack: f64,
        /// Its unit.
        unit: MarginUnit,
    },
    /// `measured <= against + slack`: no worse where less is better.
    NotHigher {
        /// Allowed excess.
        slack: f64,
        /// Its unit.
        unit: MarginUnit,
    },
    /// `measured >= limit`.
    AtLeast {
        /// The limit.
        limit: f64,
    },
    /// `measured <= limit`.
    AtMost {
        /// The limit.
        limit: f64,
    },
    /// `low <= measured <= high`.
    Within {
        /// Lower limit.
        low: f64,
        /// Upper limit.
        high: f64,
    },
}

/// Unit of a margin between two measured numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarginUnit {
    /// The metric's own unit.
    Absolute,
    /// Standard errors of the difference of the two means over seeds.
    StandardErrors,
    /// Fraction of the number compared with.
    Relative,
}

impl Manifest {
    /// Reads a `paper.toml`.
    ///
    /// # Errors
    /// [`Error::Manifest`] with line and column, or naming the rule broken: a slug of lower-case
    /// letters, digits and hyphens, claims numbered `C1, C2, ...` without gaps, check ids unique
    /// within a claim, and never both checks and `not_tested`.
    pub fn parse(text: &str, folder: &str) -> Result<Self> {
        let fail = |message: String| Error::Manifest { slug: folder.to_owned(), message };
        let manifest: Self = toml::from_str(text).map_err(|e| fail(e.to_string()))?;
        let slug_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if manifest.slug.is_empty() || !manifest.slug.chars().all(slug_ok) {
            return Err(fail(format!(
                "slug `{}` must consist of lower-case letters, digits and hyphens",
                manifest.slug
            )));
        }
        for (index, claim) in manifest.claims.iter().enumerate() {
            let expected = format!("C{}", index + 1);
            if claim.id != expected {
                return Err(fail(format!("claim `{}` should be `{expected}`", claim.id)));
            }
            if claim.not_tested.is_some() && !claim.checks.is_empty() {
                return Err(fail(format!("claim `{}` has checks and `not_tested`", claim.id)));
            }
            let mut seen = HashSet::new();
            if let Some(twice) = claim.checks.iter().find(|c| !seen.insert(&c.id)) {
                return Err(fail(format!("claim `{}` has check `{}` twice", claim.id, twice.id)));
            }
        }
        Ok(manifest)
    }

    /// The identifier in the catalogue: the arXiv id, else the slug.
    pub fn paper_id(&self) -> &str {
        self.arxiv_id.as_deref().unwrap_or(&self.slug)
    }

    /// Year of publication, if the date begins with one.
    pub fn year(&self) -> Option<i32> {
        self.published.get(..4)?.parse().ok()
    }

    /// The claim of that id.
    pub fn claim(&self, id: &str) -> Option<&ClaimSpec> {
        self.claims.iter().find(|c| c.id == id)
    }
}

impl Test {
    /// The comparison in words, with its threshold, as the page prints it.
    pub fn describe(&self) -> String {
        let amount = |value: &f64, unit: &MarginUnit| match unit {
            MarginUnit::Absolute => format!("{value}"),
            MarginUnit::StandardErrors => format!("{value} standard errors"),
            MarginUnit::Relative => format!("{} %", value * 100.0),
        };
        match self {
            Self::Higher { by, unit } => format!("higher by more than {}", amount(by, unit)),
            Self::Lower { by, unit } => format!("lower by more than {}", amount(by, unit)),
            Self::NotLower { slack, unit } => {
                format!("lower by no more than {}", amount(slack, unit))
            }
            Self::NotHigher { slack, unit } => {
                format!("higher by no more than {}", amount(slack, unit))
            }
            Self::AtLeast { limit } => format!("at least {limit}"),
            Self::AtMost { limit } => format!("at most {limit}"),
            Self::Within { low, high } => format!("between {low} and {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        slug = "a-b"
        title = "T"
        abstract = "A"
        authors = ["X"]
        published = "2023"
        listed = "2025-09-09"
        family = "gates"
    "#;

    #[test]
    fn reads_a_claim_with_its_threshold() {
        let text = format!(
            "{MINIMAL}\n[[claim]]\nid = \"C1\"\ntext = \"t\"\nsource = \"abstract\"\nstatus = \"confirmed\"\n\
             [[claim.check]]\nid = \"x\"\nwhat = \"w\"\nlevel = \"reproduced\"\n\
             test = {{ kind = \"higher\", by = 1.0, unit = \"standard-errors\" }}\n"
        );
        let manifest = Manifest::parse(&text, "a_b").unwrap();
        assert_eq!(manifest.paper_id(), "a-b");
        assert_eq!(
            manifest.claims[0].checks[0].test,
            Test::Higher { by: 1.0, unit: MarginUnit::StandardErrors }
        );
    }

    #[test]
    fn names_what_is_wrong() {
        let gap = format!(
            "{MINIMAL}\n[[claim]]\nid = \"C2\"\ntext = \"t\"\nsource = \"s\"\nstatus = \"confirmed\"\n"
        );
        let error = Manifest::parse(&gap, "a_b").unwrap_err().to_string();
        assert_eq!(error, "paper `a_b`: claim `C2` should be `C1`");
        let error = Manifest::parse("slug = 3", "x").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        let error = Manifest::parse(&MINIMAL.replace("a-b", "A b"), "x").unwrap_err().to_string();
        assert!(error.contains("lower-case"), "{error}");
    }
}
