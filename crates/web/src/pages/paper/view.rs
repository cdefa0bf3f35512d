//! A paper as a page.

use maud::{Markup, html};
use pressrun_catalog::{Paper, RecordHead, RunRow, Submitter};
use pressrun_lab::manifest::{Code, StudySpec};
use pressrun_lab::{Entry, Manifest, Record};
use pressrun_search::Related;

use super::meta;
use crate::format::Format;
use crate::pages::discussion::Replies;
use crate::pages::runs::table as runs_table;
use crate::pages::submissions::list_control;
use crate::rendered::Rendered;
use crate::view::claims::{claims, sentence};
use crate::view::measured::{log, section};
use crate::view::{Nav, Page, badge, date, export, icon, link, provenance, social, vote};

/// All that a paper's page shows.
#[derive(Debug)]
pub(super) struct PaperPage<'a> {
    pub paper: &'a Paper,
    /// What absolute addresses begin with.
    pub base: &'a str,
    /// The paper in the library of this build, if it is there.
    pub entry: Option<&'a Entry>,
    /// The newest full record, else the newest quick one.
    pub rendered: Option<&'a Rendered>,
    pub records: &'a [RecordHead],
    pub recent: &'a [RunRow],
    /// Papers near this one in meaning.
    pub related: &'a [Related],
    /// Who proposed it.
    pub submitter: Option<&'a Submitter>,
    /// What authors say about the verdicts.
    pub replies: &'a Replies,
    /// Who of this site is an author.
    pub authors: Markup,
    /// What people say about the paper.
    pub discussion: Markup,
    /// What who asks keeps of it, with the way to change that; empty for who is not signed in.
    pub kept: &'a Markup,
}

impl PaperPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let body = html! {
            article.paper {
                (self.head())
                div.columns {
                    div.intro { (self.intro()) }
                    div.side { (self.run_card()) (self.kept) (self.links()) (self.cite()) }
                    div.text { (self.text()) }
                }
            }
        };
        let paper = self.paper;
        let address = link::paper(&paper.id);
        let head = html! {
            link rel="canonical" href={ (self.base) (address) };
            (export::alternates(&paper.title, |format| self.exported(format)))
            (meta::citation(paper, self.base))
            (social::paper(self.base, &address, &paper.summary))
        };
        Page::new(&paper.title, Nav::Papers, body).with_head(head).render()
    }

    /// The address of this paper in another format.
    fn exported(&self, format: Format) -> String {
        format!("{}{}", link::paper(&self.paper.id), format.extension())
    }

    /// To cite it, and to follow its verdicts.
    fn cite(&self) -> Markup {
        let one =
            |format: Format| html! { a href=(self.exported(format)) { (format.label()) } " " };
        let (feeds, files): (Vec<Format>, Vec<Format>) =
            Format::ALL.into_iter().partition(|format| format.is_feed());
        html! {
            section.box aria-label="Cite" {
                h2 { "Cite" }
                p.exports { @for format in files { (one(format)) } }
                p.exports { "Follow verdicts and comments: " @for format in feeds { (one(format)) } }
                (export::unapi(&self.paper.id))
            }
        }
    }

    fn runnable(&self) -> bool {
        self.entry.is_some_and(|entry| entry.study.is_some())
    }

    fn spec(&self) -> Option<&StudySpec> {
        self.entry?.manifest.study.as_ref()
    }

    fn head(&self) -> Markup {
        let paper = self.paper;
        html! {
            header.paper-head {
                p.kicker {
                    @if let Some(day) = paper.listed {
                        a href={ "/papers/date/" (day) } { "Listed " (date::day(day)) }
                    }
                    @if let Some(category) = &paper.category {
                        span {
                            (category)
                            @if let Some(note) = self.manifest().and_then(|m| m.category_note.as_ref()) {
                                small { " (" (note) ")" }
                            }
                        }
                    }
                    @if let Some(venue) = &paper.venue { span { (venue) } }
                }
                h1 { (paper.title) }
                @if !paper.authors.is_empty() { p.authors { (paper.authors.join(", ")) } }
                (self.authors)
                div.meta {
                    (badge::paper(paper.verdicts.as_ref(), self.runnable()))
                    (vote::control(paper))
                    @if self.spec().is_some_and(|s| s.reconstructed) {
                        (badge::note("reconstructed", "details reconstructed"))
                    }
                    @if let Some(published) = &paper.published {
                        span.count {
                            "Published " (date::published(published))
                            @if let Some(note) = self.manifest().and_then(|m| m.published_note.as_ref()) {
                                small { " (" (note) ")" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn record(&self) -> Option<&Record> {
        self.rendered.map(|rendered| &rendered.record)
    }

    fn manifest(&self) -> Option<&Manifest> {
        self.entry.map(|entry| &entry.manifest)
    }

    fn run_card(&self) -> Markup {
        let Some(slug) = self.paper.slug.as_deref().filter(|_| self.runnable()) else {
            return html! {
                section.box aria-label="Run" {
                    h2 { "Run it" }
                    p { "No study of this paper exists yet, so there is nothing to run." }
                }
            };
        };
        html! {
            section.box.run aria-label="Run" {
                h2 { "Run it" }
                p { "Trains the method next to its baselines on this machine, with live curves." }
                form method="post" action={ (link::paper(&self.paper.id)) "/runs" } {
                    button.button name="profile" value="quick" {
                        (icon::play()) "Run quick" small { "at most 20 s" }
                    }
                    button.button.second name="profile" value="full" {
                        (icon::play()) "Run full" small { "at most 10 min" }
                    }
                }
                p.fine { "Or from a terminal:" }
                pre.command { code { "pressrun run " (slug) " --profile full" } }
            }
        }
    }

    fn links(&self) -> Markup {
        let paper = self.paper;
        html! {
            section.box aria-label="Links" {
                h2 { "Links" }
                ul.links {
                    @if let Some(arxiv) = &paper.arxiv_id {
                        li { a href=(link::arxiv(arxiv)) { "arXiv:" (arxiv) } }
                        li { a href=(link::arxiv_pdf(arxiv)) { "PDF" } }
                    }
                    @if let Some(doi) = &paper.doi {
                        li { a href=(link::doi(doi)) { "doi:" (doi) } }
                    }
                    @if let Some(url) = &paper.code_url { li { (self.code(url)) } }
                    @if let Some(url) = paper.project_url.as_deref().and_then(link::outside) {
                        li { a href=(url) { "Project page" } }
                    }
                    @if self.rendered.is_some() {
                        li {
                            a href={ (link::paper(&paper.id)) "/record.json" } {
                                "Newest record as JSON"
                            }
                        }
                    }
                }
                (list_control(paper, self.submitter))
            }
        }
    }

    fn code(&self, url: &str) -> Markup {
        let stated: Option<&Code> = self.manifest().and_then(|m| m.code.as_ref());
        html! {
            @match link::outside(url) {
                Some(url) => a href=(url) { "The authors' code" },
                None => { "The authors' code: " (url) }
            }
            @match &self.paper.code_licence {
                Some(licence) => span.fine { " Licence: " (licence) },
                None => span.fine { " No licence stated" },
            }
            @if let Some(note) = stated.and_then(|c| c.note.as_ref()) {
                span.fine { " (" (note) ")" }
            }
        }
    }

    fn intro(&self) -> Markup {
        html! {
            @if !self.paper.summary.is_empty() {
                (section("Abstract", &html! { p.abstract { (self.paper.summary) } }))
            }
            @if let Some(spec) = self.spec() {
                (section("The idea", &html! { p.abstract { (spec.idea) } }))
            }
        }
    }

    fn text(&self) -> Markup {
        html! {
            @if let Some(entry) = self.entry {
                (section("Claims and verdicts", &html! {
                    (self.verdict_note())
                    (claims(&entry.manifest, self.record(), |claim| self.replies.said(claim)))
                }))
            }
            @if let Some(rendered) = self.rendered { (rendered.measured) }
            @if let Some(spec) = self.spec() {
                (section("What we ran against what the paper ran", &setup(spec, "the paper", "Differences from the paper")))
            }
            @if let Some(record) = self.record() {
                (section("This record", &provenance::facts(record)))
                @if !record.log.is_empty() {
                    (section("Log", &html! {
                        details { summary { "What the study logged" } (log(&record.log)) }
                    }))
                }
            }
            @if !self.records.is_empty() {
                (section("All records", &provenance::records(self.records)))
            }
            @if let Some(entry) = self.entry && !entry.sources.is_empty() {
                (section("Source", &html! {
                    p { "The program that runs this paper, as it was built into this site." }
                    (provenance::source(&entry.sources))
                }))
            }
            @if !self.recent.is_empty() {
                (section("Recent runs", &runs_table(self.recent, None)))
            }
            @if !self.related.is_empty() {
                (section("Related papers", &html! {
                    ul.related {
                        @for near in self.related {
                            li { a href=(link::paper(&near.id)) { (near.title) } }
                        }
                    }
                }))
            }
            (self.discussion)
        }
    }

    fn verdict_note(&self) -> Markup {
        html! {
            @if let Some(record) = self.record() {
                p.fine {
                    "From the " (record.profile.name()) " run of " (date::started(&record.started))
                    ". A verdict is computed from the numbers beside it; "
                    a href="/methodology" { "how" } "."
                }
            }
        }
    }
}

/// What was set, beside what `other` has, and the numbered sentences under `heading`.
pub(in crate::pages) fn setup(spec: &StudySpec, other: &str, heading: &str) -> Markup {
    html! {
        @if !spec.setup.is_empty() {
            div.scroll tabindex="0" role="group" aria-label="Setup" {
                table.setup {
                    thead {
                        tr {
                            th scope="col" { "aspect" }
                            th scope="col" { (other) }
                            th scope="col" { "here" }
                        }
                    }
                    tbody {
                        @for row in &spec.setup {
                            tr {
                                th scope="row" { (row.aspect) }
                                td { (row.paper) }
                                td { (row.ours) }
                            }
                        }
                    }
                }
            }
        }
        @if !spec.differences.is_empty() {
            h3 { (heading) }
            ol.differences { @for text in &spec.differences { li { (sentence(text)) } } }
        }
    }
}
