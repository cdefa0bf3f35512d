//! Records as pages show them, drawn once: a record never changes, and its charts are most of the
//! work of a page.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use maud::Markup;
use pressrun_catalog::Catalog;
use pressrun_lab::Record;

use crate::Result;
use crate::view::measured;

/// Records kept; one takes about half a megabyte with its drawings.
const KEPT: usize = 96;

/// A record with the sections that show what it measured.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub record: Record,
    pub measured: Markup,
}

/// The records that were shown last.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_run: HashMap<String, Arc<Rendered>>,
    /// Runs in the order in which they came in: the first goes first.
    order: VecDeque<String>,
}

impl Cache {
    /// The record of that run; `None` if there is none.
    pub(crate) async fn get(&self, catalog: &Catalog, run: &str) -> Result<Option<Arc<Rendered>>> {
        if let Some(found) = self.lock().by_run.get(run) {
            return Ok(Some(Arc::clone(found)));
        }
        let Some(record) = catalog.record(run).await? else {
            return Ok(None);
        };
        let measured = measured::sections(&record);
        let rendered = Arc::new(Rendered { record, measured });
        self.keep(run, &rendered);
        Ok(Some(rendered))
    }

    fn keep(&self, run: &str, rendered: &Arc<Rendered>) {
        let mut kept = self.lock();
        // Two requests may have drawn the same record at once.
        if kept.by_run.insert(run.to_owned(), Arc::clone(rendered)).is_none() {
            kept.order.push_back(run.to_owned());
        }
        while kept.order.len() > KEPT {
            if let Some(oldest) = kept.order.pop_front() {
                kept.by_run.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
