//! Links to what a page shows, in the formats of other programs.

use maud::{Markup, html};

use crate::format::Format;

/// For the head: feeds and files that browsers, feed readers and reference managers find by
/// themselves.
pub(crate) fn alternates(title: &str, place: impl Fn(Format) -> String) -> Markup {
    of(&Format::ALL, title, place)
}

/// For the head of a page that has feeds and no list of papers.
pub(crate) fn feeds(title: &str, place: impl Fn(Format) -> String) -> Markup {
    of(&[Format::Atom, Format::JsonFeed], title, place)
}

fn of(formats: &[Format], title: &str, place: impl Fn(Format) -> String) -> Markup {
    html! {
        @for format in formats {
            // The parameter of the type is of no use here, and some readers compare the whole.
            link rel="alternate" type=(format.mime().split(';').next().unwrap_or_default())
                title={ (title) " (" (format.label()) ")" } href=(place(*format));
        }
    }
}

/// For the page: the same as links.
pub(crate) fn links(place: impl Fn(Format) -> String) -> Markup {
    html! {
        nav.export aria-label="Export and feeds" {
            @for (name, feeds) in [("Export", false), ("Follow", true)] {
                p {
                    span { (name) }
                    @for format in Format::ALL.into_iter().filter(|f| f.is_feed() == feeds) {
                        " " a href=(place(format)) { (format.label()) }
                    }
                }
            }
        }
    }
}

/// What unAPI finds a paper by.
pub(crate) fn unapi(id: &str) -> Markup {
    html! { abbr.unapi-id title=(id) {} }
}
