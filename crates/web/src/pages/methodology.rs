//! How verdicts come about: the page to which every badge leads.

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use pressrun_lab::Outcome;
use pressrun_lab::manifest::{MarginUnit, Test};

use crate::site::Shared;
use crate::view::{Nav, Page, badge, icon};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/methodology", get(async || page()))
}

fn page() -> Markup {
    let body = html! {
        div.columns.prose {
            div.intro {
                h1 { "How verdicts come about" }
                p.lead {
                    "On a paper's page, what the paper claims stands beside what was measured "
                    "here. No verdict is written by hand: each is computed from the numbers beside "
                    "it, by thresholds that were fixed before the run."
                }
            }
            nav.side aria-label="On this page" { (contents()) }
            div.text {
                (claims())
                (verdicts())
                (checks())
                (badges())
                (fairness())
                (runs())
                (records())
                (limits())
            }
        }
    };
    Page::new("How verdicts come about", Nav::Methodology, body).render()
}

fn contents() -> Markup {
    let parts = [
        ("claims", "Claims"),
        ("verdicts", "Verdicts"),
        ("checks", "Checks, margins, levels"),
        ("badge", "The badge of a paper"),
        ("baselines", "Baselines and tuning"),
        ("profiles", "Profiles"),
        ("runs", "Runs"),
        ("records", "Records"),
        ("limits", "What a verdict does not say"),
    ];
    html! {
        ul.contents { @for (id, name) in parts { li { a href={ "#" (id) } { (name) } } } }
    }
}

fn claims() -> Markup {
    html! {
        h2 #claims { "Claims" }
        p {
            "A claim is one testable sentence of the paper, with its numbers, numbered C1, C2 and "
            "so on, and with the place where it stands: the abstract, a table, the README of the "
            "authors' code. A claim marked " em { "unconfirmed" } " was stated from memory and has "
            "not been seen in the paper's text; read its verdict with that in mind."
        }
    }
}

fn verdicts() -> Markup {
    let explained = [
        (
            Outcome::Reproduced,
            "Every check of the claim holds, over several seeds, with all of the claim's checks \
             covered by the run.",
        ),
        (
            Outcome::Partly,
            "The checks that are needed for this verdict hold and others do not; or all checks \
             hold, but the verdict is capped: details of the method had to be reconstructed, there \
             was only one seed, or the run did not cover every check. The reason stands with the \
             verdict.",
        ),
        (
            Outcome::NotAtThisScale,
            "A check that was needed does not hold with our data and budget. That is a statement \
             about a small run on an ordinary computer; it does not say that the paper is wrong at \
             its own scale.",
        ),
        (
            Outcome::NotTested,
            "No check of this claim was made, for the reason that is given: it may need data or \
             machines that are out of reach, or the quick profile may leave it to the full one.",
        ),
    ];
    html! {
        h2 #verdicts { "Verdicts" }
        p { "A claim has one of four verdicts." }
        dl.outcomes {
            @for (outcome, text) in explained {
                dt #(outcome.slug()) .(outcome.slug()) {
                    (icon::outcome(outcome)) (outcome.label())
                }
                dd { (text) }
            }
        }
    }
}

fn checks() -> Markup {
    let (by, unit) = (1.0, MarginUnit::StandardErrors);
    let examples = [
        Test::Higher { by, unit },
        Test::NotHigher { slack: 0.01, unit: MarginUnit::Relative },
        Test::AtLeast { limit: 0.9 },
        Test::Within { low: 0.85, high: 1.15 },
    ];
    html! {
        h2 #checks { "Checks, margins, levels" }
        p {
            "A check compares a measured number with another measured number, such as a "
            "baseline's, or with a limit. Its rule stands in the paper's file before anything "
            "runs. Rules read like this:"
        }
        ul.rules { @for test in examples { li { (test.describe()) } } }
        p {
            "The " strong { "margin" } " says how far the measured number lies on the good side of "
            "the other; it is negative on the bad side. Beside it stands the margin that the rule "
            "needs. A number that is not finite, because a method diverged, never passes."
        }
        p #levels {
            "Each check has a " strong { "level" } ": it is needed for " em { "partly" }
            ", and then for " em { "reproduced" } " too, or for " em { "reproduced" } " only."
        }
        h3 #standard-errors { "Standard errors" }
        p {
            "Every method is run under the same seeds. We print the mean over the seeds and, after "
            "±, the sample standard deviation. Where a margin is given in standard errors (s.e.), "
            "it is the difference of the two means divided by the standard error of that "
            "difference:"
        }
        pre.formula tabindex="0" {
            "margin = (mean₁ − mean₂) / √(sd₁²/n₁ + sd₂²/n₂)"
        }
        p {
            "With one seed there is no standard error. Then only the sign of the difference is "
            "judged, and the claim is at best " em { "partly" } "."
        }
        h3 #reconstructed { "Details reconstructed" }
        p {
            "Where a paper does not say enough to build its method, and no code was at hand, "
            "details had to be reconstructed. The page says so, and no verdict of that paper is "
            "better than " em { "partly" } "."
        }
    }
}

fn badges() -> Markup {
    html! {
        h2 #badge { "The badge of a paper" }
        p {
            "“3/4 claims reproduced” counts the claims whose verdict is " em { "reproduced" }
            " among all claims of the paper, in the newest full record, or in the newest quick one "
            "if there is no full one. The small squares show the four verdicts: how many are "
            "reproduced, partly, not at this scale and not tested. The badge is green only if "
            "every claim is reproduced."
        }
        p #runs-here {
            (badge::paper(None, true))
            " A study of the paper exists and can be run here; there is no record of it yet."
        }
        p #not-run-yet {
            (badge::paper(None, false))
            " No study of the paper exists yet, so nothing is known about its claims here."
        }
    }
}

fn fairness() -> Markup {
    html! {
        h2 #baselines { "Baselines and tuning" }
        p {
            "The method is trained next to its baselines, and every baseline gets the same data, "
            "budget and tuning as the method. Where there was a grid to search, every candidate "
            "that was tried is in the record."
        }
        h3 #controls { "Negative controls" }
        p {
            "A check that cannot fail proves nothing. Studies therefore have negative controls: "
            "were the method swapped for its baseline, at least one check would have to fail."
        }
    }
}

fn runs() -> Markup {
    html! {
        h2 #profiles { "Profiles" }
        p {
            "A study has two profiles. " strong { "Quick" } " takes at most 20 seconds on two "
            "cores and shows the idea at work. " strong { "Full" } " takes at most ten minutes and "
            "covers every check that can be made here; records that come with the source are full "
            "ones."
        }
        h2 #runs { "Runs" }
        p {
            "A run is one execution of a study. It waits in a queue (" em { "queued" } "), is worked "
            "on (" em { "running" } "), and ends as " em { "finished" } ", " em { "failed" } " or "
            em { "cancelled" } ". It is " em { "interrupted" } " if the program that ran it went "
            "away; it can then be started again. Each run has a process of its own with a limit on "
            "time and memory. The same seed on the same machine gives the same numbers."
        }
    }
}

fn records() -> Markup {
    html! {
        h2 #records { "Records" }
        p {
            "A run that went through leaves a record: every number that it measured, the data it "
            "used, the command, the seeds, the commit, the processor and the versions of the "
            "numeric libraries. Records are only ever added. A new one supersedes an older one and "
            "says why; none is edited or taken back, and all of them are listed on the paper's "
            "page. Any verdict can be computed again from the numbers of its record. The form of a "
            "record is described by its " a href="/record.schema.json" { "JSON Schema" } "."
        }
        p {
            "A record that came with the source was measured on the machine that it names; pressing "
            "Run measures on this one."
        }
        h3 #disputed { "Disputed verdicts" }
        p {
            "An author of the paper whom a curator has confirmed may reply to a verdict, and dispute "
            "it. That changes no number and no outcome: what they say stands beside them, as long as "
            "they say nothing newer. It is about that record; a new record is judged by its own numbers."
        }
    }
}

fn limits() -> Markup {
    html! {
        h2 #limits { "What a verdict does not say" }
        p {
            "Studies are small: small models, small or generated data, minutes instead of weeks. "
            "They test whether a paper's idea works where it can be tried by anybody. The table "
            "“What we ran against what the paper ran” and the numbered differences on each page "
            "say how far that is from the paper's own experiments."
        }
    }
}
