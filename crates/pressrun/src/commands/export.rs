//! `pressrun export`: leaving with everything; and coming back with it.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use pressrun_catalog::archive::{Options, Room, Summary};
use pressrun_search::Search;
use pressrun_web::{Settings, Site, offline};

use super::search::{folder, vectors};
use super::{catalog, library};
use crate::cli::{ExportArgs, ImportArgs};

/// Writes an archive or a folder of pages.
pub async fn export(args: ExportArgs) -> Result<ExitCode> {
    let data = &args.site.data;
    // Opening would make an empty one.
    ensure!(data.join("pressrun.sqlite").is_file(), "no site in `{}`", data.display());
    let started = Instant::now();
    if let Some(to) = &args.html {
        return pages(&args, to).await;
    }
    let catalog = catalog(data).await?;
    let options = Options { public: args.public, ..Options::new(env!("CARGO_PKG_VERSION")) };
    let file = args.file.as_deref().context("a file to write, or `-`")?;
    let summary = if file == Path::new("-") {
        ensure!(!io::stdout().is_terminal(), "an archive is not for a terminal; name a file");
        catalog.export(io::stdout(), &options).await?.1
    } else {
        catalog.export_to(file, &options).await?
    };
    // Standard output may be the archive.
    eprintln!("{} in {:.1} s", counts(&summary), started.elapsed().as_secs_f64());
    if !args.public {
        eprintln!("It holds people's addresses: keep it as you keep the database.");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was written or read, in a line.
fn counts(summary: &Summary) -> String {
    let rows: Vec<String> =
        summary.rows.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    rows.join(", ")
}

async fn pages(args: &ExportArgs, to: &Path) -> Result<ExitCode> {
    let data = &args.site.data;
    let catalog = catalog(data).await?;
    let empty = tempfile::tempdir().context("making a temporary folder")?;
    let search = match Search::open(&folder(data), vectors(&args.embedder)?) {
        Ok(search) => search,
        // Pages are whole without an index but for the related papers.
        Err(pressrun_search::Error::InUse { .. }) => {
            eprintln!("A site is running on this folder: pages will name no related papers.");
            Search::open(empty.path(), vectors(&args.embedder)?)?
        }
        Err(error) => return Err(error).context("opening the search index"),
    };
    let settings = Settings { public_url: args.public_url.clone(), ..Settings::default() };
    let site = Site::with_settings(catalog, Arc::new(library()?), search, settings);
    let started = Instant::now();
    let report = offline::export(site, to).await?;
    println!(
        "{} files, {} bytes in {:.1} s; open `{}`",
        report.files,
        report.bytes,
        started.elapsed().as_secs_f64(),
        to.join("index.html").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Imports an archive.
pub async fn take_in(args: &ImportArgs, file: &Path) -> Result<ExitCode> {
    let data = &args.site.data;
    let catalog = catalog(data).await?;
    let search = match Search::open(&folder(data), vectors(&args.embedder)?) {
        Ok(search) => search,
        Err(pressrun_search::Error::InUse { .. }) => {
            bail!(
                "a site is running on `{}`; stop it before an archive replaces it",
                data.display()
            )
        }
        Err(error) => return Err(error).context("opening the search index"),
    };
    let room = if args.replace {
        let kept = data.join(format!("before-import-{}.tar.zst", Timestamp::now().as_second()));
        catalog.export_to(&kept, &Options::new(env!("CARGO_PKG_VERSION"))).await?;
        println!("What was there is in `{}`.", kept.display());
        Room::Anything
    } else {
        let own = library()?;
        Room::Fresh(own.entries().iter().map(|entry| entry.manifest.slug.clone()).collect())
    };
    let started = Instant::now();
    let imported = catalog.import_archive(file, &room).await;
    let summary = imported.context("nothing was changed (`--replace` empties a site first)")?;
    println!("{} in {:.1} s", counts(&summary), started.elapsed().as_secs_f64());
    search.begin_anew("an archive was imported")?;
    let taken = search.catch_up(&catalog, None, &mut |_| {}).await?;
    println!("{} papers indexed. People sign in anew.", taken.papers);
    Ok(ExitCode::SUCCESS)
}
