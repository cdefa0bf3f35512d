//! Saved searches, for the digest.

use std::collections::HashSet;
use std::sync::Arc;

use pressrun_catalog::Paper;
use pressrun_digest::{Found, Topics};
use pressrun_search::query::Query;
use pressrun_search::{Request, Results, Runs, Search};

/// The site's search, as the digest asks it: a paper is about a topic if it has every word and meets
/// every condition. What is only near in meaning would fill mails with what nobody asked for.
#[derive(Debug, Clone)]
pub struct SavedSearches {
    search: Search,
    runs: Arc<dyn Runs>,
}

impl SavedSearches {
    /// Saved searches over an index; `runs` is what `has:run` asks.
    pub fn new(search: Search, runs: Arc<dyn Runs>) -> Self {
        Self { search, runs }
    }
}

impl Topics for SavedSearches {
    fn of<'a>(&'a self, query: &'a str, papers: &'a [Arc<Paper>]) -> Found<'a> {
        Box::pin(async move {
            let Ok(query) = query.parse::<Query>() else {
                tracing::warn!(query, "a saved search cannot be read any more");
                return Ok(HashSet::new());
            };
            // The index follows the catalogue: right after a start, or an import, it may be behind.
            if let Some(missing) = papers.iter().find(|paper| !self.search.index().has(&paper.id)) {
                return Err(format!("paper `{}` is not in the search index yet", missing.id).into());
            }
            let mut found = HashSet::new();
            // So many at once that all of them can be found.
            for papers in papers.chunks(Results::MOST) {
                let ids: Arc<[String]> = papers.iter().map(|paper| paper.id.clone()).collect();
                let request = Request {
                    limit: Results::MOST,
                    runs: Arc::clone(&self.runs),
                    within: Some(ids),
                    ..Request::new(query.clone().every_word())
                };
                let results = self.search.search(request).await?;
                found.extend(results.hits.into_iter().map(|hit| hit.id));
            }
            Ok(found)
        })
    }
}
