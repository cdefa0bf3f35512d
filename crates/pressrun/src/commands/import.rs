//! `pressrun import`: papers from files.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pressrun_catalog::{Catalog, NewPaper, import as importer};
use pressrun_search::{Feeder, Search};

use super::index::spent;
use super::progress::{SHARE, bar};
use super::search::{folder, vectors};
use super::{catalog, library};
use crate::cli::ImportArgs;

/// Imports files.
pub async fn import(args: ImportArgs) -> Result<ExitCode> {
    let catalog = catalog(&args.site.data).await?;
    // The papers of this build come first, so that a listing of them finds them there.
    let own: Vec<NewPaper> =
        library()?.entries().iter().map(|e| NewPaper::from_manifest(&e.manifest)).collect();
    catalog.upsert(&own).await?;
    let search = match Search::open(&folder(&args.site.data), vectors(&args.embedder)?) {
        Ok(search) => Some(search),
        // A site is running on this folder: its own index follows.
        Err(pressrun_search::Error::InUse { .. }) => None,
        Err(error) => return Err(error).context("opening the search index"),
    };
    // Indexing goes on beside storing: when the last paper is stored, little is left to index.
    let (feeder, feed) = pressrun_search::feed();
    let indexing = search.map(|search| {
        let catalog = catalog.clone();
        tokio::spawn(async move { search.catch_up(&catalog, Some(feed), &mut |_| {}).await })
    });
    let imported = files(&catalog, &args, feeder).await;
    match indexing {
        Some(indexing) => {
            let taken = indexing.await.context("indexing")?.context("indexing")?;
            println!("{} papers indexed: {}", taken.papers, spent(&taken.spent));
        }
        None => println!("The site that is running indexes them."),
    }
    Ok(if imported? == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Imports files one by one and feeds the index; the number of bad records.
async fn files(catalog: &Catalog, args: &ImportArgs, feeder: Feeder) -> Result<usize> {
    let options = importer::Options { year: args.year, ..importer::Options::default() };
    let mut bad = 0;
    for file in &args.files {
        let bar = bar(SHARE);
        let report = importer::import_file(catalog, file, &options, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("{} papers, {} bad", progress.read, progress.bad));
            feeder.push(progress.new);
        })
        .await
        .with_context(|| format!("importing `{}`", file.display()))?;
        bar.finish_and_clear();
        for record in &report.bad {
            eprintln!("{record}");
        }
        println!(
            "{}: {} read, {} added, {} updated, {} unchanged, {} bad; reading {:.2} s, storing {:.2} s",
            file.display(),
            report.read,
            report.added,
            report.updated,
            report.unchanged,
            report.bad.len(),
            report.reading.as_secs_f64(),
            report.storing.as_secs_f64()
        );
        bad += report.bad.len();
    }
    Ok(bad)
}
