//! The pages of submissions.

use maud::{Markup, html};
use pressrun_catalog::{About, NewPaper, Paper, Submission, SubmissionState};

use super::standing;
use crate::edge::viewer::{self, Viewer};
use crate::pages::form::Fields;
use crate::view::{Nav, Page, date, link};

/// A form as it is filled in.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub paper: NewPaper,
    pub remark: String,
}

/// The page of a submission.
pub(super) fn address(id: i64) -> String {
    format!("/submissions/{id}")
}

/// What a form says of a paper. Authors stand one a line.
pub(super) fn read(fields: &Fields) -> NewPaper {
    let optional = |name: &str| Some(fields.get(name).to_owned()).filter(|v| !v.trim().is_empty());
    NewPaper {
        title: fields.get("title").to_owned(),
        summary: fields.get("summary").replace("\r\n", "\n"),
        authors: fields.get("authors").lines().map(str::to_owned).collect(),
        published: optional("published"),
        arxiv_id: optional("arxiv_id"),
        doi: optional("doi"),
        venue: optional("venue"),
        code_url: optional("code_url"),
        project_url: optional("project_url"),
        ..NewPaper::default()
    }
}

/// Where papers are proposed: by id or address, and by hand below. With something filled in, only by
/// hand.
pub(super) fn ask(filled: &Filled, says: Option<&str>) -> Markup {
    let by_hand = html! {
        form.stack method="post" action="/submissions" {
            (inputs(filled))
            button.button { "Send to the curators" }
        }
    };
    let body = html! {
        div.narrow {
            h1 { "Submit a paper" }
            @if viewer::current().is_none() {
                p.lead { a href="/sign-in?to=/submit" { "Sign in" } " to submit a paper." }
            } @else if let Some(says) = says {
                p.lead role="status" { (says) }
                (by_hand)
                p { a href="/submit" { "Look up another one" } }
            } @else {
                p.lead { "A curator puts it on the list of a day." }
                form.stack method="post" action="/submit" {
                    label for="paper" { "arXiv id, DOI, or address of a page about it" }
                    input #paper name="paper" required maxlength="2000" autocapitalize="none"
                        spellcheck="false" placeholder="2301.10909";
                    button.button { "Look it up" }
                }
                details { summary { "It has none of these: state it by hand" } (by_hand) }
                p { a href="/submissions" { "What you have submitted" } }
            }
        }
    };
    Page::new("Submit a paper", Nav::Elsewhere, body).render()
}

/// The fields of a paper.
fn inputs(filled: &Filled) -> Markup {
    let paper = &filled.paper;
    let text = |name: &str, label: &str, value: Option<&str>, hint: &str| {
        html! {
            label for=(name) { (label) }
            input id=(name) name=(name) value=[value] placeholder=(hint) maxlength="1000";
        }
    };
    html! {
        label for="title" { "Title" }
        input #title name="title" value=(paper.title) required maxlength="500";
        label for="authors" { "Authors, one a line" }
        textarea #authors name="authors" rows="3" { (paper.authors.join("\n")) }
        label for="summary" { "Abstract" }
        textarea #summary name="summary" rows="8" { (paper.summary) }
        (text("published", "Published", paper.published.as_deref(), "2023, 2023-01 or 2023-01-25"))
        (text("venue", "Conference or journal", paper.venue.as_deref(), ""))
        (text("arxiv_id", "arXiv id", paper.arxiv_id.as_deref(), "2301.10909"))
        (text("doi", "DOI", paper.doi.as_deref(), "10.1145/3292500"))
        (text("code_url", "Address of the code", paper.code_url.as_deref(), "https://"))
        (text("project_url", "Project page", paper.project_url.as_deref(), "https://"))
        label for="remark" { "A word to the curators" }
        textarea #remark name="remark" rows="2" maxlength="1000" { (filled.remark) }
    }
}

/// The catalogue has it already.
pub(super) fn known(paper: &Paper) -> Markup {
    let body = html! {
        div.narrow {
            h1 { "It is here already" }
            p.lead { a href=(link::paper(&paper.id)) { (paper.title) } }
            @match paper.listed {
                Some(day) => p { "It stands on the list of " a href={ "/papers/date/" (day) } { (date::day(day)) } "." },
                None => {
                    p { "It stands on the list of no day." }
                    form method="post" action={ (link::paper(&paper.id)) "/propose" } {
                        button.button { "Propose it for a list" }
                    }
                }
            }
        }
    };
    Page::new("It is here already", Nav::Elsewhere, body).render()
}

/// The title of what a submission is about, with a link to the paper once there is one.
fn about(submission: &Submission) -> Markup {
    html! {
        @match &submission.about {
            About::Paper { id, title } => a href=(link::paper(id)) { (title) },
            About::Draft(paper) => a href=(address(submission.id)) { (paper.title) },
        }
    }
}

fn day_of(at: jiff::Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

/// What somebody has proposed.
pub(super) fn own(submissions: &[Submission]) -> Markup {
    let body = html! {
        div.narrow {
            h1 { "What you have submitted" }
            @if submissions.is_empty() { p { "Nothing so far." } }
            ul.submissions {
                @for submission in submissions {
                    li {
                        (about(submission))
                        p.fine {
                            (day_of(submission.created_at)) ": " (standing(submission)) ". "
                            @if submission.state == SubmissionState::Waiting {
                                a href=(address(submission.id)) { "Open" }
                            }
                        }
                        @if !submission.answer.is_empty() { p { "Answer: " (submission.answer) } }
                    }
                }
            }
            p { a.button href="/submit" { "Submit a paper" } }
        }
    };
    Page::new("What you have submitted", Nav::Elsewhere, body).render()
}

/// What waits for a curator.
pub(super) fn queue(submissions: &[Submission]) -> Markup {
    let body = html! {
        div.narrow {
            h1 { "Submitted papers" }
            @if submissions.is_empty() { p { "Nothing waits." } }
            ul.submissions {
                @for submission in submissions {
                    li {
                        a href=(address(submission.id)) { (submission.about.title()) }
                        p.fine { (day_of(submission.created_at)) (by(submission)) }
                        @if !submission.remark.is_empty() { p { (submission.remark) } }
                    }
                }
            }
        }
    };
    Page::new("Submitted papers", Nav::Elsewhere, body).render()
}

fn by(submission: &Submission) -> Markup {
    html! {
        @if let Some(person) = &submission.person {
            ", by " a href={ "/people/" (person.handle) } { (person.name) }
        }
    }
}

/// One submission: for who proposed it to change, for a curator to decide.
pub(super) fn one(submission: &Submission, viewer: &Viewer) -> Markup {
    let waits = submission.state == SubmissionState::Waiting;
    let owner = submission.person.as_ref().is_some_and(|p| p.id == viewer.person.id);
    let body = html! {
        div.narrow {
            p.kicker { span { (day_of(submission.created_at)) (by(submission)) } span { (standing(submission)) } }
            h1 { (submission.about.title()) }
            @match &submission.about {
                About::Paper { id, .. } => p { a href=(link::paper(id)) { "The paper's page" } },
                About::Draft(paper) => (stated(paper)),
            }
            @if !submission.remark.is_empty() { p { "To the curators: " (submission.remark) } }
            @if !submission.answer.is_empty() { p { "Answer: " (submission.answer) } }
            @if waits && viewer.moderates() { (decide(submission)) }
            @if waits && owner { (change(submission)) }
        }
    };
    Page::new(submission.about.title(), Nav::Elsewhere, body).render()
}

/// What a draft says, all of it.
fn stated(paper: &NewPaper) -> Markup {
    let facts = [
        ("Published", &paper.published),
        ("Venue", &paper.venue),
        ("arXiv id", &paper.arxiv_id),
        ("DOI", &paper.doi),
        ("Code", &paper.code_url),
        ("Project page", &paper.project_url),
    ];
    html! {
        @if !paper.authors.is_empty() { p.authors { (paper.authors.join(", ")) } }
        @if !paper.summary.is_empty() { p.abstract { (paper.summary) } }
        dl.facts {
            @for (name, value) in facts {
                @if let Some(value) = value { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn decide(submission: &Submission) -> Markup {
    let address = address(submission.id);
    html! {
        section aria-label="Decide" {
            h2 { "Decide" }
            form.stack method="post" action={ (address) "/accept" } {
                label for="day" { "Day of the list; empty for none" }
                input #day type="date" name="day" value=(super::curate::today());
                button.button { "Accept" }
            }
            form.stack method="post" action={ (address) "/decline" } {
                label for="answer" { "Why not" }
                textarea #answer name="answer" rows="2" maxlength="1000" {}
                button.button.second { "Decline" }
            }
        }
    }
}

fn change(submission: &Submission) -> Markup {
    let address = address(submission.id);
    html! {
        section aria-label="Change" {
            @if let About::Draft(paper) = &submission.about {
                h2 { "Change it" }
                form.stack method="post" action=(address) {
                    (inputs(&Filled { paper: (**paper).clone(), remark: submission.remark.clone() }))
                    button.button { "Save" }
                }
            }
            form method="post" action={ (address) "/withdraw" } {
                button.button.second { "Withdraw it" }
            }
        }
    }
}
