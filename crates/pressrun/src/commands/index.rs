//! `pressrun index`: the search index, built anew.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use pressrun_search::{Search, Spent};

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
    bar.set_length(catalog.count_papers().await?);
    let started = Instant::now();
    let taken = search.catch_up(&catalog, None, &mut |taken| bar.set_position(taken)).await?;
    bar.finish_and_clear();
    println!(
        "{} papers indexed in {:.1} s: {}",
        taken.papers,
        started.elapsed().as_secs_f64(),
        spent(&taken.spent)
    );
    Ok(ExitCode::SUCCESS)
}

/// What an index spent its time on.
pub fn spent(spent: &Spent) -> String {
    let [words, vectors, writing] =
        [spent.words, spent.vectors, spent.writing].map(|time| time.as_secs_f64());
    format!("words {words:.2} s, vectors {vectors:.2} s, writing {writing:.2} s")
}
