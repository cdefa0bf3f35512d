//! `pressrun index`: the search index, built anew.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use pressrun_search::Search;

use super::catalog;
use super::progress::{COUNT, bar};
use super::search::{folder, vectors};
use crate::cli::IndexArgs;

/// Builds the index.
pub async fn index(args: IndexArgs) -> Result<ExitCode> {
    let data = &args.site.data;
    let catalog = catalog(data).await?;
    let search = Search::open(&folder(data), vectors(&args.embedder)?)?;
    search.begin_anew("`pressrun index` asked for it")?;
    let bar = bar(COUNT);
    bar.set_length(catalog.papers().await?);
    let started = Instant::now();
    let papers = search
        .catch_up(&catalog, &AtomicBool::new(false), &mut |taken| bar.set_position(taken))
        .await?;
    bar.finish_and_clear();
    println!("{papers} papers indexed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
