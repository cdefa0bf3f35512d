//! Which papers meet the conditions of a query.

use crate::Result;
use crate::index::Snapshot;
use crate::lexicon::Key;
use crate::mask::Mask;
use crate::query::{Field, Has};
use crate::request::{Request, Runs};
use crate::roots::Roots;
use crate::shelf::{Entry, Flag};
use crate::terms::{number, terms};

/// The papers that a query allows.
pub(super) fn allowed(snapshot: &Snapshot, request: &Request) -> Result<Mask> {
    let mut allowed = snapshot.shelf.alive().clone();
    if let Some(within) = &request.within {
        let mut those = Mask::none(snapshot.shelf.end());
        within.iter().filter_map(|id| snapshot.shelf.number(id)).for_each(|n| those.set(n));
        allowed.and(&those);
    }
    let query = &request.query;
    for phrase in query.phrases() {
        if let Some(with) = with_phrase(snapshot, phrase)? {
            allowed.and(&with);
        }
    }
    for phrase in query.excluded() {
        if let Some(with) = with_phrase(snapshot, phrase)? {
            allowed.and_not(&with);
        }
    }
    // Of a field with one value a paper can only have one of those that are asked for.
    let mut either: [Option<Mask>; 3] = Default::default();
    for (field, negated) in query.fields() {
        let with = with_field(snapshot, field, &*request.runs)?;
        let slot = match field {
            Field::Year(..) => Some(&mut either[0]),
            Field::Venue(_) => Some(&mut either[1]),
            Field::Category(_) => Some(&mut either[2]),
            _ => None,
        };
        match slot {
            _ if negated => allowed.and_not(&with),
            Some(Some(known)) => known.or(&with),
            Some(none) => *none = Some(with),
            None => allowed.and(&with),
        }
    }
    either.iter().flatten().for_each(|mask| allowed.and(mask));
    Ok(allowed)
}

/// The papers with these words side by side; `None` if all of them are words that every text has,
/// which are not indexed.
fn with_phrase(snapshot: &Snapshot, phrase: &str) -> Result<Option<Mask>> {
    let papers = snapshot.shelf.end();
    let (mut roots, mut stems) = (Vec::new(), Vec::new());
    let mut root_of = Roots::new();
    terms(phrase, &mut |term| {
        if !term.stop {
            roots.push(root_of.of(term.word).to_owned());
            stems.push(number(term.stem));
        }
    });
    let Some((first, more)) = roots.split_first() else { return Ok(None) };
    let mut with = snapshot.segments.with_root(first, papers)?;
    for root in more {
        with.and(&snapshot.segments.with_root(root, papers)?);
    }
    if !more.is_empty() {
        let all: Vec<u32> = with.iter().collect();
        for paper in all {
            if !snapshot.shelf.stems(paper).windows(stems.len()).any(|at| at == stems) {
                with.clear(paper);
            }
        }
    }
    Ok(Some(with))
}

fn with_field(snapshot: &Snapshot, field: &Field, runs: &dyn Runs) -> Result<Mask> {
    let papers = snapshot.shelf.end();
    let segments = &snapshot.segments;
    Ok(match field {
        Field::Author(name) => segments.with_author(name, papers)?,
        Field::Venue(name) => segments.with_key(Key::Venue, name, papers)?,
        Field::Category(name) => segments.with_key(Key::Category, name, papers)?,
        Field::Tag(name) => segments.with_key(Key::Tag, name, papers)?,
        Field::Year(first, last) => {
            let (first, last) = (first.unwrap_or(1), last.unwrap_or(i16::MAX));
            filter(snapshot, |entry| (first..=last).contains(&entry.year))
        }
        Field::Verdict(outcome) => filter(snapshot, |entry| {
            entry
                .verdicts
                .is_some_and(|verdicts| outcome.is_none_or(|outcome| verdicts.count(outcome) > 0))
        }),
        Field::Has(Has::Run) => {
            filter(snapshot, |entry| entry.slug.as_deref().is_some_and(|slug| runs.runs(slug)))
        }
        Field::Has(Has::Code) => filter(snapshot, |entry| entry.has(Flag::Code)),
        Field::Has(Has::Record) => filter(snapshot, |entry| entry.has(Flag::Record)),
        Field::Has(Has::Abstract) => filter(snapshot, |entry| entry.has(Flag::Abstract)),
    })
}

fn filter(snapshot: &Snapshot, fits: impl Fn(&Entry) -> bool) -> Mask {
    let mut mask = Mask::none(snapshot.shelf.end());
    for (first, block) in snapshot.shelf.blocks() {
        for (number, entry) in (first..).zip(&block.entries) {
            if fits(entry) {
                mask.set(number);
            }
        }
    }
    mask
}
