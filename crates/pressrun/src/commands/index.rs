//! `pressrun index`: the search index, built anew.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pressrun_catalog::Catalog;
use pressrun_search::Search;

use super::search::{folder, vectors};
use crate::cli::IndexArgs;

/// Builds the index.
pub async fn index(args: IndexArgs) -> Result<ExitCode> {
    let data = &args.site.data;
    let catalog = Catalog::open(data)
        .await
        .with_context(|| format!("opening the database in `{}`", data.display()))?;
    let search = Search::open(&folder(data), vectors(&args.embedder)?)?;
    search.begin_anew("`pressrun index` asked for it")?;
    let bar = bar(catalog.papers().await?);
    let started = Instant::now();
    let papers = search
        .catch_up(&catalog, &AtomicBool::new(false), &mut |taken| bar.set_position(taken))
        .await?;
    bar.finish_and_clear();
    println!("{papers} papers indexed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn bar(papers: u64) -> ProgressBar {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {pos} of {len} papers");
    ProgressBar::new(papers).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
