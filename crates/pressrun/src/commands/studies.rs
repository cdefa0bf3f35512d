//! `pressrun studies`: what there is and what runs.

use std::process::ExitCode;

use anyhow::Result;
use pressrun_lab::{Entry, Outcome};
use serde_json::{Value, json};

use super::library;
use crate::cli::StudiesArgs;

/// Lists the papers.
pub fn studies(args: &StudiesArgs) -> Result<ExitCode> {
    let library = library()?;
    if args.json {
        let list: Vec<Value> = library.entries().iter().map(describe).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(ExitCode::SUCCESS);
    }
    for entry in library.entries() {
        let status = match (&entry.record, &entry.study) {
            (Some(record), _) => record.badge(),
            (None, Some(_)) => "runs, not recorded yet".into(),
            (None, None) => "no study yet".into(),
        };
        println!("{:26} {:26} {}", entry.manifest.slug, status, entry.manifest.title);
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(entry: &Entry) -> Value {
    let verdicts = |record: &pressrun_lab::Record| {
        json!({
            "reproduced": record.count(Outcome::Reproduced),
            "partly": record.count(Outcome::Partly),
            "not_at_this_scale": record.count(Outcome::NotAtThisScale),
            "not_tested": record.count(Outcome::NotTested),
        })
    };
    json!({
        "slug": entry.manifest.slug,
        "id": entry.manifest.paper_id(),
        "title": entry.manifest.title,
        "family": entry.manifest.family,
        "claims": entry.manifest.claims.len(),
        "runs": entry.study.is_some(),
        "record": entry.record.as_ref().map(|record| json!({
            "run": record.run,
            "started": record.started,
            "seconds": record.seconds,
            "verdicts": verdicts(record),
            "claims": record.verdicts.iter().map(|v| json!({
                "claim": v.claim,
                "outcome": v.outcome,
                "comparisons": v.comparisons,
            })).collect::<Vec<_>>(),
        })),
    })
}
