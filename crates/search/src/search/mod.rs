//! Answering a query: conditions, words, meaning, and their fusion.

mod conditions;
mod facets;
mod fused;
mod words;

use crate::Result;
use crate::index::{Index, Snapshot};
use crate::mask::Mask;
use crate::request::{Hit, Mode, Request, Results};

use self::fused::Candidate;
pub(crate) use self::fused::Scratch;
use self::words::QueryWords;

impl Index {
    /// Answers a query.
    ///
    /// # Errors
    /// If a file of the index cannot be read.
    pub fn search(&self, request: &Request) -> Result<Results> {
        self.search_by(Mode::Fused, request)
    }

    /// Answers a query by a part of the ranking, to compare it with the whole.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_by(&self, mode: Mode, request: &Request) -> Result<Results> {
        let snapshot = self.snapshot();
        let allowed = conditions::allowed(&snapshot, request)?;
        let text = request.query.text();
        let words = QueryWords::read(&text, &snapshot.segments)?;
        let wanted = if request.facets {
            Results::MOST
        } else {
            Results::MOST.min(request.offset.saturating_add(request.limit))
        };
        if text.trim().is_empty() {
            return Ok(newest(&snapshot, &allowed, request));
        }
        let search = Ranking { index: self, snapshot: &snapshot, words: &words, text: &text, mode };
        let (ranked, total) = search.run(&allowed, wanted)?;
        let hits = ranked.iter().skip(request.offset).take(request.limit);
        let hits = hits
            .map(|candidate| {
                let mut hit = hit(&snapshot, candidate);
                if request.explain {
                    hit.explanation = Some(search.explain(candidate)?);
                }
                Ok(hit)
            })
            .collect::<Result<_>>()?;
        Ok(Results {
            hits,
            total: total.min(Results::MOST),
            facets: request.facets.then(|| {
                facets::count(&snapshot.shelf, ranked.iter().map(|c| c.number), &*request.runs)
            }),
            roots: words.roots(),
        })
    }
}

/// The papers that meet the conditions, where there is nothing to rank by.
fn newest(snapshot: &Snapshot, allowed: &Mask, request: &Request) -> Results {
    // Without conditions nothing has been asked for.
    if request.query.is_empty() {
        return Results::default();
    }
    let shelf = &snapshot.shelf;
    let mut numbers: Vec<u32> = allowed.iter().collect();
    let total = numbers.len();
    let key = |number: &u32| {
        let entry = shelf.entry(*number);
        (std::cmp::Reverse(entry.dated), &entry.id)
    };
    if numbers.len() > Results::MOST {
        numbers.select_nth_unstable_by(Results::MOST, |a, b| key(a).cmp(&key(b)));
        numbers.truncate(Results::MOST);
    }
    numbers.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    let hits = numbers.iter().skip(request.offset).take(request.limit);
    let hits = hits.map(|number| hit(snapshot, &Candidate::of(*number)));
    Results {
        hits: hits.collect(),
        total: total.min(Results::MOST),
        facets: request
            .facets
            .then(|| facets::count(shelf, numbers.iter().copied(), &*request.runs)),
        roots: Vec::new(),
    }
}

fn hit(snapshot: &Snapshot, candidate: &Candidate) -> Hit {
    Hit {
        id: snapshot.shelf.entry(candidate.number).id.to_string(),
        score: candidate.score,
        lexical: candidate.lexical,
        semantic: candidate.semantic,
        explanation: None,
    }
}

/// One query on one snapshot.
struct Ranking<'a> {
    index: &'a Index,
    snapshot: &'a Snapshot,
    words: &'a QueryWords,
    text: &'a str,
    mode: Mode,
}
