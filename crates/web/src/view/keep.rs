//! What who asks keeps of a paper: a mark in lists, and the ways to change it.

use maud::{Markup, html};
use pressrun_catalog::{LibraryEntry, LibraryState, Paper, Scope};

use super::{date, link};
use crate::Result;
use crate::edge::viewer;
use crate::site::Site;

/// What a state is called.
pub(crate) fn state_name(state: LibraryState) -> &'static str {
    match state {
        LibraryState::None => "Kept",
        LibraryState::Later => "Later",
        LibraryState::Reading => "Reading",
        LibraryState::Done => "Read",
        LibraryState::NotForMe => "Not for me",
    }
}

/// In a list: how the paper stands in the library of who asks, if it is there.
pub(crate) fn mark(paper: &str) -> Markup {
    let Some(state) = viewer::kept_as(paper) else { return html! {} };
    html! { span.tag.kept { span.sr { "In your library: " } (state_name(state)) } }
}

/// For a paper's page: what who asks keeps of it. Empty if nobody is signed in.
pub(crate) async fn of_viewer(site: &Site, paper: &Paper) -> Result<Markup> {
    let Some(viewer) = viewer::current() else { return Ok(html! {}) };
    if viewer.may(site, Scope::Read).is_err() {
        return Ok(html! {});
    }
    let entry = site.catalog.library_entry(viewer.person.id, &paper.id).await?;
    let place = format!("{}#library", link::paper(&paper.id));
    Ok(html! {
        section.box #library aria-label="Your library" {
            h2 { "Your library" }
            (controls(&paper.id, &paper.title, entry.as_ref(), &place))
            p.fine { "Only you see this. " a href="/library" { "Your library" } }
        }
    })
}

/// The ways to change how a paper stands, which all lead back to `place`.
pub(crate) fn controls(
    paper: &str,
    title: &str,
    entry: Option<&LibraryEntry>,
    place: &str,
) -> Markup {
    html! {
        div.keep {
            (states(paper, title, entry, place))
            (tags(paper, title, entry, place))
            (note(paper, title, entry, place))
        }
    }
}

/// Later, reading, read, not for me; the one that holds is taken back by its own button.
fn states(paper: &str, title: &str, entry: Option<&LibraryEntry>, place: &str) -> Markup {
    let now = entry.map(|entry| entry.state);
    html! {
        form method="post" action=(link::keep(paper)) {
            (back(place))
            div.states role="group" aria-label={ "How it stands: " (title) } {
                @for state in &LibraryState::ALL[1..] {
                    @let holds = now == Some(*state);
                    button.choice name="state" aria-pressed=(if holds { "true" } else { "false" })
                        value=(if holds { LibraryState::None } else { *state }) {
                        (state_name(*state))
                    }
                }
            }
        }
    }
}

fn tags(paper: &str, title: &str, entry: Option<&LibraryEntry>, place: &str) -> Markup {
    html! {
        @if let Some(entry) = entry && !entry.tags.is_empty() {
            ul.chips aria-label={ "Your tags of " (title) } {
                @for tag in &entry.tags {
                    li {
                        form method="post" action=(link::keep(paper)) {
                            (back(place))
                            span.chip {
                                a href=(link::with("/library", "", &[("tag", Some(tag.as_str()))])) {
                                    (tag)
                                }
                                button.cross name="remove-tag" value=(tag)
                                    aria-label={ "Remove the tag " (tag) } { "×" }
                            }
                        }
                    }
                }
            }
        }
        form.one-line method="post" action=(link::keep(paper)) {
            (back(place))
            label {
                span.sr { "Add tags to " (title) ", with commas between them" }
                input name="tags" required maxlength="500" placeholder="Add tags, with commas"
                    autocapitalize="none" autocomplete="off";
            }
            button.button.second { "Add" span.sr { " tags" } }
        }
    }
}

fn note(paper: &str, title: &str, entry: Option<&LibraryEntry>, place: &str) -> Markup {
    let note = entry.map_or("", |entry| entry.note.as_str());
    html! {
        @if !note.is_empty() { pre.note { (note) } }
        details {
            summary {
                @if note.is_empty() { "Add a note" } @else { "Change the note" }
                @if entry.is_some() { ", remove" }
                span.sr { ": " (title) }
            }
            form.stack method="post" action=(link::keep(paper)) {
                (back(place))
                label {
                    span.sr { "Your note on " (title) }
                    textarea name="note" rows="5" maxlength="10000"
                        placeholder="A note for yourself, in Markdown" { "\n" (note) }
                }
                button.button { "Save the note" }
            }
            @if let Some(entry) = entry {
                form.row method="post" action={ (link::keep(paper)) "/remove" } {
                    (back(place))
                    span.fine { "Added " (date::moment(entry.added_at)) }
                    button.button.second aria-label={ "Remove from your library: " (title) } {
                        "Remove from the library"
                    }
                }
            }
        }
    }
}

/// Where a form comes back to.
pub(crate) fn back(place: &str) -> Markup {
    html! { input type="hidden" name="to" value=(place); }
}
