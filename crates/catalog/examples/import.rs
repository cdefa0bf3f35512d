//! Imports a file into a catalogue and tells how fast it went.
//!
//! ```text
//! $ cargo run -p pressrun-catalog --example import -- FOLDER FILE [BATCH]
//! 4000
//! 8000
//! ...
//! 60241
//! 60241 read, 60241 added, 0 updated, 0 unchanged, 0 bad in 3.83 s: 15721 papers/s
//! ```
//!
//! (A development build on two cores that were busy otherwise too.) Each number is one batch that is
//! on disk. The process may be killed at any moment: what it has printed is there, and running it
//! again completes the import.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use pressrun_catalog::{Catalog, import};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, file, rest @ ..] = arguments.as_slice() else {
        return Err("usage: import FOLDER FILE [BATCH]".into());
    };
    let mut options = import::Options::default();
    if let [batch] = rest {
        options.batch = batch.parse()?;
    }
    let catalog = Catalog::open(Path::new(folder)).await?;
    let started = Instant::now();
    let mut said = std::io::stdout();
    let report = import::import_file(&catalog, Path::new(file), &options, &mut |progress| {
        let good = progress.read - progress.bad;
        // A line that cannot be written (nobody listens) is no reason to stop importing.
        let _ = writeln!(said, "{good}").and_then(|()| said.flush());
    })
    .await?;
    for bad in &report.bad {
        eprintln!("{bad}");
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{} read, {} added, {} updated, {} unchanged, {} bad in {seconds:.2} s: {:.0} papers/s",
        report.read,
        report.added,
        report.updated,
        report.unchanged,
        report.bad.len(),
        report.read as f64 / seconds
    );
    Ok(())
}
