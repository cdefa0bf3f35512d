//! Runs as pages.

use maud::{Markup, html};
use pressrun_catalog::{RunRow, RunState};
use pressrun_lab::Entry;

use super::is_restartable;
use super::progress::Progress;
use crate::pages::discussion::Replies;
use crate::rendered::Rendered;
use crate::site::Site;
use crate::view::claims::{claims, sentence};
use crate::view::measured::{log, section};
use crate::view::{Nav, Page, badge, date, link, provenance};
use crate::{assets, number};

/// Without script, a page of a run that goes on asks for itself again after so many seconds.
const REFRESH: u32 = 3;

/// All that a run's page shows.
#[derive(Debug)]
pub(super) struct RunPage<'a> {
    pub id: &'a str,
    pub slug: &'a str,
    /// The run in the queue; absent if its record came with the source.
    pub row: Option<&'a RunRow>,
    pub entry: Option<&'a Entry>,
    pub rendered: Option<&'a Rendered>,
    /// What authors say about the verdicts.
    pub replies: &'a Replies,
    /// What was reported so far; empty once there is a record.
    pub progress: &'a Progress,
}

impl RunPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let live = self.row.is_some_and(|row| !row.state.is_over());
        let title = format!("Run of {}", self.title());
        let body = html! {
            article.run id="run" data-live=[live.then(|| format!("{}/events", link::run(self.id)))] {
                (self.head())
                @match self.rendered {
                    Some(rendered) => (self.finished(rendered)),
                    None => (self.so_far(live)),
                }
            }
        };
        let head = html! {
            @if live {
                noscript { meta http-equiv="refresh" content=(REFRESH); }
                script src=(assets::LIVE.url()) defer {}
            }
        };
        Page::new(&title, Nav::Runs, body).with_head(head).render()
    }

    fn title(&self) -> &str {
        self.entry.map_or(self.slug, |entry| &entry.manifest.title)
    }

    fn head(&self) -> Markup {
        let profile = self.row.map(|r| r.profile).or(self.rendered.map(|r| r.record.profile));
        html! {
            header.paper-head {
                p.kicker { "Run " code { (self.id) } }
                h1 { a href=(link::paper(paper_id(self.entry, self.slug))) { (self.title()) } }
                div.meta {
                    @if let Some(row) = self.row {
                        span data-role="state" { (badge::run_state(row.state)) }
                    } @else {
                        (badge::note("records", "recorded with the source"))
                    }
                    @if let Some(profile) = profile { (badge::profile(profile)) }
                    @if let Some(row) = self.row {
                        span.count { "Asked for " (date::moment(row.created_at)) }
                        @if let Some(older) = &row.restart_of {
                            span.count { "Again, after " a href=(link::run(older)) { (older) } }
                        }
                    }
                }
                @if let Some(row) = self.row { (status(row)) (buttons(row)) }
            }
        }
    }

    fn finished(&self, rendered: &Rendered) -> Markup {
        let record = &rendered.record;
        html! {
            @if let Some(entry) = self.entry {
                (section("Verdicts", &html! { (claims(&entry.manifest, Some(record), |claim| self.replies.said(claim))) }))
            }
            (rendered.measured)
            (section("This record", &provenance::facts(record)))
            @if !record.log.is_empty() { (section("Log", &log(&record.log))) }
        }
    }

    fn so_far(&self, live: bool) -> Markup {
        let progress = self.progress;
        let measured = progress.measured();
        html! {
            (section("Curves", &html! { div data-role="curves" { (measured.curves()) } }))
            (section("Results so far", &html! {
                div data-role="results" {
                    (measured.results())
                    @if !progress.tuning.is_empty() { h3 { "Tuning" } (measured.tuning()) }
                    @if !progress.data.is_empty() { h3 { "Data" } (measured.data()) }
                    @if let Some((threads, seeds)) = &progress.started {
                        p.fine {
                            (number::counted(seeds.len() as i64, "seed", "seeds")) ", "
                            (number::counted(*threads as i64, "arm", "arms")) " side by side."
                        }
                    }
                }
            }))
            (section("Log", &log(&progress.log)))
            @if live { p.fine { "The verdicts follow when the run is through." } }
        }
    }
}

/// The paper's id as its manifest gives it; the slug leads there too, by a detour.
fn paper_id<'a>(entry: Option<&'a Entry>, slug: &'a str) -> &'a str {
    entry.map_or(slug, |entry| entry.manifest.paper_id())
}

/// How far the run is, in words and as a bar.
fn status(row: &RunRow) -> Markup {
    let words = match row.state {
        RunState::Queued => "Waiting for its turn.".to_owned(),
        RunState::Running if row.cancel_requested => "Stopping at the next step.".to_owned(),
        RunState::Running if row.total == 0 => "Preparing.".to_owned(),
        RunState::Running => format!("{} % done.", percent(row)),
        RunState::Finished => match (row.started_at, row.finished_at) {
            (Some(from), Some(to)) => {
                let took = to.duration_since(from).as_secs_f64();
                format!("Went through in {}.", number::seconds(took))
            }
            _ => "Went through.".to_owned(),
        },
        RunState::Failed => {
            let error = row.error.as_deref().unwrap_or("the reason is not known");
            format!("Failed: {}", sentence(error))
        }
        RunState::Cancelled => "Was cancelled before its end.".to_owned(),
        RunState::Interrupted => {
            "Was interrupted: the program that ran it stopped. It can be started again.".to_owned()
        }
    };
    html! {
        div.status {
            p data-role="status" role="status" { (words) }
            @if !row.state.is_over() {
                progress data-role="progress" max="100" value=(percent(row))
                    aria-label="Progress of the run" { (percent(row)) " %" }
            }
        }
    }
}

fn percent(row: &RunRow) -> i64 {
    if row.total <= 0 { 0 } else { (row.done.clamp(0, row.total) * 100) / row.total }
}

fn buttons(row: &RunRow) -> Markup {
    let action = |verb: &str| format!("{}/{verb}", link::run(&row.id));
    html! {
        @if !row.state.is_over() && !row.cancel_requested {
            form.actions method="post" action=(action("cancel")) {
                button.button.second { "Cancel the run" }
            }
        }
        @if is_restartable(row.state) {
            form.actions method="post" action=(action("restart")) {
                button.button { "Start again" }
            }
        }
    }
}

/// The page of all runs.
pub(super) fn list(site: &Site, runs: &[RunRow]) -> Markup {
    let body = html! {
        h1 { "Runs" }
        p.lead { "What runs on this machine, what waits, and what has run, newest first." }
        @if runs.is_empty() {
            p.empty {
                "Nothing has run yet. " a href="/studies" { "Choose a paper" } " and press Run."
            }
        } @else { (table(runs, Some(site))) }
    };
    Page::new("Runs", Nav::Runs, body).render()
}

/// A table of runs; with their papers if there is a site to look these up.
pub(in crate::pages) fn table(runs: &[RunRow], site: Option<&Site>) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Runs" {
            table.data {
                thead {
                    tr {
                        th scope="col" { "run" }
                        @if site.is_some() { th scope="col" { "paper" } }
                        th scope="col" { "state" }
                        th scope="col" { "profile" }
                        th.num scope="col" { "done" }
                        th scope="col" { "asked for" }
                    }
                }
                tbody {
                    @for row in runs {
                        tr {
                            td { a href=(link::run(&row.id)) { code { (row.id) } } }
                            @if let Some(site) = site {
                                @let entry = site.library.get(&row.slug);
                                td.title {
                                    a href=(link::paper(paper_id(entry, &row.slug))) {
                                        (entry.map_or(&*row.slug, |e| &e.manifest.title))
                                    }
                                }
                            }
                            td { (badge::run_state(row.state)) }
                            td { (badge::profile(row.profile)) }
                            td.num { (percent(row)) " %" }
                            td { (date::moment(row.created_at)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pressrun_lab::Profile;

    use super::*;

    fn row(state: RunState, done: i64, total: i64) -> RunRow {
        RunRow {
            id: "r".into(),
            slug: "s".into(),
            profile: Profile::Quick,
            seeds: None,
            state,
            created_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
            done,
            total,
            error: None,
            restart_of: None,
            cancel_requested: false,
        }
    }

    #[test]
    fn a_run_that_has_planned_nothing_is_at_zero() {
        assert_eq!(percent(&row(RunState::Running, 0, 0)), 0);
        assert_eq!(percent(&row(RunState::Running, 1, 3)), 33);
        assert_eq!(percent(&row(RunState::Running, 5, 3)), 100);
    }

    #[test]
    fn buttons_offer_what_can_be_done() {
        let shown = |state| buttons(&row(state, 0, 0)).0;
        assert!(shown(RunState::Queued).contains("/runs/r/cancel"));
        assert!(shown(RunState::Running).contains("/runs/r/cancel"));
        assert_eq!(shown(RunState::Finished), "");
        for state in [RunState::Failed, RunState::Cancelled, RunState::Interrupted] {
            assert!(shown(state).contains("/runs/r/restart"), "{state:?}");
        }
    }
}
