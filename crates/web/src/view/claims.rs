//! Claims with their verdicts: both numbers of every comparison, the margin, the rule.

use maud::{Markup, html};
use pressrun_lab::manifest::{CheckSpec, ClaimSpec, ClaimStatus, Level};
use pressrun_lab::{Comparison, Manifest, Outcome, Record, Stat, Verdict};

use super::{badge, icon};
use crate::chart;
use crate::number;

/// What others say about a claim's verdict.
#[derive(Debug)]
pub(crate) struct Said {
    /// Beside the outcome.
    pub badge: Markup,
    /// Below the comparisons.
    pub below: Markup,
}

/// All claims of a paper, with the verdicts of `record` where there is one, and what is said about each.
pub(crate) fn claims(
    manifest: &Manifest,
    record: Option<&Record>,
    said: impl Fn(&str) -> Said,
) -> Markup {
    html! {
        @if manifest.claims.is_empty() {
            p.empty { "No claim of this paper has been written down yet." }
        }
        ol.claims {
            @for claim in &manifest.claims {
                @let verdict = record.and_then(|r| r.verdicts.iter().find(|v| v.claim == claim.id));
                li #(claim.id.to_ascii_lowercase()) { (one(claim, verdict, &said(&claim.id))) }
            }
        }
    }
}

fn one(claim: &ClaimSpec, verdict: Option<&Verdict>, said: &Said) -> Markup {
    html! {
        div.head {
            h3 { (claim.id) }
            @if let Some(verdict) = verdict { (badge::outcome(verdict.outcome)) }
            @else if claim.not_tested.is_some() { (badge::outcome(Outcome::NotTested)) }
            (said.badge)
        }
        p.claim { (claim.text) }
        p.source {
            "Source: " (claim.source)
            @match claim.status {
                ClaimStatus::Confirmed => {},
                ClaimStatus::Unconfirmed => { " " (badge::note("claims", "unconfirmed")) },
            }
        }
        @match verdict {
            Some(verdict) => {
                @if let Some(reason) = &verdict.reason { p.reason { (sentence(reason)) } }
                @if !verdict.comparisons.is_empty() { (comparisons(&verdict.comparisons)) }
            }
            None => {
                @if let Some(reason) = &claim.not_tested { p.reason { (sentence(reason)) } }
                @if !claim.checks.is_empty() { (planned(&claim.checks)) }
            }
        }
        (said.below)
    }
}

/// A table that becomes a list of cards on a narrow screen. Its roles are spelled out because a
/// table laid out otherwise is no table to a screen reader any more.
fn comparisons(comparisons: &[Comparison]) -> Markup {
    html! {
        table.checks role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["check", "measured", "against", "", "margin", "holds?"] {
                        @if name.is_empty() {
                            th.drawing scope="col" role="columnheader" aria-hidden="true" {}
                        } @else {
                            th scope="col" role="columnheader" { (name) }
                        }
                    }
                }
            }
            tbody role="rowgroup" { @for comparison in comparisons { (row(comparison)) } }
        }
    }
}

fn row(c: &Comparison) -> Markup {
    html! {
        tr role="row" {
            th.what scope="row" role="rowheader" {
                (c.what)
                span.label { "Rule: " (c.rule) }
                span.label { "Needed for " (level(c.level)) }
            }
            td role="cell" data-label="measured" { (labelled(&c.measured_label, &c.measured)) }
            td role="cell" data-label="against" {
                @if c.against_label == "limit" {
                    span.label { "limit" } span.value { (number::number(c.against.mean)) }
                } @else {
                    (labelled(&c.against_label, &c.against))
                }
            }
            td.drawing role="cell" aria-hidden="true" { (chart::pair(c)) }
            td role="cell" data-label="margin" {
                span.value { (number::margin(c.margin, c.unit)) }
                span.label { "needed: " (number::margin(c.needed, c.unit)) }
                @if c.one_seed { span.label { "one seed: only the sign counts" } }
            }
            td.holds role="cell" data-label="holds?" {
                @if c.holds { span.yes { (icon::yes()) "holds" } }
                @else { span.no { (icon::no()) "does not hold" } }
            }
        }
    }
}

fn labelled(label: &str, stat: &Stat) -> Markup {
    html! {
        span.label { (label) }
        span.value { (number::stat(stat)) }
        span.label { "n = " (stat.n) }
    }
}

/// The checks that stand in `paper.toml` before anything has run.
fn planned(checks: &[CheckSpec]) -> Markup {
    html! {
        p.reason { "Not run yet. What will be checked, fixed beforehand:" }
        table.checks.planned role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["check", "rule", "needed for"] {
                        th scope="col" role="columnheader" { (name) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for check in checks {
                    tr role="row" {
                        th.what scope="row" role="rowheader" { (check.what) }
                        td.rule role="cell" data-label="rule" { (check.test.describe()) }
                        td role="cell" data-label="needed for" { (level(check.level)) }
                    }
                }
            }
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Partly => Outcome::Partly.label(),
        Level::Reproduced => Outcome::Reproduced.label(),
    }
}

/// A reason as the lab words it, made a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let stop = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_become_sentences() {
        assert_eq!(sentence("one seed: only the sign"), "One seed: only the sign.");
        assert_eq!(sentence("Needs a GPU."), "Needs a GPU.");
        assert_eq!(sentence(""), "");
    }
}
