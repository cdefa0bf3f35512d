//! `pressrun import`: papers from files.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pressrun_catalog::{Catalog, NewPaper, import as importer};

use super::library;
use crate::cli::ImportArgs;

/// Imports files.
pub async fn import(args: ImportArgs) -> Result<ExitCode> {
    let catalog = Catalog::open(&args.site.data)
        .await
        .with_context(|| format!("opening the database in `{}`", args.site.data.display()))?;
    // The papers of this build come first, so that a listing of them finds them there.
    let own: Vec<NewPaper> =
        library()?.entries().iter().map(|e| NewPaper::from_manifest(&e.manifest)).collect();
    catalog.upsert(&own).await?;
    let options = importer::Options { year: args.year, ..importer::Options::default() };
    let mut bad = 0;
    for file in &args.files {
        let bar = bar();
        let report = importer::import_file(&catalog, file, &options, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("{} papers, {} bad", progress.read, progress.bad));
        })
        .await
        .with_context(|| format!("importing `{}`", file.display()))?;
        bar.finish_and_clear();
        for record in &report.bad {
            eprintln!("{record}");
        }
        println!(
            "{}: {} read, {} added, {} updated, {} unchanged, {} bad",
            file.display(),
            report.read,
            report.added,
            report.updated,
            report.unchanged,
            report.bad.len()
        );
        bad += report.bad.len();
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {percent:>3}% {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
