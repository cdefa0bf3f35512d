//! The votes of a paper, as a button for who is signed in.

use maud::{Markup, html};
use pressrun_catalog::Paper;

use super::{icon, link};
use crate::edge::viewer;
use crate::number;

/// The number of votes, with the way to vote.
pub(crate) fn control(paper: &Paper) -> Markup {
    let count = number::counted(paper.votes, "vote", "votes");
    let place = link::paper(&paper.id);
    if viewer::current().is_none() {
        let to = link::segment(&place);
        return html! {
            a.count.vote href={ "/sign-in?to=" (to) } title="Sign in to vote" {
                (icon::vote()) span data-role="votes" { (count) }
            }
        };
    }
    let voted = viewer::has_voted(&paper.id);
    html! {
        form.vote method="post" action={ (place) "/vote" } {
            input type="hidden" name="to" value=(place);
            button.count.vote name="vote" value=(if voted { "0" } else { "1" })
                aria-pressed=(if voted { "true" } else { "false" })
                aria-label={ (count) ": vote for " (paper.title) } {
                (icon::vote()) span data-role="votes" { (count) }
            }
        }
    }
}
