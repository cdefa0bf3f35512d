//! `pressrun show`: one paper on the terminal.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::library;
use crate::cli::ShowArgs;
use crate::text;

/// Shows a paper.
pub fn show(args: &ShowArgs) -> Result<ExitCode> {
    let library = library()?;
    let wanted = |e: &&pressrun_lab::Entry| {
        e.manifest.slug == args.slug || e.manifest.arxiv_id.as_ref() == Some(&args.slug)
    };
    let Some(entry) = library.entries().iter().find(wanted) else {
        bail!("no paper `{}`; `pressrun studies` lists them", args.slug);
    };
    if args.json {
        let Some(record) = &entry.record else {
            bail!("`{}` has no record yet", entry.manifest.slug);
        };
        println!("{}", serde_json::to_string_pretty(record)?);
        return Ok(ExitCode::SUCCESS);
    }
    let manifest = &entry.manifest;
    if let Some(record) = &entry.record {
        println!("{}\n", manifest.authors.join(", "));
        print!("{}", text::record(entry, record));
    } else {
        println!("{}\n{}\n", manifest.title, manifest.authors.join(", "));
        for claim in &manifest.claims {
            println!("{}: {} ({})", claim.id, claim.text, claim.source);
        }
    }
    if entry.study.is_some() {
        println!("\npressrun run {} --profile full", manifest.slug);
    } else {
        println!("\nno study runs this paper yet");
    }
    Ok(ExitCode::SUCCESS)
}
