//! Badges: a symbol and words, each leading to the paragraph of the methodology that explains it.

use maud::{Markup, html};
use pressrun_catalog::{RunState, VerdictCounts};
use pressrun_lab::{Outcome, Profile};

use super::icon;

/// The outcome of a claim.
pub(crate) fn outcome(outcome: Outcome) -> Markup {
    html! {
        a.badge.(outcome.slug()) href={ "/methodology#" (outcome.slug()) } {
            (icon::outcome(outcome)) span { (outcome.label()) }
        }
    }
}

/// What is known of a paper's claims: their count, or that the paper can be run, or neither.
pub(crate) fn paper(verdicts: Option<&VerdictCounts>, runs_here: bool) -> Markup {
    match verdicts {
        Some(counts) if counts.total() > 0 => counted(counts),
        _ if runs_here => html! {
            a.badge.runs-here href="/methodology#runs-here" { (icon::play()) span { "runs here" } }
        },
        _ => html! {
            a.badge.not-tested href="/methodology#not-run-yet" {
                (icon::outcome(Outcome::NotTested)) span { "not run yet" }
            }
        },
    }
}

fn counted(counts: &VerdictCounts) -> Markup {
    let tone = tone(counts);
    html! {
        a.badge.(tone.slug()) href="/methodology#badge" title=(breakdown(counts)) {
            (icon::outcome(tone))
            span { (counts.reproduced) "/" (counts.total()) " claims reproduced" }
            (segments(counts))
        }
    }
}

/// One small square per claim, in the order of the outcomes.
fn segments(counts: &VerdictCounts) -> Markup {
    let total = counts.total();
    let squares = each(counts).into_iter().flat_map(|(o, n)| std::iter::repeat_n(o, n as usize));
    html! {
        @if (2..=12).contains(&total) {
            svg.segments viewBox={ "0 0 " (total * 8 - 2) " 8" } width=(total * 8 - 2) height="8"
                aria-hidden="true" focusable="false" {
                @for (i, outcome) in squares.enumerate() {
                    rect.(outcome.slug()) x=(i * 8) y="1" width="6" height="6" rx="1" {}
                }
            }
        }
    }
}

/// `2 reproduced, 1 partly`.
pub(crate) fn breakdown(counts: &VerdictCounts) -> String {
    let some = each(counts).into_iter().filter(|(_, n)| *n > 0);
    some.map(|(o, n)| format!("{n} {}", o.label())).collect::<Vec<_>>().join(", ")
}

/// How many claims have each outcome.
pub(crate) fn each(counts: &VerdictCounts) -> [(Outcome, u32); 4] {
    counts.each()
}

/// The colour of a count: green only if every claim is reproduced.
pub(crate) fn tone(counts: &VerdictCounts) -> Outcome {
    counts.tone()
}

/// The state of a run.
pub(crate) fn run_state(state: RunState) -> Markup {
    let (class, symbol) = match state {
        RunState::Queued => ("not-tested", icon::clock()),
        RunState::Running => ("runs-here", icon::play()),
        RunState::Finished => ("done", icon::yes()),
        RunState::Failed => ("not-at-this-scale", icon::no()),
        RunState::Cancelled | RunState::Interrupted => ("not-tested", icon::no()),
    };
    html! {
        a.badge.(class) href="/methodology#runs" { (symbol) span { (state.as_str()) } }
    }
}

/// The profile of a run or record.
pub(crate) fn profile(profile: Profile) -> Markup {
    html! { a.tag href="/methodology#profiles" { (profile.name()) } }
}

/// A remark that changes how the verdicts are to be read.
pub(crate) fn note(anchor: &str, text: &str) -> Markup {
    html! { a.tag.warn href={ "/methodology#" (anchor) } { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(n: [u32; 4]) -> VerdictCounts {
        let [reproduced, partly, not_at_this_scale, not_tested] = n;
        VerdictCounts { reproduced, partly, not_at_this_scale, not_tested }
    }

    #[test]
    fn green_only_if_every_claim_is_reproduced() {
        assert_eq!(tone(&counts([4, 0, 0, 0])), Outcome::Reproduced);
        assert_eq!(tone(&counts([3, 0, 1, 0])), Outcome::Partly);
        assert_eq!(tone(&counts([0, 0, 1, 3])), Outcome::NotAtThisScale);
        assert_eq!(tone(&counts([0, 0, 0, 2])), Outcome::NotTested);
    }

    #[test]
    fn a_paper_has_one_badge_of_three_kinds() {
        let some = counts([3, 0, 1, 0]);
        assert!(paper(Some(&some), true).0.contains("3/4 claims reproduced"));
        assert!(paper(Some(&some), true).0.contains("3 reproduced, 1 not at this scale"));
        assert!(paper(None, true).0.contains("runs here"));
        assert!(paper(None, false).0.contains("not run yet"));
        assert!(paper(Some(&counts([0; 4])), false).0.contains("not run yet"));
    }
}
