//! Symbols. Each is decoration beside words, hidden from screen readers.

use maud::{Markup, html};
use pressrun_lab::Outcome;

fn icon(content: &Markup) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" aria-hidden="true" focusable="false" { (content) }
    }
}

/// The symbol of an outcome: its shape alone tells it from the others.
pub(crate) fn outcome(outcome: Outcome) -> Markup {
    icon(&match outcome {
        Outcome::Reproduced => html! {
            circle.solid cx="8" cy="8" r="7" {}
            path.cut d="M4.6 8.3 7 10.7 11.5 5.6" {}
        },
        Outcome::Partly => html! {
            circle.ring cx="8" cy="8" r="6" {}
            path.solid d="M8 2a6 6 0 0 1 0 12Z" {}
        },
        Outcome::NotAtThisScale => html! {
            circle.ring cx="8" cy="8" r="6" {}
            path.ring d="M5.6 5.6 10.4 10.4M10.4 5.6 5.6 10.4" {}
        },
        Outcome::NotTested => html! {
            circle.dashed cx="8" cy="8" r="6" {}
        },
    })
}

/// A triangle: something that can be run.
pub(crate) fn play() -> Markup {
    icon(&html! { path.solid d="M4 2.5v11l9-5.5Z" {} })
}

/// A check holds.
pub(crate) fn yes() -> Markup {
    icon(&html! { path.ring d="M3 8.5 6.5 12 13 4.5" {} })
}

/// A check does not hold.
pub(crate) fn no() -> Markup {
    icon(&html! { path.ring d="M4 4 12 12M12 4 4 12" {} })
}

/// Not over yet.
pub(crate) fn clock() -> Markup {
    icon(&html! {
        circle.ring cx="8" cy="8" r="6" {}
        path.ring d="M8 4.5V8l2.5 1.5" {}
    })
}

/// A magnifying glass.
pub(crate) fn search() -> Markup {
    icon(&html! {
        circle.ring cx="7" cy="7" r="4.5" {}
        path.ring d="M10.4 10.4 14 14" {}
    })
}

/// A vote.
pub(crate) fn vote() -> Markup {
    icon(&html! { path.ring d="M3.5 10 8 5l4.5 5" {} })
}

/// A comment.
pub(crate) fn comment() -> Markup {
    icon(&html! { path.ring d="M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2Z" {} })
}
