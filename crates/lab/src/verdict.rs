//! Judging claims: measured numbers against thresholds that stood in `paper.toml` beforehand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::{CheckSpec, ClaimSpec, Level, Manifest, MarginUnit, Test};
use crate::results::{Stat, finite};
use crate::{Error, Result};

/// A margin in standard errors is cut here: seeds that agree to the last digit have none.
const MAX_STANDARD_ERRORS: f64 = 1e6;

/// What came out for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every check holds.
    Reproduced,
    /// The checks needed for `partly` hold, others do not; or the details were reconstructed.
    Partly,
    /// A check that was needed does not hold on our data and budget.
    NotAtThisScale,
    /// No check was made, for the reason given.
    NotTested,
}

impl Outcome {
    /// The words on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Partly => "partly",
            Self::NotAtThisScale => "not at this scale",
            Self::NotTested => "not tested",
        }
    }

    /// The name in URLs, style sheets and JSON.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Partly => "partly",
            Self::NotAtThisScale => "not-at-this-scale",
            Self::NotTested => "not-tested",
        }
    }
}

/// One check of a claim with both of its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Id of the check in `paper.toml`.
    pub check: String,
    /// What is compared, in words.
    pub what: String,
    /// The verdict for which it is needed.
    pub level: Level,
    /// Whose number was measured, e.g. `OptFS`.
    pub measured_label: String,
    /// The measured number.
    pub measured: Stat,
    /// What it is compared with: a baseline's name, or `limit`.
    pub against_label: String,
    /// The number compared with; for an interval the nearer limit.
    pub against: Stat,
    /// How far the measured number lies on the good side, in `unit`; negative if on the other.
    #[serde(with = "finite")]
    #[schemars(with = "Option<f64>")]
    pub margin: f64,
    /// The margin that the check asks for, in `unit`.
    pub needed: f64,
    /// Unit of `margin` and `needed`.
    pub unit: MarginUnit,
    /// The rule in words, e.g. "higher by more than 1 standard errors".
    pub rule: String,
    /// Whether the check holds.
    pub holds: bool,
    /// The unit is standard errors but there was one seed: only the sign could be judged.
    #[serde(default)]
    pub one_seed: bool,
}

/// What came out for a claim, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `C1`, `C2`, ...
    pub claim: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The comparisons on which it rests; empty if not tested.
    pub comparisons: Vec<Comparison>,
    /// Why it was not tested, or why it is no better than `partly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Comparison {
    /// Whether this is the same comparison with the same result. Numbers may differ in their last
    /// digit: JSON does not bring every one back exactly.
    fn agrees(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| {
            (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
        };
        let same_stat = |a: &Stat, b: &Stat| a.n == b.n && same(a.mean, b.mean) && same(a.sd, b.sd);
        self.check == other.check
            && self.rule == other.rule
            && self.level == other.level
            && self.holds == other.holds
            && same_stat(&self.measured, &other.measured)
            && same_stat(&self.against, &other.against)
            && same(self.margin, other.margin)
    }
}

impl Verdict {
    /// Whether two lists of verdicts say the same: outcomes, checks, rules, and numbers up to their
    /// last digit. By it a record's verdicts are held against those computed again from its rows.
    pub fn all_agree(ours: &[Self], theirs: &[Self]) -> bool {
        let agree = |a: &Self, b: &Self| {
            (&a.claim, a.outcome) == (&b.claim, b.outcome)
                && a.comparisons.len() == b.comparisons.len()
                && a.comparisons.iter().zip(&b.comparisons).all(|(a, b)| a.agrees(b))
        };
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| agree(a, b))
    }
}

/// Collects the numbers of one paper's checks and computes its verdicts.
///
/// A study calls [`Judge::compare`] and [`Judge::limit`] once per check that its profile covers;
/// [`Judge::conclude`] turns what was filled in, and what was not, into one verdict per claim.
///
/// ```
/// use pressrun_lab::{Judge, Manifest, Outcome, Stat};
///
/// let manifest = Manifest::parse(r#"
///     slug = "demo"
///     title = "Demo"
///     abstract = "."
///     authors = ["A"]
///     published = "2024"
///     listed = "2025-09-09"
///     family = "demo"
///     [[claim]]
///     id = "C1"
///     text = "The method is more accurate."
///     source = "abstract"
///     status = "confirmed"
///     [[claim.check]]
///     id = "accuracy"
///     what = "test accuracy"
///     level = "reproduced"
///     test = { kind = "higher", by = 0.0, unit = "absolute" }
/// "#, "demo")?;
/// let mut judge = Judge::new(&manifest);
/// judge.compare("C1", "accuracy", ("method", Stat::exact(0.9)), ("baseline", Stat::exact(0.8)))?;
/// assert_eq!(judge.conclude()[0].outcome, Outcome::Reproduced);
/// # Ok::<(), pressrun_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Judge<'m> {
    manifest: &'m Manifest,
    comparisons: Vec<(String, Comparison)>,
}

impl<'m> Judge<'m> {
    /// A judge of this paper's claims.
    pub fn new(manifest: &'m Manifest) -> Self {
        Self { manifest, comparisons: Vec::new() }
    }

    /// Fills in a check that compares two measured numbers.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`] if `paper.toml` declares no such check, or one against a limit.
    pub fn compare(
        &mut self,
        claim: &str,
        check: &str,
        measured: (&str, Stat),
        against: (&str, Stat),
    ) -> Result<()> {
        let spec = self.spec(claim, check)?;
        let (better, needed, unit, strict) = match spec.test {
            Test::Higher { by, unit } => (1.0, by, unit, true),
            Test::Lower { by, unit } => (-1.0, by, unit, true),
            Test::NotLower { slack, unit } => (1.0, -slack, unit, false),
            Test::NotHigher { slack, unit } => (-1.0, -slack, unit, false),
            _ => return Err(self.unknown(claim, check)),
        };
        let difference = better * (measured.1.mean - against.1.mean);
        let one_seed = unit == MarginUnit::StandardErrors && (measured.1.n < 2 || against.1.n < 2);
        let margin = match unit {
            MarginUnit::Absolute => difference,
            MarginUnit::Relative => difference / against.1.mean.abs(),
            MarginUnit::StandardErrors if one_seed => difference,
            MarginUnit::StandardErrors => {
                let se = measured.1.standard_error().hypot(against.1.standard_error());
                if difference == 0.0 {
                    0.0
                } else {
                    (difference / se).clamp(-MAX_STANDARD_ERRORS, MAX_STANDARD_ERRORS)
                }
            }
        };
        // With one seed there is no standard error; the sign alone decides, and `conclude` caps.
        let (needed, unit) = if one_seed { (0.0, MarginUnit::Absolute) } else { (needed, unit) };
        // NaN compares false: a method that diverged never passes.
        let holds = if strict { margin > needed } else { margin >= needed };
        let comparison = Comparison {
            check: check.into(),
            what: spec.what.clone(),
            level: spec.level,
            measured_label: measured.0.into(),
            measured: measured.1,
            against_label: against.0.into(),
            against: against.1,
            margin,
            needed,
            unit,
            rule: spec.test.describe(),
            holds,
            one_seed,
        };
        self.comparisons.push((claim.into(), comparison));
        Ok(())
    }

    /// Fills in a check that compares a measured number with limits from `paper.toml`.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`] if `paper.toml` declares no such check, or one between two methods.
    pub fn limit(&mut self, claim: &str, check: &str, measured: (&str, Stat)) -> Result<()> {
        let spec = self.spec(claim, check)?;
        let value = measured.1.mean;
        let (against, margin) = match spec.test {
            Test::AtLeast { limit } => (limit, value - limit),
            Test::AtMost { limit } => (limit, limit - value),
            Test::Within { low, high } if value - low < high - value => (low, value - low),
            Test::Within { high, .. } => (high, high - value),
            _ => return Err(self.unknown(claim, check)),
        };
        let comparison = Comparison {
            check: check.into(),
            what: spec.what.clone(),
            level: spec.level,
            measured_label: measured.0.into(),
            measured: measured.1,
            against_label: "limit".into(),
            against: Stat::exact(against),
            margin,
            needed: 0.0,
            unit: MarginUnit::Absolute,
            rule: spec.test.describe(),
            holds: margin >= 0.0,
            one_seed: false,
        };
        self.comparisons.push((claim.into(), comparison));
        Ok(())
    }

    /// One verdict per claim of the paper, in order.
    ///
    /// A claim is `reproduced` if every check holds, `partly` if there are checks of level
    /// `partly` and all of those hold, else `not at this scale`. A check that the run did not
    /// cover leaves the claim no better than `partly`; a claim of which no check was covered is
    /// `not tested`. One seed, and reconstructed details, also cap the verdict at `partly`.
    pub fn conclude(self) -> Vec<Verdict> {
        self.manifest.claims.iter().map(|claim| self.verdict(claim)).collect()
    }

    fn verdict(&self, claim: &ClaimSpec) -> Verdict {
        let comparisons: Vec<Comparison> = self
            .comparisons
            .iter()
            .filter(|(c, _)| *c == claim.id)
            .map(|(_, c)| c.clone())
            .collect();
        if comparisons.is_empty() {
            let reason = claim.not_tested.clone().unwrap_or_else(|| {
                if claim.checks.is_empty() {
                    "no study checks this claim yet".into()
                } else {
                    "this profile does not cover the claim; the full profile does".into()
                }
            });
            return Verdict {
                claim: claim.id.clone(),
                outcome: Outcome::NotTested,
                comparisons,
                reason: Some(reason),
            };
        }
        let missing: Vec<&str> = claim
            .checks
            .iter()
            .filter(|spec| !comparisons.iter().any(|c| c.check == spec.id))
            .map(|spec| spec.id.as_str())
            .collect();
        let mut partly = comparisons.iter().filter(|c| c.level == Level::Partly).peekable();
        let outcome = if comparisons.iter().all(|c| c.holds) {
            Outcome::Reproduced
        } else if partly.peek().is_some() && partly.all(|c| c.holds) {
            Outcome::Partly
        } else {
            Outcome::NotAtThisScale
        };
        let reconstructed = self.manifest.study.as_ref().is_some_and(|s| s.reconstructed);
        let cap = if reconstructed {
            Some("details reconstructed: no verdict is better than partly".to_owned())
        } else if comparisons.iter().any(|c| c.one_seed) {
            Some("one seed: no standard error, only the sign was judged".to_owned())
        } else if !missing.is_empty() {
            Some(format!("not covered by this profile: {}", missing.join(", ")))
        } else {
            None
        };
        let outcome =
            if outcome == Outcome::Reproduced && cap.is_some() { Outcome::Partly } else { outcome };
        Verdict { claim: claim.id.clone(), outcome, comparisons, reason: cap }
    }

    fn spec(&self, claim: &str, check: &str) -> Result<&'m CheckSpec> {
        let found =
            self.manifest.claim(claim).and_then(|c| c.checks.iter().find(|s| s.id == check));
        found.ok_or_else(|| self.unknown(claim, check))
    }

    fn unknown(&self, claim: &str, check: &str) -> Error {
        let known: Vec<String> = self
            .manifest
            .claims
            .iter()
            .flat_map(|c| {
                c.checks.iter().map(move |s| format!("{}/{} ({})", c.id, s.id, s.test.describe()))
            })
            .collect();
        Error::UnknownCheck {
            slug: self.manifest.slug.clone(),
            claim: claim.into(),
            check: check.into(),
            known: known.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(checks: &str, reconstructed: bool) -> Manifest {
        let study = if reconstructed {
            "[study]\nidea = \"i\"\nreconstructed = true\nsetup = []\n"
        } else {
            ""
        };
        let text = format!(
            "slug = \"d\"\ntitle = \"t\"\nabstract = \"a\"\nauthors = []\npublished = \"2024\"\n\
             listed = \"2025-09-09\"\nfamily = \"f\"\n{study}[[claim]]\nid = \"C1\"\ntext = \"t\"\n\
             source = \"s\"\nstatus = \"confirmed\"\n{checks}"
        );
        Manifest::parse(&text, "d").unwrap()
    }

    fn check(id: &str, level: &str, test: &str) -> String {
        format!(
            "[[claim.check]]\nid = \"{id}\"\nwhat = \"w\"\nlevel = \"{level}\"\ntest = {{ {test} }}\n"
        )
    }

    const SE: &str = "kind = \"higher\", by = 1.0, unit = \"standard-errors\"";

    fn stat(mean: f64, sd: f64, n: usize) -> Stat {
        Stat { mean, sd, n }
    }

    fn outcome(manifest: &Manifest, measured: Stat, against: Stat) -> Verdict {
        let mut judge = Judge::new(manifest);
        judge.compare("C1", "x", ("m", measured), ("b", against)).unwrap();
        judge.conclude().remove(0)
    }

    #[test]
    fn margin_in_standard_errors_by_hand() {
        // se of the difference: sqrt(0.03^2/3 + 0.04^2/4) = sqrt(0.0003 + 0.0004)
        let m = manifest(&check("x", "reproduced", SE), false);
        let verdict = outcome(&m, stat(0.9, 0.03, 3), stat(0.85, 0.04, 4));
        let margin = verdict.comparisons[0].margin;
        assert!((margin - 0.05 / 0.0007f64.sqrt()).abs() < 1e-9);
        assert_eq!(verdict.outcome, Outcome::Reproduced);
        let verdict = outcome(&m, stat(0.86, 0.03, 3), stat(0.85, 0.04, 4));
        assert_eq!(verdict.outcome, Outcome::NotAtThisScale);
    }

    #[test]
    fn one_seed_or_reconstructed_details_cap_at_partly() {
        let m = manifest(&check("x", "reproduced", SE), false);
        let verdict = outcome(&m, Stat::exact(0.9), Stat::exact(0.8));
        assert_eq!(verdict.outcome, Outcome::Partly);
        let m = manifest(&check("x", "reproduced", SE), true);
        let verdict = outcome(&m, stat(0.9, 0.01, 3), stat(0.8, 0.01, 3));
        assert_eq!(verdict.outcome, Outcome::Partly);
        assert!(verdict.reason.unwrap().contains("reconstructed"));
    }

    #[test]
    fn a_diverged_method_never_passes() {
        for test in [SE, "kind = \"not-lower\", slack = 9.0, unit = \"absolute\""] {
            let m = manifest(&check("x", "reproduced", test), false);
            let verdict = outcome(&m, stat(f64::NAN, 0.0, 3), stat(0.8, 0.1, 3));
            assert_eq!(verdict.outcome, Outcome::NotAtThisScale);
        }
    }

    #[test]
    fn levels_and_uncovered_checks() {
        let text = check("x", "partly", "kind = \"higher\", by = 0.0, unit = \"absolute\"")
            + &check("y", "reproduced", "kind = \"at-most\", limit = 0.2");
        let m = manifest(&text, false);
        let judged = |y: Option<f64>, better: f64| {
            let mut judge = Judge::new(&m);
            let pair = (("m", Stat::exact(better)), ("b", Stat::exact(0.0)));
            judge.compare("C1", "x", pair.0, pair.1).unwrap();
            if let Some(y) = y {
                judge.limit("C1", "y", ("m", Stat::exact(y))).unwrap();
            }
            judge.conclude()[0].outcome
        };
        assert_eq!(judged(Some(0.2), 1.0), Outcome::Reproduced);
        assert_eq!(judged(Some(0.3), 1.0), Outcome::Partly);
        assert_eq!(judged(None, 1.0), Outcome::Partly);
        assert_eq!(judged(Some(0.1), -1.0), Outcome::NotAtThisScale);
        assert_eq!(Judge::new(&m).conclude()[0].outcome, Outcome::NotTested);
    }

    #[test]
    fn an_interval_reports_the_nearer_limit() {
        let m = manifest(
            &check("x", "reproduced", "kind = \"within\", low = 0.85, high = 1.15"),
            false,
        );
        let mut judge = Judge::new(&m);
        judge.limit("C1", "x", ("gain", Stat::exact(1.10))).unwrap();
        let verdict = judge.conclude().remove(0);
        assert_eq!(verdict.comparisons[0].against.mean, 1.15);
        assert!((verdict.comparisons[0].margin - 0.05).abs() < 1e-12);
    }

    #[test]
    fn verdicts_agree_after_json_and_disagree_after_any_change() {
        let m = manifest(&check("x", "reproduced", SE), false);
        let verdicts = vec![outcome(&m, stat(0.1 + 0.2, 0.017, 3), stat(0.123_456_789, 0.1, 3))];
        let json = serde_json::to_string(&verdicts).unwrap();
        let back: Vec<Verdict> = serde_json::from_str(&json).unwrap();
        assert!(Verdict::all_agree(&verdicts, &back));
        let mut changed = back.clone();
        changed[0].comparisons[0].measured.mean += 1e-6;
        assert!(!Verdict::all_agree(&verdicts, &changed));
        let mut turned = back;
        turned[0].outcome = Outcome::NotTested;
        assert!(!Verdict::all_agree(&verdicts, &turned));
        assert!(!Verdict::all_agree(&verdicts, &[]));
    }

    #[test]
    fn an_undeclared_check_is_an_error_that_lists_the_declared_ones() {
        let m = manifest(&check("x", "reproduced", SE), false);
        let mut judge = Judge::new(&m);
        let error = judge.limit("C1", "x", ("m", Stat::exact(1.0))).unwrap_err().to_string();
        assert!(error.contains("C1/x (higher by more than 1 standard errors)"), "{error}");
    }
}
