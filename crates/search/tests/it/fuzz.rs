//! Any query is answered or refused.

use pressrun_search::query::Query;
use pressrun_search::{Request, excerpt, marks};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::support::Site;

/// Queries tried; `PRESSRUN_FUZZ` sets another number.
const QUERIES: u32 = 20_000;

/// What queries are put together from: the signs of the language, words of the papers, other scripts.
const PARTS: [&str; 44] = [
    " ",
    " ",
    " ",
    " ",
    "-",
    "\"",
    "\"",
    ":",
    "..",
    "year:",
    "2021",
    "1999",
    "author:",
    "venue:",
    "tag:",
    "category:",
    "verdict:",
    "has:",
    "run",
    "any",
    "reproduced",
    "hinton",
    "gates",
    "experts",
    "the",
    "of",
    "depth",
    "sparse",
    "cvpr",
    "cs.LG",
    "学习",
    "эксперты",
    "é",
    "\u{0}",
    "\u{202e}",
    "👩‍🔬",
    "\t",
    "\n",
    "\\",
    "'s",
    "a-b",
    "%",
    "2101.00001",
    "x",
];

#[tokio::test]
async fn any_query_is_answered_or_refused() {
    let count = std::env::var("PRESSRUN_FUZZ").ok().and_then(|n| n.parse().ok());
    let site = Site::new().await;
    let index = site.search.index();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..count.unwrap_or(QUERIES) {
        let mut text = String::new();
        for _ in 0..rng.random_range(0..12) {
            if rng.random_bool(0.9) {
                text.push_str(PARTS.choose(&mut rng).unwrap());
            } else if let Some(other) = char::from_u32(rng.random_range(0..0x11_0000)) {
                text.push(other);
            }
        }
        let Ok(query) = text.parse::<Query>() else {
            refused += 1;
            continue;
        };
        answered += 1;
        let request = Request {
            explain: rng.random_bool(0.1),
            facets: rng.random_bool(0.5),
            offset: rng.random_range(0..3),
            ..Request::new(query)
        };
        let found = index.search(&request).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(found.hits.len() <= found.total);
        assert!(found.hits.iter().all(|hit| hit.score.is_finite()), "{text:?}");
        marks(&text, &found.roots);
        excerpt(&text, &found.roots, 20);
        index.suggest(&text, 3).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    }
    assert!(answered > 0 && refused > 0, "{answered} {refused}");
}
