//! Papers near another one, looked up once: every paper's page names them, and each look goes
//! through the vectors of the whole catalogue.

use std::sync::Arc;

use pressrun_search::{Related as Neighbour, Search};

use crate::bounded::Bounded;

/// Papers named.
const MOST: usize = 6;
/// Answers kept. One takes less than a kilobyte; to find it takes as long as all the rest of a page.
const KEPT: usize = 16_384;

/// The neighbours of papers that were shown last.
#[derive(Debug)]
pub(crate) struct Related {
    /// By id, with the revision of the index that gave the answer.
    kept: Bounded<String, (i64, Arc<[Neighbour]>)>,
}

impl Default for Related {
    fn default() -> Self {
        Self { kept: Bounded::new(KEPT) }
    }
}

impl Related {
    /// The papers nearest to that of an id. None if search fails: a paper's page is whole without.
    pub(crate) async fn of(&self, search: &Search, id: &str) -> Arc<[Neighbour]> {
        let revision = search.index().revision();
        if let Some((of, found)) = self.kept.get(id)
            && of == revision
        {
            return found;
        }
        let asked = id.to_owned();
        // The index may have moved on meanwhile: the answer is then as new as its own revision.
        let answer = search.ask(move |index| Ok((index.revision(), index.related(&asked, MOST))));
        match answer.await {
            Ok((revision, found)) => {
                let found: Arc<[Neighbour]> = found.into();
                self.kept.put(id.to_owned(), (revision, Arc::clone(&found)));
                found
            }
            Err(error) => {
                tracing::error!(%error, "related papers could not be looked up");
                Arc::default()
            }
        }
    }
}
