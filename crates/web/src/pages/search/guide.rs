//! What can be asked, with examples that lead to their results.

use maud::{Markup, html};

use crate::view::link;

/// The language: examples, and what they mean.
const LANGUAGE: [(&[&str], &str); 9] = [
    (&["experts dropout"], "papers about these words; the best match first, not each word needed"),
    (&["\"mixture of experts\""], "these words side by side, in the title or the abstract"),
    (&["gates -vision", "gates -\"language model\""], "papers without the word or the phrase"),
    (&["author:hinton", "author:\"geoffrey hinton\""], "an author of that name"),
    (&["venue:iclr", "venue:iclr2024"], "conference or journal, with or without its year"),
    (&["year:2021", "year:2021..2024", "year:2021..", "year:..2019"], "year of publication"),
    (&["category:cs.LG", "category:cs"], "arXiv category, or the archive before the dot"),
    (
        &["verdict:reproduced", "verdict:partly", "verdict:not-at-this-scale", "verdict:any"],
        "a claim that was judged so here; not-tested is a verdict too",
    ),
    (&["has:run", "has:code", "has:record", "has:abstract"], "what the paper has here"),
];

/// Searches to begin with.
const EXAMPLES: [(&str, &str); 4] = [
    ("sparse mixture of experts", "by subject"),
    ("dropout author:hinton", "by subject and author"),
    ("verdict:reproduced", "papers with a claim that was reproduced here"),
    ("\"knowledge distillation\" year:2019.. has:code", "a phrase, the years since, with code"),
];

/// The table of the language.
pub(super) fn language(open: bool) -> Markup {
    html! {
        details.guide open[open] {
            summary { "How to search" }
            div.scroll tabindex="0" role="group" aria-label="The language of the search box" {
                table.data {
                    thead { tr { th scope="col" { "written" } th scope="col" { "means" } } }
                    tbody {
                        @for (examples, meaning) in LANGUAGE {
                            tr {
                                td { @for example in examples { (linked(example)) " " } }
                                td { (meaning) }
                            }
                        }
                    }
                }
            }
            p.fine {
                "A dash turns every condition round: " (linked("-has:abstract")) ". Two years, venues "
                "or categories mean either; other conditions must all hold. Words are found in all "
                "their forms, and papers near in meaning come after those with the words."
            }
        }
    }
}

/// Some searches to begin with.
pub(super) fn examples() -> Markup {
    html! {
        ul.examples {
            @for (example, what) in EXAMPLES { li { (linked(example)) " " small { (what) } } }
        }
    }
}

fn linked(query: &str) -> Markup {
    html! { a href=(link::search(query)) { code { (query) } } }
}

#[cfg(test)]
mod tests {
    use pressrun_search::query::Query;

    use super::*;

    #[test]
    fn every_example_can_be_read() {
        let language = LANGUAGE.iter().flat_map(|(examples, _)| examples.iter());
        for example in language.chain(EXAMPLES.iter().map(|(example, _)| example)) {
            example.parse::<Query>().unwrap();
        }
    }
}
