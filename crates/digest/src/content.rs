//! What waits in the outbox in place of a letter: what the letter is written from.

use jiff::Timestamp;
use jiff::civil::Date;
use pressrun_catalog::{NoPapers, Slot};
use serde::{Deserialize, Serialize};

use crate::editor::Choice;
use crate::{Error, Result};

/// What an issue is about. The letter is written when it is sent: ten thousand of them would be hundreds
/// of megabytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The subscription.
    pub subscription: i64,
    /// The day in the subscriber's zone.
    pub day: Date,
    /// When it was due.
    pub due_at: Timestamp,
    /// Whether it was composed after its time.
    pub late: bool,
    /// Whether the subscriber asked for it as a test.
    pub test: bool,
    /// Ids of its papers.
    pub papers: Vec<String>,
    /// Why there are none.
    pub reason: Option<String>,
}

impl Content {
    pub(crate) fn new(subscription: i64, slot: Slot, now: Timestamp, choice: &Choice) -> Self {
        Self {
            subscription,
            day: slot.day,
            due_at: slot.at,
            late: slot.is_late(now),
            test: false,
            papers: choice.papers.clone(),
            reason: choice.reason.map(|reason| reason.name().to_owned()),
        }
    }

    /// The text that waits.
    pub(crate) fn to_text(&self) -> String {
        // Strings, numbers and days are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// # Errors
    /// [`Error::Compose`] for a text that this program did not write.
    pub(crate) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::Compose(error.to_string()))
    }

    /// The slot that it fills.
    pub(crate) fn slot(&self) -> Slot {
        Slot { at: self.due_at, day: self.day }
    }

    /// Why there are no papers.
    pub(crate) fn no_papers(&self) -> Option<NoPapers> {
        self.reason.as_ref()?.parse().ok()
    }
}
