//! Harvesting again and again, beside the site.

use std::time::Duration;

use pressrun_catalog::import::{Options, Report};

use crate::{Harvester, Result, Source, Wish};

/// Longest time between two tries of a source that fails, in intervals.
const MOST: u32 = 8;

/// Sources, and how often they are harvested.
///
/// One source is harvested after another, and the next round begins an interval after the last one has
/// ended: a harvest never overlaps itself. A source that fails again is left out of one round, then of three,
/// then of seven; one that answers again is harvested in every round.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Where papers come from.
    pub sources: Vec<Source>,
    /// Time between two rounds.
    pub every: Duration,
}

/// How a source has done.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    failures: u32,
    /// Rounds to be left out.
    rest: u32,
}

impl Record {
    fn note(&mut self, failed: bool) {
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        self.rest = match self.failures {
            0 => 0,
            failures => 2_u32.saturating_pow(failures - 1).min(MOST) - 1,
        };
    }
}

impl Schedule {
    /// Harvests until `stop` ends; what is under way then is dropped, and continued another time.
    pub async fn run(self, harvester: &Harvester, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = self.rounds(harvester) => {}
            () = stop => {}
        }
    }

    async fn rounds(&self, harvester: &Harvester) {
        let mut records = vec![Record::default(); self.sources.len()];
        loop {
            for (source, record) in self.sources.iter().zip(&mut records) {
                if record.rest > 0 {
                    record.rest -= 1;
                    continue;
                }
                let done = once(harvester, source).await;
                record.note(done.is_err());
                match done {
                    Ok(report) => tell(source, &report),
                    Err(error) => tracing::warn!(
                        failures = record.failures,
                        rounds_left_out = record.rest,
                        "importing `{source}`: {error}"
                    ),
                }
            }
            harvester.clock().sleep(self.every).await;
        }
    }
}

async fn once(harvester: &Harvester, source: &Source) -> Result<Report> {
    // Small transactions: visitors write meanwhile.
    let options = Options { batch: 500, ..Options::default() };
    harvester.harvest(source, &Wish { since: None, options }, &mut |_| {}).await
}

fn tell(source: &Source, report: &Report) {
    for bad in report.bad.iter().take(10) {
        tracing::warn!("{bad}");
    }
    tracing::info!(
        read = report.read,
        added = report.added,
        updated = report.updated,
        unchanged = report.unchanged,
        deleted = report.deleted,
        bad = report.bad_records(),
        "imported `{source}`: {} added, {} updated",
        report.added,
        report.updated
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_fails_is_asked_less_and_less() {
        let mut record = Record::default();
        let rests: Vec<u32> = (0..6)
            .map(|_| {
                record.note(true);
                record.rest
            })
            .collect();
        assert_eq!(rests, [0, 1, 3, 7, 7, 7]);
        record.note(false);
        assert_eq!(record.rest, 0);
    }
}
