//! Records as pages show them, drawn once: a record never changes, and its charts are most of the
//! work of a page.

use std::sync::Arc;

use maud::Markup;
use pressrun_catalog::Catalog;
use pressrun_lab::Record;

use crate::Result;
use crate::bounded::Bounded;
use crate::view::measured;

/// Records kept; one takes about half a megabyte with its drawings.
const KEPT: usize = 96;

/// A record with the sections that show what it measured.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub record: Record,
    pub measured: Markup,
}

/// The records that were shown last, by their run.
#[derive(Debug)]
pub(crate) struct Cache(Bounded<String, Arc<Rendered>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Bounded::new(KEPT))
    }
}

impl Cache {
    /// The record of that run; `None` if there is none.
    pub(crate) async fn get(&self, catalog: &Catalog, run: &str) -> Result<Option<Arc<Rendered>>> {
        if let Some(found) = self.0.get(run) {
            return Ok(Some(found));
        }
        let Some(record) = catalog.record(run).await? else {
            return Ok(None);
        };
        let measured = measured::sections(&record);
        let rendered = Arc::new(Rendered { record, measured });
        self.0.put(run.to_owned(), Arc::clone(&rendered));
        Ok(Some(rendered))
    }
}
