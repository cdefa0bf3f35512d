//! What the papers of a result have in common.

use std::collections::HashMap;
use std::hash::Hash;

use crate::request::{Facets, Runs};
use crate::shelf::{Flag, Shelf};

/// Most values of a facet.
const MOST: usize = 12;

pub(super) fn count(shelf: &Shelf, numbers: impl Iterator<Item = u32>, runs: &dyn Runs) -> Facets {
    let mut facets = Facets::default();
    let (mut years, mut venues, mut categories) = (HashMap::new(), HashMap::new(), HashMap::new());
    for number in numbers {
        let entry = shelf.entry(number);
        if entry.year > 0 {
            *years.entry(entry.year).or_default() += 1;
        }
        if let Some(venue) = &entry.venue {
            *venues.entry(series(venue)).or_default() += 1;
        }
        if let Some(category) = entry.category.as_deref() {
            *categories.entry(category.to_owned()).or_default() += 1;
        }
        if let Some(verdicts) = entry.verdicts {
            facets.verdicts.reproduced += u32::from(verdicts.reproduced > 0);
            facets.verdicts.partly += u32::from(verdicts.partly > 0);
            facets.verdicts.not_at_this_scale += u32::from(verdicts.not_at_this_scale > 0);
            facets.verdicts.not_tested += u32::from(verdicts.not_tested > 0);
        }
        facets.runs += usize::from(entry.slug.as_deref().is_some_and(|slug| runs.runs(slug)));
        facets.code += usize::from(entry.has(Flag::Code));
    }
    facets.years = years.into_iter().collect();
    facets.years.sort_unstable_by_key(|(year, _)| std::cmp::Reverse(*year));
    facets.venues = most(venues);
    facets.categories = most(categories);
    facets
}

/// The most frequent values.
fn most<T: Ord + Hash>(counts: HashMap<T, usize>) -> Vec<(T, usize)> {
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    counts.truncate(MOST);
    counts
}

/// The conference without its year: `iclr2024` as `iclr`.
fn series(venue: &str) -> String {
    let name = venue.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
    if name.is_empty() { venue.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_a_venue_without_its_year() {
        assert_eq!(series("iclr2024"), "iclr");
        assert_eq!(series("Nature 2021"), "Nature");
        assert_eq!(series("2021"), "2021");
    }
}
