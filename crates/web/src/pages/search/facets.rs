//! What the results of a search have in common.

use maud::{Markup, html};
use pressrun_search::query::{Field, Has, Kind, Query};
use pressrun_search::{Facets, Results};

use crate::number;
use crate::view::{badge, link};

/// Values of a facet that are shown at once; the rest can be unfolded.
const VALUES: usize = 8;

/// A value of a facet.
struct Row {
    field: Field,
    label: String,
    count: usize,
}

/// What the results have in common, beside them: each value narrows the search down.
pub(super) fn beside(query: &Query, facets: &Facets, total: usize) -> Markup {
    let years = facets.years.iter().map(|(year, n)| Row {
        field: Field::Year(Some(*year), Some(*year)),
        label: year.to_string(),
        count: *n,
    });
    let venues = facets.venues.iter().map(|(venue, n)| Row {
        field: Field::Venue(venue.clone()),
        label: venue.clone(),
        count: *n,
    });
    let categories = facets.categories.iter().map(|(category, n)| Row {
        field: Field::Category(category.clone()),
        label: category.clone(),
        count: *n,
    });
    let verdicts = badge::each(&facets.verdicts).into_iter().map(|(outcome, n)| {
        let label = outcome.label().to_owned();
        Row { field: Field::Verdict(Some(outcome)), label, count: n as usize }
    });
    let here = [(Has::Run, "runs here", facets.runs), (Has::Code, "has code", facets.code)];
    let here = here.into_iter().map(|(has, label, count)| Row {
        field: Field::Has(has),
        label: label.to_owned(),
        count,
    });
    html! {
        aside #facets.facets aria-labelledby="narrow" {
            h2 #narrow { "Narrow down" }
            @if total >= Results::MOST {
                p.fine { "Of the first " (number::grouped(Results::MOST as i64)) " papers:" }
            }
            div.groups {
                (facet(query, "Here", here))
                (facet(query, "With a claim", verdicts))
                (facet(query, "Year", years))
                (facet(query, "Venue", venues))
                (facet(query, "Category", categories))
            }
        }
    }
}

fn facet(query: &Query, heading: &str, rows: impl Iterator<Item = Row>) -> Markup {
    let rows: Vec<Markup> =
        rows.filter(|row| row.count > 0).filter_map(|row| linked(query, &row)).collect();
    let (first, rest) = rows.split_at(rows.len().min(VALUES));
    html! {
        @if !rows.is_empty() {
            section {
                h3 { (heading) }
                ul { @for row in first { (row) } }
                @if !rest.is_empty() {
                    details {
                        summary { (rest.len()) " more" }
                        ul { @for row in rest { (row) } }
                    }
                }
            }
        }
    }
}

/// A value as a link: to the search with it, or without it if it is there already. None where
/// the query would become one that cannot be read: too long, or a venue without a letter.
fn linked(query: &Query, row: &Row) -> Option<Markup> {
    let field = row.field.to_string().to_lowercase();
    let own = query.items().iter().find(|item| match &item.kind {
        Kind::Field(own) => !item.negated && own.to_string().to_lowercase() == field,
        _ => false,
    });
    let other = own.map_or_else(|| query.with(&row.field), |item| query.without(item));
    other.parse::<Query>().ok()?;
    Some(html! {
        li {
            a href=(link::search(&other)) aria-current=[own.map(|_| "true")] {
                @if own.is_some() { span.sr { "Without " } }
                span.value { (row.label) }
                " " span.n { (number::grouped(row.count as i64)) }
            }
        }
    })
}
