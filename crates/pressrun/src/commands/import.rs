//! `pressrun import`: papers from files and from elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pressrun_catalog::import::{Options, Progress, Report, import_file};
use pressrun_catalog::{Catalog, NewPaper, archive};
use pressrun_harvest::{Fetcher, Harvester, Limits, Lookup, Policy, Source, Wish};
use pressrun_search::{Feeder, Search};

use super::index::spent;
use super::progress::{SHARE, bar};
use super::search::{folder, vectors};
use super::{catalog, export, library};
use crate::cli::{FetchArgs, ImportArgs};

/// Imports what is named.
pub async fn import(args: ImportArgs) -> Result<ExitCode> {
    let wanted = wanted(&args)?;
    if let Some(file) = archive_of(&wanted)? {
        return export::take_in(&args, file).await;
    }
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
    let imported = all(&catalog, &args, &wanted, feeder).await;
    match indexing {
        Some(indexing) => {
            let taken = indexing.await.context("indexing")?.context("indexing")?;
            println!("{} papers indexed: {}", taken.papers, spent(&taken.spent));
        }
        None => println!("The site that is running indexes them."),
    }
    Ok(if imported? == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Something to import.
enum Wanted {
    File(PathBuf),
    Source(Source),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Source(source) => write!(f, "{source}"),
        }
    }
}

/// What the command line names, all of it read before anything is done.
fn wanted(args: &ImportArgs) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for text in &args.files {
        let named = text.contains("://") || text.starts_with("arxiv:");
        wanted.push(match named {
            true => Wanted::Source(text.parse()?),
            false => Wanted::File(text.into()),
        });
    }
    for category in &args.arxiv {
        wanted.push(Wanted::Source(format!("arxiv:{category}").parse()?));
    }
    if let Some(url) = &args.oai {
        let source = Source::oai(url, args.set.as_deref(), args.metadata.as_deref())?;
        wanted.push(Wanted::Source(source));
    }
    Ok(wanted)
}

fn policy(args: &FetchArgs, limits: Limits) -> Policy {
    let (allow_private, contact) = (args.allow_private, args.contact.clone());
    Policy { allow_private, contact, limits, ..Policy::default() }
}

/// What looks up papers that people submit.
pub fn lookup(args: &FetchArgs) -> Result<Lookup> {
    let lookup = Lookup::new(Fetcher::new(policy(args, Lookup::limits())));
    Ok(lookup.with_servers(args.arxiv_url.as_deref(), args.doi_url.as_deref())?)
}

/// The archive that is to be imported, if it is one.
fn archive_of(wanted: &[Wanted]) -> Result<Option<&Path>> {
    for one in wanted {
        // A file that cannot be opened is reported where it is read.
        if let Wanted::File(path) = one
            && archive::is_archive(path).unwrap_or(false)
        {
            anyhow::ensure!(
                wanted.len() == 1,
                "`{}` is an archive; import it by itself: it takes the place of what is there",
                path.display()
            );
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What fetches papers for this catalogue.
pub fn harvester(catalog: &Catalog, args: &FetchArgs) -> Result<Harvester> {
    let fetcher = Fetcher::new(policy(args, Limits::default()));
    let harvester = Harvester::new(catalog.clone(), fetcher);
    Ok(match &args.arxiv_url {
        Some(url) => harvester.with_arxiv(url)?,
        None => harvester,
    })
}

/// Imports one after another and feeds the index; the number of bad records.
async fn all(
    catalog: &Catalog,
    args: &ImportArgs,
    wanted: &[Wanted],
    feeder: Feeder,
) -> Result<u64> {
    let options = Options { year: args.year, list_on: args.list_on, ..Options::default() };
    let wish = Wish { since: args.since, options };
    let harvester = harvester(catalog, &args.fetch)?;
    let mut bad = 0;
    for wanted in wanted {
        let bar = bar(SHARE);
        let mut watch = |progress: Progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("{} papers, {} bad", progress.read, progress.bad));
            feeder.push(progress.new);
        };
        let report = match wanted {
            Wanted::File(path) => {
                import_file(catalog, path, &wish.options, &mut watch).await.map_err(Into::into)
            }
            Wanted::Source(source) => harvester.harvest(source, &wish, &mut watch).await,
        };
        let report = report.with_context(|| format!("importing `{wanted}`"))?;
        bar.finish_and_clear();
        for record in &report.bad {
            eprintln!("{record}");
        }
        print(wanted, &report);
        bad += report.bad_records();
    }
    Ok(bad)
}

fn print(wanted: &Wanted, report: &Report) {
    let deleted = match report.deleted {
        0 => String::new(),
        deleted => format!(", {deleted} deleted at their source"),
    };
    println!(
        "{wanted}: {} read, {} added, {} updated, {} unchanged, {} bad{deleted}; \
         reading {:.2} s, storing {:.2} s",
        report.read,
        report.added,
        report.updated,
        report.unchanged,
        report.bad_records(),
        report.reading.as_secs_f64(),
        report.storing.as_secs_f64()
    );
}
